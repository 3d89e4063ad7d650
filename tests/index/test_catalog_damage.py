"""A torn or rotten catalog is refused; it never crashes its reader, and never answers wrongly."""

from __future__ import annotations

import random
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index.damage import Truth, flipped, put, write_to
from index.fixtures import make

from kure_rag.errors import IndexCorruptError, IndexNotFoundError, KureIndexError
from kure_rag.index.catalog import Catalog
from kure_rag.index.catalog_file import FILE

PAGE = 4096


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    folder = tmp_path_factory.mktemp("sound")
    catalog = Catalog(folder, create=True)
    make.fill(catalog)
    catalog.set_metadata("b" * 64, metadata={"부서": "여신팀", "year": None})
    catalog.close()
    return Truth(folder)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "index"


@pytest.fixture
def catalog(truth: Truth, tmp_path: Path) -> Catalog:
    return Catalog(put(tmp_path / "index", truth.data), create=False)


def harm(catalog: Catalog, sql: str) -> None:
    """Changes a row behind the catalog's back, as rot would."""
    db = sqlite3.connect(catalog.folder / FILE)
    db.execute(sql)
    db.commit()
    db.close()


# Rot that SQLite cannot see


@pytest.mark.parametrize(
    "column", ["text", "breadcrumb", "lead", "metadata", "pages", "kind", "id", "document_id", "prev_id"]
)
def test_a_rotten_chunk_is_refused_by_name_and_the_others_are_not(catalog: Catalog, column: str) -> None:
    harm(catalog, f"UPDATE chunks SET {column} = {column} || ' ' WHERE row = 2")
    with pytest.raises(IndexCorruptError) as caught:
        catalog.fetch([1, 2], 9)
    assert "row 2" in str(caught.value)
    assert "restore it from a backup or ingest anew" in str(caught.value)
    if column not in ("id", "document_id"):
        assert f"chunk {'a2' * 32}" in str(caught.value)
        assert f"document {'a' * 64}" in str(caught.value)
    assert list(catalog.fetch([1, 3, 5], 9)) == [1, 3, 5]
    assert any("row 2" in problem for problem in catalog.integrity())


@pytest.mark.parametrize("column", ["ordinal", "start", '"end"', "generation"])
def test_rotten_numbers_are_refused(catalog: Catalog, column: str) -> None:
    harm(catalog, f"UPDATE chunks SET {column} = {column} + 1 WHERE row = 5")
    with pytest.raises(IndexCorruptError):
        catalog.fetch([5], 9)
    assert catalog.integrity()


def test_a_deleted_chunk_does_not_come_back_by_rot(catalog: Catalog) -> None:
    harm(catalog, "UPDATE chunks SET gone = NULL WHERE row = 6")
    with pytest.raises(IndexCorruptError, match="row 6"):
        catalog.fetch([6], 9)
    assert any("row 6" in problem for problem in catalog.integrity())


def test_rotten_terms_are_refused_where_they_are_read(catalog: Catalog) -> None:
    harm(catalog, "UPDATE chunks SET terms = terms || 'x' WHERE row = 4")
    assert catalog.fetch([4], 9)  # which does not read them
    with pytest.raises(IndexCorruptError, match=r"terms of chunk .* \(row 4\)"):
        catalog.keywords([4])
    assert any("row 4" in problem for problem in catalog.integrity())


def test_a_rotten_vector_is_refused(catalog: Catalog) -> None:
    harm(catalog, "UPDATE vectors SET vector = x'0000803f0000803f000000be0000803e' WHERE row = 1")
    with pytest.raises(IndexCorruptError, match="vector of chunk row 1"):
        catalog.vectors([1, 2])
    assert catalog.vectors([2])[0] == [2]
    assert any("chunk row 1" in problem for problem in catalog.integrity())


def test_a_vector_that_is_another_rows_is_refused(catalog: Catalog) -> None:
    harm(catalog, "UPDATE vectors SET (crc, vector) = (SELECT crc, vector FROM vectors WHERE row = 2) WHERE row = 1")
    with pytest.raises(IndexCorruptError, match="vector of chunk row 1"):
        catalog.vectors([1])


@pytest.mark.parametrize("column", ["source", "title", "domain", "metadata"])
def test_a_rotten_document_is_refused_with_its_chunks(catalog: Catalog, column: str) -> None:
    harm(catalog, f"UPDATE documents SET {column} = {column} || ' ' WHERE id = '{'a' * 64}'")
    for ask in (
        lambda: catalog.fetch([1], 9),
        lambda: catalog.document("a" * 64),
        lambda: list(catalog.documents()),
        lambda: catalog.chunks_of("a" * 64),
    ):
        with pytest.raises(IndexCorruptError, match=f"document {'a' * 64}"):
            ask()
    assert catalog.fetch([3], 9)


@pytest.mark.parametrize("column", ["text", "pages", "tables"])
def test_a_rotten_text_is_refused(catalog: Catalog, column: str) -> None:
    harm(catalog, f"UPDATE documents SET {column} = {column} || ' ' WHERE id = '{'a' * 64}'")
    with pytest.raises(IndexCorruptError, match="text of document"):
        catalog.document("a" * 64)
    assert catalog.integrity()


@pytest.mark.parametrize("key", ["generation", "applied.lexical", "fingerprint", "version", "count.chunks"])
def test_a_rotten_setting_is_refused(catalog: Catalog, key: str) -> None:
    harm(catalog, f"UPDATE settings SET value = replace(value, substr(value, 1, 1), '7') WHERE key = '{key}'")
    with pytest.raises(IndexCorruptError, match=key):
        catalog.get(key)
    with pytest.raises(IndexCorruptError):
        Catalog(catalog.folder, create=False)
    assert catalog.integrity()


def test_a_setting_whose_name_has_rotted_does_not_seem_unset(catalog: Catalog) -> None:
    """An index without a fingerprint would be taken for a new one."""
    harm(catalog, "UPDATE settings SET key = 'fingerprinu' WHERE key = 'fingerprint'")
    with pytest.raises(IndexCorruptError, match="fingerprinu"):
        Catalog(catalog.folder, create=False)


def test_a_rotten_operation_is_refused(catalog: Catalog) -> None:
    harm(catalog, "UPDATE pending SET row = row + 8 WHERE view = 'dense' AND row = 3")
    with pytest.raises(IndexCorruptError, match="of the dense view"):
        catalog.pending("dense", 100)
    assert catalog.integrity()


# What the check of the whole sees beside


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("DELETE FROM vectors WHERE row = 3", "1 chunks have no vector"),
        ("DELETE FROM chunks WHERE row = 3", "1 vectors have no chunk"),
        (f"DELETE FROM documents WHERE id = '{'b' * 64}'", "2 chunks have no document"),
        (f"UPDATE documents SET gone = 5 WHERE id = '{'b' * 64}'", "their document is gone"),
        ("DELETE FROM chunks WHERE row = 2", "does not name the chunks before and after it"),
        ("DELETE FROM chunks WHERE row = 2", "holds 3 documents and 4 chunks, and says 3 and 5"),
        ("DELETE FROM fields WHERE value = '제15조'", "filters by article = '제15조'"),
        ("UPDATE fields SET rows = x'0500' WHERE value = 'legal'", "filters by domain = 'legal'"),
        (f"DELETE FROM documents WHERE id = '{'b' * 64}'", "1 words of the user's are on documents that are not there"),
        (f"DELETE FROM documents WHERE id = '{'a' * 64}'", "2 places are of documents that are not there"),
        (f"UPDATE places SET document_id = '{'b' * 64}' WHERE root = ''", "1 keys are those of two documents"),
        (f"UPDATE places SET document_id = '{'b' * 64}' WHERE root = ''", "1 paths are those of two documents"),
        ("UPDATE places SET source = source || ' '", "a place of document"),
        ("UPDATE said SET said = replace(said, '여신', '수신')", "what was said of document"),
        ("UPDATE pending SET view = 'lexicaL' WHERE view = 'lexical'", "operations are of no view"),
    ],
)
def test_the_check_of_the_whole_sees(catalog: Catalog, sql: str, told: str) -> None:
    assert catalog.integrity() == []
    harm(catalog, sql)
    assert any(told in problem for problem in catalog.integrity()), catalog.integrity()


def test_the_check_of_the_whole_sees_a_document_that_does_not_show_what_was_said_of_it(catalog: Catalog) -> None:
    with catalog._transaction() as db:
        catalog._say(db, replace(catalog._alive("b" * 64), title="다른 제목"), 7)
    assert [problem for problem in catalog.integrity() if "what the user said" in problem]


def test_the_check_of_the_whole_goes_on_beside_a_writer(catalog: Catalog) -> None:
    other = Catalog(catalog.folder, create=False)
    with other._transaction() as db:
        db.execute("UPDATE settings SET value = '9' WHERE key = 'generation'")  # not committed: nobody sees it
        assert catalog.integrity() == []
        other._set(db, {"generation": 9})
    other.close()


# Torn files


def test_a_file_cut_off_anywhere_is_refused(truth: Truth, place: Path) -> None:
    sizes = {len(truth.data) - 1, 1, 15, 16, 99, 100, PAGE - 1, PAGE, PAGE + 1}
    sizes |= {size + part for size in range(PAGE, len(truth.data), PAGE) for part in (0, 1, PAGE // 2)}
    for size in sorted(sizes):
        if size >= len(truth.data):
            continue
        for create in (False, True):
            with pytest.raises(IndexCorruptError, match="damaged"):
                Catalog(put(place, truth.data[:size]), create=create)


@pytest.mark.parametrize("view", ["lexical", "dense", "matrix-3"])
def test_an_empty_file_beside_views_is_no_new_index(place: Path, view: str) -> None:
    folder = put(place, b"")
    (folder / view).mkdir()
    for create in (False, True):
        with pytest.raises(IndexCorruptError, match=view):
            Catalog(folder, create=create)
    (folder / view).rmdir()
    with pytest.raises(IndexNotFoundError):
        Catalog(folder, create=False)
    Catalog(folder, create=True).close()  # what a crash while it was made leaves behind


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / FILE)
    db.execute("CREATE TABLE recipes (name TEXT)")
    db.close()
    with pytest.raises(IndexCorruptError, match="other tables"):
        Catalog(tmp_path, create=True)


@pytest.mark.parametrize("kind", ["zeros", "noise"])
def test_a_page_that_was_overwritten(truth: Truth, place: Path, kind: str) -> None:
    filling = bytes(PAGE) if kind == "zeros" else random.Random(4).randbytes(PAGE)
    for at in range(0, len(truth.data), PAGE):
        data = truth.data[:at] + filling + truth.data[at + PAGE :]
        assert truth.faults(put(place, data)) == [], f"page {at // PAGE + 1}"
        write(place, data)


def test_pages_that_changed_places(truth: Truth, place: Path) -> None:
    pages = [truth.data[at : at + PAGE] for at in range(0, len(truth.data), PAGE)]
    for i in range(1, len(pages) - 1):
        swapped = [*pages[:i], pages[i + 1], pages[i], *pages[i + 2 :]]
        assert truth.faults(put(place, b"".join(swapped))) == [], f"pages {i + 1} and {i + 2}"


def write(place: Path, data: bytes) -> None:
    """A damaged catalog takes a write or refuses it in our words."""
    try:
        catalog = Catalog(put(place, data), create=False)
    except KureIndexError:
        return
    try:
        write_to(catalog)
    except KureIndexError:
        pass
    finally:
        catalog.close()


def test_bits_that_flipped_in_every_page(truth: Truth, place: Path) -> None:
    chance = random.Random(20261121)
    for at in range(0, len(truth.data), PAGE):
        for offset in [
            *(at + chance.randrange(64) for _ in range(2)),
            *(at + chance.randrange(PAGE) for _ in range(4)),
        ]:
            data = flipped(truth.data, offset, chance.randrange(8))
            assert truth.faults(put(place, data)) == [], f"offset {offset}"
            write(place, data)


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_any_few_bits_that_flipped(truth: Truth, place: Path, data: st.DataObject) -> None:
    torn = truth.data
    for offset, bit in data.draw(
        st.lists(st.tuples(st.integers(0, len(torn) - 1), st.integers(0, 7)), min_size=1, max_size=4)
    ):
        torn = flipped(torn, offset, bit)
    assert truth.faults(put(place, torn)) == []


def test_a_log_that_was_cut_off_or_has_rotted_gives_an_older_whole_state(truth: Truth, tmp_path: Path) -> None:
    """The log beside the file has checksums of its own: what comes after a bad frame was never committed."""
    folder = put(tmp_path / "index", truth.data)
    writer = Catalog(folder, create=False)
    generations = [writer.state().generation]
    for id_ in ("a" * 64, "b" * 64):
        generations.append(writer.delete([id_]))
    log = (folder / f"{FILE}-wal").read_bytes()  # while the writer is there
    main = (folder / FILE).read_bytes()
    writer.close()
    chance = random.Random(5)
    for number in range(40):
        size = chance.randrange(len(log))
        torn = log[:size] if number % 2 else flipped(log, size, chance.randrange(8))
        put(folder, main)
        (folder / f"{FILE}-wal").write_bytes(torn)
        catalog = Catalog(folder, create=False)
        generation = catalog.state().generation
        assert generation in generations
        assert catalog.counts()[0] == 3 - (generation - generations[0])
        assert catalog.integrity() == []
        catalog.close()
