"""A changed file takes the place of its older version, and a synced folder's leavers leave the index."""

import os
import shutil
from pathlib import Path

import pytest
from support import HashEmbedder, write_pdf

from kure_rag import KureIndex
from kure_rag.errors import IndexPathError, SourceNotFoundError
from kure_rag.read import Record

OLD = ["제1조(목적) 이 규정은 출장비의 정산을 정한다.", "제2조(기한) 출장을 마친 직원은 7일 안에 정산한다."]
NEW = ["제1조(목적) 이 규정은 출장비의 정산을 정한다.", "제2조(기한) 출장을 마친 직원은 14일 안에 정산한다."]
OTHER = ["제1조(주차) 방문객의 차량은 지하 2층에 세운다."]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "규정"
    (folder / "지점").mkdir(parents=True)
    write_pdf(folder / "출장.pdf", [OLD])
    write_pdf(folder / "지점" / "주차.pdf", [OTHER])
    return folder


@pytest.fixture
def index(tmp_path: Path) -> KureIndex:
    return KureIndex.open(tmp_path / "index", embeddings=HashEmbedder())


def statuses(report: object) -> list[tuple[str, str]]:
    return sorted((row.source, row.status) for row in report.rows)  # type: ignore[attr-defined]


def texts(index: KureIndex, question: str = "출장 정산 기한") -> list[str]:
    return [hit.chunk.text for hit in index.search(question, k=20)]


def test_a_changed_file_takes_the_place_of_its_older_version(index: KureIndex, folder: Path) -> None:
    index.add_paths(folder, workers=1)
    assert any("7일" in text for text in texts(index))
    write_pdf(folder / "출장.pdf", [NEW])
    report = index.add_paths(folder, workers=1)
    assert statuses(report) == [("주차.pdf", "unchanged"), ("출장.pdf", "updated")]
    assert [row.source for row in index.documents()] == ["주차.pdf", "출장.pdf"]
    assert not any("안에" in text and "14일" not in text for text in texts(index))
    assert any("14일" in text for text in texts(index))
    assert index.verify().ok


def test_a_version_that_comes_back_is_the_old_document(index: KureIndex, folder: Path) -> None:
    index.add_paths(folder, workers=1)
    before = texts(index)
    for lines in (NEW, OLD, NEW, OLD):
        write_pdf(folder / "출장.pdf", [lines])
        assert index.add_paths(folder / "출장.pdf", workers=1).rows[0].status == "updated"
    assert texts(index) == before
    assert len(index.documents()) == 2
    assert index.verify().ok


def test_a_changed_file_that_cannot_be_read_keeps_its_older_version(index: KureIndex, folder: Path) -> None:
    index.add_paths(folder, workers=1)
    (folder / "출장.pdf").write_bytes(b"%PDF-1.7\nbroken")
    report = index.sync(folder, workers=1)
    assert statuses(report) == [("주차.pdf", "unchanged"), ("출장.pdf", "rejected")]
    assert any("7일" in text for text in texts(index))


def test_files_of_one_name_in_two_folders_are_two_files(index: KureIndex, tmp_path: Path) -> None:
    for name, lines in (("2024", OLD), ("2025", NEW)):
        (tmp_path / name).mkdir()
        write_pdf(tmp_path / name / "규정.pdf", [lines])
        assert index.add_paths(tmp_path / name, workers=1).rows[0].status == "added"
    index.add_paths([tmp_path / "2024" / "규정.pdf", tmp_path / "2025" / "규정.pdf"], workers=1)
    assert len(index.documents()) == 2


def test_a_file_is_the_same_file_by_its_folder_and_by_its_name(index: KureIndex, folder: Path) -> None:
    index.add_paths(folder, workers=1)
    write_pdf(folder / "출장.pdf", [NEW])
    assert index.add_paths(folder / "출장.pdf", workers=1).rows[0].status == "updated"
    assert len(index.documents()) == 2


def test_a_file_changed_into_a_copy_of_another_leaves_one_document(index: KureIndex, folder: Path) -> None:
    index.add_paths(folder, workers=1)
    shutil.copy(folder / "지점" / "주차.pdf", folder / "출장.pdf")
    index.add_paths(folder, workers=1)
    assert [row.source for row in index.documents()] == ["주차.pdf"]
    assert index.verify().ok


def test_sync_removes_what_left_the_folder_and_only_that(index: KureIndex, folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "밖"
    elsewhere.mkdir()
    write_pdf(elsewhere / "휴가.pdf", [["제1조(휴가) 연차휴가는 15일이다."]])
    index.add_paths(elsewhere, workers=1)
    index.add_records([Record("r1", "병가", "병가는 60일이다.", {})])
    assert statuses(index.sync(folder, workers=1)) == [("주차.pdf", "added"), ("출장.pdf", "added")]
    (folder / "지점" / "주차.pdf").unlink()
    write_pdf(folder / "출장.pdf", [NEW])
    write_pdf(folder / "새것.pdf", [["제1조(회의) 회의는 월요일에 연다."]])
    planned = index.sync(folder, workers=1, dry_run=True)
    assert [row.source for row in index.documents()] == ["r1", "주차.pdf", "출장.pdf", "휴가.pdf"]
    done = index.sync(folder, workers=1)
    assert statuses(planned) == statuses(done)
    assert statuses(done) == [("새것.pdf", "added"), ("주차.pdf", "removed"), ("출장.pdf", "updated")]
    assert [row.source for row in index.documents()] == ["r1", "새것.pdf", "출장.pdf", "휴가.pdf"]
    assert index.verify().ok
    assert set(dict(statuses(index.sync(folder, workers=1))).values()) == {"unchanged"}


def test_a_file_moved_within_the_folder_stays(index: KureIndex, folder: Path) -> None:
    index.sync(folder, workers=1)
    (folder / "지점" / "주차.pdf").rename(folder / "주차(구).pdf")
    assert set(dict(statuses(index.sync(folder, workers=1))).values()) == {"unchanged"}
    assert [row.source for row in index.documents()] == ["주차(구).pdf", "출장.pdf"]
    (folder / "주차(구).pdf").unlink()
    assert ("주차(구).pdf", "removed") in statuses(index.sync(folder, workers=1))


def test_what_was_added_before_the_first_sync_is_mirrored_too(index: KureIndex, folder: Path) -> None:
    index.add_paths(folder / "지점", workers=1)
    index.sync(folder, workers=1)
    (folder / "지점" / "주차.pdf").unlink()
    assert ("주차.pdf", "removed") in statuses(index.sync(folder, workers=1))


def test_an_empty_or_missing_folder_removes_nothing_unasked(index: KureIndex, folder: Path) -> None:
    index.sync(folder, workers=1)
    for file in folder.rglob("*.pdf"):
        file.unlink()
    with pytest.raises(SourceNotFoundError, match="2 documents"):
        index.sync(folder, workers=1)
    with pytest.raises(SourceNotFoundError, match="no folder"):
        index.sync(folder / "없음", workers=1)
    assert len(index.documents()) == 2
    index.sync(folder, workers=1, allow_empty=True)
    assert index.documents() == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may list every folder")
def test_while_a_part_cannot_be_listed_nothing_is_removed(index: KureIndex, folder: Path) -> None:
    index.sync(folder, workers=1)
    (folder / "출장.pdf").unlink()
    (folder / "지점").chmod(0)
    try:
        index.sync(folder, workers=1)
        assert len(index.documents()) == 2
    finally:
        (folder / "지점").chmod(0o755)


def test_a_named_folder_is_the_same_wherever_it_lies(index: KureIndex, folder: Path, tmp_path: Path) -> None:
    index.sync(folder, name="규정집", workers=1)
    moved = tmp_path / "다른 곳"
    folder.rename(moved)
    (moved / "지점" / "주차.pdf").unlink()
    write_pdf(moved / "출장.pdf", [NEW])
    assert statuses(index.sync(moved, name="규정집", workers=1)) == [("주차.pdf", "removed"), ("출장.pdf", "updated")]


def test_records_of_a_named_corpus_are_updated_by_id(index: KureIndex) -> None:
    def put(text: str, corpus: str) -> str:
        return index.add_records([Record("r1", "출장", text, {})], corpus=corpus, workers=1).rows[0].status

    assert [put("정산은 7일.", "a"), put("정산은 14일.", "a"), put("정산은 14일.", "a")] == [
        "added",
        "updated",
        "unchanged",
    ]
    assert put("다른 모음의 첫 글", "b") == "added"
    assert put("이름 없는 모음의 글", "") == put("이름 없는 모음의 다른 글", "") == "added"
    assert len(index.documents()) == 4
    assert index.verify().ok


def test_documents_are_removed_by_filter_and_all_at_once(index: KureIndex, folder: Path) -> None:
    index.add_paths(folder, workers=1)
    before = index.info()["generation"]
    assert [row.source for row in index.find(where={"source": {"$contains": "출장"}})] == ["출장.pdf"]
    assert index.delete(where={"page": 1}) == 2
    assert index.info()["generation"] == before + 1
    assert index.documents() == []
    assert texts(index) == []
    assert index.verify().ok
    with pytest.raises(ValueError, match="which documents"):
        index.delete()


def test_metadata_changes_are_searchable_without_embedding_again(index: KureIndex, folder: Path) -> None:
    index.add_paths(folder, workers=1)
    [row] = index.find("출장.pdf")

    def refuse(_: object) -> None:
        raise AssertionError("embedded again")

    embed = index.embedder.embed_passages
    index.embedder.embed_passages = refuse  # type: ignore[method-assign, assignment]
    index.set_metadata(row.id, {"부서": "총무팀"}, title="출장 규정", domain="legal")
    index.embedder.embed_passages = embed  # type: ignore[method-assign]
    [hit, *_] = index.search("출장 정산", where={"부서": "총무팀", "title": "출장 규정", "domain": "legal"})
    assert (hit.title, hit.domain) == ("출장 규정", "legal")
    index.set_metadata(row.id, {"부서": None})
    assert index.search("출장 정산", where={"부서": "총무팀"}) == []
    with pytest.raises(KeyError):
        index.set_metadata("0" * 64, {"a": 1})
    assert index.verify().ok


A, B, C = (["제1조 첫째 문서의 본문이다."], ["제1조 둘째 문서의 본문이다."], ["제1조 셋째 문서의 본문이다."])


@pytest.mark.parametrize("way", ["sync", "add_paths"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"규정.txt": A}, {"규정_2024.txt": A, "규정.txt": C}),
        ({"a.txt": A, "b.txt": B}, {"a.txt": C, "b.txt": A}),
        ({"a.txt": A, "b.txt": B}, {"a.txt": B, "b.txt": A}),
        ({"a.txt": A, "b.txt": A}, {"a.txt": C, "b.txt": A}),
        ({"a.txt": A, "b.txt": A}, {"a.txt": A, "b.txt": C}),
        ({"a.txt": A, "b.txt": B, "c.txt": C}, {"a.txt": B, "b.txt": C, "c.txt": A}),
    ],
    ids=[
        "renamed-and-replaced",
        "pushed-along",
        "exchanged",
        "first-copy-changed",
        "second-copy-changed",
        "in-a-circle",
    ],
)
def test_files_that_change_places_stay(
    index: KureIndex, tmp_path: Path, way: str, before: dict[str, list[str]], after: dict[str, list[str]]
) -> None:
    folder = tmp_path / "글"
    for files in (before, after):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, lines in files.items():
            (folder / name).write_text("\n".join(lines), encoding="utf-8")
        if way == "sync":
            planned = index.sync(folder, file_types=("txt",), workers=1, dry_run=True)
            done = index.sync(folder, file_types=("txt",), workers=1)
            assert statuses(planned) == statuses(done)
        else:
            index.add_paths(folder, file_types=("txt",), workers=1)
    held = sorted(index.document(row.id).text.strip() for row in index.documents())  # type: ignore[union-attr]
    wanted = sorted({"\n".join(lines) for lines in after.values()})
    assert held == wanted if way == "sync" else set(held) >= set(wanted)
    assert index.verify().ok
    again = index.sync(folder, file_types=("txt",), workers=1)
    assert {row.status for row in again.rows} == {"unchanged"}


def test_what_another_folder_holds_too_stays(index: KureIndex, tmp_path: Path) -> None:
    for name, file in (("X", "f.txt"), ("Y", "g.txt")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(A[0], encoding="utf-8")
        index.sync(tmp_path / name, file_types=("txt",), workers=1)
    (tmp_path / "Y" / "g.txt").unlink()
    index.sync(tmp_path / "Y", file_types=("txt",), workers=1, allow_empty=True)
    assert [row.source for row in index.documents()] == ["f.txt"]


def test_a_backup_becomes_an_index_that_answers_the_same(index: KureIndex, folder: Path, tmp_path: Path) -> None:
    index.add_paths(folder, workers=1)
    for place in (index.path / "catalog.sqlite3", index.path / "copy.kure"):
        with pytest.raises(IndexPathError, match="own folder"):
            index.backup(place, overwrite=True)
    index.backup(tmp_path / "copy.kure")
    with KureIndex.restore(tmp_path / "copy.kure", tmp_path / "again", embeddings=HashEmbedder()) as again:
        assert again.verify().ok
        assert texts(again) == texts(index)
        assert {path.name for path in again.path.iterdir() if path.is_dir()} & {"lexical-2", "dense-2"} == set()
