"""Which precision a model is computed in on torch.

Measured on one core of an AMD EPYC 9004 (AVX-512 BF16) with layers of XLM-RoBERTa-large's shape, prepacked: bf16 is 1.9
times as fast as fp32, at a cosine of .9999 to it; torch's dynamic int8 is no faster than bf16, at .997. So int8 is left
to the engines that do it well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kure_rag.embed.machine import bf16_instructions
from kure_rag.embed.settings import Precision

if TYPE_CHECKING:
    import torch

# Smaller models gain nothing from bf16 on a processor: the time goes to everything but products of matrices.
SMALL: Final = 30_000_000


def refuse_int8(precision: Precision) -> None:
    """Raises for what torch is not used for here.

    Raises:
        ValueError: ``int8``; names the engines that have it.
    """
    if precision == "int8":
        raise ValueError(
            "precision='int8' needs backend='openvino' or backend='onnx': torch's own int8 is no faster than its bf16 "
            "and less exact; use precision='auto' with backend='torch'"
        )


def choose(precision: Precision, device: torch.device, *, parameters: int, is_packable: bool) -> torch.dtype:
    """The type a transformer's layers compute in. Pooling and what follows always compute in fp32.

    Args:
        precision: As the settings say.
        device: Where it runs.
        parameters: Weights of the transformer's layers, without embedding tables.
        is_packable: See :func:`~kure_rag.embed.backends.varlen.is_packable`: encoders that normalise after each block,
            whose values stay small enough for fp16 (bge-m3's authors run theirs so). Others were often trained in bf16
            and overflow in fp16.

    Raises:
        ValueError: See :func:`refuse_int8`.
    """
    import torch

    refuse_int8(precision)
    named = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    if precision in named:
        return named[precision]
    if device.type == "cuda":
        if is_packable:
            return torch.float16  # as fast as bf16 there, with three more bits
        return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float32
    if device.type == "mps" and is_packable:
        return torch.float16
    if device.type == "cpu" and parameters >= SMALL and bf16_instructions():
        return torch.bfloat16
    return torch.float32


def layer_parameters(model: Any) -> int:
    """Weights of a transformer without its embedding tables."""
    import torch

    tables = {
        id(weight)
        for module in model.modules()
        if isinstance(module, torch.nn.Embedding)
        for weight in module.parameters()
    }
    return sum(weight.numel() for weight in model.parameters() if id(weight) not in tables)
