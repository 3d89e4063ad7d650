"""The cases of langchain-chroma's own tests, for our store; docs/langchain-chroma-cases.md has the list."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from kure_rag.errors import IndexNotFoundError
from kure_rag.langchain import KureVectorStore
from kure_rag.types import Mode

TEXTS = ["연차휴가는 15일이다.", "병가는 60일까지다.", "급여는 25일에 준다."]
FIRST = TEXTS[0]
ARTICLES = [{"article": f"제{number}조"} for number in (15, 16, 4)]
IDS = ["휴가", "병가", "급여"]


class StepEmbeddings(Embeddings):
    """Each new text gets a vector of its own, one step farther from that of the first."""

    def __init__(self, *known: str) -> None:
        self._known = list(known)

    def embed_query(self, text: str) -> list[float]:
        if text not in self._known:
            self._known.append(text)
        return [1.0] * 9 + [float(self._known.index(text))]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


@pytest.fixture(params=["dense", "hybrid"])
def mode(request: pytest.FixtureRequest) -> Mode:
    return request.param


@pytest.fixture
def made(mode: Mode) -> Iterator[Callable[..., KureVectorStore]]:
    stores: list[KureVectorStore] = []

    def make(**given: Any) -> KureVectorStore:
        stores.append(KureVectorStore.from_texts(TEXTS, StepEmbeddings(*TEXTS), mode=mode, **given))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


async def test_texts_are_found_with_or_without_ids_and_metadata(made: Callable[..., KureVectorStore]) -> None:
    plain = made()
    [found] = plain.similarity_search(FIRST, k=1)
    assert (found.page_content, found.metadata) == (FIRST, {})
    assert found.id
    assert await plain.asimilarity_search(FIRST, k=1) == [found]
    whole = made(ids=IDS, metadatas=ARTICLES)
    assert whole.similarity_search(FIRST, k=1) == [Document(id="휴가", page_content=FIRST, metadata=ARTICLES[0])]
    assert await whole.asimilarity_search(FIRST, k=1) == whole.similarity_search(FIRST, k=1)


def test_a_store_is_made_from_documents(mode: Mode) -> None:
    documents = [Document(page_content=text) for text in TEXTS]
    with KureVectorStore.from_documents(documents, StepEmbeddings(*TEXTS), mode=mode) as store:
        [found] = store.similarity_search(FIRST, k=1)
        assert found.page_content == FIRST
        assert found.id
        assert documents[0].id is None


def test_scores_by_words_and_by_vector(made: Callable[..., KureVectorStore]) -> None:
    store = made(ids=IDS, metadatas=ARTICLES)
    wanted = Document(id="휴가", page_content=FIRST, metadata=ARTICLES[0])
    [(found, score)] = store.similarity_search_with_score(FIRST, k=1, mode="dense")
    assert (found, score) == (wanted, pytest.approx(1.0))
    vector = StepEmbeddings(*TEXTS).embed_query(FIRST)
    assert store.similarity_search_with_score_by_vector(vector, k=1) == [(wanted, score)]
    assert store.similarity_search_by_vector(vector, k=1) == [wanted]


def test_a_filter_holds_before_the_ranking(made: Callable[..., KureVectorStore]) -> None:
    store = made(ids=IDS, metadatas=ARTICLES)
    for article, id_ in (("제15조", "휴가"), ("제4조", "급여")):
        [found] = store.similarity_search(FIRST, k=1, filter={"article": article})
        [(scored, score)] = store.similarity_search_with_score(FIRST, k=1, filter={"article": article}, mode="dense")
        assert found.id == scored.id == id_
        assert (score > 0.999) == (id_ == "휴가")


def test_a_store_in_a_folder_is_there_when_it_is_opened_again(tmp_path: Path, mode: Mode) -> None:
    embeddings = StepEmbeddings(*TEXTS)
    with KureVectorStore.from_texts(TEXTS, embeddings, ids=IDS, path=tmp_path / "ix", mode=mode) as store:
        before = store.similarity_search(FIRST, k=2)
    with KureVectorStore.from_path(tmp_path / "ix", embeddings=embeddings, mode=mode) as store:
        assert store.similarity_search(FIRST, k=2) == before
        assert before[0] == Document(id="휴가", page_content=FIRST)


def test_marginal_relevance_by_words_and_by_vector(made: Callable[..., KureVectorStore]) -> None:
    store = made(ids=IDS)
    assert [found.id for found in store.max_marginal_relevance_search(FIRST, k=1)] == ["휴가"]
    vector = StepEmbeddings(*TEXTS).embed_query(FIRST)
    assert [found.id for found in store.max_marginal_relevance_search_by_vector(vector, k=1)] == ["휴가"]
    assert len(store.max_marginal_relevance_search(FIRST, k=3, fetch_k=2)) == 2


def test_what_is_stored_is_read_with_its_vector(made: Callable[..., KureVectorStore]) -> None:
    store = made(ids=IDS)
    [entry] = store.index.entries(["병가"], vectors=True)
    given = np.asarray(StepEmbeddings(*TEXTS).embed_documents(TEXTS)[1])
    assert entry.vector == pytest.approx(given / np.linalg.norm(given)), "at unit length"
    assert store.index.entries(["병가"])[0].vector is None


@pytest.mark.parametrize("own_id", [True, False])
def test_a_document_of_a_known_id_takes_its_place_with_a_vector_of_its_own(
    made: Callable[..., KureVectorStore], own_id: bool
) -> None:
    store = made(ids=IDS, metadatas=ARTICLES)
    [before] = store.index.entries(["휴가"], vectors=True)
    text = "연차휴가는 16일이다."
    document = Document(page_content=text, metadata={"article": "제15조의2"}, id="휴가" if own_id else None)
    assert store.add_documents([document], ids=None if own_id else ["휴가"]) == ["휴가"]
    assert store.similarity_search(text, k=1) == [Document(id="휴가", page_content=text, metadata=document.metadata)]
    [after] = store.index.entries(["휴가"], vectors=True)
    assert not np.array_equal(after.vector, before.vector)
    assert len(store.index.entry_ids()) == 3


def test_relevances_lie_between_0_and_1(made: Callable[..., KureVectorStore]) -> None:
    found = made(ids=IDS).similarity_search_with_relevance_scores(FIRST, k=3)
    assert len(found) == 3
    assert all(0 <= relevance <= 1 for _, relevance in found)


def test_documents_with_and_without_metadata_come_back_as_they_were(mode: Mode) -> None:
    given = [Document(id="0", page_content=FIRST), Document(id="1", page_content=TEXTS[1], metadata={"판": 1})]
    with KureVectorStore.from_texts([], StepEmbeddings(*TEXTS), mode=mode) as store:
        assert store.add_documents(given) == ["0", "1"]
        assert sorted(store.similarity_search("휴가와 병가"), key=lambda found: found.id or "") == given


def test_more_texts_than_chroma_takes_at_once_are_added_and_changed() -> None:
    count = 5_461 + 100
    numbers = random.Random(6).sample(range(10**6), count)
    with KureVectorStore.from_texts([], StepEmbeddings("같은 글", "새 글")) as store:
        ids = store.add_texts(["같은 글"] * count, ids=[str(number) for number in numbers])
        assert len(set(ids)) == len(store.index.entry_ids()) == count
        store.add_texts(["새 글"] * (count - 10), [{"번호": i} for i in range(count - 10)], ids=ids[:-10])
        assert len(store.index.entry_ids(where={"번호": {"$exists": False}})) == 10
        assert store.index.info()["chunks"] == count


def test_a_store_that_must_be_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFoundError):
        KureVectorStore.from_path(tmp_path / "ix", embeddings=StepEmbeddings(), create=False)
    KureVectorStore.from_path(tmp_path / "ix", embeddings=StepEmbeddings()).close()
    with KureVectorStore.from_path(tmp_path / "ix", embeddings=StepEmbeddings(), create=False) as store:
        assert store.similarity_search("휴가") == []


def test_a_store_is_emptied_and_used_again(made: Callable[..., KureVectorStore]) -> None:
    store = made(ids=IDS)
    assert store.delete() is True
    assert store.similarity_search(FIRST) == []
    store.add_texts(TEXTS[:1], ids=IDS[:1])
    assert [found.id for found in store.similarity_search(FIRST)] == ["휴가"]


@pytest.mark.parametrize("word", ["where", "filter"])
def test_documents_are_deleted_by_a_filter(made: Callable[..., KureVectorStore], word: str) -> None:
    store = made(ids=IDS, metadatas=ARTICLES)
    store.delete(**{word: {"article": "제16조"}})
    assert store.index.entry_ids() == ["휴가", "급여"]


def test_a_closed_store_is_not_searched(made: Callable[..., KureVectorStore]) -> None:
    store = made()
    store.close()
    with pytest.raises(Exception, match="closed"):
        store.similarity_search(FIRST)


def test_a_text_that_is_none_is_refused(made: Callable[..., KureVectorStore]) -> None:
    store = made(ids=IDS)
    with pytest.raises(ValueError, match="page_content"):
        store.add_texts([None])  # type: ignore[list-item]
    assert len(store.index.entry_ids()) == 3
