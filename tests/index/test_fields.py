"""The inverted table after any changes is the one made anew from what is stored."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from where_support import begin_rows_at, empty_catalog, store

from kure_rag.errors import IndexCorruptError
from kure_rag.index.fields import (
    drop_document_fields,
    drop_fields,
    migrate_fields,
    write_all,
    write_document_fields,
    write_fields,
)
from kure_rag.index.where import parse_where
from kure_rag.index.where_blocks import BLOCK, decode, encode, mark, merge
from kure_rag.types import Chunk, Document

OFFSETS = st.one_of(
    st.sets(st.integers(0, BLOCK - 1), min_size=1, max_size=20),
    st.builds(lambda start, n: set(range(start, start + n)), st.integers(0, 5000), st.integers(1, 2000)),
)
METADATA = st.dictionaries(
    st.sampled_from(["조", "tags", "day"]),
    st.one_of(st.sampled_from(["가", "2024.1.5", 1, 1.0, True]), st.lists(st.sampled_from(["가", 1, 2]), max_size=3)),
)


def content(db: sqlite3.Connection) -> dict[Any, list[int]]:
    sql = """SELECT n.name, n.level, n.type, f.value, f.block, f.rows
             FROM fields f JOIN field_names n ON n.id = f.name_id
             UNION ALL SELECT '', '', '', 1, block, rows FROM field_blocks"""
    return {tuple(key): decode(rows).tolist() for *key, rows in db.execute(sql)}


def made_anew(db: sqlite3.Connection) -> dict[Any, list[int]]:
    migrate_fields(db)
    return content(db)


def make(number: int, metadata: dict[str, Any], chunks: list[dict[str, Any]]) -> tuple[Document, list[Chunk]]:
    id_ = f"d{number}"
    return Document(id_, f"{number}.pdf", "규정", "legal", "", metadata=metadata), [
        Chunk(f"c{number}-{i}", id_, "", 0, 0, (i + 1,), ("제1장",), ordinal=i, metadata=about)
        for i, about in enumerate(chunks)
    ]


@given(st.data())
@settings(max_examples=100)
def test_changes_leave_what_making_it_anew_would(data: st.DataObject) -> None:
    db = empty_catalog()
    begin_rows_at(db, data.draw(st.sampled_from([1, BLOCK - 2])))
    alive: dict[str, tuple[Document, list[int]]] = {}
    for number in range(data.draw(st.integers(1, 5))):
        document, chunks = make(number, data.draw(METADATA), data.draw(st.lists(METADATA, max_size=4)))
        rows = store(db, document, chunks)
        if data.draw(st.booleans()):
            write_all(db, [(document, rows, chunks)])
        else:
            for row, chunk in zip(rows, chunks, strict=True):
                write_fields(db, row, document.id, chunk)
            write_document_fields(db, document)
        alive[document.id] = document, rows
    for id_ in data.draw(st.lists(st.sampled_from(sorted(alive)), unique=True)):
        document, rows = alive.pop(id_)
        drop_fields(db, rows)
        db.execute("DELETE FROM chunks WHERE document_id = ?", (id_,))
        db.execute("DELETE FROM documents WHERE id = ?", (id_,))
    for id_ in data.draw(st.lists(st.sampled_from(sorted(alive)), unique=True)) if alive else ():
        document, _ = alive[id_]
        drop_document_fields(db, [id_])
        db.execute("UPDATE documents SET title = '새 규정', metadata = '{\"조\": \"나\"}' WHERE id = ?", (id_,))
        write_document_fields(db, replace(document, title="새 규정", metadata={"조": "나"}))
    found = content(db)
    assert found == made_anew(db)
    db.close()


def test_a_change_leaves_older_versions_as_they_were() -> None:
    db = empty_catalog()
    old, chunks = make(1, {"조": "가"}, [{}, {}])
    write_all(db, [(old, store(db, old, chunks, generation=1, gone=2), chunks)])
    new = replace(old, metadata={"조": "나"})
    write_all(db, [(new, store(db, new, chunks, generation=2), chunks)])
    drop_document_fields(db, ["d1"])
    db.execute('UPDATE documents SET metadata = \'{"조": "다"}\' WHERE gone IS NULL')
    write_document_fields(db, replace(new, metadata={"조": "다"}))
    assert parse_where({"조": "가"}).rows(db, 1).tolist() == [1, 2]
    assert parse_where({"조": "나"}).rows(db, 2).size == 0
    assert parse_where({"조": "다"}).rows(db, 2).tolist() == [3, 4]
    found = content(db)
    assert found == made_anew(db)


def test_a_row_that_is_no_more_is_not_found_whatever_was_left_of_it() -> None:
    db = empty_catalog()
    document, chunks = make(1, {}, [{"조": "가"}, {"조": "가"}])
    rows = store(db, document, chunks)
    write_all(db, [(document, rows, chunks)])
    db.execute("DELETE FROM chunks WHERE row = ?", (rows[0],))
    drop_fields(db, rows[:1])  # too late to know what it said
    assert parse_where({"조": "가"}).rows(db, 1).tolist() == rows[1:]
    assert parse_where({"$not": {"조": "나"}}).rows(db, 1).tolist() == rows[1:]


def test_values_that_json_has_and_sqlite_has_not() -> None:
    db = empty_catalog()
    values = [2**63, -(10**400), float("inf"), float("nan"), {"a": 1}, [["가"]], [], None, True]
    document, chunks = make(1, {}, [{"값": value} for value in values])
    write_all(db, [(document, store(db, document, chunks), chunks)])
    assert parse_where({"값": {"$gte": 2.0**63}}).rows(db, 1).tolist() == [1, 3]
    assert parse_where({"값": {"$lt": 0}}).rows(db, 1).tolist() == [2]
    assert parse_where({"값": {"$exists": True}}).rows(db, 1).tolist() == [1, 2, 3, 4, 5, 6, 9]
    assert parse_where({"값": 1}).rows(db, 1).tolist() == [9]


def test_a_key_that_is_no_text_is_found_as_json_stores_it() -> None:
    db = empty_catalog()
    document, chunks = make(1, {}, [{1: "가"}])  # type: ignore[dict-item]
    write_all(db, [(document, store(db, document, chunks), chunks)])
    assert parse_where({"1": "가"}).rows(db, 1).tolist() == [1]
    found = content(db)
    assert found == made_anew(db)


@given(OFFSETS, OFFSETS)
def test_offsets_come_back_from_a_block(one: set[int], other: set[int]) -> None:
    assert decode(encode(sorted(one))).tolist() == sorted(one)
    merged = merge(encode(sorted(one)), encode(sorted(other)))
    assert decode(merged).tolist() == sorted(one | other)
    assert len(merged) <= BLOCK // 8


@given(st.dictionaries(st.integers(0, 5), OFFSETS, max_size=4), st.integers(0, 4))
def test_a_mask_has_the_rows_of_its_blocks(blocks: dict[int, set[int]], size: int) -> None:
    mask = mark(
        np.zeros(size * BLOCK, dtype=np.bool_), [(block, encode(sorted(rows))) for block, rows in blocks.items()]
    )
    wanted = {block * BLOCK + offset for block, rows in blocks.items() for offset in rows if block < size}
    assert np.flatnonzero(mask).tolist() == sorted(wanted)


def test_a_field_that_all_have_costs_little() -> None:
    """A bit a row where many share a value: what a year or a domain costs must not grow with them."""
    db = empty_catalog()
    document, chunks = make(1, {"domain_given": True}, [{"year": 2024}] * 3000)
    write_all(db, [(document, store(db, document, [replace(c, id=f"{i}") for i, c in enumerate(chunks)]), chunks)])
    [size] = db.execute(
        "SELECT sum(length(rows)) FROM fields JOIN field_names n ON n.id = name_id WHERE n.name = 'year'"
    ).fetchone()
    assert size <= BLOCK // 8


@pytest.mark.parametrize("rows", [[], [5]])
def test_dropping_what_is_not_there_changes_nothing(rows: list[int]) -> None:
    db = empty_catalog()
    document, chunks = make(1, {}, [{"조": "가"}])
    write_all(db, [(document, store(db, document, chunks), chunks)])
    before = content(db)
    drop_fields(db, rows)
    drop_document_fields(db, ["없음"])
    assert content(db) == before


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE fields SET rows = x'0500' WHERE value = '가'",
        "UPDATE fields SET rows = 'x' WHERE value = '가'",
        "UPDATE fields SET value = '나' WHERE value = '가'",
        "UPDATE fields SET crc = crc + 1 WHERE value = '가'",
        "UPDATE field_blocks SET rows = x'0500'",
    ],
)
def test_damage_is_told_and_never_answered_from(damage: str) -> None:
    db = empty_catalog()
    document, chunks = make(1, {}, [{"조": "가"}, {"조": 1}])
    rows = store(db, document, chunks)
    write_all(db, [(document, rows, chunks)])
    db.execute(damage)
    with pytest.raises(IndexCorruptError, match="table of filters is damaged"):
        parse_where({"조": {"$in": ["가", "나"]}}).rows(db, 1)
    if "'나'" not in damage:
        with pytest.raises((IndexCorruptError, sqlite3.OperationalError)):
            write_all(db, [(document, rows, chunks)])
    assert not db.in_transaction


@given(st.sampled_from([0, 1, -1, 0.0, -0.0, 1.5, float("inf"), -(2**63), "", "가", "\0"]), st.sets(st.integers(0, 9)))
def test_what_sqlite_gives_back_has_its_checksum(value: Any, other: set[int]) -> None:
    db = empty_catalog()
    for number, ordinals in ((1, {0}), (2, other)):
        document, chunks = make(number, {}, [{"값": value} for _ in ordinals])
        write_all(db, [(document, store(db, document, chunks), chunks)])
    assert parse_where({"값": value}).rows(db, 1).size == 1 + len(other)
    db.close()
