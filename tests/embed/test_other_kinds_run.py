"""How the kinds that are not dense are run: precision, devices, batches, limits, threads and event loops."""

import asyncio
import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_other_models as small
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.modules.module import register_module_forward_pre_hook

from kure_rag.embed import EmbedSettings, KureReranker, LateInteractionEmbedder, SparseEmbedder
from kure_rag.embed.library_engine import LibraryEngine
from kure_rag.embed.library_kinds import LIBRARIES
from kure_rag.embed.library_precision import LEAST_COSINE, halve, least_cosine, measured
from kure_rag.embed.library_processes import LibraryProcesses, packed, unpacked
from kure_rag.errors import EmbeddingError, InvalidTextError, TextTooLongError

LETTERS = "연차휴가는며칠인가요보험금을청구한다급여에주나질문 임대차보증돌려받아야하"
CHOSEN = np.random.default_rng(7)
TEXTS = ["".join(CHOSEN.choice([*LETTERS.replace(" ", "")], size=n)) for n in CHOSEN.integers(1, 24, size=40)]
KINDS: dict[str, Any] = {
    "sparse": SparseEmbedder,
    "late-interaction": LateInteractionEmbedder,
    "reranker": KureReranker,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    at = tmp_path_factory.mktemp("모델")
    return {
        "sparse": small.sparse(at / "sparse", LETTERS),
        "late-interaction": small.late(at / "late", LETTERS),
        "reranker": small.reranker(at / "reranker", LETTERS),
        "xlm-roberta": small.xlm_roberta_reranker(at / "xlm-roberta", LETTERS),
        "modernbert": small.modernbert_reranker(at / "modernbert", LETTERS),
    }


def made(folders: dict[str, Path], kind: str, **settings: Any) -> Any:
    return KINDS[kind](str(folders[kind]), EmbedSettings(**{"device": "cpu", **settings}))


def computed(model: Any, texts: list[str] = TEXTS) -> list[np.ndarray]:
    """One array for each text: its vector, its token vectors, or its score with the first text."""
    if isinstance(model, KureReranker):
        return list(model.scores([(TEXTS[0], text) for text in texts]))
    found = model.embed_passages(texts)
    return list(found.dense() if isinstance(model, SparseEmbedder) else found)


def assert_equal(some: list[np.ndarray], others: list[np.ndarray], atol: float = 2e-5) -> None:
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        np.testing.assert_allclose(one, other, atol=atol)


# Batches


@pytest.mark.parametrize("kind", KINDS)
def test_any_token_budget_gives_the_same_results(folders: dict[str, Path], kind: str) -> None:
    one_by_one = [computed(made(folders, kind), [text])[0] for text in TEXTS[:12]]
    for budget in (1, 30, 100_000):
        assert_equal(computed(made(folders, kind, batch_tokens=budget), TEXTS[:12]), one_by_one)


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_sorted_by_tokens_and_stay_under_the_budget(folders: dict[str, Path], kind: str) -> None:
    passes: list[tuple[int, int]] = []
    model = made(folders, kind, batch_tokens=120)
    model.load()

    def seen(module: Any, given: Any, named: Any) -> None:
        passes.append(tuple(named["input_ids"].shape))

    inner = next(m for m in model.load()._model.modules() if type(m).__name__ == "BertEmbeddings")
    handle = inner.register_forward_pre_hook(seen, with_kwargs=True)
    computed(model)
    handle.remove()
    assert sum(rows for rows, _ in passes) == len(TEXTS)
    assert [width for _, width in passes] == sorted((width for _, width in passes), reverse=True)
    assert all(rows * width <= 120 for rows, width in passes)
    assert len(passes) < len(TEXTS)


# Precision


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_is_near_fp32_and_gives_float32(folders: dict[str, Path], kind: str, precision: str) -> None:
    whole, half = made(folders, kind, precision="fp32"), made(folders, kind, precision=precision)
    one, other = computed(whole), computed(half)
    assert half.engine["precision"] == {"bf16": "bfloat16", "fp16": "float16"}[precision]
    assert all(array.dtype == np.float32 for array in other)
    if kind == "reranker":
        np.testing.assert_allclose(other, one, atol=0.1)
        assert len(set(map(float, other))) == len(set(map(float, one)))  # no ties that were none
    else:
        assert least_cosine(one, other) > 0.99
    assert any(not np.array_equal(a, b) for a, b in zip(one, other, strict=True))  # and it is another computation


@pytest.mark.parametrize("name", ["xlm-roberta", "modernbert"])
def test_half_precision_works_with_the_architectures_of_real_rerankers(folders: dict[str, Path], name: str) -> None:
    pairs = [("휴가는", text[:10]) for text in TEXTS[:6]]
    whole, half = (
        KureReranker(str(folders[name]), EmbedSettings(device="cpu", precision=precision))
        for precision in ("fp32", "bf16")
    )
    np.testing.assert_allclose(half.scores(pairs), whole.scores(pairs), atol=0.05)
    assert next(half.load()._model[0].model.classifier.parameters()).dtype == torch.float32


def test_auto_is_fp32_on_a_processor(folders: dict[str, Path]) -> None:
    for kind in KINDS:
        model = made(folders, kind)
        assert (model.load().facts.precision, model.load().facts.cosine) == ("float32", None)
    with pytest.raises(ValueError, match="precision='int8': a sparse model runs in fp32, bf16 or fp16"):
        made(folders, "sparse", precision="int8")


def test_half_precision_that_is_not_exact_enough_is_given_up(folders: dict[str, Path]) -> None:
    library = LIBRARIES["late-interaction"]

    def load() -> Any:
        return library.made(str(folders["late-interaction"]), device="cpu").eval()

    def wild() -> Any:
        model = load()
        for layer in model[0].model.encoder.layer:
            layer.output.dense.weight.data.mul_(1e6)  # over what fp16 can hold
        return model

    kept, precision, cosine = measured(wild(), load, library.probe, torch.float16, keep_head=False)
    assert precision == "float32"
    assert not cosine >= LEAST_COSINE
    assert next(kept[0].model.parameters()).dtype == torch.float32
    gentle = load()
    for weight in gentle[0].model.parameters():
        weight.data.mul_(0.05)
    kept, precision, cosine = measured(gentle, load, library.probe, torch.float16, keep_head=False)
    assert (precision, kept is gentle) == ("float16", True)
    assert cosine >= LEAST_COSINE


def test_a_head_that_shares_weights_with_the_encoder_is_halved_with_it(folders: dict[str, Path]) -> None:
    model = LIBRARIES["sparse"].made(str(folders["sparse"]), device="cpu").eval()
    halve(model, torch.bfloat16, keep_head=True)
    assert {weight.dtype for weight in model[0].model.parameters()} == {torch.bfloat16}


# Limits


def test_queries_and_passages_of_late_interaction_have_limits_of_their_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = small.late(
        tmp_path / "late",
        LETTERS,
        document_length=20,
        query_expansion={"strategy": "fixed", "attend": False, "length": 12},
    )
    model = LateInteractionEmbedder(str(folder), EmbedSettings(device="cpu", batch_tokens=40))
    assert (model.load().facts.query_tokens, model.load().facts.passage_tokens) == (12, 20)
    long = "연차휴가" * 8
    assert [len(vectors) for vectors in model.embed_queries(["휴가", "급여", long])] == [12, 12, 12]
    assert [len(vectors) for vectors in model.embed_passages(["휴가", long])] == [4, 20]
    model.embed_passages([long])
    assert "1 of 3 texts are over its limit of 12 tokens (the first has 34)" in caplog.text
    assert "1 of 2 texts are over its limit of 20 tokens" in caplog.text
    assert caplog.text.count("over its limit") == 2
    shorter = LateInteractionEmbedder(str(folder), EmbedSettings(device="cpu", max_tokens=10, too_long="raise"))
    with pytest.raises(TextTooLongError, match="text 1 has 34 tokens and late uses 10"):
        shorter.embed_passages(["휴가", long])
    assert [len(vectors) for vectors in shorter.embed_passages(["연차휴가는"])] == [7]


def test_a_query_limit_is_kept_without_expansion(tmp_path: Path) -> None:
    folder = small.late(tmp_path / "late", LETTERS, query_length=10)
    model = LateInteractionEmbedder(str(folder), EmbedSettings(device="cpu", too_long="raise"))
    with pytest.raises(TextTooLongError, match="uses 10"):
        model.embed_queries(["연차휴가" * 5])
    assert len(model.embed_passages(["연차휴가" * 5])[0]) == 22


@pytest.mark.parametrize(("kind", "least"), [("sparse", 3), ("late-interaction", 3), ("reranker", 4)])
def test_a_limit_that_leaves_no_room_is_an_error(folders: dict[str, Path], kind: str, least: int) -> None:
    with pytest.raises(EmbeddingError, match=f"leaves no room for a text.*choose {least} or more"):
        computed(made(folders, kind, max_tokens=least - 1))
    assert len(computed(made(folders, kind, max_tokens=least), TEXTS[:2])) == 2


def test_a_pair_of_just_the_limit_is_not_over_it(folders: dict[str, Path]) -> None:
    model = made(folders, "reranker", max_tokens=13, too_long="raise")  # three marks, and ten letters
    assert model.scores([("휴가", "연차휴가는며칠인")]).shape == (1,)
    with pytest.raises(TextTooLongError, match="pair 0 has 14 tokens and"):
        model.scores([("휴가", "연차휴가는며칠인가")])


def test_positions_that_begin_behind_the_padding_are_not_counted_as_room(folders: dict[str, Path]) -> None:
    model = KureReranker(str(folders["xlm-roberta"]), EmbedSettings(device="cpu"))
    assert model.load().facts.query_tokens == 32
    assert np.isfinite(model.scores([("휴가", "연차휴가는" * 10)])).all()


def test_prefixes_mean_nothing_to_a_reranker(folders: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match="query_prefix='query: ' means nothing to a reranker model"):
        made(folders, "reranker", query_prefix="query: ")


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_put_in_nfc_and_bad_ones_are_named(folders: dict[str, Path], kind: str) -> None:
    import unicodedata

    model = made(folders, kind)
    assert_equal(
        computed(model, [unicodedata.normalize("NFD", text) for text in TEXTS[:4]]), computed(model, TEXTS[:4])
    )
    for bad, what in (("", "is empty"), (" \n", "is empty"), ("휴\ud83d", "half a character"), (3, "is int, not str")):
        with pytest.raises(InvalidTextError, match=f"text 2 {what}" if what != "half a character" else what) as caught:
            computed(model, ["휴가", "급여", bad])
        assert caught.value.position == 2


def test_the_other_role_s_prefix_is_told(folders: dict[str, Path], caplog: pytest.LogCaptureFixture) -> None:
    model = made(folders, "sparse")
    model.embed_passages(["[Q] 휴가", "급여"])
    assert "1 of 2 texts begin with '[Q] ', the prefix of the other role" in caplog.text


# Threads and event loops

LIMIT = 20.0  # seconds until a blocked loop is a failed test


@pytest.mark.parametrize("call", ["aembed_queries", "aembed_passages", "arank", "ascores"])
@pytest.mark.parametrize("kind", KINDS)
async def test_the_event_loop_goes_on(folders: dict[str, Path], kind: str, call: str) -> None:
    if (call in ("arank", "ascores")) != (kind == "reranker"):
        assert not hasattr(KINDS[kind], call)
        return
    given: dict[str, Callable[[], tuple[Any, ...]]] = {
        "arank": lambda: (TEXTS[0], TEXTS[:5]),
        "ascores": lambda: ([(TEXTS[0], text) for text in TEXTS[:5]],),
    }
    arguments = given.get(call, lambda: (TEXTS[:5],))()
    model = made(folders, kind)
    expected = getattr(model, call.removeprefix("a"))(*arguments)
    begun, free = threading.Event(), threading.Event()
    in_time: list[bool] = []

    def hook(module: Any, given: Any) -> None:
        begun.set()
        in_time.append(free.wait(LIMIT))

    handle = register_module_forward_pre_hook(hook)
    try:
        task = asyncio.ensure_future(getattr(model, call)(*arguments))
        for _ in range(int(LIMIT / 0.01)):
            await asyncio.sleep(0.01)
            if begun.is_set():
                break
        assert not task.done()
        free.set()  # which a blocked loop could not do
        found = await task
    finally:
        handle.remove()
    assert all(in_time)
    if isinstance(found, list):
        for one, other in zip(found, expected, strict=True):
            if call == "arank":
                assert one.position == other.position
                assert one.score == pytest.approx(other.score, abs=1e-6)
            else:
                assert np.allclose(one, other)
    else:
        dense = (found.dense(), expected.dense()) if kind == "sparse" else (found, expected)
        np.testing.assert_allclose(*dense, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
async def test_many_calls_at_once_are_each_right(folders: dict[str, Path], kind: str) -> None:
    model = made(folders, kind, batch_tokens=60)
    expected = [computed(model, TEXTS[i : i + 5]) for i in range(0, 40, 5)]
    found = await asyncio.gather(*(asyncio.to_thread(computed, model, TEXTS[i : i + 5]) for i in range(0, 40, 5)))
    for one, other in zip(found, expected, strict=True):
        assert_equal(one, other)


# Devices


@pytest.fixture(params=KINDS)
def pair_of_processes(request: pytest.FixtureRequest, folders: dict[str, Path]) -> Iterator[tuple[str, Any]]:
    model = made(folders, request.param, device="cpu,cpu", max_tokens=30)
    yield request.param, model
    model.load().close()


def test_two_processes_compute_what_one_does(
    folders: dict[str, Path], pair_of_processes: tuple[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    kind, two = pair_of_processes
    one = made(folders, kind, max_tokens=30)
    assert isinstance(two.load(), LibraryProcesses)
    assert isinstance(one.load(), LibraryEngine)
    assert two.load().facts == one.load().facts
    many = [*TEXTS, "휴가" * 20]
    assert_equal(computed(two, many), computed(one, many), atol=1e-4)
    told = [record.getMessage() for record in caplog.records if "over its limit" in record.getMessage()]
    assert len(told) == 2
    assert told[0] == told[1]
    assert two.engine["device"] == "cpu,cpu"
    if kind == "sparse":
        vectors = two.embed_passages(TEXTS[:1])
        assert two.words(vectors, 0).keys() == one.words(one.embed_passages(TEXTS[:1]), 0).keys()


def test_a_long_text_is_raised_with_the_caller_s_position(folders: dict[str, Path]) -> None:
    model = made(folders, "late-interaction", device="cpu,cpu", max_tokens=20, too_long="raise")
    many = ["휴가"] * 40
    many[33] = "휴가" * 20
    try:
        with pytest.raises(TextTooLongError, match="text 33 has 42 tokens") as caught:
            model.embed_passages(many)
        assert caught.value.position == 33
        child = model.load()._pool._children[0]
        os.kill(child.pid, signal.SIGKILL)
        child._process.wait()
        assert len(model.embed_passages(many[:10])) == 10  # another one is started
    finally:
        model.load().close()
    with pytest.raises((EmbeddingError, RuntimeError)):
        model.embed_passages(many[:1])


def test_a_model_that_cannot_be_loaded_is_the_error_of_the_child(folders: dict[str, Path]) -> None:
    with pytest.raises(EmbeddingError, match="leaves no room for a text"):
        made(folders, "sparse", device="cpu,cpu", max_tokens=2).load()
    with pytest.raises(EmbeddingError, match="cuda:7"):
        made(folders, "sparse", device="cpu,cuda:7").load()


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(["<f4", "<i4", "<i8"]), st.lists(st.integers(0, 3), max_size=3)), max_size=3)
    )
)
def test_rows_go_between_processes_unchanged(shapes: list[list[tuple[str, list[int]]]]) -> None:
    counter = itertools.count()
    rows = [tuple(np.full(shape, next(counter), dtype=kind) for kind, shape in row) for row in shapes]
    back = unpacked(*packed(rows))
    assert [len(row) for row in back] == [len(row) for row in rows]
    for one, other in zip(itertools.chain.from_iterable(back), itertools.chain.from_iterable(rows), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
