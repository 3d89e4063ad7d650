"""Chroma and our own matrix over the same vectors: building, searching, filtered searching, adding.

    python benchmarks/dense_speed.py [--rows 100000] [--dim 1024] [--queries 200] [--data FOLDER] [--random]

Vectors are a mixture (a thousand topics with noise, questions near passages), with ``--random`` without any neighbours,
the worst case, or with ``--data`` those of ``static-ko`` over the text files of a folder, cut into pieces. Recall is
against exact cosines computed here by numpy in double precision. Everything is measured in one run: look at the ratios.
"""

from __future__ import annotations

import argparse
import gzip
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kure_rag.index.dense import DenseView
from kure_rag.index.matrix import MatrixView

K = 10
PIECE = 250  # letters


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=1_024)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--random", action="store_true", help="vectors without neighbours")
    parser.add_argument("--no-chroma", action="store_true")
    options = parser.parse_args()
    vectors, queries = make(options)
    print(f"{len(vectors)} x {vectors.shape[1]}, {len(queries)} queries, recall@{K} and milliseconds a query")
    truth = exact(vectors, queries, None)
    with tempfile.TemporaryDirectory() as scratch:
        view, built = our_own(Path(scratch), vectors)
        chroma, chroma_built = (None, 0.0) if options.no_chroma else chroma_of(Path(scratch), vectors)
        if chroma is not None:
            print(f"building Chroma's index {chroma_built:.1f} s: {chroma_built / built:.0f} times ours")
        searching(view, chroma, vectors, queries, truth)
        filtering(view, chroma, vectors, queries)
        adding(view, vectors)
        print(f"memory at its highest: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
        if chroma is not None:
            chroma.close()


def make(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(1)
    if options.data:
        return embedded(options.data, options.rows, options.queries)
    if options.random:
        made = chance.standard_normal((options.rows + options.queries, options.dim), dtype=np.float32)
        return made[: options.rows], made[options.rows :]
    topics = chance.standard_normal((1_000, options.dim), dtype=np.float32)
    vectors = topics[chance.integers(0, len(topics), options.rows)]
    vectors += chance.standard_normal(vectors.shape, dtype=np.float32)
    near = vectors[chance.integers(0, options.rows, options.queries)]
    return vectors, near + chance.standard_normal(near.shape, dtype=np.float32)


def embedded(folder: Path, rows: int, queries: int) -> tuple[np.ndarray, np.ndarray]:
    from kure_rag import KureEmbeddings

    pieces: list[str] = []
    for file in sorted(folder.rglob("*")):
        if file.suffix in {".txt", ".md", ".jsonl", ".json", ".gz"} and len(pieces) < rows + queries:
            data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
            text = " ".join(data.decode("utf-8", "replace").split())
            pieces += [text[i : i + PIECE] for i in range(0, len(text) - PIECE, PIECE)]
    pieces = pieces[: rows + queries]
    made = np.asarray(KureEmbeddings("static-ko").embed_documents(pieces), dtype=np.float32)
    order = np.random.default_rng(1).permutation(len(made))
    return made[np.sort(order[queries:])], made[order[:queries]]


def exact(vectors: np.ndarray, queries: np.ndarray, rows: np.ndarray | None) -> list[set[int]]:
    """The best rows of each query by definition."""
    chosen = np.arange(len(vectors)) if rows is None else rows
    scores = np.empty((len(queries), len(chosen)))
    for i in range(0, len(chosen), 10_000):
        block = vectors[chosen[i : i + 10_000]].astype(np.float64)
        block /= np.maximum(np.linalg.norm(block, axis=1, keepdims=True), 1e-30)
        scores[:, i : i + 10_000] = queries.astype(np.float64) @ block.T
    return [set(chosen[np.argsort(-row, kind="stable")[:K]].tolist()) for row in scores]


def our_own(scratch: Path, vectors: np.ndarray) -> tuple[MatrixView, float]:
    began = time.perf_counter()
    view = MatrixView(scratch / "matrix")
    view.apply((np.arange(len(vectors)), vectors))
    built = time.perf_counter() - began
    size = sum(file.stat().st_size for file in (scratch / "matrix").iterdir())
    view.close()
    began = time.perf_counter()
    view = MatrixView(scratch / "matrix")
    opened = time.perf_counter() - began
    began = time.perf_counter()
    view.search(vectors[0], K)
    print(
        f"building our matrix {built:.2f} s, {size / 1e6:.0f} MB; opening {opened * 1e3:.1f} ms, "
        f"the first search {1e3 * (time.perf_counter() - began):.1f} ms"
    )
    return view, built


def chroma_of(scratch: Path, vectors: np.ndarray) -> tuple[DenseView, float]:
    view = DenseView(scratch / "dense")
    parts = [range(i, min(i + 5_000, len(vectors))) for i in range(0, len(vectors), 5_000)]
    began = time.perf_counter()
    for part in parts:
        view.add([str(row) for row in part], vectors[part.start : part.stop])
    view.flush()
    took = time.perf_counter() - began
    for part in parts:  # what the filters below ask for, as a user of Chroma alone would keep it; not timed
        view._collection.update(
            [str(row) for row in part],
            metadatas=[{"fifty": row % 2, "some": _mark(row, len(vectors))} for row in part],
        )
    return view, took


def _mark(row: int, count: int) -> int:
    """1 for about 50 rows spread over all, 2 (and 1) for about 1,000."""
    if row % max(1, count // 50) == 0:
        return 1
    return 2 if row % max(1, count // 1_000) == 0 else 0


def searching(
    view: MatrixView, chroma: DenseView | None, vectors: np.ndarray, queries: np.ndarray, truth: list[set[int]]
) -> None:
    print("\nall rows")
    table: list[tuple[str, Callable[[np.ndarray], Any]]] = [
        ("exact", lambda query: view.search(query, K, engine="exact")[0][0]),
        ("quantized", lambda query: view.search(query, K)[0][0]),
        ("quantized, 100", lambda query: view.search(query, 100)[0][0][:K]),
    ]
    if chroma is not None:
        table.append(("Chroma", lambda query: map(int, chroma.search(query, K))))
    for name, ask in table:
        report(name, timed(ask, queries), truth)
    began = time.perf_counter()
    view.search(queries, K, engine="exact")
    print(f"  {'exact, all queries at once':28} {1e3 * (time.perf_counter() - began) / len(queries):8.3f} a query")
    began = time.perf_counter()
    view.search(queries, K)
    print(f"  {'quantized, all at once':28} {1e3 * (time.perf_counter() - began) / len(queries):8.3f} a query")


def filtering(view: MatrixView, chroma: DenseView | None, vectors: np.ndarray, queries: np.ndarray) -> None:
    marks = np.array([_mark(row, len(vectors)) for row in range(len(vectors))])
    filters = (
        (np.flatnonzero(marks == 1), {"some": 1}, 50),
        (np.flatnonzero(marks >= 1), {"some": {"$gte": 1}}, 20),
        (np.flatnonzero(np.arange(len(vectors)) % 2 == 1), {"fifty": 1}, 20),
    )
    for rows, where, most in filters:
        some = queries[:most]
        truth = exact(vectors, some, rows)
        print(f"\nfiltered to {len(rows)} rows")
        ours = timed(lambda query, rows=rows: view.search(query, K, allowed=rows)[0][0], some)  # type: ignore[misc]
        report("quantized", ours, truth)
        report("exact", timed(lambda q, rows=rows: view.search(q, K, allowed=rows, engine="exact")[0][0], some), truth)  # type: ignore[misc]
        if chroma is not None:
            asked = timed(lambda query, where=where: _filtered(chroma, query, where), some)  # type: ignore[misc]
            report("Chroma, where=", asked, truth)
            print(f"  ours is {np.median(asked[0]) / np.median(ours[0]):.0f} times as fast")


def _filtered(chroma: DenseView, query: np.ndarray, where: Any) -> list[int]:
    found = chroma._collection.query(query[None, :], n_results=K, where=where, include=["distances"])
    return [int(id_) for id_ in found["ids"][0]]


def timed(ask: Callable[[np.ndarray], Any], queries: np.ndarray) -> tuple[list[float], list[set[int]]]:
    for query in queries[:3]:
        ask(query)
    took, found = [], []
    for query in queries:
        began = time.perf_counter()
        rows = list(ask(query))
        took.append(1e3 * (time.perf_counter() - began))
        found.append({int(row) for row in rows})
    return took, found


def report(name: str, measured: tuple[list[float], list[set[int]]], truth: list[set[int]]) -> None:
    took, found = measured
    recall = np.mean([len(a & b) / max(1, len(b)) for a, b in zip(found, truth, strict=True)])
    middle, late = np.percentile(took, [50, 99])
    print(f"  {name:28} recall {recall:.4f}  p50 {middle:8.3f}  p99 {late:8.3f}  best {min(took):8.3f}")


def adding(view: MatrixView, vectors: np.ndarray) -> None:
    took = []
    for i in range(10):
        rows = np.arange(100) + len(vectors) + 100 * i
        began = time.perf_counter()
        view.apply((rows, vectors[:100] + i))
        took.append(1e3 * (time.perf_counter() - began))
    print(f"\nadding 100 vectors: p50 {np.median(took):.1f} ms, on disk when it returns")


if __name__ == "__main__":
    main()
