"""Ingesting a folder of real PDFs: pages a second, memory, a second run, offsets and verification.

    python benchmarks/ingest.py PDF_DIR LAW_PDF_DIR [--model static-ko]

Runs `kure-rag ingest` twice as a user would, in processes of its own. Memory is the largest sum of the resident sets of
the process and its children, sampled every tenth of a second (pages that they share are counted once for each).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from kure_rag import KureIndex


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--model", default="static-ko")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "index")
        first = ingest(options.paths, folder, options.model)
        second = ingest(options.paths, folder, options.model)
        with KureIndex.open(folder) as index:
            wrong = chunks = 0
            for row in index.documents():
                document = index.document(row.id)
                assert document is not None
                for item in index._store.catalog.chunks_of(row.id):
                    chunks += 1
                    wrong += document.text[item.chunk.start : item.chunk.end] != item.chunk.text
            found = index.verify()
    for name, run in (("first run", first), ("second run", second)):
        said = ", ".join(f"{run['report'][status]} {status}" for status in ("added", "unchanged", "rejected"))
        pages = run["report"]["pages"]
        print(f"{name}: {said}; {pages} pages, {run['report']['chunks']} chunks")
        print(f"  {run['seconds']:.1f} s from start to exit ({pages / run['seconds']:.1f} pages/s), {run['mib']} MiB")
    print(f"second run / first run: {second['seconds'] / first['seconds']:.3f} of the time")
    print(f"chunks whose text is not document.text[start:end]: {wrong} of {chunks}")
    print(f"verify: {'clean' if found.ok else found.problems}")
    for row in first["report"]["rows"]:
        if row["status"] == "rejected":
            print(f"rejected {row['source']}: {row['reason']}")


def ingest(paths: list[Path], folder: Path, model: str) -> dict[str, Any]:
    began = time.monotonic()
    command = [sys.executable, "-m", "kure_rag", "ingest", *map(str, paths), "--index", str(folder), "--model", model]
    process = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    peak = [0]
    watcher = threading.Thread(target=watch, args=(process, peak), daemon=True)
    watcher.start()
    out, _ = process.communicate()
    return {"report": json.loads(out), "seconds": time.monotonic() - began, "mib": peak[0] // 2**20}


def watch(process: subprocess.Popen[bytes], peak: list[int]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], sum(map(resident, family(process.pid))))
        time.sleep(0.1)


def family(pid: int) -> list[int]:
    """A process and all below it."""
    out = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in task.read_text().split():
                out += family(int(child))
        except OSError:
            continue
    return out


def resident(pid: int) -> int:
    """Bytes of memory a process holds."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    except (OSError, IndexError):
        return 0


if __name__ == "__main__":
    main()
