"""Hybrid search end to end, without the embedding, and the same by stock parts, in one run.

    python benchmarks/search_data.py ARTICLES.jsonl.gz FOLDER
    python benchmarks/search_speed.py FOLDER [--questions 300] [--stock-python PYTHON]

FOLDER holds 100,000 statute passages of about 600 characters, clustered vectors of 1,024 numbers and the finished index
(see search_data.py; it takes minutes and is made once). Prints p50 and p99 in milliseconds of each part and of the
whole with each dense engine, every question asked once. --stock-python names the interpreter that has what
stock_search.py asks for: LangChain's EnsembleRetriever and LlamaIndex's QueryFusionRetriever then answer the first
questions over the same passages and vectors, in a process of their own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from search_data import SearchData

from kure_rag.index.store import IndexStore
from kure_rag.search import Searcher, SearchOptions
from kure_rag.search.candidates import Candidates
from kure_rag.search.fusion import convex
from kure_rag.search.helpers import questions
from kure_rag.search.legs import dense_rankings, lexical_rankings
from kure_rag.search.ranking import ranked
from kure_rag.search.stages import first_hits
from kure_rag.tokenize import KiwiTokenizer

ENGINES = ("auto", "quantized", "chroma")


class ReadyVectors:
    """An embedder that has every vector ready: what it takes is not measured."""

    name = "ready"
    dense_weight = 0.5
    fingerprint: Mapping[str, str] = {"model": "ready"}

    def __init__(self, vectors: Mapping[str, np.ndarray]) -> None:
        self._vectors = vectors

    def embed_queries(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([self._vectors[text] for text in texts])

    embed_passages = embed_queries


def timed(calls: Sequence[Callable[[], Any]]) -> tuple[float, float]:
    """p50 and p99 in milliseconds, after a tenth of them once to warm up."""
    for call in calls[: max(1, len(calls) // 10)]:
        call()
    taken = []
    for call in calls:
        began = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken), float(np.percentile(taken, 99))


def line(name: str, found: tuple[float, float]) -> None:
    print(f"  {name:42} p50 {found[0]:8.2f} ms   p99 {found[1]:8.2f} ms", flush=True)


def parts(store: IndexStore, asked: Mapping[str, np.ndarray]) -> None:
    """Each part by itself."""
    tokenizer, catalog, options = KiwiTokenizer(), store.catalog, SearchOptions()
    texts = list(asked)
    line("Kiwi and letter pairs", timed([lambda t=t: questions(tokenizer, [t]) for t in texts]))
    ready = dict(zip(texts, questions(tokenizer, texts), strict=True))
    with store.views() as views:
        line("keyword leg", timed([lambda t=t: lexical_rankings(views.lexical, [ready[t]], 100, None) for t in texts]))
        for engine in ("quantized", "exact", "chroma"):
            some = texts if engine != "exact" else texts[:40]
            how = SearchOptions(dense=engine)
            line(
                f"dense leg, {engine}",
                timed(
                    [
                        lambda t=t, h=how: dense_rankings(catalog, views, views.matrix, asked[t][None], 100, None, h)
                        for t in some
                    ]
                ),
            )
        legs = {
            t: {
                "lexical": lexical_rankings(views.lexical, [ready[t]], 100, None)[0],
                "dense": dense_rankings(
                    catalog, views, views.matrix, asked[t][None], 100, None, SearchOptions(dense="quantized")
                )[0],
            }
            for t in texts
        }

        def fuse(text: str) -> Any:
            candidates = Candidates.of(legs[text])
            candidates.scored("dense", *views.matrix.score(asked[text], candidates.unsaid("dense")))
            return ranked(candidates, "hybrid", convex(0.5))

        line("missing cosines and fusion", timed([lambda t=t: fuse(t) for t in texts]))
        rankings = {t: fuse(t) for t in texts}
        line(
            f"fetching {options.k} chunks",
            timed([lambda t=t: first_hits(catalog, rankings[t], 10, views.visible, headings=False) for t in texts]),
        )


def whole(store: IndexStore, asked: Mapping[str, np.ndarray]) -> float:
    """The search as a user calls it; the embedder has its vectors ready. Returns the default's p50."""
    searcher = Searcher(store, KiwiTokenizer(), ReadyVectors(asked))
    texts = list(asked)
    found = {}
    for engine in ENGINES:
        found[engine] = timed([lambda t=t, e=engine: searcher.search(t, dense=e) for t in texts])
        line(f"hybrid end to end, {engine}{' (the default)' if engine == 'auto' else ''}", found[engine])
    began = time.perf_counter()
    searcher.search_batch(texts)
    each = 1000 * (time.perf_counter() - began) / len(texts)
    print(f"  {f'hybrid, {len(texts)} questions in one call':42} {each:8.2f} ms a question", flush=True)
    searcher.close()
    return found["auto"][0]


def stock(folder: Path, python: str) -> dict[str, float]:
    """The p50 of each."""
    script = Path(__file__).with_name("stock_search.py")
    run = subprocess.run([python, str(script), str(folder)], stdout=subprocess.PIPE, check=True)
    said = json.loads(run.stdout)
    out = {}
    for name, key in (
        ("LangChain EnsembleRetriever", "langchain"),
        ("LlamaIndex QueryFusionRetriever", "llama-index"),
    ):
        out[name] = statistics.median(said[key])
        line(f"{name}", (out[name], float(np.percentile(said[key], 99))))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--stock-python", help="the interpreter that has the stock parts")
    options = parser.parse_args()
    data = SearchData.read(options.folder)
    asked = dict(list(data.questions.items())[: options.questions])
    began = time.perf_counter()
    store = IndexStore(options.folder / "index", create=False)
    took = 1e3 * (time.perf_counter() - began)
    print(f"{len(data.passages)} chunks, {len(asked)} questions; index opened in {took:.0f} ms")
    parts(store, asked)
    ours = whole(store, asked)
    store.close()
    if options.stock_python:
        for name, theirs in stock(options.folder, options.stock_python).items():
            print(f"{name} / ours: {theirs / ours:.1f}")


if __name__ == "__main__":
    main()
