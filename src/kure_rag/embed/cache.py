"""A persistent cache of vectors, keyed by model fingerprint, role and text."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from kure_rag.embed.base import Fingerprint, Role, Vectors
from kure_rag.embed.cache_file import CacheFile, CacheUnusableError
from kure_rag.embed.settings import EmbedSettings

_log = logging.getLogger(__name__)

_SCHEME: Final = 1  # raised when kure-rag computes other vectors than before for the same fingerprint
# Bytes after the vector of a text that was cut: its tokens. No multiple of four, so that no row is taken for a wider
# one, and older versions, which know no such rows, compute them anew.
_CUT: Final = 5
_SLICE: Final = 8_192  # texts computed before they are kept: what a stopped run has done is not lost


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """How large a cache grows, and how long it is waited for.

    Attributes:
        max_bytes: Size of the file. Over it, the vectors that were not used for longest are removed. A vector of 1,024
            numbers takes about 5.5 KB: the default holds some 200,000.
        busy_seconds: How long to wait for another process that is writing.
        rest_seconds: How long the file is left alone after it could not be used; vectors are computed meanwhile.

    Raises:
        ValueError: A value that makes no sense.
    """

    max_bytes: int = 1 << 30
    busy_seconds: float = 2.0
    rest_seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.max_bytes < 1 << 20:
            raise ValueError(f"max_bytes={self.max_bytes!r}: a cache needs 1,048,576 (1 MiB) at the least")
        if self.busy_seconds < 0 or self.rest_seconds < 0:
            raise ValueError("busy_seconds and rest_seconds are 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """What a cache holds and has done.

    Attributes:
        entries: Vectors of this model.
        all_entries: Vectors of all models in the file.
        bytes: What they take, keys and indexes among it.
        max_bytes: What they may take.
        hits: Texts this object has found.
        misses: Texts this object has had computed; equal texts in one call count once.
    """

    entries: int
    all_entries: int
    bytes: int
    max_bytes: int
    hits: int
    misses: int


def engine_of(settings: EmbedSettings) -> dict[str, str]:
    """What changes vectors by more than rounding and is not in a fingerprint, for the key of a cache.

    A fingerprint says which index a query fits, and int8 vectors fit one of fp32 vectors. A cache promises more: the
    vectors that would have been computed. So each precision asked for has its own (``auto`` keeps cosine >= .999
    wherever it runs, and is one), int8 is each engine's own way of rounding, and a server's precision is its secret.
    Where a text over the limit is to be an error, vectors of cut texts are not found.
    """
    if settings.backend == "remote":
        engine = f"remote {settings.endpoint}"
    else:
        engine = f"int8 {settings.backend}" if settings.precision == "int8" else settings.precision
    return {"engine": engine, "too_long": settings.too_long}


class EmbeddingCache:
    """Vectors that were computed before, in one SQLite file for all models, processes and threads.

    The key is a hash of the model's fingerprint, the role and the text with its prefix: a query never gets a passage's
    vector, not even where the prefixes are empty. A file that is locked, full, read-only or damaged is never an error:
    that is logged once, and vectors are computed. A damaged file is kept as ``….damaged`` and a new one begun.

    Texts themselves are not stored. A model from the hub is known by its commit, pinned or not, and a folder by a hash
    of its files; a server that does not say which revision it runs is one model however often that changes. A vector of
    a text that was cut is kept with its tokens, so that this can be said again; those that were kept before this was
    told count as whole. Put the folder on a local disk: SQLite's log does not work on network drives.

    Args:
        folder: Where the file lies; may be shared by any models. Made where it is not there.
        fingerprint: All that changes the vectors, see :func:`engine_of` for what to add.
        settings: See :class:`CacheSettings`.

    Example:
        >>> from kure_rag import Embedder, EmbedSettings
        >>> embedder = Embedder("static-ko", EmbedSettings(cache="~/.cache/kure-rag"))  # doctest: +SKIP
        >>> embedder.embed_passages(["연차휴가는 15일로 한다."])  # doctest: +SKIP
        >>> embedder.cache.stats().entries  # doctest: +SKIP
        1
        >>> embedder.cache.clear()  # doctest: +SKIP
        1
    """

    def __init__(self, folder: Path, *, fingerprint: Fingerprint, settings: CacheSettings | None = None) -> None:
        self.folder = folder
        self.settings = settings or CacheSettings()
        told = json.dumps({**fingerprint, "": _SCHEME}, sort_keys=True, ensure_ascii=False)
        self._seeds: Mapping[Role, bytes] = {
            role: hashlib.sha256(f"{told}\0{role}\0".encode()).digest() for role in ("query", "passage")
        }
        model = hashlib.sha256(told.encode()).hexdigest()  # not the settings themselves, which name servers
        self._file = CacheFile(
            folder, model, max_bytes=self.settings.max_bytes, busy_seconds=self.settings.busy_seconds
        )
        self._rest_until = -np.inf
        self._told: set[str] = set()
        self._hits = self._misses = 0

    def through(
        self,
        texts: Sequence[str],
        role: Role,
        dimension: int,
        compute: Callable[[Sequence[int]], Vectors],
        *,
        over: MutableMapping[int, int] | None = None,
    ) -> Vectors:
        """Vectors of texts: those that are known, and the others by ``compute`` of their positions, which are kept.

        Args:
            texts: In NFC, with their prefix.
            role: Whether they are queries or passages.
            dimension: Numbers in a vector. Vectors of another width are never taken from the file.
            compute: Given some positions, returns their vectors, float32, in that order; called once for each 8,192
                texts that are not known, with each text once. What it raises goes on to the caller.
            over: Position → tokens of the texts that are cut. ``compute`` puts in those that it cuts; all others are
                put in here: those whose vectors are known, and further ones of an equal text.

        Returns:
            Shape (len(texts), dimension), float32.
        """
        keys = self._keys(texts, role)
        row_of: dict[bytes, int] = {}
        distinct: list[int] = []
        for i, key in enumerate(keys):
            if key not in row_of:
                row_of[key] = len(distinct)
                distinct.append(i)
        size = dimension * 4
        known = self._known(list(row_of), size)
        out = np.empty((len(row_of), dimension), dtype=np.float32)
        if known:
            rows = [row_of[key] for key in known]
            numbers = b"".join(row[:size] for row in known.values())
            out[rows] = np.frombuffer(numbers, dtype="<f4").reshape(len(rows), dimension)
        over = {} if over is None else over
        cut = {key: int.from_bytes(row[size:], "little") for key, row in known.items() if len(row) > size}
        missing = [i for i in distinct if keys[i] not in known]
        self._hits += len(texts) - len(missing)
        self._misses += len(missing)
        for start in range(0, len(missing), _SLICE):
            part = missing[start : start + _SLICE]
            vectors = compute(part)
            if vectors.shape[1] != dimension:
                return self._as_computed(vectors, dimension, distinct, part, compute)[[row_of[key] for key in keys]]
            out[[row_of[keys[i]] for i in part]] = vectors
            cut.update({keys[i]: over[i] for i in part if i in over})
            self._keep([keys[i] for i in part], vectors, cut)
        over.update({i: cut[key] for i, key in enumerate(keys) if key in cut})
        return out if len(row_of) == len(keys) else out[[row_of[key] for key in keys]]

    def clear(self, *, all_models: bool = False) -> int:
        """Removes the vectors of this model, or of all; returns how many: none if the file is unusable."""
        try:
            return self._file.clear(all_models=all_models)
        except CacheUnusableError as error:
            self._unusable(error)
            return 0

    def stats(self) -> CacheStats:
        """What the cache holds and has done; zeros if the file is unusable."""
        try:
            own, every, size = self._file.counts()
        except CacheUnusableError as error:
            self._unusable(error)
            own = every = size = 0
        return CacheStats(
            entries=own,
            all_entries=every,
            bytes=size,
            max_bytes=self.settings.max_bytes,
            hits=self._hits,
            misses=self._misses,
        )

    def close(self) -> None:
        """Closes the file; the next use opens it again."""
        self._file.close()

    def _keys(self, texts: Sequence[str], role: Role) -> list[bytes]:
        seed = self._seeds[role]
        return [hashlib.sha256(seed + text.encode()).digest() for text in texts]

    def _known(self, keys: Sequence[bytes], size: int) -> dict[bytes, bytes]:
        if time.monotonic() < self._rest_until:
            return {}
        try:
            return self._file.read(keys, (size, size + _CUT))
        except CacheUnusableError as error:
            self._unusable(error)
            return {}

    def _keep(self, keys: Sequence[bytes], vectors: Vectors, cut: Mapping[bytes, int]) -> None:
        if time.monotonic() < self._rest_until:
            return
        rows = np.ascontiguousarray(vectors, dtype="<f4")
        try:
            self._file.write(
                (key, row.tobytes() + (cut[key].to_bytes(_CUT, "little") if key in cut else b""))
                for key, row in zip(keys, rows, strict=True)
            )
        except CacheUnusableError as error:
            self._unusable(error)

    def _as_computed(
        self,
        vectors: Vectors,
        dimension: int,
        distinct: Sequence[int],
        part: Sequence[int],
        compute: Callable[[Sequence[int]], Vectors],
    ) -> Vectors:
        """Vectors of all distinct texts from a model that is not as wide as its card says; none is kept."""
        self._say(
            "width",
            "vectors of %d numbers were computed where %d were announced, and are not cached; set dimension=%d",
            vectors.shape[1],
            dimension,
            vectors.shape[1],
        )
        return vectors if len(part) == len(distinct) else compute(distinct)

    def _unusable(self, error: CacheUnusableError) -> None:
        if error.begun_anew:
            self._say("damaged", "embedding cache: %s", error)
            return
        self._rest_until = time.monotonic() + self.settings.rest_seconds
        self._say("unusable", "the embedding cache cannot be used, and vectors are computed: %s (said once)", error)

    def _say(self, about: str, message: str, *values: object) -> None:
        if about not in self._told:
            self._told.add(about)
            _log.warning(message, *values)
