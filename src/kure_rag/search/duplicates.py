"""Near-duplicates: one hit stands for passages that say the same in the same words.

Statutes, contracts and labels repeat whole passages. Those that differ in a number (a dose, a period, an article) are
never one: that number is what is asked for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_LETTERS: Final = re.compile(r"[\W_]+")
_NUMBERS: Final = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldSettings:
    """When two passages are one.

    Attributes:
        similarity: Share of the shingles of both that they have in common (Jaccard); 1 folds equal passages only.
        shingle: Letters in a shingle; white space and punctuation do not count.
        pool_factor: Hits looked at for each that is asked for.
    """

    similarity: float = 0.9
    shingle: int = 5
    pool_factor: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.similarity <= 1:
            raise ValueError(f"passages are alike by more than 0 and at most 1, not by {self.similarity}")
        if self.shingle < 1 or self.pool_factor < 1:
            raise ValueError(f"shingle={self.shingle}, pool_factor={self.pool_factor}: both are at least 1")

    def pool(self, k: int) -> int:
        """How many hits to look at for ``k``."""
        return self.pool_factor * k


def folded(texts: Sequence[str], settings: FoldSettings) -> list[list[int]]:
    """Groups of positions: the first of each stands for the others, which come in their own order.

    A passage joins the earliest group whose first passage is like it.

    Args:
        texts: Best first.
        settings: What is alike.
    """
    groups: list[list[int]] = []
    firsts: list[_Seen] = []
    for i, text in enumerate(texts):
        seen = _Seen.of(text, settings.shingle)
        for group, first in zip(groups, firsts, strict=True):
            if first.like(seen, settings.similarity):
                group.append(i)
                break
        else:
            groups.append([i])
            firsts.append(seen)
    return groups


@dataclass(frozen=True, slots=True)
class _Seen:
    letters: str
    numbers: tuple[str, ...]
    shingles: frozenset[str]

    @classmethod
    def of(cls, text: str, size: int) -> _Seen:
        text = unicodedata.normalize("NFC", text)
        numbers = tuple(number.replace(",", "") for number in _NUMBERS.findall(text))
        letters = _LETTERS.sub("", text).casefold()
        return cls(letters, numbers, frozenset(letters[j : j + size] for j in range(max(1, len(letters) - size + 1))))

    def like(self, other: _Seen, similarity: float) -> bool:
        if self.numbers != other.numbers:
            return False
        if self.letters == other.letters:
            return True
        few, many = sorted((len(self.shingles), len(other.shingles)))
        if few < similarity * many:  # even one within the other would not do
            return False
        common = len(self.shingles & other.shingles)
        return common >= similarity * (few + many - common)
