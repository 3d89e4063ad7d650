"""What an embedder is to the rest of the house."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Fingerprint = Mapping[str, str | int | bool]
Role = Literal["query", "passage"]


@runtime_checkable
class EmbedderLike(Protocol):
    """Queries and passages → vectors. The two roles are two methods, so that they cannot be mixed up by a flag."""

    @property
    def name(self) -> str:
        """The model's name, for people and for the index to find it again."""
        ...

    @property
    def fingerprint(self) -> Fingerprint:
        """All that changes the vectors: model, revision, prefixes, pooling, normalisation. Loads no weights."""
        ...

    @property
    def dense_weight(self) -> float:
        """The weight from 0 to 1 that this model's scores deserve beside keyword scores."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), dimension), float32."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), dimension), float32."""
        ...
