"""Whether the files of a keyword view are as the engine wrote them, which it does not ask itself when it opens them.

A torn file can end a search with a panic or, worse, answer wrongly. The engine never changes a file of a segment once
it is written, and ends it with a checksum; by that a file is known to be whole whoever wrote it. ``meta.json``, which
says what segments there are, has none: what the catalog remembers of it, the seal, tells whether it is as it was left.
The seal also spares checksums of files whose size and time of change it knows.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

META: Final = "meta.json"
_MAGIC: Final = 1337  # the last four bytes of a file; before them the length of a JSON object, and that
_LONGEST: Final = 4_096  # bytes of that object
_BLOCK: Final = 1 << 20
Seal = dict[str, Any]


def seal_of(folder: Path, before: Mapping[str, Any] | None = None) -> Seal:
    """What the files of a view are, for the catalog: its folder's name, and of each file size, checksum and time.

    Args:
        folder: The view's folder, which nobody is writing to.
        before: An older seal; checksums of files that have its size and time are taken from it.
    """
    known = _files_in(before, folder)
    return {"folder": folder.name, "files": {file.name: _entry(file, known.get(file.name)) for file in _living(folder)}}


def problems(
    folder: Path, sealed: Mapping[str, Any] | None, *, owed: bool = False, thorough: bool = False
) -> list[str]:
    """What is wrong with the files of a view, a clause for each; none for a sound view or a folder without one.

    Args:
        folder: The view's folder.
        sealed: What :func:`seal_of` said when it was last left, if that is known.
        owed: Whether the catalog still waits for the view to change: then it may be further than its seal.
        thorough: Compute all checksums, also of files whose size and time are known.
    """
    known = _files_in(sealed, folder)
    meta = folder / META
    if not meta.is_file():
        return [f"{META} is gone"] if known else []
    if known and not owed and not _is_as(meta, known.get(META), thorough=thorough):
        return [f"{META} is not as it was left"]
    try:
        living = list(_living(folder))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"{META} cannot be read ({type(error).__name__})"]
    found = [f"{file.name} is torn" for file in living if not _is_sound(file, known.get(file.name), thorough=thorough)]
    if not owed:
        found += [f"{name} is gone" for name in sorted(set(known) - {file.name for file in living})]
    return found


def _files_in(sealed: Mapping[str, Any] | None, folder: Path) -> Mapping[str, Any]:
    files = (sealed or {}).get("files") if (sealed or {}).get("folder") == folder.name else None
    return files if isinstance(files, dict) else {}


def _living(folder: Path) -> Iterator[Path]:
    """``meta.json`` and the files of the segments that it names; the engine leaves older ones about for a while."""
    told = json.loads((folder / META).read_bytes())
    of_segment = {str(segment["segment_id"]).replace("-", ""): segment.get("deletes") for segment in told["segments"]}
    yield folder / META
    for file in sorted(folder.iterdir()):
        segment, *rest = file.name.split(".")
        if segment in of_segment and file.is_file():
            deletes = of_segment[segment]
            if rest[-1:] != ["del"] or (deletes and rest == [str(deletes["opstamp"]), "del"]):
                yield file


def _entry(file: Path, before: Any) -> list[int]:
    stat = file.stat()
    if isinstance(before, list) and before[:1] + before[2:] == [stat.st_size, stat.st_mtime_ns]:
        return before
    return [stat.st_size, _checksum(file, stat.st_size), stat.st_mtime_ns]


def _is_as(file: Path, entry: Any, *, thorough: bool) -> bool:
    return isinstance(entry, list) and _entry(file, None if thorough else entry)[:2] == entry[:2]


def _is_sound(file: Path, entry: Any, *, thorough: bool) -> bool:
    try:
        if entry is not None and file.name != META:
            return _is_as(file, entry, thorough=thorough)
        return file.name == META or _has_its_checksum(file)
    except FileNotFoundError:  # another process merges segments at this moment
        return True


def _has_its_checksum(file: Path) -> bool:
    """Whether a file of a segment is what its own last bytes say."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        opened.seek(max(0, size - 8))
        length, magic = (int.from_bytes(opened.read(4), "little") for _ in range(2))
        body = size - 8 - length
        if magic != _MAGIC or length > _LONGEST or body < 0:
            return False
        opened.seek(body)
        try:
            told = json.loads(opened.read(length))
            wanted = told["crc"]
        except (ValueError, KeyError, TypeError):
            return False
    return bool(_checksum(file, body) == wanted)


def _checksum(file: Path, length: int) -> int:
    """CRC-32 of a file's first bytes."""
    sum_ = 0
    with file.open("rb") as opened:
        while length and (block := opened.read(min(_BLOCK, length))):
            sum_ = zlib.crc32(block, sum_)
            length -= len(block)
    return sum_
