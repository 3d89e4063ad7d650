"""sentence-transformers' own encode, for models whose modules are not a transformer and its pooling."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from kure_rag.embed.backends.base import Progress, TooLong
from kure_rag.embed.base import Role, Vectors
from kure_rag.embed.tokens import TextTokenizer
from kure_rag.errors import EmbeddingError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_log = logging.getLogger(__name__)

_Count = Callable[[Sequence[str]], list[int]]


class LibraryBackend:
    """A model used through ``SentenceTransformer.encode``.

    Args:
        model: As it is loaded.
        max_tokens: Tokens of a text that are used, if fewer than the model takes.

    Raises:
        EmbeddingError: Its modules have no such limit that could be set.
    """

    def __init__(self, model: SentenceTransformer, *, max_tokens: int | None = None) -> None:
        self._model = model
        self._told = False
        if max_tokens is not None and (self.max_tokens is None or max_tokens < self.max_tokens):
            if not hasattr(model[0], "max_seq_length") or _is_infinite(model.max_seq_length):
                raise EmbeddingError(
                    f"max_tokens={max_tokens}: the model's first module, {type(model[0]).__name__}, cuts no texts; "
                    "leave max_tokens out"
                )
            model.max_seq_length = max_tokens

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return int(self._model.get_embedding_dimension() or 0)

    @property
    def max_tokens(self) -> int | None:
        """Tokens of a text that are used, as far as the model says."""
        longest = self._model.max_seq_length
        return None if longest is None or _is_infinite(longest) else int(longest)

    def encode(
        self, texts: Sequence[str], *, role: Role, too_long: TooLong | None = None, progress: Progress | None = None
    ) -> Vectors:
        """See :class:`~kure_rag.embed.backends.base.Backend`.

        Where the model's own tokenizer cannot count, what is over the limit is not known, which is logged once.
        """
        if (limit := self.max_tokens) is not None:
            self._watch(texts, limit, too_long)
        vectors: Any = self._model.encode(
            list(texts),
            prompt="",  # otherwise a stored default prompt would be put before our prefix
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        if progress is not None:
            progress(len(texts))
        return np.ascontiguousarray(vectors, dtype=np.float32)

    def _watch(self, texts: Sequence[str], limit: int, too_long: TooLong | None) -> None:
        if self._count is None:
            if not self._told:
                self._told = True
                _log.warning(
                    "%s cuts texts at %d tokens, and its tokenizer cannot be asked how many a text has: texts over "
                    "that are cut in silence, whatever too_long says; keep chunks short (said once)",
                    type(self._model[0]).__name__,
                    limit,
                )
            return
        over = [(i, tokens) for i, tokens in enumerate(self._count(texts)) if tokens > limit]
        if over and too_long is not None:
            too_long(over)

    @cached_property
    def _count(self) -> _Count | None:
        """Counts the tokens of texts as the first module does; ``None`` where that is not known."""
        tokenizer: Any = getattr(self._model, "tokenizer", None)
        if hasattr(tokenizer, "num_special_tokens_to_add") and hasattr(tokenizer, "pad_token_id"):
            whole = TextTokenizer(tokenizer, None)
            return lambda texts: [len(row) for row in whole.encode(texts).ids]
        if callable(getattr(tokenizer, "tokenize", None)):  # the library's own, for word vectors
            return lambda texts: [len(tokenizer.tokenize(text)) for text in texts]
        return None


def _is_infinite(limit: Any) -> bool:
    return isinstance(limit, float) and math.isinf(limit)
