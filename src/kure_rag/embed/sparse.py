"""Learned sparse models: a weight for each of a few words of the vocabulary, and not only for those in the text."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from kure_rag.embed.base import Role, Vectors
from kure_rag.embed.library_engine import Row
from kure_rag.embed.model_card import Kind
from kure_rag.embed.two_roles import TwoRoles


@dataclass(frozen=True, slots=True, eq=False)
class SparseVectors:
    """Vectors of which most numbers are zero, row after row (the layout of ``scipy.sparse.csr_array``).

    Attributes:
        starts: Where each row begins in the two below, and where the last ends; shape (rows + 1,), int64.
        indices: Which numbers are not zero, rising in each row; int32.
        values: What they are; float32.
        dimension: Numbers in a row.
    """

    starts: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]
    dimension: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    def row(self, position: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Indices and values of one row."""
        part = slice(self.starts[position], self.starts[position + 1])
        return self.indices[part], self.values[part]

    def dense(self) -> Vectors:
        """Shape (len(self), dimension), float32. For a few rows only."""
        out = np.zeros((len(self), self.dimension), dtype=np.float32)
        rows = np.repeat(np.arange(len(self)), np.diff(self.starts))
        out[rows, self.indices] = self.values
        return out

    def dot(self, others: SparseVectors) -> Vectors:
        """The dot product of each row with each row of others: the score of such models.

        Returns:
            Shape (len(self), len(others)), float32.

        Raises:
            ValueError: The dimensions differ.
        """
        if self.dimension != others.dimension:
            raise ValueError(f"vectors of {self.dimension} and of {others.dimension} numbers: of two models?")
        from scipy.sparse import csr_array

        ours, theirs = (
            csr_array((part.values, part.indices, part.starts), shape=(len(part), part.dimension))
            for part in (self, others)
        )
        return np.asarray((ours @ theirs.T).toarray(), dtype=np.float32)


class SparseEmbedder(TwoRoles):
    """Texts → sparse vectors with a SPLADE-like model, such as ``nlpai-lab/KURE-Sparse-nano``.

    Example:
        >>> from kure_rag.embed import SparseEmbedder
        >>> model = SparseEmbedder("nlpai-lab/KURE-Sparse-nano")
        >>> passages = model.embed_passages(["연차휴가는 15일로 한다."])  # doctest: +SKIP
        >>> model.embed_queries(["휴가는 며칠인가요?"]).dot(passages)  # doctest: +SKIP
    """

    kind: ClassVar[Kind] = "sparse"

    def embed_queries(self, texts: Sequence[str]) -> SparseVectors:
        """Sparse vectors of queries.

        Raises:
            InvalidTextError: An empty text or a lone surrogate, with its position.
            TextTooLongError: A text over the limit, where settings say ``too_long="raise"``.
            ModelNotAvailableError: See :meth:`load`.
        """
        return self._embed(texts, "query")

    def embed_passages(self, texts: Sequence[str]) -> SparseVectors:
        """Sparse vectors of passages; otherwise as :meth:`embed_queries`."""
        return self._embed(texts, "passage")

    async def aembed_queries(self, texts: Sequence[str]) -> SparseVectors:
        """As :meth:`embed_queries`, computed in a thread: the event loop goes on."""
        return await asyncio.to_thread(self.embed_queries, texts)

    async def aembed_passages(self, texts: Sequence[str]) -> SparseVectors:
        """As :meth:`embed_passages`, computed in a thread: the event loop goes on."""
        return await asyncio.to_thread(self.embed_passages, texts)

    def words(self, vectors: SparseVectors, position: int, *, most: int = 10) -> Mapping[str, float]:
        """The heaviest tokens of one row and their weights, to see what the model understood."""
        indices, values = vectors.row(position)
        heaviest = np.argsort(-values, kind="stable")[:most]
        names = self.load().names(indices[heaviest].tolist())
        return dict(zip(names, values[heaviest].tolist(), strict=True))

    def _embed(self, texts: Sequence[str], role: Role) -> SparseVectors:
        rows = self._encode(texts, role)
        return sparse_vectors(rows, self.load().facts.dimension or 0)


def sparse_vectors(rows: Sequence[Row], dimension: int) -> SparseVectors:
    """Vectors of rows of (indices, values)."""
    starts = np.concatenate([[0], np.cumsum([len(indices) for indices, _ in rows])]).astype(np.int64)
    indices = np.concatenate([row[0] for row in rows]) if rows else np.zeros(0, np.int32)
    values = np.concatenate([row[1] for row in rows]) if rows else np.zeros(0, np.float32)
    return SparseVectors(starts, indices.astype(np.int32), values.astype(np.float32), dimension)
