"""Which chat model is asked, and with which key."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult

from kure_rag.embed.backends.plain_http import is_open, server_parts
from kure_rag.errors import LlmError
from kure_rag.read.corpus import short

COMPLETIONS: Final = "/chat/completions"
API_KEY: Final = "KURE_LLM_API_KEY"
OPENAI_KEY: Final = "OPENAI_API_KEY"
_OPENAI: Final = "openai.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatModel:
    """A chat model behind an OpenAI-compatible API, and how patiently it is asked.

    Attributes:
        url: The API's root, such as ``http://localhost:8000/v1``, or its ``…/chat/completions``.
        model: The model's name; when ``None``, the only one that the server lists.
        api_key_env: Name of the environment variable that holds the API key. By default ``KURE_LLM_API_KEY`` where that
            is set; ``OPENAI_API_KEY`` is sent to openai.com only: a key that happens to be in the environment must not
            go to whatever server is named.
        timeout: Seconds to wait for an answer, in a stream for its next piece.
        max_tokens: The longest answer; the server's own limit when ``None``.
        temperature: The server's own when ``None``; some models take no other.
        attempts: How often one question is sent before it is given up.
        first_wait: Seconds before the second attempt; each further wait is twice as long, with some chance in it.
        longest_wait: Seconds that no wait exceeds, whatever the server asks for in ``Retry-After``.

    Raises:
        LlmError: The URL holds what may be a key: a user name, a password, a query or a fragment.
        ValueError: A number that makes no sense.
    """

    url: str
    model: str | None = None
    api_key_env: str | None = None
    timeout: float = 120.0
    max_tokens: int | None = None
    temperature: float | None = None
    attempts: int = 3
    first_wait: float = 0.5
    longest_wait: float = 30.0

    def __post_init__(self) -> None:
        _refuse_secrets(self.url)  # here already: what is never made is never shown by its repr
        for name, value in (("timeout", self.timeout), ("max_tokens", self.max_tokens), ("attempts", self.attempts)):
            if value is not None and not value > 0:
                raise ValueError(f"{name}={value!r}: choose more than 0")
        for name, value in (("temperature", self.temperature), ("first_wait", self.first_wait)):
            if value is not None and not value >= 0:
                raise ValueError(f"{name}={value!r}: choose 0 or more")


def root_of(url: str) -> str:
    """The API's root.

    Raises:
        LlmError: It is no URL of a server, or holds a password, a query or a fragment.
    """
    _parts(url)
    return url.strip().rstrip("/").removesuffix(COMPLETIONS)


def is_open_to_others(url: str) -> bool:
    """Whether a key that is sent there can be read on the way; see :mod:`kure_rag.embed.backends.plain_http`."""
    parts, host = _parts(url)
    return is_open(parts.scheme, host)


def is_openai(url: str) -> bool:
    """Whether a server is OpenAI's own."""
    parts, host = _parts(url)
    return parts.scheme == "https" and (host == _OPENAI or host.endswith("." + _OPENAI))


def key_name(model: ChatModel) -> str | None:
    """The environment variable whose key is sent; ``None`` for no key.

    Raises:
        LlmError: The settings name one that is not set.
    """
    if model.api_key_env is not None:
        if not os.environ.get(model.api_key_env, "").strip():
            raise LlmError(
                f"the environment variable {model.api_key_env} is not set; set it to the API key, or do not name it "
                "where the server needs none"
            )
        return model.api_key_env
    names = (API_KEY, OPENAI_KEY) if is_openai(model.url) else (API_KEY,)
    return next((name for name in names if os.environ.get(name, "").strip()), None)


def key_in(name: str | None) -> str | None:
    """The key that an environment variable holds.

    Raises:
        LlmError: That can be no key.
    """
    if name is None:
        return None
    key = os.environ.get(name, "").strip()
    if not key.isascii() or not key.isprintable():
        raise LlmError(f"the environment variable {name} holds characters that no API key has; set it again")
    return key


def _refuse_secrets(url: str) -> None:
    """Refuses a URL with a place for keys, and repeats nothing of it.

    Wherever such a sign stands: in half a URL nobody can tell what is a password.
    """
    if "@" in url:
        raise LlmError("the URL holds a user name or a password; put the key into the environment and name it there")
    if "?" in url or "#" in url:
        raise LlmError(
            "the URL holds a query or a fragment (what follows ? or #), into which some people put keys; give the "
            "API's root alone, such as http://localhost:8000/v1, and put the key into the environment"
        )


def _parts(url: str) -> tuple[SplitResult, str]:
    _refuse_secrets(url)
    try:
        return server_parts(url)
    except ValueError as error:
        what = f"{short(url)}: no http or https URL ({error}); give one such as http://localhost:8000/v1"
        raise LlmError(what) from error
