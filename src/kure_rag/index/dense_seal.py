"""What the files of a vector view were when they were last written: by it a torn or altered file is noticed unopened.

Chroma checks nothing when it loads a graph: a torn file can end the process or, worse, answer wrongly. Checksums of all
files cost little (4 GB a second from memory) and are only computed for files whose size or time of change differ.
"""

from __future__ import annotations

import contextlib
import sqlite3
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

LOCK: Final = ".kure-rag.lock"
_DATABASE: Final = "chroma.sqlite3"
_HEAD: Final = "header.bin"  # of a graph
_BODY: Final = ("data_level0.bin", "length.bin")
_COUNT: Final = slice(20, 28)  # where that says how many vectors it holds
_BLOCK: Final = 1 << 20
_HEADER: Final = 100  # bytes of SQLite's header, https://sqlite.org/fileformat.html#the_database_header
_CHANGES: Final = ((24, 28), (92, 96))  # its change counter, and the place where it is repeated
_LEAF, _INTERIOR = 0x0D, 0x05  # kinds of pages of a table
_DEEPEST: Final = 8


def seal(folder: Path, before: Mapping[str, Any] | None = None) -> dict[str, list[int]]:
    """Size, checksum and time of change (in nanoseconds) of every file of a view, by its path in the folder.

    Chroma's database has no time of change: every opening changes it.

    Args:
        folder: The view's folder.
        before: An older seal; checksums of files that have its size and time are taken from it.
    """
    before = before or {}
    return {name: _entry(file, before.get(name)) for name, file in _files(folder)}


def broken(folder: Path, sealed: Mapping[str, Any] | None, *, thorough: bool = False) -> tuple[str, ...]:
    """Files that are not as they were sealed, by their path in the folder; also those that are gone or new.

    Args:
        folder: The view's folder.
        sealed: What :func:`seal` said, or nothing, with which no file agrees.
        thorough: Compute all checksums, also of files whose size and time of change are known.
    """
    here, sealed = dict(_files(folder)), sealed or {}
    names = sorted({*here, *sealed})
    return tuple(name for name in names if not _is_sealed(here.get(name), sealed.get(name), thorough=thorough))


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    files = (file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != LOCK)
    return ((file.relative_to(folder).as_posix(), file) for file in files)


def _entry(file: Path, before: Any) -> list[int]:
    stat = file.stat()
    if file.name == _DATABASE:
        return [stat.st_size, _checksum(file)]
    if file.name in _BODY and _is_empty(file.with_name(_HEAD)):
        return [stat.st_size, 0]
    if isinstance(before, list) and before[:1] + before[2:] == [stat.st_size, stat.st_mtime_ns]:
        return before
    return [stat.st_size, _checksum(file), stat.st_mtime_ns]


def _is_sealed(file: Path | None, entry: Any, *, thorough: bool) -> bool:
    if file is None or not isinstance(entry, list):  # an older version kept sizes only
        return False
    return _entry(file, None if thorough else entry)[:2] == entry[:2]


def _is_empty(head: Path) -> bool:
    """Whether a graph has not been written yet: each opening fills its body with whatever was in memory."""
    said = head.read_bytes()[_COUNT] if head.is_file() else b""
    return said == bytes(_COUNT.stop - _COUNT.start)


def _checksum(file: Path) -> int:
    """CRC-32; of Chroma's database without what every opening changes."""
    spans = _restless(file) if file.name == _DATABASE else []
    sum_, at = 0, 0
    with file.open("rb") as opened:
        while block := opened.read(_BLOCK):
            inside = [(max(a - at, 0), min(b - at, len(block))) for a, b in spans if a < at + len(block) and b > at]
            if inside:
                masked = bytearray(block)
                for a, b in inside:
                    masked[a:b] = bytes(b - a)
                block = bytes(masked)
            sum_ = zlib.crc32(block, sum_)
            at += len(block)
    return sum_


def log_length(folder: Path) -> int:
    """How many operations wait in Chroma's log, which it replays at each opening; 0 where that cannot be read."""
    found = _read(folder / _DATABASE, "SELECT count(*) FROM embeddings_queue", "mode=ro")
    return found or 0


def _restless(file: Path) -> list[tuple[int, int]]:
    """Byte ranges that Chroma changes whenever it opens its database: the counter, and a table that it locks by."""
    with file.open("rb") as opened:
        head = opened.read(_HEADER)
        if len(head) < _HEADER:
            return []
        page = int.from_bytes(head[16:18], "big")
        size = 65_536 if page == 1 else page
        # A torn database has another checksum than a sound one, whatever is left out of it.
        root = _read(file, "SELECT rootpage FROM sqlite_master WHERE name = 'acquire_write'", "mode=ro&immutable=1")
        pages = [] if root is None else _tree(opened, size, root, _DEEPEST)
    return [*_CHANGES, *((size * (n - 1), size * n) for n in pages)]


def _read(file: Path, sql: str, how: str) -> int | None:
    """A number from Chroma's database; ``None`` where it cannot be read."""
    try:
        with contextlib.closing(sqlite3.connect(f"{file.resolve().as_uri()}?{how}", uri=True)) as db:
            found = db.execute(sql).fetchone()
    except sqlite3.Error:
        return None
    return found[0] if found and isinstance(found[0], int) else None


def _tree(opened: Any, size: int, number: int, deepest: int) -> list[int]:
    """Page numbers of a table, from its root."""
    opened.seek(size * (number - 1))
    page = opened.read(size)
    at = _HEADER if number == 1 else 0
    if not deepest or len(page) < size or page[at] != _INTERIOR:
        return [number] if page[at : at + 1] == bytes([_LEAF]) else []
    cells = int.from_bytes(page[at + 3 : at + 5], "big")
    places = struct.unpack_from(f">{min(cells, (size - at - 12) // 2)}H", page, at + 12)
    children = [int.from_bytes(page[p : p + 4], "big") for p in places if p + 4 <= size]
    children.append(int.from_bytes(page[at + 8 : at + 12], "big"))
    return [number, *(leaf for child in children if child for leaf in _tree(opened, size, child, deepest - 1))]
