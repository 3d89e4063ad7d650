"""Texts over a limit are told wherever that can be known: on servers, in the library's own modules, from the cache."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_models
import torch
from cache_engine import TEXTS, Engine, cache_in
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import BoW, Pooling, WordEmbeddings
from sentence_transformers.sentence_transformer.modules.tokenizer import WhitespaceTokenizer
from stand_in_embeddings import Answer, Request, StandIn, right, serving, vector_of

from kure_rag import KureEmbeddings, KureIndex
from kure_rag.embed import Embedder, EmbedSettings, ModelCard
from kure_rag.embed.backends.library import LibraryBackend
from kure_rag.embed.backends.remote import RemoteBackend, RemoteSettings
from kure_rag.errors import EmbeddingError, FingerprintMismatchError, InvalidTextError, TextTooLongError
from kure_rag.read.corpus import Record

LIMIT = 20
CARD = ModelCard(name="someone/model", max_tokens=LIMIT)
SHORT = "연차휴가는 며칠인가요?"
LONG = "휴가 규정 " * 13  # 26 words, 78 characters: more than fit, and not beyond all doubt
ENDLESS = LONG * 10


# Servers that cut in silence


def cutting(*, counts: bool, before_the_cut: bool = False) -> Callable[[Request], Answer]:
    """A server of OpenAI's protocol that embeds the beginnings of texts and answers 200. A token is a word."""

    def answer(request: Request) -> Answer:
        cut = [" ".join(text.split()[:LIMIT]) for text in request.body["input"]]
        rows = [{"index": i, "embedding": vector_of(text).tolist()} for i, text in enumerate(cut)]
        used = sum(len(text.split()) for text in (request.body["input"] if before_the_cut else cut))
        return Answer(body={"data": rows, **({"usage": {"prompt_tokens": used}} if counts else {})})

    return answer


@pytest.fixture
def server() -> Iterator[StandIn]:
    pytest.importorskip("httpx", reason="the extra `remote` is not installed")
    with serving(model="someone/model") as running:
        yield running


def of(server: StandIn, **settings: Any) -> Embedder:
    return Embedder(
        "someone/model", EmbedSettings(backend="remote", endpoint=f"{server.url}/v1", **settings), card=CARD
    )


@pytest.mark.parametrize("before_the_cut", [False, True])
def test_a_server_that_cuts_in_silence_is_found_out_by_its_count(
    server: StandIn, before_the_cut: bool, caplog: pytest.LogCaptureFixture
) -> None:
    server.before = cutting(counts=True, before_the_cut=before_the_cut)
    told = "26" if before_the_cut else "at least 20"
    with pytest.raises(TextTooLongError, match=f"text 2 has {told} tokens and someone/model uses 20") as caught:
        of(server, too_long="raise").embed_passages([SHORT, "휴가", LONG, SHORT])
    assert caught.value.position == 2
    embedder = of(server)
    for _ in range(2):
        vectors = embedder.embed_passages([SHORT, "휴가", LONG, "급여", LONG])
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"at least 2 of 5 texts are over its limit of 20 tokens (the first has {told})" in caplog.text
    expected = right([SHORT, "휴가", " ".join(LONG.split()[:LIMIT]), "급여"])
    np.testing.assert_allclose(vectors[:4], expected / np.linalg.norm(expected, axis=1, keepdims=True), rtol=1e-5)


def test_only_texts_that_may_be_too_long_are_asked_for_alone(server: StandIn) -> None:
    server.before = cutting(counts=True)
    of(server).embed_passages([SHORT, LONG, "휴가", LONG, "급여"])
    assert sorted(len(request.body["input"]) for request in server.asked) == [1, 1, 3]


def test_short_texts_together_over_the_limit_are_none_too_long(
    server: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    server.before = cutting(counts=True)
    of(server, too_long="raise").embed_passages([SHORT] * 30)
    assert len(server.asked) == 1
    assert not caplog.records


def test_a_batch_in_which_all_fill_the_limit_has_one_over_it(server: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    """Words of one letter: fewer characters than are looked at one by one."""
    server.before = cutting(counts=True)
    dense = "가" + " 나" * 12
    server.before = lambda request: Answer(
        body={
            "data": [{"index": i, "embedding": [1.0, 2.0]} for i in range(len(request.body["input"]))],
            "usage": {"prompt_tokens": LIMIT * len(request.body["input"])},
        }
    )
    of(server).embed_passages([dense, dense + " 다"])
    assert "at least 1 of 2 texts are over its limit of 20 tokens (the first has at least 20)" in caplog.text


def test_a_server_that_does_not_count_is_watched_by_characters_alone(
    server: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    server.before = cutting(counts=False)
    embedder = of(server)
    embedder.embed_passages([SHORT, LONG])
    assert not caplog.records, "more than fit, which cannot be seen"
    server.requests.clear()
    embedder.embed_passages([SHORT, LONG, "휴가", LONG])
    assert len(server.asked) == 1, "nothing is asked for alone where that tells nothing"
    embedder.embed_passages([SHORT, ENDLESS])
    assert "at least 1 of 2 texts are over its limit of 20 tokens (the first has at least 20)" in caplog.text
    with pytest.raises(TextTooLongError, match="text 1 has at least 20 tokens"):
        of(server, too_long="raise").embed_passages([SHORT, ENDLESS])


def test_characters_mean_nothing_where_the_server_counts_few_tokens(
    server: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    server.before = cutting(counts=True)
    of(server, too_long="raise").embed_passages(["ㅋ" * 500])
    assert not caplog.records


def test_without_a_known_limit_nothing_is_said(server: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    server.before = cutting(counts=True)
    made = RemoteBackend(f"{server.url}/v1", replace(CARD, max_tokens=None), too_long="raise")
    made.encode([ENDLESS], role="passage", too_long=lambda found: pytest.fail(str(found)))
    assert not caplog.records


def test_no_texts_are_no_request(server: StandIn) -> None:
    with pytest.raises(ValueError, match="no texts"):
        RemoteBackend(f"{server.url}/v1", CARD, settings=RemoteSettings()).encode([], role="query")
    assert not server.requests


def test_a_server_is_not_asked_to_use_fewer_tokens(server: StandIn) -> None:
    with pytest.raises(ValueError, match=r"max_tokens=16 with backend='remote'.*leave it out"):
        of(server, max_tokens=16)


# The library's own modules

WORDS = ["PADDING", "가", "나", "다"]


def word_vectors(limit: int = 4) -> SentenceTransformer:
    weights = np.random.default_rng(0).normal(size=(len(WORDS), 8)).astype(np.float32)
    words = WordEmbeddings(
        WhitespaceTokenizer(WORDS, stop_words=[], do_lower_case=False), weights, max_seq_length=limit
    )
    return SentenceTransformer(modules=[words, Pooling(8)], device="cpu")


def test_the_librarys_word_vectors_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    word_vectors().save_pretrained(str(tmp_path / "낱말"))
    texts = ["가 나 다", "가 가 가 가 나 나", "가 가 가 가"]
    embedder = Embedder(str(tmp_path / "낱말"), EmbedSettings(device="cpu"))
    vectors = embedder.embed_passages(texts)
    assert isinstance(embedder.load(), LibraryBackend)
    np.testing.assert_allclose(vectors[1], vectors[2], atol=1e-6)
    assert "1 of 3 texts are over its limit of 4 tokens (the first has 6)" in caplog.text
    with pytest.raises(TextTooLongError, match="text 1 has 6 tokens and 낱말 uses 4"):
        Embedder(str(tmp_path / "낱말"), EmbedSettings(device="cpu", too_long="raise")).embed_passages(texts)
    shorter = Embedder(str(tmp_path / "낱말"), EmbedSettings(device="cpu", max_tokens=1)).embed_passages(texts[:1])
    np.testing.assert_allclose(shorter, embedder.embed_passages(["가"]), atol=1e-6)


def test_modules_without_a_limit_cannot_be_given_one(caplog: pytest.LogCaptureFixture) -> None:
    bag = SentenceTransformer(modules=[BoW(WORDS)], device="cpu")
    made = LibraryBackend(bag)
    assert made.max_tokens is None
    made.encode(["가 나 다 " * 100], role="passage", too_long=lambda found: pytest.fail(str(found)))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    with pytest.raises(EmbeddingError, match=r"max_tokens=3.*BoW, cuts no texts"):
        LibraryBackend(bag, max_tokens=3)


class Opaque(torch.nn.Module):
    """A first module that cuts, and has no tokenizer that could be asked."""

    max_seq_length = 3

    def preprocess(self, inputs: list[str], **others: Any) -> dict[str, torch.Tensor]:
        return {"lengths": torch.tensor([[min(len(text), 3), 1.0] for text in inputs])}

    def forward(self, features: dict[str, torch.Tensor], **others: Any) -> dict[str, torch.Tensor]:
        return {**features, "sentence_embedding": features["lengths"]}

    def get_embedding_dimension(self) -> int:
        return 2


def test_a_limit_that_cannot_be_watched_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    made = LibraryBackend(SentenceTransformer(modules=[Opaque()], device="cpu"))
    for _ in range(2):
        made.encode(["휴가 규정"], role="passage")
    [told] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert told.startswith("Opaque cuts texts at 3 tokens, and its tokenizer cannot be asked")


# The cache


def test_a_cut_text_from_the_cache_is_told_in_a_later_process(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = EmbedSettings(cache=tmp_path, max_tokens=3)
    texts = [SHORT, "휴가", SHORT]
    first = Embedder("static-ko", settings).embed_passages(texts)
    [told] = [record.getMessage() for record in caplog.records]
    assert "2 of 3 texts are over its limit of 3 tokens (the first has " in told
    caplog.clear()
    later = Embedder("static-ko", settings)
    later.load = None  # type: ignore[method-assign]
    for _ in range(2):
        np.testing.assert_array_equal(later.embed_passages(texts), first)
    [again] = [record.getMessage() for record in caplog.records]
    assert again == told.replace(" of 3 tokens", ""), "the same, but for the limit, which only the model knows"


def test_the_cache_keeps_the_tokens_of_cut_texts_and_tells_all_positions(tmp_path: Path) -> None:
    engine, over = Engine(), {1: 700}
    texts = [*TEXTS, TEXTS[1]]
    cache_in(tmp_path).through(texts, "passage", 4, lambda at: engine.right([texts[i] for i in at]), over=over)
    assert over == {1: 700, 3: 700}
    found: dict[int, int] = {}
    vectors = cache_in(tmp_path).through(texts[::-1], "passage", 4, None, over=found)  # type: ignore[arg-type]
    assert found == {0: 700, 2: 700}
    np.testing.assert_array_equal(vectors, engine.right(texts[::-1]))


def test_rows_from_before_count_as_whole_and_whole_rows_are_as_before(tmp_path: Path) -> None:
    cache, engine = cache_in(tmp_path), Engine()
    old = dict(zip(cache._keys(TEXTS, "passage"), engine.right(TEXTS), strict=True))
    cache._file.write((key, row.tobytes()) for key, row in old.items())
    found: dict[int, int] = {}
    np.testing.assert_array_equal(
        cache_in(tmp_path).through(TEXTS, "passage", 4, None, over=found),  # type: ignore[arg-type]
        engine.right(TEXTS),
    )
    assert found == {}
    engine.through(cache, ["새 문장"])
    rows = cache._file.read(cache._keys(["새 문장"], "passage"), (16, 16))
    assert list(rows.values()) == [engine.vector("새 문장", "passage").tobytes()], "what older versions read"


# Another limit is another model


def card(limit: int | None) -> ModelCard:
    return ModelCard(name="누군가/모델", pooling="mean", max_tokens=limit)


def test_a_card_with_another_limit_shares_no_cached_vectors(tmp_path: Path) -> None:
    folder = str(small_models.transformer(tmp_path / "모델", small_models.xlm_roberta))
    for limit in (100, 20, None):
        cached = EmbedSettings(device="cpu", cache=tmp_path / "cache")
        vectors = [
            Embedder(folder, settings, card=card(limit)).embed_passages([LONG])
            for settings in (cached, EmbedSettings(device="cpu"))
        ]
        np.testing.assert_allclose(*vectors, atol=1e-5)


def test_an_index_takes_no_vectors_that_were_cut_elsewhere(tmp_path: Path) -> None:
    folder = str(small_models.transformer(tmp_path / "모델", small_models.xlm_roberta))

    def opened(limit: int) -> KureIndex:
        return KureIndex.open(tmp_path / "index", embeddings=Embedder(folder, card=card(limit)))

    with opened(16) as index:
        index.add_records([Record("1", "", "연차휴가는 15일로 한다.")], workers=1)
    with opened(16):
        pass
    with pytest.raises(FingerprintMismatchError, match="max_tokens"), opened(128):
        pass


def test_fingerprints_of_models_used_as_their_own_card_says_stay_as_they_were(tmp_path: Path) -> None:
    keys = {"model", "revision", "query_prefix", "passage_prefix", "pooling", "normalize"}
    koe5 = Embedder(str(small_models.transformer(tmp_path / "KoE5", small_models.xlm_roberta)))
    assert set(koe5.fingerprint) == keys
    assert set(Embedder(str(koe5.folder), card="KoE5").fingerprint) == keys
    asked = Embedder(str(koe5.folder), EmbedSettings(max_tokens=600)).fingerprint
    assert {key: asked[key] for key in set(asked) - keys} == {"max_tokens": 600}


def test_each_limit_of_a_card_beside_those_of_the_settings_is_told_apart(tmp_path: Path) -> None:
    folder = str(small_models.transformer(tmp_path / "KoE5", small_models.xlm_roberta))
    named = Embedder(folder).card  # 512 tokens

    def told(limit: int | None, most: int | None = None) -> dict[str, Any]:
        found = Embedder(folder, EmbedSettings(max_tokens=most), card=replace(named, max_tokens=limit)).fingerprint
        return {key: value for key, value in found.items() if "max_tokens" in key}

    assert told(512) == {}
    assert told(128) == told(512, 128) == told(128, 300) == told(None, 128) == {"max_tokens": 128}
    assert told(None) == {"card_max_tokens": "none"}
    assert told(700) == {"card_max_tokens": 700}
    assert told(700, 600) == {"card_max_tokens": 700, "max_tokens": 600}
    other = Embedder(folder, card=replace(named, tokenizer="kobert")).fingerprint
    assert other["tokenizer_of_card"] == "kobert"


def test_a_static_model_keeps_its_cards_limit() -> None:
    given = Embedder("static-ko", card=replace(Embedder("static-ko").card, max_tokens=3))
    np.testing.assert_array_equal(
        given.embed_passages([SHORT]), Embedder("static-ko", EmbedSettings(max_tokens=3)).embed_passages([SHORT])
    )


# A text where a list is wanted


def test_one_text_where_a_list_is_wanted_is_an_error() -> None:
    for embed in (
        Embedder("static-ko").embed_passages,
        Embedder("static-ko").embed_queries,
        KureEmbeddings("static-ko").embed_documents,
    ):
        with pytest.raises(InvalidTextError, match=r"one text \('휴가'\) where a list is wanted; pass \[text\]"):
            embed("휴가")
