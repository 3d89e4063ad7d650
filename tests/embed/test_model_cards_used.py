"""Every dense card is held to its models' published use: prefixes, pooling and cut, beside a reference by hand.

The models are small and random, and lie in folders of the cards' short names, as a local copy would.
"""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_models
import torch
from card_table import DENSE, TABLE
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, XLMRobertaConfig, XLMRobertaModel, set_seed

from kure_rag.embed import CARDS, Embedder, EmbedSettings
from kure_rag.errors import TextTooLongError

KOBERT = {"monologg/kobert", "skt/kobert-base-v1"}
STATIC = "kure-rag/static-ko"  # no transformer: see test_static_backend.py
NAMES = [name for name, (kind, *_) in TABLE.items() if kind == DENSE and name != STATIC]
SPARE = 70  # positions that the model has and the card's limit leaves out
TEXTS = ["휴가", "나라가 주는 보조 자료", "가나다라 마바사아 자차카타 파하"]
OPEN = [chr(code) for code in range(ord("가"), ord("힣") + 1, 28)][:100]  # what the tokenizer has tokens for


def plain(folder: Path, positions: int) -> Path:
    return small_models.plain_checkpoint(folder, positions=positions, spread=0.4, seed=4)


def small_copy(folder: Path, name: str, limit: int) -> Path:
    """A small model of a card's shape: its own modules only where no card could know the pooling."""
    *_, pooling, usual, _, _ = TABLE[name]
    if name in KOBERT:
        pytest.importorskip("sentencepiece")
        lines = folder.with_name("문장.txt")
        lines.write_text("\n".join([*TEXTS, "".join(OPEN)] * 20), "utf-8")
        small_models.kobert(folder, lines)
        return kobert_weights(folder, max_position_embeddings=limit + SPARE)
    if pooling != "stored" or usual is not None:
        return plain(folder, limit + SPARE)
    base = plain(folder.with_name("base"), limit + SPARE)
    modules = [Transformer(str(base)), Pooling(32, pooling_mode="mean")]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder))
    return folder


def kobert_weights(folder: Path, **changes: Any) -> Path:
    """Other weights for a small KoBERT, beside its own tokenizer."""
    words = len((folder / "vocab.txt").read_text("utf-8").splitlines())
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64, **changes}
    set_seed(5)
    spread = 0.4 * (32 / shape["hidden_size"]) ** 0.5
    BertModel(BertConfig(vocab_size=words, initializer_range=spread, **shape)).eval().save_pretrained(folder)
    return folder


@functools.cache
def kobert_pieces(folder: Path) -> tuple[dict[str, int], Any]:
    from sentencepiece import SentencePieceProcessor

    ids = {piece: i for i, piece in enumerate((folder / "vocab.txt").read_text("utf-8").splitlines())}
    return ids, SentencePieceProcessor(model_file=str(folder / "tokenizer_78b3253a26.model"))


@functools.cache
def tokenizer_of(folder: Path) -> Any:
    return AutoTokenizer.from_pretrained(folder)


def token_ids(folder: Path, name: str, text: str) -> list[int]:
    if name not in KOBERT:
        return list(tokenizer_of(folder)(text)["input_ids"])
    ids, pieces = kobert_pieces(folder)
    return [ids["[CLS]"], *(ids.get(piece, ids["[UNK]"]) for piece in pieces.EncodeAsPieces(text)), ids["[SEP]"]]


def by_hand(folder: Path, name: str, texts: list[str], limit: int) -> np.ndarray:
    """One text at a time, cut before its last token, pooled as the table has it."""
    *_, pooling, usual, _, _ = TABLE[name]
    mode = usual or ("mean" if pooling == "stored" else pooling)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    rows = []
    for text in texts:
        ids = token_ids(folder, name, text)
        if len(ids) > limit:
            ids = [*ids[: limit - 1], ids[-1]]
        with torch.no_grad():
            states = model(input_ids=torch.tensor([ids])).last_hidden_state[0].numpy()
        row = {"cls": states[0], "mean": states.mean(axis=0)}[mode]
        rows.append(row / np.linalg.norm(row))
    return np.stack(rows)


def of_length(folder: Path, name: str, prefix: str, tokens: int) -> str:
    """A text that has so many tokens with its prefix, or hardly fewer."""
    chosen = np.random.default_rng(2)
    text = " ".join(OPEN[i] for i in chosen.integers(0, len(OPEN), size=tokens))
    while (over := len(token_ids(folder, name, prefix + text)) - tokens) > 0:
        text = text[: -max(1, over // 2)].rstrip()
    return text


@pytest.mark.parametrize("name", NAMES)
def test_a_dense_card_is_used_as_published(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    _, query, passage, _, _, _, limit = TABLE[name]
    assert query is not None
    assert passage is not None
    assert limit is not None
    folder = small_copy(tmp_path / name.split("/")[1], name, limit)
    settings = {"precision": "fp32", "device": "cpu"}
    embedder = Embedder(str(folder), EmbedSettings(**settings))
    assert embedder.name == name
    for embed, prefix in ((embedder.embed_queries, query), (embedder.embed_passages, passage)):
        expected = by_hand(folder, name, [prefix + text for text in TEXTS], limit)
        np.testing.assert_allclose(embed(TEXTS), expected, atol=1e-5)
        assert np.abs(expected - expected[::-1]).max() > 1e-2
    if query != passage:
        assert not np.allclose(embedder.embed_queries(TEXTS), embedder.embed_passages(TEXTS), atol=1e-3)

    # The cut: by its vector, and to the token.
    long = of_length(folder, name, passage, limit + SPARE // 2)
    with caplog.at_level(logging.WARNING, logger="kure_rag"):
        found = embedder.embed_passages([long])
    assert f"are over its limit of {limit} tokens" in caplog.text.replace(",", "")
    np.testing.assert_allclose(found, by_hand(folder, name, [passage + long], limit), atol=1e-5)
    strict = Embedder(str(folder), EmbedSettings(**settings, too_long="raise"))
    fits = of_length(folder, name, passage, limit)
    tokens = len(token_ids(folder, name, passage + fits))
    assert tokens == limit or (name in KOBERT and limit - 2 <= tokens < limit)  # its pieces are of several letters
    np.testing.assert_allclose(strict.embed_passages([fits]), by_hand(folder, name, [passage + fits], limit), atol=1e-5)
    over = fits + " 가" * (limit + 1 - tokens)
    with pytest.raises(TextTooLongError) as caught:
        strict.embed_passages([over])
    assert caught.value.tokens == len(token_ids(folder, name, passage + over))
    assert name in KOBERT or caught.value.tokens == limit + 1


# Dimensions: `hidden_size` in the configuration of the model that each was trained from, written here by hand

WIDTHS = {
    **dict.fromkeys((name for name in NAMES if name.startswith(("jhgan/", "BM-K/"))), 768),  # klue/roberta-base, BERT
    **dict.fromkeys(KOBERT, 768),
    **dict.fromkeys(
        (name for name in NAMES if name.startswith(("BAAI/", "dragonkue/", "upskyy/", "Snowflake/"))), 1024
    ),
    **dict.fromkeys(("nlpai-lab/KURE-v1", "nlpai-lab/KoE5"), 1024),  # XLM-RoBERTa large
    "nlpai-lab/KURE-v3": 2048,  # Nemotron-3-Embed-1B
    "intfloat/multilingual-e5-small": 384,  # Multilingual MiniLM
    "intfloat/multilingual-e5-base": 768,
    "intfloat/multilingual-e5-large": 1024,
    "intfloat/multilingual-e5-large-instruct": 1024,
    "nomic-ai/nomic-embed-text-v2-moe": 768,
}


def wide_copy(folder: Path, name: str) -> Path:
    """One layer of a card's width, in a folder of its name."""
    shape = {"hidden_size": WIDTHS[name], "num_hidden_layers": 1, "num_attention_heads": 8, "intermediate_size": 64}
    if name in KOBERT:
        small_copy(folder, name, 62)
        return kobert_weights(folder, **shape)
    words = small_models.tokenizer()
    plain_at = folder if TABLE[name][3] != "stored" or TABLE[name][4] is not None else folder.with_name("base")
    set_seed(6)
    config = XLMRobertaConfig(
        vocab_size=len(words),
        max_position_embeddings=130,
        type_vocab_size=1,
        initializer_range=0.4 * (32 / WIDTHS[name]) ** 0.5,
        pad_token_id=0,
        **shape,
    )
    XLMRobertaModel(config).eval().save_pretrained(plain_at)
    words.save_pretrained(plain_at)
    if plain_at != folder:
        modules = [Transformer(str(plain_at)), Pooling(WIDTHS[name], pooling_mode="mean")]
        SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder))
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_card_s_dimension_is_the_width_of_its_model(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    *_, dimension, limit = TABLE[name]
    folder = wide_copy(tmp_path / name.split("/")[1], name)
    assert limit is not None
    expected = by_hand(folder, name, [f"{TABLE[name][2]}{text}" for text in TEXTS], limit)
    assert expected.shape == (3, dimension)
    with caplog.at_level(logging.WARNING, logger="kure_rag"):
        for cut in CARDS[name].dimensions or (dimension,):
            settings = EmbedSettings(precision="fp32", device="cpu", dimension=cut)
            shorter = expected[:, :cut] / np.linalg.norm(expected[:, :cut], axis=1, keepdims=True)
            np.testing.assert_allclose(Embedder(str(folder), settings).embed_passages(TEXTS), shorter, atol=1e-5)
    assert "its card says vectors of" not in caplog.text
    assert "vectors are cut to" not in caplog.text


def test_where_a_dense_layer_ends_a_model_its_width_is_the_dimension(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    base = plain(tmp_path / "base", 130)
    for width, told in ((2048, False), (1024, True)):
        folder = tmp_path / str(width) / "KURE-v3"
        dense = Dense(32, width, bias=False, activation_function=torch.nn.Identity())
        modules = [Transformer(str(base)), Pooling(32, pooling_mode="mean"), dense, Normalize()]
        SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder))
        assert Embedder(str(folder), EmbedSettings(device="cpu")).embed_queries(TEXTS).shape == (3, width)
        assert (f"its card says vectors of 2048 numbers, and these have {width}" in caplog.text) == told
