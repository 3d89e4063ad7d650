"""Which files of a place may be trained on, and their rows, each file by the reader that fits it."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kure_rag.errors import ConfigError, CorpusFormatError, ReadError, SourceNotFoundError
from kure_rag.train.readers.bitext import read_bitext
from kure_rag.train.readers.detect import ACCEPTED, COLLECTION, KINDS, Kind, accepted, detect_kind, is_held_out, is_set
from kure_rag.train.readers.documents import read_articles
from kure_rag.train.readers.msmarco import read_judged_triplets, read_msmarco
from kure_rag.train.readers.nli import read_nli
from kure_rag.train.readers.omissions import Omissions
from kure_rag.train.readers.rows import Row
from kure_rag.train.readers.sts import read_sts
from kure_rag.train.readers.triplets import read_labelled_pairs, read_triplets

_log = logging.getLogger(__name__)
_ENDINGS: Final = (".tsv", ".json", ".jsonl", ".parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFiles:
    """What a place holds to train on.

    Attributes:
        files: Files, and folders that are one set, each with what it is.
        left_out: Name of a file in the folder → why it is not read.
    """

    files: tuple[tuple[Path, Kind], ...]
    left_out: dict[str, str] = field(default_factory=dict)


def find_training_files(place: Path, want: Kind | Collection[Kind]) -> TrainingFiles:
    """The files at a place that may be trained on.

    A file is taken as it is. A folder is one set if it is in BEIR's layout or has MS MARCO's files. Of any other folder
    the files right in it are taken that hold what is wanted; those whose names say that they are held out (``dev``,
    ``test``, ``val``, ``eval`` …) never are: name such a file itself to train on it.

    Args:
        place: File or folder.
        want: What the recipe takes.

    Raises:
        SourceNotFoundError: Nothing lies at that path, or nothing in the folder may be trained on.
        CorpusFormatError: The file holds something else than what is wanted.
    """
    wanted = _wanted(want)
    if not place.is_dir() or is_set(place):
        kind = detect_kind(place)
        if kind not in wanted:
            holds = ACCEPTED[kind].partition(":")[0]
            raise CorpusFormatError(place.name, f"holds {holds}, which this recipe does not take; {accepted(wanted)}")
        return TrainingFiles(files=((place, kind),))
    files: list[tuple[Path, Kind]] = []
    left_out: dict[str, str] = {}
    for path in sorted(place.iterdir()):
        name = path.name.lower().removesuffix(".gz")
        if not path.is_file() or not name.endswith(_ENDINGS):
            continue
        if is_held_out(path.name):
            left_out[path.name] = "its name says that it is held out"
            continue
        try:
            kind = detect_kind(path)
        except ReadError as error:
            left_out[path.name] = error.reason
            continue
        if kind in wanted:
            files.append((path, kind))
        else:
            left_out[path.name] = f"it holds {ACCEPTED[kind].partition(':')[0]}"
    if not files:
        why = "; ".join(f"{name}: {reason}" for name, reason in itertools.islice(left_out.items(), 4))
        found = f"nothing to train on in this folder ({why or 'no .tsv, .json, .jsonl or .parquet file'})"
        raise SourceNotFoundError(
            place.name or str(place), f"{found}; name a file, or a folder with one. {accepted(wanted)}"
        )
    return TrainingFiles(files=tuple(files), left_out=left_out)


def read_training_file(
    path: Path,
    want: Kind | Collection[Kind] = KINDS,
    *,
    negatives: int | None = None,
    skip_faults: bool = False,
    omissions: Omissions | None = None,
    scratch: Path | None = None,
) -> Iterator[Row]:
    """Stream the rows of a file, or of a folder that is one retrieval set, by the reader that fits its content.

    Args:
        path: The file.
        want: What is expected: one kind or several. All by default.
        negatives: Hard negatives of each triplet; see :func:`read_triplets`.
        skip_faults: Leave faulty rows out and count them. BEIR's folders have no such leniency.
        omissions: Counts what is left out; without it, that is logged as a warning at the end.
        scratch: Folder for a temporary file with the texts of a retrieval set.

    Raises:
        SourceNotFoundError: Nothing lies at that path. Raised at once.
        CorpusFormatError: It holds something else than what is wanted, which is raised at once; or a row breaks the
            format, which is raised when it is reached.
    """
    found = find_training_files(path, want)
    if len(found.files) != 1 or found.files[0][0] != path:
        raise SourceNotFoundError(path.name, "is a folder of several files; use read_training_data")
    match found.files[0][1]:
        case "nli":
            return read_nli(path, skip_faults=skip_faults, omissions=omissions)
        case "sts":
            return read_sts(path, skip_faults=skip_faults, omissions=omissions)
        case "pairs":
            return read_labelled_pairs(path, skip_faults=skip_faults, omissions=omissions)
        case "bitext":
            return read_bitext(path, skip_faults=skip_faults, omissions=omissions)
        case "articles":
            return read_articles(path, skip_faults=skip_faults, omissions=omissions)
        case "triplets":
            pass
    if not path.is_dir():
        return read_triplets(path, negatives=negatives, skip_faults=skip_faults, omissions=omissions)
    if negatives:
        raise ConfigError(f"{path.name}: a folder of judgements has no {negatives} hard negatives; mine them first")
    if (path / COLLECTION).is_file() or (path / f"{COLLECTION}.gz").is_file():
        files = _msmarco_files(path)
        return read_msmarco(*files, scratch=scratch, skip_faults=skip_faults, omissions=omissions)
    return read_judged_triplets(path, scratch=scratch, omissions=omissions)


def read_training_data(
    places: Sequence[Path],
    want: Kind | Collection[Kind] = KINDS,
    *,
    negatives: int | None = None,
    skip_faults: bool = False,
    omissions: Omissions | None = None,
    scratch: Path | None = None,
) -> Iterator[Row]:
    """Stream the rows of all files at several places, one after the other; otherwise as :func:`read_training_file`.

    Which files there are is found out at once; files of a folder that are not read are logged.

    Raises:
        SourceNotFoundError: Nothing lies at a path, or nothing in a folder may be trained on. Raised at once.
        CorpusFormatError: As in :func:`read_training_file`.
    """
    files: dict[Path, None] = {}
    for place in places:
        found = find_training_files(place, want)
        files.update({path: None for path, _ in found.files})
        for name, reason in found.left_out.items():
            _log.warning("%s: %s is not read: %s", place.name or place, name, reason)

    def rows() -> Iterator[Row]:
        for path in files:
            yield from read_training_file(
                path, want, negatives=negatives, skip_faults=skip_faults, omissions=omissions, scratch=scratch
            )

    return rows()


def _wanted(want: Kind | Collection[Kind]) -> tuple[Kind, ...]:
    chosen: tuple[Kind, ...] = (want,) if isinstance(want, str) else tuple(want)
    if unknown := [kind for kind in chosen if kind not in KINDS]:
        raise ConfigError(f"want={unknown[0]!r}: choose among {', '.join(KINDS)}")
    return chosen


def _msmarco_files(folder: Path) -> tuple[Path, Path, Path]:
    """Collection, queries and judgements of a folder with MS MARCO's files; those for training."""
    collection = next(path for path in (folder / COLLECTION, folder / f"{COLLECTION}.gz") if path.is_file())
    return collection, _one(folder, "queries"), _one(folder, "triples", "qrels")


def _one(folder: Path, *words: str) -> Path:
    """The file whose name has the first of some words that any has; of several, the one for training."""
    for word in words:
        named = [p for p in sorted(folder.iterdir()) if word in p.name and ".tsv" in p.name and not is_held_out(p.name)]
        training = [path for path in named if "train" in path.name] or named
        if len(training) > 1:
            several = ", ".join(path.name for path in training)
            raise CorpusFormatError(
                folder.name, f"several files could be meant ({several}); leave one, or name train in one"
            )
        if training:
            return training[0]
    missing = " or ".join(f"{word}.train.tsv" for word in words)
    raise SourceNotFoundError(folder.name, f"no {missing} beside its collection.tsv; add it")
