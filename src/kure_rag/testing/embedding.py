"""What an embedding model over ours has to give, whatever its framework: the core's vectors, in the right role."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from kure_rag.embed import Embedder, EmbedSettings
from kure_rag.errors import InvalidTextError
from kure_rag.pipeline import Entry, KureIndex
from kure_rag.testing.material import MODEL, TEXTS, holds, same
from kure_rag.testing.needs_pytest import pytest

_PREFIXES: Final[Mapping[str, Any]] = {"query_prefix": "질문: ", "passage_prefix": "문서: "}


class EmbeddingsContract:
    """Vectors of queries and of passages are the core's, bit for bit, and the two roles are not mixed up.

    Inherit it under a name that begins with ``Test``, and write the three methods. The tests give the bundled model a
    prefix for each role, as E5, KoE5 and others have them: an adapter that embeds queries as passages fails.

    Attributes:
        settings: Further settings for the adapter and the core, such as a device.
    """

    settings: ClassVar[Mapping[str, Any]] = {}

    def make(self, model: str, **settings: Any) -> Any:
        """The framework's embedding object over that model; settings are those of :class:`kure_rag.EmbedSettings`."""
        raise NotImplementedError(f"{type(self).__name__}: write `make(self, model, **settings)`")

    def embed_query(self, embeddings: Any, text: str) -> Sequence[float]:
        """The vector of one query, by the framework's way."""
        raise NotImplementedError(f"{type(self).__name__}: write `embed_query(self, embeddings, text)`")

    def embed_passages(self, embeddings: Any, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """The vectors of passages, by the framework's way."""
        raise NotImplementedError(f"{type(self).__name__}: write `embed_passages(self, embeddings, texts)`")

    @pytest.fixture(params=[{}, _PREFIXES], ids=["plain", "prefixes"])
    def prefixes(self, request: pytest.FixtureRequest) -> Mapping[str, Any]:
        """Without and with prefixes."""
        given: Mapping[str, Any] = request.param
        return given

    def test_queries_have_the_core_s_vectors(self, prefixes: Mapping[str, Any]) -> None:
        """With the prefix of queries."""
        ours, core = self._both(prefixes)
        for text in TEXTS:
            _same_vectors(f"query {text!r}", [self.embed_query(ours, text)], core.embed_queries([text]))

    def test_passages_have_the_core_s_vectors_in_their_order(self, prefixes: Mapping[str, Any]) -> None:
        """With the prefix of passages; many at once, of many lengths."""
        ours, core = self._both(prefixes)
        many = [f"{'가나다 ' * (number % 7)}{TEXTS[number % len(TEXTS)]} {number}호" for number in range(40)]
        _same_vectors("passages", self.embed_passages(ours, many), core.embed_passages(many))

    def test_roles_are_not_mixed_up(self) -> None:
        """One text is two vectors where the roles have two prefixes, also when it is asked for both in turn."""
        ours, core = self._both(_PREFIXES)
        for _ in range(2):  # a cache that keeps one vector for a text would be caught the second time
            _same_vectors("as a passage", self.embed_passages(ours, TEXTS[:1]), core.embed_passages(TEXTS[:1]))
            _same_vectors("as a query", [self.embed_query(ours, TEXTS[0])], core.embed_queries(TEXTS[:1]))

    def test_numbers_are_python_s(self) -> None:
        """Vector stores write vectors as JSON, which knows no numpy."""
        ours, _ = self._both({})
        for vector in (self.embed_query(ours, TEXTS[0]), *self.embed_passages(ours, TEXTS[:1])):
            holds("a vector is no list of Python's numbers", all(type(number) is float for number in vector))

    def test_no_passages_have_no_vectors(self) -> None:
        """Nothing to do is no error."""
        same("vectors", list(self.embed_passages(self._both({})[0], [])), [])

    def test_an_empty_text_is_the_core_s_error(self) -> None:
        """Not a vector of nothing."""
        ours, _ = self._both({})
        with pytest.raises(InvalidTextError):
            self.embed_passages(ours, [TEXTS[0], "  "])
        with pytest.raises(InvalidTextError):
            self.embed_query(ours, "")

    def test_an_index_of_the_core_opens_with_it(self, tmp_path: Any) -> None:
        """The index knows it for the same model: the object gives its embedder as ``kure_embedder``."""
        ours, core = self._both(_PREFIXES)
        with KureIndex.open(tmp_path / "index", embeddings=core) as index:
            index.put([Entry(id="one", text=TEXTS[0])])
            wanted = [(hit.chunk.id, hit.score) for hit in index.search("연차휴가", mode="dense")]
        with KureIndex.open(tmp_path / "index", embeddings=ours) as index:
            same("hits", [(hit.chunk.id, hit.score) for hit in index.search("연차휴가", mode="dense")], wanted)

    def _both(self, prefixes: Mapping[str, Any]) -> tuple[Any, Embedder]:
        settings = {**self.settings, **prefixes}
        return self.make(MODEL, **settings), Embedder(MODEL, EmbedSettings(**settings))


class AsyncEmbeddingsContract(EmbeddingsContract):
    """:class:`EmbeddingsContract`, for embeddings that are also asked from an event loop."""

    async def aembed_query(self, embeddings: Any, text: str) -> Sequence[float]:
        """As :meth:`EmbeddingsContract.embed_query`, by the framework's asynchronous way."""
        raise NotImplementedError(f"{type(self).__name__}: write `async aembed_query(self, embeddings, text)`")

    async def aembed_passages(self, embeddings: Any, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """As :meth:`EmbeddingsContract.embed_passages`, by the framework's asynchronous way."""
        raise NotImplementedError(f"{type(self).__name__}: write `async aembed_passages(self, embeddings, texts)`")

    def test_an_event_loop_gets_the_same(self, prefixes: Mapping[str, Any]) -> None:
        """In both roles, several at once."""
        ours, core = self._both(prefixes)

        async def ask() -> tuple[list[Sequence[float]], Sequence[Sequence[float]]]:
            queries = asyncio.gather(*(self.aembed_query(ours, text) for text in TEXTS))
            return list(await queries), await self.aembed_passages(ours, TEXTS)

        queries, passages = asyncio.run(ask())
        _same_vectors("queries", queries, np.concatenate([core.embed_queries([text]) for text in TEXTS]))
        _same_vectors("passages", passages, core.embed_passages(TEXTS))


def _same_vectors(what: str, given: Sequence[Sequence[float]], core: Any) -> None:
    ours = np.asarray(given, dtype=np.float32)
    holds(
        f"{what}: the adapter's vectors have the shape {ours.shape}, the core's {core.shape}", ours.shape == core.shape
    )
    differing = [row for row in range(len(core)) if not np.array_equal(ours[row], core[row])]
    holds(f"{what}: the vectors of texts {differing} are not the core's", not differing)
