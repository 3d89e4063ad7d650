"""A catalog of every released version opens for ever: it keeps what it holds, and takes new documents."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from index.fixtures import make

from kure_rag.errors import IndexCorruptError
from kure_rag.index.catalog import Catalog, NewDocument
from kure_rag.index.rows import Standing, checksum
from kure_rag.index.schema import VERSION, VIEWS
from kure_rag.index.where import parse_where
from kure_rag.types import Chunk, Document, contextualized

FIXTURES = Path(__file__).with_name("fixtures")
VERSIONS = range(1, VERSION + 1)
LAST_ROW = 6  # of a document that was deleted: never used again


def fixture(version: int) -> Path:
    return FIXTURES / f"catalog_v{version}.sql"


def put(version: int | str, folder: Path) -> Path:
    """The fixture as a database file in an index folder."""
    db = sqlite3.connect(folder / "catalog.sqlite3")
    db.executescript((FIXTURES / f"catalog_v{version}.sql").read_text(encoding="utf-8"))
    db.close()
    return folder


@pytest.fixture(params=VERSIONS, ids=lambda version: f"v{version}")
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def catalog(version: int, tmp_path: Path) -> Catalog:
    return Catalog(put(version, tmp_path), create=False)


def new(document_id: str, text: str, *, key: str = "") -> NewDocument:
    chunk = Chunk(f"chunk of {document_id}", document_id, text, 0, len(text), (), lead="다음 각 호")
    document = Document(document_id, f"{document_id}.txt", "", "general", text, metadata={"year": 2026})
    return NewDocument(document, [chunk], [text.split()], np.ones((1, 4), np.float32), key)


def test_every_version_has_a_fixture() -> None:
    missing = [fixture(version).name for version in VERSIONS if not fixture(version).exists()]
    assert not missing, f"make {missing} with tests/index/fixtures/make.py before the tables change"


def test_the_tables_of_this_version_are_those_of_its_fixture(tmp_path: Path) -> None:
    """Once a version is released its tables stay: another table or column is another version, and a migration."""
    shapes = []
    for name in ("released", "made"):
        (tmp_path / name).mkdir()
    put(VERSION, tmp_path / "released")
    Catalog(tmp_path / "made", create=True).close()
    for name in ("released", "made"):
        db = sqlite3.connect(tmp_path / name / "catalog.sqlite3")
        shapes.append(set(db.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")))
        db.close()
    assert shapes[0] == shapes[1]


def test_all_that_it_held_is_there(catalog: Catalog, version: int) -> None:
    wanted = make.documents(leads=version > 1)
    assert catalog.get("version") == VERSION
    assert catalog.counts() == (3, 5)
    assert [row.id for row in catalog.documents()] == [d.id for d, _ in sorted(wanted, key=lambda item: item[0].source)]
    row = 1
    for document, chunks in wanted:
        assert catalog.document(document.id) == document
        assert [item.chunk for item in catalog.chunks_of(document.id)] == chunks
        for chunk in chunks:
            assert catalog.rows_of([chunk.id]) == {chunk.id: row}
            assert catalog.keywords([row])[row].terms == " ".join(make.terms(chunk))
            assert catalog.keywords([row])[row].text == contextualized(chunk.breadcrumb, chunk.text, chunk.lead)
            rows, vectors = catalog.vectors([row])
            assert rows == [row]
            assert (vectors[0] == make.vector(row)).all()
            row += 1
    assert catalog.get("fingerprint") == {"model": "글자쌍", "dimension": 4}
    assert catalog.get("chunks") == {"size": 500}
    assert catalog.integrity() == []
    assert not catalog.has_document("d" * 64)


def test_filters_know_what_it_held(catalog: Catalog) -> None:
    newest = catalog.state().generation
    for where, rows in (
        ({"domain": "legal"}, [1, 2]),
        ({"article": "제15조"}, [1]),
        ({"year": {"$gte": 2025}}, [3, 4]),
        ({"kind": "record"}, [5]),
        ({"source": "폐지.pdf"}, []),
    ):
        assert catalog.matching(parse_where(where), newest).tolist() == rows


def test_the_views_go_on_where_they_were(catalog: Catalog, version: int) -> None:
    state = catalog.state()
    assert (state.generation, state.applied["lexical"], state.applied["dense"]) == (5, 1, 0)
    assert [p.row for p in catalog.pending("lexical", 100) if p.op == "delete"] == [LAST_ROW]
    assert {p.row for p in catalog.pending("lexical", 100) if p.op == "add"} >= {3, 4, 5}
    # A view that the version did not know is made from the catalog, and until then hides nothing from a search.
    known = VIEWS if version >= 3 else ("lexical", "dense")
    assert state.stale == frozenset(VIEWS) - set(known)
    for view in known:
        if owed := catalog.pending(view, 100):
            catalog.mark_applied(view, owed[-1].seq)
    assert catalog.state().visible == 5
    for view in state.stale:
        catalog.mark_rebuilt(view)
    assert catalog.state().stale == frozenset()


def test_documents_are_added_updated_and_deleted(catalog: Catalog) -> None:
    catalog.add_many([new("e", "새로 정한 규정"), new("f", "처음 판", key="규정/근무.txt")])
    assert min(catalog.rows_of(["chunk of e"]).values()) == LAST_ROW + 1
    generation = catalog.add_many([new("g", "다음 판", key="규정/근무.txt")])
    assert [catalog.has_document(id_) for id_ in "efg"] == [True, False, True]
    catalog.delete(["a" * 64, "e"])
    assert catalog.counts() == (3, 4)
    assert catalog.matching(parse_where({"year": 2026}), generation + 1).tolist() == [LAST_ROW + 3]
    for view in VIEWS:
        catalog.mark_rebuilt(view)
    assert catalog.purge(generation + 1) >= 4
    assert catalog.integrity() == []
    assert {row for row, _ in catalog.all_rows()} == {3, 4, 5, LAST_ROW + 3}


def test_a_second_opening_has_nothing_left_to_do(catalog: Catalog, tmp_path: Path) -> None:
    catalog.close()
    before = make.dump(tmp_path / "catalog.sqlite3")
    Catalog(tmp_path, create=False).close()
    assert make.dump(tmp_path / "catalog.sqlite3") == before


def test_a_migration_that_fails_leaves_the_older_catalog(tmp_path: Path) -> None:
    put(2, tmp_path)
    db = sqlite3.connect(tmp_path / "catalog.sqlite3")
    db.execute("DROP TABLE vectors")
    db.commit()
    before = make.dump(tmp_path / "catalog.sqlite3")
    with pytest.raises(IndexCorruptError, match="vectors"):
        Catalog(tmp_path, create=False)
    assert make.dump(tmp_path / "catalog.sqlite3") == before
    db.close()


def test_a_catalog_of_version_1_gains_the_lead(tmp_path: Path) -> None:
    catalog = Catalog(put(1, tmp_path), create=False)
    catalog.add_many([new("e", "나")])
    assert [item.chunk for item in catalog.chunks_of("e")] == list(new("e", "나").chunks)
    assert catalog.keywords([LAST_ROW + 1])[LAST_ROW + 1].text == "다음 각 호\n나"


def test_places_of_version_3_come_into_their_table(tmp_path: Path) -> None:
    catalog = Catalog(put("3_places", tmp_path), create=False)
    assert catalog.places() == [
        Standing("규정/취업.pdf", "규정 폴더", "a" * 64, "취업규정.pdf"),
        Standing("대출/안내.pdf", "", "b" * 64, "대출 안내.pdf"),
        Standing("복약/8", "", "f" * 64, "복약-8"),
    ]
    generation = catalog.state().generation
    assert [catalog.has_document(id_ * 64, generation - 1) for id_ in "ef"] == [True, False]
    assert catalog.document("e" * 64, generation - 1) is not None
    assert catalog.integrity() == []
    catalog.add_many([new("g", "새로 정한 복약", key="복약/8")])
    assert [catalog.has_document(id_) for id_ in ("f" * 64, "g")] == [False, True]
    assert catalog.settle_places(gone=catalog.places("규정 폴더")) == {"a" * 64: "취업규정.pdf"}
    for view in VIEWS:
        catalog.mark_rebuilt(view)
    catalog.purge(catalog.state().generation)
    assert catalog.integrity() == []


def test_of_two_documents_with_one_key_the_newer_has_it(tmp_path: Path) -> None:
    """A crash between two changes of places could leave such a catalog of version 3."""
    db = sqlite3.connect(put("3_places", tmp_path) / "catalog.sqlite3")
    sql = "SELECT id, generation, source, title, domain, '복약/8', '', metadata FROM documents WHERE id = ?"
    head = db.execute(sql, ("b" * 64,)).fetchone()
    db.execute("UPDATE documents SET key = '복약/8', crc = ? WHERE id = ?", (checksum(*head), "b" * 64))
    db.commit()
    db.close()
    catalog = Catalog(tmp_path, create=False)
    assert catalog.keys() == {"규정/취업.pdf": "a" * 64, "복약/8": "f" * 64}
    assert catalog.has_document("b" * 64)
    assert catalog.integrity() == []


def test_a_rotten_document_does_not_become_a_sound_one(tmp_path: Path) -> None:
    db = sqlite3.connect(put(3, tmp_path) / "catalog.sqlite3")
    db.execute("UPDATE documents SET title = title || ' ' WHERE id = ?", ("a" * 64,))
    db.commit()
    db.close()
    before = make.dump(tmp_path / "catalog.sqlite3")
    with pytest.raises(IndexCorruptError, match="a" * 64):
        Catalog(tmp_path, create=False)
    assert make.dump(tmp_path / "catalog.sqlite3") == before


def test_an_older_program_would_be_told(tmp_path: Path) -> None:
    """It reads the version before anything else, with the statement that every version understands."""
    Catalog(tmp_path, create=True).close()
    db = sqlite3.connect(tmp_path / "catalog.sqlite3")
    assert db.execute("SELECT value FROM settings WHERE key = 'version'").fetchone() == (str(VERSION),)
    db.close()


def test_the_fixture_of_this_version_is_what_this_code_writes(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path, create=True)
    make.fill(catalog)
    catalog.close()
    released = sqlite3.connect(":memory:")
    released.executescript(fixture(VERSION).read_text(encoding="utf-8"))
    made = sqlite3.connect(tmp_path / "catalog.sqlite3")
    for table in ("documents", "places", "said", "chunks", "vectors", "settings", "pending"):
        sql = f"SELECT * FROM {table} ORDER BY 1, 2"
        assert made.execute(sql).fetchall() == released.execute(sql).fetchall(), table
    made.close()
    released.close()
