"""A torn or altered file of the vector view never crashes this process, and never goes unnoticed where it matters."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kure_rag import Entry, KureIndex
from kure_rag.index import probe as probe_module
from kure_rag.index.catalog import Catalog
from kure_rag.index.dense import DenseSettings, DenseView, broken, seal
from kure_rag.index.probe import Probe, probe
from kure_rag.index.rows import NewDocument
from kure_rag.types import Chunk, Document, chunk_id

OWN_WORKERS = True  # see kept_workers.py: this counts the children of its process

SETTINGS = DenseSettings(sync_threshold=300)
COUNT, DIMENSION = 750, 24  # two and a half times the threshold: some vectors are in the graph, some in the log
FILES = ("chroma.sqlite3", "data_level0.bin", "header.bin", "index_metadata.pickle", "length.bin", "link_lists.bin")


def fill(folder: Path, count: int = COUNT, *, flush: bool = False) -> None:
    catalog = Catalog(folder, create=True)
    vectors = np.random.default_rng(1).standard_normal((count, DIMENSION)).astype(np.float32)
    text = "".join(f"제{i}조 이 조항은 {i}일 안에 알린다.\n" for i in range(count))
    document, chunks, at = Document("문서", "규정.pdf", "규정", "legal", text), [], 0
    for i, line in enumerate(text.splitlines(keepends=True)):
        end = at + len(line)
        chunks.append(Chunk(chunk_id("문서", at, end, line, "t"), "문서", line, at, end, (1,), ordinal=i))
        at = end
    catalog.add_many([NewDocument(document, chunks, [["조항"]] * count, vectors)])
    view = DenseView(folder / "dense", SETTINGS)
    view.add([chunk.id for chunk in chunks], vectors)
    if not flush:
        view._wrote = False  # as after a crash: the log keeps what the graph has not
    view.close()
    catalog.mark_applied("dense", catalog.pending("dense", 2**31)[-1].seq)
    catalog.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("probe") / "index"
    fill(path)
    return path


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "index"))


def file_of(path: Path, name: str) -> Path:
    [file] = (path / "dense").rglob(name)
    return file


def truncate(part: float) -> Callable[[bytes], bytes]:
    return lambda data: data[: int(len(data) * part)]


def flip(*parts: float) -> Callable[[bytes], bytes]:
    def flipped(data: bytes) -> bytes:
        altered = bytearray(data)
        for part in parts:
            altered[min(int(len(data) * part), len(data) - 1)] ^= 0x5A
        return bytes(altered)

    return flipped


DAMAGE = {
    "nothing left": truncate(0.0),
    "a tenth left": truncate(0.1),
    "half left": truncate(0.5),
    "the end missing": truncate(0.99),
    "the first byte": flip(0.0),
    "a byte in the middle": flip(0.5),
    "the last byte": flip(1.0),
    "many bytes": flip(*(i / 97 for i in range(97))),
}


def test_a_sound_view_has_no_problems_and_finds_its_neighbours(path: Path) -> None:
    found = probe(path, path / "dense", SETTINGS)
    assert found.problems == ()
    assert found.sampled == 200
    assert found.recall > 0.9


@pytest.mark.parametrize("count", [1, 3, 299, 300, 301, 600])
def test_every_vector_of_a_small_view_is_asked_for_itself(tmp_path: Path, count: int) -> None:
    fill(tmp_path / "index", count)
    found = probe(tmp_path / "index", tmp_path / "index" / "dense", SETTINGS)
    assert found.problems == ()
    assert found.sampled == min(count, 200)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", FILES)
def test_the_seal_names_a_damaged_file_without_opening_it(path: Path, name: str, damage: str) -> None:
    view = path / "dense"
    sealed = seal(view)
    file = file_of(path, name)
    file.write_bytes(DAMAGE[damage](file.read_bytes()))
    assert broken(view, sealed) == (file.relative_to(view).as_posix(),)
    assert seal(view) != sealed


@pytest.mark.parametrize("damage", ["nothing left", "half left", "the first byte", "many bytes"])
@pytest.mark.parametrize("name", FILES)
def test_without_a_seal_a_damaged_file_is_noticed_or_does_no_harm(path: Path, name: str, damage: str) -> None:
    file = file_of(path, name)
    file.write_bytes(DAMAGE[damage](file.read_bytes()))
    view = path / "dense"
    found = probe(path, view, SETTINGS)
    if found.problems:
        return
    # The child opened it and was content, so this process may, and finds all but a few.
    catalog, dense = Catalog(path, create=False), DenseView(view, SETTINGS)
    rows = dict(catalog.all_rows())
    held, vectors = catalog.vectors(list(rows))
    answers = dense.search_many(vectors, 10)
    assert sum(rows[row] in answer for row, answer in zip(held, answers, strict=True)) >= 0.95 * len(rows)
    assert set(dense.ids()) == set(rows.values())
    dense.close()
    catalog.close()


def test_copying_a_view_and_opening_it_leave_the_seal_whole(path: Path, tmp_path: Path) -> None:
    sealed = seal(path / "dense")
    copy = tmp_path / "copy"
    shutil.copytree(path / "dense", copy, copy_function=shutil.copyfile)  # new times of change
    assert broken(copy, sealed) == ()
    for _ in range(3):
        view = DenseView(copy, SETTINGS)
        view.search(np.ones(DIMENSION, np.float32), 5)
        view.close()
    assert broken(copy, sealed) == ()
    assert seal(copy, sealed) == seal(copy)


def test_a_seal_misses_no_lost_or_added_file_and_no_older_kind_of_seal(path: Path) -> None:
    view = path / "dense"
    sealed = seal(view)
    name = file_of(path, "length.bin").relative_to(view).as_posix()
    (view / "chroma.sqlite3-journal").write_bytes(b"half a transaction")
    (view / name).unlink()
    assert set(broken(view, sealed)) == {"chroma.sqlite3-journal", name}
    assert broken(view, None) == broken(view, {}) != ()
    assert broken(view, dict.fromkeys(sealed, 100)) != ()


def test_adding_breaks_the_seal(path: Path) -> None:
    sealed = seal(path / "dense")
    view = DenseView(path / "dense", SETTINGS)
    view.add(["새것"], np.ones((1, DIMENSION), np.float32))
    view.close()
    assert "chroma.sqlite3" in broken(path / "dense", sealed)


def test_missing_extra_and_altered_vectors_are_counted(path: Path) -> None:
    catalog = Catalog(path, create=False)
    ids = [id_ for _, id_ in catalog.all_rows()]
    catalog.close()
    view = DenseView(path / "dense", SETTINGS)
    view.delete(ids[:7])
    view.add(["낯선 것"], np.ones((1, DIMENSION), np.float32))
    view.close()
    assert set(probe(path, path / "dense", SETTINGS).problems) >= {
        "dense: 7 chunks are missing",
        "dense: 1 chunks are too many",
    }


def test_deleted_chunks_may_be_there_until_they_are_purged_and_those_to_be_added_may_not(path: Path) -> None:
    catalog = Catalog(path, create=False)
    text = "새 조항은 다음 달부터 따른다."
    chunk = Chunk("새-1", "새 문서", text, 0, len(text), (1,))
    made = np.ones((1, DIMENSION), np.float32)
    catalog.add_many([NewDocument(Document("새 문서", "새.pdf", "새", "legal", text), [chunk], [["조항"]], made)])
    catalog.delete(["문서"])
    catalog.close()
    assert probe(path, path / "dense", SETTINGS).problems == ()


def test_a_view_of_other_vectors_is_a_problem(path: Path) -> None:
    catalog = Catalog(path, create=False)
    ids = [id_ for _, id_ in catalog.all_rows()]
    catalog.close()
    view = DenseView(path / "dense", SETTINGS)
    view.add(ids, np.random.default_rng(9).standard_normal((COUNT, DIMENSION)).astype(np.float32))
    view.close()
    problems = " ".join(probe(path, path / "dense", SETTINGS).problems)
    assert "do not find themselves" in problems
    assert "not those of the catalog" in problems


def test_while_another_process_writes_only_failing_is_a_problem(path: Path) -> None:
    catalog = Catalog(path, create=False)
    ids = [id_ for _, id_ in catalog.all_rows()]
    catalog.close()
    view = DenseView(path / "dense", SETTINGS)
    view.delete(ids[: COUNT // 2])
    view.close()
    assert probe(path, path / "dense", SETTINGS, writing=True).problems == ()
    file = file_of(path, "header.bin")
    file.write_bytes(b"")
    assert probe(path, path / "dense", SETTINGS, writing=True).problems != ()


def test_a_child_that_takes_too_long_is_ended_and_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_module, "_SECONDS", 0.05)
    monkeypatch.setattr(probe_module, "_SECONDS_EACH", 0.0)
    found = probe(path, path / "dense", SETTINGS)
    assert found == Probe(("dense: did not answer within 0 s",))
    assert not _children()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_interrupting_a_probe_leaves_no_child(path: Path) -> None:
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - whichever of them is running
        for _ in range(100):
            probe(path, path / "dense", SETTINGS)
    timer.join()
    assert not _children()


def _children() -> list[int]:
    """Processes that this one started and that are not gone, zombies among them."""
    try:
        pid, _ = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return []
    return [pid]


def test_a_crash_of_the_child_is_a_problem_that_names_the_signal(path: Path) -> None:
    """Truncated to its first bytes, this file makes Chroma 1.5 read beyond its memory."""
    for name in ("header.bin", "link_lists.bin"):
        file = file_of(path, name)
        file.write_bytes(file.read_bytes()[:10])
    found = probe(path, path / "dense", SETTINGS)
    assert found.problems
    assert all(problem.startswith("dense: ") for problem in found.problems)


def test_readers_may_open_a_view_again_and_again_while_it_is_written(path: Path) -> None:
    """Without the lock, one that loads the graph while it is being written may crash."""
    reader = (
        "import sys, numpy as np; from pathlib import Path; from kure_rag.index.dense import DenseView, DenseSettings\n"
        "for _ in range(15):\n"
        "    view = DenseView(Path(sys.argv[1]), DenseSettings(sync_threshold=300))\n"
        f"    assert view.search(np.ones({DIMENSION}, np.float32), 5)\n"
        "    view.close()\n"
    )
    root = str(Path(probe_module.__file__).resolve().parents[2])
    env = {**os.environ, "PYTHONPATH": root}
    readers = [
        subprocess.Popen([sys.executable, "-c", reader, str(path / "dense")], env=env, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    view = DenseView(path / "dense", SETTINGS)
    rng, n, until = np.random.default_rng(3), 0, time.monotonic() + 60
    while any(process.poll() is None for process in readers) and time.monotonic() < until:
        view.add([f"더-{n + i}" for i in range(100)], rng.standard_normal((100, DIMENSION)).astype(np.float32))
        n += 100
        time.sleep(0.02)  # let a reader have its turn
    view.close()
    assert [(process.wait(), (process.stderr.read() if process.stderr else b"")[-300:]) for process in readers] == [
        (0, b""),
        (0, b""),
    ]


def test_a_graph_that_reaches_little_is_not_called_torn_where_its_files_are_as_they_were_left(tmp_path: Path) -> None:
    """Of texts that are alike but for a number, Chroma's graph loses most, with any settings."""
    texts = [f"직원은 제{i}호 규정에 따라 연차 휴가를 신청하고 승인을 받아야 한다." for i in range(600)]
    with KureIndex.open(tmp_path / "index", embeddings="static-ko") as index:
        index.put(Entry(id=f"제{i}호", text=text) for i, text in enumerate(texts))
        folder, settings = tmp_path / "index" / "dense", index._store.dense_settings
        assert "do not find themselves" in " ".join(probe(tmp_path / "index", folder, settings).problems)
        assert index.verify().ok
        assert index.search(texts[77], mode="dense", k=1)[0].chunk.text == texts[77]  # it is not asked by default
