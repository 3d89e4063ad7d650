"""LlamaIndex's metadata filters → ours, see :mod:`kure_rag.index.where`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from llama_index.core.vector_stores import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from kure_rag.errors import FilterError
from kure_rag.index.where import parse_where
from kure_rag.pipeline.entries import ALL_ENTRIES, GROUP_FIELD

Where = dict[str, Any]

_OPERATORS: Final = {
    FilterOperator.EQ: "$eq",
    FilterOperator.NE: "$ne",
    FilterOperator.GT: "$gt",
    FilterOperator.GTE: "$gte",
    FilterOperator.LT: "$lt",
    FilterOperator.LTE: "$lte",
    FilterOperator.IN: "$in",
    FilterOperator.NIN: "$nin",
    FilterOperator.ANY: "$in",
    FilterOperator.ALL: "$all",
    FilterOperator.CONTAINS: "$eq",  # a list equals a value when one of its elements does
    FilterOperator.TEXT_MATCH: "$contains",
    FilterOperator.TEXT_MATCH_INSENSITIVE: "$icontains",
}
_OF_DOCUMENT: Final = ("ref_doc_id", "doc_id", "document_id")
_ON_TEXT: Final = (FilterOperator.TEXT_MATCH, FilterOperator.TEXT_MATCH_INSENSITIVE)
_NOTHING: Final[Where] = {"$not": {}}


def to_where(given: MetadataFilters | MetadataFilter | None, *, documents: bool = False) -> Where | None:
    """Metadata filters in our grammar.

    Every operator and condition is known. As in LlamaIndex, ``NE`` and ``NIN`` hold where the key is missing, and
    ``NOT`` holds where none of its filters does. ``CONTAINS``, ``ANY`` and ``ALL`` are for lists: on a text they hold
    when it is the value as a whole, and ``TEXT_MATCH`` finds a part of it. ``IS_EMPTY`` is a missing key, ``None``, an
    empty list or an empty text.

    Example:
        >>> to_where(MetadataFilters(filters=[MetadataFilter(key="page", value=3, operator=FilterOperator.GTE)]))
        {'page': {'$gte': 3}}

    Args:
        given: Filters, nested as they like.
        documents: Whether ``ref_doc_id``, ``doc_id`` and ``document_id`` are the document that a node was cut from, as
            LlamaIndex's stores have it.

    Returns:
        A new dictionary; ``None`` where there is no filter.

    Raises:
        FilterError: A value that its operator does not compare with.
    """
    if given is None:
        return None
    where = _filter(given, documents)
    parse_where(where)
    return where


def of_document(test: Where) -> Where:
    """A test of the document that a node was cut from: of an entry's group, and of a file's or a record's own id."""
    entry, other = dict(ALL_ENTRIES), {"$not": dict(ALL_ENTRIES)}
    return {"$or": [{"$and": [entry, {GROUP_FIELD: test}]}, {"$and": [other, {"document_id": test}]}]}


def _filter(given: MetadataFilters | MetadataFilter, documents: bool) -> Where:
    if isinstance(given, MetadataFilter):
        return _test(given, of_document if documents and given.key in _OF_DOCUMENT else lambda test: {given.key: test})
    parts = [_filter(part, documents) for part in given.filters]
    match given.condition or FilterCondition.AND:
        case FilterCondition.AND:
            return parts[0] if len(parts) == 1 else {"$and": parts} if parts else {}
        case FilterCondition.OR:
            return parts[0] if len(parts) == 1 else {"$or": parts} if parts else _NOTHING
        case FilterCondition.NOT:
            return {"$not": {"$or": parts}} if parts else {}
    raise FilterError(f"no condition {given.condition!r}; use one of {', '.join(FilterCondition)}")


def _test(given: MetadataFilter, of_field: Callable[[Where], Where]) -> Where:
    if given.operator == FilterOperator.IS_EMPTY:
        return {"$or": [of_field({"$exists": False}), of_field({"$eq": ""})]}
    if given.operator not in _OPERATORS:
        raise FilterError(f"{given.key}: no operator {given.operator!r}; use one of {', '.join(FilterOperator)}")
    if given.operator in _ON_TEXT and not isinstance(given.value, str):
        raise FilterError(f"{given.key}: {given.operator.value} takes a text, not {type(given.value).__name__}")
    return of_field({_OPERATORS[given.operator]: given.value})
