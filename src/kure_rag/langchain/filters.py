"""LangChain's ways to write a filter → ours, see :mod:`kure_rag.index.where`.

LangChain has no filter of its own: each vector store takes a dictionary in the style of its database, and structured
queries (``langchain_core.structured_query``) are translated for each store by a visitor. Both are understood here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from langchain_core.structured_query import (
    Comparator,
    Comparison,
    FilterDirective,
    Operation,
    Operator,
    StructuredQuery,
    Visitor,
)

from kure_rag.errors import FilterError
from kure_rag.index.where import OPERATORS, parse_where

Where = dict[str, Any]

_PATTERNS: Final = ("$like", "$ilike")
_COMPARATORS: Final = {
    Comparator.EQ: "$eq",
    Comparator.NE: "$ne",
    Comparator.GT: "$gt",
    Comparator.GTE: "$gte",
    Comparator.LT: "$lt",
    Comparator.LTE: "$lte",
    Comparator.CONTAIN: "$contains",
    Comparator.IN: "$in",
    Comparator.NIN: "$nin",
}


def to_where(given: Mapping[str, Any] | FilterDirective | StructuredQuery | None) -> Where | None:
    """A filter as it is written for LangChain's vector stores, in our grammar.

    Dictionaries may be in the style of Chroma or of the stores with ``$`` operators: ``$and``, ``$or``, ``$not`` (of
    one filter, or of a list of which none may hold), ``$eq $ne $gt $gte $lt $lte $in $nin $exists $contains
    $not_contains``, ``$between`` with both ends, and all that is ours. A list in the place of a value is ``$in``, as
    FAISS takes it.

    Example:
        >>> to_where({"domain": ["legal", "finance"], "page": {"$between": [2, 5]}})
        {'$and': [{'domain': {'$in': ['legal', 'finance']}}, {'page': {'$gte': 2, '$lte': 5}}]}

    Args:
        given: A dictionary, a comparison or an operation, or a structured query, of which only the filter is used.

    Returns:
        A new dictionary; ``None`` where there is no filter.

    Raises:
        FilterError: It breaks the grammar, or has what we cannot do: patterns (``$like``) and functions.
    """
    if isinstance(given, StructuredQuery):
        given = given.filter
    if given is None:
        return None
    where = given.accept(KureTranslator()) if isinstance(given, FilterDirective) else _filter(given)
    parse_where(where)
    return dict(where)


class KureTranslator(Visitor):
    """Structured queries → ours, as LangChain's self-querying retriever asks for it.

    A date (``{"type": "date", "date": "2024-01-01"}``) is compared as one. ``like`` is refused, and not offered to the
    model that writes the query: ``contain`` finds a part of a text, or an element of a list.
    """

    allowed_comparators = tuple(_COMPARATORS)
    allowed_operators = tuple(Operator)

    def visit_operation(self, operation: Operation) -> Where:
        """``and`` and ``or`` of all arguments; ``not`` of the one, or of a list of which none may hold."""
        parts = [argument.accept(self) for argument in operation.arguments]
        if operation.operator == Operator.NOT:
            return {"$not": parts[0] if len(parts) == 1 else {"$or": parts}}
        return {f"${operation.operator.value}": parts}

    def visit_comparison(self, comparison: Comparison) -> Where:
        """One comparison of an attribute.

        Raises:
            FilterError: ``like``.
        """
        operator = _COMPARATORS.get(comparison.comparator)
        if operator is None:
            _refuse(comparison.attribute, comparison.comparator.value)
        return {comparison.attribute: {operator: _plain(comparison.value)}}

    def visit_structured_query(self, structured_query: StructuredQuery) -> tuple[str, dict[str, Any]]:
        """The query, and the keyword that a search takes for the filter."""
        where = to_where(structured_query)
        return structured_query.query, {} if where is None else {"where": where}


def _filter(given: Any) -> Where:
    if not isinstance(given, Mapping):
        kind = "a function" if callable(given) else type(given).__name__
        raise FilterError(f'a filter is a dictionary such as {{"domain": "legal"}} or a structured query, not {kind}')
    return _all([_clause(key, value) for key, value in given.items()])


def _clause(key: str, value: Any) -> Where:
    if key in ("$and", "$or") and isinstance(value, list | tuple):
        return {key: [_filter(part) for part in value]}
    if key == "$not":
        none = isinstance(value, list | tuple)
        return {"$not": {"$or": [_filter(part) for part in value]} if none else _filter(value)}
    if isinstance(value, list | tuple | set | frozenset):
        return {key: {"$in": list(value)}}
    if isinstance(value, Mapping) and not _is_date(value):
        return _all([_test(key, operator, operand) for operator, operand in value.items()]) if value else {key: {}}
    return {key: _plain(value)}


def _test(field: str, operator: str, operand: Any) -> Where:
    if operator in _PATTERNS:
        _refuse(field, operator)
    if operator == "$not_contains":
        return {"$not": {field: {"$contains": _plain(operand)}}}
    if operator == "$between":
        if not isinstance(operand, list | tuple) or len(operand) != 2:
            raise FilterError(f"{field}: $between takes a list of two, the lowest and the highest")
        return {field: {"$gte": _plain(operand[0]), "$lte": _plain(operand[1])}}
    return {field: {operator: _plain(operand)}}


def _refuse(field: str, operator: str) -> NoReturn:
    raise FilterError(
        f"{field}: {operator!r} compares with a pattern, which an index does not; use $contains for a part of a text, "
        f"$icontains for one in any case, or one of {', '.join(OPERATORS)}"
    )


def _plain(value: Any) -> Any:
    """A value without the wrapping that query constructors put around dates."""
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value[value["type"]] if _is_date(value) else value


def _is_date(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("type") in ("date", "datetime") and value["type"] in value


def _all(parts: list[Where]) -> Where:
    return parts[0] if len(parts) == 1 else {"$and": parts} if parts else {}
