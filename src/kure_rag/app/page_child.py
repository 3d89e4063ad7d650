"""The child process that draws one page and finds a passage on it.

    python -m kure_rag.app.page_child < request > picture

An uploaded PDF is not to be trusted: one that brings the parser down brings down this process and not the app. The
request is a JSON object; the answer is a line of JSON and, where it says how large, a PNG picture.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

from kure_rag.app.highlight import Marks, find_passage
from kure_rag.errors import ReadError
from kure_rag.read.page import PageContent
from kure_rag.read.pdfium import PdfFile

MEMORY: Final = 2 * 2**30  # bytes of address space
_ENOUGH: Final = 0.8  # of a passage on its page; the rest of a joined table may stand on the pages after it
_SOME: Final = 0.25
_FURTHER: Final = 6  # pages


def main() -> int:
    """Answers one request."""
    request = json.loads(sys.stdin.buffer.read())
    _limit_memory()
    try:
        head, picture = answer(request)
    except ReadError as error:
        head, picture = {"error": error.reason}, b""
    except MemoryError:
        head, picture = {"error": "needs too much memory to draw"}, b""
    except Exception as error:  # noqa: BLE001 - broken files break libraries in ways that nobody can list
        head, picture = {"error": f"cannot be drawn ({type(error).__name__}: {error})"}, b""
    _send(sys.stdout.buffer, head, picture)
    return 0


def answer(request: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """What a request asks for.

    Args:
        request: ``path`` and ``digest`` (SHA-256) of the file; ``parts`` of the passage, each with ``page`` (1-based),
            ``text`` and ``near``; ``show``, the page to draw, or ``None`` for the first with the passage; ``dpi``.

    Returns:
        ``page``, ``pages`` (how many the file has), ``marks`` (page → boxes as fractions of width and height from the
        top left: left, top, width, height), ``share`` (page → found share of its part), ``width`` and ``height`` in
        pixels; and the picture as PNG.
    """
    path = Path(request["path"])
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ReadError(path.name, f"cannot be opened ({error.strerror or error})") from None
    if hashlib.sha256(data).hexdigest() != request["digest"]:
        return {"error": "changed", "changed": True}, b""
    with PdfFile(data, path.name) as pdf:
        marks, share = locate(pdf, request["parts"])
        page = request["show"] or _first(marks, share, request["parts"])
        page = max(1, min(page, len(pdf)))
        image = pdf.render(page, request["dpi"])
        if image is None:
            raise ReadError(path.name, f"page {page} cannot be drawn")
        out = io.BytesIO()
        image.convert("RGB").quantize(64).save(out, "PNG", optimize=False)
        head = {
            "page": page,
            "pages": len(pdf),
            "marks": marks,
            "share": share,
            "width": image.width,
            "height": image.height,
        }
        return head, out.getvalue()


def locate(pdf: PdfFile, parts: list[dict[str, Any]]) -> tuple[dict[int, list[list[float]]], dict[int, float]]:
    """Page → where the passage stands on it, and how much of its part was found."""
    marks: dict[int, list[list[float]]] = {}
    share: dict[int, float] = {}
    for part in parts:
        for number in range(part["page"], min(part["page"] + 1 + _FURTHER, len(pdf) + 1)):
            own = number == part["page"]
            content = pdf.page(number, rules=False)
            found = find_passage(content.text, content.boxes.tolist(), part["text"], near=part["near"] if own else 0.0)
            if own or found.share >= _SOME:
                share[number] = max(found.share, share.get(number, 0.0))
                marks.setdefault(number, []).extend(_fractions(found, content))
            if sum(share.get(n, 0.0) for n in range(part["page"], number + 1)) >= _ENOUGH:
                break
    return marks, share


def _first(marks: Mapping[int, Any], share: Mapping[int, float], parts: list[dict[str, Any]]) -> int:
    """The first page that holds a good part of the passage, or anything of it."""
    for least in (_SOME, 0.0):
        for number in sorted(marks):
            if marks[number] and share[number] >= least:
                return number
    return int(parts[0]["page"]) if parts else 1


def _fractions(found: Marks, page: PageContent) -> list[list[float]]:
    if page.width <= 0 or page.height <= 0:
        return []
    return [
        [
            round(left / page.width, 5),
            round(1 - top / page.height, 5),
            round((right - left) / page.width, 5),
            round((top - bottom) / page.height, 5),
        ]
        for left, bottom, right, top in found.boxes
    ]


def _send(out: IO[bytes], head: Mapping[str, Any], picture: bytes) -> None:
    out.write(json.dumps({**head, "bytes": len(picture)}).encode() + b"\n" + picture)
    out.flush()


def _limit_memory() -> None:
    """Caps the address space, where the system can."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ImportError, OSError, ValueError):
        return


if __name__ == "__main__":
    sys.exit(main())
