"""Keywords that a LlamaIndex class of ours does not take."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel


def refuse_unknown(kind: type[BaseModel], given: Iterable[str]) -> None:
    """LlamaIndex's models ignore what they do not know: a misspelt keyword would change nothing, and say nothing.

    Raises:
        TypeError: A keyword that ``kind`` has no field for; names it.
    """
    if unknown := set(given) - kind.model_fields.keys():
        raise TypeError(f"{kind.__name__} takes no keyword {', '.join(map(repr, sorted(unknown)))}")
