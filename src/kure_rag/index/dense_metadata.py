"""How names and metadata are written in a Chroma collection, so that any Chroma client can read it."""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from kure_rag.types import Chunk

Scalar = str | int | float | bool
_RESERVED: Final = "chroma:"  # Chroma keeps the text under chroma:document
_LARGEST: Final = 2**63  # SQLite's integers
_LONGEST: Final = 400  # of the 512 characters that Chroma allows


def collection_name(name: str, suffix: str = "") -> str:
    """A name that Chroma allows (3 to 512 of ``a-zA-Z0-9._-``), the same for the same name.

    Where letters are lost, such as all of 법령집, part of a hash stands for them.
    """
    name = unicodedata.normalize("NFC", name)
    slug = re.sub(r"[^a-zA-Z0-9._-]+", "-", name).strip("._-")[:_LONGEST].rstrip("._-")
    if slug != name or len(slug) < 3:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
        slug = f"{slug or 'kure-rag'}-{digest}"
    return slug + suffix


def flat_metadata(chunk: Chunk, *, source: str, title: str, domain: str) -> dict[str, Any]:
    """A chunk's place and metadata as Chroma stores them: text, numbers, truth values, and lists of one of these.

    Page numbers are 1-based (``pages``); ``breadcrumb`` is one string. Our own keys win over those of the metadata.
    """
    place = {
        "source": source,
        "title": title,
        "domain": domain,
        "document_id": chunk.document_id,
        "kind": chunk.kind,
        "ordinal": chunk.ordinal,
        "start": chunk.start,
        "end": chunk.end,
        "pages": list(chunk.pages),
        "breadcrumb": " > ".join(chunk.breadcrumb),
        "lead": chunk.lead,
    }
    return flatten({**chunk.metadata, **place})


def flatten(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as Chroma takes it.

    What it cannot hold is written as JSON (nested values, lists of several kinds); what is empty is left out.
    """
    flat = {}
    for key, value in metadata.items():
        name = f"_{key}" if key.startswith(_RESERVED) else key
        if (held := _held(value)) is not None:
            flat[name] = held
    return flat


def _held(value: Any) -> Any:
    if value is None or value in ("", [], (), {}):
        return None
    if isinstance(value, list | tuple):
        items = [_scalar(item) for item in value]
        kinds = {type(item) for item in items}
        return items if len(kinds) == 1 and None not in items else _json(value)
    scalar = _scalar(value)
    return _json(value) if scalar is None else scalar


def _scalar(value: Any) -> Scalar | None:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if -_LARGEST <= value < _LARGEST else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str, sort_keys=True)
