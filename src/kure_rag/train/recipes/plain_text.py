"""Sentences without labels: lines of plain text, and the texts of whatever else training reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from kure_rag.errors import CorpusFormatError, SourceNotFoundError
from kure_rag.read.corpus import read_lines
from kure_rag.train.readers import Omissions, Row, read_training_data
from kure_rag.train.readers.detect import is_held_out

TEXTS: Final = "plain text with one sentence a line (.txt), or the texts of NLI, STS, triplets or statutes"

_ENDINGS: Final = (".txt", ".txt.gz")


def read_texts(
    places: Sequence[Path], scratch: Path, omissions: Omissions, *, skip_faults: bool = False
) -> Iterator[str | Row]:
    """The lines of all plain files at some places, and the rows of all others.

    Of a folder its files are taken, but none whose name says that it is held out.

    Args:
        places: Files and folders.
        scratch: Where readers may lay texts out.
        omissions: Counts what is left out.
        skip_faults: Leave faulty rows out; a line of text has no faults.

    Raises:
        SourceNotFoundError: Nothing lies at a place, or a folder has nothing that can be read.
        CorpusFormatError: A file is none of the formats, or a row breaks its own.
    """
    for place in places:
        plain = [path for path in _within(place) if path.name.lower().endswith(_ENDINGS)]
        for path in plain:
            for _, line in read_lines(path):
                yield line.strip()
        if place in plain:
            continue
        try:
            rows = read_training_data([place], skip_faults=skip_faults, omissions=omissions, scratch=scratch)
        except SourceNotFoundError:
            if plain:  # a folder with nothing else in it
                continue
            raise
        except CorpusFormatError as error:
            what = f"{error.reason}; or plain text with a sentence on each line, in a file named .txt"
            raise CorpusFormatError(error.source, what) from error
        yield from rows


def _within(place: Path) -> list[Path]:
    return [path for path in sorted(place.iterdir()) if not is_held_out(path.name)] if place.is_dir() else [place]
