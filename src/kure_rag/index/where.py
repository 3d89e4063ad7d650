"""``where`` filters: one grammar for both legs, evaluated before ranking.

::

    {"domain": "legal"}                                 equal
    {"source": {"$in": ["취업규정.pdf"]}, "page": 3}        several fields: all must hold
    {"effective": {"$gte": "2024-01-01"}}               from that day on, see below
    {"$or": [{"kind": "table"}, {"$not": {"page": 1}}]}

**Fields** are ``source``, ``title``, ``domain``, ``document_id``, ``chunk_id``, ``kind``, ``ordinal``, ``page`` (or
``pages``), ``breadcrumb``, and any key of a chunk's or its document's metadata: ``article``, ``amended``,
``effective``, ``court`` … A key that is one of the names above has ``chunk_`` or ``document_`` before it, as in
``chunk_title``, the title of an article. The metadata of entries (:mod:`kure_rag.ingest.entries`) keeps its own names,
whatever they are. A field that nothing has holds nowhere.

**Operators** of a field, of which all that are given must hold; a plain value is ``$eq``:

============================  =======================================================================================
``$eq``, ``$ne``              equal, not equal; ``None`` is no value: ``{"article": None}`` holds where there is none
``$gt $gte $lt $lte``         beyond or up to, among values of the operand's type
``$in``, ``$nin``             one of a list, none of it
``$all``                      each of a list is there
``$contains``                 an element of a list, or part of a text
``$icontains``                part of a text, whatever the case of its letters
``$exists``                   ``True`` or ``False``: whether there is a value
============================  =======================================================================================

``$and`` and ``$or`` take lists of filters, ``$not`` takes one.

**Values.** On lists (``page``, ``breadcrumb``, ``amended`` …) a comparison holds when it holds for one element, and
``$ne``, ``$nin`` and ``$not`` hold when it holds for none, or where the field is missing. Numbers compare with numbers,
``True`` is 1; texts with texts, by code point and in NFC, whichever form they were given in. Comparing a text with a
number is no error and never holds. A mapping, or a list in a list, only exists.

**Dates.** In metadata ``2024-01-05``, ``2024.1.5``, ``2024. 1. 5.``, ``2024/1/5``, ``2024년 1월 5일`` and ``20240105``
are one day, and may have a time and an offset (``2024-01-05T09:00:00+09:00``; without one it is UTC). An operand in one
of these forms, or a ``datetime.date``, compares with them as a date. Without a time it is the whole day: ``$lte`` takes
in its evening, ``$gt`` begins with the next day, ``$eq`` finds every moment of it. A value without a time is its day's
beginning.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from kure_rag.errors import FilterError
from kure_rag.index import where_rows
from kure_rag.index.fields import SAME, nfc
from kure_rag.index.where_rows import Rows
from kure_rag.index.where_tree import Both, Node, Not, Operand, Operator, Test, names

__all__ = ["OPERATORS", "Where", "parse_where"]

_DEEPEST: Final = 30


@dataclass(frozen=True, slots=True)
class Where:
    """A filter that keeps to the grammar, see :func:`parse_where`."""

    node: Node

    def rows(self, db: sqlite3.Connection, visible: int) -> Rows:
        """The chunks for which it holds.

        Args:
            db: A connection to the catalog. Unless it is in a transaction, one is opened for the reading.
            visible: The generation to look at: a chunk is there from its ``generation`` on, until it is ``gone``.

        Returns:
            Row numbers, int64, ascending, each once.

        Raises:
            sqlite3.DatabaseError: The catalog cannot be read.
        """
        return where_rows.matching(db, self.node, visible)

    def names(self, field: str) -> bool:
        """Whether it says anything of this field."""
        return names(self.node, SAME.get(field, field))


def parse_where(where: Mapping[str, Any]) -> Where:
    """Checks a filter and keeps it in a form that is fast to answer.

    Raises:
        FilterError: Names the key that breaks the grammar and what may stand there.
    """
    return Where(_filter(where, 0))


def _filter(where: Any, depth: int) -> Node:
    if depth > _DEEPEST:
        raise FilterError(f"a filter may be nested {_DEEPEST} levels deep; write it flatter, with $and and $in")
    if not isinstance(where, Mapping):
        raise FilterError(f'a filter is a mapping such as {{"domain": "legal"}}, not {type(where).__name__}')
    return _both([_clause(key, value, depth + 1) for key, value in where.items()])


def _clause(key: Any, value: Any, depth: int) -> Node:
    if key in ("$and", "$or"):
        if not _is_list(value) or not value:
            raise FilterError(f"{key} takes a list of filters, with one at the least")
        return _both([_filter(part, depth) for part in value], either=key == "$or")
    if key == "$not":
        return Not(_filter(value, depth))
    if not isinstance(key, str) or not key or key.startswith("$") or '"' in key or _has_surrogate(key):
        raise FilterError(f"{key!r} is neither a field nor one of $and, $or, $not")
    field = nfc(SAME.get(key, key))
    tests = value if isinstance(value, Mapping) else {"$eq": value}
    if not tests:
        raise FilterError(f"{key}: no comparison given; use one of {', '.join(OPERATORS)}")
    return _both([_test(field, operator, operand) for operator, operand in tests.items()])


def _test(field: str, operator: Any, operand: Any) -> Node:
    make = OPERATORS.get(operator) if isinstance(operator, str) else None
    if make is None:
        raise FilterError(f"{field}: {operator!r} is no comparison; use one of {', '.join(OPERATORS)}")
    return make(field, operator, operand)


def _equal(field: str, operator: str, operand: Any) -> Node:
    found = Not(Test(field, "$exists")) if operand is None else Test(field, "$in", (_scalar(field, operand),))
    return found if operator == "$eq" else Not(found)


def _range(field: str, operator: Any, operand: Any) -> Node:
    if operand is None:
        raise FilterError(f"{field}: {operator} cannot compare with null; use $exists")
    return Test(field, operator, (_scalar(field, operand),))


def _one_of(field: str, operator: str, operand: Any) -> Node:
    values = _list(field, operator, operand)
    if operator == "$all":
        if not values:
            raise FilterError(f"{field}: $all takes a list with one value at the least; use $exists for any value")
        return _both([Test(field, "$in", (value,)) for value in values])
    found = Test(field, "$in", values)
    return found if operator == "$in" else Not(found)


def _part(field: str, operator: Any, operand: Any) -> Node:
    if operator == "$icontains" and not isinstance(operand, str):
        raise FilterError(f"{field}: $icontains takes a text, not {type(operand).__name__}")
    return Test(field, operator, (_scalar(field, operand),))


def _exists(field: str, operator: Operator, operand: Any) -> Node:
    if not isinstance(operand, int) or operand not in (0, 1):
        raise FilterError(f"{field}: $exists takes true or false, not {operand!r:.60}")
    return Test(field, "$exists") if operand else Not(Test(field, "$exists"))


OPERATORS: Final[Mapping[str, Callable[[str, Any, Any], Node]]] = {
    **dict.fromkeys(("$eq", "$ne"), _equal),
    **dict.fromkeys(("$gt", "$gte", "$lt", "$lte"), _range),
    **dict.fromkeys(("$in", "$nin", "$all"), _one_of),
    **dict.fromkeys(("$contains", "$icontains"), _part),
    "$exists": _exists,
}


def _list(field: str, operator: str, operand: Any) -> tuple[Operand, ...]:
    if not _is_list(operand):
        raise FilterError(f"{field}: {operator} takes a list")
    return tuple(_scalar(field, item) for item in operand)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence | Set) and not isinstance(value, str | bytes | bytearray)


def _scalar(field: str, value: Any) -> Operand:
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        if _has_surrogate(value):
            raise FilterError(f"{field}: holds half a character (a lone surrogate); decode its source as UTF-8 again")
        return nfc(value)
    if not isinstance(value, int | float):
        kinds = "text, numbers, true or false, and dates"
        raise FilterError(f"{field}: compares with {kinds}, not with {type(value).__name__}")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise FilterError(f"{field}: {value:.3e} is beyond 64 bits")
    return value


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


def _both(parts: Sequence[Node], *, either: bool = False) -> Node:
    return parts[0] if len(parts) == 1 else Both(tuple(parts), either)
