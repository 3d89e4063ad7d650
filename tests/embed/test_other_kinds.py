"""Sparse models, late interaction and rerankers, beside hand-written references."""

import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder, MultiVectorEncoder, SparseEncoder
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.sparse_encoder.modules import SpladePooling
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    PreTrainedTokenizerFast,
    set_seed,
)

from kure_rag.embed import Embedder, EmbedSettings, KureReranker, LateInteractionEmbedder, SparseEmbedder, maxsim
from kure_rag.errors import EmbeddingError, InvalidTextError, TextTooLongError

TEXTS = ["연차휴가는 며칠인가요?", "보험금을 청구한다", "휴가", "급여는 며칠에 주나요 보험금을 청구한다 연차휴가는"]
LETTERS = [*dict.fromkeys("연차휴가는며칠인가요보험금을청구한다급여에주나질문")]


def tokenizer() -> PreTrainedTokenizerFast:
    vocab = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "?", ".", "[Q]", "[D]"])}
    for letter in LETTERS:
        for form in (letter, f"##{letter}"):
            vocab.setdefault(form, len(vocab))
    made = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        additional_special_tokens=["[Q]", "[D]"],
    )


def plain(folder: Path, kind: Callable[[BertConfig], Any], **more: Any) -> Path:
    words = tokenizer()
    set_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.5,  # with the usual 0.02, two random layers tell no texts apart
        **more,
    )
    kind(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("모델")
    base = plain(folder / "base", BertForMaskedLM)
    modules = [Transformer(str(base), transformer_task="fill-mask"), SpladePooling(pooling_strategy="max")]
    made = SparseEncoder(modules=modules, device="cpu", prompts={"query": "[Q] ", "document": "[D] "})
    made.save_pretrained(str(folder / "KURE-Sparse-nano"))
    return folder / "KURE-Sparse-nano"


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("모델")
    base = plain(folder / "base", BertModel)
    set_seed(1)
    dense = Dense(
        32,
        8,
        bias=False,
        activation_function=torch.nn.Identity(),
        module_input_name="token_embeddings",
        module_output_name="token_embeddings",
    )
    made = MultiVectorEncoder(modules=[Transformer(str(base)), dense], device="cpu")
    made.save_pretrained(str(folder / "KURE-v2"))
    return folder / "KURE-v2"


@pytest.fixture(scope="module")
def reranker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("모델")
    base = plain(folder / "base", BertForSequenceClassification, num_labels=1)
    CrossEncoder(str(base), device="cpu").save_pretrained(str(folder / "KURE-Reranker-nano"))
    return folder / "KURE-Reranker-nano"


# Sparse


def splade(folder: Path, text: str) -> np.ndarray:
    """log(1 + relu(logits)), the largest over the tokens (Formal et al., SPLADE v2, 2021)."""
    words, model = AutoTokenizer.from_pretrained(folder), AutoModelForMaskedLM.from_pretrained(folder).eval()
    with torch.no_grad():
        logits = model(**words(text, return_tensors="pt")).logits[0]
    return torch.log1p(torch.relu(logits)).max(dim=0).values.numpy()


def test_sparse_vectors_are_those_of_the_formula_with_the_role_s_prefix(sparse: Path) -> None:
    model = SparseEmbedder(str(sparse), EmbedSettings(device="cpu"))
    assert model.prefixes == ("[Q] ", "[D] ")
    for prefix, found in (("[Q] ", model.embed_queries(TEXTS)), ("[D] ", model.embed_passages(TEXTS))):
        expected = np.stack([splade(sparse, prefix + text) for text in TEXTS])
        np.testing.assert_allclose(found.dense(), expected, atol=1e-5)
        assert len(found) == len(TEXTS)
    assert not np.allclose(model.embed_queries(TEXTS).dense(), model.embed_passages(TEXTS).dense(), atol=1e-2)


def test_sparse_scores_are_dot_products(sparse: Path) -> None:
    model = SparseEmbedder(str(sparse), EmbedSettings(device="cpu"))
    queries, passages = model.embed_queries(TEXTS[:2]), model.embed_passages(TEXTS)
    np.testing.assert_allclose(queries.dot(passages), queries.dense() @ passages.dense().T, rtol=1e-4)
    heaviest = model.words(passages, 1, most=3)
    row = passages.dense()[1]
    assert list(heaviest.values()) == pytest.approx(sorted(row, reverse=True)[:3])
    assert [row[tokenizer().convert_tokens_to_ids(word)] for word in heaviest] == pytest.approx([*heaviest.values()])
    assert len(model.embed_queries([])) == 0


# Late interaction


def token_vectors(folder: Path, text: str) -> np.ndarray:
    from safetensors.torch import load_file

    words, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    weight = load_file(next(folder.glob("1_*/model.safetensors")))["linear.weight"]
    with torch.no_grad():
        states = model(**words(text, return_tensors="pt")).last_hidden_state[0]
        return torch.nn.functional.normalize(states @ weight.T, dim=-1).numpy()


def test_late_interaction_gives_a_unit_vector_for_each_token(late: Path) -> None:
    model = LateInteractionEmbedder(str(late), EmbedSettings(device="cpu", batch_tokens=40))
    for found in (model.embed_queries(TEXTS), model.embed_passages(TEXTS)):
        assert [vectors.dtype for vectors in found] == [np.float32] * len(TEXTS)
        for text, vectors in zip(TEXTS, found, strict=True):
            np.testing.assert_allclose(vectors, token_vectors(late, text), atol=1e-5)


def test_maxsim_is_the_sum_of_each_query_token_s_best_match() -> None:
    chance = np.random.default_rng(0)
    queries = [chance.normal(size=(n, 8)).astype(np.float32) for n in (3, 1, 5)]
    passages = [chance.normal(size=(n, 8)).astype(np.float32) for n in (4, 2)]
    by_hand = [[sum(max(float(q @ p) for p in passage) for q in query) for passage in passages] for query in queries]
    np.testing.assert_allclose(maxsim(queries, passages), by_hand, rtol=1e-5)
    assert maxsim([], passages).shape == (0, 2)


# Rerankers


def pair_score(folder: Path, query: str, passage: str) -> float:
    words = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        return float(torch.sigmoid(model(**words(query, passage, return_tensors="pt")).logits[0, 0]))


def test_reranker_scores_each_pair_by_itself_and_orders_by_score(reranker: Path) -> None:
    model = KureReranker(str(reranker), EmbedSettings(device="cpu", batch_tokens=60))
    expected = [pair_score(reranker, TEXTS[2], text) for text in TEXTS]
    np.testing.assert_allclose(model.scores([(TEXTS[2], text) for text in TEXTS]), expected, atol=1e-5)
    ranked = model.rank(TEXTS[2], TEXTS)
    assert [item.position for item in ranked] == sorted(range(len(TEXTS)), key=lambda i: -expected[i])
    assert [item.score for item in ranked] == pytest.approx(sorted(expected, reverse=True), abs=1e-5)
    assert model.rank(TEXTS[2], TEXTS, top_k=2) == ranked[:2]
    assert model.rank(TEXTS[2], []) == []


def test_equal_passages_keep_their_order(reranker: Path) -> None:
    ranked = KureReranker(str(reranker), EmbedSettings(device="cpu")).rank("휴가", ["급여", "급여", "급여"])
    assert [item.position for item in ranked] == [0, 1, 2]


def test_a_model_with_several_labels_is_no_reranker(tmp_path: Path) -> None:
    base = plain(tmp_path / "감정분류", BertForSequenceClassification, num_labels=3)
    with pytest.raises(EmbeddingError, match="감정분류 gives 3 scores for a pair: it is no reranker"):
        KureReranker(str(base)).scores([("휴가", "급여")])


# All of them


@pytest.mark.parametrize(
    ("right", "name"),
    [
        ("SparseEmbedder", "nlpai-lab/KURE-Sparse-nano"),
        ("LateInteractionEmbedder", "KURE-v2"),
        ("KureReranker", "dragonkue/bge-reranker-v2-m3-ko"),
        ("KureEmbeddings", "KoE5"),
    ],
)
def test_a_model_of_another_kind_is_an_error_that_names_the_right_class(right: str, name: str) -> None:
    kinds: tuple[Any, ...] = (Embedder, SparseEmbedder, LateInteractionEmbedder, KureReranker)
    wrong = [kind for kind in kinds if kind.__name__ != right and not (kind is Embedder and right == "KureEmbeddings")]
    assert len(wrong) == 3
    for kind in wrong:
        with pytest.raises(EmbeddingError, match=f"use {right}"):
            kind(name)


def test_bad_texts_are_errors_with_their_position(sparse: Path, late: Path, reranker: Path) -> None:
    for embed in (SparseEmbedder(str(sparse)).embed_queries, LateInteractionEmbedder(str(late)).embed_passages):
        with pytest.raises(InvalidTextError, match="text 1 is empty"):
            embed(["휴가", " "])
    with pytest.raises(InvalidTextError, match="text 1 holds half a character"):
        KureReranker(str(reranker)).scores([("휴가", "급여"), ("휴가", "\ud800")])


def test_texts_over_the_limit_are_told_once_or_raise(
    sparse: Path, reranker: Path, caplog: pytest.LogCaptureFixture
) -> None:
    long = "휴가 " * 40
    model = SparseEmbedder(str(sparse), EmbedSettings(max_tokens=16, device="cpu"))
    cut = model.embed_passages([TEXTS[0], long]).dense()
    model.embed_passages([long])
    assert caplog.text.count("1 of 2 texts are over its limit of 16 tokens") == 1
    assert caplog.text.count("over its limit") == 1
    np.testing.assert_allclose(cut[1], splade(sparse, "[D] " + "휴가 " * 6 + "휴"), atol=1e-5)  # 13 letters and 3 marks
    pairs = KureReranker(str(reranker), EmbedSettings(max_tokens=32, too_long="raise", device="cpu"))
    assert pairs.scores([("휴가", "급여")]).shape == (1,)
    with pytest.raises(TextTooLongError, match=r"pair 1 has 8\d tokens and") as caught:
        pairs.scores([("휴가", "급여"), ("휴가", long)])
    assert caught.value.position == 1


def test_settings_that_mean_nothing_are_refused_and_copies_work(sparse: Path) -> None:
    with pytest.raises(ValueError, match="dimension=8 means nothing to a sparse model"):
        SparseEmbedder(str(sparse), EmbedSettings(dimension=8))
    with pytest.raises(ValueError, match="backend='onnx': a sparse model runs on torch only"):
        SparseEmbedder(str(sparse), EmbedSettings(backend="onnx"))
    for refused in ({"precision": "int8"}, {"cache": "vectors"}, {"pooling": "cls"}, {"normalize": True}):
        with pytest.raises(ValueError, match=f"{next(iter(refused))}="):
            SparseEmbedder(str(sparse), EmbedSettings(**refused))
    again = pickle.loads(pickle.dumps(SparseEmbedder(str(sparse), EmbedSettings(max_tokens=16))))
    assert (type(again), again.settings.max_tokens, again.name) == (SparseEmbedder, 16, "nlpai-lab/KURE-Sparse-nano")


def test_a_folder_has_no_other_revision_than_its_own(sparse: Path) -> None:
    own = SparseEmbedder(str(sparse)).revision
    with pytest.raises(EmbeddingError, match=f"whose revision is {own}, and revision='abc' was asked for"):
        SparseEmbedder(str(sparse), EmbedSettings(revision="abc")).load()
    SparseEmbedder(str(sparse), EmbedSettings(revision=own)).load()


def test_nothing_is_said_of_texts_within_the_limit(late: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="kure_rag"):
        LateInteractionEmbedder(str(late)).embed_passages(TEXTS)
    assert "over its limit" not in caplog.text


@pytest.mark.parametrize(
    ("kind", "made"),
    [(SparseEmbedder, BertForMaskedLM), (KureReranker, BertForSequenceClassification)],
    ids=["sparse", "reranker"],
)
def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path: Path, kind: Any, made: Any) -> None:
    from safetensors.torch import load_file, save_file

    folder = plain(tmp_path / "model", made)
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: tensor for name, tensor in weights.items() if "layer.0.output" not in name},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(EmbeddingError, match="would be random"):
        kind(str(folder), card=None).load()
