"""Hooks that rewrite a query before it is searched. What rewrites, such as a language model, is the caller's."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from kure_rag.embed.base import EmbedderLike
from kure_rag.errors import SearchError
from kure_rag.index.lexical import Question
from kure_rag.tokenize import Synonyms, Tokenizer, letter_pairs

MultiQuery = Callable[[str], Sequence[str]]
Hyde = Callable[[str], str]
_LONGEST: Final = 200  # characters of a question whose spaces are looked at: a longer one has words enough


@dataclass(frozen=True, slots=True)
class Asked:
    """One query in all the ways in which it is searched, its own words first."""

    texts: tuple[str, ...]


def check_queries(queries: Sequence[str]) -> None:
    """Says what is wrong with a list of queries.

    Raises:
        SearchError: One is empty, no text, or holds half a character.
    """
    if isinstance(queries, str):
        raise SearchError("search_batch takes a list of queries; use search for one")
    for i, query in enumerate(queries):
        _check(query, "the query" if len(queries) == 1 else f"query {i}")


def _check(text: Any, name: str) -> None:
    if not isinstance(text, str) or not text.strip():
        raise SearchError(f"{name} is empty; ask something")
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise SearchError(f"{name} holds half a character (a lone surrogate); decode its source as UTF-8 again")


def ask(queries: Sequence[str], multi_query: MultiQuery | None) -> list[Asked]:
    """Each query with what a hook makes of it; a text that is there twice is searched once.

    Raises:
        SearchError: The hook gave something that is no query.
    """
    if multi_query is None:
        return [Asked((query,)) for query in queries]
    out = []
    for query in queries:
        others = multi_query(query)
        if isinstance(others, str) or not isinstance(others, Sequence):
            raise SearchError(f"the multi_query hook gave {type(others).__name__}; it must give a list of queries")
        for other in others:
            _check(other, f"a query that the multi_query hook made of {query!r}")
        out.append(Asked(tuple(dict.fromkeys((query, *others)))))
    return out


@runtime_checkable
class Respacer(Protocol):
    """A tokenizer that knows where spaces belong."""

    def respaced(self, texts: Sequence[str]) -> list[str]:
        """Each text with its spaces put right."""
        ...


@dataclass(frozen=True, slots=True)
class SpacedQuestion(Question):
    """What is searched for, as it was written and with its spaces put right.

    Attributes:
        respaced: Its terms with right spaces; none where its spaces are right. They are among ``optional`` too.
    """

    respaced: Sequence[str] = ()


def questions(tokenizer: Tokenizer, texts: Sequence[str], synonyms: Synonyms | None = None) -> list[SpacedQuestion]:
    """What the keyword leg searches for, all analysed in one call; synonyms are optional terms.

    People write 연차휴가며칠, or 연차 휴 가 며칠: what a question holds with right spaces is looked for beside what it
    holds as it was written, at the same weight. That finds more for wrong spaces, and no less for right ones, see
    ``benchmarks/results/spacing.md``.
    """
    right = _respaced(tokenizer, texts)
    changed = [i for i, text in enumerate(right) if text is not None]
    analysed = tokenizer.terms_batch([*texts, *(right[i] or "" for i in changed)])
    others = dict(zip(changed, analysed[len(texts) :], strict=True))
    return [_question(text, analysed[i], right[i] or "", others.get(i, []), synonyms) for i, text in enumerate(texts)]


def _question(
    text: str, terms: Sequence[str], right: str, respaced: Sequence[str], synonyms: Synonyms | None
) -> SpacedQuestion:
    more = {} if synonyms is None else {**synonyms.expand(terms), **synonyms.expand(respaced)}
    pairs = [*letter_pairs(text), *letter_pairs(right)]
    return SpacedQuestion(terms, pairs, {**more, **dict.fromkeys(respaced, 1.0)}, respaced)


def _respaced(tokenizer: Tokenizer, texts: Sequence[str]) -> list[str | None]:
    """Texts with right spaces; ``None`` for those that have them, have no Hangul, or are as long as a passage."""
    out: list[str | None] = [None] * len(texts)
    if isinstance(tokenizer, Respacer):
        asked = [i for i, text in enumerate(texts) if len(text) <= _LONGEST and not text.isascii()]
        for i, text in zip(asked, tokenizer.respaced([texts[i] for i in asked]) if asked else (), strict=True):
            out[i] = None if text == unicodedata.normalize("NFC", texts[i]) else text
    return out


def query_vectors(embedder: EmbedderLike, texts: Sequence[str], hyde: Hyde | None) -> npt.NDArray[np.float32]:
    """Vectors of queries in one call; with HyDE the mean of the query's and of its hypothetical answer's.

    Source: Gao, Ma, Lin and Callan, "Precise Zero-Shot Dense Retrieval without Relevance Labels", ACL 2023.

    Raises:
        SearchError: The hook gave no text.
    """
    vectors = np.asarray(embedder.embed_queries(texts), dtype=np.float32)
    if hyde is None:
        return vectors
    passages = [hyde(text) for text in texts]
    for passage, text in zip(passages, texts, strict=True):
        _check(passage, f"the passage that the hyde hook made of {text!r}")
    both = _units(vectors) + _units(np.asarray(embedder.embed_passages(passages), dtype=np.float32))
    return (both / 2).astype(np.float32)


def _units(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
