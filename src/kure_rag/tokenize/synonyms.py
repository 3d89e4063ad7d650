"""Synonyms from a user's file: what else a question may mean, at a lower weight.

One group a line, its members separated by commas or tabs; ``#`` begins a comment::

    연차휴가, 연차유급휴가, 연가
    실손보험, 실손의료보험, 실비보험

Only questions are expanded, so the file may change without anything being indexed anew.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kure_rag.errors import ConfigError
from kure_rag.tokenize.base import Tokenizer
from kure_rag.tokenize.lines import content_lines
from kure_rag.tokenize.pairs import letter_pairs

_BETWEEN: Final = re.compile(r"[,\t]")


@dataclass(frozen=True, slots=True)
class Member:
    """One word, or several, of a group.

    Attributes:
        terms: What the tokenizer makes of it.
        pairs: Its pairs of letters, see :func:`kure_rag.tokenize.letter_pairs`.
    """

    terms: tuple[str, ...]
    pairs: frozenset[str]

    def is_in(self, terms: Collection[str]) -> bool:
        """Whether all of its terms are among some."""
        return all(term in terms for term in self.terms)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a question says and what else that may be called: one group of synonyms.

    Attributes:
        named: The members that the question names.
        others: The other members.
    """

    named: tuple[Member, ...]
    others: tuple[Member, ...]


class Synonyms:
    """Groups of words that mean the same.

    Args:
        groups: Each of two members or more; a member may be of several words.
        tokenizer: The index's: members are matched as what it makes of them.
        weight: Of an added term beside the question's own, above 0 and at most 1.

    Raises:
        ConfigError: A group of fewer than two members, a member without a term that can be searched for, or a weight
            out of range.
    """

    def __init__(self, groups: Sequence[Sequence[str]], tokenizer: Tokenizer, *, weight: float = 0.5) -> None:
        if not (math.isfinite(weight) and 0 < weight <= 1):
            raise ConfigError(f"the weight of synonyms must be above 0 and at most 1, not {weight}")
        self.weight = weight
        self._groups = [_analysed(group, tokenizer, f"synonyms, group {i}") for i, group in enumerate(groups, 1)]

    @classmethod
    def read(cls, path: Path | str, tokenizer: Tokenizer, *, weight: float = 0.5) -> Synonyms:
        """Groups from a file in UTF-8.

        Raises:
            ConfigError: The file cannot be read, or a line makes no group; the message names the line.
        """
        made = cls((), tokenizer, weight=weight)
        for number, line in content_lines(Path(path)):
            members = [member.strip() for member in _BETWEEN.split(line)]
            made._groups.append(_analysed([m for m in members if m], tokenizer, f"{path}, line {number}"))
        return made

    def __len__(self) -> int:
        return len(self._groups)

    def expand(self, terms: Sequence[str]) -> dict[str, float]:
        """Terms of the other members of each group that a question names a member of, with their weight.

        A member is named where its terms follow one another in the question's.

        Args:
            terms: A question's, in order.

        Returns:
            No term of the question itself.
        """
        own = set(terms)
        return {
            term: self.weight
            for meaning in self.meanings(terms)
            for member in meaning.others
            for term in member.terms
            if term not in own
        }

    def meanings(self, terms: Sequence[str]) -> list[Meaning]:
        """The groups of which a question names a member.

        Args:
            terms: A question's, in order.
        """
        found = []
        for group in self._groups:
            named = tuple(member for member in group if _stands_in(member.terms, terms))
            if named:
                found.append(Meaning(named, tuple(member for member in group if member not in named)))
        return found


def _analysed(members: Sequence[str], tokenizer: Tokenizer, place: str) -> tuple[Member, ...]:
    distinct = list(dict.fromkeys(unicodedata.normalize("NFC", member) for member in members))
    if len(distinct) < 2:
        raise ConfigError(f"{place}: a group needs two members or more, separated by commas or tabs")
    return tuple(Member(_terms(member, tokenizer, place), frozenset(letter_pairs(member))) for member in distinct)


def _terms(member: str, tokenizer: Tokenizer, place: str) -> tuple[str, ...]:
    terms = tuple(tokenizer.terms(member))
    if not terms:
        raise ConfigError(f"{place}: {member!r} holds no term that can be searched for; write a noun, verb or number")
    return terms


def _stands_in(member: tuple[str, ...], terms: Sequence[str]) -> bool:
    return any(found == member for found in _windows(terms, len(member)))


def _windows(terms: Sequence[str], length: int) -> Iterator[tuple[str, ...]]:
    return (tuple(terms[i : i + length]) for i in range(len(terms) - length + 1))
