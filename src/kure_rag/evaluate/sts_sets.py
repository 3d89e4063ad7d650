"""Sets of sentence pairs with a similarity that people gave them: KorSTS's table and KLUE-STS's JSON.

- **KorSTS** (Ham et al. 2020, https://github.com/kakaobrain/kor-nlu-datasets): tab-separated with a header line; the
  columns ``score``, ``sentence1`` and ``sentence2`` are found by their names. Quotation marks are text, never quoting.
- **KLUE-STS** (Park et al. 2021, https://github.com/KLUE-benchmark/KLUE): a JSON array of objects with ``sentence1``,
  ``sentence2`` and ``labels``, of which ``label`` (the mean of the annotators, rounded to one decimal) is taken, as
  MTEB does; ``real-label`` is that mean unrounded.

Both run from 0 to 5. Sentences come out in NFC.
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kure_rag.errors import CorpusFormatError, SourceNotFoundError
from kure_rag.read.corpus import fail, read_lines, require_file, short
from kure_rag.read.json_array import read_array

if TYPE_CHECKING:
    from pathlib import Path

LEAST_SCORE: Final = 0.0
MOST_SCORE: Final = 5.0

_KORSTS: Final = {"sts-train": 5_749, "sts-dev": 1_500, "sts-test": 1_379}  # pairs of its parts
_COLUMNS: Final = ("score", "sentence1", "sentence2")
_LEAST_PAIRS: Final = 3  # two points always lie on one line


@dataclass(frozen=True, slots=True, kw_only=True)
class StsPair:
    """Two sentences and how alike people found them.

    Attributes:
        id: The record's own (``guid``), or the number of its line.
        first: A sentence in NFC.
        second: The other.
        score: From 0, nothing in common, to 5, the same meaning.
    """

    id: str
    first: str
    second: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StsSet:
    """A set to evaluate a model on.

    Attributes:
        name: The file's name without its ending; ``KorSTS-test`` for KorSTS's ``sts-test.tsv``, since the English set
            that it was translated from has files of those names too. It is known by being Korean and by its number of
            pairs: another file of that name keeps its own.
        pairs: In the file's order; three at the least, not all with one score.
        sha256: Of the file's bytes.
    """

    name: str
    pairs: tuple[StsPair, ...]
    sha256: str


def read_sts(path: Path) -> StsSet:
    """Reads a set in KorSTS's format (``.tsv``, also gzip) or KLUE-STS's (``.json``, also gzip).

    Raises:
        SourceNotFoundError: Nothing lies at that path, or a folder does.
        CorpusFormatError: A line or record breaks the format; the message names the file and the line.
        ReadError: The operating system refuses to read it.
    """
    pairs = tuple(read_sts_pairs(path))
    if len(pairs) < _LEAST_PAIRS:
        raise CorpusFormatError(path.name, f"{len(pairs)} pairs; a correlation needs {_LEAST_PAIRS} at the least")
    if len({pair.score for pair in pairs}) == 1:
        raise CorpusFormatError(path.name, f"every pair has the score {pairs[0].score:g}; nothing correlates with that")
    return StsSet(name=_name(path, pairs), pairs=pairs, sha256=_sha256(path))


def read_sts_pairs(path: Path) -> Iterator[StsPair]:
    """Streams the pairs of such a file, in its order, for training.

    Raises:
        SourceNotFoundError: Nothing lies at that path, or a folder does. Raised at once.
        CorpusFormatError: A line or record breaks the format; raised when it is reached.
        ReadError: The operating system refuses to read it.
    """
    _require_set(path)
    return _of_json(path) if path.name.lower().endswith((".json", ".json.gz")) else _of_table(path)


def _require_set(path: Path) -> None:
    if path.is_dir():
        inside = sorted(file.name for file in path.iterdir() if file.suffix in (".tsv", ".json"))
        hint = f"it holds {', '.join(inside[:4])}" if inside else "such as sts-test.tsv"
        raise SourceNotFoundError(path.name or str(path), f"is a folder; name a file of sentence pairs ({hint})")
    require_file(path)


def _of_table(path: Path) -> Iterator[StsPair]:
    lines = read_lines(path)
    number, header = next(lines, (1, ""))
    names = [name.strip().lower() for name in header.split("\t")]
    if missing := [name for name in _COLUMNS if name not in names]:
        what = f"no column {' or '.join(missing)} in the header; begin with the names of columns, separated by tabs"
        fail(path.name, number, what)
    score_at, first_at, second_at = (names.index(name) for name in _COLUMNS)
    for number, line in lines:
        row = line.split("\t")
        if len(row) != len(names):
            fail(path.name, number, f"{len(row)} columns separated by tabs, and the header names {len(names)}")
        yield StsPair(
            id=str(number),
            first=_sentence(path.name, number, "sentence1", row[first_at]),
            second=_sentence(path.name, number, "sentence2", row[second_at]),
            score=_score(path.name, number, row[score_at]),
        )


def _of_json(path: Path) -> Iterator[StsPair]:
    seen: dict[str, int] = {}
    for number, record in read_array(path, what="KLUE-STS"):
        if not isinstance(record, dict):
            fail(path.name, number, "not an object; write sentence1, sentence2 and labels for each pair")
        identifier = str(record.get("guid", number))
        if (before := seen.setdefault(identifier, number)) != number:
            fail(path.name, number, f"guid {short(identifier)} is already on line {before}; give each pair its own")
        labels = record.get("labels")
        if not isinstance(labels, dict) or "label" not in labels:
            fail(path.name, number, 'no "labels" with a "label"; write {"labels": {"label": 3.4}}')
        yield StsPair(
            id=identifier,
            first=_sentence(path.name, number, "sentence1", record.get("sentence1")),
            second=_sentence(path.name, number, "sentence2", record.get("sentence2")),
            score=_score(path.name, number, labels["label"]),
        )


def _sentence(name: str, number: int, column: str, value: object) -> str:
    if not isinstance(value, str):
        fail(name, number, f"{column} is missing or no string; write the sentence")
    if not value.strip():
        fail(name, number, f"{column} is empty; write the sentence or remove the pair")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        fail(name, number, f"{column} has a lone surrogate, half a character, in it; correct it", error)
    return unicodedata.normalize("NFC", value)


def score_of(value: object) -> float | None:
    """A score as files have it, as a number or as text; ``None`` where it is none, or out of range."""
    try:
        score = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        return None
    return score if LEAST_SCORE <= score <= MOST_SCORE else None


def _score(name: str, number: int, value: object) -> float:
    score = score_of(value)
    if score is None:
        fail(name, number, f"score {short(value)} is no number from {LEAST_SCORE:g} to {MOST_SCORE:g}")
    return score


def _name(path: Path, pairs: tuple[StsPair, ...]) -> str:
    stem = path.name.removesuffix(".gz").rpartition(".")[0] or path.name
    is_korean = any("가" <= letter <= "힣" for pair in pairs[:_LEAST_PAIRS] for letter in pair.first)
    return f"KorSTS-{stem.removeprefix('sts-')}" if _KORSTS.get(stem) == len(pairs) and is_korean else stem


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
