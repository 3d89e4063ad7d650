"""What a filter is once it is parsed: a tree of tests on fields."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

Operand = str | int | float | date
Operator = Literal["$in", "$gt", "$gte", "$lt", "$lte", "$contains", "$icontains", "$exists"]


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison. Only ``$in`` has not exactly one operand, and ``$exists`` has none."""

    field: str
    operator: Operator
    operands: tuple[Operand, ...] = ()


@dataclass(frozen=True, slots=True)
class Both:
    """Holds where all parts hold, with ``either`` where one of them does."""

    parts: tuple[Node, ...]
    either: bool = False


@dataclass(frozen=True, slots=True)
class Not:
    """Holds where the part does not."""

    part: Node


Node = Test | Both | Not


def names(node: Node, field: str) -> bool:
    """Whether a test in the tree is on this field."""
    if isinstance(node, Test):
        return node.field == field
    return any(names(part, field) for part in ((node.part,) if isinstance(node, Not) else node.parts))
