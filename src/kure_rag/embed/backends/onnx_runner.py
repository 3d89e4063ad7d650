"""The ONNX Runtime engine, on a processor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kure_rag.embed.backends.graph_runner import GraphRunner
from kure_rag.embed.backends.padding import padded
from kure_rag.embed.base import Vectors
from kure_rag.embed.settings import Precision
from kure_rag.errors import EmbeddingError, MissingExtraError


def onnxruntime() -> Any:
    """The library.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import onnxruntime as library
    except ImportError as error:
        raise MissingExtraError("backend='onnx'", "onnx") from error
    library.disable_telemetry_events()  # Windows builds have them
    return library


def check_onnx_precision(precision: Precision) -> None:
    """Raises for a precision that this engine has not.

    Raises:
        EmbeddingError: Half precision.
    """
    if precision in {"bf16", "fp16"}:
        raise EmbeddingError(
            f"precision={precision!r} is not to be had from ONNX Runtime on processors; choose fp32 or int8, "
            "or backend='openvino'"
        )


class OnnxRunner(GraphRunner):
    """An exported ``.onnx`` file; see :class:`~kure_rag.embed.backends.graph_runner.GraphRunner`."""

    engine = "ONNX Runtime"

    def _library(self, precision: Precision) -> Any:
        check_onnx_precision(precision)
        return onnxruntime()

    def _loaded(self, library: Any, graph: Path, precision: Precision) -> Any:
        return library.InferenceSession(str(graph), providers=["CPUExecutionProvider"])

    def start(self, batch: Sequence[Sequence[int]]) -> Callable[[], Vectors]:
        """See :class:`~kure_rag.embed.backends.base.Runner`; the pass is over when this returns."""
        ids, mask = padded(batch, self._pad_id)
        (vectors,) = self._model.run(None, {"input_ids": ids, "attention_mask": mask})
        return lambda: np.ascontiguousarray(vectors, dtype=np.float32)
