"""An OpenAI-compatible chat completions endpoint: one question, one answer, and patience with a busy server."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from kure_rag.errors import LlmError, MissingExtraError
from kure_rag.read.corpus import short

if TYPE_CHECKING:
    import httpx

_COMPLETIONS: Final = "/chat/completions"
_MAX_ANSWER: Final = 8 * 2**20  # bytes; a server that sends more is not answering our question
_BUSY: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_WRONG_PASSAGE: Final = frozenset({400, 413, 422})  # too long for the model, or refused by a filter


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    """Which server is asked, and how patiently.

    Attributes:
        url: The API's root, such as ``http://localhost:8000/v1``, or its ``…/chat/completions``.
        model: The model's name; when ``None``, the only one that the server lists.
        api_key_env: Name of the environment variable that holds the API key. Without it no key is sent: a key that
            happens to be in the environment must not go to whatever server is named.
        timeout: Seconds for one answer.
        attempts: How often one question is sent before it is given up.
        first_wait: Seconds before the second attempt; each further wait is twice as long, with some chance in it.
        longest_wait: Seconds that no wait exceeds, whatever the server asks for in ``Retry-After``.
    """

    url: str
    model: str | None = None
    api_key_env: str | None = None
    timeout: float = 120.0
    attempts: int = 6
    first_wait: float = 1.0
    longest_wait: float = 120.0


class PassageError(LlmError):
    """The server refuses this passage, or answers nothing usable; others may do."""


class ChatClient:
    """A client that threads may share.

    Args:
        settings: Which server is asked.

    Raises:
        MissingExtraError: The extra ``autorag`` is not installed.
        LlmError: The URL or the API key makes no sense, or the server cannot name its model.
    """

    def __init__(self, settings: ChatSettings) -> None:
        try:
            import httpx
        except ImportError as error:
            raise MissingExtraError("asking a language model's server", "autorag") from error
        self._settings = settings
        self._stopped = threading.Event()
        self._key = _key(settings.api_key_env)
        try:
            url = httpx.URL(settings.url.strip().rstrip("/"))
        except httpx.InvalidURL as error:
            raise LlmError(
                f"{short(settings.url)}: no URL ({error}); give one such as http://localhost:8000/v1"
            ) from error
        if url.scheme not in ("http", "https") or not url.host:
            raise LlmError(f"{short(settings.url)}: no http or https URL; give one such as http://localhost:8000/v1")
        if url.userinfo:
            raise LlmError(
                "the URL holds a user name or a password; put the key into the environment and name it there"
            )
        self._url = str(url).removesuffix(_COMPLETIONS)
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        self._client = httpx.Client(headers=headers, timeout=httpx.Timeout(settings.timeout, connect=15.0))
        try:
            self.model = settings.model or self._only_model()
        except BaseException:
            self.close()
            raise

    def ask(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The text of an answer.

        Raises:
            PassageError: The server refuses these messages, or answers without text.
            LlmError: The server cannot be reached, refuses us, or stays busy.
        """
        answer = self._send("POST", _COMPLETIONS, {"model": self.model, "messages": list(messages), "stream": False})
        try:
            content = answer["choices"][0]["message"]["content"]
        except (KeyError, IndexError, TypeError):
            content = None
        if isinstance(content, list):  # some servers answer in parts
            content = "".join(part.get("text", "") for part in content if isinstance(part, dict))
        if not isinstance(content, str) or not content.strip():
            raise PassageError(f"{self._url}: an answer without text ({self._shown(json.dumps(answer)[:200])})")
        return content

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

    def _only_model(self) -> str:
        listed = self._send("GET", "/models", None).get("data")
        names = [str(item["id"]) for item in listed or () if isinstance(item, dict) and item.get("id")]
        if len(names) != 1:
            shown = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
            what = f"{len(names)} models ({shown})" if names else "no models"
            raise LlmError(f"{self._url}: the server lists {what}; name one with --model (in Python, model=...)")
        return names[0]

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        import httpx

        reason = ""
        for attempt in range(1, self._settings.attempts + 1):
            asked_to_wait: float | None = None
            if self._stopped.is_set():
                break
            try:
                with self._client.stream(method, self._url + path, json=body) as response:
                    if response.status_code == 200:
                        return self._object(_read(response))
                    reason = f"HTTP {response.status_code} ({self._shown(_message(_read(response)))})"
                    if response.status_code not in _BUSY:
                        raise self._refusal(response.status_code, path, reason)
                    asked_to_wait = _retry_after(response.headers.get("retry-after"))
            except httpx.TimeoutException:
                reason = f"no answer within {self._settings.timeout:g} s"
            except httpx.TransportError as error:
                reason = self._shown(str(error) or type(error).__name__)
            except RuntimeError:  # closed by another thread
                break
            if attempt < self._settings.attempts:
                self._wait(attempt, asked_to_wait)
        if self._stopped.is_set():
            raise LlmError(f"{self._url}: stopped while asking")
        raise LlmError(
            f"{self._url}: {reason}, {self._settings.attempts} times; check that the server runs and has room, "
            "then run the same command again: what is done is kept"
        )

    def _wait(self, attempt: int, asked_to_wait: float | None) -> None:
        seconds = self._settings.first_wait * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
        self._stopped.wait(min(max(seconds, asked_to_wait or 0.0), self._settings.longest_wait))

    def _refusal(self, status: int, path: str, reason: str) -> LlmError:
        if status in (401, 403):
            name = self._settings.api_key_env
            what = (
                f"check the key in {name}" if name else "name the environment variable that holds it: --api-key-env VAR"
            )
            return LlmError(f"{self._url}: {reason}; the server wants a valid API key, {what}")
        if status in _WRONG_PASSAGE:
            return PassageError(f"{self._url}: {reason}")
        if 300 <= status < 400:
            return LlmError(f"{self._url}: {reason}; the server lies elsewhere, give the URL it redirects to")
        return LlmError(f"{self._url}{path}: {reason}; check the URL (it often ends in /v1) and the model's name")

    def _object(self, data: bytes) -> dict[str, Any]:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            shown = self._shown(data[:100].decode("utf-8", "replace"))
            raise LlmError(f"{self._url}: answered something else than JSON ({shown}); check the URL")
        return value

    def _shown(self, text: str) -> str:
        """A text of the server's as a message shows it: on one line, and without our key, should it be echoed."""
        if self._key:
            text = text.replace(self._key, "***")
        return short(" ".join(text.split()))


def _key(name: str | None) -> str | None:
    if name is None:
        return None
    key = os.environ.get(name, "").strip()
    if not key:
        raise LlmError(f"the environment variable {name} is not set; set it to the API key, or leave --api-key-env out")
    if not key.isascii() or not key.isprintable():
        raise LlmError(f"the environment variable {name} holds characters that no API key has; set it again")
    return key


def _read(response: httpx.Response) -> bytes:
    parts, length = [], 0
    for part in response.iter_bytes():
        parts.append(part)
        length += len(part)
        if length > _MAX_ANSWER:
            raise LlmError(f"{response.url.host}: an answer of more than {_MAX_ANSWER:,} bytes; check the URL")
    return b"".join(parts)


def _message(data: bytes) -> str:
    """What a server says of an error, in the API's own form or in any other."""
    try:
        value = json.loads(data)
        error = value.get("error", value)
        return str(error.get("message", error) if isinstance(error, dict) else error)
    except (ValueError, AttributeError, RecursionError):
        return data[:200].decode("utf-8", "replace")


def _retry_after(value: str | None) -> float | None:
    """Seconds, from seconds or from a date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (until if until.tzinfo else until.replace(tzinfo=UTC)).timestamp() - time.time())
