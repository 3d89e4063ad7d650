"""What LangChain, LlamaIndex and people write into a Chroma collection, read as one kind of row."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Final

# LlamaIndex stores each node as JSON beside its flat metadata (``node_to_metadata_dict`` of llama-index-core 0.14).
_NODE: Final = "_node_content"
_INNER: Final = frozenset({_NODE, "_node_type", "document_id", "doc_id", "ref_doc_id"})
# PyMuPDFReader of LlamaIndex gives a page number as `source`, so paths go first.
_PLACES: Final = ("file_path", "source", "file_name", "filename", "url")
_HEADERS: Final = tuple(f"Header {level}" for level in range(1, 7))  # MarkdownHeaderTextSplitter of LangChain


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row belongs, from its metadata alone.

    Attributes:
        group: Rows of the same group are of one document: a path, or the id of its source; empty for a row by itself.
        source: The file's name, or the group.
        page: As written, or ``None``.
        label: The page as it is printed, if it is a number.
        last: How many pages the source has, or ``None``.
        start: Its offset in the page or document, or its number in a table; ``None`` if it has none.
    """

    group: str
    source: str
    page: int | None
    label: int | None
    last: int | None
    start: int | None

    @property
    def counts_from_zero(self) -> bool:
        """Whether the page of this row shows that pages are counted from zero, as LangChain's PDF loaders do."""
        return self.page is not None and (self.page == 0 or self.last is not None or self.label == self.page + 1)


def place(metadata: Mapping[str, Any]) -> Place:
    """Where a row belongs."""
    node = node_of(metadata)
    path = next((str(metadata[key]) for key in _PLACES if str(metadata.get(key) or "").strip()), "")
    parent = str(metadata.get("ref_doc_id") or metadata.get("document_id") or "") if node or not path else ""
    group = _nfc(path or (parent if parent != "None" else ""))
    start = next(
        (n for n in (_number(metadata.get("start_index")), _number(node.get("start_char_idx"))) if n is not None),
        _number(metadata.get("row")),
    )
    return Place(
        group,
        file_name(group),
        _number(metadata.get("page")),
        _number(metadata.get("page_label")),
        _number(metadata.get("total_pages")),
        start,
    )


def node_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """LlamaIndex's node; empty for rows of others, and where it is no JSON object."""
    try:
        node = json.loads(metadata.get(_NODE) or "{}")
    except (TypeError, ValueError):
        return {}
    return node if isinstance(node, dict) else {}


def own_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What the user wrote: JSON values, without what LlamaIndex keeps for itself."""
    node = node_of(metadata)
    inner = _INNER if node else frozenset[str]()
    nested = node.get("metadata")
    kept = {**(nested if isinstance(nested, dict) else {}), **metadata}
    return {key: value for key, value in kept.items() if key not in inner and _is_json(value)}


def embedded_texts(text: str, metadata: Mapping[str, Any]) -> list[str]:
    """The text as its embedding may have been made: LlamaIndex puts metadata before it."""
    node = node_of(metadata)
    nested = node.get("metadata")
    if not isinstance(nested, dict):
        return [text]
    left_out = node.get("excluded_embed_metadata_keys") or []
    line = str(node.get("metadata_template") or node.get("metadata_tmpl") or "{key}: {value}")
    between = str(node.get("metadata_separator") or node.get("metadata_seperator") or "\n")
    whole = str(node.get("text_template") or node.get("text_tmpl") or "{metadata_str}\n\n{content}")
    lines = [
        line.replace("{key}", str(key)).replace("{value}", str(value))
        for key, value in nested.items()
        if key not in left_out
    ]
    if not lines:
        return [text]
    return [whole.replace("{metadata_str}", between.join(lines)).replace("{content}", text), text]


def breadcrumb(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Headings, where the splitter kept them."""
    if any(metadata.get(key) for key in _HEADERS):
        return tuple(_nfc(str(metadata[key])) for key in _HEADERS if metadata.get(key))
    for key, between in (("breadcrumb", " > "), ("header_path", "/")):
        if isinstance(value := metadata.get(key), str):
            return tuple(_nfc(part.strip()) for part in value.split(between) if part.strip())
    return ()


def page_numbers(of: Place, metadata: Mapping[str, Any], *, from_zero: bool) -> tuple[int, ...]:
    """1-based numbers of the pages a row stands on; none where what is written makes no sense."""
    pages = metadata.get("pages")
    if isinstance(pages, list) and pages and all(isinstance(page, int) and page > 0 for page in pages):
        return tuple(sorted({int(page) for page in pages}))
    # What is printed on a page may start anew or late; where both are given, the place in the file is the page.
    number = of.label if of.page is None else of.page + from_zero
    return (number,) if number is not None and 0 < number <= (of.last or number) else ()


def file_name(path: str) -> str:
    """The last part of a path of any system, or of a URL; anything else as it is."""
    name = PureWindowsPath(path).name if "\\" in path else PurePosixPath(path.split("?")[0]).name
    return name or path


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())


def _number(value: Any) -> int | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number == value or isinstance(value, str) else None


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return value is not None
