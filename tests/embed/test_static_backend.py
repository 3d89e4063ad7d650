import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

import kure_rag.embed.backends.pieces as pieces
from kure_rag.embed import Embedder, EmbedSettings
from kure_rag.embed.backends.library import LibraryBackend
from kure_rag.embed.backends.make import make_backend
from kure_rag.embed.backends.pieces import TokenIds, splits_at_spaces
from kure_rag.embed.backends.static import StaticBackend, find_static
from kure_rag.embed.cards import ModelCard
from kure_rag.embed.loading import bundled_path
from kure_rag.errors import EmbeddingError, TextTooLongError

WORDS = [
    "연차",
    "휴가",
    "보험금",
    "을",
    "청구",
    "한다",
    "는",
    "며칠",
    "인가요",
    "?",
    ".",
    "제",
    "조",
    *"0123456789abcxyz",
]
TEXTS = [
    "연차휴가는 며칠인가요?",
    "보험금을 청구한다.",
    "제12조 연차휴가는\n휴가로 한다.",
    "휴가",
    "휴가 ABC 보험금　연차\t휴가\r\n12",
]
STATIC_KO = bundled_path("kure-rag/static-ko")
CARD = ModelCard(name="내 모델")


def tokenizer(**parts: Any) -> Tokenizer:
    vocab = {"[UNK]": 0}
    for word in WORDS:
        for form in (word, f"##{word}"):
            vocab.setdefault(form, len(vocab))
    made = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    made.normalizer = parts.get("normalizer", normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()]))
    made.pre_tokenizer = parts.get("pre_tokenizer", pre_tokenizers.BertPreTokenizer())
    return made


def rows(count: int, dimension: int = 16) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, dimension)).astype(np.float32)


def saved(folder: Path, *after: Any, made: Tokenizer | None = None, weights: np.ndarray | None = None) -> Path:
    made = made or tokenizer()
    weights = rows(made.get_vocab_size()) if weights is None else weights
    modules = [StaticEmbedding(made, embedding_weights=weights), *after]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder))
    return folder


def model2vec(folder: Path, *, modules: bool = False, **arrays: np.ndarray) -> Path:
    folder.mkdir()
    made = tokenizer()
    save_file({"embeddings": rows(made.get_vocab_size()), **arrays}, folder / "model.safetensors")
    made.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": True}))
    if modules:
        kind = "sentence_transformers.models.StaticEmbedding"
        (folder / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": ".", "type": kind}]))
    return folder


def backend(folder: Path, settings_: EmbedSettings | None = None) -> StaticBackend:
    made = make_backend(folder, CARD, settings_ or EmbedSettings())
    assert isinstance(made, StaticBackend)
    return made


def library(folder: Path, texts: list[str]) -> np.ndarray:
    return SentenceTransformer(str(folder), device="cpu").encode(texts)


# The same vectors


@pytest.mark.parametrize("after", [(), (Normalize(),)], ids=["as pooled", "scaled"])
def test_vectors_are_the_librarys(tmp_path: Path, after: tuple[Any, ...]) -> None:
    folder = saved(tmp_path / "model", *after)
    made = backend(folder)
    vectors = made.encode(TEXTS, role="passage")
    np.testing.assert_allclose(vectors, library(folder, TEXTS), atol=1e-6)
    assert (vectors.dtype, vectors.shape, made.dimension) == (np.float32, (len(TEXTS), 16), 16)
    assert vectors.flags.c_contiguous
    assert made.max_tokens is None


def test_the_bundled_models_vectors_are_the_librarys() -> None:
    assert STATIC_KO is not None
    texts = [
        *TEXTS,
        "이용자는 계약을 해지할 수 있다 👍🏽",
        "ｆｕｌｌ　ｗｉｄｔｈ ㈜한국 ① ¨ e\u0301",
        "\x1c \x0b \u2028 한\u200b글 İΣ",
    ]
    np.testing.assert_allclose(Embedder("static-ko").embed_queries(texts), library(STATIC_KO, texts), atol=1e-6)


def test_long_texts_are_added_up_exactly(tmp_path: Path) -> None:
    made = backend(saved(tmp_path / "model"))
    vectors = made.encode(["보험금 을", "보험금 을 " * 30_000], role="passage")
    np.testing.assert_allclose(vectors[1], vectors[0], atol=1e-6)


def test_a_text_without_known_tokens_is_zeros_as_in_the_library(tmp_path: Path) -> None:
    made = tokenizer(normalizer=normalizers.Replace(Regex("[^가-힣]"), " "))
    folder = saved(tmp_path / "model", Normalize(), made=made)
    texts = ["@@ !!", "휴가", "…"]
    vectors = backend(folder).encode(texts, role="query")
    np.testing.assert_array_equal(vectors[[0, 2]], 0)
    np.testing.assert_allclose(vectors, library(folder, texts), atol=1e-6)
    np.testing.assert_array_equal(Embedder(str(folder)).embed_queries(texts)[0], 0)


@pytest.mark.parametrize("modules", [True, False])
def test_model2vec_folders_with_mapping_and_weights(tmp_path: Path, modules: bool) -> None:
    count = tokenizer().get_vocab_size()
    random = np.random.default_rng(1)
    arrays = {
        "embeddings": random.integers(-100, 100, size=(20, 16)).astype(np.int8),
        "mapping": random.integers(0, 20, size=count),
        "weights": random.normal(size=count),
    }
    folder = model2vec(tmp_path / "model", modules=modules, **arrays)
    full = arrays["embeddings"][arrays["mapping"]].astype(np.float64) * arrays["weights"][:, None]
    ids = [tokenizer().encode(text, add_special_tokens=False).ids for text in TEXTS]
    expected = np.stack([full[row].mean(axis=0) for row in ids])
    if not modules:
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    vectors = backend(folder).encode(TEXTS, role="passage")
    np.testing.assert_allclose(vectors, expected, rtol=1e-5, atol=1e-5 if modules else 1e-6)
    if modules:
        np.testing.assert_allclose(vectors, library(folder, TEXTS), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["KURE-v1", "copy"])
def test_a_distilled_copy_is_not_pooled_as_the_model_it_was_made_from(tmp_path: Path, name: str) -> None:
    rows = np.random.default_rng(1).normal(size=(tokenizer().get_vocab_size(), 16)).astype(np.float32)
    folder = model2vec(tmp_path / name, modules=False, embeddings=rows)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"_name_or_path": "nlpai-lab/KURE-v1"}))
    embedder = Embedder(str(folder))
    assert isinstance(embedder.load(), StaticBackend)
    assert embedder.card.pooling == "stored"
    ids = [tokenizer().encode(text, add_special_tokens=False).ids for text in TEXTS]
    expected = np.stack([rows[row].mean(axis=0) for row in ids])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(embedder.embed_passages(TEXTS), expected, atol=1e-6)


def test_half_precision_rows_are_added_in_full_precision(tmp_path: Path) -> None:
    halves = rows(tokenizer().get_vocab_size()).astype(np.float16)
    folder = model2vec(tmp_path / "model", embeddings=halves)
    whole = model2vec(tmp_path / "whole", embeddings=halves.astype(np.float32))
    np.testing.assert_allclose(
        backend(folder).encode(TEXTS, role="query"), backend(whole).encode(TEXTS, role="query"), atol=1e-6
    )


def test_many_texts_and_long_ones_keep_their_order(tmp_path: Path) -> None:
    made = backend(saved(tmp_path / "model"))
    texts = [f"제{i}조 휴가 " + "보험금 " * (i % 5) for i in range(2500)]
    texts[1200] = "연차 휴가 " * 30_000
    told: list[int] = []
    vectors = made.encode(texts, role="passage", progress=told.append)
    for i in (0, 1023, 1024, 1200, 2499):
        np.testing.assert_allclose(vectors[i], made.encode([texts[i]], role="query")[0], atol=1e-6)
    assert told == sorted(told)
    assert told[-1] == len(texts)


# Without the library


FRESH = """
import sys
from kure_rag.embed import Embedder, EmbedSettings
embedder = Embedder(sys.argv[1], EmbedSettings(cache=sys.argv[2]))
assert embedder.embed_queries(["연차휴가는 며칠인가요?"]).shape == embedder.embed_passages(["보험금"]).shape
heavy = {"torch", "transformers", "sentence_transformers", "huggingface_hub", "scipy", "onnxruntime", "httpx"}
print(sorted(heavy & sys.modules.keys()))
"""


@pytest.mark.parametrize("where", ["static-ko", "model", "model2vec"])
def test_nothing_heavy_is_imported(tmp_path: Path, where: str) -> None:
    saved(tmp_path / "model", Normalize())
    model2vec(tmp_path / "model2vec")
    name = where if where == "static-ko" else str(tmp_path / where)
    command = [sys.executable, "-c", FRESH, name, str(tmp_path / "cache")]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.stdout.strip() == "[]", ran.stderr


def test_a_model_that_the_library_has_loaded_is_taken_over(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", Normalize())
    loaded = SentenceTransformer(str(folder), device="cpu")
    made = StaticBackend.from_library(loaded)
    assert made is not None
    np.testing.assert_allclose(made.encode(TEXTS, role="query"), library(folder, TEXTS), atol=1e-6)


def test_other_modules_are_left_to_the_library(tmp_path: Path) -> None:
    from sentence_transformers.sentence_transformer.modules import Dense

    dense = Dense(in_features=16, out_features=8)
    folder = saved(tmp_path / "model", dense)
    assert find_static(folder) is None
    made = make_backend(folder, CARD, EmbedSettings(device="cpu"))
    assert isinstance(made, LibraryBackend)
    np.testing.assert_allclose(made.encode(TEXTS, role="query"), library(folder, TEXTS), atol=1e-6)


def test_what_is_no_static_model(tmp_path: Path) -> None:
    assert find_static(tmp_path) is None
    for text in ("[]", "{}", "not json", '[{"type": "my_package.StaticEmbedding", "path": ""}]', '[{"type": 1}]'):
        (tmp_path / "modules.json").write_text(text)
        assert find_static(tmp_path) is None
    (tmp_path / "modules.json").unlink()
    for text in ("[]", "{}", "not json", '{"model_type": "bert"}'):
        (tmp_path / "config.json").write_text(text)
        assert find_static(tmp_path) is None


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    import torch

    folder = saved(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    torch.save({"embedding.weight": torch.zeros(60, 16)}, folder / "pytorch_model.bin")
    with pytest.raises(EmbeddingError, match="pickle"):
        Embedder(str(folder)).embed_queries(["휴가"])


# Broken models


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 100])
def test_a_broken_file_is_named(tmp_path: Path, file: str, content: bytes) -> None:
    folder = saved(tmp_path / "model")
    (folder / file).write_bytes(content)
    with pytest.raises(EmbeddingError, match=file.replace(".", r"\.")):
        Embedder(str(folder)).embed_queries(["휴가"])


def test_a_tokenizer_of_another_model_is_an_error(tmp_path: Path) -> None:
    folder = model2vec(tmp_path / "model", embeddings=rows(5))
    with pytest.raises(EmbeddingError, match="do not belong together"):
        Embedder(str(folder)).embed_queries(["제12조 휴가"])


def test_arrays_of_two_models_are_an_error(tmp_path: Path) -> None:
    folder = model2vec(tmp_path / "model", weights=np.ones(3, np.float32))
    with pytest.raises(EmbeddingError, match="do not fit"):
        Embedder(str(folder)).embed_queries(["휴가"])


# Limits


def test_a_limit_that_is_asked_for_is_kept_and_told(tmp_path: Path) -> None:
    folder, over = saved(tmp_path / "model"), []
    made = backend(folder, EmbedSettings(max_tokens=3))
    vectors = made.encode(["휴가", "휴가 보험금 연차 며칠 제"], role="query", too_long=over.extend)
    assert (over, made.max_tokens) == ([(1, 5)], 3)
    np.testing.assert_allclose(vectors[1], library(folder, ["휴가 보험금 연차"])[0], atol=1e-6)
    with pytest.raises(TextTooLongError, match="text 1 has 5 tokens"):
        Embedder(str(folder), EmbedSettings(max_tokens=3, too_long="raise")).embed_queries(
            ["휴가", "휴가 보험금 연차 며칠 제"]
        )


@pytest.mark.parametrize("direction", ["right", "left"])
def test_the_tokenizers_own_limit_is_kept(tmp_path: Path, direction: str) -> None:
    limited = tokenizer()
    limited.enable_truncation(4, direction=direction)
    folder = saved(tmp_path / "model", made=limited)
    made = backend(folder)
    assert made.max_tokens == 4
    texts = ["휴가 보험금 연차 며칠 제 조", "휴가"]
    np.testing.assert_allclose(made.encode(texts, role="query"), library(folder, texts), atol=1e-6)


# Word by word

PLAIN = Tokenizer.from_file(str(STATIC_KO / "tokenizer.json"))
WORDWISE = TokenIds(Tokenizer.from_file(str(STATIC_KO / "tokenizer.json")), None)
BERT = tokenizer(normalizer=normalizers.BertNormalizer(strip_accents=True))
BERT_WORDWISE = TokenIds(tokenizer(normalizer=normalizers.BertNormalizer(strip_accents=True)), None)
ANY = st.text(st.characters(codec="utf-8"), max_size=30)
KOREAN = st.lists(st.sampled_from([*WORDS, " ", "\n", "\t", "\r", "\u3000", "\x85", "Σ", "e\u0301", "①"]), max_size=30)


@settings(max_examples=200, deadline=None)
@given(ANY | KOREAN.map("".join))
@example("연차 \u0301휴가 \u11a8 ¨ \u2009 Σ σΣ Σ [UNK] <unk>")
def test_word_by_word_gives_the_tokenizers_ids(text: str) -> None:
    for plain, wordwise in ((PLAIN, WORDWISE), (BERT, BERT_WORDWISE)):
        assert wordwise._by_words
        (ids,), _ = wordwise.of([text])
        assert ids.tolist() == plain.encode(text, add_special_tokens=False).ids


def test_words_are_forgotten_before_memory_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_MEMORY", 20_000)
    ids, plain = TokenIds(tokenizer(), None), tokenizer()
    for i in range(60):
        text = " ".join(f"{i}{j}휴가" for j in range(10))
        assert ids.of([text])[0][0].tolist() == plain.encode(text, add_special_tokens=False).ids
        assert len(ids._known) < 150


def added() -> Tokenizer:
    made = tokenizer()
    made.add_tokens([AddedToken("연차 휴가", normalized=False)])
    return made


@pytest.mark.parametrize(
    "made",
    [
        tokenizer(pre_tokenizer=pre_tokenizers.Metaspace()),
        tokenizer(pre_tokenizer=pre_tokenizers.ByteLevel()),
        tokenizer(pre_tokenizer=pre_tokenizers.Split(" ", "isolated")),
        tokenizer(pre_tokenizer=pre_tokenizers.Split(" ", "removed")),
        tokenizer(pre_tokenizer=pre_tokenizers.Split(Regex(r"\s+"), "merged_with_next")),
        tokenizer(
            pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.Punctuation(), pre_tokenizers.Split(" ", "removed")])
        ),
        tokenizer(normalizer=normalizers.Replace(Regex(r"가 보"), "가보")),
        tokenizer(normalizer=normalizers.Prepend("▁")),
        tokenizer(pre_tokenizer=pre_tokenizers.Sequence([])),
        added(),
    ],
    ids=lambda made: str(type(made.pre_tokenizer).__name__),
)
def test_a_tokenizer_that_sees_over_spaces_is_given_whole_texts(made: Tokenizer) -> None:
    assert not splits_at_spaces(made)
    ids = TokenIds(made, None)
    found, _ = ids.of(["휴가 보험금\n연차 휴가", "연차 휴가"])
    assert [row.tolist() for row in found] == [
        made.encode(text, add_special_tokens=False).ids for text in ("휴가 보험금\n연차 휴가", "연차 휴가")
    ]
