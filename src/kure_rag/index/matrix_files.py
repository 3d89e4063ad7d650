"""How the matrix lies on disk: files that only grow, and one manifest that says how much of them counts.

    manifest.json        which files are in use, how many records each holds, a CRC32 for each block of records
    seal.json            sizes and times of the files when they were last known to be whole
    vectors-0.bin        float32, as they were given; memory-mapped
    rows-0.bin           row number and length of each vector
    gone-0.bin           positions of vectors that were deleted
    centre-0-20000.bin   mean of the vectors (20,000 of them) around which codes are made
    codes-0-20000.bin    one bit a number, see :mod:`kure_rag.index.codes`

A commit appends, flushes to disk, and then puts a new manifest in the old one's place. What a crash leaves behind the
last record that the manifest counts is overwritten by the next commit. All numbers are little-endian.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from kure_rag.errors import IndexCorruptError, IndexPathError

VERSION: Final = 1
HEADER: Final = 64  # bytes before the first record
_MAGIC: Final = b"KUREMTX\n"
_MANIFEST: Final = "manifest.json"
_SEAL: Final = "seal.json"
_BLOCK: Final = 4 << 20  # bytes under one CRC
Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One file that only grows.

    Attributes:
        name: File name.
        kind: ``vectors``, ``rows``, ``gone``, ``centre`` or ``codes``.
        dimension: Of the vectors.
        record: Bytes in a record.
        count: Records that count.
        crcs: CRC32 of each block of records; the last one grows with its block.
    """

    name: str
    kind: str
    dimension: int
    record: int
    count: int = 0
    crcs: tuple[int, ...] = ()

    @property
    def block(self) -> int:
        """Records under one CRC."""
        return max(1, _BLOCK // self.record)

    @property
    def size(self) -> int:
        """Bytes that the file holds at the least."""
        return HEADER + self.count * self.record

    def header(self) -> bytes:
        """What the file begins with."""
        text = struct.pack("<8sII16sI", _MAGIC, VERSION, self.dimension, self.kind.encode("ascii"), self.record)
        return text.ljust(HEADER, b"\0")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What of a folder counts.

    Attributes:
        dimension: Of the vectors; 0 before the first.
        number: Raised each time that all is written anew.
        trained: Vectors there were when the codes' centre was computed; 0 without codes.
        parts: The files by kind.
    """

    dimension: int = 0
    number: int = 0
    trained: int = 0
    parts: Mapping[str, Part] = field(default_factory=dict)

    def count(self, kind: str) -> int:
        """Records of a kind."""
        part = self.parts.get(kind)
        return part.count if part else 0


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder; ``None`` for a folder that holds nothing of a matrix.

    Raises:
        IndexCorruptError: There are files without a manifest, or it is torn.
    """
    file = folder / _MANIFEST
    try:
        said, _, text = file.read_bytes().partition(b"\n")
    except FileNotFoundError:
        if any(folder.glob("vectors-*.bin")):
            raise _torn(file, "is lost") from None
        return None
    except OSError as error:
        raise IndexPathError(f"{file}: cannot be read ({error.strerror or error})") from error
    try:
        if int(said, 16) != zlib.crc32(text):
            raise _torn(file, "is not as it was written")
        told = json.loads(text)
        if told["version"] != VERSION:
            raise _torn(file, f"has version {told['version']}, not {VERSION}")
        parts = {kind: Part(**{**part, "crcs": tuple(part["crcs"])}) for kind, part in told["parts"].items()}
        return Manifest(told["dimension"], told["number"], told["trained"], parts)
    except (ValueError, KeyError, TypeError) as error:
        raise _torn(file, "is not as it was written") from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Puts a manifest in the old one's place, durably."""
    text = json.dumps({"version": VERSION, **asdict(manifest)}, sort_keys=True).encode("ascii")
    _replace(folder / _MANIFEST, b"%08x\n%s" % (zlib.crc32(text), text), durable=True)


def _replace(file: Path, data: bytes, *, durable: bool) -> None:
    fresh = file.with_name(file.name + ".new")
    with fresh.open("wb") as out:
        out.write(data)
        if durable:
            _flush(out)
    fresh.replace(file)
    if durable:
        flush_folder(file.parent)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Makes new names in a folder durable, where the system can do that."""
    with contextlib.suppress(OSError):  # Windows opens no folders, and needs no such thing
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def append(folder: Path, part: Part, records: Array) -> Part:
    """Writes records behind those that count, durably. They count when a manifest with the new part is written.

    Args:
        folder: Where the part's file lies; made with its header when there is none.
        part: As it is.
        records: Contiguous; its bytes are whole records.

    Returns:
        The part as it is now.
    """
    data = memoryview(np.ascontiguousarray(records).reshape(-1).view(np.uint8).data)
    count = len(data) // part.record
    file = folder / part.name
    with file.open("r+b" if file.exists() else "w+b") as out:
        out.write(part.header())
        out.seek(part.size)
        out.write(data)
        _flush(out)
    return replace(part, count=part.count + count, crcs=_extended(part, data, count))


def _extended(part: Part, data: memoryview, count: int) -> tuple[int, ...]:
    crcs = list(part.crcs)
    done = 0
    while done < count:
        inside = (part.count + done) % part.block
        take = min(count - done, part.block - inside)
        piece = data[done * part.record : (done + take) * part.record]
        if inside:
            crcs[-1] = zlib.crc32(piece, crcs[-1])
        else:
            crcs.append(zlib.crc32(piece))
        done += take
    return tuple(crcs)


def mapped(folder: Path, part: Part, dtype: npt.DTypeLike, width: int | None = None) -> Array:
    """A part's records, mapped into memory for reading: shape (count,), or (count, width).

    Raises:
        IndexCorruptError: The file is not there, or not whole.
    """
    shape = (part.count,) if width is None else (part.count, width)
    if not part.count:
        return np.zeros(shape, dtype=dtype)
    try:
        return np.asarray(np.memmap(folder / part.name, dtype=dtype, mode="r", offset=HEADER, shape=shape))
    except (OSError, ValueError) as error:
        raise _torn(folder / part.name, f"cannot be mapped ({error})") from error


def look(folder: Path, manifest: Manifest, since: Mapping[str, int]) -> None:
    """Looks at headers and sizes; looks at the contents too when the files are not as they were left.

    Args:
        folder: Where the files lie.
        manifest: What counts of them.
        since: By file name, records that need not be looked at again.

    Raises:
        IndexCorruptError: Something is not as it was written.
    """
    for part in manifest.parts.values():
        if problem := _outside(folder, part):
            raise _torn(folder / part.name, problem)
    if _sealed(folder) != seal_of(folder, manifest):
        for problem in problems(folder, manifest, since):
            raise IndexCorruptError(f"{problem}; make the view anew with `kure-rag rebuild matrix`")
        write_seal(folder, manifest)


def _outside(folder: Path, part: Part) -> str | None:
    if not part.count:
        return None  # not made before its first record
    try:
        with (folder / part.name).open("rb") as file:
            head = file.read(HEADER)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return "is lost"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    if head != part.header():
        return "has no header of this matrix"
    return None if size >= part.size else f"breaks off after {size} of {part.size} bytes"


def problems(folder: Path, manifest: Manifest, since: Mapping[str, int] | None = None) -> list[str]:
    """Compares every block of every file with its CRC.

    Args:
        folder: Where the files lie.
        manifest: What counts of them.
        since: By file name, records that need not be looked at again.
    """
    found = []
    for part in manifest.parts.values():
        if problem := _outside(folder, part):
            found.append(f"{folder / part.name}: {problem}")
        if problem or not part.count:
            continue
        first = (since or {}).get(part.name, 0) // part.block
        with (folder / part.name).open("rb") as file:
            file.seek(HEADER + first * part.block * part.record)
            for i, crc in enumerate(part.crcs[first:], first):
                records = min(part.block, part.count - i * part.block)
                if zlib.crc32(file.read(records * part.record)) != crc:
                    where = f"records {i * part.block} to {i * part.block + records - 1}"
                    found.append(f"{folder / part.name}: {where} are not as they were written")
    return found


def seal_of(folder: Path, manifest: Manifest) -> dict[str, list[int]]:
    """Sizes and times of the files in use."""
    found = {}
    for part in manifest.parts.values():
        with contextlib.suppress(OSError):
            told = (folder / part.name).stat()
            found[part.name] = [told.st_size, told.st_mtime_ns]
    return found


def _sealed(folder: Path) -> object:
    try:
        return json.loads((folder / _SEAL).read_bytes())
    except (OSError, ValueError):
        return None


def write_seal(folder: Path, manifest: Manifest) -> None:
    """Says that the files are whole as they are now. Where that cannot be written, the next opening looks again."""
    with contextlib.suppress(OSError):
        _replace(folder / _SEAL, json.dumps(seal_of(folder, manifest)).encode("ascii"), durable=False)


def sweep(folder: Path, manifest: Manifest) -> None:
    """Removes files that a crash or a compaction left behind. Only for the one who may write."""
    used = {part.name for part in manifest.parts.values()} | {_MANIFEST, _SEAL}
    for file in folder.iterdir():
        if file.name not in used and file.suffix in {".bin", ".new"}:
            with contextlib.suppress(OSError):  # Windows keeps what somebody has mapped
                file.unlink()


def _torn(file: Path, what: str) -> IndexCorruptError:
    return IndexCorruptError(f"{file}: {what}; make the view anew with `kure-rag rebuild matrix`")
