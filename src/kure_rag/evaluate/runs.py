"""Runs on disk: what was found for each query, as tab-separated query-id, doc-id, rank and score without a header."""

from __future__ import annotations

import math
import os
import re
import secrets
import unicodedata
from typing import TYPE_CHECKING, Final

from kure_rag.read.corpus import fail, read_lines, short

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

# A tab or a line break would add a column or a line; a lone surrogate cannot be written as UTF-8.
_UNWRITABLE: Final = re.compile("[\t\n\r\ud800-\udfff]")
_COLUMNS: Final = "query-id, doc-id, rank and score separated by tabs"


def write_run(path: Path, run: Mapping[str, Sequence[tuple[str, float]]]) -> None:
    """Write a run; the file appears whole or not at all, and one that was there is replaced.

    Args:
        path: Where to; its folder must exist.
        run: Query id → (document id, score), best first. A query without results leaves no line. Ids are written in
            NFC, as the corpus reader gives them.

    Raises:
        ValueError: An id is empty or has a tab, a line break or a lone surrogate in it, a score is not finite, or a
            document is ranked twice for a query. Nothing is written.
        OSError: The file cannot be written.
    """
    # In the same folder, since a rename across file systems is a copy; not named after `path`, whose name may be as
    # long as a file system allows.
    temporary = path.with_name(f".run-{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") as file:
            file.writelines(_rows(run))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_run(path: Path) -> dict[str, list[tuple[str, float]]]:
    """Read a run, plain or gzip: query id → (document id, score), in the order of the ranks. Ids come out in NFC.

    Raises:
        SourceNotFoundError: Nothing lies at that path.
        CorpusFormatError: A line breaks the format, or ranks a document or uses a rank a second time for its query.
    """
    name = path.name
    ranked: dict[str, dict[int, tuple[str, float]]] = {}
    lines: dict[tuple[str, str], int] = {}
    for number, line in read_lines(path):
        columns = unicodedata.normalize("NFC", line).split("\t")
        if len(columns) != 4:
            fail(name, number, f"{len(columns)} columns; write {_COLUMNS}, without a header")
        query, document, raw_rank, raw_score = columns
        if not query.strip() or not document.strip():
            fail(name, number, f"an id is empty; write {_COLUMNS}")
        rank = _rank(name, number, raw_rank)
        score = _score(name, number, raw_score)
        first = lines.setdefault((query, document), number)
        if first != number:
            fail(name, number, f"document {short(document)} is already ranked on line {first}; keep its best rank only")
        if rank in (ranks := ranked.setdefault(query, {})):
            fail(name, number, f"rank {rank} of query {short(query)} is already taken; count ranks up from 1")
        ranks[rank] = (document, score)
    return {query: [ranks[rank] for rank in sorted(ranks)] for query, ranks in ranked.items()}


def _rows(run: Mapping[str, Sequence[tuple[str, float]]]) -> Iterator[str]:
    queries: set[str] = set()
    for raw_query, results in run.items():
        query = _writable("query", raw_query)
        if query in queries:
            raise ValueError(f"query {short(query)} is in the run twice, in two Unicode forms; merge them")
        queries.add(query)
        documents: set[str] = set()
        for rank, (raw_document, raw_score) in enumerate(results, start=1):
            document = _writable("document", raw_document)
            if document in documents:
                raise ValueError(
                    f"query {short(query)}: document {short(document)} is ranked twice; keep its best rank"
                )
            documents.add(document)
            score = float(raw_score)  # a NumPy scalar would write its type's name
            if not math.isfinite(score):
                raise ValueError(f"query {short(query)}: the score of document {short(document)} is {score}")
            yield f"{query}\t{document}\t{rank}\t{score!r}\n"


def _writable(what: str, identifier: str) -> str:
    if not identifier.strip():
        raise ValueError(f"a {what} id is empty; a run cannot name it")
    if _UNWRITABLE.search(identifier):
        raise ValueError(
            f"{what} id {short(identifier)} has a tab, a line break or a lone surrogate in it; "
            "a run cannot hold it, use another id"
        )
    return unicodedata.normalize("NFC", identifier)


def _rank(name: str, number: int, text: str) -> int:
    try:
        rank = int(text)
    except ValueError as error:
        fail(name, number, f"rank {short(text)} is not a whole number; count up from 1", error)
    if rank < 1:
        fail(name, number, f"rank {rank} is below 1; count up from 1")
    return rank


def _score(name: str, number: int, text: str) -> float:
    try:
        score = float(text)
    except ValueError as error:
        fail(name, number, f"score {short(text)} is not a number; write what the ranking was made by", error)
    if not math.isfinite(score):
        fail(name, number, f"score {short(text)} is not finite; write what the ranking was made by")
    return score
