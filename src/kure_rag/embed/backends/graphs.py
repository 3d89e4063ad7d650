"""From a torch model to a graph file: for OpenVINO and ONNX, in fp32 or int8.

The graph holds the transformer and all that follows it in the model, such as pooling and a dense layer: one path for
every kind of pooling, and what comes back from the engine is small. Pooling in the engine's bf16 rather than outside
it in fp32 made no difference that could be measured.
"""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.embed.backends.openvino_runner import openvino
from kure_rag.embed.backends.padding import padded
from kure_rag.errors import MissingExtraError

if TYPE_CHECKING:
    import torch

    from kure_rag.embed.base import Vectors

INPUTS: Final = ("input_ids", "attention_mask")
_LONGEST_CALIBRATION: Final = 256  # tokens; time grows with them, ranges hardly
_OPSET: Final = 18
_CHATTY: Final = ("nncf", "transformers", "torch.onnx")


def pooled_module(modules: Sequence[torch.nn.Module]) -> torch.nn.Module:
    """Token ids and mask → pooled vectors, as one module.

    Args:
        modules: Of a sentence-transformers model.
    """
    from torch import nn

    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.steps = nn.ModuleList(modules)

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            features: dict[str, Any] = {"input_ids": input_ids, "attention_mask": attention_mask}
            for step in self.steps:
                features = step(features)
            vectors: torch.Tensor = features["sentence_embedding"]
            return vectors

    return Pooled().eval()


def torch_vectors(module: torch.nn.Module, rows: Sequence[Sequence[int]]) -> Vectors:
    """Vectors of the original, one text at a time and so without padding.

    Returns:
        Shape (len(rows), dimension), float32.
    """
    import numpy as np
    import torch

    with torch.inference_mode():
        vectors = [module(*map(torch.from_numpy, padded([row], 0))).float().numpy() for row in rows]
    return np.concatenate(vectors)


def _example(pad_id: int, token: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two rows of different lengths: a mask of ones alone would be left out of the graph."""
    import torch

    ids, mask = padded([[token] * 12, [token] * 7], pad_id)
    return torch.from_numpy(ids), torch.from_numpy(mask)


def write_openvino(module: torch.nn.Module, graph: Path, *, pad_id: int, token: int) -> None:
    """Converts a module and writes ``.xml`` and ``.bin``, with weights in fp32.

    Args:
        module: See :func:`pooled_module`.
        graph: The ``.xml`` file.
        pad_id: The tokenizer's padding token.
        token: Any other token.
    """
    import torch

    library = openvino()
    with _quiet(), torch.inference_mode(mode=False), torch.no_grad():
        model = library.convert_model(
            module,
            example_input=dict(zip(INPUTS, _example(pad_id, token), strict=True)),
            input=[(name, [-1, -1], library.Type.i64) for name in INPUTS],
        )
        library.save_model(model, str(graph), compress_to_fp16=False)


def quantize_openvino(source: Path, target: Path, *, rows: Sequence[Sequence[int]], pad_id: int, smooth: bool) -> None:
    """Quantises weights and activations to 8 bits, with ranges from calibration texts.

    Args:
        source: The ``.xml`` file in fp32.
        target: The one to write.
        rows: Token ids of the calibration texts.
        pad_id: The tokenizer's padding token.
        smooth: Whether outliers are moved from activations into weights first (SmoothQuant, arXiv:2211.10438).

    Raises:
        MissingExtraError: NNCF is not installed.
    """
    library = openvino()
    nncf = _nncf()
    from nncf.quantization.advanced_parameters import AdvancedSmoothQuantParameters

    advanced = nncf.AdvancedQuantizationParameters()
    if not smooth:
        advanced.smooth_quant_alphas = AdvancedSmoothQuantParameters(matmul=-1)
    # In 8 bits attention gains a percent or two, and each layer is prepared anew for each shape.
    attention = nncf.IgnoredScope(types=["ScaledDotProductAttention"], validate=False)

    def ready(row: Sequence[int]) -> dict[str, Any]:
        return dict(zip(INPUTS, padded([row[:_LONGEST_CALIBRATION]], pad_id), strict=True))

    with _quiet():
        quantized = nncf.quantize(
            library.Core().read_model(str(source)),
            nncf.Dataset(list(rows), ready),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(rows),
            ignored_scope=attention,
            advanced_parameters=advanced,
        )
        library.save_model(quantized, str(target), compress_to_fp16=False)


def compress_openvino(source: Path, target: Path) -> None:
    """Stores weights in 8 bits; products are computed in the engine's precision, slower and nearer to the original.

    Args:
        source: The ``.xml`` file in fp32.
        target: The one to write.

    Raises:
        MissingExtraError: NNCF is not installed.
    """
    library = openvino()
    nncf = _nncf()
    with _quiet():
        compressed = nncf.compress_weights(
            library.Core().read_model(str(source)), mode=nncf.CompressWeightsMode.INT8_SYM
        )
        library.save_model(compressed, str(target), compress_to_fp16=False)


def require_nncf() -> None:
    """Raises before a model is loaded for nothing.

    Raises:
        MissingExtraError: NNCF is not installed.
    """
    openvino()  # first, as it turns off the telemetry that NNCF has as well
    _nncf()


def _nncf() -> Any:
    try:
        import nncf
    except ImportError as error:
        raise MissingExtraError("exporting to int8 for OpenVINO", "openvino") from error
    return nncf


def require_onnx() -> None:
    """Raises before a model is loaded for nothing.

    Raises:
        MissingExtraError: The package ``onnx`` is not installed.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("exporting to ONNX", "onnx") from error


def write_onnx(module: torch.nn.Module, graph: Path, *, pad_id: int, token: int) -> None:
    """Converts a module and writes ``.onnx``, with its weights beside it as ``.onnx.data``.

    By tracing, in a tenth of the time that torch's newer exporter takes, and with the same results.

    Args:
        module: See :func:`pooled_module`.
        graph: The ``.onnx`` file.
        pad_id: The tokenizer's padding token.
        token: Any other token.

    Raises:
        MissingExtraError: The package ``onnx`` is not installed.
    """
    require_onnx()
    import onnx
    import torch

    # Over 2 GB, which one file cannot hold, each tensor becomes a file of its own.
    pieces = graph.parent / "pieces"
    pieces.mkdir()
    try:
        with _quiet(), torch.no_grad():
            torch.onnx.export(
                module,
                _example(pad_id, token),
                str(pieces / graph.name),
                input_names=list(INPUTS),
                output_names=["vectors"],
                dynamic_axes={name: {0: "batch", 1: "length"} for name in INPUTS} | {"vectors": {0: "batch"}},
                opset_version=_OPSET,
                dynamo=False,
            )
        onnx.save_model(
            onnx.load(str(pieces / graph.name)),
            str(graph),
            save_as_external_data=True,
            all_tensors_to_one_file=True,
            location=f"{graph.name}.data",
        )
    finally:
        shutil.rmtree(pieces, ignore_errors=True)


def quantize_onnx(source: Path, target: Path) -> None:
    """Quantises weights to 8 bits, each column by itself; activations are quantised as they come.

    Args:
        source: The ``.onnx`` file in fp32.
        target: The one to write.
    """
    require_onnx()
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet():
        quantize_dynamic(
            str(source), str(target), weight_type=QuantType.QInt8, per_channel=True, use_external_data_format=True
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Leaves out what tracing warns of, and the advice and progress of libraries, which is not for our users.

    Tracing warns of every branch that depends on a shape; the check of the vectors is what tells.
    """
    import rich

    console, root, nothing = rich.get_console(), logging.getLogger(), logging.NullHandler()
    loggers = [logging.getLogger(name) for name in _CHATTY]
    levels, was_quiet = [logger.level for logger in loggers], console.quiet
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        console.quiet = True  # NNCF's progress would go to standard output
        root.addHandler(nothing)  # ONNX Runtime warns through the root, which without a handler is given one for good
        try:
            yield
        finally:
            root.removeHandler(nothing)
            console.quiet = was_quiet
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
