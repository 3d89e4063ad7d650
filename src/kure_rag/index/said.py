"""What a user says of a document, laid over what its file says. The user wins, also when the file changes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from kure_rag.errors import MetadataError
from kure_rag.types import Document, Domain

GROUP_FIELD: Final = "entry_group"
"""What an entry's document says of the entry's group: no user's word changes it."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_DEEPEST: Final = 50  # values within values
_WIDEST: Final = 13_000  # bits of a whole number: Python writes and reads 4,300 digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the user said.

    Attributes:
        title: Shown and filtered by in place of the file's; the words that find a passage stay the file's.
        domain: In place of what was found out or given; the next version of the file is cut by it, too.
        metadata: Keys with their values; a key with ``None`` is taken away from what the file says.
        replace: Of what the file says under other keys, nothing counts.
    """

    title: str | None = None
    domain: Domain | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    replace: bool = False

    def then(self, later: Said) -> Said:
        """This, and what was said after it."""
        return Said(
            title=self.title if later.title is None else later.title,
            domain=self.domain if later.domain is None else later.domain,
            metadata=dict(later.metadata) if later.replace else {**self.metadata, **later.metadata},
            replace=self.replace or later.replace,
        )

    def over(self, read: Document) -> Document:
        """A document as its file says it → as it is shown and filtered by."""
        group = {name: value for name, value in read.metadata.items() if name == GROUP_FIELD}
        merged = {**({} if self.replace else read.metadata), **self.metadata, **group}
        return replace(
            read,
            title=read.title if self.title is None else self.title,
            domain=read.domain if self.domain is None else self.domain,
            metadata={name: value for name, value in merged.items() if value is not None},
        )

    def check(self) -> None:
        """Refuses what cannot be stored.

        Raises:
            MetadataError: Names the field.
        """
        if self.title is not None:
            if not isinstance(self.title, str):
                raise MetadataError("title", f"is {_kind(self.title)}; give text")
            _check("title", self.title, 0)
        if not isinstance(self.metadata, Mapping):
            raise MetadataError("metadata", f"is {_kind(self.metadata)}; give a mapping of names to values")
        _check("metadata", self.metadata, 0)


def _check(name: str, value: Any, depth: int) -> None:
    if depth > _DEEPEST:
        raise MetadataError(name, f"is nested more than {_DEEPEST} deep, or holds itself; make it flatter")
    if isinstance(value, str):
        if found := _SURROGATE.search(value):
            raise MetadataError(name, f"holds half a character, U+{ord(found.group()):04X}; decode the text rightly")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise MetadataError(name, f"is {value}, which is no number; leave it out, or say None to remove it")
    elif isinstance(value, int):
        if value.bit_length() > _WIDEST:
            raise MetadataError(name, "is too large a number; give it as text")
    elif isinstance(value, dict) or (isinstance(value, Mapping) and not depth):
        for key, item in value.items():
            if not isinstance(key, str):
                raise MetadataError(name, f"has a name that is {_kind(key)} ({key!r}); give text")
            _check(f"{name}[…]" if _SURROGATE.search(key) else f"{name}[{key!r}]", item, depth + 1)
            _check(f"a name in {name}", key, depth)
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            _check(f"{name}[{i}]", item, depth + 1)
    elif value is not None:
        raise MetadataError(
            name,
            f"is a Python {_kind(value)}, which JSON has not; "
            "give text, a number, a truth value, or lists and mappings of them",
        )


def _kind(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
