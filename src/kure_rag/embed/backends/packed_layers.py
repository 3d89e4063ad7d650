"""The layers of a BERT-like encoder as functions of packed tokens, made from a model's own weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Step = Callable[["torch.Tensor"], "torch.Tensor"]
"""(rows, numbers in) → (rows, numbers out)."""

Norm = tuple["torch.Tensor", "torch.Tensor"]
"""Weight and bias."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer.

    Attributes:
        query_key_value: All three side by side; ``None`` for a layer that computes the first tokens alone.
        query: Of such a layer; ``None`` for all others.
        key_value: Likewise, both side by side.
        attention_out: What follows attention.
        attention_norm: The norm behind it.
        inner: The feed-forward block's first half, with its GELU.
        inner_out: Its second half.
        inner_norm: The norm behind it.
    """

    query_key_value: Step | None
    query: Step | None
    key_value: Step | None
    attention_out: Step
    attention_norm: Norm
    inner: Step
    inner_out: Step
    inner_norm: Norm

    @classmethod
    def taken(cls, layer: Any, linear: Callable[..., Step], *, norms: torch.dtype, first_only: bool = False) -> Layer:
        """From one of ``transformers``' layers.

        Args:
            layer: On its device, in what it computes in.
            linear: :func:`plain` or :func:`prepacked`.
            norms: What normalising computes in.
            first_only: See :attr:`query_key_value`.
        """
        query, key, value, attention_out, inner, inner_out = linears(layer)
        return cls(
            query_key_value=None if first_only else linear([query, key, value]),
            query=linear([query]) if first_only else None,
            key_value=linear([key, value]) if first_only else None,
            attention_out=linear([attention_out]),
            attention_norm=norm_in(layer.attention.output.LayerNorm, norms),
            inner=linear([inner], gelu=True),
            inner_out=linear([inner_out]),
            inner_norm=norm_in(layer.output.LayerNorm, norms),
        )


def linears(layer: Any) -> list[Any]:
    """The six products of a layer."""
    own = layer.attention.self
    return [
        *(own.query, own.key, own.value, layer.attention.output.dense),
        *(layer.intermediate.dense, layer.output.dense),
    ]


def norm_in(norm: Any, dtype: torch.dtype) -> Norm:
    """Weight and bias of a norm, in what it computes in."""
    return norm.weight.detach().to(dtype), norm.bias.detach().to(dtype)


def _joined(parts: Sequence[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    if len(parts) == 1:
        return parts[0].weight.detach(), parts[0].bias.detach()
    return torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts])


def plain(parts: Sequence[Any], *, gelu: bool = False) -> Step:
    """Products side by side, as torch computes them."""
    from torch.nn import functional as f

    weight, bias = _joined(parts)
    if gelu:
        return lambda x: f.gelu(f.linear(x, weight, bias))
    return lambda x: f.linear(x, weight, bias)


def prepacked(parts: Sequence[Any], *, gelu: bool = False) -> Step:
    """Products side by side, with weights arranged as torch's own compiler does it for frozen ones on a processor."""
    import torch

    weight, bias = _joined(parts)
    ready = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous())
    run = torch.ops.mkldnn._linear_pointwise
    if gelu:
        return lambda x: run(x, ready, bias, "gelu", [], "none")
    return lambda x: run(x, ready, bias, "none", [], "")
