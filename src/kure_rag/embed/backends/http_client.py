"""Requests to a server that is busy, slow or away: waits, repeats and one clear error; the key shows up nowhere."""

from __future__ import annotations

import email.utils
import json
import logging
import os
import random
import threading
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

from kure_rag.embed.backends.plain_http import is_open, server_parts, warn_of_open_key
from kure_rag.errors import EndpointError, MissingExtraError

if TYPE_CHECKING:
    import httpx

_log = logging.getLogger(__name__)

API_KEY: Final = "KURE_EMBEDDINGS_API_KEY"
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_TOO_LARGE: Final = frozenset({413, 422})
_SIZE_WORDS: Final = (
    "token",
    "length",
    "too long",
    "too large",
    "too many",
    "batch",
)  # 400 means these on some servers


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSettings:
    """How an embedding server is asked.

    Attributes:
        batch_size: Texts of one request; fewer where the server says so.
        batch_characters: Characters of one request, unless one text alone has more. TEI takes 2 MB by default, which
            is 600,000 Hangul syllables.
        requests_at_once: Requests under way together.
        timeout: Seconds to wait for an answer.
        connect_timeout: Seconds to wait for a connection.
        retries: How often a request is repeated after 429, 500, 502, 503, 504 or a broken connection.
        backoff: Seconds before the first repetition; each further one waits twice as long, less a random part.
        longest_wait: Most seconds before a repetition. A server that asks for more (``Retry-After``) is an error.

    Raises:
        ValueError: A value that makes no sense.
    """

    batch_size: int = 64
    batch_characters: int = 100_000
    requests_at_once: int = 4
    timeout: float = 120.0
    connect_timeout: float = 10.0
    retries: int = 5
    backoff: float = 0.5
    longest_wait: float = 60.0

    def __post_init__(self) -> None:
        for name, least in (("batch_size", 1), ("batch_characters", 1), ("requests_at_once", 1), ("retries", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}={getattr(self, name)!r}: choose {least} or more")
        for name in ("timeout", "connect_timeout", "backoff", "longest_wait"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)!r}: choose more than 0 seconds")


class RefusedError(Exception):
    """The server has understood and refuses. Never leaves the backend.

    Attributes:
        for_size: A smaller request may help.
        told: What the server said.
    """

    def __init__(self, message: str, *, for_size: bool, told: str) -> None:
        super().__init__(message)
        self.for_size = for_size
        self.told = told


class _AgainError(Exception):
    """Worth another try, after as many seconds as the server asks for."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


def server_url(endpoint: str) -> tuple[SplitResult, str]:
    """The parts of a server's URL, and its host.

    Raises:
        EndpointError: It is no ``http`` URL, or holds a password.
    """
    if "@" in endpoint:
        raise EndpointError(f"the endpoint's URL holds a user name or password; put the key into {API_KEY} instead")
    try:
        return server_parts(endpoint)
    except ValueError as error:
        what = f"{endpoint!r} is no URL of a server ({error}); give one such as 'http://localhost:8080'"
        raise EndpointError(what) from error


class HttpClient:
    """JSON to and from one server.

    Args:
        endpoint: Its URL, without password.
        settings: See :class:`RemoteSettings`.

    Attributes:
        url: The endpoint, for messages: without a query string, which some people put keys into.
        path: Its path.

    Raises:
        EndpointError: It is no ``http`` URL, or holds a password.
        MissingExtraError: httpx is not installed.
    """

    def __init__(self, endpoint: str, settings: RemoteSettings) -> None:
        parts, host = server_url(endpoint)
        self.url = _shown(endpoint.strip())
        self.path = parts.path
        self._endpoint = endpoint.strip()
        self._settings = settings
        # Redirects need no look: httpx takes the key out of one that leaves this host, or https for http.
        self._open_to_others = is_open(parts.scheme, host)
        _httpx()

    def at(self, path: str, base: str | None = None) -> str:
        """A URL below the endpoint or another base; its query string stays with the endpoint itself."""
        if not path:
            return base or self._endpoint
        plain = _shown(base or self._endpoint).rstrip("/")
        return plain.rpartition("/")[0] if path == ".." else f"{plain}/{path}"

    def get(self, url: str) -> Any:
        """The JSON that lies at a URL; ``None`` if there is nothing of the kind.

        Raises:
            EndpointError: The server cannot be asked, or wants a key.
        """
        try:
            return self._patiently("GET", url, None, threading.Event())
        except RefusedError:
            return None

    def post(self, url: str, body: dict[str, Any], *, stop: threading.Event) -> Any:
        """The JSON that answers a JSON body.

        Args:
            url: Where to.
            body: What is posted.
            stop: Once set, nothing is repeated any more.

        Raises:
            RefusedError: See there.
            EndpointError: The server cannot be asked, wants a key, or does not answer in JSON.
        """
        return self._patiently("POST", url, body, stop)

    @cached_property
    def _client(self) -> Any:
        httpx = _httpx()
        s = self._settings
        return httpx.Client(
            timeout=httpx.Timeout(s.timeout, connect=s.connect_timeout),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=s.requests_at_once),
            follow_redirects=True,  # httpx takes the key out where a redirect leads to another host
        )

    def _patiently(self, method: str, url: str, body: dict[str, Any] | None, stop: threading.Event) -> Any:
        for attempt in range(self._settings.retries + 1):
            try:
                return self._once(method, url, body)
            except _AgainError as again:
                wait = self._wait(attempt, again.wait)
                if attempt == self._settings.retries or stop.is_set() or wait > self._settings.longest_wait:
                    asked = f" and asks to wait {wait:,.0f} s" if wait > self._settings.longest_wait else ""
                    raise EndpointError(
                        f"{_shown(url)}: {again}{asked}, after {attempt + 1} tries. Check that the server runs and is "
                        "reachable from here, or ask it for less at once"
                    ) from again
                _log.info("%s: %s; trying again in %.1f s", _shown(url), again, wait)
                stop.wait(wait)
        raise AssertionError("not reached")

    def _wait(self, attempt: int, asked: float | None) -> float:
        if asked is not None:
            return asked
        longest: float = min(self._settings.longest_wait, self._settings.backoff * 2**attempt)
        return longest * random.uniform(0.5, 1)  # noqa: S311  (so that many clients do not come back together)

    def _once(self, method: str, url: str, body: dict[str, Any] | None) -> Any:
        httpx = _httpx()
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        headers = _headers()
        if self._open_to_others and "Authorization" in headers:
            self._open_to_others = False
            warn_of_open_key(self.url, API_KEY)
        try:
            response = self._client.request(method, url, content=content, headers=headers)
        except httpx.TimeoutException as error:
            raise _AgainError(f"no answer within {self._settings.timeout:g} s") from error
        except httpx.TransportError as error:
            raise _AgainError(f"no connection ({_hidden(str(error)) or type(error).__name__})") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise EndpointError(f"{_shown(url)}: {_hidden(str(error))}; check the URL") from error
        if response.is_success:
            try:
                return response.json()
            except (ValueError, RecursionError) as error:
                if method == "GET":
                    return None
                raise EndpointError(
                    f"{_shown(url)}: the answer is no JSON; check that an embedding server runs there"
                ) from error
        raise self._refusal(response, _shown(url))

    @staticmethod
    def _refusal(response: httpx.Response, url: str) -> Exception:
        status, told = response.status_code, _hidden(_told(response))
        if status in _AGAIN:
            return _AgainError(f"it answers {status} ({told})", _retry_after(response))
        if status in (401, 403):
            given = "was not accepted" if os.environ.get(API_KEY) else "is missing"
            return EndpointError(f"{url}: it answers {status}: the key in {API_KEY} {given} ({told})")
        for_size = status in _TOO_LARGE or (status == 400 and any(word in told.lower() for word in _SIZE_WORDS))
        return RefusedError(
            f"{url}: it answers {status} ({told}); check the URL and the model's name", for_size=for_size, told=told
        )


def _headers() -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if key := os.environ.get(API_KEY):
        headers["Authorization"] = f"Bearer {key}"
    return headers


def _shown(url: str) -> str:
    return urlsplit(url)._replace(query="", fragment="").geturl()


def _hidden(text: str) -> str:
    """A text without the key, which some servers repeat."""
    key = os.environ.get(API_KEY)
    return text.replace(key, "***") if key else text


def _told(response: httpx.Response) -> str:
    """The server's own words: ``{"error": "…"}`` of TEI, ``{"error": {"message": "…"}}`` of OpenAI, or plain text."""
    try:
        found: Any = response.json()
    except (ValueError, RecursionError):
        found = response.text
    for key in ("error", "message", "detail"):
        if isinstance(found, dict) and key in found:
            found = found[key]
    return " ".join(str(found).split())[:300] or response.reason_phrase


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds of a ``Retry-After``, which is a number or a date (RFC 9110, 10.2.3)."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _httpx() -> Any:
    try:
        import httpx
    except ImportError as error:
        raise MissingExtraError("backend='remote'", "remote") from error
    return httpx
