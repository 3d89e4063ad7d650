"""Sets of row numbers as the inverted table keeps them: 7,168 rows a block, as 16-bit offsets or as a bitmap."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from kure_rag.errors import IndexCorruptError

BLOCK: Final = 7168
"""Rows in a block. With a bitmap of 896 bytes a row of the table stays below the 1,002 that SQLite keeps in a page."""

_BITMAP: Final = BLOCK // 8
_MOST: Final = _BITMAP // 2 - 1  # offsets in a list: one byte short of a bitmap, so that the length tells which it is

Mask = npt.NDArray[np.bool_]
Value = str | int | float | bytes


def encode(offsets: Sequence[int]) -> bytes:
    """Offsets within a block, ascending and each once."""
    if len(offsets) <= _MOST:
        return struct.pack(f"<{len(offsets)}H", *offsets)
    whole = np.zeros(BLOCK, dtype=np.bool_)
    whole[offsets] = True
    return _packed(whole)


def merge(old: bytes, new: bytes) -> bytes:
    """The offsets of both."""
    # Rows are numbered upwards: new ones nearly always follow.
    if len(old) + len(new) < _BITMAP and old[-2:][::-1] < new[:2][::-1]:
        return old + new
    both = _mask_of(old) | _mask_of(new)
    return _packed(both) if np.count_nonzero(both) > _MOST else encode(np.flatnonzero(both).tolist())


def checksum(block: int, name: int, value: Value, rows: bytes) -> int:
    """CRC-32 of a row of the table: of the rows it holds, and of what they are said to have."""
    start = block * 65_599 + name
    if isinstance(value, int):  # moments mostly, which a filter may read by the ten thousand
        return zlib.crc32(rows, (start ^ value ^ value >> 32) & 0xFFFFFFFF)
    if isinstance(value, float):
        said = repr(value + 0.0).encode()  # SQLite keeps no -0.0
    else:
        said = value.encode() if isinstance(value, str) else value
    return zlib.crc32(rows, zlib.crc32(said, start & 0xFFFFFFFF))


def sound(block: int, name: int, value: Value, crc: int, rows: bytes) -> bytes:
    """The rows, if they have their checksum.

    Raises:
        IndexCorruptError: They do not.
    """
    if not isinstance(rows, bytes) or checksum(block, name, value, rows) != crc:
        raise IndexCorruptError(
            f"the table of filters is damaged (block {block}, field {name}); restore the index from a backup or "
            "ingest anew"
        )
    return rows


def decode(blob: bytes) -> npt.NDArray[np.int64]:
    """The offsets, ascending."""
    if len(blob) == _BITMAP:
        return np.flatnonzero(_bits(blob))
    return np.frombuffer(blob, dtype="<u2").astype(np.int64)


def mark(mask: Mask, found: Iterable[tuple[int, bytes]]) -> Mask:
    """Sets the rows of the blocks in a mask over rows from 0. What lies beyond the mask's end is left out."""
    lists, blocks = [], []
    for block, blob in found:
        if len(blob) == _BITMAP:
            place = mask[block * BLOCK : (block + 1) * BLOCK]
            if place.size:
                np.logical_or(place, _bits(blob), out=place)
        else:
            lists.append(blob)
            blocks.append(block)
    if lists:
        lengths = [len(blob) // 2 for blob in lists]
        rows = np.frombuffer(b"".join(lists), dtype="<u2") + np.repeat(
            np.array(blocks, dtype=np.int64) * BLOCK, lengths
        )
        mask[rows if not rows.size or rows.max() < mask.size else rows[rows < mask.size]] = True
    return mask


def _mask_of(blob: bytes) -> Mask:
    if len(blob) == _BITMAP:
        return _bits(blob)
    mask = np.zeros(BLOCK, dtype=np.bool_)
    mask[np.frombuffer(blob, dtype="<u2")] = True
    return mask


def _packed(mask: Mask) -> bytes:
    return np.packbits(mask, bitorder="little").tobytes()


def _bits(blob: bytes) -> Mask:
    return np.unpackbits(np.frombuffer(blob, dtype=np.uint8), bitorder="little").view(np.bool_)
