"""Encoders without padding give what transformers gives with it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_encoders import CONFIGS, loaded, small_encoder

from kure_rag.embed.backends.torch_runner import TorchRunner
from kure_rag.embed.backends.varlen import (
    PackedEncoder,
    attention_by_length,
    first_by_length,
    has_flash,
    is_packable,
    pack,
)
from kure_rag.errors import EmbeddingError

PAD = 1


def rows_of(lengths, seed=0):
    chosen = np.random.default_rng(seed)
    return [[0, *chosen.integers(4, 40, size=n).tolist(), 2] for n in lengths]


def by_transformers(model, batch):
    """The library's own modules over padded rows."""
    longest = max(map(len, batch))
    ids = torch.tensor([row + [PAD] * (longest - len(row)) for row in batch])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in batch])
    with torch.inference_mode():
        return model({"input_ids": ids, "attention_mask": mask})["sentence_embedding"].numpy()


@pytest.fixture(scope="module", params=sorted(CONFIGS))
def folder(request, tmp_path_factory):
    return small_encoder(tmp_path_factory.mktemp(request.param), request.param)


def test_packed_vectors_are_the_padded_ones(folder):
    batch = rows_of([5, 5, 1, 30, 12, 0, 30])
    runner = TorchRunner(loaded(folder), PAD, precision="fp32")
    assert runner.is_packed
    np.testing.assert_allclose(runner.start(batch)(), by_transformers(loaded(folder), batch), atol=1e-5)


@pytest.mark.parametrize("pooling", ["cls", "mean", "max", "lasttoken", "weightedmean", "mean_sqrt_len_tokens"])
def test_every_pooling_of_packed_tokens(tmp_path, pooling):
    folder = small_encoder(tmp_path / "model", "xlm-roberta", pooling=pooling)
    batch = rows_of([9, 3, 17])
    np.testing.assert_allclose(
        TorchRunner(loaded(folder), PAD, precision="fp32").start(batch)(),
        by_transformers(loaded(folder), batch),
        atol=1e-5,
    )


def test_a_text_does_not_see_its_neighbours(folder):
    runner = TorchRunner(loaded(folder), PAD, precision="fp32")
    batch = rows_of([8, 20, 3])
    together = runner.start(batch)()
    for row, vector in zip(batch, together, strict=True):
        np.testing.assert_allclose(runner.start([row])()[0], vector, atol=1e-5)


def test_a_text_that_spells_out_the_padding_token_has_the_positions_of_transformers(folder):
    batch = [[0, 9, PAD, 11, 12, 2], [0, 5, 6, 2], [0, PAD, PAD, 7, 2]]
    np.testing.assert_allclose(
        TorchRunner(loaded(folder), PAD, precision="fp32").start(batch)(),
        by_transformers(loaded(folder), batch),
        atol=1e-5,
    )


def test_weights_arranged_beforehand_change_nothing(folder):
    batch = rows_of([4, 19])
    out = []
    for prepack in (False, True):
        encoder = PackedEncoder(loaded(folder)[0].model, torch.float32, prepack=prepack)
        ids, positions, layout = encoder.packed(batch)
        with torch.inference_mode():
            starts = torch.from_numpy(layout.starts).int()
            out.append(encoder(torch.from_numpy(ids), torch.from_numpy(positions), layout, starts).numpy())
    np.testing.assert_allclose(out[0], out[1], atol=1e-5)


def test_a_text_longer_than_the_position_table_is_an_error(folder):
    runner = TorchRunner(loaded(folder), PAD)
    with pytest.raises(EmbeddingError, match=r"set max_tokens=6[02]"):
        runner.start(rows_of([80]))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(0, 3))
def test_packing_keeps_every_token_and_counts_from_the_first_position(lengths, first):
    batch = [list(range(100 * i, 100 * i + length)) for i, length in enumerate(lengths)]
    ids, positions, layout = pack(batch, first=first, pad_id=None)
    assert [ids[a:b].tolist() for a, b in zip(layout.starts, layout.starts[1:], strict=False)] == batch
    assert positions.tolist() == [first + i for length in lengths for i in range(length)]
    assert layout.lengths == tuple(lengths)


@settings(deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=8), st.integers(0, 1000))
def test_attention_by_length_is_attention_within_each_text(lengths, seed):
    torch.manual_seed(seed)
    query, key, value = torch.randn(3, sum(lengths), 2, 4).unbind(0)
    expected, at = [], 0
    for length in lengths:
        q, k, v = (part[at : at + length].transpose(0, 1) for part in (query, key, value))
        weights = torch.softmax(q @ k.transpose(1, 2) / 2, dim=-1)
        expected.append((weights @ v).transpose(0, 1))
        at += length
    torch.testing.assert_close(attention_by_length(query, key, value, lengths), torch.cat(expected))


@settings(deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=8), st.integers(0, 1000))
def test_attention_of_first_tokens_is_that_of_all_at_their_places(lengths, seed):
    torch.manual_seed(seed)
    query, key, value = torch.randn(3, sum(lengths), 2, 4).unbind(0)
    first = [sum(lengths[:i]) for i in range(len(lengths))]
    expected = attention_by_length(query, key, value, lengths)[first]
    torch.testing.assert_close(first_by_length(query[first], key, value, lengths), expected)


def encoded(folder, batch, dtype, **how):
    encoder = PackedEncoder(loaded(folder)[0].model, dtype, **how)
    ids, positions, layout = encoder.packed(batch)
    with torch.inference_mode():
        starts = torch.from_numpy(layout.starts).int()
        return encoder(torch.from_numpy(ids), torch.from_numpy(positions), layout, starts).float().numpy(), layout


def test_the_last_layer_for_first_tokens_alone_changes_nothing(folder):
    batch = rows_of([4, 19, 4, 0])
    every, layout = encoded(folder, batch, torch.float32)
    alone, _ = encoded(folder, batch, torch.float32, first_only=True)
    assert alone.shape == (4, 32)
    np.testing.assert_allclose(alone, every[layout.starts[:-1]], atol=1e-5)


@pytest.mark.parametrize(("pooling", "is_first"), [("cls", True), ("mean", False), ("lasttoken", False)])
def test_only_what_takes_the_first_token_has_it_computed_alone(tmp_path, pooling, is_first):
    runner = TorchRunner(loaded(small_encoder(tmp_path / "model", "bert", pooling=pooling)), PAD, precision="fp32")
    assert runner._encoder.first_only == is_first


def test_sums_in_fp32_bring_bf16_nearer_to_fp32(tmp_path):
    folder = small_encoder(tmp_path / "model", "xlm-roberta", hidden=256, num_hidden_layers=8, initializer_range=0.06)
    batch = rows_of([30] * 8)
    exact, _ = encoded(folder, batch, torch.float32)
    off = []
    for exact_sums in (False, True):
        found, _ = encoded(folder, batch, torch.bfloat16, exact_sums=exact_sums)
        off.append(np.linalg.norm(found - exact) / np.linalg.norm(exact))
    assert 0 < off[1] < 0.9 * off[0]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [("bert", {"hidden_act": "relu"}), ("bert", {"is_decoder": True}), ("electra", {})],
    ids=["another activation", "a decoder", "ELECTRA, whose embeddings are projected"],
)
def test_what_is_built_otherwise_goes_through_transformers(tmp_path, kind, changes):
    folder = small_encoder(tmp_path / "model", kind, **changes)
    assert not is_packable(list(loaded(folder)))
    runner = TorchRunner(loaded(folder), PAD, precision="fp32")
    assert not runner.is_packed
    batch = rows_of([7, 2])
    np.testing.assert_allclose(runner.start(batch)(), by_transformers(loaded(folder), batch), atol=1e-5)


def test_adapters_in_a_layer_go_through_transformers(folder):
    model = loaded(folder)
    layer = model[0].model.encoder.layer[1].attention.self

    class Adapter(torch.nn.Linear):
        pass

    adapter = Adapter(layer.query.in_features, layer.query.out_features)
    layer.query = adapter
    assert not is_packable(list(model))


@pytest.mark.parametrize(
    ("device", "dtype", "head"),
    [
        ("cpu", torch.float16, 64),
        ("cuda", torch.float32, 64),
        ("cuda", torch.float16, 12),
        ("cuda", torch.float16, 512),
    ],
)
def test_where_flash_attention_cannot_be(device, dtype, head):
    assert not has_flash(torch.device(device), dtype, head)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("asked", "computed"), [("auto", "float16"), ("fp16", "float16"), ("bf16", "bfloat16")])
def test_flash_attention_on_cuda_is_attention_by_length(tmp_path, asked, computed):
    # Width 256 has other weights than 32: with their spread, rounding would grow from layer to layer.
    folder = small_encoder(tmp_path / "model", "xlm-roberta", hidden=256, initializer_range=0.14)
    batch = rows_of([5, 5, 1, 30, 12, 0, 30])
    from sentence_transformers import SentenceTransformer

    runner = TorchRunner(SentenceTransformer(str(folder), device="cuda").eval(), PAD, precision=asked)
    assert runner.is_packed
    assert runner.precision == computed
    cosines = (runner.start(batch)() * by_transformers(loaded(folder), batch)).sum(axis=1)
    assert cosines.min() >= 0.9995
