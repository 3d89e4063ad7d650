"""A retriever or embeddings that are wrong in one way fail their contract, at the test about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from adapters import ChainEmbedding, ChainRetrieving
from failing import fails

from kure_rag import KureIndex
from kure_rag.errors import SearchError
from kure_rag.testing import (
    AsyncRetrieverContract,
    EmbeddingsContract,
    Found,
    ReaderContract,
    RetrieverContract,
    VectorStoreContract,
    retrieval,
)
from kure_rag.testing.material import QUESTIONS

QUESTION = QUESTIONS[0]


class Retriever(ChainRetrieving, AsyncRetrieverContract):
    """A right one, of which the others spoil one thing."""

    def retrieve(self, index: KureIndex, query: str, k: int, **search: Any) -> Sequence[Found]:
        return [self.spoiled(one) for one in self.asked(index, query, k, **search)]

    def asked(self, index: KureIndex, query: str, k: int, **search: Any) -> Sequence[Found]:
        return super().retrieve(index, query, k, **search)

    def spoiled(self, one: Found) -> Found:
        return one


class Shuffled(Retriever):
    def asked(self, index: KureIndex, query: str, k: int, **search: Any) -> Sequence[Found]:
        first, second, *rest = super().asked(index, query, k, **search)
        return [second, first, *rest]


class Rounded(Retriever):
    def spoiled(self, one: Found) -> Found:
        return one._replace(score=round(one.score or 0.0, 3))


class Unscored(Retriever):
    def spoiled(self, one: Found) -> Found:
        return one._replace(score=None)


class Cut(Retriever):
    def spoiled(self, one: Found) -> Found:
        return one._replace(text=one.text[:100])


class Headed(Retriever):
    def spoiled(self, one: Found) -> Found:
        return one._replace(text="\n".join([*one.metadata["breadcrumb"], one.text]))


class WithoutPages(Retriever):
    def spoiled(self, one: Found) -> Found:
        return one._replace(metadata={name: value for name, value in one.metadata.items() if name != "pages"})


class WithMore(Retriever):
    def spoiled(self, one: Found) -> Found:
        return one._replace(metadata={**one.metadata, "retriever": "ours"})


class TextualPages(Retriever):
    def spoiled(self, one: Found) -> Found:
        return one._replace(metadata={**one.metadata, "pages": str(one.metadata["pages"])})


class TuplePages(Retriever):
    def spoiled(self, one: Found) -> Found:
        return one._replace(metadata={**one.metadata, "pages": tuple(one.metadata["pages"])})


class AlwaysFour(Retriever):
    def asked(self, index: KureIndex, query: str, k: int, **search: Any) -> Sequence[Found]:
        return super().asked(index, query, 4, **search)


class OncePerText(Retriever):
    def asked(self, index: KureIndex, query: str, k: int, **search: Any) -> Sequence[Found]:
        return list({one.text: one for one in super().asked(index, query, k, **search)}.values())


class Unfiltered(Retriever):
    def asked(self, index: KureIndex, query: str, k: int, **search: Any) -> Sequence[Found]:
        search.pop("where", None)
        return super().asked(index, query, k, **search)


class FilteredAfterwards(Retriever):
    def asked(self, index: KureIndex, query: str, k: int, **search: Any) -> Sequence[Found]:
        where = search.pop("where", {})
        found = super().asked(index, query, k, **search)
        return [one for one in found if where.items() <= dict(one.metadata).items()]


class Silent(Retriever):
    def asked(self, index: KureIndex, query: str, k: int, **search: Any) -> Sequence[Found]:
        try:
            return super().asked(index, query, k, **search)
        except SearchError:
            return []


class Remembering(Retriever):
    def __init__(self) -> None:
        self.kept: dict[str, Sequence[Found]] = {}

    def asked(self, index: KureIndex, query: str, k: int, **search: Any) -> Sequence[Found]:
        return self.kept.setdefault(query, super().asked(index, query, k, **search))


class Blocking(Retriever):
    async def aretrieve(self, index: KureIndex, query: str, k: int, **search: Any) -> Sequence[Found]:
        return self.retrieve(index, query, k, **search)


class OtherwiseInALoop(Retriever):
    async def aretrieve(self, index: KureIndex, query: str, k: int, **search: Any) -> Sequence[Found]:
        return (await super().aretrieve(index, query, k, **search))[:-1]


@pytest.mark.parametrize(
    ("wrong", "test", "message"),
    [
        (Shuffled, RetrieverContract.test_ids_and_their_order_are_the_core_s, "ids for .* at place 0"),
        (Rounded, RetrieverContract.test_scores_are_the_core_s, "scores for .* at place 0"),
        (Unscored, RetrieverContract.test_scores_are_the_core_s, "gives None"),
        (Cut, RetrieverContract.test_texts_are_the_core_s, "texts for"),
        (Headed, RetrieverContract.test_texts_are_the_core_s, "texts for .* at place 0"),
        (WithoutPages, RetrieverContract.test_metadata_is_the_core_s, "names of metadata"),
        (WithMore, RetrieverContract.test_metadata_is_the_core_s, "names of metadata .*retriever"),
        (TextualPages, RetrieverContract.test_metadata_is_the_core_s, "'pages' of"),
        (TuplePages, RetrieverContract.test_metadata_is_json, "JSON"),
        (AlwaysFour, RetrieverContract.test_at_most_k_come, "with k=1"),
        (OncePerText, RetrieverContract.test_equal_passages_of_two_sources_both_come, "sources of one text"),
        (Unfiltered, RetrieverContract.test_what_else_a_search_is_told_reaches_the_core, "'where'"),
        (FilteredAfterwards, RetrieverContract.test_what_else_a_search_is_told_reaches_the_core, "'where'"),
        (Silent, RetrieverContract.test_an_empty_question_is_the_core_s_error, "DID NOT RAISE"),
        (Remembering, RetrieverContract.test_what_is_added_later_is_found, "ids"),
        (Blocking, AsyncRetrieverContract.test_the_event_loop_goes_on_meanwhile, "on the event loop"),
        (OtherwiseInALoop, AsyncRetrieverContract.test_an_event_loop_gets_the_same, QUESTION[:5]),
    ],
)
def test_a_wrong_retrieverfails(
    contract_index: KureIndex, tmp_path: Path, monkeypatch: Any, wrong: Any, test: Any, message: str
) -> None:
    monkeypatch.setattr(retrieval, "_PATIENCE", 0.05)
    given = {"index": contract_index, "question": QUESTION, "tmp_path": tmp_path}
    fails(wrong(), test, message, **given)


class Embeddings(ChainEmbedding, EmbeddingsContract):
    pass


class QueriesAsPassages(Embeddings):
    def embed_query(self, embeddings: Any, text: str) -> Sequence[float]:
        vector: Sequence[float] = embeddings.embed_documents([text])[0]
        return vector


class Reversed(Embeddings):
    def embed_passages(self, embeddings: Any, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return super().embed_passages(embeddings, texts)[::-1]


class Shortened(Embeddings):
    def embed_passages(self, embeddings: Any, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return [vector[:128] for vector in super().embed_passages(embeddings, texts)]


class OneCacheForBothRoles(Embeddings):
    def __init__(self) -> None:
        self.kept: dict[str, Sequence[float]] = {}

    def embed_query(self, embeddings: Any, text: str) -> Sequence[float]:
        return self.kept.setdefault(text, super().embed_query(embeddings, text))

    def embed_passages(self, embeddings: Any, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        made = super().embed_passages(embeddings, texts)
        return [self.kept.setdefault(text, vector) for text, vector in zip(texts, made, strict=True)]


class Numpy(Embeddings):
    def embed_query(self, embeddings: Any, text: str) -> Any:
        import numpy as np

        return np.asarray(super().embed_query(embeddings, text))


class Foreign(Embeddings):
    """Without ``kure_embedder``."""

    class Wrapped:
        def __init__(self, inner: Any) -> None:
            self.embed_query, self.embed_documents = inner.embed_query, inner.embed_documents

    def make(self, model: str, **settings: Any) -> Any:
        return self.Wrapped(super().make(model, **settings))


class Forgiving(Embeddings):
    def embed_passages(self, embeddings: Any, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return super().embed_passages(embeddings, [text if text.strip() else "없음" for text in texts])


@pytest.mark.parametrize(
    ("wrong", "test", "message"),
    [
        (QueriesAsPassages, EmbeddingsContract.test_queries_have_the_core_s_vectors, "query"),
        (Reversed, EmbeddingsContract.test_passages_have_the_core_s_vectors_in_their_order, "passages"),
        (Shortened, EmbeddingsContract.test_passages_have_the_core_s_vectors_in_their_order, "shape"),
        (OneCacheForBothRoles, EmbeddingsContract.test_roles_are_not_mixed_up, "as a"),
        (Numpy, EmbeddingsContract.test_numbers_are_python_s, "Python's numbers"),
        (Foreign, EmbeddingsContract.test_an_index_of_the_core_opens_with_it, "model"),
        (Forgiving, EmbeddingsContract.test_an_empty_text_is_the_core_s_error, "DID NOT RAISE"),
    ],
)
def test_wrong_embeddings_fail(tmp_path: Path, wrong: Any, test: Any, message: str) -> None:
    prefixes = {"query_prefix": "질문: ", "passage_prefix": "문서: "}
    fails(wrong(), test, message, prefixes=prefixes, tmp_path=tmp_path)


@pytest.mark.parametrize("contract", [RetrieverContract, EmbeddingsContract, ReaderContract, VectorStoreContract])
def test_what_is_not_written_says_what_to_write(contract: Any) -> None:
    class Mine(contract):  # type: ignore[misc]
        pass

    (method, arguments) = {
        RetrieverContract: ("retrieve", (None, "질문", 1)),
        EmbeddingsContract: ("make", ("static-ko",)),
        ReaderContract: ("load", ([], "page")),
        VectorStoreContract: ("add", (None, [])),
    }[contract]
    with pytest.raises(NotImplementedError, match=f"Mine: write `{method}"):
        getattr(Mine(), method)(*arguments)
