"""A changed file takes the place of its older version, and a synced folder's leavers leave the index."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support import HashEmbedder, write_pdf

from kure_rag import KureIndex
from kure_rag.errors import IndexPathError, MetadataError, SourceNotFoundError
from kure_rag.index import filling
from kure_rag.index.dense import DenseView
from kure_rag.index.dense_settings import DenseSettings
from kure_rag.index.verify import compare
from kure_rag.ingest import WorkerPool
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


class LastingPool(WorkerPool):
    """A pool that stays open from one run to the next, so that not every test starts children of its own."""

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    pool = LastingPool(workers=1)
    yield pool
    pool.close()


@pytest.fixture
def index(tmp_path: Path, pool: WorkerPool) -> Iterator[KureIndex]:
    with KureIndex.open(tmp_path / "index", embeddings=HashEmbedder()) as index:
        index._pool = lambda **_: pool  # type: ignore[method-assign]
        yield index


def statuses(report: object) -> list[tuple[str, str]]:
    return sorted((row.source, row.status) for row in report.rows)  # type: ignore[attr-defined]


def texts(index: KureIndex, question: str = "출장 정산 기한") -> list[str]:
    return [hit.chunk.text for hit in index.search(question, k=20)]


def test_a_changed_file_takes_the_place_of_its_older_version(folder: Path, tmp_path: Path) -> None:
    """With children of its own, as outside of these tests."""
    index = KureIndex.open(tmp_path / "index", embeddings=HashEmbedder())
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
    assert problems(index) == []
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


def write(file: Path, lines: Sequence[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines), encoding="utf-8")


def held(index: KureIndex) -> dict[str, str]:
    """Source → text of each document."""
    return {row.source: index.document(row.id).text.strip() for row in index.documents()}  # type: ignore[union-attr]


def sync(index: KureIndex, folder: Path, **more: object) -> list[tuple[str, str]]:
    """Synchronises text files; the plan says the same as what is done."""
    planned = index.sync(folder, file_types=("txt",), workers=1, dry_run=True, **more)  # type: ignore[arg-type]
    done = index.sync(folder, file_types=("txt",), workers=1, **more)  # type: ignore[arg-type]
    assert statuses(planned) == statuses(done)
    assert problems(index) == []
    return statuses(done)


def problems(index: KureIndex) -> list[str]:
    """What `verify` says, but that the vectors' collection is looked into here and not by a child process."""
    store = index._store
    alive = dict(store.catalog.all_rows())
    stored = set(filling.stored(store.catalog))
    found = store.catalog.integrity()
    found += compare(store.catalog, store.view_folder("lexical"), store.view_folder("matrix"), set(alive), stored)
    with store.views() as views:
        assert views.dense is not None
        if views.dense.ids() != sorted(alive.values()):
            found.append("dense: holds other chunks than the catalog")
    return found


@pytest.mark.parametrize("way", ["changed", "removed"])
def test_a_copy_in_another_folder_stays_when_the_first_one_changes_or_leaves(
    index: KureIndex, tmp_path: Path, way: str
) -> None:
    for name in "XY":
        write(tmp_path / name / f"{name}.txt", A)
        write(tmp_path / name / f"둘째 {name}.txt", B)
        sync(index, tmp_path / name)
    if way == "changed":
        write(tmp_path / "X" / "X.txt", C)
        assert sync(index, tmp_path / "X") == [("X.txt", "updated"), ("둘째 X.txt", "unchanged")]
        assert held(index) == {"X.txt": C[0], "Y.txt": A[0], "둘째 X.txt": B[0]}
    else:
        (tmp_path / "X" / "X.txt").unlink()
        assert sync(index, tmp_path / "X") == [("둘째 X.txt", "unchanged")]
        assert held(index) == {"Y.txt": A[0], "둘째 X.txt": B[0]}
    (tmp_path / "Y" / "Y.txt").unlink()
    assert ("Y.txt", "removed") in sync(index, tmp_path / "Y")
    assert "Y.txt" not in held(index)


def test_a_copy_changed_by_adding_leaves_the_other(index: KureIndex, tmp_path: Path) -> None:
    for name in "XY":
        write(tmp_path / name / f"{name}.txt", A)
        index.add_paths(tmp_path / name, file_types=("txt",), workers=1)
    write(tmp_path / "X" / "X.txt", C)
    [row] = index.add_paths(tmp_path / "X" / "X.txt", workers=1).rows
    assert row.status == "updated"
    assert held(index) == {"X.txt": C[0], "Y.txt": A[0]}
    write(tmp_path / "Y" / "Y.txt", B)
    index.add_paths(tmp_path / "Y", file_types=("txt",), workers=1)
    assert held(index) == {"X.txt": C[0], "Y.txt": B[0]}


@pytest.mark.parametrize(("outer", "inner"), [(None, None), ("전체", None), (None, "지점"), ("전체", "지점")], ids=str)
@pytest.mark.parametrize("first", ["outer", "inner"])
def test_what_left_a_folder_within_a_folder_leaves_with_either(
    index: KureIndex, tmp_path: Path, outer: str | None, inner: str | None, first: str
) -> None:
    big, small = tmp_path / "큰 폴더", tmp_path / "큰 폴더" / "지점"
    write(big / "위.txt", A)
    for name, lines in (("둘째.txt", B), ("셋째.txt", C)):
        write(small / name, lines)
    runs = [(big, outer), (small, inner)]
    for folder, name in runs if first == "outer" else runs[::-1]:
        sync(index, folder, name=name)
    (small / "둘째.txt").unlink()
    assert ("둘째.txt", "removed") in sync(index, big, name=outer)
    (small / "셋째.txt").rename(small / "넷째.txt")
    write(small / "다섯째.txt", B)
    sync(index, small, name=inner)
    (small / "넷째.txt").unlink()
    assert ("넷째.txt", "removed") in sync(index, small, name=inner)
    assert held(index) == {"위.txt": A[0], "다섯째.txt": B[0]}
    assert set(dict(sync(index, big, name=outer)).values()) == {"unchanged"}


def test_a_file_that_another_run_still_takes_stays(index: KureIndex, tmp_path: Path) -> None:
    """Taking other types from the larger folder is not the file's end."""
    folder = tmp_path / "글"
    write(folder / "안" / "표.md", A)
    write(folder / "글.txt", B)
    index.sync(folder, file_types=("txt", "md"), workers=1)
    index.sync(folder / "안", file_types=("md",), workers=1)
    assert sync(index, folder) == [("글.txt", "unchanged")]
    assert held(index) == {"표.md": A[0], "글.txt": B[0]}


def test_a_named_folder_that_moved_says_nothing_of_the_files_where_it_lay(index: KureIndex, tmp_path: Path) -> None:
    """Copied to another disk, say, and synchronised there."""
    for file, lines in (("가.txt", A), ("나.txt", B)):
        write(tmp_path / "여기" / file, lines)
    sync(index, tmp_path / "여기")
    sync(index, tmp_path / "여기", name="규정집")
    shutil.copytree(tmp_path / "여기", tmp_path / "저기")
    (tmp_path / "저기" / "나.txt").unlink()
    assert sync(index, tmp_path / "저기", name="규정집") == [("가.txt", "unchanged")]
    assert held(index) == {"가.txt": A[0], "나.txt": B[0]}
    (tmp_path / "여기" / "나.txt").unlink()
    assert ("나.txt", "removed") in sync(index, tmp_path / "여기")


def test_records_of_two_corpora_live_as_long_as_one_holds_them(index: KureIndex) -> None:
    def put(text: str, corpus: str) -> str:
        return index.add_records([Record("r1", "출장", text, {})], corpus=corpus, workers=1).rows[0].status

    assert [put("정산은 7일.", "a"), put("정산은 7일.", "b")] == ["added", "unchanged"]
    assert put("정산은 14일.", "a") == "updated"
    assert sorted(row.id for row in index.documents()) == sorted(row.id for row in index.find("r1"))
    assert sorted(index.document(row.id).text for row in index.documents()) == ["정산은 14일.", "정산은 7일."]  # type: ignore[union-attr]
    assert put("정산은 21일.", "b") == "updated"
    assert sorted(index.document(row.id).text for row in index.documents()) == ["정산은 14일.", "정산은 21일."]  # type: ignore[union-attr]
    assert put("정산은 14일.", "b") == "unchanged"
    assert [index.document(row.id).text for row in index.documents()] == ["정산은 14일."]  # type: ignore[union-attr]
    assert index.verify().ok


def test_only_a_folder_that_is_empty_as_a_whole_is_asked_about(index: KureIndex, tmp_path: Path) -> None:
    """As `rsync --delete`: an empty part is empty. An empty whole may be a disk that is not there."""
    big, small = tmp_path / "큰 폴더", tmp_path / "큰 폴더" / "지점"
    write(big / "위.txt", A)
    write(small / "아래.txt", B)
    sync(index, small)
    sync(index, big)
    (small / "아래.txt").unlink()
    for dry_run in (True, False):
        with pytest.raises(SourceNotFoundError, match=r"1 documents.*--allow-empty"):
            index.sync(small, file_types=("txt",), dry_run=dry_run)
    assert held(index) == {"위.txt": A[0], "아래.txt": B[0]}
    assert sync(index, big) == [("아래.txt", "removed"), ("위.txt", "unchanged")]
    assert sync(index, small) == [("지점", "rejected")]  # an empty folder that the index holds nothing of
    small.rmdir()
    with pytest.raises(SourceNotFoundError, match="no folder"):
        index.sync(small, file_types=("txt",), allow_empty=True)
    assert sync(index, big) == [("위.txt", "unchanged")]


def test_what_the_user_said_stays_when_the_file_changes(index: KureIndex, tmp_path: Path) -> None:
    file = tmp_path / "규정" / "출장.txt"
    write(file, A)
    sync(index, tmp_path / "규정")
    [row] = index.documents()
    index.set_metadata(row.id, {"부서": "총무팀"}, title="출장 규정", domain="legal")
    generation = index.info()["generation"]
    for lines in (B, A):
        write(file, lines)
        assert sync(index, tmp_path / "규정") == [("출장.txt", "updated")]
        [hit] = index.search("문서의 본문", where={"부서": "총무팀"})
        assert (hit.chunk.text, hit.title, hit.domain) == (lines[0], "출장 규정", "legal")
    assert index.info()["generation"] == generation + 2
    file.rename(file.with_name("출장비.txt"))
    assert sync(index, tmp_path / "규정") == [("출장비.txt", "unchanged")]
    [row] = index.documents()
    assert (row.source, row.title) == ("출장비.txt", "출장 규정")
    with pytest.raises(MetadataError, match=r"metadata\['금리'\] is nan"):
        index.set_metadata(row.id, {"금리": float("nan")})


def test_what_is_said_reaches_the_collection_that_holds_texts(tmp_path: Path, pool: WorkerPool) -> None:
    write(tmp_path / "규정" / "출장.txt", A)
    settings = DenseSettings(chroma_text=True)
    with KureIndex.open(tmp_path / "index", embeddings=HashEmbedder(), chroma=settings) as index:
        index._pool = lambda **_: pool  # type: ignore[method-assign]
        index.add_paths(tmp_path / "규정", file_types=("txt",), workers=1)
        [row] = index.documents()
        index.set_metadata(row.id, title="출장 규정")
        assert index.verify().ok
        assert index.info()["visible_generation"] == index.info()["generation"]
        [view] = [path for path in index.path.glob("dense*") if path.is_dir()]
    dense = DenseView(view, settings)
    [metadata] = dense._collection.get(include=["metadatas"])["metadatas"]
    dense.close()
    assert (metadata["title"], metadata["source"]) == ("출장 규정", "출장.txt")


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
