"""What is known of one model: how it is used, and what its authors published of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["dense", "sparse", "late-interaction", "reranker"]
Pooling = Literal["stored", "cls", "mean", "max", "lasttoken", "weightedmean", "mean_sqrt_len_tokens"]
PlainPooling = Literal["cls", "mean", "max", "lasttoken", "weightedmean", "mean_sqrt_len_tokens"]
TokenizerName = Literal["stored", "kobert"]

USED_BY: Final[dict[Kind, str]] = {
    "dense": "KureEmbeddings",
    "sparse": "SparseEmbedder",
    "late-interaction": "LateInteractionEmbedder",
    "reranker": "KureReranker",
}
"""The class that uses a model of each kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Published similarities, by which a copy of the weights and its way of use can be checked.

    Attributes:
        query: A sentence that is embedded as a query.
        passages: Sentences that are embedded as passages.
        similarities: (one text, another, their cosine); text 0 is the query, text 1 the first passage.
        source: Where they are published.
    """

    query: str
    passages: tuple[str, ...]
    similarities: tuple[tuple[int, int, float], ...]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """How to use one model.

    Attributes:
        name: On the model hub, ``owner/name``.
        aliases: Short names that mean it.
        kind: What it makes of texts, and so which class uses it, see :data:`USED_BY`.
        revision: Commit that is loaded when the caller names none; ``None`` for the newest.
        query_prefix: Put before each query; ``None`` for what the model itself stores, if anything.
        passage_prefix: Put before each passage; likewise.
        pooling: ``stored`` for checkpoints that carry their own modules, otherwise how to pool a plain checkpoint.
        plain_pooling: How a copy without its stored modules is pooled, such as transformers saves: as they would;
            ``None`` where that is not known.
        dimension: Numbers in a vector, or in the vector of each token; ``None`` where nothing is known.
        dimensions: Lengths that vectors can be cut to, longest first, for models trained for it (Matryoshka).
        max_tokens: What is cut off beyond; ``None`` where there is no limit or none is known.
        normalize: Whether vectors are scaled to unit length.
        tokenizer: ``stored`` for the one in the checkpoint; ``kobert`` for KoBERT's SentencePiece model, for which
            transformers has no class.
        needs_remote_code: Whether it only loads with ``trust_remote_code=True``.
        licence: SPDX identifier; ``None`` where none is known.
        dense_weight: Default weight of its scores beside keyword scores, see :mod:`kure_rag.search.fusion`. Measured
            for ``static-ko`` alone. Models trained to find passages have .7, those for sentences .12, which is best
            for simulated vectors of about their strength; a model without a card has .5. Tune it on your own questions.
        published: (benchmark, metric, value from 0 to 1), as its authors or a benchmark's published them.
        reference: Published similarities; ``None`` where there are none.
        note: One line for people.
    """

    name: str
    aliases: tuple[str, ...] = ()
    kind: Kind = "dense"
    revision: str | None = None
    query_prefix: str | None = ""
    passage_prefix: str | None = ""
    pooling: Pooling = "stored"
    plain_pooling: PlainPooling | None = None
    dimension: int | None = None
    dimensions: tuple[int, ...] = ()
    max_tokens: int | None = None
    normalize: bool = True
    tokenizer: TokenizerName = "stored"
    needs_remote_code: bool = False
    licence: str | None = None
    dense_weight: float = 0.5
    published: tuple[tuple[str, str, float], ...] = ()
    reference: Reference | None = None
    note: str = ""
