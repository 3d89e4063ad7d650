"""`kure-rag chat` with one question and through a pipe."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_documents import make_index
from commands import Said, call

from kure_rag.testing.chat_server import ChatServer, Fault, chat_server

LEAVE = "연차휴가는 며칠인가요?"
SICK = "병가는 연간 며칠까지 허가하나요?"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_index(tmp_path_factory.mktemp("chat") / "ix", tmp_path_factory)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as running:
        yield running


def chat(index: Path, *arguments: str | Path, lines: str | None = None) -> Said:
    """One command; with lines, they come through a pipe."""
    with pytest.MonkeyPatch.context() as patch:
        if lines is not None:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
        return call("chat", "--index", index, *arguments)


def test_without_a_model_the_passages_are_shown(index: Path) -> None:
    said = chat(index, "--question", LEAVE, "--k", "1")
    assert said.status == 0
    assert said.out.splitlines()[0] == "언어 모델이 연결되어 있지 않아, 찾은 문단을 그대로 보여 드립니다."
    assert "[1] leave" in said.out
    assert "연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다." in said.out


def test_an_answer_is_followed_by_its_sources(index: Path, server: ChatServer) -> None:
    said = chat(index, "--question", LEAVE, "--llm", server.base_url, "-k", "3")
    assert said.status == 0
    answer, sources = said.out.rstrip("\n").split("\n\n")
    assert answer.startswith("연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다. [1]")
    assert [line[:5] for line in sources.splitlines()] == ["* [1]", "* [2]", "  [3]"]
    assert server.requests[0]["stream"] is True


def test_one_question_as_json(index: Path, server: ChatServer) -> None:
    told = chat(index, "--question", LEAVE, "--llm", server.base_url, "--json").json()
    assert told["question"] == told["query"] == LEAVE
    assert told["model"] == "stand-in"
    assert told["sources"][0]["source"] == "leave"
    assert told["sources"][0]["cited"] is True


def test_lines_of_a_pipe_are_one_conversation(index: Path, server: ChatServer) -> None:
    said = chat(index, "--llm", server.base_url, lines=f"\ufeff{LEAVE}\n\n병가는요?\n")
    assert said.status == 0
    first, second = said.out.split("\n\nQ. 병가는요?\n")
    assert first.startswith(f"Q. {LEAVE}\n연차휴가는")
    assert second.startswith("(searched: 연차휴가는 며칠인가요 병가는요?)\n")
    rows = chat(index, "--llm", server.base_url, "--json", lines=f"{LEAVE}\n{SICK}\n").out.splitlines()
    assert [json.loads(row)["question"] for row in rows] == [LEAVE, SICK]
    assert chat(index, lines="").out == ""


def test_an_answer_that_breaks_off_keeps_what_came_and_does_not_stop_the_next(index: Path, server: ChatServer) -> None:
    server.fail(Fault(after=2, then="cut"))
    said = chat(index, "--llm", server.base_url, lines=f"{LEAVE}\n{SICK}\n")
    assert said.status == 1
    assert "연차휴가는 1년간 …\n" in said.out
    assert "the answer broke off" in said.err
    assert "병가는 의사의 진단서를 낸" in said.out
    server.fail(Fault(after=2, then="cut"))
    said = chat(index, "--llm", server.base_url, "--question", LEAVE, "--json")
    assert said.status == 1
    assert said.json()["complete"] is False
    assert said.json()["text"] == "연차휴가는 1년간"
    server.fail(Fault(after=2, then="cut"))
    said = chat(index, "--llm", server.base_url, "--question", LEAVE)
    assert said.status == 1
    assert said.err.count("the answer broke off") == 1


def test_a_question_that_is_refused_does_not_stop_the_next(index: Path, server: ChatServer) -> None:
    server.fail(Fault(status=400, message="maximum context length exceeded"))
    said = chat(index, "--llm", server.base_url, "--json", lines=f"{LEAVE}\n{SICK}\n")
    assert said.status == 1
    refused, answered = map(json.loads, said.out.splitlines())
    assert refused["error"]["type"] == "PassageError"
    assert answered["complete"] is True


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--llm", "http://127.0.0.1:1/v1", "--model", "m"), "check that the server runs"),
        (("--llm", "localhost:8000"), "no http or https URL"),
        (("--llm", "{url}", "--model", "없는-모형"), "the server lists stand-in"),
        (("--llm", "{url}", "--api-key-env", "KURE_TEST_NO_KEY"), "KURE_TEST_NO_KEY is not set"),
        (("--where", "[]"), "--where takes a JSON object"),
    ],
)
def test_what_cannot_be_is_told(index: Path, server: ChatServer, arguments: tuple[str, ...], message: str) -> None:
    said = chat(index, "--question", LEAVE, *(argument.format(url=server.base_url) for argument in arguments))
    assert said.status == 1
    assert message in said.err
    assert "Traceback" not in said.err


def test_a_lost_server_ends_a_pipe(index: Path) -> None:
    said = chat(index, "--llm", "http://127.0.0.1:1/v1", "--model", "m", lines=f"{LEAVE}\n{SICK}\n")
    assert said.status == 1
    assert said.err.count("check that the server runs") == 1


def test_a_wrong_key_is_told_and_never_shown(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with chat_server(api_key="sk-right-2") as server:
        monkeypatch.setenv("KURE_LLM_API_KEY", "sk-wrong-2")
        said = chat(index, "--question", LEAVE, "--llm", server.base_url, "--model", "stand-in")
        assert said.status == 1
        assert "check the key in KURE_LLM_API_KEY" in said.err
        assert "sk-wrong" not in said.err + said.out
        monkeypatch.setenv("KURE_LLM_API_KEY", "sk-right-2")
        said = chat(index, "--question", LEAVE, "--llm", server.base_url)
        assert said.status == 0
        assert "sk-right" not in said.err + said.out


def test_an_index_that_is_not_there_is_told_before_the_server_is_asked(tmp_path: Path, server: ChatServer) -> None:
    said = chat(tmp_path / "없음", "--question", LEAVE, "--llm", server.base_url)
    assert (said.status, server.requests) == (1, [])
    assert "no index there" in said.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "m"), "--model belongs to --llm"),
        (("--api-key-env", "X"), "--api-key-env belongs to --llm"),
        (("-k", "0"), "must be at least 1"),
        (("--llm", "http://localhost/v1", "--temperature", "-1"), "temperature"),
    ],
)
def test_arguments_that_make_no_sense_are_told(index: Path, arguments: tuple[str, ...], message: str) -> None:
    said = chat(index, "--question", LEAVE, *arguments)
    assert said.status == 2
    assert message in said.err


def test_filters_and_mode_reach_the_search(index: Path) -> None:
    both = ("--where", '{"source": "sick"}', "--domain", "general", "--mode", "lexical")
    told = chat(index, "--question", f"{LEAVE} {SICK}", *both, "--json").json()
    assert [(row["source"], list(row["legs"])) for row in told["sources"]] == [("sick", ["lexical"])]
    other = chat(index, "--question", LEAVE, "--where", '{"source": "leave"}', "--domain", "medical")
    assert other.out == "문서에서 답을 찾지 못했습니다.\n"


def test_what_a_terminal_would_obey_is_left_out(index: Path) -> None:
    with chat_server(answer=lambda _: "답\x1b[2J입니다\x07 [1]") as server:
        assert chat(index, "--question", LEAVE, "--llm", server.base_url).out.startswith("답[2J입니다 [1]\n")


def test_help_shows_how_to_begin() -> None:
    said = call("chat", "--help")
    assert said.status == 0
    assert "kure-rag chat --index my-index --llm http://localhost:8000/v1" in said.out
    assert "KURE_LLM_API_KEY" in said.out
