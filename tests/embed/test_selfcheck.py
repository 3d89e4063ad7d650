"""The self-check finds what can go wrong with a model: each test breaks one thing and names the check that tells."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_models
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding, Transformer
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, T5Config, T5EncoderModel, set_seed

from kure_rag.embed import Embedder, EmbedSettings
from kure_rag.embed.cards import CARDS, ModelCard, Reference
from kure_rag.embed.folders import read_folder
from kure_rag.embed.selfcheck import Check, check_model, summary
from kure_rag.errors import EmbeddingError

# A static model of six words and three numbers: with its prefixes, "휴가" as a query is (1, 0, 1), "병가" as a passage
# is (1, 1, 0) and "주차" is (0, 1, -1), so that the cosines below can be worked out on paper.
WORDS = {
    "[UNK]": (1, 2, 3),
    "query:": (0, 0, 1),
    "passage:": (0, 1, 0),
    "휴가": (1, 0, 0),
    "병가": (1, 0, 0),
    "주차": (0, 0, -1),
}
REFERENCE = Reference(
    query="휴가", passages=("병가", "주차"), similarities=((0, 1, 0.5), (0, 2, -0.5), (1, 2, 0.5)), source="on paper"
)
CARD = ModelCard(name="우리/KoE5", query_prefix="query: ", passage_prefix="passage: ", dimension=3, reference=REFERENCE)
WITH_PREFIXES = [
    *("dimension", "finite numbers", "length of vectors", "max tokens", "texts together and alone"),
    *("query prefix", "query prefix, not twice", "passage prefix", "passage prefix, not twice"),
    *("a text as query and passage",),
    *("query prompt in the weights", "passage prompt in the weights"),
    *("similarity of query and passage 1", "similarity of query and passage 2"),
    "similarity of passage 1 and passage 2",
]


def static(folder: Path, prompts: dict[str, str] | None = None, words: dict[str, Sequence[float]] = WORDS) -> str:
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    module = StaticEmbedding(tokenizer, embedding_weights=np.array(list(words.values()), np.float32))
    SentenceTransformer(modules=[module], prompts=prompts, device="cpu").save_pretrained(str(folder))
    return str(folder)


def syllables(folder: Path) -> dict[str, Any]:
    """Saves a tokenizer of Hangul syllables and gives what a configuration needs to know of it."""
    letters = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *map(chr, range(0x21, 0x7F)), *map(chr, range(0xAC00, 0xD7A4))]
    tokenizer = Tokenizer(models.WordLevel({letter: i for i, letter in enumerate(letters)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex("."), "isolated")]
    )
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    return {"vocab_size": len(letters), "pad_token_id": 0}


def encoder(folder: Path) -> str:
    set_seed(0)
    config = BertConfig(
        **syllables(folder),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=160,
    )
    BertModel(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def koe5(tmp_path_factory: pytest.TempPathFactory) -> str:
    return static(tmp_path_factory.mktemp("models") / "KoE5")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> str:
    return encoder(tmp_path_factory.mktemp("models") / "encoder")


def failed(embedder: Embedder, **settings: Any) -> list[str]:
    found = check_model(embedder, **settings)
    names = [check.name for check in found.checks if check.passed is False]
    assert found.passed == (not names)
    return names


def named(embedder: Embedder, name: str) -> Check:
    [check] = [check for check in check_model(embedder).checks if check.name == name]
    return check


def test_a_model_that_does_what_its_card_says_passes(koe5: str) -> None:
    found = check_model(Embedder(koe5, card=CARD))
    assert found.model == "KoE5"  # the folder's name: the made-up card is not among the known ones
    assert found.passed
    assert [check.name for check in found.checks] == WITH_PREFIXES
    told = {check.name: (check.expected, check.got, check.passed) for check in found.checks}
    assert told["dimension"] == ("3", "3", True)
    assert told["similarity of query and passage 1"] == ("0.5000 ± 0.005", "0.5000", True)
    assert told["similarity of query and passage 2"] == ("-0.5000 ± 0.005", "-0.5000", True)
    assert told["query prompt in the weights"] == ("'query: '", "none stored", None)
    assert told["max tokens"] == ("not stated", "no limit known", None)
    assert summary(found.checks) == "12 passed, 0 failed, 3 with nothing to compare"


def test_the_card_found_by_the_folders_name_is_what_is_checked(koe5: str) -> None:
    names = failed(Embedder(koe5))
    assert "dimension" in names  # KoE5's has 1024 numbers
    assert "similarity of query and passage 1" in names  # the published one, of other weights
    assert not {"query prefix", "passage prefix", "a text as query and passage"} & set(names)


@pytest.mark.parametrize("setting", [{"query_prefix": ""}, {"passage_prefix": ""}, {"query_prefix": "passage: "}])
def test_other_prefixes_than_the_cards_move_the_similarities(koe5: str, setting: dict[str, str]) -> None:
    assert "similarity of query and passage 1" in failed(Embedder(koe5, EmbedSettings(**setting), card=CARD))


def test_other_weights_have_other_similarities(tmp_path: Path) -> None:
    folder = static(tmp_path / "KoE5", words={**WORDS, "주차": (0, 1, 0)})
    assert failed(Embedder(folder, card=CARD)) == [
        "similarity of query and passage 2",
        "similarity of passage 1 and passage 2",
    ]


def test_the_tolerance_is_the_callers(koe5: str) -> None:
    off = replace(REFERENCE, similarities=((0, 1, 0.504), (0, 2, -0.5), (1, 2, 0.5)))
    embedder = Embedder(koe5, card=replace(CARD, reference=off))
    assert failed(embedder) == []
    assert failed(embedder, tolerance=0.003) == ["similarity of query and passage 1"]
    assert failed(embedder, tolerance=0.0041) == []


def test_the_dimension_is_that_of_settings_or_card(koe5: str) -> None:
    assert failed(Embedder(koe5, card=replace(CARD, dimension=4))) == ["dimension"]
    cut = replace(CARD, query_prefix="", passage_prefix="", reference=None)  # prefixes live in the third number
    assert failed(Embedder(koe5, EmbedSettings(dimension=2), card=cut)) == []
    assert named(Embedder(koe5, EmbedSettings(dimension=2), card=cut), "dimension").got == "2"
    assert named(Embedder(koe5, card=replace(cut, dimension=None)), "dimension").passed is None


def test_vectors_of_any_length_pass_where_they_are_not_scaled(koe5: str) -> None:
    embedder = Embedder(koe5, EmbedSettings(normalize=False), card=CARD)
    assert failed(embedder) == []
    assert named(embedder, "length of vectors").passed is None


def test_prompts_that_the_weights_bring_are_compared_with_the_card(tmp_path: Path) -> None:
    same = static(tmp_path / "same", {"query": "query: ", "document": "passage: "})
    other = static(tmp_path / "other", {"query": "질의: ", "document": "passage: "})
    assert named(Embedder(same, card=CARD), "query prompt in the weights").passed is True
    assert failed(Embedder(other, card=CARD)) == ["query prompt in the weights"]
    assert named(Embedder(other, card=CARD), "query prompt in the weights").got == "'질의: '"


def test_a_model_without_card_is_checked_by_what_it_stores(tmp_path: Path) -> None:
    folder = static(tmp_path / "우리 모델", {"query": "query: ", "document": "passage: "})
    found = check_model(Embedder(folder))
    assert found.passed
    assert found.checks[-1].expected == "no published reference"
    assert found.checks[-1].passed is None
    assert [check.name for check in found.checks if "prefix" in check.name] == WITH_PREFIXES[5:9]


def told(embedder: Embedder, name: str) -> list[str]:
    return [check.got for check in check_model(embedder).checks if check.name == name]


def test_pooling_and_what_is_assumed_are_told_of_a_model_without_card(tmp_path: Path) -> None:
    folder = str(small_models.plain_checkpoint(tmp_path / "우리 모델"))
    found = check_model(Embedder(folder))
    assert all(check.passed is None for check in found.checks if check.name in {"pooling", "assumed"})
    assert told(Embedder(folder), "pooling") == ["mean"]
    assumed = list(read_folder(Path(folder)).assumed)
    assert told(Embedder(folder), "assumed") == assumed
    assert any("nothing of pooling" in what for what in assumed)
    chosen = Embedder(folder, EmbedSettings(pooling="cls", query_prefix="질문: "))
    assert told(chosen, "pooling") == ["cls"]
    assert not any("pooling" in what or "prompts" in what for what in told(chosen, "assumed"))
    known = Embedder(folder, card="ko-sbert-nli")  # of which nothing is assumed
    assert told(known, "pooling") == told(known, "assumed") == []


def test_a_prefix_that_changes_nothing_is_found(tmp_path: Path) -> None:
    folder = static(tmp_path / "model", words={**WORDS, "query:": (1, 2, 3)})
    names = failed(Embedder(folder, card=replace(CARD, reference=None)))
    assert names == ["query prefix"]


def test_numbers_that_are_not_finite_end_the_check_and_fail(tmp_path: Path) -> None:
    folder = static(tmp_path / "model", words={**WORDS, "[UNK]": (1, float("nan"), 3)})
    found = check_model(Embedder(folder, card=CARD))
    assert not found.passed
    assert found.checks[-1].name == "error"
    assert "not finite" in found.checks[-1].got


def test_what_cannot_be_loaded_raises(tmp_path: Path) -> None:
    (tmp_path / "KoE5").mkdir()
    with pytest.raises(EmbeddingError, match="KoE5"):
        check_model(Embedder(str(tmp_path / "KoE5")))


def test_its_own_prefixed_texts_are_no_warning(koe5: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="kure_rag"):
        check_model(Embedder(koe5, card=CARD))
        assert not caplog.records
        Embedder(koe5, card=CARD).embed_queries(["query: 휴가"])
    assert len(caplog.records) == 1  # and afterwards the user's are told as before


# Encoders


def pooled(folder: str, pool: Callable[[torch.Tensor], torch.Tensor]) -> Reference:
    """The similarities that a model has with one way of pooling, computed without this package."""
    tokenizer, model = PreTrainedTokenizerFast.from_pretrained(folder), BertModel.from_pretrained(folder).eval()
    texts = ("휴가를 신청한다", "병가를 신청한다", "차를 지하에 세운다")
    with torch.no_grad():
        rows = [pool(model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]) for text in texts]
    unit = [row / row.norm() for row in rows]
    values = [(one, other, float(unit[one] @ unit[other])) for one, other in ((0, 1), (0, 2), (1, 2))]
    return Reference(query=texts[0], passages=texts[1:], similarities=tuple(values), source="transformers")


def test_pooling_is_checked_by_the_similarities(plain: str) -> None:
    first = ModelCard(name="우리/KoSimCSE", pooling="cls", dimension=32, max_tokens=160)
    card = replace(first, reference=pooled(plain, lambda states: states[0]))
    assert failed(Embedder(plain, card=card), tolerance=1e-4) == []
    mean = replace(card, reference=pooled(plain, lambda states: states.mean(dim=0)))
    assert failed(Embedder(plain, card=mean), tolerance=1e-4)
    assert failed(Embedder(plain, card=replace(mean, pooling="mean")), tolerance=1e-4) == []


def test_the_limit_is_the_cards(plain: str) -> None:
    card = ModelCard(name="우리/모델", pooling="mean", dimension=32, max_tokens=128)
    assert failed(Embedder(plain, card=card)) == []
    assert failed(Embedder(plain, EmbedSettings(max_tokens=64), card=card)) == []
    check = named(Embedder(plain, card=replace(card, max_tokens=512)), "max tokens")
    assert (check.expected, check.got, check.passed) == ("512", "160", False)


def test_the_encoder_of_a_t5_works_without_a_card(tmp_path: Path) -> None:
    folder = tmp_path / "sentence-t5"
    set_seed(0)
    config = T5Config(**syllables(folder), d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2)
    T5EncoderModel(config).save_pretrained(folder)
    pooled = Transformer(str(folder))
    SentenceTransformer(modules=[pooled, Pooling(32, pooling_mode="mean")], device="cpu").save_pretrained(str(folder))
    facts = read_folder(folder)
    assert (facts.architecture, facts.pooling, facts.dimension) == ("t5", "mean", 32)
    found = check_model(Embedder(str(folder)))
    assert found.passed
    assert found.checks[0].got == "32"


# Embedders that are broken in one way


class SwappedRoles(Embedder):
    def embed_queries(self, texts: Sequence[str], **more: Any) -> np.ndarray:
        return super().embed_passages(texts, **more)


class NoPrefixes(Embedder):
    def embed_queries(self, texts: Sequence[str], **more: Any) -> np.ndarray:
        return self.load().encode(texts, role="query")


class TwicePrefixed(Embedder):
    def embed_queries(self, texts: Sequence[str], **more: Any) -> np.ndarray:
        return self.load().encode([self.prefixes[0] + text for text in texts], role="query")


class OneVectorForAll(Embedder):
    def embed_passages(self, texts: Sequence[str], **more: Any) -> np.ndarray:
        return np.tile(super().embed_passages(texts[:1], **more), (len(texts), 1))


class NotScaled(Embedder):
    def embed_passages(self, texts: Sequence[str], **more: Any) -> np.ndarray:
        return super().embed_passages(texts, **more) * np.float32(1.01)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (SwappedRoles, {"query prefix", "query prefix, not twice", "a text as query and passage"}),
        (NoPrefixes, {"query prefix", "query prefix, not twice"}),
        (TwicePrefixed, {"query prefix, not twice"}),
        (NotScaled, {"length of vectors"}),
    ],
)
def test_a_broken_embedder_is_found(koe5: str, broken: type[Embedder], told: set[str]) -> None:
    assert set(failed(broken(koe5, card=replace(CARD, reference=None)))) == told


def test_batches_that_mix_up_texts_are_found(plain: str) -> None:
    card = ModelCard(name="우리/모델", pooling="mean", dimension=32, max_tokens=128)
    assert failed(OneVectorForAll(plain, card=card)) == ["texts together and alone"]


# With real weights: pytest -m weights


@pytest.mark.weights
@pytest.mark.parametrize("name", [card.name for card in CARDS.values() if card.reference is not None])
def test_published_similarities_hold(name: str) -> None:
    found = check_model(Embedder(name))
    assert [check for check in found.checks if check.passed is False] == []
    assert any(check.name.startswith("similarity of") for check in found.checks)
