"""Cross-encoders: query and passage read together, for the order of the few best passages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from kure_rag.embed.library_model import LibraryModel
from kure_rag.embed.model_card import Kind, ModelCard
from kure_rag.embed.settings import EmbedSettings
from kure_rag.embed.texts import checked
from kure_rag.errors import EmbeddingError

DEFAULT_RERANKER: Final = "nlpai-lab/KURE-Reranker-base"


@dataclass(frozen=True, slots=True)
class Ranked:
    """One passage in its new place.

    Attributes:
        position: 0-based position in the list that was given.
        score: Higher is better; from 0 to 1 where the model ends in one label, as rerankers do.
    """

    position: int
    score: float


class KureReranker(LibraryModel):
    """Scores passages for a query with a cross-encoder. Nothing is loaded or downloaded before the first use.

    Example:
        >>> from kure_rag import KureReranker
        >>> reranker = KureReranker("dragonkue/bge-reranker-v2-m3-ko")
        >>> reranker.rank("휴가는 며칠인가요?", ["급여는 25일에 준다.", "휴가는 15일로 한다."])  # doctest: +SKIP
    """

    kind: ClassVar[Kind] = "reranker"

    def __init__(
        self,
        model: str = DEFAULT_RERANKER,
        settings: EmbedSettings | None = None,
        *,
        card: ModelCard | str | None = None,
    ) -> None:
        super().__init__(model, settings, card=card)

    def rank(self, query: str, passages: Sequence[str], *, top_k: int | None = None) -> list[Ranked]:
        """Passages in a new order, best first; equal scores keep the order given.

        Args:
            query: A question or keywords.
            passages: Not empty strings.
            top_k: How many to return; all by default.

        Raises:
            InvalidTextError: An empty text or a lone surrogate, with its position.
            TextTooLongError: A pair over the limit, where settings say ``too_long="raise"``.
            ModelNotAvailableError: See :meth:`load`.
        """
        if top_k is not None and top_k < 1:
            raise ValueError(f"top_k={top_k}: choose a whole number of at least 1")
        scores = self.scores([(query, passage) for passage in passages])
        order = np.argsort(-scores, kind="stable")[:top_k]
        return [Ranked(int(i), float(scores[i])) for i in order]

    def scores(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
        """The score of each pair of a query and a passage.

        Returns:
            Shape (len(pairs),), float32; otherwise as :meth:`rank`.

        Raises:
            EmbeddingError: The model has several labels and so no one score, or a score is not finite.
        """
        ready = [(checked(query, i), checked(passage, i)) for i, (query, passage) in enumerate(pairs)]
        if not ready:
            return np.zeros(0, dtype=np.float32)
        if (labels := self.load().facts.labels) != 1:
            raise EmbeddingError(f"{self.name} gives {labels} scores for a pair: it is no reranker")
        # Equal pairs are scored once: in one batch their scores could differ in the last digit, and so their order.
        unique = list(dict.fromkeys(ready))
        found = {pair: score for pair, (score,) in zip(unique, self.compute(unique, "query", "pair"), strict=True)}
        return np.array([found[pair] for pair in ready], dtype=np.float32)

    async def arank(self, query: str, passages: Sequence[str], *, top_k: int | None = None) -> list[Ranked]:
        """As :meth:`rank`, computed in a thread: the event loop goes on."""
        return await asyncio.to_thread(self.rank, query, passages, top_k=top_k)

    async def ascores(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
        """As :meth:`scores`, computed in a thread: the event loop goes on."""
        return await asyncio.to_thread(self.scores, pairs)

    def _meaningless(self) -> tuple[str, ...]:
        return (*super()._meaningless(), "query_prefix", "passage_prefix")
