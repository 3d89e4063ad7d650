"""The chat client against a server that is busy, slow, broken or strict."""

import asyncio
import socket
import ssl
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from stand_in_llm import Behaviour, Reply, said, stand_in

import kure_rag.chat.client
from kure_rag.chat.attempts import retry_after
from kure_rag.chat.client import ChatClient
from kure_rag.chat.model import ChatModel, root_of
from kure_rag.chat.wire import PassageError
from kure_rag.errors import LlmError, MissingExtraError

ASK = [{"role": "user", "content": "<본문>\n글\n</본문>"}]
FAST = ChatModel(url="", first_wait=0.001, longest_wait=0.01, timeout=5.0)


def in_turn(*replies: Reply) -> Behaviour:
    return lambda request, number: replies[min(number, len(replies)) - 1]


def ask(behave: Behaviour, **settings: Any) -> tuple[str, int]:
    """The answer, and how many requests it took."""
    with stand_in(behave) as server, ChatClient(replace(FAST, url=server.url, **settings)) as client:
        return client.ask(ASK), len(server.requests)


def test_the_request_is_the_protocols_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "다른 서버의 열쇠")
    with stand_in(in_turn(said("답"))) as server, ChatClient(replace(FAST, url=server.url + "/")) as client:
        assert client.model == "시험-모형"
        assert client.ask(ASK) == "답"
        assert server.requests == [{"model": "시험-모형", "messages": ASK, "stream": False}]
        assert server.keys == [None]  # a key that nobody named is not sent


def test_the_url_may_name_the_whole_endpoint() -> None:
    with stand_in(in_turn(said("답"))) as server:
        settings = replace(FAST, url=f"{server.url}/chat/completions", model="이름")
        with ChatClient(settings) as client:
            assert client.ask(ASK) == "답"
        assert server.requests[0]["model"] == "이름"


def test_the_key_comes_from_the_environment_and_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_KEY", " sk-secret-123 ")
    caplog.set_level("DEBUG")
    refusal = Reply(401, {"error": {"message": "Incorrect API key provided: sk-secret-123"}})
    with stand_in(in_turn(refusal)) as server:
        client = ChatClient(replace(FAST, url=server.url, model="m", api_key_env="MY_KEY"))
        with client, pytest.raises(LlmError) as caught:
            client.ask(ASK)
        assert server.keys == ["Bearer sk-secret-123"]
    assert "check the key in MY_KEY" in str(caught.value)
    assert "Incorrect API key provided: ***" in str(caught.value)
    assert "sk-secret" not in str(caught.value) + caplog.text + repr(client)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(status: int) -> None:
    busy = Reply(status, {"error": {"message": "기다려 주세요"}})
    assert ask(in_turn(busy, busy, said("답"))) == ("답", 3)


def test_a_server_that_stays_busy_is_given_up() -> None:
    with pytest.raises(LlmError, match=r"HTTP 503 \('쉬는 중'\), 3 times; check that the server runs"):
        ask(in_turn(Reply(503, "쉬는 중")), attempts=3)


def test_a_wait_that_the_server_asks_for_is_kept() -> None:
    busy = Reply(429, {}, {"Retry-After": "0.3"})
    began = time.monotonic()
    assert ask(in_turn(busy, said("답")), longest_wait=5.0) == ("답", 2)
    assert time.monotonic() - began >= 0.3
    # No server makes us wait longer than we want to.
    assert ask(in_turn(Reply(429, {}, {"Retry-After": "86400"}), said("답"))) == ("답", 2)


def test_retry_after_in_seconds_and_as_a_date() -> None:
    assert retry_after(None) is None
    assert retry_after("7") == 7.0
    assert retry_after("-7") == 0.0
    assert retry_after("곧") is None
    later = retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True))
    assert later is not None
    assert 80 < later <= 90
    assert retry_after("Sat, 01 Jan 2000 00:00:00 GMT") == 0.0


def test_a_slow_answer_is_asked_for_again() -> None:
    assert ask(in_turn(Reply(seconds=1.0), said("답")), timeout=0.2) == ("답", 2)
    with pytest.raises(LlmError, match=r"no answer within 0\.1 s, 2 times"):
        ask(in_turn(Reply(seconds=0.5)), timeout=0.1, attempts=2)


def test_a_server_that_is_not_there() -> None:
    with stand_in() as server:
        url = server.url
    with pytest.raises(LlmError, match="2 times; check that the server runs"):
        ChatClient(replace(FAST, url=url, attempts=2))


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400, {"error": {"message": "maximum context length exceeded"}}),
        Reply(413, "too large"),
        Reply(body={"choices": []}),
        Reply(body={"choices": [{"message": {"content": None}}]}),
        Reply(body={"choices": [{"message": {"content": "  "}}]}),
        Reply(body={"error": "무언가"}),
    ],
)
def test_one_passage_may_be_refused(reply: Reply) -> None:
    with pytest.raises(PassageError):
        ask(in_turn(reply))


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(401, {"error": "no key"}), "name the environment variable that holds it: --api-key-env VAR"),
        (Reply(404, {"error": {"message": "no model m"}}), "no model m.*check the URL"),
        (Reply(307, "", {"Location": "https://elsewhere.example/"}), "give the URL it redirects to"),
        (Reply(body="<html>로그인</html>"), "something else than JSON .*로그인"),
        (Reply(body="[1, 2]"), "something else than JSON"),
        (Reply(body="가" * 3_000_000), "more than 8,388,608 bytes"),
    ],
)
def test_a_server_that_is_the_wrong_one_is_asked_once(reply: Reply, message: str) -> None:
    with stand_in(in_turn(reply)) as server, ChatClient(replace(FAST, url=server.url, model="m")) as client:
        with pytest.raises(LlmError, match=message) as caught:
            client.ask(ASK)
        assert not isinstance(caught.value, PassageError)
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [200, 400])
def test_an_answer_without_end_is_not_read_to_its_end_by_an_event_loop_either(status: int) -> None:
    endless = in_turn(Reply(status, "가" * 3_000_000))
    with stand_in(endless) as server, ChatClient(replace(FAST, url=server.url, model="m")) as client:
        with pytest.raises(LlmError, match="more than 8,388,608 bytes"):
            asyncio.run(client.aask(ASK))
        assert len(server.requests) == 1


def test_an_event_loop_reads_no_certificates_for_each_question(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*given: object, **more: object) -> ssl.SSLContext:
        raise AssertionError("that takes too long for an event loop")

    with stand_in(in_turn(said("답"))) as server, ChatClient(replace(FAST, url=server.url, model="m")) as client:
        monkeypatch.setattr(ssl, "create_default_context", load)
        assert asyncio.run(client.aask(ASK)) == "답"


def test_a_server_that_accepts_and_never_answers_is_asked_once_for_its_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kure_rag.chat.client, "_LIST", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        with pytest.raises(LlmError, match=rf"{url}/models: no answer within 0\.3 s; .* name its model with --model"):
            ChatClient(ChatModel(url=url, first_wait=0.001))
        silent.settimeout(0.1)
        silent.accept()[0].close()
        with pytest.raises(TimeoutError):
            silent.accept()


def test_content_in_parts() -> None:
    assert ask(in_turn(Reply(body={"choices": [{"message": {"content": [{"text": "가"}, {"text": "나"}]}}]}))) == (
        "가나",
        1,
    )


@pytest.mark.parametrize(("models", "message"), [([], "lists no models"), (["가", "나"], r"lists 2 models \(가, 나\)")])
def test_a_model_must_be_named_where_the_server_has_not_one(models: list[str], message: str) -> None:
    with stand_in() as server:
        server.models = models
        with pytest.raises(LlmError, match=f"{message}; name one with --model"):
            ChatClient(replace(FAST, url=server.url))


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://x/v1", "http://", "file:///etc/passwd"])
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(LlmError, match="URL"):
        ChatClient(replace(FAST, url=url, model="m"))


def test_a_password_in_the_url_is_refused_and_not_shown() -> None:
    with pytest.raises(LlmError) as caught:
        ChatClient(replace(FAST, url="http://user:hunter2@localhost/v1", model="m"))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/v1?key=hunter2",
        "http://localhost/v1#hunter2",
        "https://api.example/v1/chat/completions?api_key=hunter2",
        "ftp://localhost/v1?key=hunter2",  # what is wrong besides repeats nothing of it either
        "http://user:hunter2/@localhost/v1",
        "user:hunter2@localhost/v1",
        "http://localhost:port?hunter2",
    ],
)
def test_a_url_with_a_place_for_keys_is_refused_before_anything_shows_it(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with pytest.raises(LlmError, match="into the environment") as caught:
        ChatModel(url=url, model="m")
    with pytest.raises(LlmError) as root:
        root_of(url)
    assert "hunter2" not in str(caught.value) + str(root.value) + caplog.text


def test_a_key_that_would_leave_this_machine_without_encryption_is_warned_of_before_it_does(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("KURE_LLM_API_KEY", "sk-secret-4")
    ChatClient(replace(FAST, url="http://llm.example/v1", model="m")).close()
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("http://llm.example/v1: the key in KURE_LLM_API_KEY is sent there without encryption")
    assert "sk-secret" not in caplog.text


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "http://localhost/v1", "https://llm.example/v1"])
def test_a_key_that_nobody_can_read_on_the_way_is_no_news(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("KURE_LLM_API_KEY", "sk-secret-4")
    ChatClient(replace(FAST, url=url, model="m")).close()
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_without_a_key_nothing_is_said_of_encryption(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("KURE_LLM_API_KEY", raising=False)
    ChatClient(replace(FAST, url="http://llm.example/v1", model="m")).close()
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_an_environment_variable_that_holds_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(LlmError, match="MY_KEY is not set"):
        ChatClient(replace(FAST, url="http://localhost/v1", model="m", api_key_env="MY_KEY"))
    monkeypatch.setenv("MY_KEY", "열쇠\n둘째 줄")
    with pytest.raises(LlmError, match="characters that no API key has"):
        ChatClient(replace(FAST, url="http://localhost/v1", model="m", api_key_env="MY_KEY"))


def test_stopping_ends_a_wait() -> None:
    with stand_in(in_turn(Reply(503, {}))) as server:
        settings = replace(FAST, url=server.url, model="m", first_wait=60.0, longest_wait=60.0)
        with ChatClient(settings) as client:
            threading.Timer(0.2, client.stop).start()
            with pytest.raises(LlmError, match="stopped while asking"):
                client.ask(ASK)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(MissingExtraError, match=r'pip install "kure-rag\[chat\]"'):
        ChatClient(replace(FAST, url="http://localhost/v1", model="m"))
