"""Damages a file, and asks a catalog all that it can be asked."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from kure_rag.errors import IndexCorruptError
from kure_rag.index.catalog import Catalog, NewDocument
from kure_rag.index.catalog_file import FILE
from kure_rag.index.schema import VIEWS
from kure_rag.index.where import parse_where
from kure_rag.types import Chunk, Document

NEWEST = 2**60
WHERE = ({"domain": "legal"}, {"kind": "record"}, {"article": "제15조"}, {"year": {"$gte": 2025}}, {"page": 1})


class Truth:
    """The sound catalog, and everything that it answers."""

    def __init__(self, folder: Path) -> None:
        catalog = Catalog(folder, create=False)
        self.rows = [row for row, _ in catalog.all_rows()]
        self.ids = [row.id for row in catalog.documents()]
        self.chunk_ids = [id_ for _, id_ in catalog.all_rows()]
        self.names = sorted({row.source for row in catalog.documents()})
        self.keys = sorted(catalog.keys())
        self.settings = ("version", "generation", "epoch", "fingerprint", "dimension", "chunks")
        assert self.rows
        assert self.keys
        self.checked = self.ask(catalog, self.checked_questions())
        self.found = self.ask(catalog, self.lookups())
        catalog.close()
        self.data = (folder / FILE).read_bytes()

    def checked_questions(self) -> Iterator[tuple[str, Callable[[Catalog], Any]]]:
        """What comes with a checksum: an answer may be refused or be missing, never be another one."""
        for row in self.rows:
            yield f"fetch {row}", lambda c, row=row: c.fetch([row], NEWEST).get(row)
            yield f"keywords {row}", lambda c, row=row: c.keywords([row]).get(row)
            yield f"vector {row}", lambda c, row=row: [v.tolist() for v in c.vectors([row])[1]] or None
        for id_ in self.ids:
            yield f"document {id_}", lambda c, id_=id_: c.document(id_)
        for key in self.settings:
            yield f"setting {key}", lambda c, key=key: c.get(key)
        yield "state", lambda c: c.state()
        yield "counts", lambda c: c.counts()

    def lookups(self) -> Iterator[tuple[str, Callable[[Catalog], Any]]]:
        """What is read from an index of the database alone: where that lies, the check of the whole says so."""
        yield "all rows", lambda c: c.all_rows()
        yield "documents", lambda c: list(c.documents())
        yield "ids", lambda c: c.ids(self.rows)
        yield "rows", lambda c: c.rows_of(self.chunk_ids)
        yield "keys", lambda c: c.keys()
        yield "places", lambda c: c.places()
        yield "places of", lambda c: [c.places_of(id_) for id_ in self.ids]
        yield "said", lambda c: [c.said(id_) for id_ in self.ids]
        yield "names", lambda c: [c.find_documents(name) for name in self.names]
        yield "by key", lambda c: [c.by_key(key) for key in self.keys]
        yield "has", lambda c: [c.has_document(id_) for id_ in self.ids]
        yield "chunks", lambda c: [c.chunks_of(id_) for id_ in self.ids]
        yield "where", lambda c: [c.matching(parse_where(where), NEWEST).tolist() for where in WHERE]
        yield "deleted", lambda c: c.deleted(NEWEST)
        yield "pending", lambda c: [c.pending(view, 1000) for view in VIEWS]

    @staticmethod
    def ask(catalog: Catalog, questions: Iterator[tuple[str, Callable[[Catalog], Any]]]) -> dict[str, Any]:
        """The answers, without those that are refused as corrupt. Any other exception is a fault."""
        answers = {}
        for name, question in questions:
            try:
                answers[name] = question(catalog)
            except IndexCorruptError as error:
                if "restore it from a backup" not in str(error):
                    raise AssertionError(f"{name}: does not say what to do: {error}") from error
        return answers

    def faults(self, folder: Path) -> list[str]:
        """What a damaged copy answers wrongly."""
        try:
            catalog = Catalog(folder, create=False)
        except IndexCorruptError:
            return []
        with closing_quietly(catalog):
            wrong, missing = [], []
            for name, answer in self.ask(catalog, self.checked_questions()).items():
                if answer is None and self.checked[name] is not None:
                    missing.append(name)
                elif answer != self.checked[name]:
                    wrong.append(f"{name}: {answer!r}")
            found = self.ask(catalog, self.lookups())
            missing += [name for name, answer in found.items() if answer != self.found[name]]
            if missing and not catalog.integrity():
                wrong.append(f"the check of the whole does not see what is wrong with {missing}")
            return wrong


@contextmanager
def closing_quietly(catalog: Catalog) -> Iterator[None]:
    try:
        yield
    finally:
        catalog.close()


def write_to(catalog: Catalog) -> None:
    """An addition, an update and a deletion."""
    text = "새로 정한 근무 규정"
    document = Document("9" * 64, "근무.txt", "", "general", text, metadata={"year": 2026})
    chunk = Chunk("91" * 32, document.id, text, 0, len(text), ())
    for key in ("", "규정/취업.pdf"):
        catalog.add_many([NewDocument(document, [chunk], [text.split()], np.ones((1, 4), np.float32), key)])
    catalog.delete(["9" * 64])


def put(folder: Path, data: bytes) -> Path:
    """A catalog file of these bytes, and nothing beside it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / FILE).write_bytes(data)
    return folder


def flipped(data: bytes, offset: int, bit: int) -> bytes:
    """The same bytes but for one bit."""
    return data[:offset] + bytes([data[offset] ^ (1 << bit)]) + data[offset + 1 :]
