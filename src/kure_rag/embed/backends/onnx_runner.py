"""The ONNX Runtime engine, on a processor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from kure_rag.embed.backends.padding import padded
from kure_rag.embed.base import Vectors
from kure_rag.embed.settings import Precision
from kure_rag.errors import EmbeddingError, MissingExtraError

_TOKENS: Final = 2048
_PASS_TOKENS: Final = 32


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


class OnnxRunner:
    """An exported graph from token ids to pooled vectors.

    Args:
        graph: The ``.onnx`` file.
        dimension: Numbers in a vector.
        pad_id: The tokenizer's padding token.
        precision: Of the engine; int8 is in the graph itself.

    Attributes:
        batch_tokens: Tokens that suit one forward pass.
        pass_tokens: What a pass costs beside its tokens.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        EmbeddingError: The graph cannot be read, or the precision is none of this engine's.
    """

    batch_tokens = _TOKENS
    pass_tokens = _PASS_TOKENS
    precision = "f32"

    def __init__(
        self,
        graph: Path,
        *,
        dimension: int,
        pad_id: int,
        precision: Precision = "auto",
    ) -> None:
        library = onnxruntime()
        check_onnx_precision(precision)
        self.dimension = dimension
        self._pad_id = pad_id
        try:
            self._session: Any = library.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions have no base of their own
            raise EmbeddingError(f"{graph}: ONNX Runtime cannot read it ({error}); export the model again") from error

    def start(self, batch: Sequence[Sequence[int]]) -> Callable[[], Vectors]:
        """See :class:`~kure_rag.embed.backends.base.Runner`; the pass is over when this returns."""
        ids, mask = padded(batch, self._pad_id)
        (vectors,) = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
        return lambda: np.ascontiguousarray(vectors, dtype=np.float32)
