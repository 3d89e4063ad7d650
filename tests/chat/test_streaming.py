"""Streams of the chat client, synchronous and asynchronous, against a server that fails in each way there is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from stand_in_llm import Reply as Answered
from stand_in_llm import stand_in

from kure_rag.chat import AnswerCutError, ChatClient, ChatModel, PassageError
from kure_rag.chat.wire import Lines, Reply
from kure_rag.errors import LlmError
from kure_rag.testing.chat_server import ChatServer, Fault, chat_server

SAID = "제1조에 따라 15일을 줍니다.\u2028그리고 [1] 이월합니다."
ASK = [{"role": "user", "content": "며칠인가요?"}]
FAST = ChatModel(url="", model="stand-in", first_wait=0.001, longest_wait=0.01, timeout=5.0)


def say(messages: Sequence[Any]) -> str:
    return SAID


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with chat_server(answer=say) as running:
        yield running


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def streamed(server_url: str, kind: str, reply: Reply | None = None, **settings: Any) -> list[str]:
    with ChatClient(replace(FAST, url=server_url, **settings)) as client:
        if kind == "sync":
            return list(client.stream(ASK, reply))

        async def collect() -> list[str]:
            return [piece async for piece in client.astream(ASK, reply)]

        return asyncio.run(collect())


def test_pieces_add_up_to_the_answer(server: ChatServer, kind: str) -> None:
    reply = Reply()
    pieces = streamed(server.base_url, kind, reply)
    assert "".join(pieces) == SAID == reply.text
    assert len(pieces) > 3
    assert reply.finish == "stop"
    assert server.requests[-1] == {"model": "stand-in", "messages": ASK, "stream": True}


@pytest.mark.parametrize(
    "fault", [Fault(status=429, headers={"Retry-After": "0"}), Fault(status=500), Fault(then="end")]
)
def test_what_fails_before_the_first_word_is_asked_again(server: ChatServer, kind: str, fault: Fault) -> None:
    before = len(server.requests)
    server.fail(fault, fault)
    assert "".join(streamed(server.base_url, kind)) == SAID
    assert len(server.requests) == before + 3


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault(after=2, then="cut"), "peer closed connection"),
        (Fault(after=2, then="end"), "the stream ended early"),
        (Fault(after=2, then="error", message="메모리가 모자랍니다"), "메모리가 모자랍니다"),
        (Fault(after=2, then="garbage"), "something else than an event stream"),
        (Fault(after=2, then="hang"), r"no answer within 0\.3 s"),
    ],
)
def test_what_breaks_off_is_never_asked_again_and_keeps_what_came(
    server: ChatServer, kind: str, fault: Fault, why: str
) -> None:
    before = len(server.requests)
    server.fail(fault)
    with pytest.raises(AnswerCutError, match=why) as caught:
        streamed(server.base_url, kind, timeout=0.3)
    assert caught.value.text == "제1조에 따라 "
    assert "broke off after 8 characters" in str(caught.value)
    assert len(server.requests) == before + 1


def test_a_server_that_fails_each_time_is_given_up(server: ChatServer, kind: str) -> None:
    server.fail(*[Fault(then="error", message="불이 났습니다")] * 3)
    with pytest.raises(LlmError, match=r"불이 났습니다.*3 times; check that the server runs"):
        streamed(server.base_url, kind)


def test_garbage_instead_of_a_stream_is_told_at_once(server: ChatServer, kind: str) -> None:
    server.fail(Fault(then="garbage"))
    with pytest.raises(LlmError, match=r"something else than an event stream .*check the URL"):
        streamed(server.base_url, kind)
    with (
        stand_in(lambda *_: Answered(body="<html>로그인</html>", headers={"Content-Type": "text/html"})) as other,
        pytest.raises(LlmError, match=r"로그인.*check the URL"),
    ):
        streamed(other.url, kind, model="m")


def test_an_unknown_model_is_told_with_those_that_there_are(server: ChatServer, kind: str) -> None:
    with pytest.raises(LlmError, match=r"HTTP 404 .*`없는-모형` does not exist.*the server lists stand-in"):
        streamed(server.base_url, kind, model="없는-모형")


def test_a_wrong_key_is_told_without_the_key(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KURE_LLM_API_KEY", "sk-wrong-1")
    with chat_server(answer=say, api_key="sk-right-1") as server:
        with pytest.raises(LlmError, match="check the key in KURE_LLM_API_KEY") as caught:
            streamed(server.base_url, kind)
        assert "sk-wrong" not in str(caught.value)
        monkeypatch.setenv("KURE_LLM_API_KEY", "sk-right-1")
        assert "".join(streamed(server.base_url, kind)) == SAID


def test_an_empty_answer_and_one_at_once(kind: str) -> None:
    empty = 'data: {"choices": [{"delta": {"content": ""}, "finish_reason": "length"}]}\n\ndata: [DONE]\n\n'
    with (
        stand_in(lambda *_: Answered(body=empty, headers={"Content-Type": "text/event-stream"})) as other,
        pytest.raises(PassageError, match="without text, it ended with 'length'"),
    ):
        streamed(other.url, kind, model="m")
    whole = {"choices": [{"message": {"content": "한 번에"}, "finish_reason": "stop"}]}
    with stand_in(lambda *_: Answered(body=whole)) as other:
        assert streamed(other.url, kind, model="m") == ["한 번에"]


def test_comments_and_carriage_returns_and_a_missing_end_mark_are_no_matter(kind: str) -> None:
    body = (
        ': 기다리는 중\r\n\r\ndata:{"choices":[{"delta":{"content":"가"}}]}\r\n\r\nevent: x\r\n'
        'data: {"choices":[{"delta":{"content":"나"},"finish_reason":"stop"}]}'
    )
    with stand_in(lambda *_: Answered(body=body, headers={"Content-Type": "text/event-stream"})) as other:
        assert streamed(other.url, kind, model="m") == ["가", "나"]


def test_settings_of_the_answer_are_sent(server: ChatServer, kind: str) -> None:
    reply = Reply()
    streamed(server.base_url, kind, reply, max_tokens=2, temperature=0.0)
    assert {"max_tokens": 2, "temperature": 0.0}.items() <= server.requests[-1].items()
    assert (reply.text, reply.finish) == ("제1조에 따라 ", "length")


def test_stopping_ends_a_stream_from_another_thread(server: ChatServer) -> None:
    server.fail(Fault(between_pieces=0.05))
    with ChatClient(replace(FAST, url=server.base_url)) as client:
        stream = client.stream(ASK)
        next(stream)
        threading.Thread(target=client.stop).start()
        with pytest.raises(LlmError, match="stopped while asking"):
            list(stream)


async def test_a_cancelled_stream_hangs_up(server: ChatServer) -> None:
    server.fail(Fault(first_byte_after=30.0))
    with ChatClient(replace(FAST, url=server.base_url, timeout=60.0)) as client:
        before = len(server.requests)
        task = asyncio.create_task(client.aask(ASK))
        while len(server.requests) == before:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_models_are_listed_where_the_server_lists_them(server: ChatServer) -> None:
    with ChatClient(replace(FAST, url=server.base_url)) as client:
        assert client.models() == ["stand-in"]
    with ChatClient(replace(FAST, url=server.base_url + "/x")) as client:
        assert client.models() == []  # no such page


def test_an_openai_key_goes_to_openai_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from kure_rag.chat.model import key_name

    monkeypatch.delenv("KURE_LLM_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    assert key_name(ChatModel(url="https://api.openai.com/v1")) == "OPENAI_API_KEY"
    for url in (
        "http://api.openai.com/v1",
        "https://openai.com.example/v1",
        "http://localhost/v1",
        "https://notopenai.com",
    ):
        assert key_name(ChatModel(url=url)) is None
    monkeypatch.setenv("KURE_LLM_API_KEY", "sk-own")
    assert key_name(ChatModel(url="http://localhost/v1")) == "KURE_LLM_API_KEY"
    assert key_name(ChatModel(url="http://localhost/v1", api_key_env="OPENAI_API_KEY")) == "OPENAI_API_KEY"


@pytest.mark.parametrize("wrong", [{"timeout": 0}, {"attempts": 0}, {"max_tokens": -1}, {"temperature": -0.5}])
def test_settings_that_make_no_sense_are_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(FAST, **wrong)


def test_a_stream_without_lines_is_not_read_for_ever() -> None:
    lines = Lines()
    assert lines.feed(b"x" * 1_000_000) == []
    with pytest.raises(LlmError, match="that is no answer"):
        lines.feed(b"x" * 100_000)
