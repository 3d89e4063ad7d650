"""What an opened index is made of, shared by what can be done with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from kure_rag.chunk import ChunkSettings, chunker_fingerprint
from kure_rag.embed import EmbedderLike
from kure_rag.index import IndexStore
from kure_rag.ingest import IngestRow
from kure_rag.tokenize import KiwiTokenizer, Synonyms
from kure_rag.types import DOMAINS, Domain

Progress = Callable[[int, int | None, str], None]
RowListener = Callable[[IngestRow], None]
SynonymGroups = str | Path | Sequence[Sequence[str]]


class Parts:
    """An opened index's parts.

    Attributes:
        path: The index folder.
        embedder: What makes its vectors.
    """

    def __init__(
        self,
        path: Path,
        store: IndexStore,
        embedder: EmbedderLike,
        chunks: ChunkSettings,
        tokenizer: KiwiTokenizer | None = None,
    ) -> None:
        self.path = path
        self.embedder = embedder
        self._store = store
        self._chunks = chunks
        self._tokenizer = tokenizer or KiwiTokenizer()
        self._putting = threading.RLock()  # entries are put by one thread after the other


def fingerprint_of(model: Mapping[str, Any], chunks: ChunkSettings, tokenizer: KiwiTokenizer) -> dict[str, Any]:
    """What an index is made with, all that must not be mixed."""
    return {
        **model,
        "tokenizer": tokenizer.fingerprint,
        "chunker": chunker_fingerprint(chunks),
    }


def synonyms_of(given: Synonyms | SynonymGroups | None, tokenizer: KiwiTokenizer) -> Synonyms | None:
    """Synonyms as a search needs them, from a file, from groups, or ready.

    Raises:
        ConfigError: The file cannot be read, or a group makes no sense.
    """
    if given is None or isinstance(given, Synonyms):
        return given
    return Synonyms.read(given, tokenizer) if isinstance(given, str | Path) else Synonyms(given, tokenizer)


def check_domain(domain: Domain | None) -> None:
    """Refuses a domain that does not exist."""
    if domain is not None and domain not in DOMAINS:
        raise ValueError(f"no domain named {domain!r}; choose one of {', '.join(get_args(Domain))}")
