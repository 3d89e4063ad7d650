"""The torch engine: a sentence-transformers model on a processor, a CUDA device or Apple's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag.embed.backends.padding import padded
from kure_rag.embed.backends.precision import choose, layer_parameters
from kure_rag.embed.backends.varlen import PackedEncoder, has_flash, is_packable
from kure_rag.embed.base import Vectors
from kure_rag.embed.settings import Precision
from kure_rag.errors import EmbeddingError

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

_log = logging.getLogger(__name__)

_CPU_TOKENS: Final = 2048  # what a layer computes stays in the cache of a server's processor
_GPU_TOKENS: Final = 32_768  # larger products are no faster
_LEAST_TOKENS: Final = 512
_SHARE: Final = 0.25  # of the free memory of a GPU, for one pass


class TorchRunner:
    """A sentence-transformers model whose modules are a transformer and what pools it.

    The transformer is computed without padding where :mod:`~kure_rag.embed.backends.varlen` can: models of BERT's
    architecture, on a processor, and on CUDA in half precision with torch 2.10 or newer. Elsewhere texts of nearly one
    length are padded to the longest. Pooling and what follows compute in fp32.

    Args:
        model: On its device. It belongs to the runner from here on: its layers are taken over.
        pad_id: The tokenizer's padding token.
        precision: See :class:`~kure_rag.embed.settings.EmbedSettings`.

    Attributes:
        dimension: Numbers in a vector.
        batch_tokens: Tokens that suit one forward pass; halved when a GPU's memory runs out.
        precision: What the transformer computes in, such as ``bfloat16``.
        is_packed: Whether it is computed without padding.

    Raises:
        ValueError: ``precision="int8"``.
    """

    def __init__(self, model: SentenceTransformer, pad_id: int, *, precision: Precision = "auto") -> None:
        self._modules: list[Any] = list(model)
        self._device = model.device
        self._pad_id = pad_id
        self.dimension = int(model.get_embedding_dimension() or 0)
        transformer = self._modules[0].model
        packable = is_packable(self._modules)
        dtype = choose(precision, self._device, parameters=layer_parameters(transformer), is_packable=packable)
        self.precision = str(dtype).removeprefix("torch.")
        self.batch_tokens = _budget(self._device, transformer.config)
        self._encoder = _packed_encoder(self._modules, self._device, dtype) if packable else None
        if self._encoder is None:
            transformer.to(dtype)
        self.is_packed = self._encoder is not None

    def start(self, batch: Sequence[Sequence[int]]) -> Callable[[], Vectors]:
        """See :class:`~kure_rag.embed.backends.base.Runner`.

        Raises:
            EmbeddingError: A GPU's memory does not suffice for a single text.
        """
        import torch

        try:
            with torch.inference_mode():
                return self._fetched(self._forward(batch))
        except torch.cuda.OutOfMemoryError as error:
            tokens = sum(map(len, batch))
            if len(batch) == 1:
                raise EmbeddingError(
                    f"{self._device} has no memory left for one text of {tokens:,} tokens; set max_tokens lower, free "
                    "the device, or use another one"
                ) from error
        # Outside of the handler: the exception holds what the pass had allocated.
        return self._in_halves(batch, tokens)

    def _in_halves(self, batch: Sequence[Sequence[int]], tokens: int) -> Callable[[], Vectors]:
        import torch

        # Half of what failed, not of what is set: passes that were laid out before may fail one after another.
        self.batch_tokens = max(_LEAST_TOKENS, min(self.batch_tokens, tokens // 2))
        _log.warning("%s: no memory for a pass of %d tokens; going on with half", self._device, tokens)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        half = len(batch) // 2
        waits = [self.start(batch[:half]), self.start(batch[half:])]
        return lambda: np.concatenate([wait() for wait in waits])

    def _forward(self, batch: Sequence[Sequence[int]]) -> torch.Tensor:
        features = self._padded(batch) if self._encoder is None else self._packed(batch, self._encoder)
        for module in self._modules[1:]:
            features = module(features)
        vectors: torch.Tensor = features["sentence_embedding"].float()
        return vectors

    def _packed(self, batch: Sequence[Sequence[int]], encoder: PackedEncoder) -> dict[str, Any]:
        import torch

        ids, positions, layout = encoder.packed(batch)
        texts = np.repeat(np.arange(len(batch)), layout.lengths)
        # One copy to the device for all of it.
        rows = self._moved(np.stack([ids, positions, texts]))
        starts = self._moved(layout.starts)
        hidden = encoder(rows[0], rows[1], layout, starts.to(torch.int32))
        if encoder.first_only:  # for what follows, texts of one token
            alone = torch.arange(len(batch) + 1, device=starts.device)
            return {"token_embeddings": hidden.float()[None], "cu_seq_lens_q": alone, "seq_idx": alone[None, :-1]}
        return {"token_embeddings": hidden.float()[None], "cu_seq_lens_q": starts, "seq_idx": rows[2:3]}

    def _padded(self, batch: Sequence[Sequence[int]]) -> dict[str, Any]:
        ids, mask = padded(batch, self._pad_id)
        moved = self._moved(np.stack([ids, mask]))
        features: dict[str, Any] = self._modules[0]({"input_ids": moved[0], "attention_mask": moved[1]})
        if "token_embeddings" in features:
            features["token_embeddings"] = features["token_embeddings"].float()
        return features

    def _moved(self, values: np.ndarray[Any, np.dtype[np.int64]]) -> torch.Tensor:
        import torch

        tensor = torch.from_numpy(values)
        if self._device.type == "cuda":
            return tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor.to(self._device)

    def _fetched(self, vectors: torch.Tensor) -> Callable[[], Vectors]:
        """Copies results while the device goes on with the next pass."""
        import torch

        if self._device.type != "cuda":
            done = np.ascontiguousarray(vectors.cpu().numpy(), dtype=np.float32)
            return lambda: done
        landed = torch.empty(vectors.shape, dtype=torch.float32, pin_memory=True)
        landed.copy_(vectors, non_blocking=True)
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))

        def wait() -> Vectors:
            event.synchronize()
            return np.array(landed.numpy())  # pinned memory is scarce

        return wait


def _packed_encoder(modules: Sequence[Any], device: torch.device, dtype: torch.dtype) -> PackedEncoder | None:
    import torch

    transformer = modules[0].model
    if device.type == "cpu":
        # oneDNN is also the faster one in fp32 where MKL meets a processor that is not Intel's.
        prepack = torch.backends.mkldnn.is_available() and dtype in (torch.float32, torch.bfloat16)  # type: ignore[no-untyped-call]
        return PackedEncoder(transformer, dtype, prepack=prepack, exact_sums=True, first_only=_takes_first(modules))
    config = transformer.config
    if has_flash(device, dtype, config.hidden_size // config.num_attention_heads):
        return PackedEncoder(transformer, dtype)
    return None


def _takes_first(modules: Sequence[Any]) -> bool:
    """Whether CLS pooling follows the transformer at once, so that nothing sees other tokens."""
    return len(modules) > 1 and type(modules[1]).__name__ == "Pooling" and modules[1].pooling_mode == "cls"


def _budget(device: torch.device, config: Any) -> int:
    """Tokens of one pass: on a GPU as many as a share of its free memory holds of a layer's largest tensors."""
    import torch

    if device.type == "cpu":
        return _CPU_TOKENS
    if device.type != "cuda":
        return _GPU_TOKENS // 4
    hidden = int(getattr(config, "hidden_size", 1024))
    inner = int(getattr(config, "intermediate_size", None) or 4 * hidden)
    free, _ = torch.cuda.mem_get_info(device)
    bytes_a_token = 4 * (2 * inner + 8 * hidden)
    return int(max(_LEAST_TOKENS, min(_GPU_TOKENS, _SHARE * free / bytes_a_token)))
