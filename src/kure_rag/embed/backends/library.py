"""sentence-transformers' own encode, for models whose modules are not a transformer and its pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kure_rag.embed.backends.base import Progress, TooLong
from kure_rag.embed.base import Role, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class LibraryBackend:
    """A model used through ``SentenceTransformer.encode``."""

    def __init__(self, model: SentenceTransformer) -> None:
        self._model = model

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return int(self._model.get_embedding_dimension() or 0)

    @property
    def max_tokens(self) -> int | None:
        """Tokens of a text that are used, as far as the model says."""
        longest = self._model.max_seq_length
        return None if longest is None or math.isinf(longest) else int(longest)

    def encode(
        self, texts: Sequence[str], *, role: Role, too_long: TooLong | None = None, progress: Progress | None = None
    ) -> Vectors:
        """See :class:`~kure_rag.embed.backends.base.Backend`; what is over the limit is not known here."""
        vectors: Any = self._model.encode(
            list(texts),
            prompt="",  # otherwise a stored default prompt would be put before our prefix
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        if progress is not None:
            progress(len(texts))
        return np.ascontiguousarray(vectors, dtype=np.float32)
