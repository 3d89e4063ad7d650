"""Half precision for the models that sentence-transformers runs, and the proof that it changes no more than rounding.

How much half precision moves a vector depends on the model's own weights, so with ``precision="auto"`` it is measured
each time a model is loaded on a GPU, on sentences of different length, and fp32 is kept where it moves them too far. On
a processor ``auto`` is fp32: the library's layers arrange their weights anew for each pass in bf16, so that a single
question takes longer than in fp32 (two cores with AVX-512 BF16, XLM-RoBERTa-base's shape), and only many long passages
gain, which can have ``precision="bf16"``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from kure_rag.embed.backends.precision import choose, layer_parameters
from kure_rag.embed.backends.varlen import is_packable
from kure_rag.embed.settings import Precision
from kure_rag.errors import EmbeddingError

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)

Probe = Callable[[Any], Sequence[npt.NDArray[np.float32]]]
"""A model → what it makes of some sentences: arrays whose cosine says how alike two ways of computing are."""

LEAST_COSINE: Final = 0.9995
"""To fp32, for a precision that nobody asked for by name."""


def in_precision(
    make: Callable[[], Any], probe: Probe, precision: Precision, *, keep_head: bool
) -> tuple[Any, str, float | None]:
    """A model in the precision that was asked for, or for ``auto`` in the fastest that is as exact.

    Args:
        make: Loads the model in fp32. Called again where half precision turns out too far off.
        probe: See :data:`Probe`.
        precision: As the settings say; not ``int8``.
        keep_head: Leave in fp32 what follows the encoder, such as a classifier: its one number for a pair would have
            eight bits, and passages of nearly one score would tie.

    Returns:
        The model, what its transformer computes in, such as ``bfloat16``, and the smallest cosine to fp32 where it was
        measured.

    Raises:
        EmbeddingError: Half precision was asked for by name, and the model has no transformer.
    """
    import torch

    model = make()
    found = _transformers(model)
    if not found:
        if precision not in ("auto", "fp32"):
            raise EmbeddingError(
                f"precision={precision!r}: the model has no transformer to compute in it; leave it out"
            )
        return model, "float32", None
    if precision == "auto" and model.device.type == "cpu":
        return model, "float32", None
    inner = found[0].model
    base = getattr(inner, "base_model", inner)
    dtype = choose(
        precision,
        model.device,
        parameters=layer_parameters(inner),
        is_packable=is_packable([SimpleNamespace(model=base)]),
    )
    if dtype == torch.float32:
        return model, "float32", None
    if precision != "auto":
        halve(model, dtype, keep_head=keep_head)
        return model, _name(dtype), None
    return measured(model, make, probe, dtype, keep_head=keep_head)


def measured(
    model: Any, make: Callable[[], Any], probe: Probe, dtype: torch.dtype, *, keep_head: bool
) -> tuple[Any, str, float]:
    """A model in half precision if that keeps the cosine to fp32, and loaded again in fp32 if not.

    Args:
        model: In fp32.
        make: See :func:`in_precision`.
        probe: See :data:`Probe`.
        dtype: ``torch.bfloat16`` or ``torch.float16``.
        keep_head: See :func:`in_precision`.
    """
    before = probe(model)
    halve(model, dtype, keep_head=keep_head)
    worst = least_cosine(before, probe(model))
    if worst >= LEAST_COSINE:  # not so for nan, where a number overflowed
        return model, _name(dtype), worst
    _log.info("%s gives a cosine of %.5f to fp32, under %s: fp32 is used", _name(dtype), worst, LEAST_COSINE)
    return make(), "float32", worst


def halve(model: Any, dtype: torch.dtype, *, keep_head: bool) -> None:
    """Puts a model's transformers into half precision; what follows them gets their results in fp32.

    Args:
        model: Of sentence-transformers.
        dtype: Half precision.
        keep_head: See :func:`in_precision`. A head that shares its weights with the encoder is halved with it.
    """
    for module in _transformers(model):
        part = _encoder_alone(module.model) if keep_head else module.model
        part.to(dtype)
        (module if part is module.model else part).register_forward_hook(_in_fp32)


def least_cosine(some: Sequence[npt.NDArray[np.float32]], others: Sequence[npt.NDArray[np.float32]]) -> float:
    """The smallest cosine between arrays of equal place, each taken as one vector; 1 for two of zeros."""
    return min(_cosine(a.ravel(), b.ravel()) for a, b in zip(some, others, strict=True))


def _cosine(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    one, other = a.astype(np.float64), b.astype(np.float64)
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    if lengths == 0:
        return 1.0 if not one.any() and not other.any() else 0.0
    return float(one @ other) / lengths


def _transformers(model: Any) -> list[Any]:
    """The library's modules that hold a transformer: one, or one for each way of a router."""
    return [m for m in model.modules() if type(m).__name__ == "Transformer" and getattr(m, "model", None) is not None]


def _encoder_alone(transformer: Any) -> Any:
    base = getattr(transformer, "base_model", transformer)
    if base is transformer:
        return transformer
    own = {id(weight) for weight in base.parameters()}
    heads = [weight for weight in transformer.parameters() if id(weight) not in own]
    shared = sum(
        id(weight) in own for child in transformer.children() if child is not base for weight in child.parameters()
    )
    return base if heads and not shared else transformer


def _in_fp32(_module: Any, _given: Any, made: Any) -> Any:
    if isinstance(made, tuple):
        return tuple(map(_as_float, made))
    for name, value in made.items():  # features, or transformers' own ordered mapping
        made[name] = _as_float(value)
    return made


def _as_float(value: Any) -> Any:
    import torch

    return (
        value.float() if isinstance(value, torch.Tensor) and value.dtype in (torch.bfloat16, torch.float16) else value
    )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
