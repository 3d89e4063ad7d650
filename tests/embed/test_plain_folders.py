"""Folders without ``modules.json``: pooling and prefixes of the model that they are a copy of, and what is assumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_models
import torch
from safetensors.torch import load_file
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import AutoModel, AutoTokenizer

from kure_rag.embed import CARDS, Embedder, EmbedSettings
from kure_rag.embed.folders import read_folder
from kure_rag.errors import EmbeddingError

TEXTS = ["연차휴가는 며칠인가요?", "급여는 매월 25일에 지급한다.", "휴가"]


def plain(folder: Path, made_from: str | None = None, *, positions: int = 130) -> Path:
    small_models.plain_checkpoint(folder, positions=positions)
    if made_from is not None:
        said(folder, _name_or_path=made_from)
    return folder


def said(folder: Path, **more: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | more))


def by_hand(folder: Path, texts: list[str], pooling: str) -> np.ndarray:
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    rows = []
    with torch.no_grad():
        for text in texts:
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].numpy()
            rows.append(states[0] if pooling == "cls" else states.mean(axis=0))
    return np.stack([row / np.linalg.norm(row) for row in rows])


def of(folder: Path, *, card: str | None = None, **settings: Any) -> Embedder:
    return Embedder(str(folder), EmbedSettings(precision="fp32", device="cpu", **settings), card=card)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    told = [r.getMessage() for r in caplog.records if r.name.startswith("kure_rag") and r.levelname == "WARNING"]
    return [message for message in told if "its card says vectors of" not in message]  # these models are small


@pytest.mark.parametrize(
    ("name", "pooling"),
    [("KURE-v1", "cls"), ("bge-m3", "cls"), ("arctic-l-v2.0-ko", "cls"), ("KoE5", "mean"), ("ko-sbert-nli", "mean")],
)
@pytest.mark.parametrize("how", ["folder", "argument"])
def test_a_copy_of_a_known_model_is_pooled_as_that_model(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, pooling: str, how: str
) -> None:
    folder = plain(tmp_path / (name if how == "folder" else "copy"))
    embedder = of(folder, card=None if how == "folder" else name)
    query, passage = embedder.card.query_prefix, embedder.card.passage_prefix
    assert query is not None
    assert passage is not None
    for found, prefix in ((embedder.embed_queries(TEXTS), query), (embedder.embed_passages(TEXTS), passage)):
        np.testing.assert_allclose(found, by_hand(folder, [prefix + t for t in TEXTS], pooling), atol=1e-5)
    assert embedder.fingerprint["pooling"] == pooling
    assert not warnings(caplog), "nothing is assumed: it is known"


def test_the_name_in_config_json_says_what_a_copy_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = plain(tmp_path / "copy", "nlpai-lab/KoE5")
    embedder = of(folder)
    np.testing.assert_allclose(
        embedder.embed_queries(TEXTS), by_hand(folder, [f"query: {t}" for t in TEXTS], "mean"), atol=1e-5
    )
    np.testing.assert_allclose(
        embedder.embed_passages(TEXTS), by_hand(folder, [f"passage: {t}" for t in TEXTS], "mean"), atol=1e-5
    )
    [told] = warnings(caplog)
    for word in ("copy has no modules.json", "nlpai-lab/KoE5", "mean pooling", "'query: '", "'passage: '", "card=..."):
        assert word in told
    assert embedder.name == embedder.fingerprint["model"] == "copy", "trained further or not: that cannot be seen"
    assert embedder.card.reference is None


@pytest.mark.parametrize("made_from", ["BAAI/bge-m3", "nlpai-lab/KURE-v1", "/data/models/KURE-v1", "BGE-m3-ko"])
def test_what_was_made_from_bge_m3_takes_the_first_token(tmp_path: Path, made_from: str) -> None:
    folder = plain(tmp_path / "copy", made_from)
    embedder = of(folder)
    np.testing.assert_allclose(embedder.embed_queries(TEXTS), by_hand(folder, TEXTS, "cls"), atol=1e-5)
    assert embedder.fingerprint["pooling"] == "cls", "an index whose vectors were means is not searched with these"


def test_settings_win_over_what_config_json_says(tmp_path: Path) -> None:
    folder = plain(tmp_path / "copy", "nlpai-lab/KoE5")
    embedder = of(folder, pooling="cls", query_prefix="", passage_prefix="문서: ")
    np.testing.assert_allclose(embedder.embed_queries(TEXTS), by_hand(folder, TEXTS, "cls"), atol=1e-5)
    expected = by_hand(folder, [f"문서: {t}" for t in TEXTS], "cls")
    np.testing.assert_allclose(embedder.embed_passages(TEXTS), expected, atol=1e-5)
    assert of(folder, card="bge-m3").prefixes == ("", "")
    assert of(folder, card="bge-m3").card.pooling == "cls"


@pytest.mark.parametrize(
    "made_from", ["", "someone/KoE5", "nlpai-lab/KURE-Reranker-base", "nlpai-lab/KURE-Sparse-nano", 7, None]
)
def test_other_names_in_config_json_say_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, made_from: Any
) -> None:
    folder = plain(tmp_path / "copy")
    said(folder, _name_or_path=made_from)
    np.testing.assert_allclose(of(folder).embed_queries(TEXTS), by_hand(folder, TEXTS, "mean"), atol=1e-5)
    [told] = warnings(caplog)
    assert "mean pooling is assumed, and nothing is put before queries and passages" in told


def test_an_xlm_roberta_with_the_positions_of_bge_m3_takes_the_first_token(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = plain(tmp_path / "우리-모델", positions=8194)
    embedder = of(folder)
    np.testing.assert_allclose(embedder.embed_queries(TEXTS), by_hand(folder, TEXTS, "cls"), atol=1e-5)
    assert embedder.fingerprint["pooling"] == "cls"
    [told] = warnings(caplog)
    assert "stores no pooling; the first token's vector is taken, as of bge-m3" in told
    caplog.clear()
    found = of(folder, pooling="mean").embed_queries(TEXTS)
    np.testing.assert_allclose(found, by_hand(folder, TEXTS, "mean"), atol=1e-5)
    assert not warnings(caplog)


def test_stored_modules_win_over_what_config_json_says(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from sentence_transformers import SentenceTransformer

    base = plain(tmp_path / "base")
    folder = tmp_path / "copy"
    modules = [Transformer(str(base)), Pooling(32, pooling_mode="mean")]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder))
    said(folder, _name_or_path="BAAI/bge-m3")
    np.testing.assert_allclose(of(folder).embed_queries(TEXTS), by_hand(base, TEXTS, "mean"), atol=1e-5)
    assert of(folder).fingerprint["pooling"] == "stored"
    assert not warnings(caplog)


def test_a_model_that_lost_its_prompts_is_used_without_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = small_models.transformer(tmp_path / "copy", small_models.bert)
    said(folder, _name_or_path="nlpai-lab/KoE5")
    assert of(folder).prefixes == ("", "")
    of(folder).load()
    [told] = warnings(caplog)
    assert "stores no prompts" in told
    assert "If it needs them, say so: card='nlpai-lab/KoE5'; if not: query_prefix=''" in told
    assert read_folder(folder).assumed[1].endswith("card='nlpai-lab/KoE5' puts them")
    caplog.clear()
    of(folder, query_prefix="").load()
    of(folder, card="nlpai-lab/KoE5").load()
    assert not warnings(caplog)


def test_every_known_dense_model_says_how_a_plain_copy_is_pooled() -> None:
    silent = {c.name for c in CARDS.values() if c.kind == "dense" and c.pooling == "stored" and not c.plain_pooling}
    assert silent == {"nlpai-lab/KURE-v3", "kure-rag/static-ko"}, "one is not known, the other is no transformer"
    assert CARDS["nlpai-lab/KURE-v1"].plain_pooling == "cls"
    assert CARDS["nlpai-lab/KoE5"].plain_pooling == "mean"


# Width


def test_a_folders_width_is_that_of_its_files_whatever_its_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    embedder = of(plain(tmp_path / "KURE-v1"), cache=tmp_path / "cache")
    assert embedder.dimension == 32, "its card says 1024"
    assert embedder._backend is None, "known without loading"
    for _ in range(2):
        assert embedder.embed_passages(TEXTS).shape == (3, 32)
    assert embedder.cache is not None
    assert (embedder.cache.stats().hits, embedder.cache.stats().misses) == (3, 3)
    told = [r.getMessage() for r in caplog.records if r.name.startswith("kure_rag.embed.")]
    assert len(told) == 1
    assert told[0].startswith("nlpai-lab/KURE-v1: its card says vectors of 1024 numbers, and these have 32: another mo")


@pytest.mark.parametrize(
    ("make", "pooling", "dense", "stated", "width"),
    [
        (small_models.distilbert, "mean", None, 32, 32),
        (small_models.t5, "mean", None, 32, 32),
        (small_models.bert, "mean", 12, 12, 12),
        (small_models.bert, ["cls", "mean"], None, None, 64),  # its files say it only in parts: it is loaded
    ],
)
def test_a_width_is_stated_for_certain_or_not_at_all(
    tmp_path: Path, make: Any, pooling: Any, dense: int | None, stated: int | None, width: int
) -> None:
    folder = small_models.transformer(tmp_path / "model", make, pooling, dense=dense)
    assert read_folder(folder).dimension == stated
    embedder = of(folder, cache=tmp_path / "cache")
    assert embedder.dimension == width
    assert embedder.embed_passages(TEXTS).shape == (3, width)


# What is shown


def test_what_a_folder_says_of_itself_is_how_it_is_used(tmp_path: Path) -> None:
    facts = read_folder(plain(tmp_path / "copy", "nlpai-lab/KoE5"))
    assert (facts.made_from, facts.pooling, facts.query_prefix, facts.passage_prefix) == (
        "nlpai-lab/KoE5",
        "mean",
        "query: ",
        "passage: ",
    )
    assert facts.assumed[0] == (
        "it was made from nlpai-lab/KoE5, as config.json says, and is used as that model's card says"
    )
    long = read_folder(plain(tmp_path / "long", positions=8194))
    assert (long.made_from, long.pooling) == (None, "cls")
    assert any("so the first token's vector is taken" in told for told in long.assumed)


def test_the_limit_shown_is_the_one_that_holds(tmp_path: Path) -> None:
    folder = plain(tmp_path / "모델")
    assert read_folder(folder).max_tokens == of(folder).load().max_tokens == 129
    stored = small_models.transformer(tmp_path / "묶음", small_models.xlm_roberta)
    assert read_folder(stored).max_tokens == of(stored).load().max_tokens == 129
    path = stored / "sentence_bert_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "max_seq_length": 60}))
    assert read_folder(stored).max_tokens == of(stored).load().max_tokens == 60


# Devices


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "nonsense:1"])
def test_a_device_that_is_not_here_is_told_with_those_that_are(tmp_path: Path, device: str) -> None:
    folder = small_models.transformer(tmp_path / "model", small_models.bert)
    with pytest.raises(EmbeddingError, match=rf"device='{device}': PyTorch finds no such device; here are cpu \("):
        Embedder(str(folder), EmbedSettings(device=device)).embed_queries(TEXTS)


# Pickled weights, converted as the message says


def pickled(folder: Path, *, shards: int = 1) -> None:
    weights = list(load_file(folder / "model.safetensors").items())
    for i in range(shards):
        name = "pytorch_model.bin" if shards == 1 else f"pytorch_model-{i + 1:05}-of-{shards:05}.bin"
        torch.save(dict(weights[i::shards]), folder / name)
    (folder / "model.safetensors").unlink()


def follow(folder: Path) -> None:
    with pytest.raises(EmbeddingError, match="is pickled") as caught:
        of(folder).embed_queries(TEXTS)
    code = [line.strip() for line in str(caught.value).splitlines() if line.startswith("    ")]
    exec("\n".join(code), {})  # what the message says is what is tested


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("name", ["KURE-v1", "우리-모델"])
def test_a_pickled_copy_converted_as_the_message_says_has_the_same_vectors(
    tmp_path: Path, name: str, shards: int
) -> None:
    folder = plain(tmp_path / name)  # the first token's vector for the one, the mean for the other
    before, files = of(folder).embed_queries(TEXTS), {file.name for file in folder.iterdir()}
    pickled(folder, shards=shards)
    follow(folder)
    np.testing.assert_allclose(of(folder).embed_queries(TEXTS), before, atol=1e-6)
    assert {file.name for file in folder.iterdir() if file.suffix != ".bin"} == files


def test_a_pickled_kobert_converted_as_the_message_says_keeps_its_tokenizer(tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("\n".join(f"연차 휴가와 보험금 청구 기한 {i}, 가나다라" for i in range(400)), "utf-8")
    (folder := tmp_path / "kobert-base-v1").mkdir()
    small_models.kobert(folder, lines)
    before = of(folder).embed_queries(TEXTS)
    pickled(folder)
    follow(folder)
    np.testing.assert_allclose(of(folder).embed_queries(TEXTS), before, atol=1e-6)
