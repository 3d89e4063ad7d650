"""A query's vector that the caller has already."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kure_rag.errors import SearchError
from kure_rag.search.options import SearchOptions

Vectors = npt.NDArray[np.float32]


def needs_words(options: SearchOptions) -> bool:
    """Whether a search by a given vector needs the query's words too."""
    return options.mode != "dense" or options.rerank is not None or options.highlight


def check_options(options: SearchOptions) -> None:
    """Refuses what a given vector does not go with.

    Raises:
        SearchError: A mode that uses no vector, or a hook that makes other ones.
    """
    if options.mode == "lexical":
        raise SearchError('mode="lexical" uses no vector; leave vector out, or search with mode="dense" or "hybrid"')
    for name, hook in (("multi_query", options.multi_query), ("hyde", options.hyde)):
        if hook is not None:
            raise SearchError(f"vector stands for the query's own words, and {name} asks with others: give one of them")


def check_vector(vector: Any) -> Vectors:
    """One query's vector as the dense leg takes it, shape (1, dimension).

    Raises:
        SearchError: Another shape, no numbers, or infinite ones.
    """
    try:
        found = np.asarray(vector, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise SearchError(f"vector holds what is no number ({error}); give numbers, shape (dimension,)") from None
    if found.ndim != 1 or not found.size:
        raise SearchError(f"vector has the shape {found.shape}; give one query's, shape (dimension,)")
    if not np.isfinite(found).all():
        raise SearchError("vector holds NaN or infinity; embed the query again")
    return found[None]


def check_dimension(vector: Vectors, known: int | None) -> None:
    """Refuses a vector that another model made, as far as its length says so.

    Raises:
        SearchError: The index's vectors are of another length.
    """
    if known is not None and vector.shape[1] != known:
        raise SearchError(
            f"vector has {vector.shape[1]} numbers and this index's vectors have {known}; "
            "embed the query with the model that the index was made with"
        )
