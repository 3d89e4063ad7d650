"""`kure-rag demo`, without any network."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from kure_rag.cli import main
from kure_rag.samples import DEMO_QUESTIONS


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "empty-hub"))


def call(*arguments: str) -> tuple[int, str, str]:
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        status = main(arguments)
    return status, out.getvalue(), err.getvalue()


@pytest.mark.usefixtures("offline")
def test_six_questions_are_answered_first() -> None:
    status, out, err = call("demo", "--json")
    assert (status, err) == (0, "")
    assert out.count("\n") == 1
    told: dict[str, Any] = json.loads(out)
    assert set(told) == {"ingest", "answers", "seconds"}
    assert (told["ingest"]["added"], told["ingest"]["rejected"]) == (3, 0)
    assert [answer["question"] for answer in told["answers"]] == [q.question for q in DEMO_QUESTIONS]
    for answer, question in zip(told["answers"], DEMO_QUESTIONS, strict=True):
        assert answer["found"], question.question
        first = answer["hits"][0]
        assert first["source"] == question.source
        assert question.page in first["pages"]
        assert "".join(question.answer.split()) in "".join(first["text"].split())


@pytest.mark.usefixtures("offline")
def test_text_shows_the_place_the_score_the_leg_and_what_to_try_next(tmp_path: Path) -> None:
    status, out, err = call("demo", "--index", str(tmp_path / "kept"))
    assert (status, err) == (0, "")
    added, *blocks = out.split("\nQ. ")
    assert [line.split()[0] for line in added.splitlines()] == ["added"] * 3
    assert len(blocks) == len(DEMO_QUESTIONS)
    blocks[-1], _, after = blocks[-1].partition("\n6 of 6 passages found first")
    for block, question in zip(blocks, DEMO_QUESTIONS, strict=True):
        asked, place, score, passage, *_ = block.splitlines()
        assert asked == question.question
        assert place.startswith(f"[1] {question.source} p."), place
        assert len(place.split(" > ")) > 1, "no heading"
        assert score.startswith("    score 0.")
        assert "lexical #" in score
        assert "dense" in score
        assert len(passage.strip()) > 20
    assert "kure-rag ingest ./my-documents --index my-index --model static-ko" in after
    assert 'kure-rag search "' in after

    status, out, _ = call("search", "연차휴가는 며칠인가요?", "--index", str(tmp_path / "kept"), "-k", "1", "--json")
    assert status == 0
    assert json.loads(out)["hits"][0]["source"] == "새여울재단_취업규정.pdf"
