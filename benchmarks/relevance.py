"""Fits the coefficients of the relevance that hits carry, and shows whether it keeps its word.

    python benchmarks/relevance.py SETS/korquad_dev ... [--model static-ko] [--queries 1000] [--keep FOLDER] [--shipped]

Each query of a set is asked twice: of the index, and of the index without the passages that answer it. Of both the
first ten hits count, relevant or not. Coefficients are fitted on every other query, all sets with equal weight, and the
table is of the others: for each band of relevance how many hits fell into it and what share of them was relevant.
With ``--shipped`` nothing is fitted: the table is of all queries by the coefficients in the package, and a second one
says what share of the relevant and of the other hits each threshold keeps.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kure_rag import KureIndex
from kure_rag.evaluate import read_set
from kure_rag.index.rows import Keywords
from kure_rag.search.helpers import questions
from kure_rag.search.relevance import SETTINGS, Background, RelevanceSettings, features_of, relevance
from kure_rag.search.vectors import sample_of
from kure_rag.tokenize import KiwiTokenizer

COLUMNS = {"hybrid": (0, 2), "lexical": (0, 1), "dense": (2,)}  # beside a cosine, letter pairs tell nothing more
NAMES = ("terms", "pairs", "cosine")
BANDS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0)
THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.5)
TOP = 10


def examples(
    folder: Path, model: str, most: int, mode: str, keep: Path | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, relevance and number of the query of each hit."""
    chosen = read_set(folder)
    step = max(1, len(chosen.queries) // most)
    ids = [query for query in itertools.islice(chosen.queries, 0, None, step) if chosen.qrels.get(query)]
    texts = [chosen.queries[query] for query in ids]
    features, labels, numbers = [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        place = (keep or Path(scratch)) / folder.name
        fresh = not place.exists()
        with KureIndex.open(place, embeddings=model) as index:
            if fresh:
                index.add_corpus(chosen.corpus_path)
            asked = questions(KiwiTokenizer(), texts)
            vectors = index.embedder.embed_queries(texts)
            found = index.search_batch(texts, k=2 * TOP, mode=mode)
            with index._store.views() as views:
                sample = sample_of(views.matrix)
                for i, hits in enumerate(found):
                    background = Background.of(views.matrix.score(vectors[i], sample)[1])
                    good = [chosen.qrels[ids[i]].get(hit.source, 0) > 0 for hit in hits]
                    without = [j for j in range(len(hits)) if not good[j]][:TOP]
                    for j in [*range(min(TOP, len(hits))), *without]:
                        chunk, leg = hits[j].chunk, hits[j].legs.get("dense")
                        words = Keywords(_terms(index, chunk.id), chunk.contextualized())
                        row = features_of(asked[i], words, background, leg and leg.score)
                        features.append([0.0 if value is None else value for value in row])
                        labels.append(good[j])
                        numbers.append(i)
    return np.array(features), np.array(labels, dtype=float), np.array(numbers)


def _terms(index: KureIndex, chunk_id: str) -> str:
    catalog = index._store.catalog
    row = catalog.rows_of([chunk_id])[chunk_id]
    return catalog.keywords([row])[row].terms


def fit(features: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Logistic regression by Newton's method; the constant first."""
    x = np.column_stack([np.ones(len(features)), features])
    beta = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        hessian = (x * (weights * p * (1 - p))[:, None]).T @ x + 1e-6 * np.eye(len(beta))
        step = np.linalg.solve(hessian, x.T @ (weights * (labels - p)))
        beta += step
        if np.abs(step).max() < 1e-8:
            break
    return beta


def table(name: str, values: np.ndarray, labels: np.ndarray) -> None:
    cells = []
    for low, high in itertools.pairwise(BANDS):
        inside = (values >= low) & ((values < high) | (high == 1.0))
        cells.append(f"{labels[inside].mean():.2f} ({inside.sum()})" if inside.any() else "–")
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--model", default="static-ko")
    parser.add_argument("--queries", type=int, default=1000, help="at most so many of each set")
    parser.add_argument("--keep", type=Path, help="keep the indexes here, and use those that are there")
    parser.add_argument("--shipped", action="store_true", help="by the coefficients in the package")
    options = parser.parse_args()
    print("| mode, set | " + " | ".join(f"{a:g}–{b:g}" for a, b in itertools.pairwise(BANDS)) + " |")
    print("|---" * len(BANDS) + "|")
    if options.shipped:
        shipped(options)
        return
    for mode, columns in COLUMNS.items():
        found = [examples(folder, options.model, options.queries, mode, options.keep) for folder in options.sets]
        halves = [numbers % 2 == 0 for _, _, numbers in found]
        beta = fit(*_joined(found, halves, columns))
        factors = {NAMES[c]: round(float(b), 2) for c, b in zip(columns, beta[1:], strict=True)}
        settings = RelevanceSettings(constant=round(float(beta[0]), 2), **factors)
        for folder, (features, labels, _), half in zip(options.sets, found, halves, strict=True):
            values = np.array([relevance(_known(row, columns), settings) for row in features[~half]])
            table(f"{mode}, {folder.name}", values, labels[~half])
        print(f"{mode}: {settings}", flush=True)


def shipped(options: argparse.Namespace) -> None:
    kept = []
    for mode, settings in SETTINGS.items():
        for folder in options.sets:
            features, labels, _ = examples(folder, options.model, options.queries, mode, options.keep)
            values = np.array([relevance(_known(row, COLUMNS[mode]), settings) for row in features])
            table(f"{mode}, {folder.name}", values, labels)
            cells = [_kept(values >= threshold, labels) for threshold in THRESHOLDS]
            kept.append(f"| {mode}, {folder.name} | {' | '.join(cells)} |")
    print("\n| mode, set | " + " | ".join(f"{threshold:g}" for threshold in THRESHOLDS) + " |")
    print("|---" * (len(THRESHOLDS) + 1) + "|")
    print("\n".join(kept))


def _kept(inside: np.ndarray, labels: np.ndarray) -> str:
    """Shares of the relevant and of the other hits."""
    return f"{labels[inside].sum() / labels.sum():.2f}, {(1 - labels[inside]).sum() / (1 - labels).sum():.3f}"


def _known(row: Sequence[float], columns: Sequence[int]) -> list[float | None]:
    return [float(row[c]) if c in columns else None for c in range(len(NAMES))]


def _joined(
    found: Sequence[tuple[np.ndarray, ...]], halves: Sequence[np.ndarray], columns: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    features = np.concatenate([f[h][:, list(columns)] for (f, _, _), h in zip(found, halves, strict=True)])
    labels = np.concatenate([y[h] for (_, y, _), h in zip(found, halves, strict=True)])
    weights = np.concatenate([np.full(h.sum(), 1000 / h.sum()) for h in halves])
    return features, labels, weights


if __name__ == "__main__":
    main()
