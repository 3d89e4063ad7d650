"""A folder that holds another kind of model is refused: the library would put random layers on top of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import small_models
import torch
from sentence_transformers import CrossEncoder, MultiVectorEncoder, SparseEncoder
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.sparse_encoder.modules import SpladePooling
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification, BertModel

from kure_rag.embed import Embedder, EmbedSettings, KureReranker, LateInteractionEmbedder, SparseEmbedder
from kure_rag.errors import EmbeddingError

CLASSES = {"sparse": SparseEmbedder, "late-interaction": LateInteractionEmbedder, "reranker": KureReranker}
SETTINGS = EmbedSettings(device="cpu")


def plain(folder: Path, make: Any = BertModel) -> Path:
    words = small_models.tokenizer()
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        num_labels=1,
        pad_token_id=0,
    )
    make(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def projection() -> Dense:
    return Dense(
        32,
        8,
        bias=False,
        activation_function=torch.nn.Identity(),
        module_input_name="token_embeddings",
        module_output_name="token_embeddings",
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    at = tmp_path_factory.mktemp("모델")
    masked, base = plain(at / "masked", BertForMaskedLM), plain(at / "base")
    modules = [Transformer(str(masked), transformer_task="fill-mask"), SpladePooling(pooling_strategy="max")]
    SparseEncoder(modules=modules, device="cpu").save_pretrained(str(at / "sparse"))
    late = MultiVectorEncoder(modules=[Transformer(str(base)), projection()], device="cpu")
    late.save_pretrained(str(at / "late-interaction"))
    scored = plain(at / "scored", BertForSequenceClassification)
    CrossEncoder(str(scored), device="cpu").save_pretrained(str(at / "reranker"))
    small_models.transformer(at / "dense", small_models.bert)
    kinds = ("sparse", "late-interaction", "reranker", "dense", "masked", "base", "scored")
    return {kind: at / kind for kind in kinds}


def use(model: Any) -> Any:
    if isinstance(model, KureReranker):
        return model.rank("휴가", ["급여"])
    return model.embed_queries(["휴가"])


@pytest.mark.parametrize("holds", ["dense", *CLASSES])
@pytest.mark.parametrize("asked", CLASSES)
def test_a_folder_of_another_kind_is_an_error_that_names_the_right_class(
    folders: dict[str, Path], asked: str, holds: str
) -> None:
    model = CLASSES[asked](str(folders[holds]), SETTINGS)
    if holds == asked:
        assert len(use(model)) == 1
        return
    right = "KureEmbeddings" if holds == "dense" else CLASSES[holds].__name__
    with pytest.raises(EmbeddingError, match=rf"holds a {holds} model.*use {right}, not {CLASSES[asked].__name__}"):
        use(model)


@pytest.mark.parametrize("card", [None, "KoE5"])
@pytest.mark.parametrize(
    ("holds", "file"), [*((kind, "modules.json") for kind in CLASSES), ("scored", "config.json"), ("dense", None)]
)
def test_what_is_no_dense_model_is_not_used_as_one_whatever_card_is_given(
    folders: dict[str, Path], holds: str, file: str | None, card: str | None
) -> None:
    embedder = Embedder(str(folders[holds]), SETTINGS, card=card)
    if file is None:
        assert embedder.embed_queries(["휴가"]).shape == (1, 32)
        return
    right = CLASSES["reranker" if holds == "scored" else holds].__name__
    with pytest.raises(EmbeddingError, match=rf"as its {file} says: use {right}, not KureEmbeddings"):
        embedder.embed_queries(["휴가"])


def test_plain_checkpoints_of_no_plain_kind_make_a_dense_model(folders: dict[str, Path]) -> None:
    for name in ("base", "masked"):
        assert Embedder(str(folders[name]), SETTINGS).embed_queries(["휴가"]).shape == (1, 32)


@pytest.mark.parametrize(
    ("asked", "holds", "architecture"),
    [
        ("sparse", "base", "BertModel"),
        ("sparse", "scored", "BertForSequenceClassification"),
        ("late-interaction", "base", "BertModel"),
        ("late-interaction", "masked", "BertForMaskedLM"),
        ("reranker", "base", "BertModel"),
        ("reranker", "masked", "BertForMaskedLM"),
    ],
)
def test_a_plain_checkpoint_without_what_the_kind_needs_is_refused(
    folders: dict[str, Path], asked: str, holds: str, architecture: str
) -> None:
    with pytest.raises(EmbeddingError, match=rf"holds {architecture} and nothing that makes a {asked} model of it"):
        use(CLASSES[asked](str(folders[holds]), SETTINGS))


def test_plain_checkpoints_that_have_what_the_kind_needs_work(folders: dict[str, Path]) -> None:
    assert len(use(SparseEmbedder(str(folders["masked"]), SETTINGS))) == 1
    assert len(use(KureReranker(str(folders["scored"]), SETTINGS))) == 1


@pytest.mark.parametrize("called", [None, "SentenceTransformer", "ColBERT"])
def test_a_folder_that_pylate_saved_is_late_interaction(tmp_path: Path, called: str | None) -> None:
    base = plain(tmp_path / "base")
    folder = tmp_path / "late"
    MultiVectorEncoder(modules=[Transformer(str(base)), projection()], device="cpu").save_pretrained(str(folder))
    file = folder / "config_sentence_transformers.json"
    told = json.loads(file.read_text())
    told.pop("model_type")
    file.write_text(json.dumps(told if called is None else {**told, "model_type": called}))
    assert LateInteractionEmbedder(str(folder), SETTINGS).embed_queries(["휴가"])[0].shape[1] == 8
    for other, name in ((SparseEmbedder, "SparseEmbedder"), (Embedder, "KureEmbeddings")):
        with pytest.raises(EmbeddingError, match=f"use LateInteractionEmbedder, not {name}"):
            other(str(folder), SETTINGS).load()
