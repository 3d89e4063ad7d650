"""Fusion functions and weights compared on retrieval sets, from one search of each leg.

    python benchmarks/fusion_quality.py SETS/korquad_dev ... [--model static-ko] [--queries 2000] [--keep FOLDER]

Prints nDCG@10 of each leg and of fusions at several dense weights, for the model and for simulated dense legs of other
strengths. A simulated query vector is made of the model's own (times ``own``), the mean of the passages that answer the
query (times ``answer``) and noise of unit length (times ``noise``): its cosines lie among real vectors, and how often
it finds the answer can be chosen. The weight on a model's card is chosen from this table; ``results/fusion.md`` keeps
one run and says what else was tried.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from set_index import set_index

from kure_rag import KureIndex
from kure_rag.evaluate import ndcg, read_set
from kure_rag.search import ConvexFusion, RrfFusion
from kure_rag.search.candidates import Candidates
from kure_rag.search.fusion import ExplainedFusion, total
from kure_rag.search.helpers import questions
from kure_rag.search.legs import lexical_rankings
from kure_rag.search.vectors import sample_of, stretch_of
from kure_rag.tokenize import KiwiTokenizer

WEIGHTS = (0.05, 0.12, 0.2, 0.3, 0.5, 0.7, 0.8)
DEPTH = 100
KINDS: Mapping[str, tuple[float, float, float]] = {  # own, answer, noise
    "random": (0.0, 0.0, 1.0),
    "weak": (1.0, 0.0, 1.5),
    "model": (1.0, 0.0, 0.0),
    "middling": (1.0, 0.35, 1.5),
    "strong": (0.5, 0.9, 1.6),
}
FUSIONS: Mapping[str, Callable[[float], ExplainedFusion]] = {
    "convex": lambda weight: ConvexFusion(weight=weight),
    "convex, spread": lambda weight: ConvexFusion(weight=weight, normaliser="spread"),
    "convex, minmax": lambda weight: ConvexFusion(weight=weight, normaliser="minmax"),
    "rrf": lambda weight: RrfFusion(weight=weight),
}


@dataclass(frozen=True)
class Asked:
    """A set's queries with what the legs are made of."""

    name: str
    ids: list[str]
    qrels: Mapping[str, Mapping[str, float]]
    sources: Mapping[int, str]
    lexical: list[tuple[np.ndarray, np.ndarray]]
    own: np.ndarray
    answers: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--model", default="static-ko")
    parser.add_argument("--queries", type=int, default=2000, help="at most so many of each set")
    parser.add_argument("--keep", type=Path, help="keep the indexes here, and use those that are there")
    options = parser.parse_args()
    for folder in options.sets:
        with set_index(folder, options.model, options.keep) as index:
            table(index, folder, options.queries)


def table(index: KureIndex, folder: Path, most: int) -> None:
    catalog = index._store.catalog
    with index._store.views() as views:
        rows, vectors = views.matrix.vectors(views.matrix.rows())
        sources = {row: item.source for row, item in catalog.fetch(rows.tolist(), views.visible).items()}
        asked = prepared(index, folder, most, sources, units(vectors), rows.tolist(), views.lexical)
        stretch = stretch_of(views.matrix, sample_of(views.matrix))
        for kind, mix in KINDS.items():
            queries = simulated(asked, mix)
            found = views.matrix.search(queries, DEPTH, engine="quantized")
            candidates = []
            for query, lexical, dense in zip(queries, asked.lexical, found, strict=True):
                one = Candidates.of({"lexical": lexical, "dense": dense}, stretch)
                one.scored("dense", *views.matrix.score(query, one.unsaid("dense")))
                candidates.append(one)
            report(asked, kind, candidates, stretch)


def prepared(index, folder, most, sources, vectors, rows, lexical) -> Asked:  # type: ignore[no-untyped-def]
    chosen = read_set(folder)
    step = max(1, len(chosen.queries) // most)
    ids = list(itertools.islice(itertools.islice(chosen.queries, 0, None, step), most))
    texts = [chosen.queries[query] for query in ids]
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(sources[row], []).append(place)
    mean = vectors.mean(axis=0)
    answers = []
    for query in ids:
        good = [p for name, gain in chosen.qrels.get(query, {}).items() if gain > 0 for p in places.get(name, [])]
        answers.append(vectors[good].mean(axis=0) if good else mean)
    rankings = lexical_rankings(lexical, questions(KiwiTokenizer(), texts), DEPTH, None)
    qrels = {query: chosen.qrels[query] for query in ids if query in chosen.qrels}
    own = units(index.embedder.embed_queries(texts))
    return Asked(folder.name, ids, qrels, sources, rankings, own, units(np.array(answers)))


def simulated(asked: Asked, mix: tuple[float, float, float]) -> np.ndarray:
    own, answer, noise = mix
    random = np.random.default_rng(0).standard_normal(asked.own.shape) / np.sqrt(asked.own.shape[1])
    return units(own * asked.own + answer * asked.answers + noise * random)


def units(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def report(asked: Asked, kind: str, candidates: list[Candidates], stretch: float) -> None:
    def score(fusion: ExplainedFusion) -> float:
        run = {}
        for query, one in zip(asked.ids, candidates, strict=True):
            scores = total(fusion.parts(one), len(one.rows))
            best = [i for i in np.argsort(-scores, kind="stable")[:10] if scores[i] > 0]
            run[query] = list(dict.fromkeys(asked.sources[int(one.rows[i])] for i in best))
        return ndcg(run, asked.qrels, k=10)

    alone = {name: score(RrfFusion(weight=weight)) for name, weight in (("lexical", 0.0), ("dense", 1.0))}
    print(f"{asked.name}, {len(asked.ids)} queries, {kind}: ", end="")
    print(", ".join(f"{name} {value:.4f}" for name, value in alone.items()) + f", stretch {stretch:g}")
    for name, make in FUSIONS.items():
        if name == "convex, spread" and stretch == 1:
            continue
        cells = [f"{weight:.2f}: {score(make(weight)):.4f}" for weight in WEIGHTS]
        print(f"  {name:15}" + "  ".join(cells), flush=True)


if __name__ == "__main__":
    main()
