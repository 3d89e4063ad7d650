"""Retrieval sets in BEIR's layout: a corpus, queries, and which documents answer which query."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kure_rag.errors import CorpusFormatError, SourceNotFoundError
from kure_rag.read.corpus import fail, find_corpus, read_corpus, read_lines, read_rows, short

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_LAYOUT: Final = (
    "a retrieval set is a folder with corpus.jsonl (or .jsonl.gz), queries.jsonl (or .jsonl.gz) "
    "and qrels.tsv (or qrels/test.tsv)"
)
_QUERY_NAMES: Final = ("queries.jsonl", "queries.jsonl.gz")
_QREL_NAMES: Final = ("qrels.tsv", "qrels/test.tsv")


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """Queries with the documents that answer them.

    Attributes:
        name: The folder's name.
        corpus_path: To be streamed with :func:`kure_rag.read.corpus.read_corpus`.
        queries: Query id → text, of the queries in ``qrels`` only, in the order of ``qrels``.
        qrels: Query id → document id → relevance. Positive judgements only; a query without one is not scored.
    """

    name: str
    corpus_path: Path
    queries: dict[str, str]
    qrels: dict[str, dict[str, float]]


def read_set(folder: Path) -> RetrievalSet:
    """Read a folder with ``corpus.jsonl``, ``queries.jsonl`` (both may be ``.gz``) and ``qrels.tsv``.

    ``qrels/test.tsv``, as BEIR ships it, does too. All ids come out in NFC, as the corpus reader's do. Of the corpus
    only the first record is read here; use :func:`check_qrels` once it was streamed.

    Raises:
        SourceNotFoundError: The folder or one of its three files is missing.
        CorpusFormatError: A file breaks its format; the message names the file and the line.
    """
    name = folder.resolve().name
    if not folder.is_dir():
        raise SourceNotFoundError(name, f"no such folder; {_LAYOUT}")
    try:
        corpus = find_corpus(folder)
    except SourceNotFoundError as error:
        raise SourceNotFoundError(name, f"no corpus.jsonl; {_LAYOUT}") from error
    query_file = _find(folder, name, _QUERY_NAMES)
    qrel_file = _find(folder, name, _QREL_NAMES)
    # A corpus in another format is told now, not after the queries were read and an index was begun.
    if next(read_corpus(corpus), None) is None:
        raise CorpusFormatError(corpus.name, "no records; write one JSON object on each line")
    queries = _read_queries(query_file)
    qrels = _read_qrels(qrel_file, qrel_file.relative_to(folder).as_posix(), queries, query_file.name)
    return RetrievalSet(name, corpus, {query: queries[query] for query in qrels}, qrels)


def check_qrels(retrieval_set: RetrievalSet, ids: Iterable[str]) -> None:
    """Check that every relevant document is in the corpus, given the ids that were streamed from it.

    Raises:
        CorpusFormatError: Some are not: their queries could never be answered, and every score would be too low.
    """
    known = frozenset(ids)
    missing = [
        (query, document)
        for query, relevant in retrieval_set.qrels.items()
        for document in relevant
        if document not in known
    ]
    if missing:
        query, document = missing[0]
        total = sum(len(relevant) for relevant in retrieval_set.qrels.values())
        raise CorpusFormatError(
            retrieval_set.name,
            f"{len(missing)} of {total} judgements name a document not in {retrieval_set.corpus_path.name}, "
            f"first {short(document)} for query {short(query)}; use the corpus that the judgements were made on",
        )


def _find(folder: Path, name: str, candidates: tuple[str, ...]) -> Path:
    for candidate in candidates:
        if (folder / candidate).is_file():
            return folder / candidate
    raise SourceNotFoundError(name, f"no {candidates[0]}; {_LAYOUT}")


def _read_queries(path: Path) -> dict[str, str]:
    queries: dict[str, str] = {}
    for number, identifier, row in read_rows(path):
        text = row["text"]
        if not isinstance(text, str):
            fail(path.name, number, "text is not a string; write the question as a string")
        if not text.strip():
            fail(path.name, number, "text is empty; write the question or remove the line")
        queries[identifier] = text
    return queries


def _read_qrels(path: Path, name: str, queries: dict[str, str], query_name: str) -> dict[str, dict[str, float]]:
    judged: dict[tuple[str, str], tuple[float, int]] = {}
    qrels: dict[str, dict[str, float]] = {}
    header = False
    for number, line in read_lines(path, name=name):
        columns = unicodedata.normalize("NFC", line).split("\t")
        if len(columns) != 3:
            what = f"{len(columns)} columns; write query-id, corpus-id and score separated by tabs"
            fail(name, number, what)
        query, document, raw = columns
        score = _number(raw)
        if not header:
            header = True
            if score is not None:
                # Skipping it as a header would silently lose a judgement.
                fail(name, number, "a judgement where the header should be; begin with query-id, corpus-id, score")
            continue
        if score is None or not math.isfinite(score):
            fail(name, number, f"score {short(raw)} is not a number; write 1 for relevant, 0 for not")
        if query not in queries:
            fail(name, number, f"query {short(query)} is not in {query_name}; add it there or remove the line")
        if not document.strip():
            fail(name, number, "corpus-id is empty; write the document's _id")
        before, line_before = judged.setdefault((query, document), (score, number))
        if before != score:
            pair = f"query {short(query)} with document {short(document)}"
            fail(name, number, f"{pair} was judged {before:g} on line {line_before}; keep one of the two")
        if score > 0:
            qrels.setdefault(query, {})[document] = score
    if not qrels:
        raise CorpusFormatError(name, "no judgement above 0, so nothing can be scored; add the relevant documents")
    return qrels


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
