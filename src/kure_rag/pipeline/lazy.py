"""An index that is opened when it is first used: what is made from a written description must not open files."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Unpack

import numpy.typing as npt

from kure_rag.pipeline.index import KureIndex
from kure_rag.pipeline.opening import Opening
from kure_rag.search import SearchKeywords, SearchOptions
from kure_rag.types import Hit

_OPENED: Final = frozenset({"embedder", "_store", "_chunks", "_tokenizer", "_putting", "_searcher"})


class LazyIndex(KureIndex):
    """A :class:`~kure_rag.KureIndex` that is there, and opened with its first use.

    Whatever opening it raises, its first use raises, and the next one tries again.

    Args:
        path: The index folder.
        opening: What it is opened with.
    """

    def __init__(self, path: str | Path, opening: Opening) -> None:
        self.path = Path(path).expanduser()
        self.opened_with = opening
        self._opens = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        """Asked for what is not there, which is what an opened index has: opens it."""
        if name not in _OPENED:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        self.load()
        return self.__dict__[name]

    @property
    def is_open(self) -> bool:
        """Whether it was opened already."""
        return "_store" in self.__dict__

    def load(self) -> None:
        """Opens it now.

        Raises:
            IndexNotFoundError: There is none.
            FingerprintMismatchError: The index was made with another model.
        """
        with self._opens:
            if not self.is_open:
                given: Any = self.opened_with
                opened = KureIndex.open(
                    self.path,
                    embeddings=given.embeddings,
                    embed_settings=given.embed_settings,
                    synonyms=given.synonyms,
                    config=given.config,
                    create=False,
                )
                self.__dict__.update({name: vars(opened)[name] for name in _OPENED})

    async def aload(self) -> None:
        """:meth:`load` in a thread, so that an event loop goes on."""
        if not self.is_open:
            await asyncio.to_thread(self.load)

    async def asearch(
        self,
        query: str,
        *,
        options: SearchOptions | None = None,
        vector: npt.ArrayLike | None = None,
        **given: Unpack[SearchKeywords],
    ) -> list[Hit]:
        """:meth:`search` in a thread, and so is the opening."""
        await self.aload()
        return await super().asearch(query, options=options, vector=vector, **given)

    async def asearch_batch(
        self, queries: Sequence[str], *, options: SearchOptions | None = None, **given: Unpack[SearchKeywords]
    ) -> list[list[Hit]]:
        """:meth:`search_batch` in a thread, and so is the opening."""
        await self.aload()
        return await super().asearch_batch(queries, options=options, **given)

    def close(self) -> None:
        """Lets go of all files and threads, if it was opened."""
        if self.is_open:
            super().close()
