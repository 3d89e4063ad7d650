"""Precision, memory and what the torch engine says of itself."""

import logging

import numpy as np
import pytest
import torch
from small_encoders import loaded, small_encoder

from kure_rag.embed import Embedder, EmbedSettings
from kure_rag.embed.backends.padding import padded
from kure_rag.embed.backends.precision import SMALL, choose, layer_parameters
from kure_rag.embed.backends.torch_runner import TorchRunner
from kure_rag.embed.machine import bf16_instructions
from kure_rag.errors import EmbeddingError

CPU = torch.device("cpu")
BATCH = [[0, *range(4, 4 + n), 2] for n in (3, 8, 8, 21, 1)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_encoder(tmp_path_factory.mktemp("model"), "xlm-roberta")


@pytest.mark.parametrize(("asked", "computed"), [("fp32", "float32"), ("bf16", "bfloat16"), ("fp16", "float16")])
def test_a_precision_asked_for_is_the_one_computed_in(folder, asked, computed):
    exact = TorchRunner(loaded(folder), 1, precision="fp32").start(BATCH)()
    runner = TorchRunner(loaded(folder), 1, precision=asked)
    assert runner.precision == computed
    vectors = runner.start(BATCH)()
    assert vectors.dtype == np.float32
    assert (vectors * exact).sum(axis=1).min() >= 0.9995
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)  # normalised in fp32
    assert (asked == "fp32") == np.array_equal(vectors, exact)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize(
    ("kind", "hidden", "spread", "layers"),
    [
        *((kind, *size, 3) for kind in ("bert", "xlm-roberta") for size in ((32, 0.4), (256, 0.14))),
        ("bert", 256, 0.1, 24),
        ("xlm-roberta", 256, 0.08, 24),
    ],
)
def test_bf16_keeps_a_cosine_of_9995_to_fp32(tmp_path, kind, hidden, spread, layers, pooling):
    # The spread of random weights by their width and their number: with more, each layer makes rounding errors larger
    # than trained layers do: bf16 has eight bits.
    changes = {"initializer_range": spread, "num_hidden_layers": layers}
    folder = small_encoder(tmp_path / "model", kind, pooling=pooling, hidden=hidden, **changes)
    exact = TorchRunner(loaded(folder), 1, precision="fp32").start(BATCH)()
    assert (exact @ exact.T).min() < 0.9, "texts differ, so a cosine says something"
    runner = TorchRunner(loaded(folder), 1, precision="bf16")
    assert runner.is_packed
    assert (runner.start(BATCH)() * exact).sum(axis=1).min() >= 0.9995


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
def test_where_rounding_errors_grow_bf16_loses_no_more_than_the_plain_path_does(tmp_path, kind):
    # 24 narrow layers with a wide spread let any rounding grow: the plain path falls below .9995 for a quarter of all
    # texts, and one text by itself says nothing about a way of computing. See benchmarks/bf16_rounding.py.
    lengths = np.random.default_rng(0).integers(1, 50, 64)
    batch = [[0, *(4 + (at * 7 + np.arange(n)) % 40), 2] for at, n in enumerate(lengths)]
    folder = small_encoder(tmp_path / "model", kind, pooling="mean", num_hidden_layers=24)
    exact = TorchRunner(loaded(folder), 1, precision="fp32").start(batch)()
    packed = (TorchRunner(loaded(folder), 1, precision="bf16").start(batch)() * exact).sum(axis=1)
    model = loaded(folder).bfloat16()
    with torch.inference_mode():
        ids, mask = (torch.from_numpy(rows) for rows in padded(batch, 1))
        vectors = model({"input_ids": ids, "attention_mask": mask})["sentence_embedding"].float().numpy()
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    plain = (vectors * exact).sum(axis=1)
    assert np.median(packed) >= 0.9995
    assert np.median(1 - packed) < 1.05 * np.median(1 - plain)  # which processors round alike, if not bit by bit


def test_int8_is_refused_with_the_engines_that_have_it(folder):
    with pytest.raises(ValueError, match="backend='openvino' or backend='onnx'"):
        Embedder(str(folder), EmbedSettings(precision="int8")).embed_queries(["휴가"])


def test_auto_on_a_processor_is_bf16_only_for_large_models_and_with_instructions_for_it():
    large = torch.bfloat16 if bf16_instructions() else torch.float32
    assert choose("auto", CPU, parameters=SMALL, is_packable=True) == large
    assert choose("auto", CPU, parameters=SMALL - 1, is_packable=True) == torch.float32


def test_layer_parameters_leave_embedding_tables_out(folder):
    model = loaded(folder)[0].model
    tables = sum(w.numel() for m in model.modules() if isinstance(m, torch.nn.Embedding) for w in m.parameters())
    assert layer_parameters(model) == sum(w.numel() for w in model.parameters()) - tables


class SmallMemory(TorchRunner):
    """A device that has room for some tokens at once, and says so as CUDA does."""

    room = 30

    def _forward(self, batch):
        if sum(map(len, batch)) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super()._forward(batch)


def test_memory_that_runs_out_halves_the_pass_and_is_said(folder, caplog):
    exact = TorchRunner(loaded(folder), 1, precision="fp32").start(BATCH)()
    runner = SmallMemory(loaded(folder), 1, precision="fp32")
    before = runner.batch_tokens
    with caplog.at_level(logging.WARNING, logger="kure_rag"):
        vectors = runner.start(BATCH)()
    np.testing.assert_allclose(vectors, exact, atol=1e-5)
    assert runner.batch_tokens < before
    assert "no memory for a pass of" in caplog.text


def test_passes_that_were_laid_out_before_do_not_lower_the_budget_again_and_again(folder):
    runner = SmallMemory(loaded(folder), 1, precision="fp32")
    runner.room = 700
    batch = [[0, *range(4, 12), 2]] * 120  # 1,200 tokens
    for _ in range(5):
        runner.start(batch)()
    assert runner.batch_tokens == 600


def test_one_text_that_does_not_fit_is_an_error_with_a_way_on(folder):
    runner = SmallMemory(loaded(folder), 1)
    runner.room = 10
    with pytest.raises(EmbeddingError, match="one text of 23 tokens; set max_tokens lower"):
        runner.start(BATCH)


def test_the_weights_are_held_once(folder):
    model = loaded(folder)
    TorchRunner(model, 1)
    assert len(model[0].model.encoder.layer) == 0
