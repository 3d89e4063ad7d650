"""Which collection of which Chroma server a vector view is: a small file in the view's folder."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from kure_rag.errors import IndexCorruptError

SERVER_FILE: Final = "server.json"


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """A collection on a server.

    Attributes:
        url: Of the server.
        collection: Its name there.
        owner: Stands in the collection's metadata too, so that no other index takes it for its own.
        made: Whether it was made. One that was and is not there is gone; it is not made anew in silence.
    """

    url: str
    collection: str
    owner: str
    made: bool


def claim(folder: Path, url: str, name: str) -> ServerRecord:
    """The record of a view; a new one is written before the collection is made, so that a crash loses none.

    Args:
        folder: The view's folder.
        url: Where the settings say it is.
        name: What a new collection is to be called.

    Raises:
        IndexCorruptError: The file is damaged, or says another server.
    """
    file = folder / SERVER_FILE
    if not file.exists():
        fresh = ServerRecord(url, name, uuid.uuid4().hex, made=False)
        _write(folder, fresh)
        return fresh
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        record = ServerRecord(str(told["url"]), str(told["collection"]), str(told["owner"]), bool(told["made"]))
    except (ValueError, KeyError, TypeError) as error:
        raise IndexCorruptError(f"{file}: damaged ({error}); make the view anew with `kure-rag rebuild`") from error
    if record.url != url:
        raise IndexCorruptError(
            f"{folder}: the vectors are at {record.url}, the settings say {url}; "
            "make the view anew with `kure-rag rebuild`"
        )
    return record


def confirm(folder: Path, record: ServerRecord) -> None:
    """Says that the collection was made."""
    _write(folder, replace(record, made=True))


def _write(folder: Path, record: ServerRecord) -> None:
    fresh = folder / f"{SERVER_FILE}.new"
    fresh.write_text(json.dumps(asdict(record), ensure_ascii=False), encoding="utf-8")
    fresh.replace(folder / SERVER_FILE)
