import csv
import os
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from statistics import fmean
from typing import get_args

import pytest
from card_table import TABLE
from hypothesis import given
from hypothesis import strategies as st

import kure_rag.embed
from kure_rag.embed import CARDS, find_card
from kure_rag.embed.cards import DEFAULT_MODEL, USED_BY, Kind, ModelCard, check_name
from kure_rag.errors import UnknownModelError

DATA = Path(os.environ.get("KURE_RAG_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")

REVISIONS = {
    "nlpai-lab/KURE-v1": "d14c8a9423946e268a0c9952fecf3a7aabd73bd9",
    "nlpai-lab/KoE5": "bc6d284c60fe5a973e74c1751b92594c9f581213",
}
CUT_TO = {
    "Snowflake/snowflake-arctic-embed-l-v2.0": (1024, 256),
    "nomic-ai/nomic-embed-text-v2-moe": (768, 256),
    **{f"jhgan/ko-sroberta-{task}-mrl": (768, 512, 256, 128, 64, 32) for task in ("multitask", "nli", "sts")},
}
LICENCES = {
    **dict.fromkeys(("nlpai-lab/KURE-v1", "nlpai-lab/KoE5", "BAAI/bge-m3"), "MIT"),
    **{f"intfloat/multilingual-e5-{size}": "MIT" for size in ("small", "base", "large", "large-instruct")},
    **{name: "Apache-2.0" for name in TABLE if name.startswith("nlpai-lab/KURE-") and not name.endswith("v1")},
    **dict.fromkeys(("dragonkue/BGE-m3-ko", "dragonkue/bge-reranker-v2-m3-ko"), "Apache-2.0"),
    **dict.fromkeys(("Snowflake/snowflake-arctic-embed-l-v2.0", "nomic-ai/nomic-embed-text-v2-moe"), "Apache-2.0"),
    "kure-rag/static-ko": "CC-BY-SA-4.0",
}
SIMILARITIES = {
    "nlpai-lab/KURE-v1": ((0, 1, 0.6967), (0, 2, 0.5306), (1, 2, 0.4427)),
    "nlpai-lab/KoE5": ((0, 1, 0.6721), (0, 2, 0.3897), (1, 2, 0.3740)),
    "BM-K/KoSimCSE-roberta-multitask": ((0, 1, 0.8409), (0, 2, 0.2321)),
    "jhgan/ko-sroberta-multitask": ((0, 1, 0.8251), (0, 2, 0.2119)),
}
KOBERT = {"monologg/kobert", "skt/kobert-base-v1"}
REMOTE_CODE = {"nomic-ai/nomic-embed-text-v2-moe", "nlpai-lab/KURE-Sparse-base"}
KINDS = {"dense": 32, "sparse": 2, "late-interaction": 1, "reranker": 3}


def test_the_table_is_complete() -> None:
    assert list(CARDS) == list(TABLE)
    assert {kind: sum(card.kind == kind for card in CARDS.values()) for kind in USED_BY} == KINDS


@pytest.mark.parametrize("name", TABLE)
def test_card(name: str) -> None:
    card = CARDS[name]
    assert card.name == name
    pooling = (card.pooling, card.plain_pooling)
    facts = (card.kind, card.query_prefix, card.passage_prefix, *pooling, card.dimension, card.max_tokens)
    assert facts == TABLE[name]
    assert card.revision == REVISIONS.get(name)
    assert card.dimensions == CUT_TO.get(name, ())
    assert card.licence == LICENCES.get(name)
    assert card.normalize == (card.kind in ("dense", "late-interaction"))
    assert card.tokenizer == ("kobert" if name in KOBERT else "stored")
    assert card.needs_remote_code == (name in REMOTE_CODE)
    if card.kind == "dense":
        for_sentences = name.startswith(("jhgan/", "BM-K/", "monologg/", "skt/"))
        own = 0.15 if name == "kure-rag/static-ko" else 0.7  # the one that was measured itself
        assert card.dense_weight == (0.12 if for_sentences else own)


@pytest.mark.parametrize("card", CARDS.values(), ids=lambda card: card.name)
def test_facts_of_a_card_agree(card: ModelCard) -> None:
    assert list(card.dimensions) == sorted(set(card.dimensions), reverse=True)
    assert card.dimensions[:1] in ((), (card.dimension,))
    assert all(benchmark and metric and 0 < value < 1 for benchmark, metric, value in card.published)
    assert len({benchmark for benchmark, _, _ in card.published}) == len(card.published)


@pytest.mark.parametrize("name", TABLE)
def test_reference_similarities_are_the_published_ones(name: str) -> None:
    reference = CARDS[name].reference
    assert (None if reference is None else reference.similarities) == SIMILARITIES.get(name)
    if reference is not None:
        assert reference.source.startswith("README of github.com/")
        assert {i for one, other, _ in reference.similarities for i in (one, other)} == {0, 1, 2}
        assert len(reference.passages) == 2


def test_reference_sentences_are_those_of_the_readme() -> None:
    kure, koe5 = CARDS["nlpai-lab/KURE-v1"].reference, CARDS["nlpai-lab/KoE5"].reference
    assert kure is not None
    assert koe5 is not None
    assert (kure.query, kure.passages) == (koe5.query, koe5.passages)
    assert kure.query == "헌법과 법원조직법은 어떤 방식을 통해 기본권 보장 등의 다양한 법적 모색을 가능하게 했어"
    assert [len(passage) for passage in kure.passages] == [240, 603]
    assert "｢법원조직 법｣은 대법원" in kure.passages[0]  # half-width brackets and a stray space, as published
    assert "(Bundesverfassungsgerichtsgesetz: BVerfGG) 제17a조에" in kure.passages[1]
    assert not any("  " in passage or "\n" in passage for passage in kure.passages)


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "published").is_dir(), reason="no published tables; set KURE_RAG_DATA")
def test_published_means_are_those_of_the_table() -> None:
    scores = defaultdict(list)
    with (DATA / "published" / "kure_results.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if (row["metric"], row["k"]) == ("ndcg", "10"):
                scores[row["model"]].append(float(row["value"]))
    assert all(len(values) == 8 for values in scores.values())
    expected = {name: pytest.approx(fmean(values), abs=5.1e-5) for name, values in scores.items() if name in CARDS}
    told = {
        name: value
        for name, card in CARDS.items()
        for benchmark, metric, value in card.published
        if benchmark.endswith("mean of 8 tasks") and metric == "nDCG@10"
    }
    assert told == expected
    assert len(told) == 11


def test_a_weak_model_counts_less() -> None:
    assert CARDS["kure-rag/static-ko"].dense_weight < CARDS[DEFAULT_MODEL].dense_weight


# Names


def test_names_and_aliases_are_unique_whatever_their_case() -> None:
    names = [name.lower() for card in CARDS.values() for name in (card.name, *card.aliases)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("card", CARDS.values(), ids=lambda card: card.name)
def test_found_by_every_name(card: ModelCard, tmp_path: Path) -> None:
    owner, short = card.name.split("/")
    assert short in card.aliases
    for called in (card.name, card.name.upper(), *card.aliases, f"models/local/{short}", f"./{short}", f"~/{short}"):
        assert find_card(called) is card
    (tmp_path / short).mkdir()
    assert find_card(str(tmp_path / short)) is card
    assert find_card(f"/home/user/.cache/hub/models--{owner}--{short}/snapshots/0123abc") is card
    assert find_card(f"D:\\models\\models--{owner}--{short}".replace("\\", "/") + "/snapshots/0123abc") is card


@pytest.mark.parametrize(
    "name", ["nlpai-lab/KURE-v9", "other/KURE-v1", "/models/mine", "/x/models--someone--KoE5/snapshots/1", ""]
)
def test_no_card(name: str) -> None:
    assert find_card(name) is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("KURE-v11", "nlpai-lab/KURE-v1"),
        ("koe55", "nlpai-lab/KoE5"),
        ("static_ko", "kure-rag/static-ko"),
        ("bge-m3-kor", "dragonkue/BGE-m3-ko"),
        ("KoSimCSE-robrta-multitask", "BM-K/KoSimCSE-roberta-multitask"),
        ("KURE-Reranker", "nlpai-lab/KURE-Reranker-base"),
    ],
)
def test_a_near_miss_is_answered_with_the_name_meant(name: str, meant: str) -> None:
    with pytest.raises(UnknownModelError, match="Did you mean") as caught:
        check_name(name)
    assert meant in str(caught.value)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("name", ["완전히 다른 이름", "", "/no/such/folder", "./nothing", "a/b/c", "owner/", "/name"])
def test_what_can_be_no_model(name: str) -> None:
    with pytest.raises(UnknownModelError, match="kure-rag models"):
        check_name(name)


@pytest.mark.parametrize("name", ["kure", "KURE-V1", "someone/unknown-model"])
def test_what_can_be_a_model(name: str, tmp_path: Path) -> None:
    check_name(name)
    check_name(str(tmp_path))


@given(
    st.text(alphabet=st.characters(exclude_categories=()))
    | st.sampled_from(["~nobody-of-that-name/KoE5", "x" * 5000, "a/" + "b" * 300])
)
def test_any_text_is_a_possible_name_or_a_clear_error(name: str) -> None:
    card = find_card(name)
    assert card is None or card in CARDS.values()
    if card is not None:
        check_name(card.name)
    with suppress(UnknownModelError):
        check_name(name)


def test_each_kind_names_a_class_that_there_is() -> None:
    assert set(get_args(Kind)) == set(USED_BY) == {card.kind for card in CARDS.values()}
    assert all(hasattr(kure_rag, name) or hasattr(kure_rag.embed, name) for name in USED_BY.values())
