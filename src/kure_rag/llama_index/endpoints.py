"""Embedding servers' addresses in what LlamaIndex writes down and hands to its event handlers.

``to_dict()`` is what events of an embedding carry, and the key of the ingestion cache. There an address that may hold a
key says the server and its path, and no more: never the key, and the same with each key.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from kure_rag.embed.backends.plain_http import may_hold_key

_HIDDEN: Final = "?***"


def without_key(endpoint: object) -> object:
    """An address as it may be written: ``https://host/v1?key=…`` → ``https://host/v1?***``.

    One that holds no key, and what is no address, is given back as it is.
    """
    if not isinstance(endpoint, str) or not may_hold_key(endpoint):
        return endpoint
    try:
        parts = urlsplit(endpoint.strip())
    except ValueError:  # no address at all: nothing of it is known to be harmless
        return _HIDDEN
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{'' if '@' in parts.path else parts.path}{_HIDDEN}"


def refuse_hidden(endpoint: object, *, advice: str) -> None:
    """An address that :func:`without_key` wrote leads nowhere.

    Args:
        endpoint: As it was given.
        advice: How to give the whole of it.

    Raises:
        ValueError: It is one.
    """
    if isinstance(endpoint, str) and endpoint.endswith(_HIDDEN):
        raise ValueError(f"endpoint={endpoint!r} was written without its key; give the whole address: {advice}")
