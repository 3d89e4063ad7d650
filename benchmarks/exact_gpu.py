"""Exact search on a graphics card: one query, and many at once, over a matrix in half precision.

    python benchmarks/exact_gpu.py [--rows 1000000] [--dim 1024] [--device cuda] [--table FILE]

Vectors are a mixture (a thousand topics with noise). Measured from a query in the computer's memory to exact scores
there: sending it, one matrix product, choosing, and scoring the candidates again with the vectors as they were given.
Recall is against exact cosines by a matrix product in single precision on the device. ``--device cpu`` runs the same
code without a card.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from kure_rag.index.matrix import MatrixView

K = 10
STEP = 50_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=1_024)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--repeat", type=int, default=200)
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        view = fill(Path(scratch), options.rows, options.dim)
        queries = near(view, 256)
        lines = [title(options)]
        began = time.perf_counter()
        view.search(queries[0], K, engine="exact", device=options.device)
        lines.append(
            f"| sending the matrix there, and the first query | {1e3 * (time.perf_counter() - began):,.0f} ms | |"
        )
        for count in (1, 8, 64, 256):
            some = queries[:count]
            took, found = timed(
                lambda some=some: view.search(some, K, engine="exact", device=options.device), options.repeat
            )  # type: ignore[misc]
            share = recall(view, some, [rows for rows, _ in found], options.device)
            middle, late = np.percentile(took, [50, 99])
            lines.append(f"| {count} queries | {middle:.3f} ms (p99 {late:.3f}) | {share:.4f} |")
        lines += parts(view, queries, options)
        allowed = view.rows()[::2]
        took, _ = timed(
            lambda: view.search(queries[:1], K, engine="exact", device=options.device, allowed=allowed),
            options.repeat // 4,
        )
        lines.append(f"| 1 query, half of the rows allowed | {np.median(took):.3f} ms | |")
        print("\n".join(lines))
        if options.table:
            options.table.write_text("\n".join(lines) + "\n", encoding="utf-8")


def title(options: argparse.Namespace) -> str:
    name = torch.cuda.get_device_name() if options.device.startswith("cuda") else "CPU"
    bandwidth = options.rows * options.dim * 2 / 4.8e12 * 1e3
    return (
        f"{options.rows:,} x {options.dim} in half precision on {name}, torch {torch.__version__}. Reading the matrix "
        f"once takes {bandwidth:.2f} ms at 4.8 TB/s.\n\n| what | time | recall@{K} |\n|---|---|---|"
    )


def fill(folder: Path, rows: int, dimension: int) -> MatrixView:
    chance = np.random.default_rng(1)
    topics = chance.standard_normal((1_000, dimension), dtype=np.float32)
    view = MatrixView(folder / "matrix")
    for i in range(0, rows, STEP):
        count = min(STEP, rows - i)
        vectors = topics[chance.integers(0, len(topics), count)]
        vectors += chance.standard_normal(vectors.shape, dtype=np.float32)
        view.apply((np.arange(i, i + count), vectors))
    return view


def near(view: MatrixView, count: int) -> np.ndarray:
    chance = np.random.default_rng(2)
    _, vectors = view.vectors(chance.integers(0, len(view), count))
    return vectors + chance.standard_normal(vectors.shape, dtype=np.float32)


def timed(ask: Callable[[], list], repeat: int) -> tuple[list[float], list]:
    for _ in range(5):
        found = ask()
    took = []
    for _ in range(max(3, repeat)):
        began = time.perf_counter()
        found = ask()
        took.append(1e3 * (time.perf_counter() - began))
    return took, found


def recall(view: MatrixView, queries: np.ndarray, found: list[np.ndarray], device: str) -> float:
    asked = torch.from_numpy(queries).to(device)
    best = torch.full((len(queries), K), -torch.inf, device=device)
    rows = torch.full((len(queries), K), -1, dtype=torch.int64, device=device)
    for i in range(0, len(view), STEP):
        held, vectors = view.vectors(np.arange(i, min(i + STEP, len(view))))
        block = torch.nn.functional.normalize(torch.from_numpy(vectors).to(device), dim=1)
        scores = torch.cat([best, asked @ block.T], dim=1)
        named = torch.cat([rows, torch.from_numpy(held).to(device).expand(len(queries), -1)], dim=1)
        best, chosen = scores.topk(K, dim=1)
        rows = named.gather(1, chosen)
    truth = rows.cpu().numpy()
    return float(np.mean([len(set(a.tolist()) & set(b.tolist())) / K for a, b in zip(found, truth, strict=True)]))


def parts(view: MatrixView, queries: np.ndarray, options: argparse.Namespace) -> list[str]:
    """What the product and the choice take by themselves, on the device."""
    if not options.device.startswith("cuda"):
        return []
    held = view._on(options.device)
    lines = []
    for count in (1, 256):
        asked = torch.from_numpy(queries[:count]).to(options.device, torch.float16)
        product = on_device(lambda asked=asked: held._product(asked, held._matrix.T))  # type: ignore[misc]
        scores = held._product(asked, held._matrix.T)
        choice = on_device(lambda scores=scores: torch.topk(scores, 120, dim=1, sorted=False))  # type: ignore[misc]
        lines.append(f"| of which product for {count} | {product:.3f} ms | |")
        lines.append(f"| of which choosing 120 for {count} | {choice:.3f} ms | |")
    return lines


def on_device(call: Callable[[], object]) -> float:
    for _ in range(5):
        call()
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    for _ in range(50):
        call()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 50


if __name__ == "__main__":
    main()
