"""The torch engine: a sentence-transformers model on a processor, a CUDA device or Apple's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag.embed.base import Vectors

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

_CPU_TOKENS: Final = 4096
_GPU_TOKENS: Final = 32_768


class TorchRunner:
    """A sentence-transformers model whose modules are a transformer and what pools it.

    Args:
        model: On its device, in its precision.
        pad_id: The tokenizer's padding token.
    """

    def __init__(self, model: SentenceTransformer, pad_id: int) -> None:
        self._model = model
        self._modules: list[Any] = list(model)
        self._pad_id = pad_id
        self.dimension = int(model.get_embedding_dimension() or 0)
        self.batch_tokens = _CPU_TOKENS if model.device.type == "cpu" else _GPU_TOKENS
        self.multiple = 1

    def start(self, batch: Sequence[Sequence[int]]) -> Callable[[], Vectors]:
        """See :class:`~kure_rag.embed.backends.base.Runner`."""
        import torch

        ids, mask = _padded(batch, self._pad_id)
        with torch.inference_mode():
            features: dict[str, Any] = {
                "input_ids": ids.to(self._model.device, non_blocking=True),
                "attention_mask": mask.to(self._model.device, non_blocking=True),
            }
            for module in self._modules:
                features = module(features)
                if "token_embeddings" in features:  # pooled in full precision whatever the transformer computes in
                    features["token_embeddings"] = features["token_embeddings"].float()
            vectors = features["sentence_embedding"]
        return lambda: np.ascontiguousarray(vectors.float().cpu().numpy(), dtype=np.float32)


def _padded(batch: Sequence[Sequence[int]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    longest = max(map(len, batch))
    ids = np.full((len(batch), longest), pad_id, dtype=np.int64)
    mask = np.zeros((len(batch), longest), dtype=np.int64)
    for i, row in enumerate(batch):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return torch.from_numpy(ids), torch.from_numpy(mask)
