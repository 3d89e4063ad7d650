"""A parsed filter → chunk rows, from the inverted table of :mod:`kure_rag.index.fields`.

Sets of rows are masks: an array of booleans by row number, so that *and*, *or* and *not* cost microseconds whatever
the rows. Every value is bound; nothing that a caller wrote is ever part of an SQL text.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import chain
from typing import Any, Final, TypeGuard

import numpy as np
import numpy.typing as npt

from kure_rag.index.fields import nfc
from kure_rag.index.where_blocks import BLOCK, Mask, Value, mark, sound
from kure_rag.index.where_dates import Span, span_of
from kure_rag.index.where_tree import Node, Not, Operand, Test

Rows = npt.NDArray[np.int64]

# These two say in whole which chunks they name, and ``chunks`` has an index on each.
_COLUMNS: Final = {"chunk_id": "id", "document_id": "document_id"}
_MANY: Final = 900  # bound parameters in one statement; SQLite builds allow 999 at the least
_SEEKS: Final = 5_000  # seeks of single values cost as much as reading all values of a field with so many
_BLOCK_BY_BLOCK: Final = "field_blocks b CROSS JOIN fields f ON f.block = b.block"  # CROSS: in this order

# SQLite sorts numbers before texts and texts before blobs: a comparison stays among values of its operand's type.
_OF_NUMBERS: Final = {
    "$gt": "{0} > ? AND {0} < ''",
    "$gte": "{0} >= ? AND {0} < ''",
    "$lt": "{0} < ?",
    "$lte": "{0} <= ?",
}
_OF_TEXTS: Final = {
    "$gt": "{0} > ? AND {0} < x''",
    "$gte": "{0} >= ? AND {0} < x''",
    "$lt": "{0} >= '' AND {0} < ?",
    "$lte": "{0} >= '' AND {0} <= ?",
}
_IS_TEXT: Final = "{0} >= '' AND {0} < x''"


def matching(db: sqlite3.Connection, node: Node, visible: int) -> Rows:
    """Rows for which a filter holds and that are there at generation ``visible``, ascending."""
    with _one_snapshot(db):
        evaluation = _Evaluation(db, visible)
        return np.flatnonzero(evaluation.rows(node) & evaluation.there)


@contextmanager
def _one_snapshot(db: sqlite3.Connection) -> Iterator[None]:
    """All statements within read the same state, whoever writes meanwhile."""
    if db.in_transaction:
        yield
        return
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("COMMIT")


class _Evaluation:
    def __init__(self, db: sqlite3.Connection, visible: int) -> None:
        self._db = db
        found = db.execute("SELECT block, 0, 0, crc, rows FROM field_blocks")
        blocks = [(row[0], sound(*row)) for row in found]
        self._blocks = len(blocks)
        self._size = BLOCK * (1 + max((block for block, _ in blocks), default=-1))
        self.there = self._mask(blocks)
        for unseen in ("generation > ?", "gone <= ?"):
            rows = _integers(db.execute(f"SELECT row FROM chunks WHERE {unseen}", (visible,)).fetchall())
            self.there[rows[rows < self._size]] = False

    def rows(self, node: Node) -> Mask:
        if isinstance(node, Test):
            found = self._field(node)  # of a column's name: entries may have metadata under it
            return found | self._column(node) if node.field in _COLUMNS else found
        if isinstance(node, Not):
            return ~self.rows(node.part)
        whole = np.full(self._size, not node.either)
        for part in node.parts:
            (np.logical_or if node.either else np.logical_and)(whole, self.rows(part), out=whole)
        return whole

    # Fields of the inverted table

    def _field(self, test: Test) -> Mask:
        found: list[tuple[int, bytes]] = []
        for name in self._names(test.field, "value"):
            if holds := self._in_python(test):
                found += [(block, rows) for block, rows, value in self._all(name) if holds(value)]
            else:
                for condition, bound in _among_values("f.value", test):
                    found += self._found(name, condition, bound)
        if spans := [span for operand in test.operands if (span := _span(operand))]:
            for name in self._names(test.field, "date"):
                for span in spans:
                    found += self._found(name, *_among_dates(test.operator, span))
        return self._mask(found)

    def _in_python(self, test: Test) -> Callable[[Value], bool] | None:
        """A test that SQLite does not know, or that takes it longer than reading all values."""
        if test.operator == "$icontains":
            return functools.cache(functools.partial(_folds_in, test.operands[0]))
        if test.operator == "$in" and len(test.operands) * self._blocks > _SEEKS:
            return frozenset(filter(_compares, test.operands)).__contains__
        return None

    def _names(self, name: str, type_: str) -> list[int]:
        sql = "SELECT id FROM field_names WHERE name = ? AND type = ?"
        return [id_ for (id_,) in self._db.execute(sql, (name, type_))]

    def _found(self, name: int, condition: str, bound: Sequence[object]) -> list[tuple[int, bytes]]:
        sql = f"SELECT f.block, f.name_id, f.value, f.crc, f.rows FROM {_BLOCK_BY_BLOCK} WHERE f.name_id = ? AND "
        return [(row[0], sound(*row)) for row in self._db.execute(sql + condition, (name, *bound))]

    def _all(self, name: int) -> Iterable[tuple[int, bytes, Value]]:
        sql = f"SELECT f.block, f.name_id, f.value, f.crc, f.rows FROM {_BLOCK_BY_BLOCK} WHERE f.name_id = ?"
        return ((row[0], sound(*row), row[2]) for row in self._db.execute(sql, (name,)))

    def _mask(self, found: Iterable[tuple[int, bytes]]) -> Mask:
        return mark(np.zeros(self._size, dtype=np.bool_), found)

    # Columns of chunks

    def _column(self, test: Test) -> Mask:
        column, mask = _COLUMNS[test.field], np.zeros(self._size, dtype=np.bool_)
        if test.operator == "$icontains":
            found = self._db.execute(f"SELECT row, {column} FROM chunks")
            mask[[row for row, text in found if row < self._size and _folds_in(test.operands[0], text)]] = True
            return mask
        for condition, bound in _among_values(column, test):
            rows = _integers(self._db.execute(f"SELECT row FROM chunks WHERE {condition}", bound).fetchall())
            mask[rows[rows < self._size]] = True
        return mask


def _among_values(column: str, test: Test) -> Iterator[tuple[str, Sequence[object]]]:
    """Conditions of which one has to hold, and what is bound in them."""
    operands = [operand for operand in test.operands if _compares(operand)]
    if test.operator == "$exists":
        yield "1", ()
    elif test.operator in ("$in", "$contains"):
        for i in range(0, len(operands), _MANY):
            part = operands[i : i + _MANY]
            yield f"{column} IN ({','.join('?' * len(part))})", part
        if test.operator == "$contains" and operands and isinstance(operands[0], str):
            yield f"{_IS_TEXT.format(column)} AND instr({column}, ?) > 0", operands
    elif operands and not (isinstance(operands[0], str) and span_of(operands[0])):
        yield (_OF_TEXTS if isinstance(operands[0], str) else _OF_NUMBERS)[test.operator].format(column), operands


def _among_dates(operator: str, span: Span) -> tuple[str, Sequence[object]]:
    """An operand without a time is the whole day: ``$lte`` takes in its evening, ``$gt`` begins with the next."""
    start, end = span
    match operator:
        case "$gt":
            return "value >= ?", (end,)
        case "$gte":
            return "value >= ?", (start,)
        case "$lt":
            return "value < ?", (start,)
        case "$lte":
            return "value < ?", (end,)
        case "$in" | "$contains":
            return "value >= ? AND value < ?", (start, end)
    return "0", ()


def _span(operand: Operand) -> Span | None:
    return span_of(operand) if isinstance(operand, str | date) else None


def _compares(operand: Operand) -> TypeGuard[str | int | float]:
    """A date compares with dates only, and what is not a number with nothing."""
    return not isinstance(operand, date) and operand == operand


def _folds_in(part: Operand, text: Value) -> bool:
    return isinstance(text, str) and nfc(str(part).casefold()) in nfc(text.casefold())


def _integers(found: Sequence[tuple[Any, ...]]) -> Rows:
    return np.fromiter(chain.from_iterable(found), dtype=np.int64, count=len(found))
