from pathlib import Path

import pytest

from kure_rag.embed import CARDS, find_card
from kure_rag.embed.cards import DEFAULT_MODEL, check_name
from kure_rag.errors import UnknownModelError

E5 = ("query: ", "passage: ", "stored")
PLAIN = ("", "", "stored")
FIRST_TOKEN = ("", "", "cls")

# As the models' own cards have it: prefixes and pooling, dimension, longest input in tokens.
TABLE = {
    "nlpai-lab/KURE-v1": (*PLAIN, 1024, 8192),
    "nlpai-lab/KoE5": (*E5, 1024, 512),
    "nlpai-lab/KURE-v3": (*E5, 2048, 8192),
    "intfloat/multilingual-e5-small": (*E5, 384, 512),
    "intfloat/multilingual-e5-base": (*E5, 768, 512),
    "intfloat/multilingual-e5-large": (*E5, 1024, 512),
    "BAAI/bge-m3": (*PLAIN, 1024, 8192),
    "dragonkue/BGE-m3-ko": (*PLAIN, 1024, 8192),
    "upskyy/bge-m3-korean": (*PLAIN, 1024, 8192),
    "Snowflake/snowflake-arctic-embed-l-v2.0": ("query: ", "", "stored", 1024, 8192),
    "dragonkue/snowflake-arctic-embed-l-v2.0-ko": ("query: ", "", "stored", 1024, 8192),
    "nomic-ai/nomic-embed-text-v2-moe": ("search_query: ", "search_document: ", "stored", None, None),
    "jhgan/ko-sroberta-multitask": (*PLAIN, 768, 128),
    "jhgan/ko-sroberta-nli": (*PLAIN, 768, 128),
    "jhgan/ko-sroberta-sts": (*PLAIN, 768, 128),
    "jhgan/ko-sbert-multitask": (*PLAIN, 768, 128),
    "jhgan/ko-sbert-nli": (*PLAIN, 768, 128),
    "jhgan/ko-sbert-sts": (*PLAIN, 768, 128),
    "BM-K/KoSimCSE-roberta": (*FIRST_TOKEN, 768, 512),
    "BM-K/KoSimCSE-roberta-multitask": (*FIRST_TOKEN, 768, 512),
    "BM-K/KoSimCSE-bert": (*FIRST_TOKEN, 768, 512),
    "BM-K/KoSimCSE-bert-multitask": (*FIRST_TOKEN, 768, 512),
    "BM-K/KoDiffCSE-RoBERTa": (*FIRST_TOKEN, 768, 512),
    "kure-rag/static-ko": (*PLAIN, 256, None),
}
REVISIONS = {
    "nlpai-lab/KURE-v1": "d14c8a9423946e268a0c9952fecf3a7aabd73bd9",
    "nlpai-lab/KoE5": "bc6d284c60fe5a973e74c1751b92594c9f581213",
}


def test_the_table_is_complete() -> None:
    assert set(CARDS) == set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_card(name: str) -> None:
    card = CARDS[name]
    assert card.name == name
    assert (card.query_prefix, card.passage_prefix, card.pooling, card.dimension, card.max_tokens) == TABLE[name]
    assert card.revision == REVISIONS.get(name)
    assert card.normalize
    assert 0 <= card.dense_weight <= 1


def test_a_weak_model_counts_less() -> None:
    assert CARDS["kure-rag/static-ko"].dense_weight < CARDS[DEFAULT_MODEL].dense_weight


def test_names_and_aliases_are_unique_whatever_their_case() -> None:
    names = [name.lower() for card in CARDS.values() for name in (card.name, *card.aliases)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("card", CARDS.values(), ids=lambda card: card.name)
def test_found_by_every_name(card: object, tmp_path: Path) -> None:
    name: str = card.name  # type: ignore[attr-defined]
    owner, short = name.split("/")
    for given in (name, name.upper(), short, *card.aliases, f"models/local/{short}", f"./{short}", f"~/{short}"):  # type: ignore[attr-defined]
        assert find_card(given) is card
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
