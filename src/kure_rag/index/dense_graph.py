"""Whether the files of Chroma's graph make sense together. Chroma trusts them, and a link out of bounds is a crash.

The layout is that of hnswlib as Chroma uses it (``saveIndex`` in https://github.com/chroma-core/hnswlib): a header;
for each element its links at the lowest level, its vector (of length 1) and its label; the lengths the vectors came
with; and for each element the bytes of its links above the lowest level, and those links.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt

_HEADER: Final = struct.Struct("<i6QiI3QdQ")  # 100 bytes
_VERSION: Final = 1
_BLOCK: Final = 20_000  # elements looked at together
_LEAST_LEVEL: Final = 1e-9
_ROUNDING: Final = 1e-2  # of the length of a vector, which is 1 in the graph


@dataclass(frozen=True, slots=True)
class _Header:
    version: int
    start: int
    capacity: int
    count: int
    size: int  # bytes of an element
    label_at: int
    vector_at: int
    top: int  # the highest level
    entry: int  # the element that every search starts from
    most_above: int  # links of an element at a level above the lowest
    most: int  # links at the lowest level
    links: int
    scale: float
    candidates: int

    @classmethod
    def read(cls, file: Path) -> Self | None:
        data = file.read_bytes()
        return cls(*_HEADER.unpack(data)) if len(data) == _HEADER.size else None

    @property
    def is_sane(self) -> bool:
        """Whether an element has room for its links, a vector and a label."""
        return (
            self.start == 0
            and self.count <= self.capacity
            and 0 < self.most_above <= self.most <= 10_000
            and self.vector_at == 4 * self.most + 4
            and self.label_at > self.vector_at
            and (self.label_at - self.vector_at) % 4 == 0
            and self.top < 64
            and self.size == self.label_at + 8
            and self.entry < self.count
            and self.scale > _LEAST_LEVEL
        )


def graph_problems(folder: Path) -> list[str]:
    """What does not fit together in the graphs of a Chroma folder; empty for sound ones and for an unknown layout.

    Reads whole files in blocks: half a second for 100,000 vectors of 1,024.
    """
    return [
        f"dense: the graph's files do not fit together ({problem})"
        for header in sorted(folder.glob("*/header.bin"))
        if (problem := _problem(header.parent)) is not None
    ]


def _problem(folder: Path) -> str | None:
    header = _Header.read(folder / "header.bin")
    if header is None:
        return "header.bin has another size"
    if header.version != _VERSION:
        return "header.bin is of an unknown version"
    if header.count == 0:
        return "there are ids and no vectors" if (folder / "index_metadata.pickle").exists() else None
    if not header.is_sane:
        return "header.bin makes no sense"
    for name in ("index_metadata.pickle", "data_level0.bin", "length.bin", "link_lists.bin"):
        if not (folder / name).is_file():
            return f"{name} is missing"
    return _above(folder, header) or _lowest(folder, header)


def _above(folder: Path, header: _Header) -> str | None:
    data = (folder / "link_lists.bin").read_bytes()
    size, at, tops, parts = 4 * header.most_above + 4, 0, np.zeros(header.count, np.int64), []
    for i in range(header.count):
        taken = int.from_bytes(data[at : at + 4], "little")
        at += 4
        if taken % size or at + taken > len(data) or at > len(data) or taken // size > header.top:
            return "link_lists.bin does not fit header.bin"
        if taken:
            parts.append(data[at : at + taken])
            tops[i] = taken // size
            at += taken
    if at != len(data) or tops[header.entry] != header.top:
        return "link_lists.bin does not fit header.bin"
    blocks = np.frombuffer(b"".join(parts), "<u4").reshape(-1, size // 4)
    counts = blocks[:, 0] & 0xFFFF
    if (counts > header.most_above).any():
        return "link_lists.bin has too many links"
    used = np.arange(header.most_above) < counts[:, None]
    targets = np.where(used, blocks[:, 1:], header.entry)
    if (targets >= header.count).any():
        return "link_lists.bin leads out of bounds"
    # An element may only be linked at levels that it has.
    levels = np.concatenate([np.zeros(0, np.int64), *(np.arange(1, top + 1) for top in tops[tops > 0])])
    if (tops[targets] < np.where(used, levels[:, None], 0)).any():
        return "link_lists.bin leads to a level that is not there"
    return None


def _lowest(folder: Path, header: _Header) -> str | None:
    file = folder / "data_level0.bin"
    if file.stat().st_size < header.count * header.size:
        return "data_level0.bin is too short"
    lengths = np.fromfile(folder / "length.bin", "<f4")
    if lengths.size < header.count:
        return "length.bin is too short"
    elements = np.memmap(file, np.uint8, "r", shape=(header.count, header.size))
    labels: list[npt.NDArray[np.uint64]] = []
    for i in range(0, header.count, _BLOCK):
        part = elements[i : i + _BLOCK]
        counts = np.ascontiguousarray(part[:, :2]).view("<u2")[:, 0]
        if (counts > header.most).any():
            return "data_level0.bin has too many links"
        targets = np.ascontiguousarray(part[:, 4 : header.vector_at]).view("<u4")
        if (targets[np.arange(header.most) < counts[:, None]] >= header.count).any():
            return "data_level0.bin leads out of bounds"
        vectors = np.ascontiguousarray(part[:, header.vector_at : header.label_at]).view("<f4")
        known = lengths[i : i + len(part)]
        with np.errstate(all="ignore"):
            size = np.linalg.norm(vectors, axis=1)
            if not (np.isfinite(known) & (known >= 0) & ((known == 0) | (np.abs(size - 1) <= _ROUNDING))).all():
                return "length.bin and data_level0.bin differ"
        labels.append(np.ascontiguousarray(part[:, header.label_at :]).view("<u8")[:, 0])
    if len(np.unique(np.concatenate(labels))) != header.count:
        return "data_level0.bin has a label twice"
    return None
