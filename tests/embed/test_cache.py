import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from cache_engine import MODEL, TEXTS, WRITER, Engine, cache_in
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kure_rag.embed import Embedder, EmbedSettings
from kure_rag.embed.cache import CacheSettings, EmbeddingCache, engine_of
from kure_rag.embed.cache_file import NAME

# The role


class NaiveCache:
    """What frameworks have: one vector for a text, whoever asks."""

    def __init__(self) -> None:
        self.known: dict[str, np.ndarray] = {}

    def through(
        self, texts: Sequence[str], role: str, dimension: int, compute: Callable[[Sequence[int]], np.ndarray]
    ) -> np.ndarray:
        missing = [i for i, text in enumerate(texts) if text not in self.known]
        if missing:
            self.known.update({texts[i]: row for i, row in zip(missing, compute(missing), strict=True)})
        return np.stack([self.known[text] for text in texts])


def check_roles(make: Callable[[], EmbeddingCache]) -> None:
    """A query gets a query's vector though the same text was a passage before, and the other way round."""
    for first, second in (("passage", "query"), ("query", "passage")):
        cache, engine = make(), Engine()
        for role in (first, second, first, second):
            np.testing.assert_array_equal(engine.through(cache, TEXTS, role), engine.right(TEXTS, role))


def test_cache_role(tmp_path: Path) -> None:
    folders = iter(tmp_path / str(i) for i in range(9))
    check_roles(lambda: cache_in(next(folders)))
    with pytest.raises(AssertionError):
        check_roles(NaiveCache)


def test_cache_role_in_another_process_time(tmp_path: Path) -> None:
    engine = Engine()
    engine.through(cache_in(tmp_path), TEXTS, "passage")
    np.testing.assert_array_equal(engine.through(cache_in(tmp_path), TEXTS, "query"), engine.right(TEXTS, "query"))


def test_a_query_that_is_another_passage_with_its_prefix_is_not_that_passage(tmp_path: Path) -> None:
    engine, cache = Engine(), cache_in(tmp_path)
    engine.through(cache, ["passage: 휴가"], "passage")
    np.testing.assert_array_equal(
        engine.through(cache, ["passage: 휴가"], "query"), engine.right(["passage: 휴가"], "query")
    )


def test_prefixes_belong_to_the_key(tmp_path: Path) -> None:
    """`ab` + `c` and `a` + `bc` are the same string, and texts of two models."""
    engine = Engine()
    long = EmbeddingCache(tmp_path, fingerprint={**MODEL, "query_prefix": "질문: "})
    short = EmbeddingCache(tmp_path, fingerprint={**MODEL, "query_prefix": "질문"})
    engine.through(long, ["질문: 휴가"], "query")
    engine.through(short, ["질문: 휴가"], "query")
    assert engine.computed == ["질문: 휴가"] * 2


# What is a hit


@settings(max_examples=30, deadline=None)
@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=st.floats(width=32)),
)
def test_numbers_come_back_bit_by_bit(tmp_path_factory: pytest.TempPathFactory, vectors: np.ndarray) -> None:
    folder = tmp_path_factory.mktemp("cache")
    texts = [f"문장 {i}" for i in range(len(vectors))]
    for again in (lambda positions: vectors[list(positions)], None):
        out = cache_in(folder).through(texts, "query", vectors.shape[1], again)
        assert out.tobytes() == vectors.tobytes()
        assert out.dtype == np.float32
        assert out.flags.c_contiguous
        assert out.flags.writeable


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.sampled_from([f"문장 {i}" for i in range(7)]), min_size=1, max_size=9), max_size=4))
def test_any_calls_give_each_text_its_vector_and_compute_it_once(
    tmp_path_factory: pytest.TempPathFactory, calls: list[list[str]]
) -> None:
    cache, engine = cache_in(tmp_path_factory.mktemp("cache")), Engine()
    for texts in calls:
        np.testing.assert_array_equal(engine.through(cache, texts), engine.right(texts))
    assert sorted(engine.computed) == sorted({text for texts in calls for text in texts})


def test_another_fingerprint_is_another_model(tmp_path: Path) -> None:
    engine = Engine()
    for changed in ({}, {"revision": "2"}, {"normalize": False}, {"dimension": 4}):
        engine.through(EmbeddingCache(tmp_path, fingerprint={**MODEL, **changed}), TEXTS)
    assert engine.computed == TEXTS * 4
    engine.through(EmbeddingCache(tmp_path, fingerprint=dict(reversed(MODEL.items()))), TEXTS)
    assert engine.computed == TEXTS * 4, "the order of a fingerprint's entries means nothing"


def test_another_width_is_never_misread(tmp_path: Path) -> None:
    narrow, wide = Engine(2), Engine(4)
    for engine in (narrow, wide, wide, narrow):
        np.testing.assert_array_equal(engine.through(cache_in(tmp_path), TEXTS), engine.right(TEXTS))
    assert wide.computed == TEXTS


def test_a_model_of_another_width_than_announced_is_used_and_not_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine, cache = Engine(4), cache_in(tmp_path)

    def compute(positions: Sequence[int]) -> np.ndarray:
        return engine.right([texts[i] for i in positions])

    texts = [*TEXTS, TEXTS[0]]
    for _ in range(2):
        np.testing.assert_array_equal(cache.through(texts, "passage", 8, compute), engine.right(texts))
    assert cache.stats().entries == 0
    assert len(caplog.records) == 1


def test_settings_that_change_vectors_have_vectors_of_their_own() -> None:
    remote = {"backend": "remote", "endpoint": "http://a"}
    different = [
        EmbedSettings(),
        EmbedSettings(precision="fp32"),
        EmbedSettings(precision="bf16"),
        EmbedSettings(precision="int8"),
        EmbedSettings(precision="int8", backend="onnx"),
        EmbedSettings(precision="int8", backend="openvino"),
        EmbedSettings(too_long="raise"),
        EmbedSettings(**remote),
        EmbedSettings(**{**remote, "endpoint": "http://b"}),
    ]
    assert len({tuple(engine_of(s).items()) for s in different}) == len(different)
    assert engine_of(EmbedSettings(backend="onnx", batch_tokens=99, device="cpu")) == engine_of(EmbedSettings())


# Sharing


def test_threads_share_one_cache(tmp_path: Path) -> None:
    cache, failed = cache_in(tmp_path, busy_seconds=30.0), []

    def work(offset: int) -> None:
        engine = Engine()
        for round_ in range(8):
            texts = [f"문장 {(offset + round_ + i) % 40}" for i in range(20)]
            if not np.array_equal(engine.through(cache, texts), engine.right(texts)):
                failed.append(offset)

    threads = [threading.Thread(target=work, args=(5 * i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert cache.stats().entries == 40


def test_processes_write_one_file_at_once(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(first)], stderr=subprocess.PIPE, text=True)
        for first in (0, 7, 13)
    ]
    for writer in writers:
        _, told = writer.communicate(timeout=100)
        assert writer.returncode == 0, told
    cache = EmbeddingCache(tmp_path, fingerprint={"model": "공용"})
    numbers = cache.through([f"문장 {i}" for i in range(600)], "passage", 8, None)
    np.testing.assert_array_equal(numbers[:, 0], np.arange(600))
    assert cache.stats().entries == 600


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_opens_the_file_anew(tmp_path: Path) -> None:
    cache, engine = cache_in(tmp_path), Engine()
    engine.through(cache, TEXTS)
    child = os.fork()
    if child == 0:
        good = np.array_equal(engine.through(cache, [*TEXTS, "아이의 문장"]), engine.right([*TEXTS, "아이의 문장"]))
        os._exit(0 if good and engine.computed == [*TEXTS, "아이의 문장"] else 1)
    assert os.waitpid(child, 0)[1] == 0
    engine.through(cache, ["아이의 문장"])
    assert engine.computed == TEXTS


# Bounds


def test_the_file_stays_under_its_bound_and_keeps_what_is_used(tmp_path: Path) -> None:
    cache, engine = cache_in(tmp_path, max_bytes=2 << 20), Engine(1024)
    favourites = ["늘 묻는 질문", "자주 찾는 조항"]
    engine.through(cache, favourites)
    for i in range(0, 1500, 50):
        engine.through(cache, [f"한 번만 나온 문장 {j}" for j in range(i, i + 50)])
        engine.through(cache, favourites)
    assert [text for text in engine.computed if text in favourites] == favourites
    stats = cache.stats()
    assert stats.bytes <= stats.max_bytes
    assert 200 < stats.entries < 600
    cache.close()
    assert (tmp_path / NAME).stat().st_size <= 2 << 20
    engine.computed.clear()
    engine.through(cache, ["한 번만 나온 문장 1499", "한 번만 나온 문장 0"])
    assert engine.computed == ["한 번만 나온 문장 0"]


def test_a_lower_bound_shrinks_an_old_file(tmp_path: Path) -> None:
    engine = Engine(1024)
    large = cache_in(tmp_path, max_bytes=64 << 20)
    engine.through(large, [f"문장 {i}" for i in range(1500)])
    large.close()
    before = (tmp_path / NAME).stat().st_size
    small = cache_in(tmp_path, max_bytes=1 << 20)
    engine.through(small, ["새 문장"])
    small.close()
    assert (tmp_path / NAME).stat().st_size <= 1 << 20 < before


def test_hits_alone_write_nothing(tmp_path: Path) -> None:
    cache, engine = cache_in(tmp_path), Engine()
    engine.through(cache, TEXTS)
    engine.through(cache, TEXTS)
    other = sqlite3.connect(tmp_path / NAME)
    (before,) = other.execute("PRAGMA data_version").fetchone()
    for _ in range(5):
        engine.through(cache, TEXTS)
    assert other.execute("PRAGMA data_version").fetchone() == (before,)
    other.close()


def test_clearing_and_counting(tmp_path: Path) -> None:
    engine = Engine()
    one, two = cache_in(tmp_path), EmbeddingCache(tmp_path, fingerprint={"model": "다른"})
    engine.through(one, [*TEXTS, TEXTS[0]])
    engine.through(one, TEXTS)
    engine.through(two, TEXTS[:2])
    stats = one.stats()
    assert (stats.entries, stats.all_entries, stats.hits, stats.misses) == (3, 5, 4, 3)
    assert one.clear() == 3
    assert (one.stats().entries, one.stats().all_entries) == (0, 2)
    assert one.clear(all_models=True) == 2
    engine.computed.clear()
    engine.through(two, TEXTS[:2])
    assert engine.computed == TEXTS[:2]


@pytest.mark.parametrize("wrong", [{"max_bytes": 1000}, {"busy_seconds": -1.0}, {"rest_seconds": -1.0}])
def test_settings_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CacheSettings(**wrong)


# The embedder


def test_an_embedder_computes_once_and_tells_its_progress(tmp_path: Path) -> None:
    settings_ = EmbedSettings(cache=tmp_path)
    plain, told = Embedder("static-ko"), []
    first = Embedder("static-ko", settings_)
    vectors = first.embed_passages(TEXTS, progress=told.append)
    np.testing.assert_array_equal(vectors, plain.embed_passages(TEXTS))
    assert told == sorted(told)
    assert told[-1] == len(TEXTS)
    second = Embedder("static-ko", settings_)
    second.load = None  # type: ignore[method-assign]
    np.testing.assert_array_equal(second.embed_passages(TEXTS[::-1]), vectors[::-1])
    assert second.cache is not None
    assert (second.cache.stats().hits, second.cache.stats().misses) == (3, 0)


def test_an_embedder_keeps_roles_and_settings_apart(tmp_path: Path) -> None:
    prefixes = {"query_prefix": "질문: ", "passage_prefix": "문서: "}
    for given_ in ({}, prefixes, {"dimension": 64}, {"normalize": False}):
        cached = Embedder("static-ko", EmbedSettings(cache=tmp_path, **given_))
        plain = Embedder("static-ko", EmbedSettings(**given_))
        for _ in range(2):
            np.testing.assert_array_equal(cached.embed_passages(TEXTS), plain.embed_passages(TEXTS))
            np.testing.assert_array_equal(cached.embed_queries(TEXTS), plain.embed_queries(TEXTS))
