"""An OpenAI-compatible chat completions endpoint: questions, answers whole or as they come, and patience."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from kure_rag.chat.attempts import Tries, retry_after
from kure_rag.chat.model import COMPLETIONS, ChatModel, is_open_to_others, key_in, key_name, root_of
from kure_rag.chat.wire import (
    MAX_ANSWER,
    Events,
    Lines,
    PassageError,
    Reply,
    Server,
    StatusError,
    names_in,
    request_body,
    shown_names,
)
from kure_rag.embed.backends.plain_http import warn_of_open_key
from kure_rag.errors import LlmError, MissingExtraError
from kure_rag.read.corpus import short

if TYPE_CHECKING:
    import httpx

__all__ = ["ChatClient", "PassageError"]

_MODELS: Final = "/models"
_NO_LIST: Final = (404, 405, 501)
_CONNECT: Final = 15.0  # seconds
_LIST: Final = 10.0  # seconds for a list of models: unlike an answer, it need not be made
Messages = Sequence[Mapping[str, str]]


class ChatClient:
    """A client that threads may share.

    A key that would go to another machine over plain http is warned of in the log.

    Args:
        model: Which model is asked. Where it has no name, the server is asked for it at once.

    Attributes:
        model: The model's name.

    Raises:
        MissingExtraError: The extra ``chat`` is not installed.
        LlmError: The URL or the API key makes no sense, or the server cannot name its model.
    """

    def __init__(self, model: ChatModel) -> None:
        try:
            import httpx
        except ImportError as error:
            raise MissingExtraError("asking a language model's server", "chat") from error
        url = root_of(model.url)
        try:
            httpx.URL(url)
        except httpx.InvalidURL as error:
            raise LlmError(f"{short(url)}: no URL ({error}); give one such as http://localhost:8000/v1") from error
        name = key_name(model)
        self._server = Server(model, url, name, key_in(name))
        if name is not None and is_open_to_others(url):
            warn_of_open_key(url, name)
        self._stopped = threading.Event()
        self._settings: dict[str, Any] = {
            "headers": {"Authorization": f"Bearer {self._server.key}"} if self._server.key else {},
            "timeout": httpx.Timeout(model.timeout, connect=min(_CONNECT, model.timeout)),
            "verify": httpx.create_ssl_context(),  # takes as long as all else of a client: made once
        }
        try:
            self._client = httpx.Client(**self._settings)
        except ValueError as error:  # a proxy in the environment that is none
            raise LlmError(f"{url}: {error}; check the proxy in the environment") from error
        try:
            self.model = model.model or self._only_model()
        except BaseException:
            self.close()
            raise

    def ask(self, messages: Messages) -> str:
        """The text of an answer.

        Raises:
            PassageError: The server refuses these messages, or answers without text.
            LlmError: The server cannot be reached, refuses us, or stays busy.
        """
        return self._server.text_in(self._send(self._body(messages, stream=False)))

    def stream(self, messages: Messages, reply: Reply | None = None) -> Iterator[str]:
        """The text of an answer, piece by piece. It is asked for again only until its first piece.

        Args:
            messages: The conversation.
            reply: Filled with what comes, and with why it ended.

        Raises:
            AnswerCutError: The stream broke off; the error has what came.
            PassageError: The server refuses these messages, or answers without text.
            LlmError: The server cannot be reached, refuses us, or stays busy.
        """
        reply = Reply() if reply is None else reply
        tries = Tries(self._server, self._stopped, reply)
        body = self._body(messages, stream=True)
        for seconds in tries:
            self._stopped.wait(seconds)
            with tries.one(), self._client.stream("POST", self._server.url + COMPLETIONS, json=body) as response:
                self._check(response, COMPLETIONS)
                if _is_whole(response):
                    yield _whole(reply, self._server.text_in(_read(response)))
                    return
                events, lines = Events(self._server, reply), Lines()
                for data in response.iter_bytes():
                    for line in lines.feed(data):
                        if piece := events.feed(line):
                            yield piece
                    if self._stopped.is_set():
                        raise LlmError(f"{self._server.url}: stopped while asking")
                    if events.done:
                        break
                for line in lines.end():
                    if piece := events.feed(line):
                        yield piece
                events.end()
                return

    async def astream(self, messages: Messages, reply: Reply | None = None) -> AsyncIterator[str]:
        """:meth:`stream` without a thread; cancelling it hangs up."""
        import httpx

        reply = Reply() if reply is None else reply
        tries = Tries(self._server, self._stopped, reply)
        body = self._body(messages, stream=True)
        async with httpx.AsyncClient(**self._settings) as client:  # of this event loop alone
            for seconds in tries:
                await asyncio.sleep(seconds)
                with tries.one():
                    async with client.stream("POST", self._server.url + COMPLETIONS, json=body) as response:
                        if response.status_code != 200 or _is_whole(response):
                            data = await _aread(response)
                            if response.status_code != 200:
                                raise await asyncio.to_thread(self._refusal, response, data, COMPLETIONS)
                            yield _whole(reply, self._server.text_in(data))
                            return
                        events, lines = Events(self._server, reply), Lines()
                        async for data in response.aiter_bytes():
                            for line in lines.feed(data):
                                if piece := events.feed(line):
                                    yield piece
                            if events.done:
                                break
                        for line in lines.end():
                            if piece := events.feed(line):
                                yield piece
                        events.end()
                        return

    async def aask(self, messages: Messages) -> str:
        """:meth:`ask`, so that an event loop goes on."""
        return "".join([piece async for piece in self.astream(messages)])

    def models(self) -> list[str]:
        """The names that the server lists; empty where it lists none, as some do.

        Raises:
            LlmError: The server cannot be reached, or refuses us.
        """
        try:
            return self._listed()
        except StatusError as error:
            if error.status in _NO_LIST:
                return []
            raise

    def stop(self) -> None:
        """Ends all waiting; questions that are being asked fail."""
        self._stopped.set()

    def close(self) -> None:
        """Lets go of the connections."""
        self.stop()
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _body(self, messages: Messages, *, stream: bool) -> dict[str, Any]:
        return request_body(self._server, self.model, list(messages), stream=stream)

    def _only_model(self) -> str:
        names = self._listed()
        if len(names) != 1:
            what = f"{len(names)} models ({shown_names(names)})" if names else "no models"
            raise LlmError(f"{self._server.url}: the server lists {what}; name one with --model (in Python, model=...)")
        return names[0]

    def _listed(self) -> list[str]:
        tries = Tries(self._server, self._stopped)
        for seconds in tries:
            self._stopped.wait(seconds)
            with tries.one():
                return self._listed_once()
        raise AssertionError("the last attempt raises")

    def _listed_once(self) -> list[str]:
        seconds = min(_LIST, self._server.model.timeout)
        url = self._server.url + _MODELS
        with _answering_within(seconds, url), self._client.stream("GET", url, timeout=seconds) as response:
            self._check(response, _MODELS)
            return names_in(self._server.object_in(_read(response)))

    def _send(self, body: Mapping[str, Any]) -> bytes:
        tries = Tries(self._server, self._stopped)
        for seconds in tries:
            self._stopped.wait(seconds)
            with tries.one(), self._client.stream("POST", self._server.url + COMPLETIONS, json=body) as response:
                self._check(response, COMPLETIONS)
                return _read(response)
        raise AssertionError("the last attempt raises")

    def _check(self, response: httpx.Response, path: str) -> None:
        if response.status_code != 200:
            raise self._refusal(response, _read(response), path)

    def _refusal(self, response: httpx.Response, data: bytes, path: str) -> Exception:
        listed = ""
        if response.status_code == 404 and path == COMPLETIONS:  # the model's name may be wrong: which are there?
            with suppress(Exception):
                listed = shown_names(self._listed_once())
        wait = retry_after(response.headers.get("retry-after"))
        return self._server.refusal(response.status_code, path, data, wait=wait, listed=listed)


def _is_whole(response: httpx.Response) -> bool:
    """A server that knows no streams answers all at once."""
    return response.status_code == 200 and "json" in response.headers.get("content-type", "")


def _whole(reply: Reply, text: str) -> str:
    reply.pieces.append(text)
    reply.finish = "stop"
    return text


@contextmanager
def _answering_within(seconds: float, url: str) -> Iterator[None]:
    """Around a question for the models. One that times out is not asked again: somebody waits for another answer."""
    import httpx

    try:
        yield
    except httpx.TimeoutException as error:
        raise LlmError(
            f"{url}: no answer within {seconds:g} s; check that the server runs, or name its model with --model (in "
            "Python, model=...), so that it need not be asked for it"
        ) from error


def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    for part in response.iter_bytes():
        _add(body, part, response)
    return bytes(body)


async def _aread(response: httpx.Response) -> bytes:
    body = bytearray()
    async for part in response.aiter_bytes():
        _add(body, part, response)
    return bytes(body)


def _add(body: bytearray, part: bytes, response: httpx.Response) -> None:
    body += part
    if len(body) > MAX_ANSWER:
        raise LlmError(f"{response.url.host}: an answer of more than {MAX_ANSWER:,} bytes; check the URL")
