r"""A local stand-in for a chat model with the OpenAI chat completions protocol, for examples and tests offline.

It is no language model: it quotes the passages that it finds in its prompt, always the same way. Streams, calls of
tools, keys, lists of models and errors are as the protocol has them, so that its clients need not know:

    >>> from kure_rag.testing.chat_server import chat_server
    >>> with chat_server() as server:  # doctest: +SKIP
    ...     model = ChatOpenAI(base_url=server.base_url, model=server.models[0], api_key="none")
    ...     model.invoke("[1] 규정.pdf p.2\n연차휴가는 15일이다.\n\n질문: 연차는 며칠인가요?").content
    '연차휴가는 15일이다. [1]'

Source of the protocol: https://platform.openai.com/docs/api-reference/chat.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal

from kure_rag.testing.chat_answers import answer_to, pieces_of, tool_call

__all__ = ["ChatServer", "Fault", "chat_server"]

MODEL: Final = "stand-in"
_ROLES: Final = ("system", "developer", "user", "assistant", "tool", "function")
_LONGEST_PAUSE: Final = 60.0  # seconds that a server which hangs holds its thread, should nobody hang up


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with one request.

    Attributes:
        status: An HTTP status, such as 429; 200 for none.
        message: What the error says.
        headers: Further headers of an error, such as ``{"Retry-After": "1"}``.
        first_byte_after: Seconds before anything is sent.
        between_pieces: Seconds between two pieces of a stream.
        after: Pieces of the answer, which are words, that are sent before the next happens.
        then: ``cut`` hangs up, ``end`` ends the stream as if that were all (without reason and ``[DONE]``), ``error``
            sends an error event, ``garbage`` what is no JSON, ``hang`` nothing more. An answer that is no stream is cut
            for ``cut`` and ``end``, and all garbage for the others.
    """

    status: int = 200
    message: str = "the server is made to fail"
    headers: Mapping[str, str] = field(default_factory=dict)
    first_byte_after: float = 0.0
    between_pieces: float = 0.0
    after: int = 0
    then: Literal["cut", "end", "error", "garbage", "hang"] | None = None


class ChatServer:
    """The running server; see :func:`chat_server`.

    Attributes:
        base_url: What clients take as base URL; it ends in ``/v1``.
        models: The names that it lists and answers to.
        api_key: The key that requests must bring; ``None`` when any will do, or none.
        requests: The bodies of the chat requests so far, also of those that failed.
        keys: The ``Authorization`` header of each.
    """

    def __init__(
        self,
        *,
        models: Sequence[str] = (MODEL,),
        api_key: str | None = None,
        answer: Callable[[Sequence[Mapping[str, Any]]], str] = answer_to,
        port: int = 0,
    ) -> None:
        self.models = list(models)
        self.api_key = api_key
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self._answer = answer
        self._faults: deque[Fault | None] = deque()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def fail(self, *faults: Fault | None) -> None:
        """Lets the next chat requests fail, one each; ``None`` stands for one that does not."""
        with self._lock:
            self._faults.extend(faults)

    def answer(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """What it says to a conversation."""
        return self._answer(messages)

    def pause(self, seconds: float) -> None:
        """Waits, but not longer than the server runs."""
        if seconds > 0:
            self._ended.wait(seconds)

    def note(self, request: dict[str, Any], key: str | None) -> tuple[int, Fault]:
        """Keeps a request; gives its number from 1 and what goes wrong with it."""
        with self._lock:
            self.requests.append(request)
            self.keys.append(key)
            fault = self._faults.popleft() if self._faults else None
            return len(self.requests), fault or Fault()

    def run(self) -> None:
        """Serves until :meth:`stop`."""
        self._server.serve_forever(poll_interval=0.02)

    def stop(self) -> None:
        """Ends it; streams that hang are cut."""
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def chat_server(
    *,
    models: Sequence[str] = (MODEL,),
    api_key: str | None = None,
    answer: Callable[[Sequence[Mapping[str, Any]]], str] = answer_to,
    port: int = 0,
) -> Iterator[ChatServer]:
    """A server on this machine for the length of a ``with`` block.

    Args:
        models: The names that it lists and answers to.
        api_key: The key that requests must bring; by default any will do, or none.
        answer: Messages → what it says; by default quotations from the passages in the prompt.
        port: Where it listens; by default wherever there is room.
    """
    server = ChatServer(models=models, api_key=api_key, answer=answer, port=port)
    thread = threading.Thread(target=server.run, daemon=True, name="kure-rag-chat-server")
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a stream to somebody who hung up need not be waited for
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is no news."""


def _handler(server: ChatServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path != "/v1/models":
                self._error(404, f"Invalid URL (GET {self.path})")
            elif self._allowed():
                listed = [
                    {"id": name, "object": "model", "created": 0, "owned_by": "kure-rag"} for name in server.models
                ]
                self._json(200, {"object": "list", "data": listed})

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path != "/v1/chat/completions":
                self._error(404, f"Invalid URL (POST {self.path})")
                return
            try:
                request = json.loads(data)
            except ValueError:
                self._error(400, "We could not parse the JSON body of your request.")
                return
            number, fault = server.note(request, self.headers.get("Authorization"))
            if not self._allowed():
                return
            server.pause(fault.first_byte_after)
            if fault.status != 200:
                self._error(fault.status, fault.message, headers=fault.headers)
            elif wrong := _wrong_with(request):
                self._error(400, wrong)
            elif request.get("model") not in server.models:
                wrong = f"The model `{request.get('model')}` does not exist or you do not have access to it."
                self._error(404, wrong, code="model_not_found")
            elif request.get("stream"):
                self._stream(_Reply.to(request, number, server), fault, request)
            else:
                self._whole(_Reply.to(request, number, server), fault)

        def _allowed(self) -> bool:
            if server.api_key is None or self.headers.get("Authorization") == f"Bearer {server.api_key}":
                return True
            self._error(401, "Incorrect API key provided.", code="invalid_api_key")
            return False

        def _whole(self, reply: _Reply, fault: Fault) -> None:
            if fault.then in ("error", "garbage", "hang"):
                self._send(200, b"<html><body>Please log in</body></html>", {"Content-Type": "text/html"})
                return
            data = json.dumps(reply.whole(), ensure_ascii=False).encode()
            self._send(200, data, {"Content-Type": "application/json"}, cut=fault.then is not None)

        def _stream(self, reply: _Reply, fault: Fault, request: Mapping[str, Any]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream; charset=utf-8")
            self.send_header("Cache-Control", "no-cache")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            deltas = reply.deltas()
            self._event(reply.chunk({"role": "assistant", "content": None if reply.call else ""}))
            for delta in deltas if fault.then is None else deltas[: fault.after]:
                self._event(reply.chunk(delta))
                server.pause(fault.between_pieces)
            if fault.then is not None:
                self._break(fault)
                return
            self._event(reply.chunk({}, finish=reply.finish))
            if (request.get("stream_options") or {}).get("include_usage"):
                self._event(reply.chunk(None) | {"usage": reply.usage})
            self._data(b"data: [DONE]\n\n")
            self._data(b"")

        def _break(self, fault: Fault) -> None:
            if fault.then == "error":
                self._event({"error": {"message": fault.message, "type": "server_error", "param": None, "code": None}})
            if fault.then == "garbage":
                self._data(b'data: {"choices": [{"delta": {"con\n\n')
            if fault.then == "hang":
                server.pause(_LONGEST_PAUSE)
            if fault.then in ("end", "error", "garbage"):
                self._data(b"")
            self.close_connection = True

        def _event(self, value: Mapping[str, Any]) -> None:
            self._data(b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n")

        def _data(self, data: bytes) -> None:
            """One piece of a chunked body; an empty one ends it."""
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()

        def _error(
            self, status: int, message: str, *, code: str | None = None, headers: Mapping[str, str] | None = None
        ) -> None:
            kind = "server_error" if status >= 500 else "invalid_request_error"
            self._json(status, {"error": {"message": message, "type": kind, "param": None, "code": code}}, headers)

        def _json(self, status: int, value: object, headers: Mapping[str, str] | None = None) -> None:
            data = json.dumps(value, ensure_ascii=False).encode()
            self._send(status, data, {"Content-Type": "application/json", **(headers or {})})

        def _send(self, status: int, data: bytes, headers: Mapping[str, str], *, cut: bool = False) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if cut else data)
            self.close_connection = self.close_connection or cut

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
            """Says nothing: the standard one writes each request to standard error."""

    return Handler


def _wrong_with(request: object) -> str:
    messages = request.get("messages") if isinstance(request, dict) else None
    if not isinstance(messages, list) or not messages:
        return "Invalid type for 'messages': expected a non-empty array of objects."
    for i, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            return f"Invalid value: 'messages[{i}].role'. Supported values are: {', '.join(_ROLES)}."
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    """What is answered to one request, in both of the protocol's forms."""

    number: int
    model: str
    text: str
    call: tuple[str, str] | None
    finish: str
    prompt_words: int

    @classmethod
    def to(cls, request: Mapping[str, Any], number: int, server: ChatServer) -> _Reply:
        messages = request["messages"]
        tools = request.get("tools") if request.get("tool_choice", "auto") != "none" else None
        call = tool_call(messages, tools) if tools else None
        text = "" if call else server.answer(messages)
        finish = "tool_calls" if call else "stop"
        longest = request.get("max_completion_tokens") or request.get("max_tokens")
        if longest is not None and len(pieces := pieces_of(text)) > longest:
            text, finish = "".join(pieces[:longest]), "length"
        words = sum(len(str(message.get("content") or "").split()) for message in messages)
        return cls(number=number, model=str(request["model"]), text=text, call=call, finish=finish, prompt_words=words)

    @property
    def usage(self) -> dict[str, int]:
        """Words stand for tokens."""
        said = len(pieces_of(self.text))
        return {
            "prompt_tokens": self.prompt_words,
            "completion_tokens": said,
            "total_tokens": self.prompt_words + said,
        }

    def whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.text, "refusal": None}
        if self.call:
            message |= {"content": None, "tool_calls": [self._call(self.call[1])]}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish}
        return self._head("chat.completion") | {"choices": [choice], "usage": self.usage}

    def deltas(self) -> list[dict[str, Any]]:
        if not self.call:
            return [{"content": piece} for piece in pieces_of(self.text)]
        first, arguments = self._call(""), self.call[1]
        half = len(arguments) // 2  # arguments come in pieces, too
        parts = ({"index": 0, "function": {"arguments": part}} for part in (arguments[:half], arguments[half:]))
        return [{"tool_calls": [{"index": 0, **first}]}, *({"tool_calls": [part]} for part in parts)]

    def chunk(self, delta: Mapping[str, Any] | None, *, finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._head("chat.completion.chunk") | {"choices": [] if delta is None else [choice]}

    def _call(self, arguments: str) -> dict[str, Any]:
        name = self.call[0] if self.call else ""
        function = {"name": name, "arguments": arguments}
        return {"id": f"call_{self.number}", "type": "function", "function": function}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": f"chatcmpl-{self.number}", "object": kind, "created": int(time.time()), "model": self.model}
