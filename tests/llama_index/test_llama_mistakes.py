"""What is given to the LlamaIndex classes by mistake is named, not taken for something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.schema import TextNode

from kure_rag import KureIndex
from kure_rag.errors import IndexLockedError, SearchError
from kure_rag.index.lock import WriterLock
from kure_rag.llama_index import (
    KureEmbedding,
    KureNodeParser,
    KurePDFReader,
    KureRerank,
    KureRetriever,
    KureVectorStore,
)

NODE = TextNode(id_="휴", text="연차휴가는 15일로 한다.", embedding=[1.0, 0.0, 0.0])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KureVectorStore]:
    folder, plane = tmp_path_factory.mktemp("mistakes"), MockEmbedding(embed_dim=3)
    with KureVectorStore(path=folder / "ix", embeddings=plane, verify_embeddings=False, wait=0) as made:
        made.add([NODE])
        yield made


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("nodes", lambda store: store.add("휴가")),
        ("node_ids", lambda store: store.get_nodes("휴가")),
        ("node_ids", lambda store: store.delete_nodes("휴가")),
    ],
)
def test_a_text_instead_of_a_list_is_not_taken_letter_by_letter(
    store: KureVectorStore, name: str, call: Callable[[KureVectorStore], Any]
) -> None:
    with pytest.raises(TypeError, match=f"{name} is a list, and '휴가' is one text"):
        call(store)
    assert [node.node_id for node in store.get_nodes()] == ["휴"]


def test_what_is_no_node_is_named(store: KureVectorStore) -> None:
    with pytest.raises(TypeError, match=r"nodes hold '휴가', which is str; give TextNode"):
        store.add(["휴가"])  # type: ignore[list-item]


def test_a_store_waits_as_long_as_it_was_told(store: KureVectorStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kure_rag.index.lock._WAIT", 600)  # not this long
    other = TextNode(id_="가", text="병가는 60일까지로 한다.", embedding=[0.0, 1.0, 0.0])
    with WriterLock(store.client.path).held():
        for call in (
            lambda: store.add([other]),
            lambda: store.delete("휴"),
            lambda: store.delete_nodes(["휴"]),
            store.clear,
        ):
            with pytest.raises(IndexLockedError):
                call()
    assert KureVectorStore(store.client).wait == 10.0


def test_a_retriever_says_what_it_calls_k(small_index: KureIndex, tiny_model: Path) -> None:
    with pytest.raises(TypeError, match="KureRetriever takes no keyword 'k'; say similarity_top_k"):
        KureRetriever.from_path(small_index.path, embeddings=str(tiny_model), k=1)


@pytest.mark.parametrize(
    ("kind", "misspelt"),
    [
        (KureEmbedding, "query_prefx"),
        (KureNodeParser, "profil"),
        (KurePDFReader, "units"),
        (KureRerank, "topn"),
        (KureVectorStore, "embed_setting"),
    ],
)
def test_a_misspelt_keyword_is_named_and_not_ignored(tmp_path: Path, kind: type[Any], misspelt: str) -> None:
    place = {"path": tmp_path / "ix", "embeddings": "static-ko"} if kind is KureVectorStore else {}
    with pytest.raises(TypeError, match=f"{kind.__name__} takes no keyword '{misspelt}'"):
        kind(**place, **{misspelt: "legal"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [KureNodeParser, KurePDFReader, KureRerank])
def test_what_is_written_down_has_only_keywords_that_are_taken(kind: type[Any]) -> None:
    assert kind.from_dict(kind().to_dict()).to_dict() == kind().to_dict()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"similarity_top_k": "a"}, "similarity_top_k='a': give a whole number of at least 1"),
        ({"similarity_top_k": 0}, "similarity_top_k=0: give a whole number of at least 1"),
        ({"score_threshold": "a"}, "score_threshold='a': a relevance is a number between 0 and 1"),
    ],
)
def test_a_value_of_another_kind_is_named(small_index: KureIndex, given: dict[str, Any], said: str) -> None:
    with pytest.raises(SearchError, match=said):
        KureRetriever(small_index, **given)
