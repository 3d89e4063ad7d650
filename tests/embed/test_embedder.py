import logging
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding, Transformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerFast, set_seed

from kure_rag.embed import Embedder, EmbedderLike, EmbedSettings
from kure_rag.embed.cards import ModelCard
from kure_rag.errors import EmbeddingError, InvalidTextError

TEXTS = ["연차휴가는 며칠인가요?", "보험금을 청구한다", "휴가"]
WORDS = [*"연차휴가는며칠인가요보험금을청구한다질문문서", "query", "passage", "질문:", "문서:", ":", "?"]


def words() -> Tokenizer:
    vocab = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}
    for word in WORDS:
        for form in (word, f"##{word}"):
            vocab.setdefault(form, len(vocab))
    made = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made


def plain(folder: Path, seed: int = 0) -> Path:
    """A checkpoint of an encoder alone, without a word about pooling."""
    tokenizer = words()
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    set_seed(seed)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    return folder


def static(folder: Path, prompts: dict[str, str] | None = None, seed: int = 0) -> Path:
    tokenizer = words()
    weights = np.random.default_rng(seed).normal(size=(tokenizer.get_vocab_size(), 16)).astype(np.float32)
    module = StaticEmbedding(tokenizer, embedding_weights=weights)
    SentenceTransformer(modules=[module], prompts=prompts, device="cpu").save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="module")
def models_at(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("모델")
    plain(folder / "KoSimCSE-roberta")
    plain(folder / "my-encoder")
    static(folder / "plain-static")
    static(folder / "prompted", {"query": "질문: ", "document": "문서: "})
    static(folder / "KoE5")
    pooled = Transformer(str(folder / "my-encoder"))
    SentenceTransformer(modules=[pooled, Pooling(32, pooling_mode="mean")], device="cpu").save_pretrained(
        str(folder / "mean-pooled")
    )
    return folder


def hidden(folder: Path, texts: list[str]) -> list[np.ndarray]:
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        return [model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].numpy() for text in texts]


def unit(rows: list[np.ndarray]) -> np.ndarray:
    return np.stack([row / np.linalg.norm(row) for row in rows])


def by_hand(folder: Path, texts: list[str]) -> np.ndarray:
    """Mean of the word vectors of a static model."""
    weights = load_file(folder / "model.safetensors")["embedding.weight"].numpy()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return unit([weights[tokenizer.encode(text, add_special_tokens=False).ids].mean(axis=0) for text in texts])


# Pooling


def test_a_plain_checkpoint_with_a_card_takes_the_first_token(models_at: Path) -> None:
    folder = models_at / "KoSimCSE-roberta"
    embedder = Embedder(str(folder))
    assert embedder.card.name == "BM-K/KoSimCSE-roberta"
    states = hidden(folder, TEXTS)
    np.testing.assert_allclose(embedder.embed_queries(TEXTS), unit([s[0] for s in states]), atol=1e-5)
    assert not np.allclose(embedder.embed_queries(TEXTS), unit([s.mean(axis=0) for s in states]), atol=1e-3)


def test_a_card_can_be_given_for_a_copy_under_another_name(models_at: Path) -> None:
    embedder = Embedder(str(models_at / "my-encoder"), card="KoSimCSE-roberta")
    expected = unit([s[0] for s in hidden(models_at / "my-encoder", TEXTS)])
    np.testing.assert_allclose(embedder.embed_passages(TEXTS), expected, atol=1e-5)


def test_stored_modules_are_used_as_they_are(models_at: Path) -> None:
    expected = unit([s.mean(axis=0) for s in hidden(models_at / "my-encoder", TEXTS)])
    np.testing.assert_allclose(Embedder(str(models_at / "mean-pooled")).embed_queries(TEXTS), expected, atol=1e-5)


def test_a_batch_gives_what_one_by_one_gives(models_at: Path) -> None:
    embedder = Embedder(str(models_at / "KoSimCSE-roberta"), EmbedSettings(batch_tokens=64))
    alone = np.concatenate([embedder.embed_passages([text]) for text in TEXTS])
    np.testing.assert_allclose(embedder.embed_passages(TEXTS), alone, atol=1e-5)


# Prefixes


def test_a_known_name_brings_its_prefixes(models_at: Path) -> None:
    embedder = Embedder(str(models_at / "KoE5"))
    assert embedder.prefixes == ("query: ", "passage: ")
    folder = models_at / "KoE5"
    np.testing.assert_allclose(
        embedder.embed_queries(TEXTS), by_hand(folder, [f"query: {t}" for t in TEXTS]), atol=1e-5
    )
    np.testing.assert_allclose(
        embedder.embed_passages(TEXTS), by_hand(folder, [f"passage: {t}" for t in TEXTS]), atol=1e-5
    )


def test_an_unknown_model_uses_its_stored_prompts(models_at: Path) -> None:
    folder = models_at / "prompted"
    embedder = Embedder(str(folder))
    assert embedder.prefixes == ("질문: ", "문서: ")
    np.testing.assert_allclose(embedder.embed_queries(TEXTS), by_hand(folder, [f"질문: {t}" for t in TEXTS]), atol=1e-5)
    np.testing.assert_allclose(
        embedder.embed_passages(TEXTS), by_hand(folder, [f"문서: {t}" for t in TEXTS]), atol=1e-5
    )


def test_a_stored_default_prompt_is_not_put_before_ours(tmp_path: Path) -> None:
    folder = static(tmp_path / "model", {"query": "질문: "})
    config = folder / "config_sentence_transformers.json"
    config.write_text(config.read_text().replace('"default_prompt_name": null', '"default_prompt_name": "query"'))
    np.testing.assert_allclose(Embedder(str(folder)).embed_passages(TEXTS), by_hand(folder, TEXTS), atol=1e-5)


def test_settings_win_over_card_and_prompts(models_at: Path) -> None:
    settings = EmbedSettings(query_prefix="", passage_prefix="문서: ", dense_weight=0.9)
    for name in ("KoE5", "prompted"):
        embedder = Embedder(str(models_at / name), settings)
        assert embedder.prefixes == ("", "문서: ")
        assert embedder.dense_weight == 0.9
        np.testing.assert_allclose(embedder.embed_queries(TEXTS), by_hand(models_at / name, TEXTS), atol=1e-5)


def test_a_prefix_is_not_put_twice_and_that_is_said_once(models_at: Path, caplog: pytest.LogCaptureFixture) -> None:
    embedder = Embedder(str(models_at / "KoE5"))
    with caplog.at_level(logging.WARNING, logger="kure_rag"):
        doubled = embedder.embed_queries([f"query: {text}" for text in TEXTS])
    np.testing.assert_array_equal(doubled, embedder.embed_queries(TEXTS))
    assert sum("not put twice" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.parametrize("written", ["query: ", "Query:", "\nQUERY:  "])
def test_a_text_with_the_other_role_s_prefix_is_told_and_kept(
    models_at: Path, caplog: pytest.LogCaptureFixture, written: str
) -> None:
    embedder, folder = Embedder(str(models_at / "KoE5")), models_at / "KoE5"
    for _ in range(2):
        found = embedder.embed_passages([written + TEXTS[0], TEXTS[1]])
    np.testing.assert_allclose(
        found, by_hand(folder, [f"passage: {written}{TEXTS[0]}", f"passage: {TEXTS[1]}"]), atol=1e-5
    )
    told = [r.getMessage() for r in caplog.records if "other role" in r.getMessage()]
    assert len(told) == 1
    assert "1 of 2 texts begin with 'query: '" in told[0]


# Shapes and texts


def test_long_texts_are_counted_over_all_and_told_once(models_at: Path, caplog: pytest.LogCaptureFixture) -> None:
    long = "휴가 " * 80
    texts = [long if i in (3, 600, 1290) else "휴가" for i in range(1300)]  # more than are tokenised at once
    embedder = Embedder(str(models_at / "my-encoder"), EmbedSettings(pooling="mean"))
    for _ in range(2):
        embedder.embed_passages(texts)
    told = [r.getMessage() for r in caplog.records if "over its limit" in r.getMessage()]
    assert len(told) == 1
    assert "3 of 1300 texts are over its limit of 64 tokens (the first has 162)" in told[0]


def test_vectors_are_unit_float32_rows(models_at: Path) -> None:
    vectors = Embedder(str(models_at / "plain-static")).embed_passages(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (3, 16)
    assert vectors.flags.c_contiguous
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_normalising_can_be_turned_off(models_at: Path) -> None:
    vectors = Embedder(str(models_at / "plain-static"), EmbedSettings(normalize=False)).embed_passages(TEXTS)
    assert not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "dimension", "told"),
    [("KoE5", 8, "(it is for no other length)"), ("prompted", 8, None), ("KoE5", 16, None)],
)
def test_vectors_cut_to_a_length_that_a_model_was_not_trained_for_are_told(
    models_at: Path, caplog: pytest.LogCaptureFixture, name: str, dimension: int, told: str | None
) -> None:
    embedder = Embedder(str(models_at / name), EmbedSettings(dimension=dimension))
    assert embedder.embed_queries(TEXTS).shape == (3, dimension)
    said = [r.getMessage() for r in caplog.records if "vectors are cut to" in r.getMessage()]
    assert len(said) == (told is not None)
    assert told is None or told in said[0]


def test_a_length_of_the_card_is_no_news(models_at: Path, caplog: pytest.LogCaptureFixture) -> None:
    embedder = Embedder(
        str(models_at / "plain-static"),
        EmbedSettings(dimension=8),
        card=ModelCard(name="우리/모델", dimensions=(16, 8)),
    )
    assert embedder.embed_queries(TEXTS).shape == (3, 8)
    assert not caplog.records


def test_no_texts(models_at: Path) -> None:
    embedder = Embedder(str(models_at / "plain-static"))
    assert embedder.dimension == 16
    for vectors in (embedder.embed_queries([]), embedder.embed_passages([])):
        assert (vectors.shape, vectors.dtype) == ((0, 16), np.float32)


def test_decomposed_text_gives_the_same_vector(models_at: Path) -> None:
    embedder = Embedder(str(models_at / "plain-static"))
    decomposed = [unicodedata.normalize("NFD", text) for text in TEXTS]
    np.testing.assert_array_equal(embedder.embed_queries(decomposed), embedder.embed_queries(TEXTS))


@pytest.mark.parametrize("bad", ["", " \n\u3000", "반쪽 \ud83d 글자", "\udfff", None, 3])
def test_texts_that_cannot_be_embedded(models_at: Path, bad: str) -> None:
    embedder = Embedder(str(models_at / "plain-static"))
    for embed in (embedder.embed_queries, embedder.embed_passages):
        with pytest.raises(InvalidTextError, match="text 2 ") as caught:
            embed(["휴가", "보험", bad, ""])
        assert caught.value.position == 2


def test_a_vector_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    folder = static(tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    save_file(
        {key: torch.full_like(value, float("nan")) for key, value in weights.items()}, folder / "model.safetensors"
    )
    with pytest.raises(EmbeddingError, match="not finite for text 0"):
        Embedder(str(folder)).embed_queries(TEXTS)


# Identity


def test_is_an_embedder(models_at: Path) -> None:
    embedder = Embedder(str(models_at / "plain-static"))
    assert isinstance(embedder, EmbedderLike)
    assert embedder.name == "plain-static"
    assert Embedder(str(models_at / "KoE5")).name == "nlpai-lab/KoE5"


def test_fingerprint_loads_nothing_and_is_stable(models_at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Embedder, "load", None)
    folder = str(models_at / "prompted")
    assert Embedder(folder).fingerprint == Embedder(folder).fingerprint
    assert str(Embedder(folder).fingerprint["revision"]).startswith("local-")
    assert Embedder("KURE-v1").fingerprint["revision"] == "d14c8a9423946e268a0c9952fecf3a7aabd73bd9"


@pytest.mark.parametrize(
    "settings",
    [EmbedSettings(query_prefix="물음: "), EmbedSettings(passage_prefix="글: "), EmbedSettings(normalize=False)],
)
def test_fingerprint_changes_with_what_changes_vectors(models_at: Path, settings: EmbedSettings) -> None:
    folder = str(models_at / "prompted")
    assert Embedder(folder, settings).fingerprint != Embedder(folder).fingerprint


def test_fingerprint_does_not_change_with_what_does_not(models_at: Path) -> None:
    folder = str(models_at / "prompted")
    settings = EmbedSettings(batch_tokens=300, device="cpu", dense_weight=0.1, local_files_only=True)
    assert Embedder(folder, settings).fingerprint == Embedder(folder).fingerprint


def test_fingerprint_changes_with_the_weights(tmp_path: Path) -> None:
    folder = static(tmp_path / "model")
    before = Embedder(str(folder)).fingerprint
    static(folder, seed=1)
    assert Embedder(str(folder)).fingerprint != before


@pytest.mark.parametrize("name", ["modeling_ours.py", "vocab.vocab", "words.tiktoken", "chat_template.jinja"])
def test_fingerprint_changes_with_code_and_every_file_of_a_tokenizer(tmp_path: Path, name: str) -> None:
    folder = static(tmp_path / "model")
    (folder / "README.md").write_text("설명")
    without = Embedder(str(folder)).fingerprint
    (folder / name).write_text("하나")
    before = Embedder(str(folder)).fingerprint
    assert before != without
    (folder / name).write_text("다른 둘")
    assert Embedder(str(folder)).fingerprint != before
    (folder / name).unlink()
    (folder / "README.md").write_text("다른 설명")  # which changes no vector
    assert Embedder(str(folder)).fingerprint == without


@pytest.mark.parametrize("settings", [{}, {"backend": "openvino"}])
def test_a_folder_has_no_other_revision_than_its_own(models_at: Path, settings: dict[str, Any]) -> None:
    folder = str(models_at / "prompted")
    own = str(Embedder(folder).fingerprint["revision"])
    with pytest.raises(EmbeddingError, match=f"prompted: a local folder, whose revision is {own}, and revision='abc'"):
        Embedder(folder, EmbedSettings(revision="abc", **settings)).load()
    assert Embedder(folder, EmbedSettings(revision=own)).embed_queries(["휴가"]).shape[0] == 1


def test_the_bundled_model_has_no_other_revision_than_its_own() -> None:
    with pytest.raises(EmbeddingError, match="leave revision out"):
        Embedder("static-ko", EmbedSettings(revision="main")).embed_queries(["휴가"])


def test_a_card_given_for_a_name_on_the_hub_keeps_that_name() -> None:
    embedder = Embedder("someone/finetuned-koe5", card="KoE5")
    assert embedder.name == "someone/finetuned-koe5"
    assert embedder.prefixes == ("query: ", "passage: ")
    assert embedder.card.revision is None
    assert Embedder("KoE5", card="KoE5").card.revision is not None
    own = ModelCard(name="내 모델", query_prefix="물음: ")
    assert Embedder("someone/other", card=own).prefixes == ("물음: ", "")


def test_the_size_of_the_cache_is_a_setting(models_at: Path, tmp_path: Path) -> None:
    settings = EmbedSettings(cache=tmp_path / "vectors", cache_bytes=2 << 20)
    cache = Embedder(str(models_at / "plain-static"), settings).cache
    assert cache is not None
    assert cache.settings.max_bytes == 2 << 20


@pytest.mark.parametrize("wrong", [{"timeout": 0.0}, {"retries": -1}, {"cache_bytes": 1000}])
def test_settings_of_servers_and_caches_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        EmbedSettings(**wrong)  # type: ignore[arg-type]
