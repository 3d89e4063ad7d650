"""`kure-rag chat` on a real terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("pty", reason="there are no pseudo-terminals")

from chat_documents import make_index
from terminal import CTRL_C, CTRL_D, terminal

from kure_rag.testing.chat_server import ChatServer, Fault, chat_server

PROMPT = "질문> "
LEAVE = "연차휴가는 며칠인가요?"
ANSWER = "연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다. [1]"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_index(tmp_path_factory.mktemp("chat") / "ix", tmp_path_factory))


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as running:
        yield running


def test_a_conversation_with_a_model(index: str, server: ChatServer) -> None:
    with terminal(["chat", "--index", index, "--llm", server.base_url, "-k", "3"]) as talk:
        assert "6 documents" in talk.wait_for("Answers by stand-in.")
        talk.wait_for(PROMPT)
        talk.type(f"{LEAVE}\n")
        talk.wait_for(ANSWER)
        assert "  [3] " in talk.wait_for(PROMPT)

        talk.type("병가는요?\n")  # refers to what was said
        talk.wait_for("(searched: 연차휴가는 며칠인가요 병가는요?)")
        talk.wait_for(PROMPT)

        talk.type("/sources\n")
        shown = talk.wait_for(PROMPT)
        assert "* [1] " in shown
        assert "    연차휴가는 1년간 8할 이상" in shown

        talk.type("/new\n")
        talk.wait_for(PROMPT)
        before = len(server.requests)
        talk.type("병가는 며칠인가요?\n")
        assert "searched" not in talk.wait_for(PROMPT)
        assert len(server.requests) == before + 1

        talk.type("/help\n")
        talk.wait_for("/quit      end")
        talk.type("/sauces\n")
        talk.wait_for("There is no /sauces; /help lists")
        talk.type("/quit\n")
        assert talk.end() == 0


def test_ctrl_c_stops_an_answer_and_at_the_prompt_the_conversation(index: str, server: ChatServer) -> None:
    with terminal(["chat", "--index", index, "--llm", server.base_url]) as talk:
        talk.wait_for(PROMPT)
        server.fail(Fault(after=3, then="hang"))
        talk.type(f"{LEAVE}\n")
        talk.wait_for("연차휴가는 1년간 8할")
        talk.type(CTRL_C)
        talk.wait_for("… (stopped before its end)")
        assert "[1] " in talk.wait_for(PROMPT)  # the sources of what came

        server.fail(None, Fault(first_byte_after=60.0))  # the question is made standalone; then nothing comes
        talk.type("병가는요?\n")
        talk.wait_for("(searched: ")
        while len(server.requests) < 3:
            time.sleep(0.01)
        talk.type(CTRL_C)
        talk.wait_for("(stopped)")
        talk.wait_for(PROMPT)

        talk.type(f"{LEAVE}\n")
        talk.wait_for(ANSWER)
        talk.wait_for(PROMPT)
        talk.type(CTRL_C)
        assert talk.end() == 130
        assert "Traceback" not in talk.text


def test_what_fails_is_told_and_the_conversation_goes_on(index: str) -> None:
    with chat_server(api_key="sk-right-3") as server:
        arguments = ["chat", "--index", index, "--llm", server.base_url, "--model", "stand-in"]
        with terminal(arguments, {"KURE_LLM_API_KEY": "sk-right-3"}) as talk:
            talk.wait_for(PROMPT)
            server.fail(Fault(after=2, then="cut"))
            talk.type(f"{LEAVE}\n")
            assert "연차휴가는 1년간 …\n" in talk.wait_for("error: ")
            assert "the answer broke off" in talk.wait_for(PROMPT)

            server.fail(Fault(status=400, message="too long"))
            talk.type("병가는요?\n")
            talk.wait_for("error: ")
            talk.wait_for("too long")
            talk.wait_for(PROMPT)

            server.fail(Fault(status=500), None, Fault(status=429, headers={"Retry-After": "0"}))
            talk.type("병가는 며칠인가요?\n")
            talk.wait_for("병가는 의사의 진단서를")
            talk.wait_for(PROMPT)

            server.api_key = "sk-changed-3"
            talk.type("급여는 며칠에 주나요?\n")
            talk.wait_for("check the key in KURE_LLM_API_KEY")
            talk.wait_for(PROMPT)
            talk.type(CTRL_D)
            assert talk.end() == 0
            assert "sk-" not in talk.text


def test_without_a_model_it_says_so(index: str) -> None:
    with terminal(["chat", "--index", index]) as talk:
        talk.wait_for("No language model is connected (--llm URL): answers show the passages.")
        talk.wait_for(PROMPT)
        talk.type("/sources\n")
        talk.wait_for("Nothing was asked yet.")
        talk.wait_for(PROMPT)
        talk.type(f"  {LEAVE}  \n")
        talk.wait_for("언어 모델이 연결되어 있지 않아")
        talk.wait_for("[1] leave")
        talk.wait_for(PROMPT)
        talk.type(CTRL_D)
        assert talk.end() == 0


@pytest.mark.parametrize(("url", "message"), [("http://127.0.0.1:1/v1", "check that the server runs")])
def test_a_server_that_is_not_there_is_told_before_anything_is_asked(index: str, url: str, message: str) -> None:
    with terminal(["chat", "--index", index, "--llm", url, "--model", "m"]) as talk:
        talk.wait_for(message)
        assert talk.end() == 1
        assert PROMPT not in talk.text
        assert sys.executable not in talk.text
