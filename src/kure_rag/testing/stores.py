"""What a vector store over our index has to do, whatever its framework: keep both legs of a search in step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

import numpy as np

from kure_rag.embed import Embedder
from kure_rag.pipeline import Entry, KureIndex
from kure_rag.testing.material import MODEL, Found, Piece, holds, same
from kure_rag.testing.needs_pytest import pytest

_TWICE: Final = "휴가는 부서장의 승인을 받아 사용한다."
ENTRIES: Final[tuple[Entry, ...]] = (
    Entry(
        id="급여/제4조",
        text="급여는 매월 25일에 지급한다.",
        metadata={"source": "보수규정.pdf", "year": 2026, "rate": 4.25, "final": True, "tags": ["급여", "지급"]},
        group="보수규정",
    ),
    Entry(
        id="loan-1", text="이자를 두 달 넘게 내지 않으면 기한의 이익을 잃는다.", metadata={"year": 2025}, group="약관"
    ),
    Entry(id="loan-2", text="  대출금은 언제든지 갚을 수 있다.\n", metadata={"year": 2026}, group="약관"),
    Entry(id="leave-a", text=_TWICE, metadata={"source": "직원 규칙"}, group="직원 규칙"),
    Entry(id="leave-b", text=_TWICE, metadata={"source": "계약직 규칙"}, group="계약직 규칙"),
)
_QUESTION: Final = "급여는 언제 지급하나요?"
_K: Final = 3


class VectorStoreContract:
    """What is put comes back as it was, is found as the core finds it, and is gone when it was deleted.

    Inherit it under a name that begins with ``Test``, and write the four methods. Where the framework embeds by itself,
    give it the index's own embedder, ``index.embedder``.

    Attributes:
        modes: Of ``hybrid``, ``lexical`` and ``dense``, those that :meth:`search` can ask for.
        filters: What :meth:`search` is told as ``where``; leave out what the framework's filters cannot say.
    """

    modes: ClassVar[Sequence[str]] = ("hybrid", "lexical", "dense")
    filters: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"year": 2026},
        {"year": 2025},
        {"year": {"$gte": 2025}},
        {"source": "없는 것"},
    )

    def add(self, index: KureIndex, entries: Sequence[Entry]) -> Sequence[str]:
        """Adds documents with these ids, texts, metadata and, where the framework knows such, groups; gives the ids."""
        raise NotImplementedError(f"{type(self).__name__}: write `add(self, index, entries)`")

    def get(self, index: KureIndex, ids: Sequence[str]) -> Sequence[Piece]:
        """Documents by their ids."""
        raise NotImplementedError(f"{type(self).__name__}: write `get(self, index, ids)`")

    def delete(self, index: KureIndex, ids: Sequence[str]) -> None:
        """Removes documents by their ids."""
        raise NotImplementedError(f"{type(self).__name__}: write `delete(self, index, ids)`")

    def search(
        self, index: KureIndex, query: str, k: int, *, mode: str, where: Mapping[str, Any] | None = None
    ) -> Sequence[Found]:
        """Asks the store in one of the modes, with a filter of ours said in the framework's way."""
        raise NotImplementedError(f"{type(self).__name__}: write `search(self, index, query, k, *, mode, where)`")

    @pytest.fixture
    def index(self, tmp_path: Any) -> Iterator[KureIndex]:
        """A new index that is open, with the bundled model."""
        with KureIndex.open(tmp_path / "index", embeddings=MODEL) as index:
            yield index

    def test_what_is_put_comes_back_as_it_was(self, index: KureIndex) -> None:
        """Ids, texts to the last blank, and metadata with their types, in the order asked."""
        same("ids", list(self.add(index, ENTRIES)), [entry.id for entry in ENTRIES])
        asked = [entry.id for entry in reversed(ENTRIES)]
        given = self.get(index, [*asked, "no such id"])
        same("ids", [one.id for one in given], asked)
        same("texts", [one.text for one in given], [entry.text for entry in reversed(ENTRIES)])
        same("metadata", [dict(one.metadata) for one in given], [dict(entry.metadata) for entry in reversed(ENTRIES)])

    def test_vectors_are_the_core_s(self, index: KureIndex) -> None:
        """The passages' own, with the prefix of passages."""
        self.add(index, ENTRIES)
        kept = index.entries([entry.id for entry in ENTRIES], vectors=True)
        wanted = Embedder(MODEL).embed_passages([entry.text for entry in ENTRIES])
        for entry, vector in zip(kept, wanted, strict=True):
            near = entry.vector is not None and np.allclose(entry.vector, vector, atol=1e-6)
            holds(f"the vector of {entry.id!r} is not the core's", bool(near))

    def test_a_search_gives_what_the_core_gives(self, index: KureIndex) -> None:
        """Ids, order, scores and texts in every mode. A store may go on with what is near, where the core ends."""
        self.add(index, ENTRIES)
        for mode in self.modes:
            core = self._core(index, mode)
            given = self.search(index, _QUESTION, _K, mode=mode)[: len(core)]
            same(f"ids in mode {mode}", [one.id for one in given], [one[0] for one in core])
            same(f"texts in mode {mode}", [one.text for one in given], [one[1] for one in core])
            same(f"scores in mode {mode}", [one.score for one in given], [one[2] for one in core])

    def test_filters_hold_before_anything_is_ranked(self, index: KureIndex) -> None:
        """What they leave out takes no place among the best."""
        self.add(index, ENTRIES)
        asked = [(mode, k, where) for mode in self.modes for k in (1, _K) for where in self.filters]
        for mode, k, where in asked:
            given = self.search(index, _QUESTION, k, mode=mode, where=where)
            core = [one[0] for one in self._core(index, mode, k, where=where)]
            same(f"ids in mode {mode} with k={k} where {where}", [one.id for one in given][: len(core)], core)
            left = {entry.id for entry in index.entries(index.entry_ids(where=where))}
            holds(f"a document that {where} leaves out", {one.id for one in given} <= left)

    def test_putting_again_replaces_in_both_legs(self, index: KureIndex) -> None:
        """The older text is not found by its words, nor by its vector."""
        self.add(index, ENTRIES)
        newer = replace(ENTRIES[0], text="상여금은 명절마다 준다.", metadata={"year": 2027})
        self.add(index, [newer])
        same("ids", sorted(index.entry_ids()), sorted(entry.id for entry in ENTRIES))
        (given,) = self.get(index, [newer.id])
        same("text and metadata", [given.text, dict(given.metadata)], [newer.text, dict(newer.metadata)])
        for mode in self.modes:
            texts = [one.text for one in self.search(index, "급여 지급", len(ENTRIES), mode=mode)]
            holds(f"mode {mode} finds the older text", ENTRIES[0].text not in texts)
            first = self.search(index, "명절 상여금", 1, mode=mode)
            same(f"ids in mode {mode}", [one.id for one in first], [newer.id])

    def test_equal_texts_of_two_ids_are_two(self, index: KureIndex) -> None:
        """Two places to cite; deleting one leaves the other."""
        self.add(index, ENTRIES)
        for mode in self.modes:
            found = {one.id for one in self.search(index, _TWICE, _K, mode=mode) if one.text == _TWICE}
            same(f"ids in mode {mode}", sorted(found), ["leave-a", "leave-b"])
        self.delete(index, ["leave-a"])
        for mode in self.modes:
            found = {one.id for one in self.search(index, _TWICE, _K, mode=mode) if one.text == _TWICE}
            same(f"ids in mode {mode}", sorted(found), ["leave-b"])

    def test_what_is_deleted_is_gone_from_both_legs(self, index: KureIndex) -> None:
        """Unknown ids are passed over, and everything else stays."""
        self.add(index, ENTRIES)
        self.delete(index, [ENTRIES[0].id, "no such id"])
        same("documents", [one.id for one in self.get(index, [ENTRIES[0].id, "loan-1"])], ["loan-1"])
        for mode in self.modes:
            ids = {one.id for one in self.search(index, _QUESTION, len(ENTRIES), mode=mode)}
            holds(f"mode {mode} finds what was deleted", ENTRIES[0].id not in ids)
        self.add(index, ENTRIES[:1])
        for mode in self.modes:
            same(f"first in mode {mode}", [self.search(index, _QUESTION, 1, mode=mode)[0].id], [ENTRIES[0].id])

    def test_an_empty_store_finds_nothing(self, index: KureIndex) -> None:
        """That is no error."""
        same("ids", list(self.add(index, [])), [])
        for mode in self.modes:
            same(f"documents in mode {mode}", list(self.search(index, _QUESTION, _K, mode=mode)), [])

    def test_it_is_there_when_the_index_is_opened_again(self, index: KureIndex) -> None:
        """Nothing may live in the adapter alone."""
        self.add(index, ENTRIES)
        wanted = [one.id for one in self.search(index, _QUESTION, _K, mode=self.modes[0])]
        with KureIndex.open(index.path) as again:
            same("ids", [one.id for one in self.search(again, _QUESTION, _K, mode=self.modes[0])], wanted)
            (given,) = self.get(again, [ENTRIES[0].id])
            same("metadata", [dict(given.metadata)], [dict(ENTRIES[0].metadata)])

    def _core(
        self, index: KureIndex, mode: Any, k: int = _K, where: Mapping[str, Any] | None = None
    ) -> list[tuple[str, str, float]]:
        vector = None if mode == "lexical" else index.embedder.embed_queries([_QUESTION])[0]
        hits = index.search(_QUESTION, vector=vector, k=k, mode=mode, where=where)
        return [(hit.chunk.id, hit.chunk.text, hit.score) for hit in hits]
