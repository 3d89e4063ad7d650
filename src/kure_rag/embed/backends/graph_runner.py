"""What the engines for exported graphs share: how they are made, and what a graph that cannot be read is told as."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from kure_rag.embed.base import Vectors
from kure_rag.embed.settings import Precision
from kure_rag.errors import EmbeddingError

_TOKENS: Final = 2048
_PASS_TOKENS: Final = 32  # a new shape is prepared in the time of 4 (OpenVINO's bf16) to 40 tokens (int8)


class GraphRunner(ABC):
    """An exported graph from token ids to pooled vectors, on a processor.

    Args:
        graph: Its file.
        dimension: Numbers in a vector.
        pad_id: The tokenizer's padding token.
        precision: Of the engine; int8 is in the graph itself.

    Attributes:
        engine: The library's name, for people.
        batch_tokens: Tokens that suit one forward pass.
        pass_tokens: What a pass costs beside its tokens.
        precision: What the engine computes in, where weights are not quantised: ``bf16``, ``f16`` or ``f32``.

    Raises:
        MissingExtraError: The engine is not installed.
        EmbeddingError: The graph cannot be read, or the engine or the processor has no such precision.
    """

    engine: ClassVar[str]
    batch_tokens = _TOKENS
    pass_tokens = _PASS_TOKENS
    precision = "f32"

    def __init__(self, graph: Path, *, dimension: int, pad_id: int, precision: Precision = "auto") -> None:
        library = self._library(precision)
        self.dimension = dimension
        self._pad_id = pad_id
        try:
            self._model = self._loaded(library, graph, precision)
        except Exception as error:  # theirs have no base of their own, and are others for files that are cut off
            raise EmbeddingError(f"{graph}: {self.engine} cannot read it ({error}); export the model again") from error

    @abstractmethod
    def _library(self, precision: Precision) -> Any:
        """The engine's library, which has this precision here."""

    @abstractmethod
    def _loaded(self, library: Any, graph: Path, precision: Precision) -> Any:
        """The engine's own object for a graph, ready to run."""

    @abstractmethod
    def start(self, batch: Sequence[Sequence[int]]) -> Callable[[], Vectors]:
        """See :class:`~kure_rag.embed.backends.base.Runner`."""
