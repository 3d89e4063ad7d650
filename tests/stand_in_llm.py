"""A small server that speaks the chat completions protocol over real sockets, and fails as it is told to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from quiet_server import QuietServer


@dataclass(frozen=True)
class Reply:
    """What the server answers with: a status, a body as text or as a JSON value, headers, and after how long."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


Behaviour = Callable[[dict[str, Any], int], Reply]


def passage_of(request: dict[str, Any]) -> str:
    """The passage that a request asks about."""
    text: str = request["messages"][-1]["content"]
    return text.partition("<본문>\n")[2].partition("\n</본문>")[0]


def said(content: object) -> Reply:
    """An answer in the protocol's form."""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return Reply(body={"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]})


def about(request: dict[str, Any], number: int) -> Reply:
    """A question about the passage's first words, and its first line as the answer."""
    line = passage_of(request).splitlines()[0]
    return said({"questions": [{"question": f"{line[:24]}의 내용은 무엇인가요?", "answer": line}]})


class StandIn:
    """The running server.

    Attributes:
        requests: Bodies of the chat requests so far.
        keys: The ``Authorization`` header of each, or ``None``.
        models: What ``/v1/models`` lists.
        behave: Makes the reply to a chat request of its body and its 1-based number.
    """

    def __init__(self, behave: Behaviour = about) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.models = ["시험-모형"]
        self.behave = behave
        self._lock = threading.Lock()
        self._server = QuietServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def reply(self, request: dict[str, Any], key: str | None) -> Reply:
        with self._lock:
            self.requests.append(request)
            self.keys.append(key)
            number = len(self.requests)
        return self.behave(request, number)

    def run(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def stand_in(behave: Behaviour = about) -> Iterator[StandIn]:
    """A server for the length of a with block."""
    server = StandIn(behave)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


def _handler(server: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/v1/models":
                self._send(Reply(body={"data": [{"id": name} for name in server.models]}))
            else:
                self._send(Reply(404, {"error": {"message": "no such page"}}))

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/v1/chat/completions":
                self._send(Reply(404, {"error": {"message": f"{self.path} is not here"}}))
                return
            self._send(server.reply(request, self.headers.get("Authorization")))

        def _send(self, reply: Reply) -> None:
            time.sleep(reply.seconds)
            body = reply.body if isinstance(reply.body, str) else json.dumps(reply.body, ensure_ascii=False)
            data = body.encode()
            try:
                self.send_response(reply.status)
                for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except OSError:  # the client gave up waiting
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
            pass

    return Handler
