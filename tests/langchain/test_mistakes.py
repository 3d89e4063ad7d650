"""What is given to the LangChain classes by mistake is named, not taken for something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document

from kure_rag import KureEmbeddings
from kure_rag.errors import EntryError, IndexLockedError
from kure_rag.index.lock import WriterLock
from kure_rag.langchain import KureDocumentIndex, KurePDFLoader, KurePDFParser, KureTextSplitter, KureVectorStore


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[KureVectorStore]:
    embeddings = KureEmbeddings(str(tiny_model))
    with KureVectorStore.from_path(tmp_path_factory.mktemp("mistakes") / "ix", embeddings=embeddings) as made:
        made.add_texts(["연차휴가는 15일로 한다.", "병가는 60일까지로 한다."], ids=["휴", "가"])
        yield made


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("texts", lambda store: store.add_texts("휴가")),
        ("texts", lambda store: KureVectorStore.from_texts("휴가", store.embeddings)),
        ("documents", lambda store: store.add_documents("휴가")),
        ("ids", lambda store: store.add_texts(["하나", "둘"], ids="휴가")),
        ("ids", lambda store: store.delete("휴가")),
        ("ids", lambda store: store.delete(ids="휴가")),
        ("ids", lambda store: store.get_by_ids("휴가")),
        ("ids", lambda store: KureDocumentIndex(index=store.index).delete("휴가")),
        ("ids", lambda store: KureDocumentIndex(index=store.index).get("휴가")),
        ("documents", lambda store: KureDocumentIndex(index=store.index).upsert("휴가")),
        ("texts", lambda _: KureTextSplitter().create_documents("휴가")),
        ("documents", lambda _: KureTextSplitter().split_documents("휴가")),
    ],
)
def test_a_text_instead_of_a_list_is_not_taken_letter_by_letter(
    store: KureVectorStore, name: str, call: Callable[[KureVectorStore], Any]
) -> None:
    with pytest.raises(TypeError, match=f"{name} is a list, and '휴가' is one text"):
        call(store)
    assert store.index.entry_ids() == ["휴", "가"]


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.add_documents(["휴가"]),
        lambda store: KureDocumentIndex(index=store.index).upsert(["휴가"]),
        lambda _: KureTextSplitter().split_documents(["휴가"]),
    ],
)
def test_what_is_no_document_is_named(store: KureVectorStore, call: Callable[[KureVectorStore], Any]) -> None:
    with pytest.raises(TypeError, match=r"documents hold '휴가', which is str; give Document"):
        call(store)


def test_what_is_no_text_is_not_cut() -> None:
    with pytest.raises(TypeError, match="a text to cut is str, not NoneType"):
        KureTextSplitter().split_text(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [KurePDFLoader, KurePDFParser])
def test_a_keyword_that_there_is_none_of_is_named_with_its_class(kind: Any, tmp_path: Path) -> None:
    given = (tmp_path,) if kind is KurePDFLoader else ()
    with pytest.raises(TypeError, match=rf"{kind.__name__} takes no keyword 'foo'; it takes domain, chunks"):
        kind(*given, foo=1)


def test_a_set_in_metadata_is_told_by_its_kind(store: KureVectorStore) -> None:
    with pytest.raises(EntryError, match="is a Python set, which JSON has not"):
        store.add_documents([Document(page_content="글", metadata={"갈래": {"휴가"}})])


def test_adding_and_deleting_wait_as_long_as_the_store_was_told(store: KureVectorStore) -> None:
    asked: list[float | None] = []
    lock = store.index._store._lock

    class Noting(WriterLock):
        def held(self, *, mending: bool = False, wait: float | None = None) -> Any:
            asked.append(wait)
            return super().held(mending=mending, wait=wait)

    store.index._store._lock = Noting(store.index.path)
    try:
        patient = KureVectorStore(store.index, wait=7.5)
        patient.add_texts(["잠깐 있는 글"], ids=["잠깐"])
        patient.delete(["잠깐"])
        assert set(asked) == {7.5}
        asked.clear()
        KureDocumentIndex(index=store.index, wait=6.5).upsert([Document(id="잠깐", page_content="잠깐 있는 글")])
        KureDocumentIndex(index=store.index, wait=6.5).delete(["잠깐"])
        assert set(asked) == {6.5}
        asked.clear()
        store.delete(["없음"])
        assert asked == [10.0]
        with WriterLock(store.index.path).held(), pytest.raises(IndexLockedError):
            KureVectorStore(store.index, wait=0).add_texts(["잠깐 있는 글"])
    finally:
        store.index._store._lock = lock
