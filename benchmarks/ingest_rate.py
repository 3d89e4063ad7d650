"""How much of Kiwi's own rate an ingest of ready passages reaches, in one run.

    python benchmarks/ingest_rate.py ARTICLES.jsonl.gz [--rows 10000] [--vectors static-ko|ready]

ARTICLES holds lines with ``law``, ``title`` and ``text``. Kiwi analyses the texts in one list call, with a thread for
each core, before the ingest and after it; the ingest is ``KureIndex.add_records`` with a process for each core, from
its call to its return: analysed, embedded, stored, and all three views brought up. ``--vectors ready`` spares the
embedding: 256 numbers by chance for each text. Beside the rates by the clock stand milliseconds of processor for each
text, which say what else there is to do when other programs take the cores: with all cores at work, the share is that
of Kiwi in all of it. What the start costs (two processes that load Kiwi, Chroma's import) is in the ingest's rate, and
counts less the more texts there are.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kure_rag import KureIndex
from kure_rag.read import Record

DIMENSION = 256


class Ready:
    """LangChain's interface to vectors that take no time."""

    def __init__(self) -> None:
        self._made = np.random.default_rng(1).standard_normal((4096, DIMENSION), dtype=np.float32).tolist()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self._made[hash(text) % len(self._made)] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("articles", type=Path)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--vectors", choices=("static-ko", "ready"), default="static-ko")
    options = parser.parse_args()
    records = read(options.articles, options.rows)
    texts = [f"{record.title}\n{record.text}" for record in records]
    print(f"{len(texts)} texts of {sum(map(len, texts)) / len(texts):.0f} characters, {os.cpu_count()} cores")
    before = kiwi(texts)
    ours, parent, children = ingest(records, options.vectors)
    after = kiwi(texts)
    clock, computed = ((one + other) / 2 for one, other in zip(before, after, strict=True))
    rate = len(texts) / clock
    print(f"Kiwi's list call  {rate:6.0f} texts/s, {1e3 * computed / len(texts):.2f} ms of processor each")
    both, there, here = (1e3 * seconds / len(texts) for seconds in (parent + children, children, parent))
    print(f"add_records       {len(texts) / ours:6.0f} texts/s, {both:.2f} ms ({there:.2f} in the analysing processes,")
    print(f"{'':34}{here:.2f} in the one that has the index)")
    print(f"share of Kiwi's rate {clock / ours:.2f} by the clock, {computed / (parent + children):.2f} by processors")


def read(file: Path, rows: int) -> list[Record]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        articles = [json.loads(line) for line in lines]
    random.Random(1).shuffle(articles)
    return [
        Record(str(i), f"{one['law']} {one.get('title') or ''}".strip(), one["text"])
        for i, one in enumerate(articles[:rows])
    ]


def kiwi(texts: Sequence[str]) -> tuple[float, float]:
    """Seconds by the clock and on processors."""
    from kiwipiepy import Kiwi

    engine = Kiwi(num_workers=os.cpu_count() or 1, load_multi_dict=False)  # as kure-rag loads it
    engine.tokenize(texts[:8])
    began, before = time.perf_counter(), time.process_time()
    for _ in engine.tokenize(texts):
        pass
    return time.perf_counter() - began, time.process_time() - before


def ingest(records: Sequence[Record], vectors: str) -> tuple[float, float, float]:
    """Seconds by the clock, on processors here, and in child processes."""
    embeddings = Ready() if vectors == "ready" else vectors
    with tempfile.TemporaryDirectory() as scratch, KureIndex.open(Path(scratch, "i"), embeddings=embeddings) as index:
        index.embedder.embed_passages(["준비"])
        began, before = time.perf_counter(), os.times()
        report = index.add_records(records)
        took, after = time.perf_counter() - began, os.times()
        if len(report.rows) != len(records) or index.verify().problems:
            raise SystemExit("the index does not hold what was added")
    here = after.user + after.system - before.user - before.system
    there = after.children_user + after.children_system - before.children_user - before.children_system
    return took, here, there


if __name__ == "__main__":
    main()
