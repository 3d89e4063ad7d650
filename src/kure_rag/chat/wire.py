"""The protocol of chat completions without a connection: what a response says, and what an error means.

Source: https://platform.openai.com/docs/api-reference/chat, and the HTML standard for server-sent events.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kure_rag.chat.model import ChatModel, is_openai
from kure_rag.errors import LlmError
from kure_rag.read.corpus import short

MAX_ANSWER: Final = 8 * 2**20  # bytes; a server that sends more is not answering our question
_BUSY: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_WRONG_PASSAGE: Final = frozenset({400, 413, 422})  # too long for the model, or refused by a filter
_NO_EVENTS: Final = "answered something else than an event stream"


class PassageError(LlmError):
    """The server refuses these messages, or answers nothing usable; others may do."""


class StatusError(LlmError):
    """The server refuses every request of ours.

    Attributes:
        status: The HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class AnswerCutError(LlmError):
    """A stream broke off.

    Attributes:
        text: What came before.
    """

    def __init__(self, message: str, text: str) -> None:
        super().__init__(message)
        self.text = text


class BusyError(Exception):
    """Worth another attempt, after as many seconds as the server asks for. Never leaves the client."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(slots=True)
class Reply:
    """What a stream has said so far.

    Attributes:
        pieces: Of its text.
        finish: Why it ended, in the protocol's words, such as ``stop`` or ``length``; empty while it has not.
    """

    pieces: list[str] = field(default_factory=list)
    finish: str = ""

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Server:
    """Which server speaks, for messages; the key is there to be kept out of them."""

    model: ChatModel
    url: str
    key_name: str | None
    key: str | None

    def shown(self, text: str) -> str:
        """A text of the server's as a message shows it: on one line, and without our key, should it be echoed."""
        if self.key:
            text = text.replace(self.key, "***")
        return short(" ".join(text.split()))

    def refusal(self, status: int, path: str, data: bytes, *, wait: float | None, listed: str = "") -> Exception:
        """What a status other than 200 means."""
        reason = f"HTTP {status} ({self.shown(_message(data))})"
        if status in _BUSY:
            return BusyError(reason, wait)
        if status in (401, 403):
            what = (
                f"check the key in {self.key_name}"
                if self.key_name
                else "put it into KURE_LLM_API_KEY, or name the environment variable that holds it: --api-key-env VAR"
            )
            return StatusError(f"{self.url}: {reason}; the server wants a valid API key, {what}", status)
        if status in _WRONG_PASSAGE:
            return PassageError(f"{self.url}: {reason}")
        if 300 <= status < 400:
            elsewhere = "the server lies elsewhere, give the URL it redirects to"
            return StatusError(f"{self.url}: {reason}; {elsewhere}", status)
        models = f" (the server lists {listed})" if listed else ""
        advice = f"check the URL (it often ends in /v1) and the model's name{models}"
        return StatusError(f"{self.url}{path}: {reason}; {advice}", status)

    def object_in(self, data: bytes) -> dict[str, Any]:
        """A response that must be a JSON object."""
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            shown = self.shown(data[:100].decode("utf-8", "replace"))
            raise LlmError(f"{self.url}: answered something else than JSON ({shown}); check the URL")
        return value

    def text_in(self, data: bytes) -> str:
        """The text of a whole answer."""
        answer = self.object_in(data)
        try:
            content = _content(answer["choices"][0]["message"]["content"])
        except (KeyError, IndexError, TypeError):
            content = ""
        if not content.strip():
            raise PassageError(f"{self.url}: an answer without text ({self.shown(json.dumps(answer)[:200])})")
        return content


class Lines:
    """Bytes → lines. Only line feeds end one: Python's own idea of lines would cut JSON at U+2028."""

    def __init__(self) -> None:
        self._rest = b""
        self._length = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are whole now."""
        self._length += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if (
            self._length > 8 * MAX_ANSWER or len(self._rest) > MAX_ANSWER // 8
        ):  # words come with many times their length
            raise LlmError(f"a stream of {self._length:,} bytes that is no answer; check the URL")
        return [line.rstrip(b"\r") for line in lines]

    def end(self) -> list[bytes]:
        """The last line, which no line feed ended; none where half of an event was cut off."""
        last, self._rest = self._rest.rstrip(), b""
        return [] if not last or (last.startswith(b"data:") and not last.endswith((b"}", b"[DONE]"))) else [last]


class Events:
    """Lines of a stream → pieces of text.

    Attributes:
        done: The server said that this is all.
    """

    def __init__(self, server: Server, reply: Reply) -> None:
        self._server = server
        self._reply = reply
        self._first = b""
        self.done = False

    def feed(self, line: bytes) -> str:
        """The text in a line; empty for those without."""
        if not line.startswith(b"data:"):
            self._first = self._first or line.strip()
            return ""  # a comment, an event's name, or no event stream at all
        data = line[5:].strip()
        if data == b"[DONE]":
            self.done = True
            return ""
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            shown = self._server.shown(data[:100].decode("utf-8", "replace"))
            raise self._broken(f"{_NO_EVENTS} ({shown})") from None
        if isinstance(value, dict) and value.get("error"):
            raise self._error(_message(data))
        return self._piece(value)

    def end(self) -> None:
        """The connection has ended.

        Raises:
            AnswerCutError: Before the answer did.
            BusyError: Before it began.
            PassageError: The answer is empty.
        """
        if self.done or self._reply.finish:
            if not self._reply.text.strip():
                why = f"it ended with {self._reply.finish!r}" if self._reply.finish else "it only ended"
                raise PassageError(f"{self._server.url}: an answer without text, {why}")
            return
        if self._first and not self._reply.pieces and not self._first.startswith((b":", b"event:", b"id:", b"retry:")):
            shown = self._server.shown(self._first[:100].decode("utf-8", "replace"))
            raise LlmError(f"{self._server.url}: {_NO_EVENTS} ({shown}); check the URL")
        raise self._error("the stream ended early")

    def _piece(self, value: Any) -> str:
        try:
            choice = value["choices"][0]
        except (KeyError, IndexError, TypeError):  # such as the one that only counts tokens
            return ""
        if not isinstance(choice, dict):
            return ""
        if isinstance(finish := choice.get("finish_reason"), str):
            self._reply.finish = finish
        delta = choice.get("delta")
        piece = _content(delta.get("content")) if isinstance(delta, dict) else ""
        if piece:
            self._reply.pieces.append(piece)
        return piece

    def _error(self, what: str) -> Exception:
        shown = self._server.shown(what)
        return cut(self._server, self._reply, shown) if self._reply.pieces else BusyError(shown)

    def _broken(self, what: str) -> Exception:
        if self._reply.pieces:
            return cut(self._server, self._reply, what)
        return LlmError(f"{self._server.url}: {what}; check the URL")


def cut(server: Server, reply: Reply, what: str) -> AnswerCutError:
    """The error of a stream that broke off after some text."""
    text = reply.text
    return AnswerCutError(f"{server.url}: the answer broke off after {len(text)} characters ({what}); ask again", text)


def request_body(server: Server, name: str, messages: list[Mapping[str, str]], *, stream: bool) -> dict[str, Any]:
    """The body of a request."""
    body: dict[str, Any] = {"model": name, "messages": messages, "stream": stream}
    if server.model.max_tokens is not None:  # OpenAI's newer models refuse the name that all other servers know
        body["max_completion_tokens" if is_openai(server.url) else "max_tokens"] = server.model.max_tokens
    if server.model.temperature is not None:
        body["temperature"] = server.model.temperature
    return body


def names_in(listed: Mapping[str, Any]) -> list[str]:
    """The models of a ``/models`` response."""
    rows = listed.get("data")
    return [str(row["id"]) for row in rows if isinstance(row, dict) and row.get("id")] if isinstance(rows, list) else []


def shown_names(names: list[str]) -> str:
    """Some names, in one line."""
    return ", ".join(names[:10]) + (", …" if len(names) > 10 else "")


def _content(content: object) -> str:
    """A message's text; some servers answer in parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _message(data: bytes) -> str:
    """What a server says of an error, in the API's own form or in any other."""
    try:
        value = json.loads(data)
        error = value.get("error", value)
        return str(error.get("message", error) if isinstance(error, dict) else error)
    except (ValueError, AttributeError, RecursionError):
        return data[:200].decode("utf-8", "replace")
