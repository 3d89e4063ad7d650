"""One model in several child processes."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from small_encoders import LETTERS, small_encoder

from kure_rag.embed import Embedder, EmbedSettings
from kure_rag.embed.backends.processes import ProcessBackend
from kure_rag.errors import EmbeddingError, TextTooLongError

CHOSEN = np.random.default_rng(5)
TEXTS = ["".join(CHOSEN.choice(LETTERS, size=n)) for n in CHOSEN.integers(1, 40, size=75)]
TWO = EmbedSettings(device="cpu,cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_encoder(tmp_path_factory.mktemp("모델") / "작은 모델", "xlm-roberta", pooling="mean")


@pytest.fixture(scope="module")
def two(folder):
    embedder = Embedder(str(folder), TWO)
    yield embedder
    embedder.load().close()


def pids(embedder):
    backend = embedder.load()
    assert isinstance(backend, ProcessBackend)
    return backend.pids


def test_vectors_are_those_of_one_process_and_progress_counts(folder, two):
    told = []
    vectors = two.embed_passages(TEXTS, progress=told.append)
    np.testing.assert_allclose(vectors, Embedder(str(folder)).embed_passages(TEXTS), atol=1e-5)
    assert told == sorted(told)
    assert told[-1] == len(TEXTS)
    assert len(set(pids(two))) == 2
    np.testing.assert_allclose(two.embed_queries(TEXTS[:1]), vectors[:1], atol=1e-5)


def test_long_texts_are_told_with_the_positions_of_the_caller(folder):
    embedder = Embedder(str(folder), EmbedSettings(device="cpu,cpu", max_tokens=20, too_long="raise"))
    many = ["휴가"] * 40
    many[33] = "휴가" * 20
    try:
        with pytest.raises(TextTooLongError) as caught:
            embedder.embed_passages(many)
        assert (caught.value.position, caught.value.tokens) == (33, 42)
        assert embedder.embed_passages(many[:10]).shape == (10, 32)  # and goes on
    finally:
        embedder.load().close()


def test_a_child_that_is_killed_is_an_error_and_the_next_call_has_another(folder):
    embedder = Embedder(str(folder), TWO)
    expected = embedder.embed_passages(TEXTS)
    try:
        for pid in pids(embedder):
            os.kill(pid, signal.SIGSTOP)  # so that it dies at work, not before
        backend = embedder.load()
        with ThreadPoolExecutor(2) as threads:
            waiting = [threads.submit(backend.encode, TEXTS[:3], role="passage") for _ in range(2)]
            time.sleep(0.2)
            for pid in pids(embedder):
                os.kill(pid, signal.SIGKILL)
            for future in waiting:
                with pytest.raises(EmbeddingError, match=r"process for cpu died \(exit status -9\)"):
                    future.result()
        np.testing.assert_allclose(embedder.embed_passages(TEXTS), expected, atol=1e-6)
    finally:
        embedder.load().close()


def test_a_model_that_cannot_be_loaded_is_the_error_of_the_child(tmp_path, folder):
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in folder.rglob("*"):
        if file.is_file():
            to = broken / file.relative_to(folder)
            to.parent.mkdir(exist_ok=True, parents=True)
            to.write_bytes(b"no weights" if file.suffix == ".safetensors" else file.read_bytes())
    with pytest.raises(EmbeddingError, match="could not be loaded"):
        Embedder(str(broken), TWO).embed_queries(TEXTS)


def test_a_device_that_is_not_there_is_an_error(folder):
    with pytest.raises(EmbeddingError, match="nonsense"):
        Embedder(str(folder), EmbedSettings(device="cpu,nonsense")).embed_queries(TEXTS)


def test_closing_ends_the_children(folder):
    embedder = Embedder(str(folder), TWO)
    children = pids(embedder)
    embedder.load().close()
    assert all(_is_gone(pid) for pid in children)
    with pytest.raises((EmbeddingError, RuntimeError)):
        embedder.embed_queries(TEXTS)


def _is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


SCRIPT = """
import sys
from kure_rag.embed import Embedder, EmbedSettings
print("began", flush=True)
embedder = Embedder(sys.argv[1], EmbedSettings(device="cpu,cpu"))
backend = embedder.load()
print(*backend.pids, flush=True)
if sys.argv[2] == "busy":
    while True:
        embedder.embed_passages(["휴가는 며칠인가요"] * 20_000)
"""


def _run(folder, what):
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), what], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline().strip() == "began"
    return process, [int(pid) for pid in process.stdout.readline().split()]


def _all_gone_soon(children):
    for _ in range(300):
        if all(map(_is_gone, children)):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "killed"])
def test_a_process_that_is_stopped_at_work_leaves_no_child(folder, how):
    process, children = _run(folder, "busy")
    assert len(children) == 2
    time.sleep(0.5)
    process.send_signal(how)
    assert process.wait(60) != 0
    assert _all_gone_soon(children)
    if how == signal.SIGINT:
        assert "KeyboardInterrupt" in process.stderr.read()
    for stream in (process.stdout, process.stderr):
        stream.close()


def test_a_process_that_ends_leaves_no_child_and_runs_its_script_once(folder):
    process, children = _run(folder, "done")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "began" not in out
    assert _all_gone_soon(children)
