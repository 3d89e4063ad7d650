"""What a file may cost, and how it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

Ocr = Literal["auto", "never", "always"]
TYPE_LIMITS: Final = ("max_bytes", "max_chars")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLimits:
    """What a file may cost before it is rejected.

    Attributes:
        max_bytes: Size of the file.
        max_pages: Number of pages.
        max_chars: Characters of text over all pages.
        max_page_chars: Characters of text on one page.
        max_seconds: Wall-clock seconds for one file, reading, chunking and analysis together.
        max_page_seconds: Wall-clock seconds for one page, its recognition by OCR included.
        max_memory: Bytes of memory the reading process may take on top of what it starts with.
        by_type: File type → those of its limits that are others, ``max_bytes`` and ``max_chars``, such as
            ``{"txt": {"max_bytes": 1_000_000}}``.
    """

    max_bytes: int = 512 * 2**20
    max_pages: int = 5_000
    max_chars: int = 20_000_000
    max_page_chars: int = 500_000
    max_seconds: float = 300.0
    max_page_seconds: float = 60.0
    max_memory: int = 2 * 2**30
    by_type: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind, limits in self.by_type.items():
            if wrong := [name for name in limits if name not in TYPE_LIMITS]:
                raise ValueError(f"{wrong[0]} is no limit of {kind} files alone; choose {' or '.join(TYPE_LIMITS)}")

    def of(self, file_type: str) -> ReadLimits:
        """What a file of one type may cost."""
        return replace(self, by_type={}, **dict(self.by_type.get(file_type, {})))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSettings:
    """How a file is read.

    Attributes:
        tables: Find tables; without it their cells are lines of text like any other, and reading is faster.
        fallback: Try a second parser on pages whose text is unreadable or missing.
        ocr: ``auto`` recognises pages that have no usable text layer, where the extra ``ocr`` and Tesseract are
            installed; ``always`` recognises every page; ``never`` leaves such pages marked and empty.
    """

    tables: bool = True
    fallback: bool = True
    ocr: Ocr = "auto"
