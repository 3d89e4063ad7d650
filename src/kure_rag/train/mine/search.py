"""Questions → candidates: what an index finds for them, each with its cosine."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from kure_rag.embed import EmbedderLike
from kure_rag.errors import SearchError
from kure_rag.evaluate.pairs import pair_similarities, unit
from kure_rag.index import DocumentRow
from kure_rag.search import SearchOptions
from kure_rag.train.mine.questions import Question
from kure_rag.train.mine.settings import MineSettings
from kure_rag.types import Hit

_LEGS: Final = 100  # candidates of each leg, at the least, as every search has them
_DIGITS: Final = 6  # of a cosine, as an index rounds it


class MineIndex(Protocol):
    """What is mined; :class:`kure_rag.KureIndex` is one. Nothing is added to it."""

    @property
    def embedder(self) -> EmbedderLike:
        """What made its vectors."""
        ...

    def search_batch(self, queries: Sequence[str], *, options: SearchOptions | None = None) -> list[list[Hit]]:
        """For each query, at its place, the best passages."""
        ...

    def entries(self, ids: Sequence[str], *, vectors: bool = False) -> Sequence[Any]:
        """Passages by their ids, each with ``id`` and ``vector``."""
        ...

    def documents(self) -> Sequence[DocumentRow]:
        """What it holds."""
        ...

    def info(self) -> dict[str, Any]:
        """Its settings; ``fingerprint`` is what it was made with."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that was found for a question.

    Attributes:
        id: As it is written: the record's own id, or the chunk's.
        text: With its headings, as the index embeds it.
        rank: 1-based.
        names: All that a judgement may call it by: chunk, document, source.
        cosine: With the question; ``None`` where none is measured.
    """

    id: str
    text: str
    rank: int
    names: frozenset[str]
    cosine: float | None


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for one question.

    Attributes:
        question: The question.
        candidates: Best first.
        cosines: Of its positives, in their order; ``None`` for each where none is measured.
    """

    question: Question
    candidates: tuple[Candidate, ...]
    cosines: tuple[float | None, ...]


def find(
    index: MineIndex, questions: Sequence[Question], settings: MineSettings, id_key: str | None = None
) -> list[Found]:
    """Searches for all questions at once.

    Args:
        index: Where.
        questions: One or more.
        settings: Mode and depth.
        id_key: The key of a passage's metadata that names its document, as of a retrieval set.

    Raises:
        SearchError: The index answered another number of questions than it was asked.
    """
    texts = [question.text for question in questions]
    options = SearchOptions(k=settings.depth, mode=settings.mode, candidates=max(_LEGS, settings.depth))
    answers = index.search_batch(texts, options=options)
    if len(answers) != len(texts):
        raise SearchError(
            f"the index answered {len(answers)} of {len(texts)} questions; search_batch must give a list each"
        )
    if not settings.measures_cosines:
        return [
            Found(question, _candidates(hits, {}, id_key), (None,) * len(question.positives))
            for question, hits in zip(questions, answers, strict=True)
        ]
    queries = index.embedder.embed_queries(texts)
    positives = _positive_cosines(index.embedder, questions, queries)
    cosines = _cosines(index, answers, queries)
    return [
        Found(question, _candidates(hits, own, id_key), scores)
        for question, hits, own, scores in zip(questions, answers, cosines, positives, strict=True)
    ]


def _candidates(hits: Sequence[Hit], cosines: dict[str, float], id_key: str | None) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(
            id=_name(hit, id_key),
            text=hit.chunk.contextualized(),
            rank=rank,
            names=frozenset((hit.chunk.id, hit.chunk.document_id, _nfc(hit.source), _name(hit, id_key))),
            cosine=cosines.get(hit.chunk.id),
        )
        for rank, hit in enumerate(hits, 1)
    )


def _name(hit: Hit, id_key: str | None) -> str:
    if id_key is not None and id_key in hit.chunk.metadata:
        return _nfc(str(hit.chunk.metadata[id_key]))
    return _nfc(hit.source) if hit.chunk.kind == "record" else hit.chunk.id


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _positive_cosines(
    embedder: EmbedderLike, questions: Sequence[Question], queries: npt.NDArray[np.float32]
) -> list[tuple[float, ...]]:
    places: dict[str, int] = {}
    for question in questions:
        for passage in question.positives:
            places.setdefault(passage.text, len(places))
    passages = embedder.embed_passages(list(places))
    asked = [(i, places[passage.text]) for i, question in enumerate(questions) for passage in question.positives]
    left, right = (np.array(column) for column in zip(*asked, strict=True))
    scores = iter(_rounded(pair_similarities(queries[left], passages[right])))
    return [tuple(next(scores) for _ in question.positives) for question in questions]


def _cosines(
    index: MineIndex, answers: Sequence[Sequence[Hit]], queries: npt.NDArray[np.float32]
) -> list[dict[str, float]]:
    """Chunk id → cosine, for each question. The dense leg has said it, where there was one."""
    said = [{hit.chunk.id: hit.legs["dense"].score for hit in hits if "dense" in hit.legs} for hits in answers]
    missing = [
        [hit.chunk.id for hit in hits if hit.chunk.id not in own] for hits, own in zip(answers, said, strict=True)
    ]
    wanted = list(dict.fromkeys(id_ for ids in missing for id_ in ids))
    if wanted:
        vectors = {entry.id: unit(entry.vector) for entry in index.entries(wanted, vectors=True)}
        if lost := [id_ for id_ in wanted if id_ not in vectors]:
            raise SearchError(
                f"passage {lost[0]} was removed from the index while it was mined; give the command again when nothing "
                "else writes to the index"
            )
        for own, ids, query in zip(said, missing, unit(queries), strict=True):
            if ids:
                own.update(zip(ids, _rounded(np.stack([vectors[id_] for id_ in ids]) @ query), strict=True))
    return said


def _rounded(values: npt.NDArray[np.float64]) -> list[float]:
    return [float(value) for value in np.round(values, _DIGITS)]
