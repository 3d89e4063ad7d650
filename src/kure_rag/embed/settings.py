"""How a model is loaded and used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedSettings:
    """How a model is loaded and used. ``None`` leaves a matter to the model's card.

    Attributes:
        revision: Commit on the model hub.
        query_prefix: Put before each query.
        passage_prefix: Put before each passage.
        normalize: Scale vectors to unit length.
        dense_weight: Weight beside keyword scores, from 0 to 1.
        device: ``cpu``, ``cuda``, ``mps``; by default the best there is.
        batch_size: Texts in one forward pass.
        cache_folder: Where downloaded weights lie; by default the Hugging Face cache.
        local_files_only: Never go to the network.
        trust_remote_code: Run code that the model brings along. Off unless you have read it.
    """

    revision: str | None = None
    query_prefix: str | None = None
    passage_prefix: str | None = None
    normalize: bool | None = None
    dense_weight: float | None = None
    device: str | None = None
    batch_size: int = 32
    cache_folder: str | None = None
    local_files_only: bool = False
    trust_remote_code: bool = False
