"""An index of another version of the analyser: refused before anything is written, repaired without embedding."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import HashEmbedder, numbered_pdf

from kure_rag import KureIndex
from kure_rag.errors import FingerprintMismatchError, IndexPathError, IndexVersionError
from kure_rag.index.catalog import Catalog
from kure_rag.index.reanalyse import DRAFT
from kure_rag.index.rows import checksum
from kure_rag.index.schema import VERSION
from kure_rag.index.unopened import kept_settings
from kure_rag.read import Record
from kure_rag.tokenize import KiwiTokenizer

TESTS = Path(__file__).parents[1]
PASSAGES = (
    "돌봄크레딧적금은 만기 전에 해지하면 중도해지이율을 적용한다.",
    "연차휴가는 1년 동안 80퍼센트 이상 출근한 직원에게 15일을 준다.",
    "임차인은 보증금을 돌려받을 때까지 집을 비우지 않아도 된다.",
)
OLDER = "kiwi/0.20.0/model-0.20.0/content-3"


class Unused(HashEmbedder):
    """Refuses to embed passages: a repair must not."""

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        raise AssertionError(f"{len(texts)} passages were embedded again")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records and files, as this version indexes them."""
    place = tmp_path_factory.mktemp("made")
    with KureIndex.open(place / "index", embeddings=HashEmbedder()) as index:
        index.add_records([Record(f"r{i}", "적금 안내", text) for i, text in enumerate(PASSAGES)], workers=1)
        index.add_paths([numbered_pdf(place, 1), numbered_pdf(place, 2)], workers=1)
    return place / "index"


@pytest.fixture
def whole(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "index"))


@pytest.fixture
def older(whole: Path) -> Path:
    """The same as an older analyser left it: other terms in catalog and keyword view, another fingerprint."""
    with KureIndex.maintain(whole) as index:
        catalog = index._store.catalog
        index._store.reanalyse(
            lambda document, chunks: [["옛말", *chunk.text.split()] for chunk in chunks],
            fingerprint={**catalog.get("fingerprint"), "tokenizer": OLDER},
        )
    return whole


def terms(path: Path) -> dict[str, str]:
    """Terms by chunk id."""
    catalog = Catalog(path, create=False)
    try:
        return {id_: catalog.keywords([row])[row].terms for row, id_ in catalog.all_rows()}
    finally:
        catalog.close()


def dump(file: Path) -> list[str]:
    with sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True) as db:
        return list(db.iterdump())


def released(version: int, path: Path, made: Path, **others: str) -> Path:
    """An index as an older version wrote it, made with what ours are made with but for ``others``."""
    kept = kept_settings(made)
    assert kept is not None
    said = {"fingerprint": {**kept.values["fingerprint"], **others}, "chunks": kept.values["chunks"]}
    path.mkdir()
    script = (TESTS / "index" / "fixtures" / f"catalog_v{version}.sql").read_text(encoding="utf-8")
    with contextlib.closing(sqlite3.connect(path / "catalog.sqlite3")) as db, db:
        db.executescript(script)
        for key, value in ((key, json.dumps(value)) for key, value in said.items()):
            row = (key, value, checksum(key, value)) if version > 2 else (key, value)
            db.execute(f"INSERT OR REPLACE INTO settings VALUES ({', '.join('?' * len(row))})", row)
    return path


def test_other_terms_are_refused_with_the_command_that_makes_them_anew_and_nothing_is_written(older: Path) -> None:
    before = dump(older / "catalog.sqlite3")
    with pytest.raises(FingerprintMismatchError, match=r"content-3.*kure-rag rebuild --terms --index") as caught:
        KureIndex.open(older, embeddings=HashEmbedder())
    assert caught.value.differences.keys() == {"tokenizer"}
    assert dump(older / "catalog.sqlite3") == before


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("differing", ["tokenizer", "chunker", "model"])
def test_an_older_format_is_not_changed_by_a_version_that_then_refuses_it(
    made: Path, tmp_path: Path, version: int, differing: str
) -> None:
    path = released(version, tmp_path / "index", made, **{differing: "another"})
    before = dump(path / "catalog.sqlite3")
    with pytest.raises(FingerprintMismatchError, match=differing):
        KureIndex.open(path, embeddings=HashEmbedder())
    assert dump(path / "catalog.sqlite3") == before
    if differing == "model":  # which maintenance does not ask for, and another embeddings= may open
        return
    with KureIndex.maintain(path) as index:
        told = index.info()
        assert (told["documents"], told["chunks"]) == (3, 5)
        assert told["fingerprint"][differing] == "another"
        assert len(index.documents()) == 3
        index.backup(tmp_path / "copy.kure")
        for change in (index.verify, index.rebuild, index.compact, lambda: index.delete("규정.pdf")):
            with pytest.raises(IndexVersionError, match=f"format {version}"):
                change()
    assert dump(path / "catalog.sqlite3") == before
    assert dump(tmp_path / "copy.kure") == before


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_older_format_with_the_same_settings_opens_as_ever(made: Path, tmp_path: Path, version: int) -> None:
    path = released(version, tmp_path / "index", made)
    with KureIndex.open(path, embeddings=HashEmbedder()) as index:
        assert index._store.catalog.get("version") == VERSION
        assert index.verify().documents == 3


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_older_format_gets_new_terms(made: Path, tmp_path: Path, version: int) -> None:
    path = released(version, tmp_path / "index", made, tokenizer="another")
    assert KureIndex.reanalyse(path)
    with KureIndex.open(path, embeddings=Unused()) as index:
        assert index._store.catalog.get("version") == VERSION
        chunks = {chunk.id: chunk for row in index.documents() for chunk in index.chunks(row.id)}
    words = KiwiTokenizer()
    assert terms(path) == {id_: " ".join(words.terms(chunk.contextualized())) for id_, chunk in chunks.items()}


def test_repaired_terms_are_those_of_an_index_made_now_and_nothing_is_embedded(made: Path, older: Path) -> None:
    assert terms(older) != terms(made)
    told: list[tuple[str, int, int]] = []
    assert KureIndex.reanalyse(older, progress=lambda *step: told.append(step))
    assert terms(older) == terms(made)
    with KureIndex.open(older, embeddings=Unused()) as index, KureIndex.open(made, embeddings=Unused()) as wanted:
        assert index.verify().ok, index.verify().problems
        for query in ("중도해지이율", "연차휴가는 며칠인가요", "보험 관리"):
            for mode in ("lexical", "hybrid"):
                hits, others = (one.search(query, mode=mode, k=5) for one in (index, wanted))
                assert [(hit.chunk.id, hit.score) for hit in hits] == [(hit.chunk.id, hit.score) for hit in others]
        assert index.search("옛말", mode="lexical") == []
    chunks = len(terms(made))
    assert ("analysing", chunks, chunks) in told
    assert ("rebuilding lexical", chunks, chunks) in told
    assert not (older / DRAFT).exists()
    assert not KureIndex.reanalyse(older)  # nothing left to do


def test_opening_makes_terms_anew_when_it_is_told_to(older: Path) -> None:
    with KureIndex.open(older, embeddings=Unused(), reanalyse=True) as index:
        assert index.search("중도해지이율", k=1, mode="lexical")[0].source == "r0"
    KureIndex.open(older, embeddings=Unused()).close()


def test_another_model_is_refused_before_terms_are_made(older: Path) -> None:
    before = dump(older / "catalog.sqlite3")
    with pytest.raises(FingerprintMismatchError) as caught:
        KureIndex.open(older, embeddings=HashEmbedder(revision="2"), reanalyse=True)
    assert caught.value.differences.keys() == {"tokenizer", "revision"}
    assert dump(older / "catalog.sqlite3") == before


def test_documents_cut_by_another_version_are_not_repaired_by_new_terms(older: Path) -> None:
    with KureIndex.maintain(older) as index:
        catalog = index._store.catalog
        catalog.set(fingerprint={**catalog.get("fingerprint"), "chunker": "general-0"})
    before = dump(older / "catalog.sqlite3")
    with pytest.raises(FingerprintMismatchError, match=r"chunker.*into a new folder"):
        KureIndex.reanalyse(older)
    assert dump(older / "catalog.sqlite3") == before


def test_a_user_dictionary_comes_and_goes_without_embedding(whole: Path) -> None:
    words = ["돌봄크레딧적금"]
    with pytest.raises(FingerprintMismatchError, match="rebuild --terms"):
        KureIndex.open(whole, embeddings=HashEmbedder(), user_dictionary=words)
    before = terms(whole)
    assert KureIndex.reanalyse(whole, user_dictionary=words)
    assert sum("돌봄크레딧적금" in made.split() for made in terms(whole).values()) == 1
    with KureIndex.open(whole, embeddings=Unused()) as index:  # the index remembers
        assert index._searcher._tokenizer.terms("돌봄크레딧적금")[0] == "돌봄크레딧적금"
        assert index.search("돌봄크레딧적금", k=1, mode="lexical")[0].source == "r0"
    assert KureIndex.reanalyse(whole, user_dictionary=[])
    assert terms(whole) == before


INTERRUPTED = """
import sys
from kure_rag import KureIndex
KureIndex.reanalyse(sys.argv[1])
"""


@pytest.mark.parametrize(
    "place",
    [
        *(pytest.param(place, marks=pytest.mark.crash) for place in ("terms-drafted", "terms-analysed")),
        "terms-written",
        "terms-exchanged",
    ],
)
def test_killed_at_any_step_all_terms_are_old_or_all_are_new(made: Path, older: Path, place: str) -> None:
    old = terms(older)
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(older)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "KURE_RAG_FAILPOINT": place},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 137, done.stderr.decode()[-500:]
    changed = place == "terms-exchanged"
    assert terms(older) == (terms(made) if changed else old)
    if changed:
        KureIndex.open(older, embeddings=Unused()).close()
    else:
        with pytest.raises(FingerprintMismatchError):
            KureIndex.open(older, embeddings=Unused())
    with KureIndex.maintain(older) as index:
        assert index.verify().ok, index.verify().problems
    assert KureIndex.reanalyse(older) is not changed
    assert terms(older) == terms(made)
    with KureIndex.open(older, embeddings=Unused()) as index:
        assert index.verify().ok


def test_what_was_interrupted_goes_on_where_it_was(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kure_rag.index.reanalyse._TOGETHER", 1)
    analysed: list[str] = []

    def analyse(document: Any, chunks: Any) -> list[list[str]]:
        if len(analysed) == 2:
            raise KeyboardInterrupt
        analysed.append(document.id)
        return [["새말"] for _ in chunks]

    with KureIndex.maintain(older) as index:
        store = index._store
        fingerprint = {**store.catalog.get("fingerprint"), "tokenizer": "next"}
        with pytest.raises(KeyboardInterrupt):
            store.reanalyse(analyse, fingerprint=fingerprint)
        first = list(analysed)
        analysed[:] = ["one more"]
        with pytest.raises(KeyboardInterrupt):
            store.reanalyse(analyse, fingerprint=fingerprint)
        assert not set(analysed) & set(first)
        # For another fingerprint, or another state of the index, what was made is worth nothing.
        analysed.clear()
        with pytest.raises(KeyboardInterrupt):
            store.reanalyse(analyse, fingerprint={**fingerprint, "tokenizer": "another"})
        assert analysed == first
        analysed.clear()
        (older / DRAFT).write_bytes(b"torn" * 1000)
        with pytest.raises(KeyboardInterrupt):
            store.reanalyse(analyse, fingerprint=fingerprint)
        assert analysed == first


def test_a_draft_that_has_rotted_is_not_taken(older: Path) -> None:
    old = terms(older)
    with KureIndex.maintain(older) as index:
        store = index._store
        fingerprint = {**store.catalog.get("fingerprint"), "tokenizer": "next"}

        def analyse(document: Any, chunks: Any) -> list[list[str]]:
            return [["새말"] for _ in chunks]

        from kure_rag.index import reanalyse as module

        def rot(name: str) -> None:
            if name == "terms-analysed":
                with sqlite3.connect(older / DRAFT) as draft:
                    draft.execute("UPDATE terms SET terms = '헛말' WHERE row = 1")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "failpoint", rot)
            with pytest.raises(Exception, match="checksum"):
                store.reanalyse(analyse, fingerprint=fingerprint)
        assert terms(older) == old
        assert not (older / DRAFT).exists()
        store.reanalyse(analyse, fingerprint=fingerprint)
    assert set(terms(older).values()) == {"새말"}
    assert checksum(1, "새말") != checksum(1, "헛말")


def test_a_search_that_is_open_meanwhile_is_told_when_the_terms_are_no_longer_its_own(whole: Path) -> None:
    with KureIndex.open(whole, embeddings=HashEmbedder()) as reader:
        assert reader.search("연차휴가", k=1, mode="lexical")[0].source == "r1"
        KureIndex.reanalyse(whole, user_dictionary=["연차휴가"])
        with pytest.raises(FingerprintMismatchError, match="tokenizer"):
            reader.search("연차휴가", k=1, mode="lexical")


def test_looking_after_an_index_needs_neither_its_model_nor_its_settings(older: Path, tmp_path: Path) -> None:
    with KureIndex.maintain(older) as index:
        assert index.info()["fingerprint"]["tokenizer"] == OLDER
        assert index.verify().ok, index.verify().problems
        index.backup(tmp_path / "copy.kure")
        assert index.delete("r1") == 1
        index.rebuild("matrix")
        index.compact()
        assert index.verify().ok
        assert not hasattr(index, "search")
        assert len(index.documents()) == 4
    assert KureIndex.reanalyse(older)
    with KureIndex.open(older, embeddings=Unused()) as repaired:
        assert repaired.verify().ok


# Restoring


@pytest.fixture
def backup(older: Path, tmp_path: Path) -> Path:
    with KureIndex.maintain(older) as index:
        index.backup(tmp_path / "older.kure")
    return tmp_path / "older.kure"


def there(folder: Path) -> Iterator[str]:
    return (path.name for path in folder.rglob("*"))


def test_a_backup_that_is_refused_leaves_nothing_behind(backup: Path, tmp_path: Path) -> None:
    with pytest.raises(FingerprintMismatchError, match=r"older\.kure.*restore --terms"):
        KureIndex.restore(backup, tmp_path / "new" / "index", embeddings=HashEmbedder())
    assert not (tmp_path / "new").exists()
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "메모.txt").write_text("두고 갈 것", encoding="utf-8")
    with pytest.raises(FingerprintMismatchError):
        KureIndex.restore(backup, kept, embeddings=HashEmbedder())
    assert list(there(kept)) == ["메모.txt"]
    (tmp_path / "no.kure").write_bytes(b"no backup" * 200)
    with pytest.raises(Exception, match="no backup"):
        KureIndex.restore(tmp_path / "no.kure", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_restoring_over_an_index_leaves_it_as_it_is(backup: Path, older: Path) -> None:
    before = sorted(there(older))
    with pytest.raises(IndexPathError, match="holds an index already"):
        KureIndex.restore(backup, older, embeddings=HashEmbedder())
    assert sorted(there(older)) == before


def test_a_backup_of_another_version_is_restored_with_new_terms(made: Path, backup: Path, tmp_path: Path) -> None:
    with KureIndex.restore(backup, tmp_path / "new", embeddings=Unused(), reanalyse=True) as index:
        assert index.verify().ok
        assert index.info()["fingerprint"]["tokenizer"] == KiwiTokenizer().fingerprint
    assert terms(tmp_path / "new") == terms(made)
