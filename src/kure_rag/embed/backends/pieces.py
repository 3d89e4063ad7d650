"""Texts → token ids, remembering the words between spaces: tokenising is nearly all that a static model does.

A tokenizer that splits at spaces first gives each word the same ids wherever it stands, so a word is tokenised once.
Korean text repeats its words (eojeol) enough to make this several times faster than the tokenizer.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int32]

_MEMORY: Final = 16 << 20  # bytes, about, before remembering begins anew
_ENTRY: Final = 150  # bytes of a remembered word beside its characters

_SAFE_NORMALIZERS: Final = frozenset({"NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "BertNormalizer"})
_SPLIT_AT_SPACES: Final = frozenset({"Whitespace", "WhitespaceSplit", "BertPreTokenizer"})
_SPLIT_FURTHER: Final = _SPLIT_AT_SPACES | {"Split", "Punctuation", "Digits", "UnicodeScripts"}


class TokenIds:
    """A tokenizer's ids without special tokens. One object serves many threads.

    Args:
        tokenizer: A ``tokenizers.Tokenizer``; its padding is turned off, and its cut done here.
        max_tokens: Texts are cut at this many tokens, or at the tokenizer's own limit if that is lower.

    Attributes:
        limit: The lower of the two; ``None`` for none.
    """

    def __init__(self, tokenizer: Any, max_tokens: int | None) -> None:
        own: dict[str, Any] = tokenizer.truncation or {}
        self.limit: int | None = min(
            (limit for limit in (max_tokens, own.get("max_length")) if limit is not None), default=None
        )
        self._from_end = own.get("direction") == "left"
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        self._by_words = splits_at_spaces(tokenizer)
        self._known: dict[str, bytes] = {}
        self._size = 0

    def of(self, texts: Sequence[str]) -> tuple[list[Ids], list[tuple[int, int]]]:
        """Ids of texts, and (position, tokens before the cut) of those that were cut."""
        rows = self._word_by_word(texts) if self._by_words else self._whole(texts)
        if self.limit is None:
            return rows, []
        over = [(i, len(row)) for i, row in enumerate(rows) if len(row) > self.limit]
        for i, _ in over:
            rows[i] = rows[i][-self.limit :] if self._from_end else rows[i][: self.limit]
        return rows, over

    def _whole(self, texts: Sequence[str]) -> list[Ids]:
        found = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.int32) for encoding in found]

    def _word_by_word(self, texts: Sequence[str]) -> list[Ids]:
        # Other white space is left to the tokenizer, inside of a word.
        split = [text.replace("\n", " ").replace("\t", " ").replace("\r", " ").split(" ") for text in texts]
        if self._size > _MEMORY:  # another thread goes on with the old one
            self._known, self._size = {}, 0
        known = self._known
        if new := list(set(itertools.chain.from_iterable(split)).difference(known)):
            found = self._tokenizer.encode_batch_fast(new, add_special_tokens=False)
            for word, encoding in zip(new, found, strict=True):
                known[word] = np.array(encoding.ids, dtype=np.int32).tobytes()
                self._size += _ENTRY + 4 * len(word)
        return [np.frombuffer(b"".join([known[word] for word in words]), dtype=np.int32) for words in split]


def splits_at_spaces(tokenizer: Any) -> bool:
    """Whether the ids of a text are those of its words, one after the other, for any text.

    So it is when nothing sees more than a word: normalisation by character, a first split that removes white space,
    splits inside of what is left, and no added token with a space in it.
    """
    try:
        normalizers = _steps(tokenizer.normalizer, "normalizers")
        splits = _steps(tokenizer.pre_tokenizer, "pretokenizers")
    except (AttributeError, TypeError, ValueError, LookupError):
        return False
    except Exception:  # noqa: BLE001  # a step written in Python cannot be shown, and the library raises it bare
        return False
    added = tokenizer.get_added_tokens_decoder().values()
    return (
        bool(splits)
        and all(step["type"] in _SAFE_NORMALIZERS for step in normalizers)
        and _removes_spaces(splits[0])
        and all(step["type"] in _SPLIT_FURTHER for step in splits)
        and not any(character.isspace() for token in added for character in token.content)
    )


def _steps(part: Any, inner: str) -> list[dict[str, Any]]:
    if part is None:
        return []
    told: dict[str, Any] = json.loads(part.__getstate__())  # how these objects show what they are, as JSON
    if told["type"] != "Sequence":
        return [told]
    if any(step["type"] == "Sequence" for step in told[inner]):
        raise ValueError("steps inside of steps")
    return list(told[inner])


def _removes_spaces(step: dict[str, Any]) -> bool:
    if step["type"] in _SPLIT_AT_SPACES:
        return True
    return step["type"] == "Split" and (step["pattern"], step["behavior"], step["invert"]) in (
        ({"Regex": r"\s+"}, "Removed", False),
        ({"Regex": r"\s"}, "Removed", False),
    )
