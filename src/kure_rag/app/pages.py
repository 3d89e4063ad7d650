"""A passage of the index → its page as a picture, with boxes around it; or why there is none."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kure_rag.app.files import KnownFiles
from kure_rag.read import file_type
from kure_rag.types import Chunk, Document

_DPI: Final = 120
_KEPT: Final = 64  # pages, of some 100 kB
_AT_ONCE: Final = 2  # children
Mark = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """A page to be shown.

    Attributes:
        number: 1-based.
        pages: How many the file has.
        png: The picture.
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.
        marks: Boxes around the passage: left, top, width, height as fractions of the picture.
        marked_pages: All pages on which the passage was found.
        share: How much of the passage's part on this page was found, from 0 to 1.
    """

    number: int
    pages: int
    png: bytes = field(repr=False)
    width: int
    height: int
    marks: tuple[Mark, ...]
    marked_pages: tuple[int, ...]
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NoPage:
    """Why a page cannot be shown.

    Attributes:
        reason: ``unknown`` where no file is known, ``changed`` where it has other bytes now, ``text`` where it is no
            PDF, ``failed`` where it could not be drawn.
        detail: More of it, for the reader.
    """

    reason: str
    detail: str = ""


class Pages:
    """Draws pages in child processes and keeps the last ones.

    Args:
        files: Where the files are.
        seconds: For one page; a child that takes longer is killed.
    """

    def __init__(self, files: KnownFiles, *, seconds: float = 30.0) -> None:
        self._files = files
        self._seconds = seconds
        self._kept: OrderedDict[tuple[str, int | None], PageView] = OrderedDict()
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def view(self, document: Document, chunk: Chunk, show: int | None = None) -> PageView | NoPage:
        """The page of a passage.

        Args:
            document: Its document, with its text and pages.
            chunk: The passage.
            show: Which page, 1-based; by default the first that holds it.
        """
        if not chunk.pages:
            return NoPage(reason="text")
        path = self._files.find(document.id, document.source)
        if path is None:
            return NoPage(reason="unknown")
        if not _is_pdf(path):
            return NoPage(reason="text")
        key = (chunk.id, show)
        with self._lock:
            if (kept := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return kept
        with self._turns:
            found = self._draw(path, document, chunk, show)
        if isinstance(found, PageView):
            with self._lock:
                self._kept[key] = self._kept[(chunk.id, found.number)] = found
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        elif found.reason == "changed":
            self._files.forget(document.id)
        return found

    def _draw(self, path: Path, document: Document, chunk: Chunk, show: int | None) -> PageView | NoPage:
        request = {
            "path": str(path),
            "digest": document.id,
            "parts": parts_of(document, chunk),
            "show": show,
            "dpi": _DPI,
        }
        try:
            done = subprocess.run(
                [sys.executable, "-m", "kure_rag.app.page_child"],
                input=json.dumps(request).encode(),
                capture_output=True,
                timeout=self._seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return NoPage(reason="failed", detail=f"took longer than {self._seconds:g} seconds to draw")
        if done.returncode:
            return NoPage(reason="failed", detail=f"the drawing process ended with status {done.returncode}")
        line, _, picture = done.stdout.partition(b"\n")
        head = json.loads(line)
        if head.get("error"):
            return NoPage(reason="changed" if head.get("changed") else "failed", detail=head["error"])
        return _to_view(head, picture)


def _is_pdf(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file_type(path.name, file.read(8)) == "pdf"
    except OSError:  # the drawing says what is wrong with it
        return True


def parts_of(document: Document, chunk: Chunk) -> list[dict[str, Any]]:
    """What of a passage stands on which page, by the offsets of the pages; and where on the page, from 0 to 1."""
    parts = []
    for page in document.pages:
        start, end = max(chunk.start, page.start), min(chunk.end, page.end)
        if start < end and not page.ocr:
            near = (start - page.start) / max(1, page.end - page.start)
            parts.append({"page": page.number, "text": document.text[start:end], "near": near})
    if not parts and chunk.pages:  # recognised from a picture: the page has no characters with places
        parts.append({"page": chunk.pages[0], "text": "", "near": 0.0})
    return parts


def _to_view(head: Mapping[str, Any], picture: bytes) -> PageView:
    number: int = head["page"]
    marks: Sequence[Sequence[float]] = head["marks"].get(str(number), ())
    return PageView(
        number=number,
        pages=head["pages"],
        png=picture,
        width=head["width"],
        height=head["height"],
        marks=tuple((left, top, width, height) for left, top, width, height in marks),
        marked_pages=tuple(sorted(int(page) for page, boxes in head["marks"].items() if boxes)),
        share=head["share"].get(str(number), 0.0),
    )
