"""What a retriever over our index has to give, whatever its framework: the core's hits."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from kure_rag.citation import hit_metadata
from kure_rag.embed import Embedder
from kure_rag.errors import SearchError
from kure_rag.pipeline import Entry, KureIndex
from kure_rag.testing.material import MODEL, QUESTIONS, SEARCHES, TWICE, Found, holds, make_index, same
from kure_rag.testing.needs_pytest import pytest
from kure_rag.types import Hit

if TYPE_CHECKING:
    from numpy.typing import NDArray

_K: Final = 7
_PATIENCE: Final = 20.0  # seconds after which a blocked event loop counts as blocked


class RetrieverContract:
    """Ids, order, scores, texts and metadata of a retriever are the core's.

    Inherit it under a name that begins with ``Test``, and write :meth:`retrieve`. A fixture ``index`` of your own, of a
    wider scope, makes several such classes share one index.

    Attributes:
        searches: What :meth:`retrieve` is told beside the query and ``k``, each as keywords of
            :meth:`kure_rag.KureIndex.search`; leave out what the framework has no way to say.
        more_metadata: Names that the framework itself adds to the metadata.
    """

    searches: ClassVar[Sequence[Mapping[str, Any]]] = SEARCHES
    more_metadata: ClassVar[frozenset[str]] = frozenset()

    def retrieve(self, index: KureIndex, query: str, k: int, **search: Any) -> Sequence[Found]:
        """Asks the adapter, and says what it gave in its order."""
        raise NotImplementedError(f"{type(self).__name__}: write `retrieve(self, index, query, k, **search)`")

    @pytest.fixture(scope="class")
    @classmethod
    def index(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KureIndex]:
        """The index that is asked; no test changes it."""
        with make_index(tmp_path_factory.mktemp("contract") / "index") as index:
            yield index

    @pytest.mark.parametrize("question", QUESTIONS)
    def test_ids_and_their_order_are_the_core_s(self, index: KureIndex, question: str) -> None:
        """The same passages, best first."""
        given = self.retrieve(index, question, _K)
        same(f"ids for {question!r}", [one.id for one in given], [hit.chunk.id for hit in _core(index, question)])

    @pytest.mark.parametrize("question", QUESTIONS)
    def test_scores_are_the_core_s(self, index: KureIndex, question: str) -> None:
        """To the last digit: neither rounded nor scaled, and none lost."""
        given = self.retrieve(index, question, _K)
        same(f"scores for {question!r}", [one.score for one in given], [hit.score for hit in _core(index, question)])

    @pytest.mark.parametrize("question", QUESTIONS)
    def test_texts_are_the_core_s(self, index: KureIndex, question: str) -> None:
        """Whole, and without headings or metadata written into them."""
        given = self.retrieve(index, question, _K)
        same(f"texts for {question!r}", [one.text for one in given], [hit.chunk.text for hit in _core(index, question)])

    @pytest.mark.parametrize("question", QUESTIONS)
    def test_metadata_is_the_core_s(self, index: KureIndex, question: str) -> None:
        """Every name and value of :func:`kure_rag.citation.hit_metadata`, and no other name."""
        self._same_metadata(self.retrieve(index, question, _K), _core(index, question), question)

    def test_metadata_is_json(self, index: KureIndex) -> None:
        """Frameworks write it into files and prompts."""
        for one in self.retrieve(index, QUESTIONS[0], _K):
            plain = dict(one.metadata)
            holds(f"metadata of {one.id} changes on its way through JSON", json.loads(json.dumps(plain)) == plain)

    def test_at_most_k_come(self, index: KureIndex) -> None:
        """One, a few, and more than a leg's first candidates."""
        for k in (1, 3, 50):
            core = [hit.chunk.id for hit in index.search(QUESTIONS[0], k=k)]
            same(f"ids with k={k}", [one.id for one in self.retrieve(index, QUESTIONS[0], k)], core)

    def test_equal_passages_of_two_sources_both_come(self, index: KureIndex) -> None:
        """Fusing or caching by text would lose a citation."""
        found = [one for one in self.retrieve(index, TWICE, _K) if one.text == TWICE]
        same("sources of one text", sorted(one.metadata["source"] for one in found), ["bylaws-a", "bylaws-b"])

    def test_what_else_a_search_is_told_reaches_the_core(self, index: KureIndex) -> None:
        """Modes, filters before ranking, and the text around; also where nothing is left to find."""
        for search in self.searches:
            given, core = self.retrieve(index, QUESTIONS[0], _K, **search), _core(index, QUESTIONS[0], **search)
            asked = f"{QUESTIONS[0]!r} with {dict(search)}"
            same(
                f"ids and scores for {asked}", [one[::2] for one in given], [(hit.chunk.id, hit.score) for hit in core]
            )
            self._same_metadata(given, core, asked)

    def test_an_empty_question_is_the_core_s_error(self, index: KureIndex) -> None:
        """Not an empty list: whoever asks has made a mistake, and hears of it."""
        with pytest.raises(SearchError):
            self.retrieve(index, "   ", _K)

    def test_what_is_added_later_is_found(self, tmp_path: Any) -> None:
        """Nothing of an earlier search may be kept."""
        with KureIndex.open(tmp_path / "index", embeddings=MODEL) as index:
            index.put([Entry(id="old", text="주차는 지상에 한다.")])
            same("ids", [one.id for one in self.retrieve(index, "주차", _K)], ["old"])
            index.put([Entry(id="new", text="주차는 주차권을 받아 지하 주차장에 한다.")])
            same("ids", sorted(one.id for one in self.retrieve(index, "주차", _K)), ["new", "old"])

    def _same_metadata(self, given: Sequence[Found], hits: Sequence[Hit], asked: str) -> None:
        for one, hit in zip(given, hits, strict=True):
            core = hit_metadata(hit)
            names = set(one.metadata) - self.more_metadata
            same(f"names of metadata of {hit.chunk.id} for {asked}", sorted(names), sorted(core))
            for name, value in core.items():
                same(f"{name!r} of {hit.chunk.id} for {asked}", [one.metadata[name]], [value])


class AsyncRetrieverContract(RetrieverContract):
    """:class:`RetrieverContract`, for a retriever that is also asked from an event loop."""

    async def aretrieve(self, index: KureIndex, query: str, k: int, **search: Any) -> Sequence[Found]:
        """As :meth:`RetrieverContract.retrieve`, by the framework's asynchronous way."""
        raise NotImplementedError(f"{type(self).__name__}: write `async aretrieve(self, index, query, k, **search)`")

    def test_an_event_loop_gets_the_same(self, index: KureIndex) -> None:
        """For every question, and with everything else that a search is told."""
        for question in QUESTIONS:
            same(question, asyncio.run(self._gathered(index, question)), [list(self.retrieve(index, question, _K))])
        for search in self.searches:
            given = asyncio.run(self._gathered(index, QUESTIONS[0], **search))
            same(f"with {dict(search)}", given, [list(self.retrieve(index, QUESTIONS[0], _K, **search))])

    def test_many_at_once_are_not_mixed_up(self, index: KureIndex) -> None:
        """Each question gets its own passages."""

        async def ask() -> list[list[str]]:
            found = await asyncio.gather(*(self.aretrieve(index, question, 3) for question in QUESTIONS * 4))
            return [[one.id for one in one_s] for one_s in found]

        alone = [[one.id for one in self.retrieve(index, question, 3)] for question in QUESTIONS]
        same("ids", asyncio.run(ask()), alone * 4)

    def test_the_event_loop_goes_on_meanwhile(self, tmp_path: Any) -> None:
        """A search that runs on the loop would stop every other user of it."""
        with KureIndex.open(tmp_path / "index", embeddings=(gate := _Gate())) as index:
            index.put([Entry(id="one", text="급여는 매월 25일에 지급한다.")])

            async def ask() -> None:
                searching = asyncio.ensure_future(self.aretrieve(index, "급여", 1))
                await asyncio.sleep(0)
                gate.opened.set()
                same("ids", [one.id for one in await searching], ["one"])

            gate.opened.clear()
            asyncio.run(ask())
        holds("the search ran on the event loop: nothing else could run meanwhile", not gate.waited_in_vain)

    async def _gathered(self, index: KureIndex, question: str, **search: Any) -> list[list[Found]]:
        return [list(await self.aretrieve(index, question, _K, **search))]


class _Gate:
    """The bundled model, whose queries wait until they are let through."""

    def __init__(self) -> None:
        self._embedder = Embedder(MODEL)
        self.opened = threading.Event()
        self.opened.set()
        self.waited_in_vain = False
        self.name, self.dense_weight = self._embedder.name, self._embedder.dense_weight
        self.fingerprint = self._embedder.fingerprint

    def embed_queries(self, texts: Sequence[str]) -> NDArray[Any]:
        self.waited_in_vain |= not self.opened.wait(_PATIENCE)
        return self._embedder.embed_queries(texts)

    def embed_passages(self, texts: Sequence[str]) -> NDArray[Any]:
        return self._embedder.embed_passages(texts)


def _core(index: KureIndex, question: str, **search: Any) -> list[Hit]:
    return index.search(question, k=_K, **search)
