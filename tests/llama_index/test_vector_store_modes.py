"""What each mode of a vector store query finds, and by what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores import (
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.types import VectorStoreQueryMode
from support import HashEmbedder

from kure_rag import KureIndex
from kure_rag.errors import FilterError, SearchError
from kure_rag.llama_index import KureVectorStore
from kure_rag.search import FoldSettings, convex

EMBEDDER = HashEmbedder()
TEXTS = {
    "leave": "연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다.",
    "unused": "쓰지 못한 연차휴가는 다음 해 1월에 수당으로 준다.",
    "sick": "병가는 의사의 진단서를 낸 직원에게 연간 60일까지 허가할 수 있다.",
    "remote": "재택근무를 하려는 직원은 사흘 전까지 부서장의 승인을 받아야 한다.",
    "pay": "급여는 매월 25일에 지급하고, 그날이 휴일이면 전날에 지급한다.",
    "dose": "성인은 하루 두 번, 한 번에 한 알을 식사 후에 물과 함께 복용한다.",
    "storage": "직사광선을 피하여 서늘하고 건조한 곳에 보관한다.",
    "storage again": "직사광선을 피하여 서늘하고 건조한 곳에서 보관한다.",
}
RULES = ("leave", "unused", "sick", "remote")
QUERY = "연차휴가는 며칠인가요?"
OTHER = "직사광선을 피하여 건조한 곳에 보관하나요?"


def node(id_: str) -> TextNode:
    document = "취업규정" if id_ in RULES else f"{id_} 문서"
    return TextNode(
        id_=id_,
        text=TEXTS[id_],
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=document)},
        metadata={"rule": id_ in RULES, "length": len(TEXTS[id_])},
        excluded_embed_metadata_keys=["rule", "length"],
        embedding=EMBEDDER.embed_passages([TEXTS[id_]])[0].tolist(),
    )


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KureIndex]:
    with KureIndex.open(tmp_path_factory.mktemp("modes") / "ix", embeddings=EMBEDDER) as made:
        KureVectorStore(made).add([node(id_) for id_ in TEXTS])
        yield made


@pytest.fixture(scope="module")
def store(index: KureIndex) -> KureVectorStore:
    return KureVectorStore(index)


def embedded(text: str) -> list[float]:
    vector: list[float] = EMBEDDER.embed_queries([text])[0].tolist()
    return vector


def asked(mode: str, words: str = QUERY, by: str | None = None, **given: Any) -> VectorStoreQuery:
    """A query by words and by the embedding of the same, or of others."""
    query = VectorStoreQuery(query_str=words, query_embedding=embedded(by or words), mode=VectorStoreQueryMode(mode))
    for name, value in {"similarity_top_k": 3, **given}.items():
        assert hasattr(query, name)
        setattr(query, name, value)
    return query


def pairs(found: VectorStoreQueryResult) -> list[tuple[str, float]]:
    assert found.nodes is not None
    assert [one.node_id for one in found.nodes] == found.ids
    return list(zip(found.ids or (), found.similarities or (), strict=True))


def hits(index: KureIndex, query: str, **given: Any) -> list[tuple[str, float]]:
    return [(hit.chunk.id, hit.score) for hit in index.search(query, **given)]


# Modes


def test_default_goes_by_the_embedding_alone(index: KureIndex, store: KureVectorStore) -> None:
    wanted = hits(index, OTHER, k=2, mode="dense")
    assert len(wanted) == 2
    assert pairs(store.query(asked("default", QUERY, by=OTHER, similarity_top_k=2))) == wanted
    assert pairs(store.query(VectorStoreQuery(query_embedding=embedded(OTHER), similarity_top_k=2))) == wanted
    assert wanted != hits(index, QUERY, k=2, mode="dense")


def test_default_gives_the_nearest_however_far_they_are(store: KureVectorStore) -> None:
    away = VectorStoreQuery(query_embedding=[-x for x in embedded(QUERY)], similarity_top_k=99)
    found = pairs(store.query(away))
    assert {id_ for id_, _ in found} == set(TEXTS)
    cosines = {id_: -float(np.dot(embedded(QUERY), node(id_).embedding or ())) for id_ in TEXTS}
    assert dict(found) == pytest.approx(cosines, abs=1e-5)
    assert [score for _, score in found] == sorted(dict(found).values(), reverse=True)


@pytest.mark.parametrize("mode", ["sparse", "text_search"])
def test_sparse_and_text_search_go_by_the_words_alone(index: KureIndex, store: KureVectorStore, mode: str) -> None:
    wanted = hits(index, QUERY, k=3, mode="lexical")
    assert pairs(store.query(asked(mode, QUERY, by=OTHER))) == wanted
    words = VectorStoreQuery(query_str=QUERY, similarity_top_k=3, mode=VectorStoreQueryMode(mode))
    assert pairs(store.query(words)) == wanted
    assert 0 < len(wanted) < len(TEXTS)


def test_sparse_top_k_is_how_many_sparse_gives_and_nothing_to_text_search(store: KureVectorStore) -> None:
    every = pairs(store.query(asked("sparse", "직원", similarity_top_k=9)))
    assert len(every) == 3
    assert pairs(store.query(asked("sparse", "직원", similarity_top_k=1, sparse_top_k=2))) == every[:2]
    assert pairs(store.query(asked("text_search", "직원", similarity_top_k=1, sparse_top_k=2))) == every[:1]


def test_hybrid_fuses_both_as_the_core_does(index: KureIndex, store: KureVectorStore) -> None:
    assert pairs(store.query(asked("hybrid"))) == hits(index, QUERY, k=3)
    mixed = store.query(asked("hybrid", QUERY, by=OTHER, similarity_top_k=9))
    assert pairs(mixed) == hits(index, QUERY, k=9, vector=embedded(OTHER))


def test_alpha_weighs_the_embedding(index: KureIndex, store: KureVectorStore) -> None:
    for alpha in (0.0, 0.3, 1.0):
        wanted = hits(index, QUERY, k=9, vector=embedded(OTHER), fusion=convex(alpha))
        assert pairs(store.query(asked("hybrid", QUERY, by=OTHER, alpha=alpha, similarity_top_k=9))) == wanted
    by_words = store.query(asked("hybrid", QUERY, by=OTHER, alpha=0.0, similarity_top_k=9)).ids
    assert by_words == store.query(asked("sparse", similarity_top_k=9)).ids
    first = store.query(asked("hybrid", QUERY, by=OTHER, alpha=1.0, similarity_top_k=1)).ids
    assert first == store.query(asked("default", OTHER, similarity_top_k=1)).ids


def test_hybrid_top_k_is_how_many_it_gives_and_the_legs_name_so_many_each(store: KureVectorStore) -> None:
    words = set(store.query(asked("sparse", "직원", sparse_top_k=2)).ids or ())
    near = set(store.query(asked("default", OTHER, similarity_top_k=2)).ids or ())
    legs = asked("hybrid", "직원", by=OTHER, similarity_top_k=2, sparse_top_k=2, hybrid_top_k=8, alpha=0.5)
    assert set(store.query(legs).ids or ()) == words | near
    legs.hybrid_top_k = 3
    assert len(store.query(legs).ids or ()) == 3
    legs.hybrid_top_k = None  # similarity_top_k is the number of results, then
    assert len(store.query(legs).ids or ()) == 2


def test_mmr_leaves_out_what_says_the_same(index: KureIndex, store: KureVectorStore) -> None:
    plain = asked("default", OTHER, similarity_top_k=2)
    assert set(store.query(plain).ids or ()) == {"storage", "storage again"}
    diverse = asked("mmr", OTHER, similarity_top_k=2, mmr_threshold=0.3)
    found = pairs(store.query(diverse))
    assert [id_.removesuffix(" again") for id_, _ in found].count("storage") == 1
    assert dict(found).items() <= dict(hits(index, OTHER, k=9, mode="dense", vector=embedded(OTHER))).items()
    alike = asked("mmr", OTHER, similarity_top_k=2, mmr_threshold=1.0)
    assert pairs(store.query(alike)) == pairs(store.query(plain))
    # Keywords win over the query, and candidates may be too few to choose from.
    assert pairs(store.query(alike, mmr_threshold=0.3)) == found
    assert set(store.query(diverse, mmr_prefetch_k=2).ids or ()) == {"storage", "storage again"}
    assert set(store.query(diverse, mmr_prefetch_factor=1).ids or ()) == {"storage", "storage again"}


# Restrictions, in every mode

MODES = ["default", "sparse", "text_search", "hybrid", "mmr"]
ONLY_RULES = MetadataFilters(filters=[MetadataFilter(key="rule", operator=FilterOperator.EQ, value=1)])


@pytest.mark.parametrize("mode", MODES)
def test_filters_ids_and_documents_restrict_every_mode(store: KureVectorStore, mode: str) -> None:
    def found(**given: Any) -> set[str]:
        return set(store.query(asked(mode, "연차휴가 직원 보관 지급", similarity_top_k=9, **given)).ids or ())

    every = found()
    assert every > set(RULES)
    assert found(filters=ONLY_RULES) == every & set(RULES)
    assert found(node_ids=["sick", "pay", "nobody"]) == {"sick", "pay"}
    assert found(doc_ids=["취업규정"]) == every & set(RULES)
    assert found(doc_ids=["pay 문서", "취업규정"], node_ids=["pay", "leave", "storage"]) == {"pay", "leave"}
    assert found(filters=ONLY_RULES, node_ids=["pay"]) == set()
    assert found(node_ids=[], doc_ids=[]) == every


@pytest.mark.parametrize("mode", MODES)
def test_keywords_of_a_search_are_passed_on(store: KureVectorStore, mode: str) -> None:
    found = store.query(asked(mode, "연차휴가 직원 보관", similarity_top_k=9), where={"length": {"$lt": 30}})
    assert found.ids
    assert all(len(TEXTS[id_]) < 30 for id_ in found.ids)
    both = store.query(
        asked(mode, "연차휴가 직원 보관", similarity_top_k=9, filters=ONLY_RULES), where={"length": {"$lt": 30}}
    )
    assert set(both.ids or ()) == set(found.ids) & set(RULES)


def test_folding_is_passed_on(store: KureVectorStore) -> None:
    found = store.query(asked("hybrid", OTHER, similarity_top_k=9), fold=FoldSettings(similarity=0.4)).ids or []
    assert len({"storage", "storage again"}.intersection(found)) == 1


def test_asking_nothing_lists_the_first_nodes(store: KureVectorStore) -> None:
    every = list(TEXTS)
    assert store.query(VectorStoreQuery(similarity_top_k=3)).ids == every[:3]
    assert store.query(VectorStoreQuery(similarity_top_k=9, filters=ONLY_RULES)).ids == list(RULES)
    assert store.query(VectorStoreQuery(similarity_top_k=9, node_ids=["pay", "dose"])).ids == ["pay", "dose"]
    assert store.query(VectorStoreQuery(similarity_top_k=9), where={"length": {"$lt": 0}}).nodes == []


# Errors


@pytest.mark.parametrize(
    ("query", "given", "error", "said"),
    [
        (asked("semantic_hybrid"), {}, ValueError, "'semantic_hybrid'.*'hybrid'"),
        (asked("svm"), {}, ValueError, "'svm'"),
        (asked("default", query_embedding=None), {}, SearchError, "query_embedding"),
        (asked("hybrid", query_embedding=None), {}, SearchError, "query_embedding"),
        (asked("mmr", query_embedding=[]), {}, SearchError, "query_embedding"),
        (asked("sparse", query_str=None), {}, SearchError, "query_str"),
        (asked("hybrid", query_str=" "), {}, SearchError, "query_str"),
        (asked("default", query_embedding=[1.0, 2.0]), {}, SearchError, "2 numbers.*48"),
        (asked("default", similarity_top_k=0), {}, SearchError, "at least 1"),
        (asked("hybrid", alpha=1.5), {}, SearchError, "between 0 and 1"),
        (asked("hybrid", sparse_top_k=-1), {}, SearchError, "lexical_top"),
        (asked("hybrid", alpha=0.5), {"fusion": convex(0.5)}, SearchError, "give one"),
        (asked("mmr", mmr_threshold=2.0), {}, SearchError, "from 0 to 1"),
        (asked("mmr"), {"mmr_prefetch_k": 5, "mmr_prefetch_factor": 2.0}, ValueError, "give one"),
        (asked("default"), {"k": 3}, TypeError, "k is said by the query"),
        (asked("default"), {"wher": {}}, TypeError, "no keyword wher"),
        (asked("default"), {"where": {"$nor": []}}, FilterError, "nor"),
    ],
)
async def test_what_makes_no_sense_is_an_error(store: KureVectorStore, query, given, error, said: str) -> None:
    with pytest.raises(error, match=said):
        store.query(query, **given)
    with pytest.raises(error, match=said):
        await store.aquery(query, **given)


def test_an_empty_index_finds_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    with KureVectorStore(path=tmp_path_factory.mktemp("empty") / "ix", embeddings=EMBEDDER) as store:
        for mode in MODES:
            found = store.query(asked(mode))
            assert (found.nodes, found.ids, found.similarities) == ([], [], [])
