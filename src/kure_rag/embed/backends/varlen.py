"""Encoders computed without padding: the tokens of a batch in one row, attention within each text.

Models of BERT's architecture (BERT, RoBERTa, XLM-RoBERTa, CamemBERT: KURE-v1, KoE5, bge-m3, multilingual-e5,
ko-sroberta, KoSimCSE and more) differ in their embedding table and in how they count positions, not in their layers.
Those layers are computed here from the model's own weights, which saves what transformers pads, and on short texts
most of its time between operations: one product for query, key and value, and no modules in between.

Attention is ``torch.nn.attention.varlen.varlen_attn`` on CUDA (FlashAttention; torch 2.10 or newer), and
``scaled_dot_product_attention`` for each run of texts of one length elsewhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from kure_rag.errors import EmbeddingError

if TYPE_CHECKING:
    import torch

Ints = npt.NDArray[np.int64]

_FROM_ZERO: Final = {"bert"}
_FROM_PADDING: Final = {"roberta", "xlm-roberta", "camembert"}  # their first position is padding_idx + 1
_POOLED: Final = {"Pooling", "Normalize", "Dense", "LayerNorm", "Dropout"}  # what understands packed tokens
_FLASH_CAPABILITY: Final = (8, 0)  # Ampere
_FLASH_HEAD: Final = 256  # most numbers of a head


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where each text of a packed batch lies.

    Attributes:
        lengths: Tokens of each text.
        starts: First token of each text, and the number of all tokens; shape (texts + 1,).
    """

    lengths: tuple[int, ...]
    starts: Ints


def pack(batch: Sequence[Sequence[int]], *, first: int, pad_id: int | None) -> tuple[Ints, Ints, Layout]:
    """Token ids of texts one after another, their positions, and where each text lies.

    Args:
        batch: Token ids of each text, without padding.
        first: Position of a text's first token.
        pad_id: For models that count only tokens that are not this one, as RoBERTa's do: a text that spells out the
            padding token gets the positions it has in transformers. ``None`` for models that count every token.
    """
    lengths = tuple(map(len, batch))
    starts = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    ids = np.fromiter(itertools.chain.from_iterable(batch), dtype=np.int64, count=int(starts[-1]))
    begins = np.repeat(starts[:-1], lengths)
    if pad_id is None or not (ids == pad_id).any():
        positions = np.arange(len(ids), dtype=np.int64) - begins + first
    else:
        counted = ids != pad_id
        total = np.concatenate([[0], np.cumsum(counted)])
        positions = np.where(counted, total[1:] - total[begins] + first - 1, first - 1)
    return ids, positions, Layout(lengths=lengths, starts=starts)


def is_packable(modules: Sequence[Any]) -> bool:
    """Whether a sentence-transformers model can be computed by :class:`PackedEncoder`."""
    import torch

    model = getattr(modules[0], "model", None)
    config = getattr(model, "config", None)
    if model is None or config is None or not all(type(module).__name__ in _POOLED for module in modules[1:]):
        return False
    encoder, embeddings = getattr(model, "encoder", None), getattr(model, "embeddings", None)
    layers = getattr(encoder, "layer", None)
    return (
        config.model_type in _FROM_ZERO | _FROM_PADDING
        and type(model).__name__.endswith("Model")
        and layers is not None
        and getattr(embeddings, "position_embeddings", None) is not None
        and getattr(config, "position_embedding_type", None) in (None, "absolute")
        and config.hidden_act == "gelu"
        and not getattr(config, "is_decoder", False)
        and not getattr(config, "output_hidden_states", False)
        and all(type(part) is torch.nn.Linear for layer in layers for part in _linears(layer))  # not adapters
    )


def has_flash(device: torch.device, dtype: torch.dtype, head: int) -> bool:
    """Whether torch's variable-length attention runs on a device, in a precision, with this many numbers a head."""
    import torch

    if device.type != "cuda" or dtype not in (torch.float16, torch.bfloat16) or head > _FLASH_HEAD or head % 8:
        return False
    if torch.version.hip is not None or torch.cuda.get_device_capability(device) < _FLASH_CAPABILITY:
        return False
    try:
        import torch.nn.attention.varlen
    except ImportError:  # before torch 2.10
        return False
    return True


class PackedEncoder:
    """The layers of a BERT-like encoder over packed tokens.

    Args:
        model: A ``transformers`` model that :func:`is_packable` accepts, on its device. Its layers are taken over: they
            are emptied, so that their weights are not held twice.
        dtype: What the layers compute in; the embedding table stays as it is.
        prepack: Arrange weights once as oneDNN wants them (CPU): otherwise it is done at each call, which for a single
            query takes longer than computing.

    Attributes:
        dtype: What the layers compute in.
        pad_id: The token that is not counted in positions; ``None`` where all are.
        first: Position of a text's first token.
        heads: Attention heads.
        head: Numbers of a head.
        longest: Tokens of a text that the position table has room for.
    """

    def __init__(self, model: Any, dtype: torch.dtype, *, prepack: bool = False) -> None:
        import torch

        config, embeddings = model.config, model.embeddings
        self.heads = int(config.num_attention_heads)
        self.head = int(config.hidden_size) // self.heads
        self._hidden = int(config.hidden_size)
        self._eps = float(config.layer_norm_eps)
        self.dtype = dtype
        self.pad_id = int(embeddings.padding_idx) if config.model_type in _FROM_PADDING else None
        self.first = 0 if self.pad_id is None else self.pad_id + 1
        with torch.inference_mode():
            positions = embeddings.position_embeddings.weight
            # Every token is of the first segment.
            self._positions = positions + embeddings.token_type_embeddings.weight[0]
            self._words = embeddings.word_embeddings.weight
            self._embedding_norm = (embeddings.LayerNorm.weight, embeddings.LayerNorm.bias)
            linear = _prepacked if prepack else _plain
            layers, model.encoder.layer = model.encoder.layer, torch.nn.ModuleList()
            self._layers = []
            while len(layers):
                self._layers.append(_Layer.taken(layers[0].to(dtype), linear))
                del layers[0]
        self.longest = len(positions) - self.first

    def packed(self, batch: Sequence[Sequence[int]]) -> tuple[Ints, Ints, Layout]:
        """Token ids, positions and layout of a batch for this model.

        Raises:
            EmbeddingError: A text is longer than the model has positions for.
        """
        if (most := max(map(len, batch))) > self.longest:
            raise EmbeddingError(
                f"a text of {most:,} tokens does not fit a model with {self.longest:,} positions; "
                f"set max_tokens={self.longest}"
            )
        return pack(batch, first=self.first, pad_id=self.pad_id)

    def __call__(
        self, ids: torch.Tensor, positions: torch.Tensor, layout: Layout, starts: torch.Tensor
    ) -> torch.Tensor:
        """Token vectors of the last layer.

        Args:
            ids: Shape (tokens,).
            positions: Shape (tokens,).
            layout: Of the batch.
            starts: The layout's, on the device, int32.

        Returns:
            Shape (tokens, hidden).
        """
        from torch.nn import functional as f

        shape = (self._hidden,)
        hidden = f.embedding(ids, self._words) + f.embedding(positions, self._positions)
        hidden = f.layer_norm(hidden, shape, *self._embedding_norm, self._eps).to(self.dtype)
        attend = self._attention(layout, starts)
        for layer in self._layers:
            query, key, value = layer.query_key_value(hidden).view(-1, 3, self.heads, self.head).unbind(1)
            attended = layer.attention_out(attend(query, key, value).reshape(-1, self._hidden))
            hidden = f.layer_norm(hidden + attended, shape, *layer.attention_norm, self._eps)
            inner = layer.inner_out(layer.inner(hidden))
            hidden = f.layer_norm(hidden + inner, shape, *layer.inner_norm, self._eps)
        return hidden

    def _attention(self, layout: Layout, starts: torch.Tensor) -> Callable[..., torch.Tensor]:
        if starts.device.type == "cuda":
            from torch.nn.attention.varlen import varlen_attn

            longest = max(layout.lengths)
            return lambda query, key, value: varlen_attn(query, key, value, starts, starts, longest, longest)  # type: ignore[return-value]
        return lambda query, key, value: attention_by_length(query, key, value, layout.lengths)


def attention_by_length(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, lengths: Sequence[int]
) -> torch.Tensor:
    """Attention within each text of a packed batch, one call for each run of texts of one length.

    Args:
        query: Shape (tokens, heads, head).
        key: Likewise.
        value: Likewise.
        lengths: Tokens of each text.

    Returns:
        Shape (tokens, heads, head).
    """
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    out = []
    at = 0
    for length, run in itertools.groupby(lengths):
        texts = sum(1 for _ in run)
        end = at + texts * length
        q, k, v = (part[at:end].view(texts, length, *part.shape[1:]).transpose(1, 2) for part in (query, key, value))
        out.append(scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(texts * length, *query.shape[1:]))
        at = end
    return out[0] if len(out) == 1 else torch.cat(out)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    query_key_value: Callable[[torch.Tensor], torch.Tensor]
    attention_out: Callable[[torch.Tensor], torch.Tensor]
    attention_norm: tuple[torch.Tensor, torch.Tensor]
    inner: Callable[[torch.Tensor], torch.Tensor]
    inner_out: Callable[[torch.Tensor], torch.Tensor]
    inner_norm: tuple[torch.Tensor, torch.Tensor]

    @classmethod
    def taken(cls, layer: Any, linear: Callable[..., Callable[[torch.Tensor], torch.Tensor]]) -> _Layer:
        query, key, value, attention_out, inner, inner_out = _linears(layer)
        return cls(
            query_key_value=linear([query, key, value]),
            attention_out=linear([attention_out]),
            attention_norm=_norm(layer.attention.output.LayerNorm),
            inner=linear([inner], gelu=True),
            inner_out=linear([inner_out]),
            inner_norm=_norm(layer.output.LayerNorm),
        )


def _linears(layer: Any) -> list[Any]:
    own = layer.attention.self
    return [
        *(own.query, own.key, own.value, layer.attention.output.dense),
        *(layer.intermediate.dense, layer.output.dense),
    ]


def _norm(norm: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return norm.weight.detach(), norm.bias.detach()


def _joined(parts: Sequence[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    if len(parts) == 1:
        return parts[0].weight.detach(), parts[0].bias.detach()
    return torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts])


def _plain(parts: Sequence[Any], *, gelu: bool = False) -> Callable[[torch.Tensor], torch.Tensor]:
    from torch.nn import functional as f

    weight, bias = _joined(parts)
    if gelu:
        return lambda x: f.gelu(f.linear(x, weight, bias))
    return lambda x: f.linear(x, weight, bias)


def _prepacked(parts: Sequence[Any], *, gelu: bool = False) -> Callable[[torch.Tensor], torch.Tensor]:
    """As torch's own compiler does it for frozen weights on a processor."""
    import torch

    weight, bias = _joined(parts)
    ready = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous())
    run = torch.ops.mkldnn._linear_pointwise
    if gelu:
        return lambda x: run(x, ready, bias, "gelu", [], "none")
    return lambda x: run(x, ready, bias, "none", [], "")
