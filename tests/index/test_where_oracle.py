"""Random filters over random chunks find what a plain reading of them finds, at every generation."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from where_oracle import holds
from where_support import begin_rows_at, empty_catalog, store

from kure_rag.index.fields import migrate_fields, write_all
from kure_rag.index.where import parse_where
from kure_rag.types import Chunk, Document

DAYS = st.dates(date(2023, 12, 30), date(2024, 1, 3))
ZONES = st.sampled_from([None, UTC, timezone(timedelta(hours=9)), timezone(-timedelta(hours=3, minutes=30))])
MOMENTS = st.datetimes(datetime(2023, 12, 31), datetime(2024, 1, 2), timezones=ZONES).map(
    lambda moment: moment.replace(minute=0, second=0, microsecond=0)
)
WRITTEN_DAYS = st.builds(
    lambda day, form: form.format(day),
    DAYS,
    st.sampled_from(
        [
            *("{0:%Y-%m-%d}", "{0:%Y.%m.%d}", "{0:%Y%m%d}", "{0:%Y/%m/%d}", "{0.year}.{0.month}.{0.day}"),
            *("{0.year}. {0.month}. {0.day}.", "{0.year}년 {0.month}월 {0.day}일"),
        ]
    ),
)
DATES = st.one_of(WRITTEN_DAYS, MOMENTS.map(datetime.isoformat))
WORDS = st.sampled_from(
    ["휴가", "연차휴가", "급여", "Annual Leave", "annual", "ANNUAL", "", "제1조", "20245", "ß", "2024-02-30"]
)
TEXTS = st.builds(lambda text, form: unicodedata.normalize(form, text), WORDS, st.sampled_from(["NFC", "NFD"]))
NUMBERS = st.one_of(
    st.integers(-2, 3), st.sampled_from([0.0, 1.0, 1.5, -0.5, 2.0**53, 2**53 + 1, 2**62, float("inf")]), st.booleans()
)
SCALARS = st.one_of(TEXTS, NUMBERS, DATES)
VALUES = st.one_of(
    SCALARS,
    st.none(),
    st.lists(st.one_of(SCALARS, st.none(), st.just({"급": 1}), st.just(["가"])), max_size=4),
    st.just({"급": "휴가"}),
    st.sampled_from([float("nan"), 2**64]),
)
KEYS = st.sampled_from(["조", unicodedata.normalize("NFD", "조"), "amended", "tags", "title", "page", "chunk_title"])
METADATA = st.dictionaries(KEYS, VALUES, max_size=4)

OWN = ["source", "title", "domain", "document_id", "chunk_id", "kind", "ordinal", "page", "pages", "breadcrumb"]
FIELDS = st.one_of(KEYS, st.sampled_from([*OWN, "document_title", "chunk_page", "없는 것"]))
OPERANDS = st.one_of(SCALARS, DAYS, MOMENTS, st.sampled_from(["가.pdf", "나.pdf", "doc1", "c0-1", "legal", "c"]))
TESTS = st.one_of(
    OPERANDS,
    st.none(),
    st.builds(
        lambda o, v: {o: v}, st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$contains"]), OPERANDS
    ),
    st.builds(lambda o, v: {o: v}, st.sampled_from(["$in", "$nin"]), st.lists(OPERANDS, max_size=4)),
    st.builds(lambda v: {"$all": v}, st.lists(OPERANDS, min_size=1, max_size=3)),
    st.builds(lambda v: {"$icontains": v}, TEXTS),
    st.builds(lambda v: {"$exists": v}, st.booleans()),
    st.builds(lambda low, high: {"$gte": low, "$lt": high}, OPERANDS, OPERANDS),
)
FILTERS = st.recursive(
    st.dictionaries(FIELDS, TESTS, max_size=2),
    lambda inner: st.one_of(
        st.builds(lambda parts: {"$and": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"$or": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"$not": part}, inner),
    ),
    max_leaves=6,
)


@st.composite
def chunks(draw: st.DrawFn, document: int, ordinal: int) -> Chunk:
    return Chunk(
        id=f"c{document}-{ordinal}",
        document_id=f"doc{document}",
        text="",
        start=0,
        end=0,
        pages=tuple(draw(st.lists(st.integers(1, 3), max_size=2))),
        breadcrumb=tuple(draw(st.lists(TEXTS, max_size=2))),
        kind=draw(st.sampled_from(["text", "table"])),
        ordinal=ordinal,
        metadata=draw(METADATA),
    )


@st.composite
def documents(draw: st.DrawFn, number: int) -> tuple[Document, list[Chunk], int, int | None]:
    born = draw(st.integers(1, 3))
    gone = draw(st.one_of(st.none(), st.integers(born + 1, 4)))
    title = draw(st.one_of(TEXTS, WRITTEN_DAYS))
    source = draw(st.sampled_from(["가.pdf", "나.pdf"]))
    document = Document(f"doc{number}", source, title, "legal", "", metadata=draw(METADATA))
    return document, [draw(chunks(number, i)) for i in range(draw(st.integers(0, 4)))], born, gone


CORPORA = st.integers(0, 4).flatmap(lambda n: st.tuples(*(documents(i) for i in range(n))))


@given(corpus=CORPORA, filters=st.lists(FILTERS, min_size=1, max_size=6), first=st.sampled_from([1, 7166, 14_330]))
@settings(max_examples=150)
def test_a_filter_finds_what_it_says(corpus: tuple[Any, ...], filters: list[dict[str, Any]], first: int) -> None:
    db = empty_catalog()
    begin_rows_at(db, first)
    stored = [
        (document, store(db, document, parts, generation=born, gone=gone), parts)
        for document, parts, born, gone in corpus
    ]
    write_all(db, stored)
    lives = {document.id: (born, gone or 99) for document, _, born, gone in corpus}
    for rebuilt in (False, True):
        if rebuilt:
            migrate_fields(db)
        for where in filters:
            for visible in range(5):
                wanted = [
                    row
                    for document, rows, parts in stored
                    for row, chunk in zip(rows, parts, strict=True)
                    if lives[document.id][0] <= visible < lives[document.id][1] and holds(where, chunk, document)
                ]
                found = parse_where(where).rows(db, visible)
                assert found.dtype == "int64"
                assert found.tolist() == sorted(wanted)
    db.close()
