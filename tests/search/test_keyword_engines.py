"""The two keyword engines, synonyms and a user dictionary, in whole searches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import HashEmbedder

from kure_rag import KureIndex
from kure_rag.errors import ConfigError, FingerprintMismatchError, SearchError
from kure_rag.read import Record
from kure_rag.tokenize import KiwiTokenizer, Synonyms

RECORDS = [
    Record("안내", "상품 안내", "돌봄크레딧적금은 중도해지이율이 낮고 만기에 우대금리를 준다.", {"year": 2025}),
    Record("실손", "보험 안내", "실손의료보험은 통원한 날에 낸 진료비를 갚아 준다.", {"year": 2026}),
    Record("적금", "상품 안내", "정기적금은 매월 같은 금액을 넣고 만기에 이자를 받는다.", {"year": 2026}),
    Record("해지", "예금 약관", "고객이 예금을 중도에 해지하면 이율이 낮아진다.", {"year": 2024}),
    Record("급여", "보수 규정", "급여는 매월 25일에 지급한다.", {"year": 2026}),
]
WORDS = ["돌봄크레딧적금", ("중도해지이율", "NNG", 1.5)]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KureIndex]:
    with KureIndex.open(tmp_path_factory.mktemp("engines") / "ix", embeddings=HashEmbedder()) as made:
        made.add_records(RECORDS, workers=1)
        yield made


def sources(index: KureIndex, query: str, **options: object) -> list[str]:
    return [hit.source for hit in index.search(query, **options)]  # type: ignore[arg-type]


# rank-bm25


@pytest.mark.parametrize("mode", ["lexical", "hybrid"])
def test_rank_bm25_finds_what_holds_the_words(index: KureIndex, mode: str) -> None:
    hits = index.search("적금 만기", mode=mode, lexical="rank-bm25")  # type: ignore[arg-type]
    found = {hit.source: hit.legs["lexical"] for hit in hits if "lexical" in hit.legs}
    assert found.keys() == {"적금", "안내"}
    assert all(leg.rank is not None and leg.score > 0 for leg in found.values())
    assert hits[0].source == "적금"


def test_rank_bm25_takes_the_same_filters(index: KureIndex) -> None:
    for engine in ("tantivy", "rank-bm25"):
        for year, wanted in ((2025, ["안내"]), (2026, ["적금"]), (2024, [])):
            assert sources(index, "적금 만기", mode="lexical", lexical=engine, where={"year": year}) == wanted


def test_rank_bm25_sees_what_was_added_and_deleted_since(tmp_path: Path) -> None:
    with KureIndex.open(tmp_path / "ix", embeddings=HashEmbedder()) as index:
        index.add_records(RECORDS, workers=1)
        assert "적금" in sources(index, "적금", mode="lexical", lexical="rank-bm25")
        engine = index._searcher._rank_bm25
        made = engine._made
        sources(index, "급여", mode="lexical", lexical="rank-bm25")
        assert engine._made is made  # nothing changed: the same view serves
        index.add_records([Record("새", "상품 안내", "청년은 적금을 아무 때나 넣는다.")], workers=1)
        index.delete("적금")
        assert set(sources(index, "적금", mode="lexical", lexical="rank-bm25")) == {"새", "안내"}


def test_an_unknown_keyword_engine_is_an_error(index: KureIndex) -> None:
    with pytest.raises(SearchError, match="no lexical engine named 'bm25s'; choose one of tantivy, rank-bm25"):
        index.search("적금", lexical="bm25s")  # type: ignore[typeddict-item]


@pytest.mark.parametrize("given", [{"mmr": 2.0}, {"group_by": "document", "per_group": 0}, {"expand": -1}])
def test_a_setting_out_of_range_is_a_search_error(index: KureIndex, given: dict[str, object]) -> None:
    with pytest.raises(SearchError):
        index.search("적금", **given)  # type: ignore[arg-type]


# Synonyms


def test_synonyms_find_what_is_called_otherwise(index: KureIndex, tmp_path: Path) -> None:
    groups = [["실비보험", "실손의료보험"]]
    file = tmp_path / "동의어.txt"
    file.write_text("# 보험\n실비보험, 실손의료보험\n", encoding="utf-8")
    query = "실비 보험금은 얼마나 나오나요"
    for synonyms in (groups, file, str(file), Synonyms(groups, KiwiTokenizer())):
        with KureIndex.open(index.path, embeddings=HashEmbedder(), synonyms=synonyms, create=False) as opened:
            assert opened._store.catalog.get("fingerprint") == index._store.catalog.get("fingerprint")
            for engine in ("tantivy", "rank-bm25"):
                with_them = opened.search("실비보험", mode="lexical", lexical=engine)  # type: ignore[arg-type]
                without = index.search("실비보험", mode="lexical", lexical=engine)  # type: ignore[arg-type]
                assert with_them[0].source == "실손"
                assert with_them[0].score > (without[0].score if without else 0)
            assert sources(opened, query, mode="hybrid")


@pytest.mark.parametrize("mode", ["hybrid", "lexical", "dense"])
def test_what_a_synonym_found_is_highlighted(index: KureIndex, mode: str) -> None:
    asked = {"mode": mode, "highlight": True, "where": {"source": "실손"}}
    with KureIndex.open(index.path, embeddings=HashEmbedder(), synonyms=[["민영실비", "실손의료보험"]]) as opened:
        hit = opened.search("민영실비", **asked)[0]  # type: ignore[arg-type]
        assert [hit.chunk.text[a:b] for a, b in hit.highlights or ()] == ["실손의료보험"]
        unrelated = opened.search("진료비", **asked)[0]  # type: ignore[arg-type]
        assert [unrelated.chunk.text[a:b] for a, b in unrelated.highlights or ()] == ["진료비"]


def test_other_ways_to_ask_are_highlighted_too(index: KureIndex) -> None:
    hits = index.search("월급날", mode="lexical", highlight=True, multi_query=lambda query: ["급여 지급"])
    assert [hits[0].chunk.text[a:b] for a, b in hits[0].highlights or ()] == ["급여", "지급"]


@pytest.mark.parametrize("mode", ["hybrid", "lexical"])
def test_a_synonym_counts_as_the_word_itself_for_the_relevance(index: KureIndex, mode: str) -> None:
    asked = {"mode": mode, "relevance": True, "where": {"source": "실손"}, "k": 1}
    groups = [["민영실비", "실손의료보험"]]
    with KureIndex.open(index.path, embeddings=HashEmbedder(), synonyms=groups, create=False) as opened:
        found = opened.search("민영실비로 진료비 갚기", **asked)[0]  # type: ignore[arg-type]
    before = index.search("민영실비로 진료비 갚기", **asked)[0]  # type: ignore[arg-type]
    assert found.relevance is not None
    assert before.relevance is not None
    assert found.relevance > 2 * before.relevance


def test_a_synonym_of_which_the_passage_has_only_a_part_does_not_count(index: KureIndex) -> None:
    groups = [["민영실비", "실손 여행자 보험"]]
    asked = {"mode": "lexical", "relevance": True, "where": {"source": "실손"}, "k": 1}
    with KureIndex.open(index.path, embeddings=HashEmbedder(), synonyms=groups, create=False) as opened:
        found = opened.search("민영실비로 진료비 갚기", **asked)[0]  # type: ignore[arg-type]
    before = index.search("민영실비로 진료비 갚기", **asked)[0]  # type: ignore[arg-type]
    assert found.relevance == before.relevance


def test_a_bad_line_of_synonyms_is_named_before_anything_is_made(tmp_path: Path) -> None:
    file = tmp_path / "동의어.txt"
    file.write_text("연차휴가\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"동의어\.txt, line 1: a group needs two members"):
        KureIndex.open(tmp_path / "ix", embeddings=HashEmbedder(), synonyms=file)
    assert not (tmp_path / "ix").exists()


# User dictionary


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("dictionary")
    (folder / "상품.txt").write_text("제1장 상품\n\n돌봄크레딧적금은 중도해지이율이 낮다.\n" * 40, encoding="utf-8")
    with KureIndex.open(folder / "ix", embeddings=HashEmbedder(), user_dictionary=WORDS) as index:
        index.add_records(RECORDS, workers=1)
        index.add_paths([folder / "상품.txt"], workers=2)
    return folder / "ix"


def test_questions_and_passages_are_cut_by_the_same_dictionary(own: Path) -> None:
    with KureIndex.open(own, embeddings=HashEmbedder()) as index:  # without it: the index remembers
        assert {word.form for word in index._tokenizer.user_words} == {"돌봄크레딧적금", "중도해지이율"}
        rows = [row for row, _ in index._store.catalog.all_rows(index._store.catalog.state().visible)]
        terms = index._store.catalog.keywords(rows).values()
        holding = [words for words in terms if "돌봄크레딧적금" in words.text]
        assert len(holding) > 1  # of the record and of the file
        assert all({"돌봄크레딧적금", "중도해지이율"} <= set(words.terms.split()) for words in holding)
        assert index._searcher._tokenizer.terms("돌봄크레딧적금")[0] == "돌봄크레딧적금"
        hits = index.search("돌봄크레딧적금", mode="lexical", k=50)
        assert {hit.source for hit in hits if "돌봄크레딧적금" in hit.chunk.text} == {"안내", "상품.txt"}
        assert index.info()["user_words"] == 2
        index.add_records([Record("뒤", "뒤에 온 글", "돌봄크레딧적금에 든다.")], workers=1)
        (late,) = index.find("뒤")
        (chunk,) = index.chunks(late.id)
        row = index._store.catalog.rows_of([chunk.id], index._store.catalog.state().generation)[chunk.id]
        assert "돌봄크레딧적금" in index._store.catalog.keywords([row])[row].terms.split()


def test_the_same_dictionary_in_another_order_opens_the_index(own: Path, tmp_path: Path) -> None:
    file = tmp_path / "용어.txt"
    file.write_text("중도해지이율\tNNG\t1.5\n돌봄크레딧적금\n", encoding="utf-8")
    for given in (WORDS[::-1], file, str(file)):
        KureIndex.open(own, embeddings=HashEmbedder(), user_dictionary=given, create=False).close()


@pytest.mark.parametrize("words", [[], ["돌봄크레딧적금"], [*WORDS, "온누리적금"]])
def test_another_dictionary_is_refused_by_name(own: Path, words: list[str]) -> None:
    with pytest.raises(FingerprintMismatchError) as caught:
        KureIndex.open(own, embeddings=HashEmbedder(), user_dictionary=words)
    assert caught.value.differences.keys() == {"tokenizer"}


def test_an_index_without_a_dictionary_takes_none_later(index: KureIndex) -> None:
    with pytest.raises(FingerprintMismatchError, match="tokenizer"):
        KureIndex.open(index.path, embeddings=HashEmbedder(), user_dictionary=WORDS)


def test_a_bad_dictionary_is_named_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="entry 1"):
        KureIndex.open(tmp_path / "ix", embeddings=HashEmbedder(), user_dictionary=[("적금", "명사")])
    assert not (tmp_path / "ix").exists()
