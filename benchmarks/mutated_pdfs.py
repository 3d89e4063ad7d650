"""Mutated and hostile PDFs through the ingestor: crashes, hangs and the parent's memory.

    python benchmarks/mutated_pdfs.py [--count 2000] [--seed 1] [--data FOLDER]

Every file must end as chunks or as a rejected file with a reason. A child process that dies is counted and named, since
each is a file that a careful reader would have refused; the parent must not notice more than that.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from mutate import mutated

from kure_rag.errors import ReadCrashError, ReadError
from kure_rag.ingest import WorkerPool
from kure_rag.ingest.pool import PdfJob
from kure_rag.read import ReadLimits, ReadSettings
from kure_rag.samples import sample_paths

PAGE = resource.getpagesize()
SECONDS, PAGE_SECONDS = 30.0, 10.0


def memory() -> int:
    """Resident bytes of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE


def bases(folder: Path | None) -> list[bytes]:
    paths = list(sample_paths())
    if folder is not None:
        paths += [path for path in sorted(folder.rglob("*.pdf")) if path.stat().st_size < 300_000]
    return [path.read_bytes() for path in paths]


def jobs(folder: Path, data: Path | None, count: int, seed: int) -> Iterator[PdfJob]:
    for number, (kind, content) in enumerate(mutated(bases(data), count, seed)):
        path = folder / f"{number}.pdf"
        path.write_bytes(content)
        yield PdfJob(path, f"{number} {kind}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, help="a folder of real PDFs to mutate too (small ones are taken)")
    parser.add_argument("--ocr", action="store_true", help="recognise pages that lost their text too: takes far longer")
    options = parser.parse_args()
    settings = ReadSettings(ocr="auto" if options.ocr else "never")
    limits = ReadLimits(max_seconds=SECONDS, max_page_seconds=PAGE_SECONDS, max_memory=2**30)
    outcome: Counter[str] = Counter()
    slowest = (0.0, "")
    with tempfile.TemporaryDirectory() as temporary, WorkerPool(workers=2, limits=limits, read=settings) as pool:
        before = last = time.monotonic()
        first = memory()
        for job, answer in pool.prepare(jobs(Path(temporary), options.data, options.count, options.seed)):
            now = time.monotonic()
            slowest, last = max(slowest, (now - last, job.name)), now
            kind = type(answer).__name__ if isinstance(answer, ReadError) else "chunked"
            outcome[kind] += 1
            if isinstance(answer, ReadCrashError):
                print(f"a child died: {job.name}: {answer.reason}")
            job.path.unlink()
            if sum(outcome.values()) == 50:
                first = memory()  # what the first files made the parent load is not growth
        grown = memory() - first
        seconds = time.monotonic() - before
    print(f"{sum(outcome.values())} files, seed {options.seed}, {seconds:.0f} s: {dict(outcome.most_common())}")
    died = outcome["ReadCrashError"]
    print(f"children that died: {died}; longest wait for one answer {slowest[0]:.1f} s ({slowest[1]})")
    print(f"parent's memory grew by {grown / 2**20:.1f} MiB")
    hung = slowest[0] > SECONDS + 15
    return int(sum(outcome.values()) != options.count or hung or grown > 50 * 2**20)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.exit(main())
