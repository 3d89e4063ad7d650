"""``where`` filters → SQL conditions over the catalog. One grammar for both legs, evaluated before ranking.

::

    {"domain": "legal"}                              equal
    {"source": {"$in": ["취업규정.pdf"]}, "page": 3}     several fields: all must hold
    {"article": {"$ne": "제1조"}}                      also $gt $gte $lt $lte $nin $contains $exists
    {"$or": [{"kind": "table"}, {"$not": {"page": 1}}]}

Fields are ``source``, ``title``, ``domain``, ``document_id``, ``chunk_id``, ``kind``, ``ordinal``, ``page``,
``breadcrumb``, and any key of a chunk's or its document's metadata. On ``page``, ``breadcrumb`` and metadata lists a
comparison holds when it holds for one element.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kure_rag.errors import FilterError

_COLUMNS: Final[Mapping[str, str]] = {
    "source": "d.source",
    "title": "d.title",
    "domain": "d.domain",
    "document_id": "d.id",
    "chunk_id": "c.id",
    "kind": "c.kind",
    "ordinal": "c.ordinal",
}
_LISTS: Final[Mapping[str, str]] = {"page": "c.pages", "breadcrumb": "c.breadcrumb"}
_COMPARE: Final[Mapping[str, str]] = {"$eq": "=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_NEGATED: Final[Mapping[str, str]] = {"$ne": "$eq", "$nin": "$in"}
_OPERATORS: Final = (*_COMPARE, *_NEGATED, "$in", "$contains", "$exists")

_DEEPEST: Final = 30
Condition = tuple[str, list[object]]


def compile_where(where: Mapping[str, Any], *, depth: int = 0) -> Condition:
    """A filter → an SQL condition and its parameters. Values are only ever bound, never written into the SQL.

    Raises:
        FilterError: Names the key that breaks the grammar and what may stand there.
    """
    if depth > _DEEPEST:
        raise FilterError(f"a filter may be nested {_DEEPEST} levels deep; write it flatter, with $and and $in")
    if not isinstance(where, Mapping):
        raise FilterError(f'a filter is a mapping such as {{"domain": "legal"}}, not {type(where).__name__}')
    return _all([_clause(key, value, depth + 1) for key, value in where.items()], "AND")


def _clause(key: str, value: Any, depth: int) -> Condition:
    if key in ("$and", "$or"):
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            raise FilterError(f"{key} takes a list of filters, with one at the least")
        return _all([compile_where(part, depth=depth) for part in value], key[1:].upper())
    if key == "$not":
        sql, parameters = compile_where(value, depth=depth)
        return f"NOT coalesce({sql}, 0)", parameters
    if not isinstance(key, str) or not key or key.startswith("$") or '"' in key or _has_surrogate(key):
        raise FilterError(f"{key!r} is neither a field nor one of $and, $or, $not")
    tests = value if isinstance(value, Mapping) else {"$eq": value}
    if not tests:
        raise FilterError(f"{key}: no comparison given; use one of {', '.join(_OPERATORS)}")
    return _all([_test(key, operator, operand) for operator, operand in tests.items()], "AND")


def _test(field: str, operator: str, operand: Any) -> Condition:
    if operator in _NEGATED:
        sql, parameters = _test(field, _NEGATED[operator], operand)
        return f"NOT coalesce({sql}, 0)", parameters
    if operator == "$exists":
        sql, parameters = _any_value(field, "@ IS NOT NULL", [])
        return (sql if operand else f"NOT {sql}"), parameters
    if operator == "$in":
        if not isinstance(operand, Sequence) or isinstance(operand, str):
            raise FilterError(f"{field}: $in takes a list")
        values = [_scalar(field, item) for item in operand]
        # One parameter however long the list is: SQLite limits their number.
        return _any_value(field, "@ IN (SELECT item.value FROM json_each(?) item)", [json.dumps(values)])
    if operator == "$contains":
        return _any_value(field, "instr(@, ?) > 0", [_scalar(field, operand)])
    if operator not in _COMPARE:
        raise FilterError(f"{field}: {operator!r} is no comparison; use one of {', '.join(_OPERATORS)}")
    if operand is None:
        if operator != "$eq":
            raise FilterError(f"{field}: {operator} cannot compare with null; use $exists")
        return _test(field, "$exists", operand=False)
    return _any_value(field, f"@ {_COMPARE[operator]} ?", [_scalar(field, operand)])


def _any_value(field: str, test: str, parameters: list[object]) -> Condition:
    """The test, in which ``@`` stands for the value, holds for a field's value, or for one of a list's."""
    if column := _COLUMNS.get(field):
        return f"({test.replace('@', column)})", parameters
    test = test.replace("@", "value")
    if column := _LISTS.get(field):
        return f"EXISTS (SELECT 1 FROM json_each({column}) WHERE {test})", parameters
    path = f'$."{field}"'
    # json_each of a scalar is one row, of a missing path none: one form serves both.
    parts = [f"EXISTS (SELECT 1 FROM json_each({column}, ?) WHERE {test})" for column in ("c.metadata", "d.metadata")]
    return f"({' OR '.join(parts)})", [path, *parameters, path, *parameters]


def _scalar(field: str, value: Any) -> object:
    if not isinstance(value, str | int | float):
        raise FilterError(f"{field}: compares with text, numbers and true or false, not with {type(value).__name__}")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise FilterError(f"{field}: {value} is beyond 64 bits")
    if isinstance(value, str) and _has_surrogate(value):
        raise FilterError(f"{field}: holds half a character (a lone surrogate); decode its source as UTF-8 again")
    return value


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


def _all(parts: Sequence[Condition], joined_by: str) -> Condition:
    if not parts:
        return "1", []
    return f"({f' {joined_by} '.join(sql for sql, _ in parts)})", [p for _, parameters in parts for p in parameters]
