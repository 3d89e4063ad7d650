"""What is wrong with a catalog: the long look, which reads all of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import numpy as np

from kure_rag.errors import IndexCorruptError
from kure_rag.index.catalog_read import NEWEST
from kure_rag.index.catalog_said import CatalogSaid
from kure_rag.index.fields import FIELDS_DDL, migrate_fields
from kure_rag.index.rows import (
    BODY_COLUMNS,
    CHUNK_COLUMNS,
    CHUNK_WIDTH,
    HEAD_COLUMNS,
    HEAD_WIDTH,
    checksum,
    checksum_gone,
    checksum_vector,
)
from kure_rag.index.schema import VIEWS
from kure_rag.index.where_blocks import decode

_MOST: Final = 20  # problems told
_BATCH: Final = 2_000  # vectors read at once
_ORPHANS: Final = {
    "chunks have no document": "SELECT c.row FROM chunks c WHERE NOT EXISTS "
    "(SELECT 1 FROM documents d WHERE d.id = c.document_id AND d.generation = c.generation)",
    "chunks have no vector": "SELECT row FROM chunks WHERE row NOT IN (SELECT row FROM vectors)",
    "vectors have no chunk": "SELECT row FROM vectors WHERE row NOT IN (SELECT row FROM chunks)",
    "chunks are there and their document is gone, or the other way": "SELECT c.row FROM chunks c JOIN documents d "
    "ON d.id = c.document_id AND d.generation = c.generation WHERE c.gone IS NOT d.gone",
    "places are of documents that are not there": "SELECT key FROM places p WHERE NOT EXISTS "
    "(SELECT 1 FROM documents d WHERE d.id = p.document_id AND d.gone IS NULL)",
    "keys are those of two documents": "SELECT key FROM places GROUP BY key HAVING count(DISTINCT document_id) > 1",
    "paths are those of two documents": "SELECT path FROM places WHERE path <> '' "
    "GROUP BY path HAVING count(DISTINCT document_id) > 1",
    "words of the user's are on documents that are not there": "SELECT document_id FROM said s WHERE NOT EXISTS "
    "(SELECT 1 FROM documents d WHERE d.id = s.document_id AND d.gone IS NULL)",
    "operations are pending on chunks that are not there": "SELECT row FROM pending p WHERE op = 'add' "
    "AND NOT EXISTS (SELECT 1 FROM chunks c WHERE c.row = p.row)",
}


class CatalogChecker(CatalogSaid):
    """The check that :meth:`kure_rag.KureIndex.verify` asks for."""

    def integrity(self) -> list[str]:
        """What is wrong, one clause each; empty for a sound catalog. Reads everything and changes nothing."""
        problems: list[str] = []
        try:
            with self.snapshot():
                for problem in self._problems():
                    problems.append(f"catalog: {problem}")
                    if len(problems) == _MOST:
                        break
        except IndexCorruptError as error:
            problems.append(f"catalog: {error}")
        return problems

    def _problems(self) -> Iterator[str]:
        yield from (row[0] for row in self._rows(f"PRAGMA integrity_check({_MOST})") if row[0] != "ok")
        for row in self._rows("SELECT key, value, crc FROM settings"):
            self._setting(row)
        for what, sql in _ORPHANS.items():
            if rows := self._rows(sql):
                first = rows[0][0]
                yield f"{len(rows)} {what} (the first is {f'row {first}' if isinstance(first, int) else first})"
        for view in VIEWS:
            self.pending(view, NEWEST)
        if others := self._rows(f"SELECT count(*) FROM pending WHERE view NOT IN {VIEWS!r}")[0][0]:
            yield f"{others} operations are of no view"
        self.places()
        yield from self._wrong_words()
        yield from self._wrong_counts()
        for id_, generation in self._rows("SELECT id, generation FROM documents ORDER BY id, generation"):
            yield from self._of_document(id_, generation)
        yield from self._of_vectors()
        yield from self._of_fields()

    def _wrong_words(self) -> Iterator[str]:
        """What the user said of documents must be what they show."""
        for (id_,) in self._rows("SELECT document_id FROM said ORDER BY document_id"):
            said, document = self.said(id_), self.document(id_)
            if said and document and said.over(self._as_read(document)) != document:
                yield f"document {id_} ({document.source!r}) does not show what the user said of it"

    def _wrong_counts(self) -> Iterator[str]:
        said = self.counts()
        sql = "SELECT (SELECT count(*) FROM {} WHERE gone IS NULL), (SELECT count(*) FROM {} WHERE gone IS NULL)"
        counted = self._rows(sql.format("documents", "chunks"))[0]
        if said != counted:
            yield f"holds {counted[0]} documents and {counted[1]} chunks, and says {said[0]} and {said[1]}"
        newest = self._rows("SELECT max(generation), max(gone) FROM documents")[0]
        if max(newest[0] or 0, newest[1] or 0) > self.state().generation:
            yield "holds documents of a generation that is still to come"

    def _of_document(self, document_id: str, generation: int) -> Iterator[str]:
        name = f"document {document_id}"
        sql = (
            f"SELECT {HEAD_COLUMNS}, gone, crc, {BODY_COLUMNS}, text_crc FROM documents WHERE id = ? AND generation = ?"
        )
        found = self._rows(sql, (document_id, generation))
        if len(found) != 1:
            yield f"{name} is not found by its id"
            return
        head, body = found[0][: HEAD_WIDTH + 2], found[0][HEAD_WIDTH + 2 : -1]
        if not _sound(head, HEAD_WIDTH) or checksum(*body) != found[0][-1]:
            yield f"{name} ({head[2]!r}) does not have its checksum"
            return
        sql = f"""SELECT {CHUNK_COLUMNS}, gone, crc, terms, terms_crc FROM chunks
                  WHERE document_id = ? AND generation = ? ORDER BY ordinal"""
        chunks = self._rows(sql, (document_id, generation))
        ids = [None, *(row[1] for row in chunks), None]
        for i, row in enumerate(chunks):
            label = f"chunk {row[1]} (row {row[0]}) of {name}"
            if not _sound(row, CHUNK_WIDTH) or checksum(row[0], row[-2]) != row[-1]:
                yield f"{label} does not have its checksum"
            if not (isinstance(row[4], int) and isinstance(row[5], int) and body[2][row[4] : row[5]] == row[14]):
                yield f"{label} is not its document's text"
            elif row[3] != i or tuple(row[8:10]) != (ids[i], ids[i + 2]):
                yield f"{label} does not name the chunks before and after it"

    def _of_vectors(self) -> Iterator[str]:
        lengths: set[int] = set()
        last = -1
        while rows := self._rows(
            "SELECT row, vector, crc FROM vectors WHERE row > ? ORDER BY row LIMIT ?", (last, _BATCH)
        ):
            for row, blob, crc in rows:
                if checksum_vector(row, blob) != crc:
                    yield f"the vector of chunk row {row} does not have its checksum"
                elif not np.isfinite(np.frombuffer(blob, "<f4")).all():
                    yield f"the vector of chunk row {row} holds values that are no numbers"
                else:
                    lengths.add(len(blob) // 4)
            last = rows[-1][0]
        if len(lengths) > 1:
            yield f"vectors have {len(lengths)} lengths: {', '.join(map(str, sorted(lengths)))}"

    def _of_fields(self) -> Iterator[str]:
        """Makes the inverted table of the filters anew, in memory, and compares."""
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as scratch:
            scratch.execute("ATTACH ? AS catalog", (str(self._file),))
            for statement in FIELDS_DDL.split(";\n"):
                if "CREATE TABLE" in statement:
                    scratch.execute(statement)
            scratch.execute("BEGIN")
            with self._explained("read"):
                held = _fields(scratch, "catalog")
                try:
                    migrate_fields(scratch)
                except (TypeError, ValueError) as error:  # of rotten chunks, which were told of before
                    yield f"filters cannot be compared with the chunks ({error})"
                    return
                wanted = _fields(scratch, "main")
        wrong = [key for key in held.keys() | wanted.keys() if held.get(key) != wanted.get(key)]
        for name, value in sorted({(str(key[0]), str(key[1])) for key in wrong})[:_MOST]:
            yield f"filters by {name or 'any field'} = {value!r} do not find the chunks that have it"


def _fields(db: sqlite3.Connection, schema: str) -> dict[tuple[object, ...], list[int] | None]:
    """Name, value, level, type and block → rows."""
    sql = f"""SELECT n.name, f.value, n.level, n.type, f.block, f.rows FROM {schema}.fields f
              LEFT JOIN {schema}.field_names n ON n.id = f.name_id
              UNION ALL SELECT '', 1, '', '', block, rows FROM {schema}.field_blocks"""
    return {tuple(key): _rows_in(rows) for *key, rows in db.execute(sql).fetchall()}


def _rows_in(blob: Any) -> list[int] | None:
    try:
        return [int(row) for row in decode(blob)]
    except (TypeError, ValueError):
        return None


def _sound(row: Any, width: int) -> bool:
    return bool(checksum_gone(checksum(*row[:width]), row[width]) == row[width + 1])
