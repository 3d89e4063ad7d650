"""What ``kure-rag mine`` asks, and the index it asks: one that is there, or one of the questions' own corpus."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kure_rag.cli import common, embedding
from kure_rag.errors import ConfigError, ReadError
from kure_rag.evaluate import RetrievalSet, read_set
from kure_rag.ingest.places import corpus_name
from kure_rag.read import Record
from kure_rag.read.corpus import record_id
from kure_rag.train.mine import Question, questions_of_set, read_pairs, records_of_pairs

if TYPE_CHECKING:
    from kure_rag.pipeline import KureIndex


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions, and the corpus that they are about.

    Attributes:
        questions: With their positives.
        records: Streams the corpus.
        corpus: What its records are known by together.
        id_key: See :attr:`kure_rag.evaluate.RetrievalSet.id_key`.
    """

    questions: Sequence[Question]
    records: Callable[[], Iterator[Record]]
    corpus: str
    id_key: str | None = None


def asked(options: argparse.Namespace) -> Asked:
    """Reads the questions, whatever form they have."""
    path: Path = options.questions
    if path.is_dir() and (path / "qa.parquet").is_file() and not any(path.glob("corpus.jsonl*")):
        path = path / "qa.parquet"
    if path.suffix == ".parquet":
        from kure_rag.autorag import read_judged

        return _of_set(read_judged(path, options.corpus), options.limit)
    if path.is_dir() or not path.exists():
        return _of_set(read_set(path), options.limit)
    pairs = read_pairs(path)
    return Asked(
        _some(pairs, options.limit),
        # Of all pairs: with fewer questions the others' positives are still what is searched.
        lambda: records_of_pairs(pairs, options.corpus),
        corpus_name(path),
    )


@contextmanager
def searched(options: argparse.Namespace, given: Asked) -> Iterator[KureIndex]:
    """The index, open."""
    with common.mending() as steps:
        if options.index is not None:
            with embedding.open_index(options, options.index, create=False, progress=steps) as index:
                yield index
            return
        with tempfile.TemporaryDirectory(prefix="kure-rag-mine-") as scratch:
            folder = options.keep_index or Path(scratch, "index")
            with embedding.open_index(options, folder, progress=steps) as index:
                _fill(index, given)
                yield index


def _of_set(retrieval_set: RetrievalSet, limit: int | None) -> Asked:
    return Asked(
        _some(questions_of_set(retrieval_set), limit),
        retrieval_set.records,
        corpus_name(retrieval_set.corpus_path),
        retrieval_set.id_key,
    )


def _some(questions: Sequence[Question], limit: int | None) -> Sequence[Question]:
    """So many, from all over the file; the same ones for the same number."""
    if limit is None or limit >= len(questions):
        return questions
    return [questions[i * len(questions) // limit] for i in range(limit)]


def _fill(index: KureIndex, given: Asked) -> None:
    """Puts the corpus into the index; what is there already is left alone, and nothing else may be there."""
    others = {row.id: row.source for row in index.documents()}
    if others:
        for record in given.records():
            others.pop(record_id(record), None)
    if others:
        raise ConfigError(
            f"{index.path}: holds {len(others)} documents that are not in this corpus, first "
            f"{next(iter(others.values()))!r}, and a search would find those too. Nothing was added to it; give "
            "--keep-index a folder of its own, or search it as it is with --index"
        )
    with common.progress("indexing") as advance:
        report = index.add_records(given.records(), corpus=given.corpus, progress=advance)
    if lost := [row for row in report.rows if row.status == "rejected"]:
        raise ReadError(lost[0].source, f"{lost[0].reason} ({len(lost)} records could not be indexed)")
