"""What a filter means, read off plain chunks and documents: slow, and with nothing of the index's in it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from kure_rag.types import Chunk, Document

OWN = {"source", "title", "domain", "document_id", "chunk_id", "kind", "ordinal", "page", "pages", "breadcrumb"}
Interval = tuple[datetime, datetime]


def holds(where: Mapping[str, Any], chunk: Chunk, document: Document) -> bool:
    return all(_clause(key, value, chunk, document) for key, value in where.items())


def _clause(key: str, value: Any, chunk: Chunk, document: Document) -> bool:
    if key == "$and":
        return all(holds(part, chunk, document) for part in value)
    if key == "$or":
        return any(holds(part, chunk, document) for part in value)
    if key == "$not":
        return not holds(value, chunk, document)
    key = unicodedata.normalize("NFC", key)
    found = list(values(key, chunk, document))
    tests = value if isinstance(value, dict) else {"$eq": value}
    return all(_test(operator, operand, found, key not in OWN) for operator, operand in tests.items())


def values(field: str, chunk: Chunk, document: Document) -> Iterator[Any]:
    own = {
        "source": [document.source],
        "title": [document.title],
        "domain": [document.domain],
        "document_id": [document.id],
        "chunk_id": [chunk.id],
        "kind": [chunk.kind],
        "ordinal": [chunk.ordinal],
        "page": chunk.pages,
        "pages": chunk.pages,
        "breadcrumb": chunk.breadcrumb,
    }
    if field in own:
        yield from map(_composed, own[field])
        return
    for level, metadata in (("chunk", chunk.metadata), ("document", document.metadata)):
        for key, value in metadata.items():
            if (f"{level}_{key}" if key in OWN else _composed(key)) == field:
                items = value if isinstance(value, list) else [value]
                yield from (_composed(item) for item in items if item is not None)


def _test(operator: str, operand: Any, found: list[Any], dated: bool) -> bool:
    operand = [_composed(item) for item in operand] if isinstance(operand, list) else _composed(operand)
    match operator:
        case "$eq":
            return not found if operand is None else any(_equal(v, operand, dated) for v in found)
        case "$ne" | "$nin":
            return not _test({"$ne": "$eq", "$nin": "$in"}[operator], operand, found, dated)
        case "$in":
            return any(_equal(v, one, dated) for v in found for one in operand)
        case "$all":
            return all(any(_equal(v, one, dated) for v in found) for one in operand)
        case "$exists":
            return bool(found) is bool(operand)
        case "$contains":
            return any(_equal(v, operand, dated) or (_both(str, v, operand) and operand in v) for v in found)
        case "$icontains":
            return any(isinstance(v, str) and operand.casefold() in v.casefold() for v in found)
    return any(_beyond(operator, v, operand, dated) for v in found)


def _both(kind: Any, one: Any, other: Any) -> bool:
    return isinstance(one, kind) and isinstance(other, kind)


def _equal(value: Any, operand: Any, dated: bool) -> bool:
    if (_both((int, float), value, operand) or _both(str, value, operand)) and value == operand:
        return True
    return _on_dates("$eq", value, operand, dated)


def _beyond(operator: str, value: Any, operand: Any, dated: bool) -> bool:
    if isinstance(operand, date) or (isinstance(operand, str) and interval(operand)):
        return _on_dates(operator, value, operand, dated)
    if not (_both((int, float), value, operand) or _both(str, value, operand)):
        return False
    return bool(
        {"$gt": value > operand, "$gte": value >= operand, "$lt": value < operand, "$lte": value <= operand}[operator]
    )


def _on_dates(operator: str, value: Any, operand: Any, dated: bool) -> bool:
    if not dated or not isinstance(value, str) or not isinstance(operand, str | date):
        return False
    held, asked = interval(value), interval(operand)
    if held is None or asked is None:
        return False
    moment, (start, end) = held[0], asked
    return {
        "$eq": start <= moment < end,
        "$gt": moment >= end,
        "$gte": moment >= start,
        "$lt": moment < start,
        "$lte": moment < end,
    }[operator]


def interval(value: str | date) -> Interval | None:
    """Where a date begins and ends. Only the forms that the tests write are known here."""
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment, moment + timedelta(microseconds=1)
    if isinstance(value, date):
        start = datetime(value.year, value.month, value.day, tzinfo=UTC)
        return start, start + timedelta(days=1)
    plain = value.replace(". ", ".").rstrip(".").replace("년 ", "-").replace("월 ", "-").replace("일", "")
    for form in ("%Y.%m.%d", "%Y-%m-%d", "%Y/%m/%d", "%Y%m%d"):
        try:
            return interval(datetime.strptime(plain, form).date()) if len(plain) >= 8 else None
        except ValueError:
            continue
    try:
        return interval(datetime.fromisoformat(value)) if "T" in value else None
    except ValueError:
        return None


def _composed(value: Any) -> Any:
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value
