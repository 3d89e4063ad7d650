"""The grammar of `where`: what each comparison finds, and how one that makes no sense is named."""

import datetime
import sqlite3
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from where_support import begin_rows_at, empty_catalog, store

from kure_rag.errors import FilterError
from kure_rag.index.fields import write_all
from kure_rag.index.where import OPERATORS, parse_where
from kure_rag.types import Chunk, Document

FIRST = 7167  # the chunks lie on both sides of the edge of a block
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
    connection = empty_catalog()
    begin_rows_at(connection, FIRST)
    for i, about in enumerate(CHUNKS):
        publisher = {"publisher": "한빛" if i % 2 else "새울"}
        document = Document(str(i), about["source"], f"{about['source']} 제목", about["domain"], "", metadata=publisher)
        chunk = Chunk(
            f"c{i}",
            str(i),
            "",
            0,
            0,
            tuple(about["page"]),
            ("제1장 총칙",),
            kind=about["kind"],
            ordinal=i,
            metadata=about["meta"],
        )
        write_all(connection, [(document, store(connection, document, [chunk]), [chunk])])
    return connection


def select(db: sqlite3.Connection, where: dict[str, Any]) -> list[int]:
    return [row - FIRST for row in parse_where(where).rows(db, 1)]


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
        ({"pages": 2}, [1]),
        ({"kind": None}, []),
        ({"tags": {"$all": ["급여", "휴가"]}}, [1]),
        ({"tags": {"$all": ["급여", "병가"]}}, []),
        ({"source": {"$icontains": ".PDF"}}, [0, 1, 2, 3]),
        ({"article": {"$ne": None}}, [0, 1]),
        ({"ordinal": {"$in": {1, 3}}}, [1, 3]),
        ({"$not": {}}, []),
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
        {"page": {"$in": "가"}},
        {"page": {"$in": [None]}},
        {"page": {"$all": []}},
        {"page": {"$exists": "yes"}},
        {"page": {"$exists": None}},
        {"title": {"$icontains": 3}},
        {"title": {"$contains": None}},
        {"title": {"$eq": {"a": 1}}},
        {"title": b"x"},
        {"title": {3: 1}},
        {3: 1},
        {"$not": [{"page": 1}]},
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
        parse_where(where)


def test_an_error_names_the_field_and_what_may_stand_there() -> None:
    with pytest.raises(FilterError, match=r"domain: '\$like' is no comparison") as caught:
        parse_where({"$and": [{"domain": {"$like": "x"}}]})
    assert all(operator in str(caught.value) for operator in OPERATORS)
    with pytest.raises(FilterError, match=r"page: \$in takes a list"):
        parse_where({"page": {"$in": 3}})
    with pytest.raises(FilterError, match=r"'\$nor' is neither a field nor one of \$and, \$or, \$not"):
        parse_where({"$nor": [{}]})


def test_a_filter_nested_too_deeply_is_refused_before_the_database_chokes() -> None:
    where: dict[str, Any] = {"page": 1}
    for _ in range(2000):
        where = {"$not": where}
    with pytest.raises(FilterError, match="levels deep"):
        parse_where(where)


def test_a_list_of_any_length(db: sqlite3.Connection) -> None:
    assert select(db, {"source": {"$in": [f"{i}.pdf" for i in range(300_000)] + ["나.pdf"]}}) == [2]


def test_a_long_list_on_many_blocks() -> None:
    """So long that it is looked up in memory: what is found must not depend on that."""
    db = empty_catalog()
    wanted: list[int] = []
    for block in range(6):
        begin_rows_at(db, block * 7168)
        values: list[Any] = [f"값{block}", block, float(block), block == 1, {"가": 1}]
        chunks = [Chunk(f"c{block}-{i}", "d", "", 0, 0, (), metadata={"k": value}) for i, value in enumerate(values)]
        document = Document(f"d{block}", "가.pdf", "", "legal", "")
        rows = store(db, document, chunks)
        write_all(db, [(document, rows, chunks)])
        wanted += rows[:4] if block in (0, 1) else [rows[0], rows[3]]  # False is 0
    long = [f"값{i}" for i in range(1000)] + [0, 1, float("nan")]
    assert parse_where({"k": {"$in": long}}).rows(db, 1).tolist() == wanted
    short = [f"값{i}" for i in range(6)] + [0, 1]
    assert parse_where({"k": {"$in": short}}).rows(db, 1).tolist() == wanted


@given(st.text(min_size=1, max_size=30), st.one_of(st.text(max_size=30), st.integers(-(2**40), 2**40)))
def test_nothing_a_caller_writes_reaches_the_sql(db: sqlite3.Connection, field: str, value: object) -> None:
    """Fields and values are bound: the statements are the same whatever they are."""
    try:
        where = parse_where({"$or": [{field: value}, {"page": {"$contains": value}}, {field: {"$gte": value}}]})
    except FilterError:
        return
    said: list[str] = []
    where.rows(_Listening(db, said), 1)  # type: ignore[arg-type]
    assert said
    assert {statement for statement in said if not set(statement) <= _PLAIN} == set()


_PLAIN = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_.,=?<>()'0 1\n*")


class _Listening:
    """A connection that writes down its statements."""

    def __init__(self, db: sqlite3.Connection, said: list[str]) -> None:
        self._db, self._said = db, said
        self.in_transaction = db.in_transaction

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        self._said.append(sql)
        return self._db.execute(sql, parameters)


DAYS = ["2024-01-05", "2024.1.5", "2024. 1. 5.", "2024/01/05", "20240105", "2024년 1월 5일"]
DATED = [*DAYS, "2024-01-05T09:30:00+09:00"]
EARLIER, LATER = ["2023.12.31", "2024-01-04T23:59:59Z"], ["2024.1.6", "2024-01-06 00:00", "20241231"]
NOT_DATED = ["2024-02-30", "제2024.1.5조", "1.2.3", 20240105, "2024-01", ""]
ALL_DAYS = [*DATED, *EARLIER, *LATER, *NOT_DATED]


@pytest.fixture(scope="module")
def dated() -> sqlite3.Connection:
    db = empty_catalog()
    document = Document("d", "2024.1.5", "2024-01-05", "legal", "", metadata={"issued": "2024.1.5"})
    chunks = [
        Chunk(f"c{i}", "d", "", 0, 0, (), metadata={"day": day, "amended": [day, "2000.1.1"]})
        for i, day in enumerate(ALL_DAYS)
    ]
    write_all(db, [(document, store(db, document, chunks), chunks)])
    return db


@pytest.mark.parametrize("operand", [*DAYS, datetime.date(2024, 1, 5)])
def test_a_day_is_the_same_day_in_every_form(dated: sqlite3.Connection, operand: object) -> None:
    def found(where: dict[str, Any]) -> list[Any]:
        return [ALL_DAYS[row - 1] for row in parse_where(where).rows(dated, 1)]

    assert found({"day": operand}) == DATED
    assert found({"day": {"$in": [operand, 3]}}) == DATED
    assert found({"day": {"$gte": operand}}) == [*DATED, *LATER]
    assert found({"day": {"$gt": operand}}) == LATER
    assert found({"day": {"$lte": operand}}) == [*DATED, *EARLIER]
    assert found({"day": {"$lt": operand}}) == EARLIER
    assert found({"day": {"$ne": operand}}) == [*EARLIER, *LATER, *NOT_DATED]
    assert found({"amended": {"$all": [operand, "2000-01-01"]}}) == DATED
    assert found({"amended": {"$contains": operand}})[:7] == DATED
    assert len(found({"issued": operand})) == len(ALL_DAYS)


def test_moments_compare_wherever_they_are_told(dated: sqlite3.Connection) -> None:
    zone = datetime.timezone(datetime.timedelta(hours=9))
    for operand in ("2024-01-05T00:30:00", "2024-01-05 00:30Z", datetime.datetime(2024, 1, 5, 9, 30, tzinfo=zone)):
        assert parse_where({"day": operand}).rows(dated, 1).tolist() == [7]
    assert parse_where({"day": {"$lt": "2024-01-05T00:30:00"}}).rows(dated, 1).tolist() == [1, 2, 3, 4, 5, 6, 8, 9]


def test_names_of_files_are_no_dates(dated: sqlite3.Connection) -> None:
    assert parse_where({"source": "2024-01-05"}).rows(dated, 1).size == 0
    assert parse_where({"source": "2024.1.5"}).rows(dated, 1).size == len(ALL_DAYS)
    assert parse_where({"title": datetime.date(2024, 1, 5)}).rows(dated, 1).size == 0


def test_values_and_names_are_compared_composed() -> None:
    db = empty_catalog()
    apart = unicodedata.normalize("NFD", "휴가")
    document = Document("d", f"{apart}.pdf", apart, "legal", "", metadata={apart: apart})
    chunks = [Chunk("c", "d", "", 0, 0, (), (apart,), metadata={"tags": [apart]})]
    write_all(db, [(document, store(db, document, chunks), chunks)])
    for form in ("NFC", "NFD"):
        word = unicodedata.normalize(form, "휴가")
        for where in (
            {word: word},
            {"title": word},
            {"source": {"$contains": word}},
            {"tags": {"$in": [word]}},
            {"breadcrumb": {"$icontains": word}},
            {"tags": {"$gte": word}},
        ):
            assert parse_where(where).rows(db, 1).tolist() == [1]


def test_metadata_under_the_name_of_a_field() -> None:
    db = empty_catalog()
    document = Document("d", "규정.pdf", "취업규정", "legal", "", metadata={"title": "머리글", "page": 9})
    chunks = [Chunk("c", "d", "", 0, 0, (2,), metadata={"title": "연차휴가", "kind": "별표"})]
    write_all(db, [(document, store(db, document, chunks), chunks)])
    for where in (
        {"title": "취업규정"},
        {"chunk_title": "연차휴가"},
        {"document_title": "머리글"},
        {"page": 2},
        {"document_page": 9},
        {"chunk_kind": "별표"},
    ):
        assert parse_where(where).rows(db, 1).tolist() == [1]
    for where in ({"title": "연차휴가"}, {"page": 9}, {"kind": "별표"}):
        assert parse_where(where).rows(db, 1).size == 0


def test_names_says_what_a_filter_is_about() -> None:
    where = parse_where(
        {"$or": [{"page": 1}, {"$not": {"$and": [{"kind": {"$ne": None}}, {"조": {"$all": ["가", "나"]}}]}}]}
    )
    assert all(where.names(field) for field in ("page", "pages", "kind", "조"))
    assert not where.names("source")
    assert parse_where({"pages": 1}).names("page")
    assert not parse_where({}).names("kind")


def test_a_search_sees_its_own_generation(tmp_path: Any) -> None:
    """Also while another connection writes: a filter reads one state, whatever comes meanwhile."""
    db = empty_catalog(str(tmp_path / "catalog.sqlite3"))
    old = Document("d", "규정.pdf", "옛 규정", "legal", "")
    new = Document("d", "규정.pdf", "새 규정", "legal", "")
    first, second = [Chunk("c", "d", "", 0, 0, ())], [Chunk("c", "d", "", 0, 0, ()), Chunk("e", "d", "", 0, 0, ())]
    write_all(db, [(old, store(db, old, first, generation=1, gone=2), first)])
    write_all(db, [(new, store(db, new, second, generation=2), second)])
    found = {visible: parse_where({"source": "규정.pdf"}).rows(db, visible).tolist() for visible in range(4)}
    assert found == {0: [], 1: [1], 2: [2, 3], 3: [2, 3]}
    assert parse_where({"$not": {"title": "새 규정"}}).rows(db, 1).tolist() == [1]
    assert parse_where({"chunk_id": "c"}).rows(db, 2).tolist() == [2]
    assert parse_where({"title": "옛 규정"}).rows(db, 2).size == 0
    assert not db.in_transaction
    db.close()


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
