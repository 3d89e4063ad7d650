import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from cache_engine import TEXTS, WRITER, Engine, cache_in

from kure_rag.embed.cache import EmbeddingCache
from kure_rag.embed.cache_file import NAME


def damage_header(file: Path) -> None:
    file.write_bytes(b"no database at all " * 2000)


def damage_end(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 3])


def damage_one_number(file: Path) -> None:
    whole = bytearray(file.read_bytes())
    at = whole.rindex(Engine(600).vector("문장 5", "passage").tobytes()[:40])
    whole[at + 20] ^= 1
    file.write_bytes(whole)


@pytest.mark.parametrize("damage", [damage_header, damage_end, damage_one_number])
def test_a_damaged_file_is_moved_aside_and_begun_anew(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    texts, engine = [f"문장 {i}" for i in range(200)], Engine(600)
    before = cache_in(tmp_path)
    engine.through(before, texts)
    before.close()
    damage(tmp_path / NAME)
    cache = cache_in(tmp_path)
    for _ in range(3):
        np.testing.assert_array_equal(engine.through(cache, texts), engine.right(texts))
    assert engine.computed == texts * 2, "computed once more, and kept again"
    assert (tmp_path / f"{NAME}.damaged").is_file()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "damaged" in caplog.text


def test_a_file_damaged_under_an_open_cache(tmp_path: Path) -> None:
    texts, engine = [f"문장 {i}" for i in range(200)], Engine(600)
    caches = [cache_in(tmp_path), cache_in(tmp_path)]
    for cache in caches:
        engine.through(cache, texts)
    caches[0]._file._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    damage_header(tmp_path / NAME)
    for cache in caches * 2:  # the second one finds the first one's new file, and does not move that away
        np.testing.assert_array_equal(engine.through(cache, texts), engine.right(texts))
    fresh = cache_in(tmp_path)
    engine.computed.clear()
    engine.through(fresh, texts)
    assert not engine.computed


def test_another_programs_database_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with sqlite3.connect(tmp_path / NAME) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    content, engine = (tmp_path / NAME).read_bytes(), Engine()
    np.testing.assert_array_equal(engine.through(cache_in(tmp_path), TEXTS), engine.right(TEXTS))
    assert (tmp_path / NAME).read_bytes() == content
    assert "another program" in caplog.text


def test_a_locked_file_is_no_error_and_is_used_again_when_free(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache, engine = cache_in(tmp_path), Engine()
    engine.through(cache, TEXTS[:1])
    holder = sqlite3.connect(tmp_path / NAME, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    for _ in range(2):
        np.testing.assert_array_equal(engine.through(cache, TEXTS), engine.right(TEXTS))
    assert engine.computed == [TEXTS[0], *TEXTS[1:], *TEXTS[1:]], "readers go on beside a writer"
    assert len(caplog.records) == 1
    holder.execute("ROLLBACK")
    holder.close()
    for _ in range(2):
        engine.through(cache, TEXTS)
    assert engine.computed == [TEXTS[0], *TEXTS[1:] * 3]


def test_an_unusable_file_is_left_alone_for_a_while(tmp_path: Path) -> None:
    engine, cache = Engine(), cache_in(tmp_path / "folder", rest_seconds=3600.0)
    (tmp_path / "folder").write_text("a file where the folder should be")
    engine.through(cache, TEXTS)
    (tmp_path / "folder").unlink()
    engine.through(cache, TEXTS)
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize("place", ["file", "/proc/kure-cache"])
def test_a_folder_that_cannot_be_made(tmp_path: Path, place: str, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    engine, cache = Engine(), cache_in(tmp_path / place / "inside")
    for _ in range(3):
        np.testing.assert_array_equal(engine.through(cache, TEXTS), engine.right(TEXTS))
    assert (cache.stats().entries, cache.clear()) == (0, 0)
    assert len(caplog.records) == 1
    assert str(tmp_path / place) in caplog.text


FULL = """
import resource, signal, sys
import numpy as np
from pathlib import Path
from kure_rag.embed.cache import CacheSettings, EmbeddingCache

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
cache = EmbeddingCache(Path(sys.argv[1]), fingerprint={"model": "공용"}, settings=CacheSettings(rest_seconds=0))
numbers = np.arange(500 * 256, dtype=np.float32).reshape(500, 256)
keep = lambda positions: numbers[list(positions)]
cache.through(["앞 문장"], "passage", 256, keep)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
for _ in range(3):
    assert np.array_equal(cache.through([f"문장 {i}" for i in range(500)], "passage", 256, keep), numbers)
assert "unusable" in cache._told
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes there")
def test_a_full_disk_is_no_error(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=100)
    assert ran.returncode == 0, ran.stderr
    kept = EmbeddingCache(tmp_path, fingerprint={"model": "공용"})
    np.testing.assert_array_equal(kept.through(["앞 문장"], "passage", 256, None)[0], np.arange(256))


def test_what_a_stopped_run_has_computed_is_kept(tmp_path: Path) -> None:
    texts = [f"문장 {i}" for i in range(8192 + 100)]
    engine, calls = Engine(2), []

    def compute(positions: Sequence[int]) -> np.ndarray:
        calls.append(len(positions))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return engine.right([texts[i] for i in positions])

    cache = cache_in(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        cache.through(texts, "passage", 2, compute)
    np.testing.assert_array_equal(engine.through(cache, texts), engine.right(texts))
    assert len(engine.computed) == 100


def test_a_process_killed_while_writing_leaves_a_good_file(tmp_path: Path) -> None:
    program = textwrap.dedent(WRITER).replace(
        "assert np.array_equal", "print(start, flush=True); assert np.array_equal"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for _ in range(3):
        writer.stdout.readline()
    writer.kill()
    writer.communicate()
    cache = EmbeddingCache(tmp_path, fingerprint={"model": "공용"})
    numbers = cache.through([f"문장 {i}" for i in range(60)], "passage", 8, None)
    np.testing.assert_array_equal(numbers[:, 0], np.arange(60))


def test_an_error_of_the_model_goes_on_to_the_caller(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def compute(positions: Sequence[int]) -> np.ndarray:
        raise MemoryError("no room on the device")

    with pytest.raises(MemoryError):
        cache_in(tmp_path).through(TEXTS, "query", 4, compute)
    assert not caplog.records
