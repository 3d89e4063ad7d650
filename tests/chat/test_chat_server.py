"""The stand-in for a chat model, over real sockets: the protocol's forms, and each way to fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from kure_rag.testing.chat_answers import NOTHING, answer_to, passages_in
from kure_rag.testing.chat_server import ChatServer, Fault, chat_server

PROMPT = """\
[1] 규정.pdf p.2 제15조
<passage>
연차휴가는 15일을 준다. 병가는 60일까지 쓴다.
</passage>

[2] 규정.pdf p.3 제16조
<passage>
쓰지 않은 연차휴가는 저축한다.
</passage>

질문: 병가는 며칠인가요?"""
ANSWER = "병가는 60일까지 쓴다. [1] 쓰지 않은 연차휴가는 저축한다. [2]"
TOOL = {
    "type": "function",
    "function": {
        "name": "search_korean_documents",
        "parameters": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    },
}


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as running:
        yield running


def post(server: ChatServer, key: str | None = None, **body: Any) -> httpx.Response:
    whole = {"model": "stand-in", "messages": [{"role": "user", "content": PROMPT}], **body}
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.post(f"{server.base_url}/chat/completions", json=whole, headers=headers)


def events(response: httpx.Response) -> list[Any]:
    lines = [line[6:] for line in response.text.split("\n\n") if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_a_whole_answer_quotes_the_first_passages_with_their_marks(server: ChatServer) -> None:
    answer = post(server).json()
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": ANSWER, "refusal": None}
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"]
    assert server.requests[0]["messages"][0]["content"] == PROMPT


def test_a_stream_says_the_same_in_events(server: ChatServer) -> None:
    response = post(server, stream=True, stream_options={"include_usage": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    *said, done = events(response)
    assert done == "[DONE]"
    assert said[0]["choices"][0]["delta"]["role"] == "assistant"
    pieces = [event["choices"][0]["delta"].get("content", "") for event in said if event["choices"]]
    assert "".join(pieces) == ANSWER
    assert len(pieces) > 5
    assert said[-2]["choices"][0]["finish_reason"] == "stop"
    assert said[-1]["choices"] == []
    assert said[-1]["usage"] == post(server).json()["usage"]


def test_a_tool_is_called_once_and_then_quoted(server: ChatServer) -> None:
    messages: list[Any] = [{"role": "user", "content": "병가는 며칠인가요?"}]
    first = post(server, messages=messages, tools=[TOOL]).json()["choices"][0]
    call = first["message"]["tool_calls"][0]
    assert first["finish_reason"] == "tool_calls"
    assert first["message"]["content"] is None
    assert call["function"]["name"] == "search_korean_documents"
    assert json.loads(call["function"]["arguments"]) == {"query": "병가는 며칠인가요?"}
    streamed = [
        event for event in events(post(server, messages=messages, tools=[TOOL], stream=True)) if event != "[DONE]"
    ]
    parts = [call for event in streamed for call in event["choices"][0]["delta"].get("tool_calls", ())]
    assert json.loads("".join(part["function"]["arguments"] for part in parts)) == {"query": "병가는 며칠인가요?"}
    assert next(part.get("id") for part in parts) == f"call_{len(server.requests)}"
    messages += [
        first["message"],
        {"role": "tool", "tool_call_id": call["id"], "content": PROMPT.rpartition("\n\n")[0]},
    ]
    assert post(server, messages=messages, tools=[TOOL]).json()["choices"][0]["message"]["content"] == ANSWER
    assert "tool_calls" not in post(server, tools=[TOOL], tool_choice="none").json()["choices"][0]["message"]


def test_models_are_listed_and_others_unknown(server: ChatServer) -> None:
    listed = httpx.get(f"{server.base_url}/models").json()
    assert [row["id"] for row in listed["data"]] == ["stand-in"]
    assert httpx.get(f"{server.base_url}/elsewhere").status_code == 404
    unknown = post(server, model="다른-모형")
    assert unknown.status_code == 404
    assert unknown.json()["error"]["code"] == "model_not_found"


def test_what_is_no_request_is_refused(server: ChatServer) -> None:
    assert post(server, messages=[]).status_code == 400
    assert post(server, messages=[{"role": "임금", "content": "?"}]).status_code == 400
    broken = httpx.post(f"{server.base_url}/chat/completions", content=b'{"model": ')
    assert broken.status_code == 400


def test_a_key_may_be_asked_for() -> None:
    with chat_server(api_key="sk-right") as server:
        assert post(server).status_code == 401
        assert post(server, "sk-wrong").json()["error"]["code"] == "invalid_api_key"
        assert post(server, "sk-right").status_code == 200
        assert httpx.get(f"{server.base_url}/models").status_code == 401
        assert server.keys == [None, "Bearer sk-wrong", "Bearer sk-right"]


def test_faults_come_one_a_request_and_then_all_is_well(server: ChatServer) -> None:
    server.fail(Fault(status=429, message="천천히", headers={"Retry-After": "1"}), None, Fault(status=500))
    first = post(server)
    assert (first.status_code, first.headers["retry-after"], first.json()["error"]["message"]) == (429, "1", "천천히")
    assert [post(server).status_code for _ in range(3)] == [200, 500, 200]


def test_a_cut_answer_ends_before_its_length(server: ChatServer) -> None:
    server.fail(Fault(after=2, then="cut"), Fault(then="cut"))
    with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
        post(server, stream=True)
    with pytest.raises(httpx.RemoteProtocolError):
        post(server)


def test_a_stream_may_end_without_its_end_or_with_an_error_or_garbage(server: ChatServer) -> None:
    server.fail(Fault(after=1, then="end"), Fault(then="error", message="메모리가 모자랍니다"), Fault(then="garbage"))
    ended = events(post(server, stream=True))
    assert [event["choices"][0]["finish_reason"] for event in ended] == [None, None]
    assert events(post(server, stream=True))[-1]["error"]["message"] == "메모리가 모자랍니다"
    with pytest.raises(json.JSONDecodeError):
        events(post(server, stream=True))
    server.fail(Fault(then="garbage"))
    assert post(server).headers["content-type"] == "text/html"


def test_a_server_that_hangs_does_not_hold_up_its_end() -> None:
    with chat_server() as server:
        server.fail(Fault(first_byte_after=60.0), Fault(after=1, then="hang"))
        for _ in range(2):
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(
                    f"{server.base_url}/chat/completions",
                    json={"model": "stand-in", "messages": [{"role": "user", "content": PROMPT}], "stream": True},
                    timeout=0.2,
                )


def test_a_longest_answer_is_kept(server: ChatServer) -> None:
    cut = post(server, max_tokens=2).json()["choices"][0]
    assert (cut["message"]["content"].split(), cut["finish_reason"]) == (["병가는", "60일까지"], "length")


def test_passages_are_found_in_the_prompts_of_both_frameworks() -> None:
    ruled = "Context information is below.\n-----\npage_label: 3\n\n병가는 60일이다.\n-----\nQuery: 병가?\nAnswer: "
    assert passages_in(ruled) == [("", "병가는 60일이다.")]
    cited = (
        "Source 1:\nThe sky is red.\n-----\nSource 1:\n병가는 60일이다.\n\nSource 2:\n연차는 15일이다.\n-----\nQuery: ?"
    )
    assert passages_in(cited) == [("[1]", "병가는 60일이다."), ("[2]", "연차는 15일이다.")]
    plain = "[1] 규정.pdf p.2\n병가는 60일이다.\n\n[2] 연차는 15일이다.\n\n질문: 병가는?"
    assert passages_in(plain) == [("[1]", "병가는 60일이다."), ("[2]", "연차는 15일이다.")]


def test_without_passages_it_says_so_and_follow_ups_are_joined() -> None:
    assert answer_to([{"role": "user", "content": "안녕하세요"}]) == NOTHING
    asked = [
        {"role": "system", "content": "Rewrite the follow up as a standalone question."},
        {"role": "user", "content": "user: 연차는 며칠인가요?\nassistant: 15일입니다.\nFollow Up Input: 이월하나요?\n"},
    ]
    assert answer_to(asked) == "연차는 며칠인가요 이월하나요?"
