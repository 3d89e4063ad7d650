"""Looks into the vector view from a child process, which a torn file may crash without harm.

    python -m kure_rag.index.probe INDEX_FOLDER VIEW_FOLDER

prints one JSON object: ids that are missing, ids that are too many, and vectors that do not find themselves.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kure_rag.index.catalog import Catalog
from kure_rag.index.dense import DenseView

_SAMPLE: Final = 50
_NEAREST: Final = 10
_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Probe:
    """What a child process found.

    Attributes:
        problems: Empty for a sound view. What it has still to do is none.
    """

    problems: tuple[str, ...]


def probe(folder: Path, view: Path) -> Probe:
    """Opens a vector view of an index in a child process and compares it with the catalog.

    Args:
        folder: The index folder.
        view: The view's folder.
    """
    command = [sys.executable, "-m", "kure_rag.index.probe", str(folder), str(view)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603 - our own module
    except subprocess.TimeoutExpired:
        return Probe((f"dense: did not answer within {_SECONDS} s",))
    if done.returncode != 0:
        told = done.stderr.decode("utf-8", "replace").strip().splitlines()
        how = f"signal {-done.returncode}" if done.returncode < 0 else (told[-1] if told else "no message")
        return Probe((f"dense: opening it failed in a child process ({how})",))
    answer: dict[str, Any] = json.loads(done.stdout)
    return Probe(tuple(answer["problems"]))


def _inspect(folder: Path, view: Path) -> dict[str, list[str]]:
    catalog = Catalog(folder, create=False)
    dense = DenseView(view)
    rows = catalog.all_rows()
    # What the view has still to do is no fault of it.
    owed = catalog.pending("dense", 2**31)
    here, there = {id_ for _, id_ in rows}, set(dense.ids())
    problems = []
    if missing := len(here - there - {p.chunk_id for p in owed if p.op == "add"}):
        problems.append(f"dense: {missing} chunks are missing")
    if extra := len(there - here - {p.chunk_id for p in owed if p.op == "delete"}):
        problems.append(f"dense: {extra} chunks are too many")
    held = [(row, id_) for row, id_ in rows if id_ in there]
    sample = dict(held[:: max(1, len(held) // _SAMPLE)])
    found, vectors = catalog.vectors(list(sample))
    lost = 0
    for row, vector in zip(found, vectors, strict=True):
        nearest = dense.search(vector, _NEAREST)
        if sample[row] not in nearest:
            # Chunks of the same words have the same vector, and more of them may exist than we asked for.
            rows_near = list(catalog.rows_of(nearest).values())
            _, near = catalog.vectors(rows_near)
            lost += not any((other == vector).all() for other in near)
    if lost:
        problems.append(f"dense: {lost} of {len(sample)} sampled vectors do not find themselves")
    return {"problems": problems}


if __name__ == "__main__":
    print(json.dumps(_inspect(Path(sys.argv[1]), Path(sys.argv[2]))))  # noqa: T201 - the parent reads it
