"""Texts → token ids, cut at the model's limit and never in silence."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids of some texts.

    Attributes:
        ids: Special tokens included, not padded, cut at the limit.
        too_long: (position, tokens before the cut) of the texts that were cut.
    """

    ids: list[list[int]]
    too_long: list[tuple[int, int]]


class TextTokenizer:
    """A model's tokenizer, fast or slow, behind one call.

    Args:
        tokenizer: A ``transformers`` tokenizer.
        max_tokens: Texts are cut at this many tokens, special tokens among them; ``None`` for no limit.
    """

    def __init__(self, tokenizer: Any, max_tokens: int | None) -> None:
        self.max_tokens = max_tokens
        self.pad_id = int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0)
        self._tokenizer = tokenizer
        self._fast: Any = getattr(tokenizer, "backend_tokenizer", None)
        # A call that cuts sets the cut on the shared tokenizer for all threads.
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> Tokens:
        """Token ids of texts that have their prefix."""
        with self._lock:
            ids = self._encode(list(texts), cut=False)
            limit = self.max_tokens
            over = [i for i, row in enumerate(ids) if limit is not None and len(row) > limit]
            too_long = [(i, len(ids[i])) for i in over]
            if over:  # a second time, since only the tokenizer knows which special tokens stand where
                for i, row in zip(over, self._encode([texts[i] for i in over], cut=True), strict=True):
                    ids[i] = row
            return Tokens(ids, too_long)

    def _encode(self, texts: list[str], *, cut: bool) -> list[list[int]]:
        if self._fast is None:
            out: Any = self._tokenizer(
                texts, truncation=cut, max_length=self.max_tokens if cut else None, verbose=False, padding=False
            )
            return [list(row) for row in out["input_ids"]]
        self._fast.no_padding()
        if cut:
            self._fast.enable_truncation(self.max_tokens)
        else:
            self._fast.no_truncation()
        # Without offsets, which nothing here needs, twice the speed.
        return [encoding.ids for encoding in self._fast.encode_batch_fast(texts)]
