"""What a file may cost, and how it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Ocr = Literal["auto", "never", "always"]


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
    """

    max_bytes: int = 512 * 2**20
    max_pages: int = 5_000
    max_chars: int = 20_000_000
    max_page_chars: int = 500_000
    max_seconds: float = 300.0
    max_page_seconds: float = 60.0
    max_memory: int = 2 * 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSettings:
    """How a file is read.

    Attributes:
        tables: Find tables; without it their cells are lines of text like any other, and reading is faster.
        fallback: Try a second parser on pages whose text layer is unreadable.
        ocr: ``auto`` recognises pages that have no usable text layer, where the extra ``ocr`` and Tesseract are
            installed; ``always`` recognises every page; ``never`` leaves such pages marked and empty.
    """

    tables: bool = True
    fallback: bool = True
    ocr: Ocr = "auto"
