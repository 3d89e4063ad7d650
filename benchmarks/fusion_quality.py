"""Fusion functions and weights compared on retrieval sets, from one search of each.

    python benchmarks/fusion_quality.py SETS/korquad_dev ... [--model static-ko] [--queries 2000]

Prints nDCG@10 of each leg, of convex combinations and of reciprocal rank fusion at several dense weights. The weight on
a model's card is chosen from this table.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kure_rag import ConvexFusion, KureIndex, RrfFusion
from kure_rag.evaluate import ndcg, read_set
from kure_rag.search.fusion import Legs

WEIGHTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)


class Recorder:
    """A fusion that keeps what the legs said and ranks by nothing in particular."""

    def __init__(self) -> None:
        self.seen: list[Legs] = []

    def fuse(self, legs: Legs) -> dict[int, float]:
        self.seen.append({row: dict(said) for row, said in legs.items()})
        return dict.fromkeys(legs, 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--model", default="static-ko")
    parser.add_argument("--queries", type=int, default=2000, help="at most so many of each set")
    options = parser.parse_args()
    for folder in options.sets:
        table(folder, options.model, options.queries)


def table(folder: Path, model: str, most: int) -> None:
    chosen = read_set(folder)
    step = max(1, len(chosen.queries) // most)
    queries = dict(itertools.islice(itertools.islice(chosen.queries.items(), 0, None, step), most))
    qrels = {query: chosen.qrels[query] for query in queries if query in chosen.qrels}
    chosen = replace(chosen, queries=queries, qrels=qrels)
    recorder = Recorder()
    with tempfile.TemporaryDirectory() as scratch, KureIndex.open(Path(scratch, "index"), embeddings=model) as index:
        index.add_corpus(chosen.corpus_path)
        index.search_batch(list(queries.values()), k=10, fusion=recorder)
        catalog = index._store.catalog
        sources = {row: item.source for row, item in catalog.fetch([r for r, _ in catalog.all_rows()], 2**60).items()}

    def score(ranked: list[Mapping[int, float]]) -> float:
        run = {}
        for query, scores in zip(queries, ranked, strict=True):
            best = sorted(scores, key=lambda row: (-scores[row], row))[:10]
            run[query] = [sources[row] for row in best]
        return ndcg(run, qrels, k=10)

    legs = {
        name: [{row: said[name].score for row, said in seen.items() if name in said} for seen in recorder.seen]
        for name in ("lexical", "dense")
    }
    print(
        f"{folder.name}, {len(queries)} queries, {model}: " + ", ".join(f"{n} {score(s):.4f}" for n, s in legs.items())
    )
    for name, make in (("convex", ConvexFusion), ("rrf", RrfFusion)):
        row = [score([make(weight=weight).fuse(seen) for seen in recorder.seen]) for weight in WEIGHTS]
        print(
            f"  {name:7}" + "  ".join(f"{weight:.2f}: {value:.4f}" for weight, value in zip(WEIGHTS, row, strict=True))
        )


if __name__ == "__main__":
    main()
