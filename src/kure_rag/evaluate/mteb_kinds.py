"""Learned sparse models and late interaction under mteb's protocols, and the right class for each card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag.embed import Embedder, EmbedSettings, LateInteractionEmbedder, SparseEmbedder, SparseVectors, find_card
from kure_rag.evaluate.mteb_encoder import KureEncoder, Progress

if TYPE_CHECKING:
    from mteb.models import SearchEncoderWrapper

    from kure_rag.embed import EmbedderLike
    from kure_rag.embed.two_roles import TwoRoles

_AT_ONCE: Final = 5_000  # documents whose token vectors are held: 1.3 GB where each has 500 tokens of 128 numbers


class KureSparseEncoder(KureEncoder):
    """:class:`KureEncoder` for a learned sparse model, such as ``nlpai-lab/KURE-Sparse-nano``.

    Texts become :class:`~kure_rag.embed.SparseVectors`, and their score is the dot product.
    """

    def _made(self, model: str, settings: EmbedSettings) -> EmbedderLike | TwoRoles:
        return SparseEmbedder(model, settings)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Dot products of all vectors with all others, shape (first, second)."""
        return embeddings1.dot(embeddings2)

    def _with_blanks(self, vectors: SparseVectors, full: Sequence[int], count: int) -> SparseVectors:
        lengths = np.zeros(count, dtype=np.int64)
        lengths[full] = np.diff(vectors.starts)
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return SparseVectors(starts, vectors.indices, vectors.values, vectors.dimension)


class KureTokenEncoder(KureEncoder):
    """:class:`KureEncoder` for late interaction, such as ``nlpai-lab/KURE-v2``.

    A text becomes a list of arrays of shape (tokens, dimension), and the score is the sum of each query token's best
    cosine. Give it to mteb by :func:`encoder_for`, which bounds how many documents are held at once.
    """

    def _made(self, model: str, settings: EmbedSettings) -> EmbedderLike | TwoRoles:
        return LateInteractionEmbedder(model, settings)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Late-interaction scores of all queries with all documents, shape (first, second)."""
        from mteb.similarity_functions import max_sim

        return max_sim(embeddings1, embeddings2)

    def _with_blanks(self, vectors: Sequence[Any], full: Sequence[int], count: int) -> list[Any]:
        width = vectors[0].shape[1] if vectors else 1
        out = [np.zeros((1, width), dtype=np.float32)] * count
        for place, vector in zip(full, vectors, strict=True):
            out[place] = vector
        return out


def encoder_for(
    model: str,
    settings: EmbedSettings | None = None,
    *,
    card: str | None = None,
    progress: Progress | None = None,
) -> KureEncoder | SearchEncoderWrapper:
    """A model as mteb takes it, by the kind that its card names.

    Args:
        model: A name from ``kure-rag models``, ``owner/name`` on the hub, or a folder.
        settings: What to do differently from the card.
        card: The known model that this is a copy of.
        progress: Called while texts are embedded.

    Raises:
        EmbeddingError: A reranker, which makes no vectors.
        ValueError: A setting that means nothing to this kind of model.
    """
    found = find_card(card or model)
    kind = "dense" if found is None else found.kind
    if kind == "sparse":
        return KureSparseEncoder(SparseEmbedder(model, settings, card=card), progress=progress)
    if kind == "late-interaction":
        from mteb.models import SearchEncoderWrapper

        by_token = KureTokenEncoder(LateInteractionEmbedder(model, settings, card=card), progress=progress)
        return SearchEncoderWrapper(by_token, corpus_chunk_size=_AT_ONCE)
    return KureEncoder(Embedder(model, settings, card=card), progress=progress)
