"""What an index says of itself without being opened: opening one of an older format brings it up to this one.

The version that made it could not open it afterwards, so whoever may refuse an index looks here first.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kure_rag.index.backup import appearing, copy_whole
from kure_rag.index.catalog_file import FILE
from kure_rag.index.rows import DocumentRow, checksum
from kure_rag.index.schema import VERSION

_CHECKED_FROM: Final = 3  # formats since which settings have checksums, and what is gone stays for a while
_LISTING: Final = (
    "SELECT d.id, d.source, d.title, d.domain, json_array_length(d.pages), "
    "(SELECT count(*) FROM chunks c WHERE c.document_id = d.id{same}) FROM documents d {alive} ORDER BY d.source, d.id"
)


@dataclass(frozen=True, slots=True)
class KeptSettings:
    """Settings of a catalog that was not opened.

    Attributes:
        version: Of its format.
        values: By key.
    """

    version: int
    values: Mapping[str, Any]

    @property
    def is_older(self) -> bool:
        """Whether opening it would change its format."""
        return self.version < VERSION


def kept_settings(place: Path) -> KeptSettings | None:
    """The settings of an index folder, or of a backup.

    Returns:
        ``None`` where there are none, where they are damaged, or of a newer version: opening the index says which.
    """
    try:
        with _reading(place) as db:
            rows = db.execute("SELECT * FROM settings").fetchall()
        values = {row[0]: json.loads(row[1]) for row in rows}
    except (sqlite3.Error, OSError, ValueError, TypeError):
        return None
    version = values.get("version")
    if not isinstance(version, int) or version > VERSION:
        return None
    if version >= _CHECKED_FROM and any(len(row) != 3 or checksum(*row[:2]) != row[2] for row in rows):
        return None
    return KeptSettings(version, values)


def kept_documents(place: Path, version: int) -> list[DocumentRow]:
    """The documents of an index whose format is ``version``, by source.

    Raises:
        sqlite3.Error: They cannot be read.
    """
    checked = version >= _CHECKED_FROM
    sql = _LISTING.format(
        same=" AND c.generation = d.generation" if checked else "", alive="WHERE d.gone IS NULL" if checked else ""
    )
    with _reading(place) as db:
        return [DocumentRow(*row) for row in db.execute(sql)]


def copy_unopened(place: Path, file: Path, *, overwrite: bool = False) -> None:
    """Copies an index into one file, in the format that it has; others may search and write meanwhile.

    Args:
        place: The index folder.
        file: Appears when it is whole.
        overwrite: Replace the file that is there.

    Raises:
        IndexPathError: The file is there, or cannot be written.
    """
    with appearing(file, overwrite=overwrite) as part, _reading(place) as db:
        copy_whole(db, part)


@contextmanager
def _reading(place: Path) -> Iterator[sqlite3.Connection]:
    file = place / FILE if place.is_dir() else place
    uri = f"{file.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30)) as db:
        db.execute("PRAGMA trusted_schema=OFF")
        yield db
