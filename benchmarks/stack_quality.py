"""Our hybrid search beside LangChain's ensemble and LlamaIndex's fusion with the same vectors, on retrieval sets.

    python benchmarks/stack_quality.py SETS/korquad_dev ... [--queries 1000] [--model static-ko] [--keep FOLDER]
        [--stock-python PYTHON] [--parts langchain,llama-index]

Both index the same texts (title and passage) with the same vectors, the model's of this index; the stock parts are
those of stock_search.py at their defaults, ten hits a leg. Prints nDCG@10 of every n-th query of each set, at most
--queries, and the difference with its 95 % interval (1.96 standard errors of the queries' own differences).
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from search_data import write_lines

from kure_rag import KureIndex
from kure_rag.evaluate import ndcg, read_set
from kure_rag.types import MODES

K = 10
Run = Mapping[str, Sequence[str]]
NAMES = {"langchain": "LangChain EnsembleRetriever", "llama-index": "LlamaIndex QueryFusionRetriever"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--queries", type=int, default=1000, help="at most so many of each set")
    parser.add_argument("--model", default="static-ko")
    parser.add_argument("--keep", type=Path, help="keep the indexes here, and use those that are there")
    parser.add_argument("--stock-python", default=sys.executable, help="the interpreter that has the stock parts")
    parser.add_argument("--parts", default="langchain")
    options = parser.parse_args()
    for folder in options.sets:
        with tempfile.TemporaryDirectory() as scratch:
            place = (options.keep or Path(scratch)) / folder.name
            with KureIndex.open(place, embeddings=options.model) as index:
                index.add_corpus(read_set(folder).corpus_path)  # what is there already is left alone
                compare(index, folder, Path(scratch, "stock"), options)


def compare(index: KureIndex, folder: Path, scratch: Path, options: argparse.Namespace) -> None:
    chosen = read_set(folder)
    step = max(1, len(chosen.queries) // options.queries)
    asked = dict(itertools.islice(itertools.islice(chosen.queries.items(), 0, None, step), options.queries))
    qrels = {query: chosen.qrels[query] for query in asked}
    ours = {}
    for mode in MODES:
        found = index.search_batch(list(asked.values()), k=K, mode=mode)
        run = {query: list(dict.fromkeys(hit.source for hit in hits)) for query, hits in zip(asked, found, strict=True)}
        ours[mode] = each(run, qrels)
    print(f"{folder.name}, {len(asked)} of {len(chosen.queries)} queries, nDCG@{K}")
    print("  ours: " + ", ".join(f"{mode} {scores.mean():.4f}" for mode, scores in ours.items()), flush=True)
    write_inputs(index, asked, scratch)
    for part in options.parts.split(","):
        theirs = each(rankings(scratch, part, options.stock_python), qrels)
        more = ours["hybrid"] - theirs
        error = 1.96 * more.std(ddof=1) / np.sqrt(len(more))
        print(f"  {NAMES[part]}: {theirs.mean():.4f}; our hybrid {more.mean():+.4f} ± {error:.4f}", flush=True)


def each(run: Run, qrels: Mapping[str, Mapping[str, float]]) -> np.ndarray:
    """nDCG@10 of each query."""
    return np.array([ndcg({query: list(run[query])[:K]}, {query: qrels[query]}, k=K) for query in qrels])


def write_inputs(index: KureIndex, asked: Mapping[str, str], folder: Path) -> None:
    """What stock_search.py reads: the index's own texts and vectors, each under its document's name."""
    folder.mkdir()
    catalog = index._store.catalog
    with index._store.views() as views:
        if views.matrix is None:
            raise SystemExit(f"{index.path}: the matrix cannot be used; run `kure-rag rebuild matrix`")
        rows, vectors = views.matrix.vectors(views.matrix.rows())
        items = catalog.fetch(rows.tolist(), views.visible)
    passages = [{"id": items[row].source, "text": items[row].chunk.contextualized()} for row in rows.tolist()]
    write_lines(folder / "passages.jsonl", passages)
    write_lines(folder / "questions.jsonl", [{"id": query, "text": text} for query, text in asked.items()])
    np.save(folder / "vectors.npy", vectors)
    np.save(folder / "questions.npy", index.embedder.embed_queries(list(asked.values())))


def rankings(folder: Path, part: str, python: str) -> Run:
    file = folder / f"{part}.json"
    command = [python, str(Path(__file__).with_name("stock_search.py")), str(folder), "--parts", part]
    subprocess.run([*command, "--rankings", str(file)], stdout=subprocess.DEVNULL, check=True)
    found: Run = json.loads(file.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    main()
