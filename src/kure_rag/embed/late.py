"""Late interaction (ColBERT): a vector for each token, and each query token looks for its best match in a passage.

Khattab and Zaharia, "ColBERT: Efficient and Effective Passage Search via Contextualized Late Interaction over BERT",
SIGIR 2020.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from kure_rag.embed.base import Role, Vectors
from kure_rag.embed.model_card import Kind
from kure_rag.embed.two_roles import TwoRoles


class LateInteractionEmbedder(TwoRoles):
    """Texts → one vector for each token, with a ColBERT-like model such as ``nlpai-lab/KURE-v2``.

    Example:
        >>> from kure_rag.embed import LateInteractionEmbedder, maxsim
        >>> model = LateInteractionEmbedder("nlpai-lab/KURE-v2")
        >>> passages = model.embed_passages(["연차휴가는 15일로 한다."])  # doctest: +SKIP
        >>> maxsim(model.embed_queries(["휴가는 며칠인가요?"]), passages)  # doctest: +SKIP
    """

    kind: ClassVar[Kind] = "late-interaction"

    def embed_queries(self, texts: Sequence[str]) -> list[Vectors]:
        """Token vectors of queries.

        Returns:
            For each text an array of shape (tokens that count, dimension), float32, of unit length.

        Raises:
            InvalidTextError: An empty text or a lone surrogate, with its position.
            TextTooLongError: A text over the limit, where settings say ``too_long="raise"``.
            ModelNotAvailableError: See :meth:`load`.
        """
        return self._embed(texts, "query")

    def embed_passages(self, texts: Sequence[str]) -> list[Vectors]:
        """Token vectors of passages; otherwise as :meth:`embed_queries`."""
        return self._embed(texts, "passage")

    async def aembed_queries(self, texts: Sequence[str]) -> list[Vectors]:
        """As :meth:`embed_queries`, computed in a thread: the event loop goes on."""
        return await asyncio.to_thread(self.embed_queries, texts)

    async def aembed_passages(self, texts: Sequence[str]) -> list[Vectors]:
        """As :meth:`embed_passages`, computed in a thread: the event loop goes on."""
        return await asyncio.to_thread(self.embed_passages, texts)

    def _embed(self, texts: Sequence[str], role: Role) -> list[Vectors]:
        found = [vectors for (vectors,) in self._encode(texts, role)]
        return [_unit(vectors) for vectors in found] if self.card.normalize else found


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors / np.where(lengths == 0, 1, lengths), dtype=np.float32)


def maxsim(queries: Sequence[Vectors], passages: Sequence[Vectors]) -> Vectors:
    """The late-interaction score: for each query token its best match in the passage, added up.

    Args:
        queries: Token vectors, each of shape (tokens, dimension).
        passages: Likewise, of the same dimension.

    Returns:
        Shape (len(queries), len(passages)), float32.
    """
    out = np.zeros((len(queries), len(passages)), dtype=np.float32)
    if not queries or not passages:
        return out
    # All query tokens against one passage at a time: two matrix products of useful size, and no padding.
    stacked = np.concatenate(queries)
    ends = np.cumsum([len(query) for query in queries])
    starts = np.concatenate([[0], ends[:-1]])
    for j, passage in enumerate(passages):
        best = (stacked @ passage.T).max(axis=1) if len(passage) else np.zeros(len(stacked), np.float32)
        out[:, j] = [best[a:b].sum() for a, b in zip(starts, ends, strict=True)]
    return out
