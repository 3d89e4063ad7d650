"""What a tokenizer is, and what it gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Term:
    """One index term and the characters it came from.

    Attributes:
        form: What is indexed and matched.
        start: Offset in the analysed text.
        end: Offset after the last character.
    """

    form: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with the terms of the same analysis, so that no text is analysed twice.

    Attributes:
        start: Offset in the analysed text.
        end: Offset after the last character.
        terms: In order of appearance; offsets are those of the analysed text too.
    """

    start: int
    end: int
    terms: tuple[Term, ...]


@runtime_checkable
class Tokenizer(Protocol):
    """Text → terms.

    Attributes:
        fingerprint: Changes when the terms of any text may change; an index refuses to mix two of them.
    """

    @property
    def fingerprint(self) -> str:
        """Name, version and settings in one line."""
        ...

    def terms(self, text: str) -> list[str]:
        """Terms of one text, in order, repeated as often as they occur."""
        ...

    def terms_batch(self, texts: Sequence[str]) -> list[list[str]]:
        """Terms of many texts, faster than one by one."""
        ...

    def sentences(self, texts: Iterable[str]) -> Iterator[list[Sentence]]:
        """Sentences of each text, in order, covering every character that is not white space."""
        ...


@runtime_checkable
class Analyser(Tokenizer, Protocol):
    """A tokenizer that says where a text's terms stand."""

    def analyse(self, text: str) -> list[Term]:
        """Terms of one text with their offsets in its NFC form, in the order of :meth:`terms`."""
        ...
