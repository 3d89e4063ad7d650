"""How long one `kure-rag search` takes, from the start of the process to its answer. Median of five.

The index is made of the sample PDFs with the bundled model, or is the one that is named.

    python benchmarks/cold_search.py [--index DIR] [--query TEXT] [OPTION OF SEARCH ...]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kure_rag import KureIndex
from kure_rag.samples import sample_paths

RUNS = 5
HEAVY = ("chromadb", "faiss", "kiwipiepy", "tantivy", "torch", "transformers", "sentence_transformers", "rank_bm25")
LOADED = f"""
import sys
from kure_rag.cli import main
main(sys.argv[1:])
print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=Path, help="an index to search")
    parser.add_argument("--query", default="연차휴가는 며칠인가요?")
    options, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        index = options.index or Path(folder) / "index"
        if options.index is None:
            with KureIndex.open(index, embeddings="static-ko") as made:
                made.add_paths(sample_paths())
        measure(["search", options.query, "--index", str(index), "-k", "3", *more])


def measure(arguments: list[str]) -> None:
    walls, cpus = zip(*(timed(arguments) for _ in range(RUNS)), strict=True)
    told = subprocess.run([sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=True)
    print(
        f"kure-rag {arguments[0]}: {statistics.median(walls):.2f} s, {statistics.median(cpus):.2f} s of them computing"
    )
    print(f"each: {', '.join(f'{wall:.2f}' for wall in walls)} s; loads {told.stderr.split()}")


def timed(arguments: list[str]) -> tuple[float, float]:
    """Seconds by the clock, and seconds on processors."""
    before, began = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-m", "kure_rag", *arguments], stdout=subprocess.DEVNULL, check=True)
    wall, after = time.perf_counter() - began, os.times()
    computing = after.children_user - before.children_user + after.children_system - before.children_system
    return wall, computing


if __name__ == "__main__":
    main()
