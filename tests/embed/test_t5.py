"""Encoders of the kind of KoSentenceT5: a T5 encoder alone, its mean, a dense layer; beside a T5 written by hand.

BM-K published KoSentenceT5 without a place on the hub, so it has no card: such a model loads from a folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast, T5Config, T5EncoderModel, set_seed

from kure_rag.embed import Embedder, EmbedSettings

TEXTS = [
    "연차휴가는 며칠인가요?",
    "휴가",
    "보험금은 청구한 날부터 3일 안에 지급하며, 조사가 필요하면 그 까닭을 알린다. 지급이 늦으면 이자를 더한다.",
]
HEADS, WIDTH, BUCKETS, FARTHEST = 4, 32, 32, 128
Array = npt.NDArray[np.float64]


def tokenizer() -> PreTrainedTokenizerFast:
    """Letters, the mark for a space that SentencePiece writes, and `</s>` behind each text."""
    letters = sorted(set("".join(TEXTS)) - {" "})
    ids = {token: i for i, token in enumerate(["<pad>", "</s>", "<unk>", "▁", *letters])}
    made = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Split("", behavior="isolated")]
    )
    made.post_processor = processors.TemplateProcessing("$A </s>", None, [("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def ko_sentence_t5(folder: Path, feed_forward: str) -> Path:
    words = tokenizer()
    set_seed(20261122)
    config = T5Config(
        vocab_size=len(words),
        d_model=WIDTH,
        d_kv=8,
        d_ff=48,
        num_layers=3,
        num_heads=HEADS,
        relative_attention_num_buckets=BUCKETS,
        relative_attention_max_distance=FARTHEST,
        feed_forward_proj=feed_forward,
        pad_token_id=0,
        dropout_rate=0.1,
        initializer_factor=2.0,
    )
    plain = folder.with_name("plain")
    encoder = T5EncoderModel(config).eval()
    torch.nn.init.normal_(encoder.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight, std=1.0)
    encoder.save_pretrained(plain)
    words.save_pretrained(plain)
    dense = Dense(WIDTH, 24, bias=False, activation_function=torch.nn.Identity())  # as sentence-T5 has it
    modules = [Transformer(str(plain)), Pooling(WIDTH, pooling_mode="mean"), dense, Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder))
    return folder


# A T5 encoder by hand (Raffel et al., 2020): no biases, norms without a mean, positions by distance, scores not scaled


def by_hand(folder: Path, text: str) -> Array:
    weights = {name: w.double().numpy() for name, w in load_file(folder / "model.safetensors").items()}
    ids = AutoTokenizer.from_pretrained(folder)(text)["input_ids"]
    hidden = weights["shared.weight"][ids]
    bias = distances(len(ids), weights["encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"])
    for block in range(3):
        layer = {
            name.removeprefix(f"encoder.block.{block}.layer."): w
            for name, w in weights.items()
            if name.startswith(f"encoder.block.{block}.")
        }
        hidden = hidden + attention(scaled(hidden, layer["0.layer_norm.weight"]), layer, bias)
        hidden = hidden + feed_forward(scaled(hidden, layer["1.layer_norm.weight"]), layer)
    hidden = scaled(hidden, weights["encoder.final_layer_norm.weight"])
    dense = load_file(folder / "2_Dense" / "model.safetensors")["linear.weight"].double().numpy()
    vector = dense @ hidden.mean(axis=0)
    return np.asarray(vector / np.linalg.norm(vector))


def scaled(hidden: Array, weight: Array) -> Array:
    return np.asarray(hidden / np.sqrt((hidden**2).mean(axis=-1, keepdims=True) + 1e-6) * weight)


def distances(tokens: int, table: Array) -> Array:
    """A number for each head and pair of tokens, by their distance: exact up to 8, then by its logarithm."""
    half = BUCKETS // 2
    out = np.zeros((HEADS, tokens, tokens))
    for i in range(tokens):
        for j in range(tokens):
            far = abs(j - i)
            if far >= half // 2:
                steps = np.log(far / (half // 2)) / np.log(FARTHEST / (half // 2)) * (half - half // 2)
                far = min(half // 2 + int(steps), half - 1)
            out[:, i, j] = table[far + (half if j > i else 0)]
    return out


def attention(hidden: Array, layer: dict[str, Array], bias: Array) -> Array:
    def heads(name: str) -> Array:
        rows = hidden @ layer[f"0.SelfAttention.{name}.weight"].T
        return np.asarray(rows.reshape(len(hidden), HEADS, -1).transpose(1, 0, 2))

    scores = heads("q") @ heads("k").transpose(0, 2, 1) + bias
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    mixed = shares / shares.sum(axis=-1, keepdims=True) @ heads("v")
    return np.asarray(mixed.transpose(1, 0, 2).reshape(len(hidden), -1) @ layer["0.SelfAttention.o.weight"].T)


def feed_forward(hidden: Array, layer: dict[str, Array]) -> Array:
    if "1.DenseReluDense.wi.weight" in layer:
        inner = np.maximum(hidden @ layer["1.DenseReluDense.wi.weight"].T, 0)
    else:
        gate = hidden @ layer["1.DenseReluDense.wi_0.weight"].T
        gelu = gate / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (gate + 0.044715 * gate**3)))
        inner = gelu * (hidden @ layer["1.DenseReluDense.wi_1.weight"].T)
    return np.asarray(inner @ layer["1.DenseReluDense.wo.weight"].T)


@pytest.mark.parametrize("feed_forward_proj", ["relu", "gated-gelu"], ids=["T5", "T5 1.1, as KE-T5 and ET5"])
def test_a_folder_of_its_kind_gives_the_vectors_of_a_t5_written_by_hand(tmp_path: Path, feed_forward_proj: str) -> None:
    folder = ko_sentence_t5(tmp_path / "KoSentenceT5", feed_forward_proj)
    embedder = Embedder(str(folder), EmbedSettings(device="cpu", precision="fp32"))
    expected = np.stack([by_hand(folder, text) for text in TEXTS])
    for embed in (embedder.embed_queries, embedder.embed_passages):
        np.testing.assert_allclose(embed(TEXTS), expected, atol=2e-5)
    assert np.abs(expected - expected[::-1]).max() > 1e-2
    assert embedder.dimension == 24
    model: Any = embedder.load()
    assert model.max_tokens is None  # distances have no end


def test_distance_is_seen(tmp_path: Path) -> None:
    folder = ko_sentence_t5(tmp_path / "KoSentenceT5", "relu")
    embedder = Embedder(str(folder), EmbedSettings(device="cpu", precision="fp32"))
    some, other = embedder.embed_passages(["휴가 보험금", "보험금 휴가"])
    assert np.abs(some - other).max() > 1e-3
