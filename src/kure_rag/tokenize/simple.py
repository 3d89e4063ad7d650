"""White space and character n-grams: what Korean keyword search is without morphemes. For comparison."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from kure_rag.tokenize.base import Sentence, Term

_WORD = re.compile(r"\S+")
_LETTERS = re.compile(r"\w+")
_LINE = re.compile(r"[^\n]*\S[^\n]*")


def char_bigrams(text: str) -> list[str]:
    """Pairs of neighbouring letters within words, in lower case; a word of one letter is a term of its own.

    Beside morphemes they find names that an analyser cuts differently in a question and in a passage.
    """
    return _BIGRAMS.terms(text)


class _ByPattern:
    """Shared by both: terms with their places from one method."""

    @property
    def fingerprint(self) -> str:
        raise NotImplementedError

    def _find(self, text: str) -> Iterator[Term]:
        raise NotImplementedError

    def terms(self, text: str) -> list[str]:
        """Terms of one text, in order."""
        return [term.form for term in self.analyse(text)]

    def analyse(self, text: str) -> list[Term]:
        """Terms of one text with their offsets in its NFC form."""
        return list(self._find(unicodedata.normalize("NFC", text)))

    def terms_batch(self, texts: Sequence[str]) -> list[list[str]]:
        """Terms of many texts."""
        return [self.terms(text) for text in texts]

    def sentences(self, texts: Iterable[str]) -> Iterator[list[Sentence]]:
        """Lines stand for sentences."""
        for text in texts:
            terms = list(self._find(text))
            yield [
                Sentence(
                    line.start(),
                    line.end(),
                    tuple(term for term in terms if line.start() <= term.start < line.end()),
                )
                for line in _LINE.finditer(text)
            ]


class WhitespaceTokenizer(_ByPattern):
    """What stands between white space, in lower case."""

    @property
    def fingerprint(self) -> str:
        """``whitespace`` and its version."""
        return "whitespace/1"

    def _find(self, text: str) -> Iterator[Term]:
        for word in _WORD.finditer(text):
            yield Term(word.group().lower(), word.start(), word.end())


class NgramTokenizer(_ByPattern):
    """Character n-grams within words, in lower case.

    Args:
        n: Characters in a term; a shorter word is a term of its own.
    """

    def __init__(self, n: int = 2) -> None:
        if n < 1:
            raise ValueError(f"n-grams need at least one character, not {n}")
        self.n = n

    @property
    def fingerprint(self) -> str:
        """``ngram``, its length and its version."""
        return f"ngram-{self.n}/1"

    def _find(self, text: str) -> Iterator[Term]:
        for word in _LETTERS.finditer(text):
            form = word.group().lower()
            for i in range(max(1, len(form) - self.n + 1)):
                start = word.start() + i
                yield Term(form[i : i + self.n], start, min(start + self.n, word.end()))


_BIGRAMS = NgramTokenizer(2)
