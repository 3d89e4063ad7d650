"""A reader, splitter, reranker or store that is wrong in one way fails its contract, at the test about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from adapters import ChainReading, ChainReranking, ChainSplitting, ChainStore
from failing import fails
from langchain_core.documents import Document as ChainDocument

from kure_rag import Entry, Hit, KureIndex
from kure_rag.errors import ReadError
from kure_rag.testing import Found, Piece, ReaderContract, RerankerContract, SplitterContract, VectorStoreContract
from kure_rag.testing.material import LAW


class Reader(ChainReading, ReaderContract):
    units = ("page",)


class WithoutOcr(Reader):
    def load(self, paths: Sequence[Path], unit: Any, *, skip_errors: bool = False) -> Sequence[Piece]:
        return [
            one._replace(metadata={name: value for name, value in one.metadata.items() if name != "ocr"})
            for one in super().load(paths, unit, skip_errors=skip_errors)
        ]


class Backwards(Reader):
    def load(self, paths: Sequence[Path], unit: Any, *, skip_errors: bool = False) -> Sequence[Piece]:
        return super().load(list(paths)[::-1], unit, skip_errors=skip_errors)


class Lenient(Reader):
    def load(self, paths: Sequence[Path], unit: Any, *, skip_errors: bool = False) -> Sequence[Piece]:
        return super().load(paths, unit, skip_errors=True)


class Dropping(Reader):
    def load(self, paths: Sequence[Path], unit: Any, *, skip_errors: bool = False) -> Sequence[Piece]:
        try:
            return super().load(paths, unit)
        except ReadError:
            if not skip_errors:
                raise
            return []


@pytest.fixture(scope="module")
def read() -> Any:
    return ReaderContract.read.__wrapped__.__func__(ReaderContract)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("wrong", "test", "message"),
    [
        (WithoutOcr, ReaderContract.test_pages_are_the_core_s, "'ocr' is missing"),
        (Backwards, ReaderContract.test_pages_are_the_core_s, "texts of pages, at place 0"),
        (Lenient, ReaderContract.test_a_file_that_cannot_be_read_is_named_or_left_out, "DID NOT RAISE"),
        (Dropping, ReaderContract.test_a_file_that_cannot_be_read_is_named_or_left_out, "sources"),
    ],
)
def test_a_wrong_readerfails(read: Any, tmp_path: Path, wrong: Any, test: Any, message: str) -> None:
    fails(wrong(), test, message, read=read, tmp_path=tmp_path)


class Splitter(ChainSplitting, SplitterContract):
    pass


class ByFind(Splitter):
    def split(self, text: str, metadata: Any, **settings: Any) -> Sequence[Piece]:
        return [one._replace(start=text.find(one.text)) for one in super().split(text, metadata, **settings)]


class Forgetful(Splitter):
    def split(self, text: str, metadata: Any, **settings: Any) -> Sequence[Piece]:
        return super().split(text, {}, **settings)


class EveryFifty(Splitter):
    def split(self, text: str, metadata: Any, **settings: Any) -> Sequence[Piece]:
        return [Piece(None, text[i : i + 50], i, metadata) for i in range(0, len(text), 50)]


@pytest.mark.parametrize(
    ("wrong", "test", "message"),
    [
        (ByFind, SplitterContract.test_offsets_are_exact_where_sentences_repeat, "offsets"),
        (ByFind, SplitterContract.test_pieces_are_the_core_s, "offset of"),
        (Forgetful, SplitterContract.test_metadata_of_the_document_stays, "'source' is missing"),
        (EveryFifty, SplitterContract.test_pieces_are_the_core_s, "texts of pieces, at place 0"),
        (EveryFifty, SplitterContract.test_a_text_without_anything_visible_has_no_pieces, "the core 0"),
    ],
)
def test_a_wrong_splitterfails(wrong: Any, test: Any, message: str) -> None:
    fails(wrong(), test, message, text=LAW, settings={"profile": "legal", "domain": "legal"})


class Reranker(ChainReranking, RerankerContract):
    pass


class WorstFirst(Reranker):
    def rerank(self, model: str, query: str, hits: Sequence[Hit], top_n: int | None) -> Any:
        return super().rerank(model, query, hits, top_n)[::-1]


class All(Reranker):
    def rerank(self, model: str, query: str, hits: Sequence[Hit], top_n: int | None) -> Any:
        return super().rerank(model, query, hits, None)


class LastOfEqualsFirst(Reranker):
    def rerank(self, model: str, query: str, hits: Sequence[Hit], top_n: int | None) -> Any:
        return sorted(super().rerank(model, query, hits, top_n), key=lambda one: (-one[1], -one[0]))


class TextAlone(Reranker):
    @staticmethod
    def _documents(hits: Sequence[Hit]) -> Any:
        return [ChainDocument(id=hit.chunk.id, page_content=hit.chunk.text) for hit in hits]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    from kure_rag.testing.reranking import make_cross_encoder

    return str(make_cross_encoder(tmp_path_factory.mktemp("model") / "cross-encoder"))


@pytest.mark.parametrize(
    ("wrong", "test", "message"),
    [
        (WorstFirst, RerankerContract.test_order_and_scores_are_the_core_s, "top_n=None, at place 0"),
        (All, RerankerContract.test_order_and_scores_are_the_core_s, "top_n=1"),
        (TextAlone, RerankerContract.test_headings_and_lead_are_read_with_the_text, "below headings, at place"),
        (LastOfEqualsFirst, RerankerContract.test_equal_texts_keep_the_order_given, "positions"),
    ],
)
def test_a_wrong_rerankerfails(model: str, wrong: Any, test: Any, message: str) -> None:
    fails(wrong(), test, message, model=model)


class Store(ChainStore, VectorStoreContract):
    pass


class Stripping(Store):
    def add(self, index: KureIndex, entries: Sequence[Entry]) -> Sequence[str]:
        return super().add(index, [Entry(id=e.id, text=e.text.strip(), metadata=e.metadata) for e in entries])


class TextualMetadata(Store):
    def add(self, index: KureIndex, entries: Sequence[Entry]) -> Sequence[str]:
        said = [{name: str(value) for name, value in entry.metadata.items()} for entry in entries]
        return super().add(index, [Entry(id=e.id, text=e.text, metadata=m) for e, m in zip(entries, said, strict=True)])


class KeepsTheFirst(Store):
    def add(self, index: KureIndex, entries: Sequence[Entry]) -> Sequence[str]:
        there = set(index.entry_ids())
        super().add(index, [entry for entry in entries if entry.id not in there])
        return [entry.id for entry in entries]


class QueryVectors(Store):
    def add(self, index: KureIndex, entries: Sequence[Entry]) -> Sequence[str]:
        vectors = index.embedder.embed_queries([f"질문 {entry.text}" for entry in entries])
        return index.put(
            Entry(id=e.id, text=e.text, metadata=e.metadata, vector=vector)
            for e, vector in zip(entries, vectors, strict=True)
        )


class NeverDeletes(Store):
    def delete(self, index: KureIndex, ids: Sequence[str]) -> None:
        pass


class DeletesByText(Store):
    def delete(self, index: KureIndex, ids: Sequence[str]) -> None:
        texts = {entry.text for entry in index.entries(ids)}
        super().delete(index, [entry.id for entry in index.entries(index.entry_ids()) if entry.text in texts])


class AlwaysHybrid(Store):
    def search(self, index: KureIndex, query: str, k: int, *, mode: Any, where: Any = None) -> Sequence[Found]:
        return super().search(index, query, k, mode="hybrid", where=where)


class FiltersAfterwards(Store):
    def search(self, index: KureIndex, query: str, k: int, *, mode: Any, where: Any = None) -> Sequence[Found]:
        left = set(index.entry_ids(where=where))
        return [one for one in super().search(index, query, k, mode=mode) if one.id in left]


class FiltersNothing(Store):
    def search(self, index: KureIndex, query: str, k: int, *, mode: Any, where: Any = None) -> Sequence[Found]:
        return super().search(index, query, k, mode=mode)


class InMemory(Store):
    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {}

    def add(self, index: KureIndex, entries: Sequence[Entry]) -> Sequence[str]:
        self.index = index
        return super().add(index, entries)

    def get(self, index: KureIndex, ids: Sequence[str]) -> Sequence[Piece]:
        return [one for one in super().get(index, ids) if index is self.index]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[KureIndex]:
    with KureIndex.open(tmp_path / "index", embeddings="static-ko") as index:
        yield index


@pytest.mark.parametrize(
    ("wrong", "test", "message"),
    [
        (Stripping, VectorStoreContract.test_what_is_put_comes_back_as_it_was, "texts, at place"),
        (TextualMetadata, VectorStoreContract.test_what_is_put_comes_back_as_it_was, "metadata, at place"),
        (KeepsTheFirst, VectorStoreContract.test_putting_again_replaces_in_both_legs, "text and metadata"),
        (QueryVectors, VectorStoreContract.test_vectors_are_the_core_s, "the vector of"),
        (NeverDeletes, VectorStoreContract.test_what_is_deleted_is_gone_from_both_legs, "documents"),
        (DeletesByText, VectorStoreContract.test_equal_texts_of_two_ids_are_two, "ids in mode"),
        (AlwaysHybrid, VectorStoreContract.test_a_search_gives_what_the_core_gives, "in mode lexical"),
        (FiltersAfterwards, VectorStoreContract.test_filters_hold_before_anything_is_ranked, "ids in mode"),
        (FiltersNothing, VectorStoreContract.test_filters_hold_before_anything_is_ranked, "ids in mode|leaves out"),
        (InMemory, VectorStoreContract.test_it_is_there_when_the_index_is_opened_again, "unpack"),
    ],
)
def test_a_wrong_storefails(index: KureIndex, wrong: Any, test: Any, message: str) -> None:
    fails(wrong(), test, message, index=index)
