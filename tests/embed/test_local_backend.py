"""Texts in, vectors out in their order, whatever the batches, windows and threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_encoders import LETTERS, loaded, small_encoder

from kure_rag.embed.backends.local import LocalBackend, _edges
from kure_rag.embed.backends.torch_runner import TorchRunner
from kure_rag.embed.tokens import TextTokenizer

CHOSEN = np.random.default_rng(3)
TEXTS = ["".join(CHOSEN.choice(LETTERS, size=n)) for n in CHOSEN.integers(1, 40, size=90)]


@pytest.fixture(scope="module")
def backend_of(tmp_path_factory):
    folder = small_encoder(tmp_path_factory.mktemp("model"), "xlm-roberta")

    def make(batch_tokens=None, max_tokens=60):
        model = loaded(folder)
        tokenizer = TextTokenizer(model.tokenizer, max_tokens)
        return LocalBackend(tokenizer, TorchRunner(model, tokenizer.pad_id), batch_tokens=batch_tokens)

    make.folder = folder
    return make


@pytest.fixture(scope="module")
def expected(backend_of):
    backend = backend_of()
    return np.concatenate([backend.encode([text], role="passage") for text in TEXTS])


@pytest.mark.parametrize("batch_tokens", [1, 64, 500, 100_000])
def test_any_budget_gives_the_same_vectors_in_order(backend_of, expected, batch_tokens):
    np.testing.assert_allclose(backend_of(batch_tokens).encode(TEXTS, role="passage"), expected, atol=1e-5)


def test_many_windows_give_the_same_vectors_in_order(backend_of, expected):
    many = TEXTS * 80  # several windows
    vectors = backend_of(20_000).encode(many, role="passage")
    np.testing.assert_allclose(vectors, np.tile(expected, (80, 1)), atol=1e-5)


class Counting(TorchRunner):
    """Counts passes that were begun and not yet waited for, as each one begins."""

    open = 0
    counts = ()

    def start(self, batch):
        wait = super().start(batch)
        self.counts += (self.open,)
        self.open += 1

        def counted():
            self.open -= 1
            return wait()

        return counted


def test_a_device_has_work_from_the_first_pass_to_the_last_across_windows(backend_of):
    model = loaded(backend_of.folder)
    tokenizer = TextTokenizer(model.tokenizer, 60)
    runner = Counting(model, tokenizer.pad_id)
    LocalBackend(tokenizer, runner, batch_tokens=1000).encode(TEXTS * 20, role="passage")
    assert len(_edges(len(TEXTS) * 20)) > 2
    assert runner.counts[:2] == (0, 1)
    assert set(runner.counts[2:]) == {2}
    assert runner.open == 0


def test_progress_counts_up_to_all_texts(backend_of):
    told = []
    backend_of(200).encode(TEXTS, role="passage", progress=told.append)
    assert told == sorted(set(told))
    assert told[-1] == len(TEXTS)
    assert len(told) > 5


def test_threads_share_one_backend(backend_of, expected):
    backend = backend_of(300)
    parts = [(i % 7, 40 + i % 50) for i in range(24)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda part: backend.encode(TEXTS[part[0] : part[1]], role="query"), parts))
    for (a, b), vectors in zip(parts, found, strict=True):
        np.testing.assert_allclose(vectors, expected[a:b], atol=1e-5)


def test_positions_of_long_texts_are_those_of_the_caller_in_every_window(backend_of):
    many = ["휴가"] * 5000
    for position in (3, 700, 4999):
        many[position] = "휴가" * 20
    told = []
    backend_of(20_000, max_tokens=12).encode(many, role="passage", too_long=told.extend)
    assert told == [(3, 42), (700, 42), (4999, 42)]


def test_a_caller_that_refuses_long_texts_is_heard_before_anything_is_computed(backend_of):
    def refuse(found):
        raise RuntimeError("too long")

    told = []
    with pytest.raises(RuntimeError, match="too long"):
        backend_of(max_tokens=5).encode(TEXTS, role="passage", too_long=refuse, progress=told.append)
    assert told == []


@given(st.integers(0, 60_000))
def test_windows_cover_all_texts_and_none_is_empty_or_huge(texts):
    edges = _edges(texts)
    assert edges[0] == 0
    assert edges[-1] == texts
    sizes = np.diff(edges)
    assert texts == 0 or sizes.min() > 0
    assert sizes.max() <= 4096 * 3 // 2
