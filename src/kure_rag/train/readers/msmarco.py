"""Retrieval sets to train on: MS MARCO's files, and folders in BEIR's layout.

- **MS MARCO passages** (Bajaj et al. 2016, https://microsoft.github.io/msmarco/): ``collection.tsv`` (passage id, text)
  and ``queries.train.tsv`` (query id, text), with either ``qrels.train.tsv`` (query id, 0, passage id, relevance, as in
  TREC) or ``qidpidtriples.train.tsv`` (query id, id of a positive, id of a negative). Korean translations of it
  keep these files. No file has a header line.
- **BEIR's layout** (Thakur et al. 2021): ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/train.tsv``, otherwise
  ``qrels.tsv``; never ``qrels/test.tsv``, which is what the trained model is going to be measured on.

The texts of passages are laid out in a temporary file on disk, those of MS MARCO's queries too. Of a BEIR folder the
queries and judgements are held in memory, as evaluation holds them.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from kure_rag.errors import CorpusFormatError, SourceNotFoundError
from kure_rag.evaluate.sets import read_set
from kure_rag.read.corpus import read_lines, require_file, short
from kure_rag.train.readers.omissions import Omissions
from kure_rag.train.readers.records import LeftOutError, Record, TornRow, fault, parsed, text_of, whole
from kure_rag.train.readers.rows import Triplet
from kure_rag.train.readers.texts_on_disk import TextsOnDisk
from kure_rag.types import contextualized

BEIR_TRAIN_QRELS: Final = ("qrels/train.tsv", "qrels.tsv")

_HEADER: Final = ("query-id", "corpus-id", "score")
_LOOKED_AT: Final = 200
_GRADES: Final = frozenset("0123")


def read_msmarco(
    collection: Path,
    queries: Path,
    judgements: Path,
    *,
    scratch: Path | None = None,
    skip_faults: bool = False,
    omissions: Omissions | None = None,
) -> Iterator[Triplet]:
    """Stream a triplet for each judgement above 0, or for each triple of ids; see the module for the files.

    Args:
        collection: Passage ids and texts; plain or gzip, as all three are.
        queries: Query ids and texts.
        judgements: Four columns of judgements, three of ids, or BEIR's three columns with their header line.
        scratch: Folder for the temporary file with the texts; it needs about as much room as they.
        skip_faults: Leave out judgements of ids that the other files lack, and count them, instead of raising.
        omissions: Counts what is left out; without it, that is logged as a warning at the end.

    Raises:
        SourceNotFoundError: One of the files is missing. Raised at once.
        CorpusFormatError: A line breaks the format; raised when it is reached.
        ReadError: There is no room for the temporary file.
    """
    for path in (collection, queries, judgements):
        require_file(path)
    return _msmarco(collection, queries, judgements, scratch, skip_faults, omissions)


def _msmarco(
    collection: Path,
    queries: Path,
    judgements: Path,
    scratch: Path | None,
    skip_faults: bool,
    omissions: Omissions | None,
) -> Iterator[Triplet]:
    with TextsOnDisk(scratch) as texts:
        texts.fill("query", queries.name, _texts(queries))
        texts.fill("passage", collection.name, _texts(collection))

        def triplets(name: str, place: str, record: Record) -> tuple[Triplet]:
            whole(name, place, record)
            if record["grade"] <= 0:
                raise LeftOutError("judged not relevant")
            found = {}
            for role, (kind, identifier) in record["ids"].items():
                if (text := texts.get(kind, identifier)) is None:
                    of = queries if kind == "query" else collection
                    fault(name, place, f"{kind} {short(identifier)} is not in {of.name}; use the files of one set")
                found[role] = text
            negatives = (found["negative"],) if "negative" in found else ()
            return (Triplet(query=found["query"], positive=found["positive"], negatives=negatives),)

        records = _judged(judgements)
        yield from parsed(judgements.name, records, triplets, skip_faults=skip_faults, omissions=omissions)


def read_judged_triplets(
    folder: Path, *, scratch: Path | None = None, omissions: Omissions | None = None
) -> Iterator[Triplet]:
    """Stream a triplet without negatives for each judgement above 0 of a folder in BEIR's layout.

    A passage is its title, if it has one, on a line of its own above its text, as an index embeds it.

    Args:
        folder: With ``corpus.jsonl``, ``queries.jsonl`` (both may be ``.gz``) and ``qrels/train.tsv`` or ``qrels.tsv``.
        scratch: Folder for the temporary file with the passages.
        omissions: Counts the queries that are left out because no document answers them.

    Raises:
        SourceNotFoundError: The folder or one of its files is missing. Raised at once.
        CorpusFormatError: A file breaks its format, or a judgement names a document that the corpus lacks.
        ReadError: There is no room for the temporary file.
    """
    if folder.is_dir() and not any((folder / name).is_file() for name in BEIR_TRAIN_QRELS):
        test = "; qrels/test.tsv is what the model will be measured on" if (folder / "qrels/test.tsv").is_file() else ""
        raise SourceNotFoundError(folder.name, f"no {' or '.join(BEIR_TRAIN_QRELS)} to train on{test}")
    found = read_set(folder, qrels=BEIR_TRAIN_QRELS)

    def triplets() -> Iterator[Triplet]:
        corpus = found.corpus_path.name
        with TextsOnDisk(scratch) as texts:
            rows = ((f"record {i}", r.id, contextualized((r.title,), r.text)) for i, r in enumerate(found.records(), 1))
            texts.fill("passage", corpus, rows)
            for query, relevant in found.qrels.items():
                for document in relevant:
                    if (text := texts.get("passage", document)) is None:
                        what = f"no document {short(document)}, which is judged for query {short(query)}"
                        raise CorpusFormatError(corpus, f"{what}; use the corpus that the judgements were made on")
                    yield Triplet(query=found.queries[query], positive=text)

    return triplets()


def _texts(path: Path) -> Iterator[tuple[str, str, str]]:
    for number, line in read_lines(path):
        place = f"line {number}"
        row = line.split("\t")
        if len(row) != 2:
            fault(path.name, place, f"{len(row)} columns; write an id and a text separated by a tab")
        if not row[0].strip():
            fault(path.name, place, "the id is empty; give each text an id")
        yield place, _id(row[0]), text_of(path.name, place, "text", row[1])


def _judged(path: Path) -> Iterator[tuple[str, Record]]:
    lines = read_lines(path)
    start = list(itertools.islice(lines, _LOOKED_AT))
    if not start:
        raise CorpusFormatError(path.name, "empty; give judgements or triples of ids")
    number, first = start[0]
    header = tuple(cell.strip().lower() for cell in _columns(first)) == _HEADER
    columns = len(_columns(first))
    if columns not in (3, 4):
        what = f"{columns} columns; write query id, 0, passage id and relevance, or query id and two passage ids"
        fault(path.name, f"line {number}", what)
    rows = [_columns(line) for _, line in start]
    if columns == 3 and not header and all(len(row) == 3 and row[2] in _GRADES for row in rows):
        # As ids of passages, these would make one passage the hard negative of every query.
        what = "the third column reads as a relevance, not as a passage's id"
        fault(path.name, f"line {number}", f"{what}; begin judgements with a line query-id, corpus-id, score")
    for line_number, line in itertools.chain(start[1:] if header else start, lines):
        place, row = f"line {line_number}", _columns(line)
        if len(row) != columns:
            yield place, TornRow(len(row), columns)
        elif header or columns == 4:
            grade = _grade(path.name, place, row[-1])
            yield (
                place,
                {"grade": grade, "ids": {"query": ("query", _id(row[0])), "positive": ("passage", _id(row[-2]))}},
            )
        else:
            ids = zip(("query", "positive", "negative"), ("query", "passage", "passage"), row, strict=True)
            yield place, {"grade": 1, "ids": {role: (kind, _id(cell)) for role, kind, cell in ids}}


def _columns(line: str) -> Sequence[str]:
    """TREC separates its judgements by spaces as well as by tabs."""
    return line.split("\t") if "\t" in line else line.split()


def _grade(name: str, place: str, cell: str) -> int:
    try:
        return int(cell)
    except ValueError:
        fault(name, place, f"relevance {short(cell)} is no whole number; write 1 for relevant, 0 for not")


def _id(cell: str) -> str:
    return unicodedata.normalize("NFC", cell.strip())
