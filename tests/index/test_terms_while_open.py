"""Terms made anew while others hold the index open, and of indexes that have little or lack their profile."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest
from index.test_other_versions import dump, released, terms
from support import HashEmbedder

import kure_rag.pipeline.index as opening
from kure_rag import KureIndex
from kure_rag.chunk.profiles import ProfileError
from kure_rag.errors import FingerprintMismatchError, IndexVersionError
from kure_rag.index.rows import checksum
from kure_rag.index.store import IndexStore
from kure_rag.read import Record

WORD = "돌봄크레딧적금"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("made")
    (place / "규정.txt").write_text(
        "취업규정\n\n제1장 총칙\n\n제1조(목적) 이 규정은 직원의 근로조건을 정한다.\n\n"
        "제2조(휴가) ① 직원은 연 15일의 휴가를 쓴다. ② 휴가는 사흘 전에 신청한다.\n",
        encoding="utf-8",
    )
    with KureIndex.open(place / "index", embeddings=HashEmbedder()) as index:
        index.add_records(
            [Record("r0", "적금 안내", f"{WORD}의 만기는 3년이다."), Record("r1", "", "연차는 15일이다.")]
        )
        index.add_paths([place / "규정.txt"], workers=1)
    return place / "index"


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "index"))


def search(index: KureIndex) -> list[str]:
    return [hit.source for hit in index.search(WORD, k=1, mode="lexical")]


@pytest.mark.parametrize("searched_before", [False, True])
def test_every_search_of_an_index_opened_before_is_refused_until_it_is_opened_anew(
    path: Path, searched_before: bool
) -> None:
    with KureIndex.open(path, embeddings=HashEmbedder()) as reader:
        if searched_before:
            assert search(reader) == ["r0"]
        assert KureIndex.reanalyse(path, user_dictionary=[WORD])
        for _ in range(3):
            with pytest.raises(FingerprintMismatchError, match="tokenizer"):
                search(reader)
    with KureIndex.open(path, embeddings=HashEmbedder()) as reader:
        assert search(reader) == ["r0"]
        with KureIndex.open(path, embeddings=HashEmbedder()) as other:
            other.rebuild("lexical")  # the same terms in another place
        assert search(reader) == ["r0"]


def test_writing_does_not_make_an_index_opened_before_search_new_terms(path: Path) -> None:
    with KureIndex.open(path, embeddings=HashEmbedder()) as reader:
        KureIndex.reanalyse(path, user_dictionary=[WORD])
        assert reader.delete("r1") == 1  # which opens the views
        with pytest.raises(FingerprintMismatchError, match="tokenizer"):
            search(reader)
        with pytest.raises(FingerprintMismatchError, match="tokenizer"):
            reader.add_records([Record("r2", "", "경조휴가는 닷새이다.")])
    with KureIndex.maintain(path) as index:
        assert index.verify().ok
        assert len(index.documents()) == 2


def test_two_that_would_make_the_same_terms_make_them_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert KureIndex.reanalyse(path, user_dictionary=[WORD])
    new = terms(path)
    settle, steps = opening.settle, list[tuple[str, int, int]]()

    def overtaken(*given: object, **settings: object) -> opening.Settled:
        """The first look; then another process is faster."""
        monkeypatch.setattr(opening, "settle", settle)
        found = settle(*given, **settings)  # type: ignore[arg-type]
        monkeypatch.setattr(opening, "settings_in", late)
        return found

    def late(catalog: object) -> dict[str, object]:
        """What was read before the lock was taken is what it was; then another process makes the terms."""
        kept = settings_in(catalog)  # type: ignore[arg-type]
        monkeypatch.setattr(opening, "settings_in", settings_in)
        assert KureIndex.reanalyse(path, user_dictionary=[])
        return kept

    settings_in = opening.settings_in
    monkeypatch.setattr(opening, "settle", overtaken)
    asked = {"embeddings": HashEmbedder(), "user_dictionary": [], "reanalyse": True}
    with KureIndex.open(path, progress=lambda *step: steps.append(step), **asked) as index:  # type: ignore[arg-type]
        assert search(index) == ["r0"]
    assert [label for label, _, _ in steps if label == "analysing"] == []
    assert terms(path) != new


def test_a_title_that_the_user_set_is_in_no_terms_made_anew(path: Path) -> None:
    before = terms(path)
    with KureIndex.open(path, embeddings=HashEmbedder()) as index:
        (rules,) = index.find("규정.txt")
        index.set_metadata(rules.id, title="완전히 다른 이름", domain="medical")
        assert index.search("다른 이름", k=5, mode="lexical", where={"title": "완전히 다른 이름"}) == []
        hit = index.search("휴가 신청", k=1, where={"title": "완전히 다른 이름"})[0]
        assert hit.title == "완전히 다른 이름"
        assert "다른 이름" not in hit.citation()
    cut: list[tuple[str, str]] = []
    with KureIndex.maintain(path) as kept:
        catalog = kept._store.catalog
        kept._store.reanalyse(
            lambda document, chunks: [cut.append((document.title, document.domain)) or [] for _ in chunks],  # type: ignore[func-returns-value]
            fingerprint={**catalog.get("fingerprint"), "tokenizer": "another"},
        )
    assert ("완전히 다른 이름", "medical") not in cut
    assert KureIndex.reanalyse(path)
    assert terms(path) == before


def test_an_index_without_documents_keeps_the_dictionary_for_its_first(tmp_path: Path) -> None:
    path = tmp_path / "index"
    KureIndex.open(path, embeddings=HashEmbedder()).close()
    assert not KureIndex.reanalyse(path)
    assert KureIndex.reanalyse(path, user_dictionary=[WORD])
    assert not KureIndex.reanalyse(path, user_dictionary=[WORD])
    with KureIndex.open(path, embeddings=HashEmbedder()) as index:
        assert index.info()["user_words"] == 1
        index.add_records([Record("r0", "", f"{WORD}의 만기는 3년이다.")])
    assert [made.split()[0] for made in terms(path).values()] == [WORD]
    with KureIndex.open(path, embeddings=HashEmbedder()) as index:
        assert search(index) == ["r0"]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_older_format_whose_profile_is_not_here_can_be_looked_at_and_copied(
    made: Path, tmp_path: Path, version: int
) -> None:
    path = released(version, tmp_path / "index", made)
    values = ("chunks", '{"profile": "profiles_of_nobody:MINUTES"}')
    row = (*values, checksum(*values)) if version > 2 else values
    with contextlib.closing(sqlite3.connect(path / "catalog.sqlite3")) as db, db:
        db.execute(f"INSERT OR REPLACE INTO settings VALUES ({', '.join('?' * len(row))})", row)
    before = dump(path / "catalog.sqlite3")
    with KureIndex.maintain(path) as index:
        assert index.info()["documents"] == 3
        index.backup(tmp_path / "copy.kure")
        with pytest.raises(IndexVersionError, match="profiles_of_nobody"):
            index.verify()
    assert dump(tmp_path / "copy.kure") == dump(path / "catalog.sqlite3") == before
    with pytest.raises(ProfileError, match="profiles_of_nobody"):
        KureIndex.reanalyse(path)


def test_an_index_that_another_version_cut_says_what_can_be_done_with_it(path: Path, tmp_path: Path) -> None:
    with KureIndex.maintain(path) as index:
        catalog = index._store.catalog
        catalog.set(fingerprint={**catalog.get("fingerprint"), "chunker": "general-0"})
    advice = "ingest the files anew into a new folder.*`kure-rag info` and `kure-rag backup` work"
    with pytest.raises(FingerprintMismatchError, match=advice):
        KureIndex.open(path, embeddings=HashEmbedder())
    with pytest.raises(FingerprintMismatchError, match=advice):
        KureIndex.reanalyse(path)
    with KureIndex.maintain(path) as index:
        assert index.info()["fingerprint"]["chunker"] == "general-0"
        index.backup(tmp_path / "copy.kure")
    assert (tmp_path / "copy.kure").stat().st_size > 0


# Progress of what mends itself


@pytest.mark.parametrize("view", ["lexical", "matrix", "dense"])
def test_who_opens_an_index_is_told_how_far_a_lost_view_is_rebuilt(path: Path, view: str) -> None:
    shutil.rmtree(path / view)
    told: list[tuple[str, int, int]] = []
    with KureIndex.open(path, embeddings=HashEmbedder(), progress=lambda *step: told.append(step)) as index:
        assert search(index) == ["r0"]
        _, chunks = index._store.catalog.counts()
    assert told == [(f"rebuilding {view}", chunks, chunks)]


def test_who_looks_after_an_index_is_told_before_a_write(path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    with KureIndex.maintain(path, progress=lambda *step: told.append(step)) as index:
        shutil.rmtree(path / "lexical")
        assert index.delete("r1") == 1
    assert "rebuilding lexical" in {label for label, _, _ in told}


def test_a_store_tells_of_what_a_crash_left_to_do(path: Path) -> None:
    with KureIndex.open(path, embeddings=HashEmbedder()) as index:
        catalog, (rules,) = index._store.catalog, index.find("규정.txt")
        catalog.delete([rules.id])  # and its views never hear of it
        catalog.mark_stale("matrix")
    told: list[str] = []
    with contextlib.closing(IndexStore(path, create=False, progress=lambda *step: told.append(step[0]))) as store:
        assert not store.catalog.state().stale
    assert "rebuilding matrix" in told
