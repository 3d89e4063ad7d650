"""Looks into the vector view from a child process, which a torn file may crash without harm.

    python -m kure_rag.index.probe

reads what to look at as JSON from its input and prints one JSON object with what it found.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from kure_rag.errors import KureError
from kure_rag.index.catalog import Catalog
from kure_rag.index.dense import DenseSettings, DenseView
from kure_rag.index.dense_graph import graph_problems
from kure_rag.index.dense_seal import LOCK
from kure_rag.index.filling import gone

_SAMPLE: Final = 200  # vectors asked for themselves
_AGAINST: Final = 2_000  # vectors that the answers are compared with
_NEAREST: Final = 20
_LOST: Final = 0.02  # of the sample; a sound graph of 100,000 loses hardly any, a torn one most
_RECALL: Final = 0.7  # least share of the near ones that is found; a sound graph finds more than .9
_SECONDS: Final = 60.0  # for any view, and for each vector besides: a log to replay is about 2,000 vectors a second
_SECONDS_EACH: Final = 0.01
_SAME: Final = 0.999  # cosine of a vector with itself, as Chroma keeps it


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found.

    Attributes:
        problems: Empty for a sound view. What it has still to do is none.
        sampled: How many vectors were asked for themselves.
        recall: Share of the nearest neighbours in a random part of the index that the view found; 1.0 if none were due.
    """

    problems: tuple[str, ...]
    sampled: int = 0
    recall: float = 1.0


def probe(
    folder: Path, view: Path, settings: DenseSettings | None = None, *, writing: bool = False, sealed: bool = False
) -> Probe:
    """Looks into a vector view of an index in a child process, or at a server's collection from here.

    Args:
        folder: The index folder.
        view: The view's folder.
        settings: Of the view.
        writing: Another process is writing: what is missing is no fault then, only crashing or failing is.
        sealed: The files are known to be as they were left. A graph that finds little is not torn then: of passages
            that are all alike but for a number it reaches few, however it is built.

    Returns:
        What was found; a child that dies or does not answer in time is a problem, never an error.
    """
    settings = settings or DenseSettings()
    if settings.url:
        return _inspect(folder, view, settings, writing=writing, sealed=sealed)
    if not writing and (torn := graph_problems(view)):
        return Probe(tuple(torn))  # no need to try
    order = {"folder": str(folder), "view": str(view), "settings": settings.to_dict()}
    return _from_child(json.dumps({**order, "writing": writing, "sealed": sealed}), _time_limit(folder))


def _time_limit(folder: Path) -> float:
    catalog = Catalog(folder, create=False)
    try:
        return _SECONDS + _SECONDS_EACH * catalog.counts()[1]
    finally:
        catalog.close()


def _from_child(order: str, seconds: float) -> Probe:
    command = [sys.executable, "-m", "kure_rag.index.probe"]
    root = str(Path(__file__).resolve().parents[2])  # the child finds the same package, installed or not
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=env)  # noqa: S603 - our own module
    try:
        out, said = child.communicate(order.encode(), timeout=seconds)
    except subprocess.TimeoutExpired:
        return Probe((f"dense: did not answer within {seconds:.0f} s",))
    finally:  # also on Ctrl-C: nothing of the child is left
        if child.poll() is None:
            child.kill()
            child.communicate()
    if child.returncode != 0:
        told = said.decode("utf-8", "replace").strip().splitlines()
        how = f"signal {-child.returncode}" if child.returncode < 0 else (told[-1] if told else "no message")
        return Probe((f"dense: opening it failed in a child process ({how})",))
    answer: Mapping[str, Any] = json.loads(out.decode().strip().splitlines()[-1])
    return Probe(tuple(answer["problems"]), answer["sampled"], answer["recall"])


def _inspect(folder: Path, view: Path, settings: DenseSettings, *, writing: bool, sealed: bool) -> Probe:
    if writing and not settings.url and (torn := _torn_while_written(view)):
        return Probe(tuple(torn))
    catalog = Catalog(folder, create=False)
    try:
        dense = DenseView(view, settings)
        try:
            return _only_answers(catalog, dense) if writing else _compare(catalog, dense, sealed=sealed)
        finally:
            dense.close()
    except KureError as error:
        return Probe((f"dense: {error}",))
    finally:
        catalog.close()


def _torn_while_written(view: Path) -> list[str]:
    """A file that is being written may end under our hands, so this waits, and is done in the child only."""
    if not view.is_dir():
        return []
    with FileLock(view / LOCK):
        return graph_problems(view)


def _only_answers(catalog: Catalog, dense: DenseView) -> Probe:
    rows = _spread(catalog.all_rows(), _SAMPLE)
    found, vectors = catalog.vectors([row for row, _ in rows])
    if found:
        dense.search_many(vectors, _NEAREST)
    return Probe((), len(found))


def _compare(catalog: Catalog, dense: DenseView, *, sealed: bool) -> Probe:
    rows = catalog.all_rows()
    # What the view has still to do is no fault of it, nor what is deleted and still there for older generations.
    owed = {operation.chunk_id for operation in catalog.pending("dense", 2**31)}
    leaving = set(gone(catalog).values())
    listed = dense.ids()
    here, there = {id_ for _, id_ in rows}, set(listed)
    problems = []
    if missing := len(here - there - owed):
        problems.append(f"dense: {missing} chunks are missing")
    if extra := len(there - here - owed - leaving):
        problems.append(f"dense: {extra} chunks are too many")
    if twice := len(listed) - len(there):
        problems.append(f"dense: {twice} chunks are there twice")
    held = [(row, id_) for row, id_ in rows if id_ in there]
    told, sampled, recall = _ask(catalog, dense, held, sealed=sealed)
    return Probe((*problems, *told), sampled, recall)


def _ask(
    catalog: Catalog, dense: DenseView, held: Sequence[tuple[int, str]], *, sealed: bool
) -> tuple[list[str], int, float]:
    """Asks sampled vectors for themselves, and compares what is found with what lies near in a random part."""
    if not held:
        return [], 0, 1.0
    chosen = dict(_spread(held, _SAMPLE))
    rows, vectors = catalog.vectors(list(chosen))
    queries = _unit(vectors)
    answers = [set(ids) for ids in dense.search_many(vectors, _NEAREST)]
    others = dict(_spread(held, _AGAINST))
    scores_of, lost, due, got = _Scores(catalog, others), 0, 0, 0
    for row, query, answer in zip(rows, queries, answers, strict=True):
        found = scores_of.of(answer, query)
        own = float(query @ query)
        # Chunks of the same words have the same vector, and more of them may exist than we asked for.
        lost += chosen[row] not in answer and not any(score >= own - 1e-5 for score in found)
        worst = min(found, default=-1.0) if len(answer) >= min(_NEAREST, len(held)) else -2.0
        near = {scores_of.ids[i] for i in np.flatnonzero(scores_of.matrix @ query > worst + 1e-5)}
        due, got = due + len(near), got + len(near & answer)
    recall = got / due if due else 1.0
    problems = []
    if not sealed and lost > max(_LOST * len(rows), 0 if len(held) <= _AGAINST else 1):
        problems.append(f"dense: {lost} of {len(rows)} sampled vectors do not find themselves")
    if not sealed and recall < _RECALL:
        problems.append(f"dense: only {recall:.2f} of the nearest neighbours of {len(rows)} sampled vectors are found")
    if altered := _altered(dense, [chosen[row] for row in rows], queries):
        problems.append(f"dense: {altered} of {len(rows)} sampled vectors are not those of the catalog")
    return problems, len(rows), round(recall, 4)


class _Scores:
    """Exact cosines with a random part of the index."""

    def __init__(self, catalog: Catalog, others: Mapping[int, str]) -> None:
        rows, vectors = catalog.vectors(list(others))
        self._catalog = catalog
        self.ids = [others[row] for row in rows]
        self.matrix = _unit(vectors)

    def of(self, ids: set[str], query: npt.NDArray[np.float32]) -> list[float]:
        """Cosines of some chunks; unknown ids are left out."""
        _, vectors = self._catalog.vectors(list(self._catalog.rows_of(sorted(ids)).values()))
        return [float(score) for score in _unit(vectors) @ query] if len(vectors) else []


def _altered(dense: DenseView, ids: Sequence[str], units: npt.NDArray[np.float32]) -> int:
    stored = dense.vectors(ids)
    pairs = [(_unit(stored[id_][None, :])[0], unit) for id_, unit in zip(ids, units, strict=True) if id_ in stored]
    return sum(not (a @ b >= _SAME or not b.any()) for a, b in pairs)


def _unit(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    with np.errstate(invalid="ignore", over="ignore"):
        lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
        units: npt.NDArray[np.float32] = (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    return units


def _spread(pairs: Sequence[tuple[int, str]], most: int) -> Sequence[tuple[int, str]]:
    """At most so many, drawn at random but the same each time, with the last ones, which a crash hits first."""
    if len(pairs) <= most:
        return pairs
    drawn = np.random.default_rng(len(pairs)).choice(len(pairs) - most // 4, most - most // 4, replace=False)
    return [*(pairs[i] for i in sorted(drawn)), *pairs[-(most // 4) :]]


def _main() -> None:
    _no_core_dump()
    order = json.loads(sys.stdin.read())
    settings = DenseSettings(**order["settings"])
    how = {"writing": order["writing"], "sealed": order["sealed"]}
    found = _inspect(Path(order["folder"]), Path(order["view"]), settings, **how)
    print(json.dumps(asdict(found)), flush=True)  # noqa: T201 - the parent reads it
    os._exit(0)  # everything is closed; tearing the interpreter down takes longer than that


def _no_core_dump() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _main()
