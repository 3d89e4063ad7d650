"""What an index is opened with, settled and compared with what it was made with before anything is written to it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from kure_rag.chunk import ChunkSettings
from kure_rag.embed import Embedder, EmbedderLike
from kure_rag.embed.recorded import Remembered, embedder_for
from kure_rag.errors import FingerprintMismatchError
from kure_rag.index.catalog import Catalog
from kure_rag.index.catalog_file import FILE
from kure_rag.index.fingerprint import Differences, differences
from kure_rag.index.store import IndexStore, Progress
from kure_rag.index.unopened import kept_settings
from kure_rag.pipeline.parts import fingerprint_of
from kure_rag.pipeline.terms import terms_by
from kure_rag.tokenize import KiwiTokenizer

Kept = Mapping[str, Any]
"""Settings of an index by name."""
_KEYS: Final = ("fingerprint", "chunks", "engine", "dense_weight", "user_words")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What an index was opened with, as far as another opening for searches needs it; the index keeps the rest.

    Attributes:
        embeddings: As :meth:`kure_rag.KureIndex.open` takes it.
        embed_settings: Likewise.
        synonyms: Likewise.
        config: Likewise.
        secrets: Whether a Chroma server's token or headers were given, which have to be given each time.
    """

    embeddings: object = None
    embed_settings: Mapping[str, Any] | None = field(default=None, repr=False)  # an endpoint may hold a key
    synonyms: object = None
    config: object = None
    secrets: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """What an index is opened with.

    Attributes:
        embedder: What embeds questions and passages.
        chunks: How documents are cut.
        tokenizer: What analyses them.
        fingerprint: What the index must have been made with; ``None`` for one without vectors, which takes any.
        differences: From what it was made with.
        kept: What of the index this was settled over.
        advice: What to do where it cannot be opened so; ``None`` for what the error says by itself.
    """

    embedder: EmbedderLike
    chunks: ChunkSettings
    tokenizer: KiwiTokenizer
    fingerprint: dict[str, Any] | None
    differences: Differences
    kept: Kept
    advice: str | None = None

    def check(self, folder: Path, *, terms_may_differ: bool) -> bool:
        """Whether only the terms differ, and have to be made anew.

        Raises:
            FingerprintMismatchError: More differs, or the terms do and may not.
        """
        only_terms = self.differences.keys() == {"tokenizer"}
        if self.differences and not (only_terms and terms_may_differ):
            raise FingerprintMismatchError(folder, self.differences, advice=self.advice)
        return only_terms


def settle(
    folder: Path,
    kept: Kept,
    *,
    embeddings: object,
    embed_settings: Mapping[str, Any] | None,
    chunks: ChunkSettings | None,
    tokenizer: KiwiTokenizer | None,
) -> Settled:
    """What was asked for, over what the index keeps.

    Args:
        folder: The index folder, for messages.
        kept: What the index says; nothing of a new one.
        embeddings: As :meth:`kure_rag.KureIndex.open` takes it.
        embed_settings: Likewise.
        chunks: Likewise.
        tokenizer: With the user dictionary that was given.
    """
    chunks = chunks or kept_chunks(kept)
    own = {key: kept[key] for key in _KEYS if kept.get(key) is not None}
    fingerprint = own.get("fingerprint")
    remembered = Remembered(fingerprint=fingerprint, engine=own.get("engine"), dense_weight=own.get("dense_weight"))
    embedder = embedder_for(folder, embeddings, embed_settings, remembered)
    tokenizer = tokenizer or KiwiTokenizer(own.get("user_words") or ())
    if not fingerprint:
        return Settled(embedder, chunks, tokenizer, None, {}, own)
    # A server that the index itself names is asked what it runs when it is used, not to open the index.
    as_remembered = embeddings is None and not embed_settings and _is_remote(embedder)
    wanted = fingerprint_of(remembered.model if as_remembered else embedder.fingerprint, chunks, tokenizer)
    return Settled(embedder, chunks, tokenizer, wanted, differences(fingerprint, wanted), own)


def settings_in(catalog: Catalog) -> dict[str, Any]:
    """What an opened index says of how it was made."""
    found = {key: catalog.get(key) for key in _KEYS}
    return {key: value for key, value in found.items() if value is not None}


def kept_chunks(kept: Kept) -> ChunkSettings:
    """How an index's documents were cut. What only another version knows is left out: its fingerprint differs."""
    names = {one.name for one in fields(ChunkSettings)}
    return ChunkSettings(**{name: value for name, value in (kept.get("chunks") or {}).items() if name in names})


def make_terms_anew(
    store: IndexStore, tokenizer: KiwiTokenizer, chunks: ChunkSettings, progress: Progress | None
) -> None:
    """Analyses all texts of an index with another tokenizer; its fingerprint says so from then on.

    The caller holds the writer's lock, and has compared what the index was made with since it took it.
    """
    fingerprint = {**store.catalog.get("fingerprint"), "tokenizer": tokenizer.fingerprint}
    words = [astuple(word) for word in tokenizer.user_words]
    store.reanalyse(terms_by(tokenizer, chunks), progress, fingerprint=fingerprint, user_words=words)


@contextlib.contextmanager
def leaving_nothing(folder: Path, *, unless: Callable[[], bool]) -> Iterator[None]:
    """Removes what was made in a folder when something fails, and the folder itself with those above it that are new.

    Args:
        folder: In which an index is made; one that holds an index already is left alone.
        unless: Asked when something failed: whether what is there now is to stay.
    """
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    there = set(folder.iterdir()) if folder.is_dir() else set()
    try:
        yield
    except BaseException:
        if folder.is_dir() and folder / FILE not in there and not unless():
            for place in set(folder.iterdir()) - there:
                if place.is_dir():
                    shutil.rmtree(place, ignore_errors=True)
                else:
                    place.unlink(missing_ok=True)
        for place in new:
            with contextlib.suppress(OSError):  # not empty
                place.rmdir()
        raise


def holds_documents(folder: Path) -> bool:
    """Whether anything was ever stored in an index, by whomever."""
    kept = kept_settings(folder)
    return kept is None or bool(kept.values.get("generation"))


def _is_remote(embedder: EmbedderLike) -> bool:
    return isinstance(embedder, Embedder) and embedder.settings.backend == "remote"
