"""kill -9 at random moments of an ingest of real PDFs, then everything that must still be true.

    python benchmarks/crash_ingest.py PDF_DIR LAW_PDF_DIR [--kills 20] [--seed 1]

After each kill the index is opened again: files that were reported as added must be there, and `verify` must be clean.
At the end the finished index must equal one that was never disturbed: the same chunk ids, and the same ten best
passages for fifty questions made of the documents' own sentences, in all three modes.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from kure_rag import KureIndex

MODEL = "static-ko"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        calm = Path(scratch, "calm")
        began = time.monotonic()
        run(options.paths, calm, None)
        whole = time.monotonic() - began
        print(f"undisturbed: {whole:.1f} s")
        shaken = Path(scratch, "shaken")
        acknowledged: set[str] = set()
        clean = kept = killed = 0
        for number in range(1, options.kills + 1):
            # Early kills fall into start-up, later ones into reading, storing and catching up; the whole ingest is cut
            # into about as many parts as there are kills.
            after = chance.uniform(0.5, 8.0 + 2 * whole / options.kills)
            said, was_killed = run(options.paths, shaken, after)
            killed += was_killed
            acknowledged |= said
            if not (shaken / "catalog.sqlite3").exists():
                clean, kept = clean + 1, kept + 1
                print(f"kill {number} after {after:.1f} s: before the index was made")
                continue
            with KureIndex.open(shaken, embeddings=MODEL) as index:
                here = {row.source for row in index.documents()}
                found = index.verify()
            clean += found.ok
            kept += acknowledged <= here
            print(
                f"kill {number} after {after:.1f} s: {len(acknowledged)} files acknowledged, {len(here)} there, "
                f"{'clean' if found.ok else found.problems}, lost {sorted(acknowledged - here)}"
            )
        run(options.paths, shaken, None)
        with KureIndex.open(calm) as one, KureIndex.open(shaken) as other:
            ids = [{id_ for _, id_ in index._store.catalog.all_rows()} for index in (one, other)]
            questions = sample(one)
            same = total = 0
            for mode in ("lexical", "dense", "hybrid"):
                answers = [index.search_batch(questions, k=10, mode=mode) for index in (one, other)]
                for a, b in zip(*answers, strict=True):
                    total += 1
                    same += [hit.chunk.id for hit in a] == [hit.chunk.id for hit in b]
            ok = other.verify().ok
    print(f"{killed} of {options.kills} runs were killed before they finished")
    print(f"verify clean after {clean} of {options.kills}; nothing acknowledged lost after {kept} of {options.kills}")
    print(f"finished index: chunk ids equal {ids[0] == ids[1]} ({len(ids[0])}), verify clean {ok}")
    print(f"top 10 equal for {same} of {total} searches")


def run(paths: list[Path], folder: Path, after: float | None) -> tuple[set[str], bool]:
    """One `kure-rag ingest`, killed after some seconds; gives the files it reported as added."""
    command = [sys.executable, "-m", "kure_rag", "ingest", *map(str, paths), "--index", str(folder), "--model", MODEL]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8")
    said: set[str] = set()

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if row := re.match(r"added +(.*): \d+ pages, ", line):
                said.add(row[1])

    listener = threading.Thread(target=listen)
    listener.start()
    killed = False
    try:
        process.wait(timeout=after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        killed = True
    listener.join()
    return said, killed


def sample(index: KureIndex, count: int = 50) -> list[str]:
    """Beginnings of chunks spread over the index."""
    rows = index._store.catalog.all_rows()
    chosen = [row for row, _ in rows[:: max(1, len(rows) // count)]][:count]
    return [" ".join(item.chunk.text.split())[:60] for item in index._store.catalog.fetch(chosen, 2**60).values()]


if __name__ == "__main__":
    main()
