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
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import AutoModel, AutoTokenizer

from kure_rag.embed import Embedder, EmbedSettings
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
        return small_models.kobert(folder, lines)
    if pooling != "stored" or usual is not None:
        return plain(folder, limit + SPARE)
    base = plain(folder.with_name("base"), limit + SPARE)
    modules = [Transformer(str(base)), Pooling(32, pooling_mode="mean")]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder))
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
    _, query, passage, _, _, _, stated = TABLE[name]
    assert query is not None
    assert passage is not None
    assert stated is not None
    limit = 128 if name in KOBERT else stated  # KoBERT's small model has 130 positions
    folder = small_copy(tmp_path / name.split("/")[1], name, limit)
    settings = {"precision": "fp32", "device": "cpu", **({"max_tokens": limit} if name in KOBERT else {})}
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
    over = fits + " 가"
    with pytest.raises(TextTooLongError) as caught:
        strict.embed_passages([over])
    assert caught.value.tokens == len(token_ids(folder, name, passage + over))
    assert name in KOBERT or caught.value.tokens == limit + 1
