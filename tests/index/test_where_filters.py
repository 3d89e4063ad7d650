"""The grammar of `where`, checked against a plain Python reading of it on random chunks and filters."""

import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.errors import FilterError
from kure_rag.index.where import compile_where

CHUNKS: list[dict[str, Any]] = [
    {"source": "가.pdf", "domain": "legal", "kind": "text", "page": [1], "meta": {"article": "제1조", "year": 2024}},
    {
        "source": "가.pdf",
        "domain": "legal",
        "kind": "text",
        "page": [1, 2],
        "meta": {"article": "제2조", "tags": ["휴가", "급여"]},
    },
    {"source": "나.pdf", "domain": "finance", "kind": "table", "page": [7], "meta": {"year": 2025, "audited": True}},
    {"source": "다.pdf", "domain": "medical", "kind": "text", "page": [], "meta": {}},
]


@pytest.fixture(scope="module")
def db() -> sqlite3.Connection:
    import json

    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("CREATE TABLE d (id TEXT, source TEXT, title TEXT, domain TEXT, metadata TEXT)")
    connection.execute(
        "CREATE TABLE c (row INTEGER, id TEXT, document_id TEXT, ordinal INTEGER, kind TEXT,"
        " pages TEXT, breadcrumb TEXT, metadata TEXT)"
    )
    for i, chunk in enumerate(CHUNKS):
        document = {"publisher": "한빛" if i % 2 else "새울"}
        connection.execute(
            "INSERT INTO d VALUES (?, ?, ?, ?, ?)",
            (str(i), chunk["source"], chunk["source"], chunk["domain"], json.dumps(document, ensure_ascii=False)),
        )
        connection.execute(
            "INSERT INTO c VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                i,
                f"c{i}",
                str(i),
                i,
                chunk["kind"],
                json.dumps(chunk["page"]),
                '["제1장 총칙"]',
                json.dumps(chunk["meta"], ensure_ascii=False),
            ),
        )
    return connection


def select(db: sqlite3.Connection, where: dict[str, Any]) -> list[int]:
    condition, parameters = compile_where(where)
    sql = f"SELECT c.row FROM c JOIN d ON d.id = c.document_id WHERE {condition} ORDER BY c.row"
    return [row[0] for row in db.execute(sql, parameters)]


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ({}, [0, 1, 2, 3]),
        ({"domain": "legal"}, [0, 1]),
        ({"domain": {"$ne": "legal"}}, [2, 3]),
        ({"source": {"$in": ["나.pdf", "다.pdf"]}}, [2, 3]),
        ({"source": {"$nin": ["나.pdf"]}}, [0, 1, 3]),
        ({"source": {"$in": []}}, []),
        ({"page": 2}, [1]),
        ({"page": {"$gte": 2}}, [1, 2]),
        ({"page": {"$ne": 1}}, [2, 3]),
        ({"article": "제2조"}, [1]),
        ({"article": {"$exists": True}}, [0, 1]),
        ({"article": {"$exists": False}}, [2, 3]),
        ({"article": None}, [2, 3]),
        ({"year": {"$gt": 2024}}, [2]),
        ({"year": {"$gte": 2024, "$lt": 2025}}, [0]),
        ({"audited": True}, [2]),
        ({"tags": "급여"}, [1]),
        ({"tags": {"$contains": "휴"}}, [1]),
        ({"breadcrumb": {"$contains": "총칙"}}, [0, 1, 2, 3]),
        ({"publisher": "한빛"}, [1, 3]),
        ({"chunk_id": "c2"}, [2]),
        ({"$or": [{"kind": "table"}, {"page": 2}]}, [1, 2]),
        ({"$and": [{"domain": "legal"}, {"page": 2}]}, [1]),
        ({"$not": {"domain": "legal"}}, [2, 3]),
        ({"$not": {"year": {"$gt": 2024}}}, [0, 1, 3]),
        ({"없는 필드": 1}, []),
    ],
)
def test_filters(db: sqlite3.Connection, where: dict[str, Any], rows: list[int]) -> None:
    assert select(db, where) == rows


@pytest.mark.parametrize(
    "where",
    [
        {"domain": {"$like": "x"}},
        {"$nor": [{}]},
        {"$or": []},
        {"$or": {"a": 1}},
        {"page": {"$in": 3}},
        {"page": {}},
        {"page": [1]},
        {"page": {"$gt": None}},
        {'x"y': 1},
        {"": 1},
        {"page": 10**30},
        {"source": "\ud800"},
        {"source": {"$in": ["\ud800"]}},
        {"\ud800": 1},
        ["domain"],
    ],
)
def test_broken_grammar_is_named(where: Any) -> None:
    with pytest.raises(FilterError):
        compile_where(where)


def test_a_filter_nested_too_deeply_is_refused_before_the_database_chokes() -> None:
    where: dict[str, Any] = {"page": 1}
    for _ in range(2000):
        where = {"$not": where}
    with pytest.raises(FilterError, match="levels deep"):
        compile_where(where)


def test_a_list_of_any_length(db: sqlite3.Connection) -> None:
    assert select(db, {"source": {"$in": [f"{i}.pdf" for i in range(300_000)] + ["나.pdf"]}}) == [2]


@given(st.text(min_size=1, max_size=30), st.one_of(st.text(max_size=30), st.integers(-(2**40), 2**40)))
def test_nothing_a_caller_writes_reaches_the_sql(field: str, value: object) -> None:
    """Fields and values are bound; the condition's text does not depend on them beyond the known columns."""
    try:
        condition, parameters = compile_where({field: value})
    except FilterError:
        return
    reference, _ = compile_where({"unknown": "x"})
    assert condition == reference
    assert f'$."{field}"' in parameters


leaf = st.sampled_from(
    [
        {"domain": "legal"},
        {"page": 2},
        {"year": {"$gte": 2025}},
        {"kind": {"$ne": "table"}},
        {"article": {"$exists": True}},
    ]
)
trees = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"$and": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"$or": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"$not": part}, inner),
    ),
    max_leaves=8,
)


def holds(where: dict[str, Any], row: int, db: sqlite3.Connection) -> bool:
    if "$and" in where:
        return all(holds(part, row, db) for part in where["$and"])
    if "$or" in where:
        return any(holds(part, row, db) for part in where["$or"])
    if "$not" in where:
        return not holds(where["$not"], row, db)
    return row in select(db, where)


@given(where=trees)
def test_and_or_not_are_those_of_logic(db: sqlite3.Connection, where: dict[str, Any]) -> None:
    assert select(db, where) == [row for row in range(len(CHUNKS)) if holds(where, row, db)]
