"""From what an engine computes to what the model's card promises: its length, finite numbers, unit length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from kure_rag.embed.base import Vectors
from kure_rag.embed.model_card import ModelCard
from kure_rag.embed.notices import Notices
from kure_rag.errors import EmbeddingError

_WIDTH: Final = (
    "%s: its card says vectors of %d numbers, and these have %d: another model, or a smaller one, has this name; "
    "`kure-rag doctor --model` checks it"
)
_CUT: Final = (
    "%s: vectors are cut to %d of %d numbers, for which it is not known to be trained (it is for %s): try whether they "
    "still find what you need"
)


def finished(
    vectors: Vectors,
    texts: Sequence[str],
    positions: Sequence[int],
    *,
    name: str,
    card: ModelCard,
    is_known: bool,
    dimension: int | None,
    notices: Notices,
) -> Vectors:
    """Vectors as the card says: cut where that is asked for, checked, and scaled to unit length.

    Args:
        vectors: Shape (len(positions), numbers of the model), float32.
        texts: All of the call, for messages.
        positions: Of the texts whose vectors these are.
        name: The model's, for messages.
        card: How it is used.
        is_known: Whether the card is of a known model, which lists what its vectors can be cut to.
        dimension: Numbers to keep of each; ``None`` for all.
        notices: Where doubts are said.

    Returns:
        Shape (len(positions), dimension), float32, C-contiguous.

    Raises:
        EmbeddingError: They are shorter than asked for, or one is not finite.
    """
    width = vectors.shape[1]
    if card.dimension not in (None, width):
        notices.once("width", _WIDTH, card.dimension, width)
    if dimension is not None:
        if width < dimension:
            raise EmbeddingError(f"{name} has vectors of {width} numbers: no {dimension} to keep")
        if dimension < width and dimension not in card.dimensions and is_known:
            trained = ", ".join(map(str, card.dimensions[1:])) or "no other length"
            notices.once("cut", _CUT, dimension, width, trained)
        vectors = vectors[:, :dimension]
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        bad = positions[int(np.flatnonzero(~finite)[0])]
        raise EmbeddingError(
            f"{name} gave a vector that is not finite for text {bad} ({texts[bad][:40]!r}); "
            "try device='cpu', precision='fp32', or another revision of the model"
        )
    return _unit(vectors) if card.normalize else np.ascontiguousarray(vectors)


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors / np.where(lengths == 0, 1, lengths), dtype=np.float32)
