"""Korean sentences beside their English translations: two columns separated by tabs.

A header line may name the columns (``ko`` and ``en``, or ``korean`` and ``english``, among others); without one, the
first column is Korean. Before the first pair is given, the beginning of the file is looked at: if the column that is to
be Korean has less Hangul than the English one, they are swapped, and nothing is read. A student that is taught with
swapped columns gets worse, and no loss curve shows it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from kure_rag.errors import CorpusFormatError
from kure_rag.read.corpus import read_lines, require_file
from kure_rag.train.readers.omissions import Omissions
from kure_rag.train.readers.records import Record, TornRow, fault, header_of, parsed, text_of, whole
from kure_rag.train.readers.rows import Parallel

KOREAN_NAMES: Final = ("ko", "kor", "korean", "ko_kr")
ENGLISH_NAMES: Final = ("en", "eng", "english", "en_us")

_LOOKED_AT: Final = 500  # pairs
_HALF: Final = 0.5


def read_bitext(path: Path, *, skip_faults: bool = False, omissions: Omissions | None = None) -> Iterator[Parallel]:
    """Stream the pairs of a file, in its order.

    Args:
        path: UTF-8, plain or gzip. Without a header line it has two columns, Korean and English.
        skip_faults: Leave faulty rows out and count them, instead of raising at the first.
        omissions: Counts what is left out; without it, that is logged as a warning at the end.

    Raises:
        SourceNotFoundError: Nothing lies at that path, or a folder does. Raised at once.
        CorpusFormatError: The columns are swapped, or a row breaks the format; raised when it is reached.
    """
    require_file(path)
    return _checked(path, parsed(path.name, _records(path), _pairs, skip_faults=skip_faults, omissions=omissions))


def has_bitext_header(names: Sequence[str]) -> bool:
    """Whether the cells of a first line name both languages."""
    return any(name in KOREAN_NAMES for name in names) and any(name in ENGLISH_NAMES for name in names)


def hangul_share(texts: Sequence[str]) -> float:
    """Share of the texts that have more Hangul than Latin letters, from 0 to 1; 0 for no texts."""
    korean = sum(
        sum("가" <= letter <= "힣" for letter in text) > sum("a" <= letter <= "z" for letter in text.lower())
        for text in texts
    )
    return korean / len(texts) if texts else 0.0


def _records(path: Path) -> Iterator[tuple[str, Record]]:
    first, names = header_of(path)
    if not any(names):
        raise CorpusFormatError(path.name, "empty; give a file with at least one pair")
    header = has_bitext_header(names)
    if not header and any(name in (*KOREAN_NAMES, *ENGLISH_NAMES) for name in names):
        fault(path.name, f"line {first}", f"only one of two languages is named ({', '.join(names)}); name ko and en")
    korean = next((i for i, name in enumerate(names) if name in KOREAN_NAMES), 0) if header else 0
    english = next((i for i, name in enumerate(names) if name in ENGLISH_NAMES), 1) if header else 1
    columns = len(names) if header else 2
    for number, line in read_lines(path):
        if header and number == first:
            continue
        row = line.split("\t")
        if len(row) != columns:
            yield f"line {number}", TornRow(len(row), columns)
        else:
            yield f"line {number}", {"ko": row[korean], "en": row[english]}


def _pairs(name: str, place: str, record: Record) -> tuple[Parallel]:
    whole(name, place, record)
    korean, english = (text_of(name, place, language, record.get(language)) for language in ("ko", "en"))
    return (Parallel(korean=korean, english=english, id=f"{_stem(name)}:{place.removeprefix('line ')}"),)


def _stem(name: str) -> str:
    return name.removesuffix(".gz").rpartition(".")[0] or name


def _checked(path: Path, pairs: Iterator[Parallel]) -> Iterator[Parallel]:
    start = list(itertools.islice(pairs, _LOOKED_AT))
    if start:
        korean = hangul_share([pair.korean for pair in start])
        english = hangul_share([pair.english for pair in start])
        shares = (
            f"of the first {len(start)} pairs, {korean:.0%} of the Korean column and {english:.0%} of the English "
            "column are mostly Hangul"
        )
        if korean < english:
            raise CorpusFormatError(
                path.name, f"the columns seem swapped: {shares}; name them ko and en in a first line"
            )
        if korean < _HALF or english >= _HALF:
            raise CorpusFormatError(path.name, f"no Korean-English pairs: {shares}; give Korean and English columns")
    yield from start
    yield from pairs
