"""The catalog is the truth; whatever happens to a view, it comes back."""

import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from support import HashEmbedder

from kure_rag import KureIndex
from kure_rag.errors import (
    FingerprintMismatchError,
    IndexCorruptError,
    IndexLockedError,
    IndexNotFoundError,
    IndexPathError,
    IndexVersionError,
    KureIndexError,
)
from kure_rag.index.catalog import Catalog
from kure_rag.read import Record

PASSAGES = (
    "예금자는 만기 전에 예금을 해지할 수 있으며 이 경우 중도해지이율을 적용한다.",
    "보험계약자는 청약한 날부터 15일 이내에 청약을 철회할 수 있다.",
    "임차인은 계약이 끝나면 보증금을 돌려받을 때까지 집을 비우지 않아도 된다.",
    "이 약은 식후 30분에 물과 함께 복용하며 하루 세 번을 넘기지 않는다.",
    "회사는 매 사업연도가 끝난 뒤 3개월 안에 정기주주총회를 연다.",
    "연차휴가는 1년 동안 80퍼센트 이상 출근한 직원에게 15일을 준다.",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "index"
    with KureIndex.open(path, embeddings=HashEmbedder()) as index:
        index.add_records([Record(f"r{i}", "", text) for i, text in enumerate(PASSAGES)])
    return path


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(made, tmp_path / "index"))


def open_again(path: Path) -> KureIndex:
    return KureIndex.open(path, embeddings=HashEmbedder())


def test_a_new_index_is_clean_and_answers_nothing(tmp_path: Path) -> None:
    with open_again(tmp_path / "새 색인") as index:
        assert index.verify().ok
        for mode in ("lexical", "dense", "hybrid"):
            assert index.search("아무 것이나", mode=mode) == []


def test_every_view_finds_its_passage(path: Path) -> None:
    with open_again(path) as index:
        for i, text in enumerate(PASSAGES):
            for mode in ("lexical", "dense", "hybrid"):
                assert index.search(text, k=1, mode=mode)[0].source == f"r{i}"


@pytest.mark.parametrize("view", ["lexical", "dense", "matrix"])
def test_a_lost_view_is_seen_and_rebuilt(path: Path, view: str) -> None:
    with open_again(path) as index:
        before = [hit.chunk.id for hit in index.search("보증금은 언제 돌려받나요", k=5)]
    shutil.rmtree(path / view)
    with open_again(path) as index:
        assert not index.verify().ok  # which mends nothing
        assert [hit.chunk.id for hit in index.search("보증금은 언제 돌려받나요", k=5)] == before  # which does
        assert index.verify().ok


@pytest.mark.parametrize("name", ["header.bin", "length.bin", "link_lists.bin", "data_level0.bin"])
def test_a_torn_graph_file_costs_a_rebuild_and_nothing_else(tmp_path: Path, name: str) -> None:
    """Truncated graph files crash the process that opens them, or answer wrongly in silence."""
    path = tmp_path / "index"
    count = 2_100  # more than Chroma keeps in its log before it writes the graph
    with open_again(path) as index:
        documents = [Record(f"r{i}", "", f"제{i}호 안건은 {i * 7}원의 예산을 다룬다.") for i in range(count)]
        from kure_rag.chunk import chunk_record
        from kure_rag.ingest.target import Ready, Target
        from kure_rag.read.corpus import record_id
        from kure_rag.types import Document

        with index._store.writing():
            index._claim()
            items = []
            for record in documents:
                document = Document(record_id(record), record.id, "", "general", record.text)
                items.append(Ready(document, [chunk_record(document)], [["안건", record.id]]))
            Target(index._store, index.embedder).add(items)
    [file] = path.glob(f"dense/*/{name}")
    assert file.stat().st_size, "nothing to break off: add more records"
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2)
    with open_again(path) as index:
        assert index.search("제77호 안건은 539원의 예산을 다룬다.", k=1, mode="dense")[0].source == "r77"
        assert index.verify().ok


def test_deleting_takes_a_document_out_of_everything(path: Path) -> None:
    with open_again(path) as index:
        assert index.delete("r1") == 1
        assert index.delete("r1") == 0
        for mode in ("lexical", "dense", "hybrid"):
            assert "r1" not in {hit.source for hit in index.search(PASSAGES[1], k=10, mode=mode)}
        assert index.verify().ok
        assert len(index.documents()) == len(PASSAGES) - 1


def test_a_deleted_document_can_come_back(path: Path) -> None:
    with open_again(path) as index:
        index.delete("r1")
        report = index.add_records([Record("r1", "", PASSAGES[1])])
        assert report.counts()["added"] == 1
        assert index.verify().ok
        assert index.search(PASSAGES[1], k=1)[0].source == "r1"


def test_adding_the_same_again_adds_nothing(path: Path) -> None:
    with open_again(path) as index:
        before = index.info()["generation"]
        report = index.add_records([Record(f"r{i}", "", text) for i, text in enumerate(PASSAGES)])
        assert report.counts()["unchanged"] == len(report.rows) == len(PASSAGES)
        assert index.info()["generation"] == before


def test_a_filter_holds_for_every_hit_of_every_mode(path: Path) -> None:
    with open_again(path) as index:
        for mode in ("lexical", "dense", "hybrid"):
            hits = index.search("계약 해지 휴가 복용", k=10, mode=mode, where={"source": {"$in": ["r0", "r3"]}})
            assert {hit.source for hit in hits} <= {"r0", "r3"}
            assert hits
        assert index.search("계약", where={"source": "없음"}) == []


def test_another_model_is_named_with_each_difference(path: Path) -> None:
    with pytest.raises(FingerprintMismatchError, match=r"revision.*'1'.*'2'") as caught:
        KureIndex.open(path, embeddings=HashEmbedder(revision="2"))
    assert set(caught.value.differences) == {"revision"}


def test_a_missing_index(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFoundError, match="kure-rag ingest"):
        KureIndex.open(tmp_path / "none", create=False)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("파일입니다")
    with pytest.raises(IndexPathError, match="cannot be made"):
        KureIndex.open(tmp_path / "file" / "index", embeddings=HashEmbedder())


def test_a_catalog_from_the_future(path: Path) -> None:
    catalog = Catalog(path, create=False)
    catalog.set(version=999)
    catalog.close()
    with pytest.raises(IndexVersionError, match="pip install -U"):
        open_again(path)


def test_a_catalog_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite3").write_bytes(b"not a database" * 100)
    with pytest.raises(IndexCorruptError, match="catalog"):
        open_again(tmp_path)


def test_verify_sees_a_text_that_is_not_its_documents(path: Path) -> None:
    with open_again(path) as index:
        with index._store.catalog._transaction() as db:
            db.execute("UPDATE chunks SET text = '바뀐 글' WHERE row = 1")
        assert any("not its document's text" in problem for problem in index.verify().problems)


def test_verify_sees_a_missing_and_a_superfluous_vector(path: Path) -> None:
    with open_again(path) as index:
        with index._store.views() as views:
            assert views.dense is not None
            views.dense.delete([index._store.catalog.all_rows()[0][1]])
            views.dense.add(["phantom"], np.ones((1, 48), np.float32))
        problems = " ".join(index.verify().problems)
        assert "1 chunks are missing" in problems
        assert "1 chunks are too many" in problems


def test_the_second_writer_is_told_who_is_first_within_a_second(path: Path) -> None:
    holder = (
        "import sys, time; from pathlib import Path; from kure_rag.index.lock import WriterLock\n"
        f"lock = WriterLock(Path({str(path)!r}))\n"
        "with lock.held():\n    print('held', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with open_again(path) as index:
            began = time.monotonic()
            with pytest.raises(IndexLockedError, match=f"process {child.pid}"):
                index.delete("r1")
            assert time.monotonic() - began < 1.0
            assert index.search(PASSAGES[1], k=1)[0].source == "r1"  # readers go on
    finally:
        child.kill()
        child.wait()
    with open_again(path) as index:  # the dead holder's lock is free
        assert index.delete("r1") == 1


def test_a_reader_sees_what_another_process_wrote(path: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from kure_rag import KureIndex; from kure_rag.read import Record; from support import HashEmbedder\n"
        "if __name__ == '__main__':\n"
        "    with KureIndex.open(sys.argv[1], embeddings=HashEmbedder()) as index:\n"
        "        index.add_records([Record('new', '', '전자금융거래에서 사고가 나면 금융회사가 손해를 배상한다.')])"
    )
    question = "전자금융거래 사고의 손해는 누가 배상하나"
    with open_again(path) as reader:
        assert all(hit.source != "new" for hit in reader.search(question))
        subprocess.run(
            [sys.executable, "-c", script, str(path), str(Path(__file__).parents[1])], check=True, timeout=120
        )
        for mode in ("lexical", "dense", "hybrid"):
            assert reader.search(question, k=1, mode=mode)[0].source == "new"


def test_searching_from_many_threads(path: Path) -> None:
    wrong: list[object] = []

    def ask(index: KureIndex) -> None:
        for i, text in enumerate(PASSAGES):
            try:
                if index.search(text, k=1)[0].source != f"r{i}":
                    wrong.append(i)
            except Exception as error:
                wrong.append(error)

    with open_again(path) as index:
        threads = [threading.Thread(target=ask, args=(index,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_info_is_json(path: Path) -> None:
    with open_again(path) as index:
        info = json.loads(json.dumps(index.info()))
    assert info["documents"] == info["chunks"] == len(PASSAGES)
    assert info["fingerprint"]["model"] == "hash-bigrams"
    assert all(size > 0 for size in info["bytes"].values())


def test_no_absolute_path_of_a_source_is_stored(tmp_path: Path) -> None:
    from support import numbered_pdf

    secret = tmp_path / "비밀 폴더"
    secret.mkdir()
    numbered_pdf(secret, 1)
    with open_again(tmp_path / "index") as index:
        index.add_paths(secret)
        assert [row.source for row in index.documents()] == ["보험_규정_001.pdf"]
    stored = b"".join(file.read_bytes() for file in (tmp_path / "index").rglob("*") if file.is_file())
    assert "비밀 폴더".encode() not in stored


def test_a_full_disk_is_a_clear_error_and_the_index_stays_whole(path: Path) -> None:
    with open_again(path) as index:
        catalog = index._store.catalog
        pages = catalog._db.execute("PRAGMA page_count").fetchone()[0]
        catalog._db.execute(f"PRAGMA max_page_count = {pages}")  # SQLite reports "database or disk is full" past it
        with pytest.raises(IndexPathError, match="full"):
            index.add_records([Record(f"n{i}", "", "새로운 규정의 본문이다. " * 400) for i in range(20)])
    with open_again(path) as index:
        assert index.verify().ok
        assert len(index.documents()) == len(PASSAGES)


@pytest.mark.parametrize("view", ["lexical", "dense", "matrix"])
def test_a_rebuild_that_was_cut_off_leaves_the_old_view(path: Path, view: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed when the new folder is filled and the catalog does not name it yet."""

    class Killed(BaseException):
        pass

    def cut_off(*arguments: object, **settings: object) -> None:
        raise Killed

    with open_again(path) as index:
        before = [hit.chunk.id for hit in index.search(PASSAGES[2], k=5)]
        monkeypatch.setattr(index._store.catalog, "mark_rebuilt", cut_off)
        with pytest.raises(Killed):
            index.rebuild(view)
    assert (path / f"{view}-1").is_dir()
    with open_again(path) as index:
        assert not (path / f"{view}-1").exists()
        assert index.verify().ok
        assert [hit.chunk.id for hit in index.search(PASSAGES[2], k=5)] == before


def test_a_crash_while_the_catalog_is_made_costs_nothing(tmp_path: Path) -> None:
    """The file is there, its tables are not."""
    import sqlite3

    db = sqlite3.connect(tmp_path / "catalog.sqlite3")
    db.execute("PRAGMA journal_mode=WAL")
    db.close()
    with pytest.raises(IndexNotFoundError):
        KureIndex.open(tmp_path, embeddings=HashEmbedder(), create=False)
    with open_again(tmp_path) as index:
        index.add_records([Record("r0", "", PASSAGES[0])])
        assert index.verify().ok


def test_searches_go_on_while_views_are_rebuilt(path: Path) -> None:
    wrong: list[object] = []
    stop = threading.Event()

    def ask(index: KureIndex) -> None:
        while not stop.is_set():
            try:
                if index.search(PASSAGES[3], k=1)[0].source != "r3":
                    wrong.append("another passage")
            except Exception as error:
                wrong.append(error)

    with open_again(path) as index:
        threads = [threading.Thread(target=ask, args=(index,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            index.rebuild()
        index.delete("r5")
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_two_objects_on_one_folder_see_each_others_work(path: Path) -> None:
    new = "전자금융거래에서 사고가 나면 금융회사가 손해를 배상한다."
    with open_again(path) as one, open_again(path) as other:
        assert one.search(PASSAGES[0], k=1, mode="dense")[0].source == "r0"
        other.rebuild("dense")
        other.add_records([Record("new", "", new)])
        for mode in ("lexical", "dense", "hybrid"):
            assert one.search(new, k=1, mode=mode)[0].source == "new"
        one.delete("new")
        for mode in ("lexical", "dense", "hybrid"):
            assert all(hit.source != "new" for hit in other.search(new, mode=mode))
        assert one.verify().ok


def test_a_closed_index_says_so(path: Path) -> None:
    index = open_again(path)
    index.close()
    with pytest.raises(KureIndexError, match="closed"):
        index.search(PASSAGES[0])


def test_the_dense_weight_an_index_was_made_with_comes_back(tmp_path: Path) -> None:
    from kure_rag import Embedder, EmbedSettings

    with KureIndex.open(tmp_path / "i", embeddings=Embedder("static-ko", EmbedSettings(dense_weight=0.4))) as index:
        index.add_records([Record("r0", "", PASSAGES[0])])
    with KureIndex.open(tmp_path / "i") as again:
        assert again.embedder.dense_weight == 0.4


def test_no_hit_has_a_score_of_zero_or_less(path: Path) -> None:
    with open_again(path) as index:
        for mode in ("lexical", "dense", "hybrid"):
            assert all(hit.score > 0 for hit in index.search("전혀 상관없는 질문 xyz", k=10, mode=mode))


def test_equal_passages_are_ordered_by_id_however_they_came_in(tmp_path: Path) -> None:
    """Two indexes of the same records in another order answer alike, also where vectors and words are equal."""
    records = [Record(f"r{i}", "", PASSAGES[i % 3] + (" 끝." if i % 2 else "")) for i in range(60)]
    answers = []
    for name, order in (("forward", records), ("backward", records[::-1])):
        with open_again(tmp_path / name) as index:
            for part in (order[:7], order[7:20], order[20:]):
                index.add_records(part)
            answers.append(
                [
                    [(hit.chunk.id, hit.score) for hit in index.search(text, k=30, mode=mode)]
                    for mode in ("lexical", "dense", "hybrid")
                    for text in PASSAGES[:3]
                ]
            )
    assert answers[0] == answers[1]
