"""The OpenVINO engine, on a processor."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from kure_rag.embed.backends.graph_runner import GraphRunner
from kure_rag.embed.backends.padding import padded
from kure_rag.embed.base import Vectors
from kure_rag.embed.settings import Precision
from kure_rag.errors import EmbeddingError, MissingExtraError

_TELEMETRY: Final = "openvino_telemetry"
_HINTS: Final = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
_CAPABILITIES: Final = {"bf16": "BF16", "fp16": "FP16"}


def openvino() -> Any:
    """The library, with its telemetry off.

    Importing it would report to its maker, unless the package that reports cannot be imported: then it takes the stub
    that it brings along for that.

    Raises:
        MissingExtraError: It is not installed.
    """
    sys.modules.setdefault(_TELEMETRY, cast(Any, None))
    try:
        import openvino as library
    except ImportError as error:
        raise MissingExtraError("backend='openvino'", "openvino") from error
    if (reporting := sys.modules.get(_TELEMETRY)) is not None:  # the program imported OpenVINO before us
        reporting.Telemetry.consent = property(lambda _: False, lambda *_: None)
    return library


def check_openvino_precision(precision: Precision) -> None:
    """Raises for a precision that this processor has no instructions for: the engine would compute in another one.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        EmbeddingError: Says which precisions there are.
    """
    needed = _CAPABILITIES.get(precision)
    if needed is None:
        return
    has = openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if needed not in has:
        raise EmbeddingError(
            f"precision={precision!r}: this processor has no instructions for it, as OpenVINO says "
            f"({', '.join(has)}); choose fp32, int8 or auto"
        )


class OpenvinoRunner(GraphRunner):
    """An exported ``.xml`` file, with its ``.bin`` beside it.

    See :class:`~kure_rag.embed.backends.graph_runner.GraphRunner`. The precisions ``auto`` and ``int8`` leave what is
    not quantised to OpenVINO, which takes bf16 where the processor has instructions for it and fp32 otherwise.
    """

    engine = "OpenVINO"

    def _library(self, precision: Precision) -> Any:
        library = openvino()
        check_openvino_precision(precision)
        return library

    def _loaded(self, library: Any, graph: Path, precision: Precision) -> Any:
        # Threads bound to cores wait for whatever else runs there: a tenth more time for a question on a busy machine.
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}
        if precision in _HINTS:
            settings["INFERENCE_PRECISION_HINT"] = _HINTS[precision]
        compiled = library.Core().compile_model(str(graph), "CPU", settings)
        self.precision = str(compiled.get_property("INFERENCE_PRECISION_HINT").to_string())
        self._idle: deque[Any] = deque()  # appending and popping are safe between threads
        return compiled

    def start(self, batch: Sequence[Sequence[int]]) -> Callable[[], Vectors]:
        """See :class:`~kure_rag.embed.backends.base.Runner`; several passes can be begun and wait for their turn."""
        ids, mask = padded(batch, self._pad_id)
        try:
            request = self._idle.popleft()
        except IndexError:
            request = self._model.create_infer_request()
        request.start_async({"input_ids": ids, "attention_mask": mask}, share_inputs=False)

        def wait() -> Vectors:
            request.wait()
            vectors = np.array(request.get_output_tensor(0).data, dtype=np.float32, order="C")  # the request is reused
            self._idle.append(request)
            return vectors

        return wait
