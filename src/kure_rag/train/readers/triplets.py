"""Triplets for retrieval, and labelled pairs for rerankers: JSON lines, a JSON array, a table with a header, parquet.

Names of values that are taken, one of each row:

=========  ============================================================================================
query      ``query``, ``anchor``
positive   ``positive``, ``pos``, ``document``; a list (as FlagEmbedding has) gives one triplet for each
negatives  ``negatives``, ``negative``, ``neg``, ``hard_negative``: a list or a string; or
           ``negative_1``, ``negative_2``, … (also ``hard_negative_1``, …)
passage    ``passage``, ``document``, ``text`` (of labelled pairs)
label      ``label``, ``score``: a number from 0 to 1, or true and false (of labelled pairs)
=========  ============================================================================================

Other values of a row are not looked at, and of numbered negatives an empty one is none. ``query``, ``document`` and
``hard_negative`` are the columns of ko-triplet, which KURE-v1 was trained on. A hard negative that is equal to the
positive teaches the opposite of what is meant: it is a fault of its row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from kure_rag.errors import ConfigError
from kure_rag.read.corpus import short
from kure_rag.train.readers.omissions import Omissions
from kure_rag.train.readers.records import Record, fault, one_key, parsed, read_records, text_of, whole
from kure_rag.train.readers.rows import LabelledPair, Triplet

QUERY_KEYS: Final = ("query", "anchor")
POSITIVE_KEYS: Final = ("positive", "pos", "document")
NEGATIVE_KEYS: Final = ("negatives", "negative", "neg", "hard_negative")
PASSAGE_KEYS: Final = ("passage", "document", "text")
SCORE_KEYS: Final = ("label", "score")
NUMBERED: Final = re.compile(r"(?:hard_)?negative_([1-9][0-9]{0,3})")
TRIPLET_EXAMPLE: Final = '{"query": "…", "positive": "…", "negatives": ["…"]}'
PAIR_EXAMPLE: Final = '{"query": "…", "passage": "…", "label": 1}'


def read_triplets(
    path: Path,
    *,
    negatives: int | None = None,
    skip_faults: bool = False,
    omissions: Omissions | None = None,
) -> Iterator[Triplet]:
    """Stream the triplets of a file, in its order.

    Args:
        path: JSON lines, a JSON array, a table with a header line (all three also gzip), or parquet.
        negatives: How many hard negatives each is to have: the first of those that it has. A row with fewer is a fault,
            since the columns of a batch are all of one length. All that there are by default.
        skip_faults: Leave faulty rows out and count them, instead of raising at the first.
        omissions: Counts what is left out; without it, that is logged as a warning at the end.

    Raises:
        ConfigError: ``negatives`` is below 0.
        SourceNotFoundError: Nothing lies at that path, or a folder does. Raised at once.
        CorpusFormatError: A row breaks the format; raised when it is reached.
    """
    if negatives is not None and negatives < 0:
        raise ConfigError(f"negatives is {negatives}; ask for 0 or more")
    records = read_records(path, example=TRIPLET_EXAMPLE)
    parse = partial(_triplets, negatives)
    return parsed(path.name, records, parse, skip_faults=skip_faults, omissions=omissions)


def read_labelled_pairs(
    path: Path, *, skip_faults: bool = False, omissions: Omissions | None = None
) -> Iterator[LabelledPair]:
    """Stream the labelled pairs of a file, in its order; otherwise as :func:`read_triplets`.

    Raises:
        SourceNotFoundError: Nothing lies at that path, or a folder does. Raised at once.
        CorpusFormatError: A row breaks the format; raised when it is reached.
    """
    records = read_records(path, example=PAIR_EXAMPLE, columns=(*QUERY_KEYS, *PASSAGE_KEYS, *SCORE_KEYS))
    return parsed(path.name, records, _pairs, skip_faults=skip_faults, omissions=omissions)


def pairs_of_triplets(triplets: Iterable[Triplet]) -> Iterator[LabelledPair]:
    """For each triplet its positive with the label 1, then its negatives with 0, for a reranker to learn from."""
    for triplet in triplets:
        yield LabelledPair(query=triplet.query, passage=triplet.positive, label=1.0)
        for negative in triplet.negatives:
            yield LabelledPair(query=triplet.query, passage=negative, label=0.0)


def _triplets(wanted: int | None, name: str, place: str, record: Record) -> Iterator[Triplet]:
    whole(name, place, record)
    query = _text(name, place, record, QUERY_KEYS)
    positive_key = one_key(name, place, record, POSITIVE_KEYS) or POSITIVE_KEYS[0]
    positives = _texts(name, place, positive_key, record.get(positive_key))
    if not positives:
        fault(name, place, f"{positive_key} is an empty list; write what answers the query, or remove the row")
    negatives = _negatives(name, place, record)
    if wanted is not None:
        if len(negatives) < wanted:
            fault(name, place, f"{len(negatives)} hard negatives where {wanted} are wanted; mine more or ask for fewer")
        negatives = negatives[:wanted]
    for number, negative in enumerate(negatives, start=1):
        if negative in positives:
            fault(name, place, f"negative {number} is a positive of the same row, {short(negative)}; remove it")
    for positive in positives:
        yield Triplet(query=query, positive=positive, negatives=negatives)


def _negatives(name: str, place: str, record: Record) -> tuple[str, ...]:
    # A table has an empty cell where a row has fewer negatives than its header names.
    there = [key for key, value in record.items() if value is not None and not _blank(value)]
    numbered = {key: int(match[1]) for key in there if (match := NUMBERED.fullmatch(key))}
    key = one_key(name, place, record, NEGATIVE_KEYS)
    if key and numbered:
        fault(name, place, f"both {key!r} and {next(iter(numbered))!r}, which mean the same here; keep one")
    if key:
        return _texts(name, place, key, record[key])
    if len(set(numbered.values())) != len(numbered):
        fault(name, place, "both negative_… and hard_negative_…, which mean the same here; keep one")
    ordered = sorted(numbered, key=numbered.__getitem__)
    return tuple(text_of(name, place, key, record[key]) for key in ordered)


def _blank(value: object) -> bool:
    return isinstance(value, str) and not value.strip()


def _pairs(name: str, place: str, record: Record) -> tuple[LabelledPair]:
    whole(name, place, record)
    label_key = one_key(name, place, record, SCORE_KEYS) or SCORE_KEYS[0]
    pair = LabelledPair(
        query=_text(name, place, record, QUERY_KEYS),
        passage=_text(name, place, record, PASSAGE_KEYS),
        label=_label(name, place, label_key, record.get(label_key)),
    )
    return (pair,)


def _label(name: str, place: str, key: str, value: object) -> float:
    try:
        label = float(value) if isinstance(value, str | int | float) else -1.0
    except (ValueError, OverflowError):
        label = -1.0
    if not 0 <= label <= 1:  # also NaN
        fault(name, place, f"{key} {short(value)} is no number from 0, does not answer, to 1, answers")
    return label


def _text(name: str, place: str, record: Record, keys: tuple[str, ...]) -> str:
    key = one_key(name, place, record, keys) or keys[0]
    return text_of(name, place, key, record.get(key))


def _texts(name: str, place: str, key: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(text_of(name, place, f"{key}[{i}]", text) for i, text in enumerate(value))
    return (text_of(name, place, key, value),)
