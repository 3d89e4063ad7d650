"""What a file of training data is: its kind, told by its content, and whether it is held out, told by its name."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection
from pathlib import Path
from typing import Final, Literal, get_args

from kure_rag.errors import CorpusFormatError, SourceNotFoundError
from kure_rag.read.corpus import CORPUS_NAMES, read_lines, require_file, short
from kure_rag.train.readers.bitext import hangul_share, has_bitext_header
from kure_rag.train.readers.nli import HYPOTHESIS_KEYS, LABEL_KEYS, PREMISE_KEYS
from kure_rag.train.readers.records import header_of, is_parquet, load_arrow, read_records
from kure_rag.train.readers.triplets import (
    NEGATIVE_KEYS,
    NUMBERED,
    PASSAGE_KEYS,
    POSITIVE_KEYS,
    QUERY_KEYS,
    SCORE_KEYS,
)

Kind = Literal["nli", "sts", "triplets", "pairs", "bitext", "articles"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

ACCEPTED: Final[dict[Kind, str]] = {
    "nli": "NLI: sentence1, sentence2, gold_label between tabs (KorNLI), or premise, hypothesis, gold_label in JSON",
    "sts": "STS: score, sentence1, sentence2 between tabs (KorSTS), or sentence1, sentence2, labels in JSON (KLUE-STS)",
    "triplets": "triplets: query, positive, negatives in JSON lines, parquet or between tabs; a folder in BEIR's "
    "layout or with MS MARCO's collection.tsv, queries.train.tsv and qrels.train.tsv",
    "pairs": "labelled pairs: query, passage, label in JSON lines, parquet or between tabs",
    "bitext": "bitext: ko and en between tabs",
    "articles": "articles: law, title, text in JSON lines",
}

COLLECTION: Final = "collection.tsv"
"""MS MARCO's passages. A folder with them is one retrieval set."""

_HELD_OUT: Final = frozenset({"dev", "test", "val", "valid", "validation", "eval", "evaluation"})
_EXAMPLE: Final = '{"query": "…", "positive": "…"}'


def detect_kind(path: Path) -> Kind:
    """What a file, or a folder that is one retrieval set, holds.

    Raises:
        SourceNotFoundError: Nothing lies at that path.
        CorpusFormatError: It is none of :data:`ACCEPTED`; the message lists them.
        MissingExtraError: It is parquet, and pyarrow is not installed.
    """
    if path.is_dir():
        if is_set(path):
            return "triplets"
        raise SourceNotFoundError(path.name, "is a folder of several files; name one of them")
    require_file(path)
    if is_parquet(path):
        return _of_names(path, _parquet_names(path))
    start = next((line for _, line in read_lines(path)), "").lstrip()[:1]
    if not start:
        raise CorpusFormatError(path.name, "empty; give a file with at least one row")
    if start in "{[":
        return _of_names(path, _first_names(path))
    _, names = header_of(path)
    if has_bitext_header(names):
        return "bitext"
    if len(names) == 2 and _is_plain_bitext(path):
        return "bitext"
    return _of_names(path, names)


def is_held_out(name: str) -> bool:
    """Whether a file's name says that it is for development or for the test, as ``xnli.dev.ko.tsv`` does."""
    words = set(re.split(r"[^a-z0-9]+", name.lower()))
    return bool(words & _HELD_OUT) and "train" not in words


def accepted(kinds: Collection[Kind] = KINDS) -> str:
    """The formats of these kinds, for messages."""
    return "accepted: " + "; ".join(ACCEPTED[kind] for kind in kinds)


def _of_names(path: Path, given: Collection[str]) -> Kind:
    names = set(given)

    def has(keys: Collection[str]) -> bool:
        return not names.isdisjoint(keys)

    if has(PREMISE_KEYS) and has(HYPOTHESIS_KEYS):
        if has(LABEL_KEYS):
            return "nli"
        if has(("score", "labels")):
            return "sts"
    if {"law", "title", "text"} <= names:
        return "articles"
    if has(QUERY_KEYS):
        mined = has(NEGATIVE_KEYS) or has(POSITIVE_KEYS[:2]) or any(map(NUMBERED.fullmatch, names))
        if has(PASSAGE_KEYS) and has(SCORE_KEYS) and not mined:
            return "pairs"
        if has(POSITIVE_KEYS):
            return "triplets"
    if names & set(PREMISE_KEYS) or has(QUERY_KEYS):
        what = f"not enough is known of it by its columns, {', '.join(map(short, sorted(names)[:8]))}"
    else:
        what = f"no format that training reads: its columns are {', '.join(map(short, sorted(names)[:8])) or 'none'}"
    raise CorpusFormatError(path.name, f"{what}; {accepted()}")


def _first_names(path: Path) -> list[str]:
    _, record = next(read_records(path, example=_EXAMPLE), ("", {}))
    if not record:
        raise CorpusFormatError(path.name, "no rows; give a file with at least one")
    return [str(name) for name in record]


def _parquet_names(path: Path) -> list[str]:
    arrow = load_arrow()
    try:
        return list(arrow.parquet.read_schema(path).names)
    except (arrow.ArrowException, OSError) as error:
        raise CorpusFormatError(path.name, f"not parquet, or damaged ({error}); fetch or write it again") from error


def _is_plain_bitext(path: Path) -> bool:
    """Whether a table of two columns without a header has a language in each."""
    rows = [line.split("\t") for _, line in itertools.islice(read_lines(path), 100)]
    columns = list(zip(*(row for row in rows if len(row) == 2), strict=True))
    return len(columns) == 2 and abs(hangul_share(columns[0]) - hangul_share(columns[1])) > 0.5


def is_set(folder: Path) -> bool:
    """Whether a folder is one retrieval set: in BEIR's layout, or with MS MARCO's files."""
    return any((folder / name).is_file() for name in (*CORPUS_NAMES, COLLECTION, f"{COLLECTION}.gz"))
