"""Searches see whole generations; three views catch up, are purged, compacted and made anew."""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_support import add, delete, document, found

from kure_rag.errors import IndexLockedError
from kure_rag.index import views as views_module
from kure_rag.index.lexical import Question
from kure_rag.index.schema import VIEWS
from kure_rag.index.store import IndexStore

OLD = ("예금 금리는 옛 약관에 따른다", "예금 해지는 옛 절차에 따른다", "예금 만기는 옛 달력에 따른다")
NEW = ("예금 금리는 새 약관에 따른다", "예금 해지는 새 절차에 따른다", "예금 만기는 새 달력에 따른다")
OTHERS = tuple(f"제{i}조 보험 약관의 다른 조항" for i in range(40))
TESTS = Path(__file__).parents[1]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[IndexStore]:
    store = IndexStore(tmp_path / "index", create=True)
    add(store, document("others", OTHERS), document("deposit", OLD))
    yield store
    store.close()


def again(store: IndexStore) -> IndexStore:
    store.close()
    return IndexStore(store.folder, create=False)


def python(code: str, *arguments: object, **more: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(TESTS / "index"), str(TESTS), *filter(None, sys.path)])
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path, **more},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def test_an_update_takes_the_place_of_what_was_there(store: IndexStore) -> None:
    add(store, document("deposit", NEW))
    for texts in found(store, "예금 약관 절차 달력"):
        assert texts & {*OLD, *NEW} == set(NEW)
    assert store.catalog.deleted(2**62) == []  # purged
    assert store.verify().ok


def test_searches_meanwhile_see_the_old_or_the_new_and_never_half(store: IndexStore) -> None:
    wrong: list[object] = []
    seen: set[frozenset[str]] = set()
    stop = threading.Event()

    def search() -> None:
        while not stop.is_set():
            try:
                for texts in found(store, "예금 금리는 해지는 만기는"):
                    whole = frozenset(texts & {*OLD, *NEW})
                    seen.add(whole)
                    if whole not in (frozenset(OLD), frozenset(NEW)):
                        wrong.append(sorted(whole))
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for i in range(10):
            add(store, document("deposit", OLD if i % 2 else NEW))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert seen == {frozenset(OLD), frozenset(NEW)}
    assert store.verify().ok


def test_a_search_that_lost_rows_to_a_purge_is_told_so(store: IndexStore) -> None:
    with store.views() as before:
        assert store.is_whole(before)
        add(store, document("deposit", NEW))
        assert not store.is_whole(before)
        with store.views() as after:
            assert store.is_whole(after)
            assert after.visible > before.visible
    tries = []

    def search(views: object) -> int:
        if not tries:
            add(store, document("deposit", OLD))
        tries.append(views)
        return len(tries)

    assert store.reading(search) == 2


READER = """
import sys
from pathlib import Path
from kure_rag.index.store import IndexStore
from store_support import found
store = IndexStore(Path(sys.argv[1]), create=False)
for line in sys.stdin:
    words, near = found(store, "예금 약관 절차 달력")
    print(sum("새" in text for text in words), sum("새" in text for text in near),
          sum("옛" in text for text in words), sum("옛" in text for text in near), flush=True)
"""


def test_another_process_sees_each_new_generation(store: IndexStore) -> None:
    reader = python(READER, store.folder)
    assert reader.stdin is not None
    assert reader.stdout is not None
    said = []
    for texts in (OLD, NEW, OLD, None):
        if texts is None:
            delete(store, "deposit")
        else:
            add(store, document("deposit", texts))
        reader.stdin.write("\n")
        reader.stdin.flush()
        said.append(reader.stdout.readline().split())
    reader.communicate()
    assert said == [["0", "0", "3", "3"], ["3", "3", "0", "0"], ["0", "0", "3", "3"], ["0", "0", "0", "0"]]


def test_an_index_without_a_matrix_gets_one(store: IndexStore) -> None:
    with store._lock.held():
        store.catalog.mark_stale("matrix")
    folder = store.view_folder("matrix")
    store.close()
    shutil.rmtree(folder)
    with_one = IndexStore(store.folder, create=False)
    assert found(with_one, OLD[0], 1) == ({OLD[0]}, {OLD[0]})
    assert with_one.verify().ok
    with_one.close()


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_can_be_made_anew(store: IndexStore, view: str) -> None:
    expected = found(store, OLD[0], 5)
    told: list[tuple[str, int, int]] = []
    store.rebuild(view, lambda *step: told.append(step))
    assert told[-1] == (f"rebuilding {view}", 43, 43)
    assert found(store, OLD[0], 5) == expected
    assert store.verify().ok
    opened = again(store)
    assert not (opened.folder / view).exists()  # the old folder
    opened.close()


def test_verify_compares_the_matrix_with_the_catalog(store: IndexStore) -> None:
    with store.views() as views:
        assert views.matrix is not None
        views.matrix.apply({}, [5, 6])
        views.matrix.apply({999: [1.0] * views.matrix.dimension})
    assert store.verify().problems == ("matrix: 2 chunks are missing", "matrix: 1 chunks are too many")
    store.rebuild("matrix")
    assert store.verify().ok


def test_compacting_gives_room_back_and_changes_no_answer(store: IndexStore) -> None:
    add(store, document("long", [f"{i}번째 긴 조항 " + "가나다라 " * 60 for i in range(600)]))
    delete(store, "long")
    expected = found(store, "예금 금리는 옛", 10)
    before = sum(file.stat().st_size for file in store.folder.rglob("*") if file.is_file())
    labels: list[str] = []
    store.compact(lambda label, *_: labels.append(label))
    after = sum(file.stat().st_size for file in store.folder.rglob("*") if file.is_file())
    assert after < before / 2
    assert labels[0] == "catching up"
    assert labels[-1] == "compacted"
    assert found(store, "예금 금리는 옛", 10) == expected
    assert store.verify().ok
    opened = again(store)
    assert found(opened, "예금 금리는 옛", 10) == expected
    opened.close()


def scores(store: IndexStore, query: str) -> dict[str, float]:
    with store.views() as views:
        ranked = views.lexical.search(Question(query.split()), 100)
        chunks = store.catalog.fetch([row for row, _ in ranked], views.visible)
        return {chunks[row].chunk.text: score for row, score in ranked}


def test_compacting_makes_the_keyword_view_anew_when_many_of_its_rows_were_deleted(
    tmp_path: Path,
) -> None:
    store = IndexStore(tmp_path / "index", create=True)
    long = document("long", [f"{i}번째 예금 조항" for i in range(60)])
    add(store, document("others", OTHERS), document("deposit", OLD), long)  # one segment
    before = store.view_folder("lexical")
    delete(store, "deposit")
    store.compact()
    assert store.view_folder("lexical") == before  # 3 of 100: not worth it
    with store.views() as views:
        assert views.lexical.deleted == 3
    delete(store, "long")
    with store.views() as views:
        assert views.lexical.deleted == 63
    store.compact()
    after = store.view_folder("lexical")
    assert after != before
    assert not before.exists()
    with store.views() as views:
        assert views.lexical.deleted == 0
        assert len(views.lexical) == len(OTHERS)
    assert store.verify().ok, store.verify().problems
    store.compact()
    assert store.view_folder("lexical") == after  # once is enough
    with contextlib.closing(IndexStore(tmp_path / "fresh", create=True)) as fresh:
        add(fresh, document("others", OTHERS))
        assert scores(store, "보험 조항 제7조") == scores(fresh, "보험 조항 제7조")  # deleted rows count no more
    store.close()


def test_searching_goes_on_without_chroma_while_its_files_are_in_doubt(
    store: IndexStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views_module, "_PATIENCE", 0.0)
    store.close()
    [database] = (store.folder / "dense").glob("chroma.sqlite3")
    with database.open("ab") as file:
        file.write(b"\0" * 4096)
    other = IndexStore(store.folder, create=False)
    reader = IndexStore(store.folder, create=False)
    with other._lock.held():
        with pytest.raises(IndexLockedError), reader.writing():
            pass
        with reader.views() as views:
            assert views.dense is None
            assert views.matrix is not None
        assert found(reader, OLD[0], 1) == ({OLD[0]}, {OLD[0]})
    with reader.views() as views:  # and now there is time to look
        assert views.dense is not None
        assert len(views.dense) == 43
    other.close()
    reader.close()


WRITER = """
import sys
from pathlib import Path
from kure_rag.index.store import IndexStore
from store_support import add, delete, document
store = IndexStore(Path(sys.argv[1]), create=False)
add(store, document("deposit", ["새 예금 약관 하나", "새 예금 약관 둘"]))
print("updated", flush=True)
delete(store, "others")
store.rebuild("matrix")
store.rebuild("lexical")
store.compact()
print("survived", flush=True)
"""
PLACES = (
    "catch-up-begun",
    *(f"{view}-{step}" for view in VIEWS for step in ("applied", "marked", "purged")),
    "dense-unsealed",
    "dense-sealed",
    "purge-announced",
    "catalog-purged",
    *(f"{view}-{step}" for view in VIEWS for step in ("rebuilt", "exchanged")),
    *(f"compacted-{i}" for i in range(6)),
)
QUICK = {"lexical-applied", "lexical-rebuilt", "matrix-marked", "dense-purged"}


@pytest.mark.parametrize("place", [p if p in QUICK else pytest.param(p, marks=pytest.mark.crash) for p in PLACES])
def test_killed_in_any_gap_nothing_is_lost_and_nothing_too_many(store: IndexStore, place: str) -> None:
    store.close()
    child = python(WRITER, store.folder, KURE_RAG_FAILPOINT=place)
    out, errors = child.communicate()
    assert child.returncode == 137, errors
    assert "survived" not in out
    opened = IndexStore(store.folder, create=False)
    assert opened.verify().ok, opened.verify().problems
    words, near = found(opened, "예금 약관 새 옛")
    assert {text for text in words if "예금" in text} == {text for text in near if "예금" in text}
    of_deposit = {text for text in near if "예금" in text}
    assert of_deposit == {"새 예금 약관 하나", "새 예금 약관 둘"}  # the catalog had it when the views were begun
    assert opened.catalog.deleted(2**62) == []
    opened.close()


FULL = """
import resource, signal, sys
from pathlib import Path
from kure_rag.errors import KureError
from kure_rag.index.store import IndexStore
from store_support import add, document, found
folder, room = Path(sys.argv[1]), int(sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write that would pass the limit fails, as on a full disk
largest = max(file.stat().st_size for file in folder.rglob("*") if file.is_file())
store = IndexStore(folder, create=False)
resource.setrlimit(resource.RLIMIT_FSIZE, (largest + room, resource.RLIM_INFINITY))
try:
    add(store, document("big", [f"{i}번째 조항 " + "마바사아 " * 40 for i in range(3000)]))
except (KureError, OSError, ValueError) as error:
    print("refused", flush=True)
store.close()
store = IndexStore(folder, create=False)
print(sorted(row.source for row in store.catalog.documents()), flush=True)
words, near = found(store, "예금 금리는 옛", 10_000)
print(sum("옛" in text for text in words), sum("옛" in text for text in near), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes there")
@pytest.mark.parametrize("room", [50_000, 1_000_000])  # too little for the catalog; enough for that, not for the views
def test_on_a_full_disk_the_generation_before_still_opens(store: IndexStore, room: int) -> None:
    store.close()
    child = python(FULL, store.folder, room)
    out, errors = child.communicate()
    assert child.returncode == 0, errors
    refused, sources, legs = out.splitlines()
    assert refused == "refused"
    assert legs == "3 3"
    opened = IndexStore(store.folder, create=False)  # and there is room again
    assert sorted(row.source for row in opened.catalog.documents()) == eval(sources)
    assert opened.verify().ok, opened.verify().problems
    opened.close()
