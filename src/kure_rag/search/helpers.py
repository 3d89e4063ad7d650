"""Hooks that rewrite a query before it is searched. What rewrites, such as a language model, is the caller's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kure_rag.embed.base import EmbedderLike
from kure_rag.errors import SearchError
from kure_rag.index.lexical import Question
from kure_rag.tokenize import Synonyms, Tokenizer, letter_pairs

MultiQuery = Callable[[str], Sequence[str]]
Hyde = Callable[[str], str]


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
        _check(query, f"query {i}")


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


def questions(tokenizer: Tokenizer, texts: Sequence[str], synonyms: Synonyms | None = None) -> list[Question]:
    """What the keyword leg searches for, all analysed in one call; synonyms are optional terms."""
    terms = tokenizer.terms_batch(texts)
    return [
        Question(words, letter_pairs(text), {} if synonyms is None else synonyms.expand(words))
        for words, text in zip(terms, texts, strict=True)
    ]


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
