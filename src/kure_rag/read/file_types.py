"""The types of files that are read, and how one is told: by its name, unless it begins as a PDF does."""

from __future__ import annotations

from typing import Final, Literal, get_args

FileType = Literal["pdf", "txt", "md"]

FILE_TYPES: Final[tuple[FileType, ...]] = get_args(FileType)
PDF_ONLY: Final[tuple[FileType, ...]] = ("pdf",)
TEXT_TYPES: Final[tuple[FileType, ...]] = ("txt", "md")


def file_type(name: str, head: bytes = b"") -> FileType:
    """The type of a file.

    Args:
        name: The file's name. What ends in neither ``.txt`` nor ``.md`` is taken for a PDF, which its reader checks.
        head: How it begins, where that is known: a PDF is one whatever it is called.
    """
    if head.startswith(b"%PDF-"):
        return "pdf"
    return next((kind for kind in TEXT_TYPES if name.lower().endswith(f".{kind}")), "pdf")
