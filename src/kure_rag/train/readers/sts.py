"""Sentence pairs with a similarity from 0 to 5: KorSTS's table and KLUE-STS's JSON.

The formats are those of :mod:`kure_rag.evaluate.sts_sets`, which reads them for a score and so takes no faulty row; nor
does training, unless it is told to leave faulty rows out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from kure_rag.errors import CorpusFormatError
from kure_rag.evaluate.sts_sets import LEAST_SCORE, MOST_SCORE, StsPair, read_sts_pairs, score_of
from kure_rag.train.readers.omissions import Omissions
from kure_rag.train.readers.records import Record, fault, parsed, read_records, text_of, whole

_COLUMNS: Final = ("sentence1", "sentence2", "score", "labels", "guid")
_EXAMPLE: Final = '{"guid": "…", "sentence1": "…", "sentence2": "…", "labels": {"label": 3.4}}'


def read_sts(path: Path, *, skip_faults: bool = False, omissions: Omissions | None = None) -> Iterator[StsPair]:
    """Stream the pairs of a file, in its order.

    Args:
        path: A table with a header line or a JSON array, both also gzip.
        skip_faults: Leave faulty rows out and count them, instead of raising at the first.
        omissions: Counts what is left out; without it, that is logged as a warning at the end.

    Raises:
        SourceNotFoundError: Nothing lies at that path, or a folder does. Raised at once.
        CorpusFormatError: A row breaks the format, or with ``skip_faults`` every row does; raised when it is reached.
    """
    strict = read_sts_pairs(path)  # which refuses a folder, or nothing, at once
    if not skip_faults:
        return strict
    counted = Omissions() if omissions is None else omissions
    records = read_records(path, example=_EXAMPLE, columns=_COLUMNS)
    rows = parsed(path.name, records, _parser(), skip_faults=True, omissions=counted)
    return _some(path, rows, counted, log=omissions is None)


def _some(path: Path, rows: Iterator[StsPair], omissions: Omissions, *, log: bool) -> Iterator[StsPair]:
    """The rows; a file without a good one, such as a table without scores, is no file with some faulty ones."""
    count = 0
    for row in rows:
        count += 1
        yield row
    if not count:
        why = next((f"{omissions.first[key]}: {key[1]}" for key in omissions.counts if key[0] == path.name), "no rows")
        raise CorpusFormatError(path.name, f"not one row could be read; {why}")
    if log:
        omissions.log()


def _parser() -> Callable[[str, str, Record], tuple[StsPair]]:
    seen: set[str] = set()

    def row(name: str, place: str, record: Record) -> tuple[StsPair]:
        whole(name, place, record)
        number = place.rpartition(" ")[2]
        pair = StsPair(
            id=str(record.get("guid", number)),
            first=text_of(name, place, "sentence1", record.get("sentence1")),
            second=text_of(name, place, "sentence2", record.get("sentence2")),
            score=_score(name, place, record),
        )
        if pair.id in seen:
            fault(name, place, "its guid is that of a row before it")
        seen.add(pair.id)
        return (pair,)

    return row


def _score(name: str, place: str, record: Record) -> float:
    labels = record.get("labels")
    value = record.get("score") if labels is None else labels.get("label") if isinstance(labels, dict) else None
    score = score_of(value)
    if score is None:
        fault(name, place, f"its score is no number from {LEAST_SCORE:g} to {MOST_SCORE:g}")
    return score


__all__ = ["read_sts"]
