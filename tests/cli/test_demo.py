"""`kure-rag demo`, without any network."""

import shlex
import tempfile
from pathlib import Path

import pytest
from commands import call
from sample_indexes import samples_in

from kure_rag.cli.main import build_parser
from kure_rag.samples import DEMO_QUESTIONS, sample_paths

FOUND_FIRST = 6


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "empty-hub"))


@pytest.mark.usefixtures("offline")
def test_all_questions_are_answered_first(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    said = call("demo", "--json", "--index", samples_in(tmp_path / "kept before", tmp_path_factory))
    assert (said.status, said.err) == (0, "")
    told = said.json()
    assert set(told) == {"ingest", "answers", "seconds"}
    assert (told["ingest"]["unchanged"], told["ingest"]["rejected"]) == (3, 0)
    assert [answer["question"] for answer in told["answers"]] == [q.question for q in DEMO_QUESTIONS]
    assert [answer["found"] for answer in told["answers"]].count(True) == FOUND_FIRST
    for answer, question in zip(told["answers"], DEMO_QUESTIONS, strict=True):
        first = answer["hits"][0]
        assert first["source"] == question.source
        if not answer["found"]:
            continue
        assert question.page in first["pages"]
        assert "".join(question.answer.split()) in "".join(first["text"].split())


@pytest.mark.usefixtures("offline")
def test_text_shows_the_place_the_score_the_leg_and_what_to_try_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    said = call("demo")
    assert not list(tmp_path.glob("kure-rag-demo-*")), "the index is thrown away"
    assert (said.status, said.err) == (0, "")
    added, *blocks = said.out.split("\nQ. ")
    assert [line.split()[0] for line in added.splitlines()] == ["added"] * 3
    assert len(blocks) == len(DEMO_QUESTIONS)
    blocks[-1], _, after = blocks[-1].partition(f"\n{FOUND_FIRST} of 6 passages found first")
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
    assert "kure-rag demo --index demo-index\n" in after
    commands = [shlex.split(line)[1:] for line in after.splitlines() if line.startswith("  ")]
    assert [words[0] for words in commands] == ["demo", "chat", "app", "ingest", "search", "ingest"]
    for words in commands:
        build_parser().parse_args(words)
    files = build_parser().parse_args(commands[2]).files[0]
    assert sorted(path.name for path in files.glob("*.pdf")) == [path.name for path in sample_paths()]
    assert f"The three sample PDFs lie in {files}\n" in after


@pytest.mark.usefixtures("offline")
def test_a_kept_index_is_the_one_that_the_hints_name_and_can_be_searched(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kept = samples_in(tmp_path / "내 색인", tmp_path_factory)
    said = call("demo", "--index", kept)
    assert said.status == 0
    after = said.out.partition("Ask them yourself")[2]
    assert f"chat --index '{kept}'\n" in after
    assert f"app --index '{kept}' --files " in after
    assert "demo --index" not in after, "it is there already"

    said = call("search", "연차휴가는 며칠인가요?", "--index", kept, "-k", "1", "--json")
    assert said.status == 0
    assert said.json()["hits"][0]["source"] == "새여울재단_취업규정.pdf"
