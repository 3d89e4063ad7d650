"""Filters as LangChain's vector stores and structured queries write them."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.structured_query import Comparator, Comparison, Operation, Operator, StructuredQuery
from where_support import empty_catalog, store

from kure_rag.errors import FilterError
from kure_rag.index.fields import write_all
from kure_rag.index.where import parse_where
from kure_rag.langchain.filters import KureTranslator, to_where
from kure_rag.types import Chunk, Document

DATA: list[dict[str, Any]] = [
    {"조": "제15조", "연도": 2024, "태그": ["휴가", "급여"], "시행": "2024.1.5"},
    {"조": "제16조", "연도": 2025, "태그": ["휴가"], "시행": "2025.3.1"},
    {"조": "부칙", "연도": 2026},
    {},
]


@pytest.fixture(scope="module")
def db() -> Any:
    db = empty_catalog()
    document = Document("d", "규정.pdf", "규정", "legal", "")
    chunks = [Chunk(f"c{i}", "d", "", 0, 0, (i,), metadata=metadata) for i, metadata in enumerate(DATA)]
    write_all(db, [(document, store(db, document, chunks), chunks)])
    return db


def select(db: Any, given: Any) -> list[int]:
    return [row - 1 for row in parse_where(to_where(given) or {}).rows(db, 1)]


def compare(comparator: Comparator, attribute: str, value: Any) -> Comparison:
    return Comparison(comparator=comparator, attribute=attribute, value=value)


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        ({}, [0, 1, 2, 3]),
        ({"연도": 2024}, [0]),
        ({"연도": {"$eq": 2024}, "조": "제15조"}, [0]),
        ({"$and": [{"연도": {"$gte": 2025}}, {"태그": {"$contains": "휴가"}}]}, [1]),
        ({"$or": [{"연도": {"$gt": 2025}}, {"page": {"$lte": 0}}]}, [0, 2]),
        ({"조": {"$in": ["제15조", "부칙"]}}, [0, 2]),
        ({"조": ["제15조", "부칙"]}, [0, 2]),
        ({"조": {"$nin": ["제15조"]}}, [1, 2, 3]),
        ({"조": {"$ne": "제15조", "$exists": True}}, [1, 2]),
        ({"태그": {"$not_contains": "급여"}}, [1, 2, 3]),
        ({"연도": {"$between": [2024, 2025]}}, [0, 1]),
        ({"시행": {"$between": ["2024-01-01", "2024-12-31"]}}, [0]),
        ({"시행": {"type": "date", "date": "2024-01-05"}}, [0]),
        ({"$not": {"연도": 2024}}, [1, 2, 3]),
        ({"$not": [{"연도": 2024}, {"연도": 2025}]}, [2, 3]),
        ({"$or": [{"$and": [{"연도": 2024}, {"page": 0}]}, {"$not": {"조": {"$exists": True}}}]}, [0, 3]),
        (compare(Comparator.EQ, "조", "제15조"), [0]),
        (compare(Comparator.NE, "조", "제15조"), [1, 2, 3]),
        (compare(Comparator.GT, "연도", 2024), [1, 2]),
        (compare(Comparator.GTE, "연도", 2024), [0, 1, 2]),
        (compare(Comparator.LT, "연도", 2026), [0, 1]),
        (compare(Comparator.LTE, "연도", 2026), [0, 1, 2]),
        (compare(Comparator.CONTAIN, "태그", "급여"), [0]),
        (compare(Comparator.CONTAIN, "조", "제1"), [0, 1]),
        (compare(Comparator.IN, "연도", [2024, 2026]), [0, 2]),
        (compare(Comparator.NIN, "연도", (2024, 2026)), [1, 3]),
        (compare(Comparator.GTE, "시행", {"type": "date", "date": "2025-03-01"}), [1]),
        (compare(Comparator.LT, "시행", {"type": "datetime", "datetime": "2025-03-01T00:00:00"}), [0]),
    ],
)
def test_a_filter_finds_what_it_says(db: Any, given: Any, rows: list[int]) -> None:
    assert select(db, given) == rows


def test_operations_nest(db: Any) -> None:
    one, other = compare(Comparator.EQ, "연도", 2024), compare(Comparator.CONTAIN, "태그", "휴가")
    assert select(db, Operation(operator=Operator.AND, arguments=[one, other])) == [0]
    assert select(db, Operation(operator=Operator.OR, arguments=[one, other])) == [0, 1]
    assert select(db, Operation(operator=Operator.NOT, arguments=[other])) == [2, 3]
    assert select(db, Operation(operator=Operator.NOT, arguments=[one, compare(Comparator.EQ, "연도", 2025)])) == [2, 3]
    inner = Operation(operator=Operator.NOT, arguments=[one])
    assert select(db, Operation(operator=Operator.AND, arguments=[other, inner])) == [1]


def test_a_structured_query_gives_the_query_and_the_keyword() -> None:
    query = StructuredQuery(query="연차휴가", filter=compare(Comparator.EQ, "domain", "legal"), limit=3)
    assert KureTranslator().visit_structured_query(query) == ("연차휴가", {"where": {"domain": {"$eq": "legal"}}})
    assert to_where(query) == {"domain": {"$eq": "legal"}}
    without = StructuredQuery(query="연차휴가", filter=None)
    assert KureTranslator().visit_structured_query(without) == ("연차휴가", {})
    assert to_where(without) is None
    assert to_where(None) is None


def test_every_comparator_but_patterns_is_offered() -> None:
    assert set(Comparator) - set(KureTranslator.allowed_comparators) == {Comparator.LIKE}
    assert set(KureTranslator.allowed_operators) == set(Operator)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"title": {"$like": "취업%"}}, r"title: '\$like' compares with a pattern.*\$contains"),
        ({"$and": [{"title": {"$ilike": "취업%"}}]}, r"title: '\$ilike' compares with a pattern"),
        (compare(Comparator.LIKE, "title", "취업"), "title: 'like' compares with a pattern"),
        ({"page": {"$between": [1]}}, r"page: \$between takes a list of two"),
        ({"page": {"$regex": "1"}}, r"page: '\$regex' is no comparison; use one of \$eq"),
        ({"page": {}}, "page: no comparison given"),
        ({"$and": []}, r"\$and takes a list"),
        ({"$or": {"a": 1}}, r"\$or takes a list"),
        ({"$not": []}, r"\$or takes a list"),
        ({"$nor": [{"a": 1}]}, r"'\$nor' is neither a field"),
        (lambda document: True, "not a function"),
        (["domain"], "not list"),
    ],
)
def test_what_cannot_be_done_is_named(given: Any, words: str) -> None:
    with pytest.raises(FilterError, match=words):
        to_where(given)


def test_what_was_given_is_not_changed() -> None:
    given = {"$or": [{"조": {"$in": ["가"]}}]}
    where = to_where(given)
    assert where == given
    assert where is not given
