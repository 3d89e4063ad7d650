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

from kure_rag.embed.backends.packed_layers import Layer, Norm, linears, plain, prepacked
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
        and all(type(part) is torch.nn.Linear for layer in layers for part in linears(layer))  # not adapters
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
        exact_sums: Add what a block computes to what went into it, and normalise the sum, in fp32. That brings bf16 a
            little nearer to fp32; on a processor it costs nothing that could be measured, on a GPU it moves more
            memory.
        first_only: The last layer computes the first token of each text alone, for CLS pooling, which takes no other.

    Attributes:
        dtype: What the layers compute in.
        pad_id: The token that is not counted in positions; ``None`` where all are.
        first: Position of a text's first token.
        heads: Attention heads.
        head: Numbers of a head.
        longest: Tokens of a text that the position table has room for.
        first_only: As given.
    """

    def __init__(
        self,
        model: Any,
        dtype: torch.dtype,
        *,
        prepack: bool = False,
        exact_sums: bool = False,
        first_only: bool = False,
    ) -> None:
        import torch

        config, embeddings = model.config, model.embeddings
        self.heads = int(config.num_attention_heads)
        self.head = int(config.hidden_size) // self.heads
        self._hidden = int(config.hidden_size)
        self._eps = float(config.layer_norm_eps)
        self.dtype = dtype
        self.first_only = first_only
        self._sums = torch.float32 if exact_sums else dtype
        self.pad_id = int(embeddings.padding_idx) if config.model_type in _FROM_PADDING else None
        self.first = 0 if self.pad_id is None else self.pad_id + 1
        with torch.inference_mode():
            positions = embeddings.position_embeddings.weight
            # Every token is of the first segment.
            self._positions = positions + embeddings.token_type_embeddings.weight[0]
            self._words = embeddings.word_embeddings.weight
            self._embedding_norm = (embeddings.LayerNorm.weight, embeddings.LayerNorm.bias)
            linear = prepacked if prepack else plain
            layers, model.encoder.layer = model.encoder.layer, torch.nn.ModuleList()
            self._layers = []
            while len(layers):
                last = first_only and len(layers) == 1
                self._layers.append(Layer.taken(layers[0].to(dtype), linear, norms=self._sums, first_only=last))
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
            Shape (tokens, hidden); with ``first_only`` (texts, hidden).
        """
        from torch.nn import functional as f

        hidden = f.embedding(ids, self._words) + f.embedding(positions, self._positions)
        hidden = f.layer_norm(hidden, (self._hidden,), *self._embedding_norm, self._eps).to(self.dtype)
        attend = self._attention(layout, starts)
        for layer in self._layers:
            if layer.query_key_value is not None:
                query, key, value = layer.query_key_value(hidden).view(-1, 3, self.heads, self.head).unbind(1)
                hidden = self._rest(layer, attend(query, key, value), hidden)
            elif layer.query is not None and layer.key_value is not None:
                key, value = layer.key_value(hidden).view(-1, 2, self.heads, self.head).unbind(1)
                hidden = hidden[starts[:-1]]
                query = layer.query(hidden).view(-1, self.heads, self.head)
                hidden = self._rest(layer, first_by_length(query, key, value, layout.lengths), hidden)
        return hidden

    def _rest(self, layer: Layer, attended: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """A layer behind its attention."""
        out = layer.attention_out(attended.reshape(-1, self._hidden))
        hidden = self._normed(hidden, out, layer.attention_norm)
        return self._normed(hidden, layer.inner_out(layer.inner(hidden)), layer.inner_norm)

    def _normed(self, hidden: torch.Tensor, added: torch.Tensor, norm: Norm) -> torch.Tensor:
        from torch.nn.functional import layer_norm

        return layer_norm(hidden.to(self._sums) + added, (self._hidden,), *norm, self._eps).to(self.dtype)

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


def first_by_length(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, lengths: Sequence[int]
) -> torch.Tensor:
    """Attention of each text's first token alone, one call for each run of texts of one length.

    Args:
        query: Of the first tokens, shape (texts, heads, head).
        key: Of all tokens, shape (tokens, heads, head).
        value: Likewise.
        lengths: Tokens of each text.

    Returns:
        Shape (texts, heads, head).
    """
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    out, at, text = [], 0, 0
    for length, run in itertools.groupby(lengths):
        texts = sum(1 for _ in run)
        end = at + texts * length
        k, v = (part[at:end].view(texts, length, *part.shape[1:]).transpose(1, 2) for part in (key, value))
        out.append(scaled_dot_product_attention(query[text : text + texts, :, None], k, v)[:, :, 0])
        at, text = end, text + texts
    return out[0] if len(out) == 1 else torch.cat(out)
