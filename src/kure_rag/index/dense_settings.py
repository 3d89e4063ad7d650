"""Settings of the vector view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseSettings:
    """Where the vectors are kept and how they are searched.

    Attributes:
        collection: Name of the Chroma collection. It may be Korean: Chroma takes ASCII only, so its letters are made
            ASCII there and the name itself is kept in the collection's metadata.
        chroma_text: Store texts and flat metadata too, so that any Chroma client can read the collection. Adding then
            takes about three times as long, and three times the room.
        ef_search: How many candidates the graph looks at; more finds more and takes longer.
        sync_threshold: Vectors that wait in Chroma's log before the graph is written. The log is replayed at each
            opening, so what is left in it is written out when adding ends.
        url: A Chroma server, such as ``http://localhost:8000``; the embedded Chroma when ``None``. Start one with
            ``chroma run --path FOLDER`` (never the Python server, CVE-2026-45829).
        token: Sent to the server as a bearer token. Never logged or stored.
        headers: Sent to the server with each request. Never logged or stored.

    Raises:
        ValueError: A value makes no sense.
    """

    collection: str = "kure_rag"
    chroma_text: bool = False
    ef_search: int = 200
    sync_threshold: int = 10_000
    url: str | None = None
    token: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.collection.strip():
            raise ValueError("the collection's name is empty")
        if self.ef_search < 1:
            raise ValueError(f"ef_search must be at least 1, not {self.ef_search}")
        if self.sync_threshold < 3:
            raise ValueError(f"sync_threshold must be at least 3, not {self.sync_threshold}")
        if self.url is not None:
            _check_url(self.url)
        if not all(text.isascii() and text.isprintable() for text in (self.token or "", *_flat(self.headers))):
            raise ValueError("token or headers hold characters that HTTP cannot send; use ASCII without line breaks")

    def to_dict(self) -> dict[str, Any]:
        """What may be stored: all but token and headers."""
        return {name: getattr(self, name) for name in _STORED}


_STORED = ("collection", "chroma_text", "ef_search", "sync_threshold", "url")


def _flat(headers: Mapping[str, str]) -> list[str]:
    return [text for pair in headers.items() for text in pair]


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise ValueError("the Chroma server's URL holds a user name or password; give token or headers instead")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(f"{url!r} is no Chroma server; write http://host:8000 or https://host")
