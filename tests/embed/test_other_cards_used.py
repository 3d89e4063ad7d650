"""Every sparse, late-interaction and reranker card is held to its model's published use, beside references by hand.

The models are small and random, of the architectures that such models have, and lie in folders of the cards' short
names, as a local copy would. References take one text or pair at a time, without padding, from transformers alone.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_other_models as small
import torch
from card_table import TABLE
from safetensors.torch import load_file
from sentence_transformers import CrossEncoder, MultiVectorEncoder, SparseEncoder
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.sparse_encoder.modules import SpladePooling
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    ModernBertConfig,
    ModernBertForMaskedLM,
    ModernBertForSequenceClassification,
    ModernBertModel,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
    XLMRobertaForSequenceClassification,
    XLMRobertaModel,
    set_seed,
)

from kure_rag.embed import EmbedSettings, KureReranker, LateInteractionEmbedder, SparseEmbedder, maxsim
from kure_rag.errors import TextTooLongError

LETTERS = "연차휴가는며칠인가요보험금을청구한다급여에주나질문임대보증돌려받아야하"
QUERIES = ["연차휴가는 며칠인가요?", "보험금을 청구한다", "휴가"]
PASSAGES = ["급여는 며칠에 주나요", "임대보증금을 돌려받아야 한다.", "연차휴가", "보험금을 청구한다 연차휴가는 며칠"]
CPU = EmbedSettings(device="cpu", precision="fp32")
ARCHITECTURES = {
    "bert": (BertConfig, BertModel, BertForMaskedLM, BertForSequenceClassification),
    "modernbert": (ModernBertConfig, ModernBertModel, ModernBertForMaskedLM, ModernBertForSequenceClassification),
    "xlm-roberta": (
        *(XLMRobertaConfig, XLMRobertaModel),
        *(XLMRobertaForMaskedLM, XLMRobertaForSequenceClassification),
    ),
}
OF_KIND = {"late-interaction": 1, "sparse": 2, "reranker": 3}
SPECIAL = 2  # marks around a text; a pair has one more


def named(kind: str) -> list[str]:
    return [name for name, (of, *_) in TABLE.items() if of == kind]


def cases(kind: str) -> list[tuple[str, str]]:
    return [(name, architecture) for name in named(kind) for architecture in ARCHITECTURES]


def checkpoint(folder: Path, kind: str, architecture: str, *, words: int | None = None, **changes: Any) -> Path:
    """What ``save_pretrained`` leaves of a small model of an architecture, with the head of its kind."""
    segments = ["token_type_ids"] if architecture == "bert" else []  # of query and passage in a pair
    tokenizer = small.tokenizer(LETTERS, model_input_names=["input_ids", *segments, "attention_mask"])
    config, *made = ARCHITECTURES[architecture]
    settings: dict[str, Any] = {
        "vocab_size": words or len(tokenizer),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
        "initializer_range": 0.4,  # with the usual 0.02, two random layers tell no texts apart
        "pad_token_id": 0,
        **({"num_labels": 1} if kind == "reranker" else {}),
        **changes,
    }
    set_seed(20261122)
    made[OF_KIND[kind] - 1](config(**settings)).eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def sparse_model(folder: Path, name: str, architecture: str, **changes: Any) -> Path:
    """Prompts are stored where the card leaves them to the model's files."""
    base = checkpoint(folder / "base", "sparse", architecture, **changes)
    modules = [Transformer(str(base), transformer_task="fill-mask"), SpladePooling(pooling_strategy="max")]
    stored = {"query": "질문 ", "document": "보험 "} if TABLE[name][1] is None else {}
    SparseEncoder(modules=modules, device="cpu", prompts=stored).save_pretrained(str(folder / name.split("/")[1]))
    return folder / name.split("/")[1]


def late_model(folder: Path, name: str, architecture: str, **changes: Any) -> Path:
    base = checkpoint(folder / "base", "late-interaction", architecture, **changes)
    set_seed(1)
    tokens = {"module_input_name": "token_embeddings", "module_output_name": "token_embeddings"}
    width = TABLE[name][5]
    assert width is not None
    dense = Dense(32, width, bias=False, activation_function=torch.nn.Identity(), **tokens)
    model = MultiVectorEncoder(
        modules=[Transformer(str(base)), dense], device="cpu", prompts={"query": "[Q] ", "document": "[D] "}
    )
    model.save_pretrained(str(folder / name.split("/")[1]))
    return folder / name.split("/")[1]


def reranker_model(folder: Path, name: str, architecture: str, *, raw: bool = False, **changes: Any) -> Path:
    base = checkpoint(folder / "base", "reranker", architecture, **changes)
    ends = torch.nn.Identity() if raw else torch.nn.Sigmoid()
    CrossEncoder(str(base), device="cpu", activation_fn=ends).save_pretrained(str(folder / name.split("/")[1]))
    return folder / name.split("/")[1]


# References


def ids_of(folder: Path, text: str, limit: int | None = None) -> list[int]:
    ids = list(AutoTokenizer.from_pretrained(folder)(text, verbose=False)["input_ids"])
    return ids if limit is None or len(ids) <= limit else [*ids[: limit - 1], ids[-1]]


def by_formula(folder: Path, ids: list[int]) -> np.ndarray:
    """log(1 + relu(logits)), the largest over the tokens (Formal et al., SPLADE v2, 2021)."""
    with torch.no_grad():
        logits = AutoModelForMaskedLM.from_pretrained(folder).eval()(input_ids=torch.tensor([ids])).logits[0].numpy()
    return np.log(1 + np.maximum(logits, 0)).max(axis=0)


def by_projection(folder: Path, ids: list[int]) -> np.ndarray:
    """Each token's state, projected and of unit length (Khattab and Zaharia, ColBERT, 2020)."""
    weight = load_file(next(folder.glob("1_*/model.safetensors")))["linear.weight"].numpy()
    with torch.no_grad():
        states = AutoModel.from_pretrained(folder).eval()(input_ids=torch.tensor([ids])).last_hidden_state[0].numpy()
    rows = states @ weight.T
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def logit(folder: Path, query: str, passage: str, limit: int | None = None) -> float:
    """Of [CLS] query [SEP] passage [SEP], segments 0 and 1; the passage, which is longer, is cut."""
    words = AutoTokenizer.from_pretrained(folder)
    first, second = (words(text, add_special_tokens=False, verbose=False)["input_ids"] for text in (query, passage))
    if limit is not None:
        second = second[: limit - len(first) - SPECIAL - 1]
    ids = [2, *first, 3, *second, 3]
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    given = {"input_ids": torch.tensor([ids])}
    if model.config.model_type == "bert":
        given["token_type_ids"] = torch.tensor([[0] * (len(first) + 2) + [1] * (len(second) + 1)])
    with torch.no_grad():
        return float(model(**given).logits[0, 0])


# Vectors and scores


@pytest.mark.parametrize(("name", "architecture"), cases("sparse"))
def test_a_sparse_card_is_used_as_published(tmp_path: Path, name: str, architecture: str) -> None:
    folder = sparse_model(tmp_path, name, architecture)
    model = SparseEmbedder(str(folder), CPU)
    assert model.name == name
    _, query, passage, *_ = TABLE[name]
    prefixes = ("질문 ", "보험 ") if query is None else (query, passage)
    assert model.prefixes == prefixes
    found = []
    for prefix, embed, texts in zip(
        prefixes, (model.embed_queries, model.embed_passages), (QUERIES, PASSAGES), strict=True
    ):
        expected = np.stack([by_formula(folder, ids_of(folder, f"{prefix}{text}")) for text in texts])
        found.append(embed(texts))
        np.testing.assert_allclose(found[-1].dense(), expected, atol=2e-5)
        assert np.abs(expected - expected[::-1]).max() > 1e-2
    scores = found[0].dense().astype(np.float64) @ found[1].dense().astype(np.float64).T
    np.testing.assert_allclose(found[0].dot(found[1]), scores, rtol=1e-4)


@pytest.mark.parametrize(("name", "architecture"), cases("late-interaction"))
def test_a_late_interaction_card_is_used_as_published(tmp_path: Path, name: str, architecture: str) -> None:
    folder = late_model(tmp_path, name, architecture)
    model = LateInteractionEmbedder(str(folder), CPU)
    assert model.name == name
    assert model.load().facts.dimension == TABLE[name][5]
    sides = []
    for prefix, embed, texts in (("[Q] ", model.embed_queries, QUERIES), ("[D] ", model.embed_passages, PASSAGES)):
        found = embed(texts)
        for text, vectors in zip(texts, found, strict=True):
            expected = by_projection(folder, ids_of(folder, prefix + text))
            np.testing.assert_allclose(vectors, expected, atol=2e-5)
            assert vectors.shape[1] == TABLE[name][5]
        sides.append(found)
    by_hand = [
        [
            sum(max(float(q @ p) for p in by_projection(folder, ids_of(folder, f"[D] {passage}"))) for q in rows)
            for passage in PASSAGES
        ]
        for rows in (by_projection(folder, ids_of(folder, f"[Q] {query}")) for query in QUERIES)
    ]
    np.testing.assert_allclose(maxsim(*sides), by_hand, rtol=1e-4)


@pytest.mark.parametrize("raw", [False, True], ids=["sigmoid", "the logit itself"])
@pytest.mark.parametrize(("name", "architecture"), cases("reranker"))
def test_a_reranker_card_is_used_as_published(tmp_path: Path, name: str, architecture: str, raw: bool) -> None:
    folder = reranker_model(tmp_path, name, architecture, raw=raw)
    model = KureReranker(str(folder), CPU)
    assert model.name == name
    logits = np.array([logit(folder, query, passage) for query in QUERIES for passage in PASSAGES])
    expected = logits if raw else 1 / (1 + np.exp(-logits))
    pairs = [(query, passage) for query in QUERIES for passage in PASSAGES]
    np.testing.assert_allclose(model.scores(pairs), expected, atol=2e-5)
    assert np.ptp(expected) > 1e-2
    order = [item.position for item in model.rank(QUERIES[0], PASSAGES)]
    assert order == np.argsort(-logits[: len(PASSAGES)], kind="stable").tolist()


# Dimensions


@pytest.mark.parametrize("name", named("sparse"))
def test_a_sparse_card_s_dimension_is_its_vocabulary(tmp_path: Path, name: str) -> None:
    words = TABLE[name][5]
    if words is None:
        words = 777  # the card states none: whatever the model has
    folder = sparse_model(tmp_path, name, "bert", words=words, num_hidden_layers=1)
    model = SparseEmbedder(str(folder), CPU)
    assert model.embed_passages(["휴가"]).dimension == model.load().facts.dimension == words


# The cut


def long_text(tokens: int) -> str:
    """A letter a word, each a token."""
    return " ".join(np.random.default_rng(3).choice([*LETTERS], size=tokens))


@pytest.mark.parametrize("name", [*named("sparse"), *named("late-interaction")])
def test_a_text_is_cut_at_its_card_s_limit(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    kind, _, prefix, *_, stated = TABLE[name]
    limit = stated or 48  # of a card that states none, the model's own positions are the limit
    shape = {"num_hidden_layers": 1, "max_position_embeddings": limit + (70 if stated else 1)}
    is_sparse = kind == "sparse"
    folder = (sparse_model if is_sparse else late_model)(tmp_path, name, "xlm-roberta", **shape)
    of_class: Any = SparseEmbedder if is_sparse else LateInteractionEmbedder
    if prefix is None:  # what the small model stores
        prefix = "보험 " if is_sparse else "[D] "
    long = long_text(limit + 30)
    with caplog.at_level(logging.WARNING, logger="kure_rag"):
        found = of_class(str(folder), CPU).embed_passages([long])
    assert f"its limit of {limit} tokens" in caplog.text.replace(",", "")
    expected = (by_formula if is_sparse else by_projection)(folder, ids_of(folder, prefix + long, limit))
    np.testing.assert_allclose(found.dense()[0] if is_sparse else found[0], expected, atol=2e-5)

    strict = of_class(str(folder), EmbedSettings(device="cpu", precision="fp32", too_long="raise"))
    fits = long_text(limit - len(ids_of(folder, prefix)))
    assert len(ids_of(folder, prefix + fits)) == limit
    assert len(strict.embed_passages([fits])) == 1
    with pytest.raises(TextTooLongError) as caught:
        strict.embed_passages([f"{fits} 가"])
    assert caught.value.tokens == limit + 1


@pytest.mark.parametrize("name", named("reranker"))
def test_a_pair_is_cut_at_its_card_s_limit(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    stated = TABLE[name][6]
    limit = stated or 48
    shape = {"num_hidden_layers": 1, "max_position_embeddings": limit + (70 if stated else 1)}
    folder = reranker_model(tmp_path, name, "xlm-roberta", **shape)
    long = long_text(limit + 30)
    with caplog.at_level(logging.WARNING, logger="kure_rag"):
        found = KureReranker(str(folder), CPU).scores([("휴가", long)])
    assert f"its limit of {limit} tokens" in caplog.text.replace(",", "")
    np.testing.assert_allclose(found, [1 / (1 + np.exp(-logit(folder, "휴가", long, limit)))], atol=2e-5)
    strict = KureReranker(str(folder), EmbedSettings(device="cpu", precision="fp32", too_long="raise"))
    fits = long_text(limit - SPECIAL - 1 - len("휴가"))
    assert strict.scores([("휴가", fits)]).shape == (1,)
    with pytest.raises(TextTooLongError) as caught:
        strict.scores([("휴가", f"{fits} 가")])
    assert caught.value.tokens == limit + 1
