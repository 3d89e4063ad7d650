"""Reranking: a cross-encoder reads the query with each of the first candidates."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from kure_rag.errors import SearchError

_log = logging.getLogger(__name__)
_NAMED: Final = 60  # characters of a query in a log line
_FASTER: Final = "fewer candidates, a smaller model or a longer limit would help"


@runtime_checkable
class Reranker(Protocol):
    """What scores passages for a query, such as :class:`kure_rag.KureReranker`."""

    def scores(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
        """The score of each pair of a query and a passage; higher is better."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankSettings:
    """How candidates are reranked.

    Attributes:
        model: A reranker, or the name or folder of one that :class:`kure_rag.KureReranker` can load.
        candidates: How many of the fused ranking it reads; at least as many as hits are asked for.
        batch: Pairs in one call, between which the time is looked at.
        time_limit: Seconds for one query, without loading the model. When they have passed, the fused order stays: a
            warning is logged, and each hit carries it. A batch that is being read goes on in the background and its
            scores are dropped. ``None`` for no limit.
        fall_back: Keep the fused order, with a warning, also when the model fails while it reads: a server that went
            away, a device without memory. ``False`` raises what it raised. A model that cannot be loaded is an error
            either way.
    """

    model: Reranker | str
    candidates: int = 20
    batch: int = 8
    time_limit: float | None = None
    fall_back: bool = True

    def __post_init__(self) -> None:
        if self.candidates < 1 or self.batch < 1:
            raise ValueError(f"candidates={self.candidates}, batch={self.batch}: both are at least 1")
        if self.time_limit is not None and not self.time_limit > 0:
            raise ValueError(f"time_limit={self.time_limit}: choose seconds above 0, or None")


def loaded(model: Reranker | str) -> Reranker:
    """A reranker, ready: its weights are read now and not while a time limit runs."""
    if isinstance(model, str):
        from kure_rag.embed.rerank import KureReranker

        model = KureReranker(model)
    load = getattr(model, "load", None)
    if load is not None:
        load()
    return model


def rerank_scores(
    model: Reranker, query: str, passages: Sequence[str], settings: RerankSettings, stop: threading.Event | None = None
) -> npt.NDArray[np.float64] | str:
    """The score of each passage, or a sentence that says why the fused order stays.

    Args:
        model: Loaded.
        query: The query.
        passages: Not empty.
        settings: Batch, time limit and what becomes of errors.
        stop: Ends the work between two batches when it is set.

    Raises:
        Exception: What the model raised, with ``settings.fall_back`` off.
    """
    task = _Task(model, [(query, passage) for passage in passages], settings.batch, stop)
    if settings.time_limit is None:
        task.run()
    else:
        # A thread of its own: a pool's would be waited for when the process ends.
        threading.Thread(target=task.run, name="kure-rag-rerank", daemon=True).start()
        if not task.done.wait(settings.time_limit):
            task.stop.set()
            return _kept(query, f"took longer than its limit of {settings.time_limit:g} s", _FASTER)
    if stop is not None and stop.is_set():
        return "reranking was stopped, as the search was"  # nobody waits for it any more
    try:
        return task.result()
    except Exception as error:
        if not settings.fall_back:
            raise
        return _kept(query, f"failed with {type(error).__name__}: {error}", "RerankSettings(fall_back=False) raises it")


def _kept(query: str, what: str, hint: str) -> str:
    said = f"{what}; the fused order stays ({hint})"
    _log.warning("reranking for %r %s", query[:_NAMED], said)
    return f"reranking {said}"


class _Task:
    """The scoring of one query's passages, batch by batch."""

    def __init__(
        self, model: Reranker, pairs: Sequence[tuple[str, str]], batch: int, stop: threading.Event | None
    ) -> None:
        self.done = threading.Event()
        self.stop = threading.Event()
        self._outer = stop
        self._model, self._pairs, self._batch = model, pairs, batch
        self._scores: list[float] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            for i in range(0, len(self._pairs), self._batch):
                if self.stop.is_set() or (self._outer is not None and self._outer.is_set()):
                    break
                self._scores += [float(score) for score in self._model.scores(self._pairs[i : i + self._batch])]
        except BaseException as error:  # noqa: BLE001  raised again in the thread that waits
            self._error = error
        finally:
            self.done.set()

    def result(self) -> npt.NDArray[np.float64]:
        if self._error is not None:
            raise self._error
        if len(self._scores) != len(self._pairs):
            name = type(self._model).__name__
            raise SearchError(f"{name}.scores() gave {len(self._scores)} scores for {len(self._pairs)} pairs")
        return np.array(self._scores)
