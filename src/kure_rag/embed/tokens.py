"""Texts → token ids, cut at the model's limit and never in silence."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from kure_rag.errors import EmbeddingError

_NO_LIMIT: Final = 1 << 30  # transformers writes 10 ** 30 where a tokenizer has no limit


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids of some texts.

    Attributes:
        ids: Special tokens included, not padded, cut at the limit; never an empty row.
        too_long: (position, tokens before the cut) of the texts that were cut.
    """

    ids: list[list[int]]
    too_long: list[tuple[int, int]]


class TextTokenizer:
    """A model's tokenizer, fast or slow, behind one call. One object serves many threads.

    What the tokenizer's file stores of padding and cutting is left aside, and which side it cuts on is kept.

    Args:
        tokenizer: A ``transformers`` tokenizer, or :class:`~kure_rag.embed.kobert.KoBertTokenizer`.
        max_tokens: Texts are cut at this many tokens, special tokens among them; ``None`` for no limit.

    Attributes:
        max_tokens: The limit; ``None`` for none.
        pad_id: The padding token, which attention leaves out; 0 where the tokenizer has none.

    Raises:
        EmbeddingError: The limit leaves no room for a token of the text.
    """

    def __init__(self, tokenizer: Any, max_tokens: int | None) -> None:
        self.max_tokens = None if max_tokens is None or max_tokens >= _NO_LIMIT else int(max_tokens)
        self.pad_id = int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0)
        self._tokenizer = tokenizer
        self._fast: Any = getattr(tokenizer, "backend_tokenizer", None)
        self._special = int(tokenizer.num_special_tokens_to_add())
        self._lock = threading.Lock()
        # A text of nothing that the tokenizer knows, such as zero-width spaces, is one unknown token.
        self._nothing = [int(tokenizer.unk_token_id if tokenizer.unk_token_id is not None else self.pad_id)]
        if self.max_tokens is not None and self.max_tokens <= self._special:
            raise EmbeddingError(
                f"max_tokens={self.max_tokens} leaves no room for a text: the model puts {self._special} special "
                f"tokens around each; choose {self._special + 1} or more"
            )

    def encode(self, texts: Sequence[str]) -> Tokens:
        """Token ids of texts that have their prefix."""
        ids = self._whole(list(texts)) if texts else []
        limit = self.max_tokens
        over = [i for i, row in enumerate(ids) if limit is not None and len(row) > limit]
        too_long = [(i, len(ids[i])) for i in over]
        if limit is not None and over:  # only the tokenizer knows which special tokens stand where
            for i, row in zip(over, self._cut([texts[i] for i in over], limit), strict=True):
                ids[i] = row
        return Tokens([row or self._nothing for row in ids], too_long)

    def _whole(self, texts: list[str]) -> list[list[int]]:
        if self._fast is None:
            with self._lock:
                out = self._tokenizer(texts, truncation=False, padding=False, verbose=False)
            return [list(row) for row in out["input_ids"]]
        self._reset()
        # Without offsets, which nothing here needs, twice the speed.
        return [encoding.ids for encoding in self._fast.encode_batch_fast(texts)]

    def _cut(self, texts: list[str], limit: int) -> list[list[int]]:
        if self._fast is None:
            with self._lock:
                out = self._tokenizer(texts, truncation=True, max_length=limit, padding=False, verbose=False)
            return [list(row) for row in out["input_ids"]]
        side = getattr(self._tokenizer, "truncation_side", "right")
        rows = []
        for encoding in self._fast.encode_batch_fast(texts, add_special_tokens=False):
            encoding.truncate(limit - self._special, direction=side)
            rows.append(self._fast.post_process(encoding).ids)
        return rows

    def _reset(self) -> None:
        """Takes stored padding and cutting off the tokenizer, once: changing it while a thread uses it is an error."""
        if self._fast.padding is None and self._fast.truncation is None:
            return
        with self._lock:
            self._fast.no_padding()
            self._fast.no_truncation()
