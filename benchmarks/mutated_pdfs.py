"""Mutated and hostile PDFs through the ingestor: crashes, hangs and the parent's memory.

    python benchmarks/mutated_pdfs.py [--count 2000] [--seed 1] [--data FOLDER]

Every file must end as chunks or as a rejected file with a reason. The exit status is 1, with what was wrong, for a file
without an answer, a wait over the time limit, a parent that grew by 50 MB or more, and a child that crashed. A child
that aborts as pdfium does at its memory limit is no crash if its file ends in another way with four times the memory.
Linux only: elsewhere there is no memory limit.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from mutate import mutated
from mutated_run import Account, die_again

from kure_rag.errors import ReadCrashError
from kure_rag.ingest import WorkerPool
from kure_rag.ingest.pool import PdfJob
from kure_rag.read import ReadLimits, ReadSettings
from kure_rag.samples import sample_paths

LIMITS = ReadLimits(max_seconds=30.0, max_page_seconds=10.0, max_memory=2**30)
# A page's time must be over before a fast machine has filled four times the memory.
MORE = dataclasses.replace(LIMITS, max_memory=4 * LIMITS.max_memory, max_page_seconds=LIMITS.max_page_seconds / 4)


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
    account = Account(max_seconds=LIMITS.max_seconds)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        with WorkerPool(workers=2, limits=LIMITS, read=settings) as pool:
            made = jobs(Path(temporary), options.data, options.count, options.seed)
            for job, answer in account.watch(pool, made):
                if not isinstance(answer, ReadCrashError):
                    job.path.unlink()
        seconds = time.monotonic() - began
        with WorkerPool(workers=1, limits=MORE, read=settings) as pool:
            account.crashes += die_again(pool, account.starved)
    print(
        f"{account.outcome.total()} files, seed {options.seed}, {seconds:.0f} s: {dict(account.outcome.most_common())}"
    )
    print(f"children that crashed: {len(account.crashes)}; that died at their memory limit: {len(account.starved)}")
    for job in account.starved:
        print(f"    {job.name}")
    print(f"longest wait for one answer {account.longest[0]:.1f} s ({account.longest[1]})")
    print(f"parent's memory grew by {account.growth / 1e6:.1f} MB")
    faults = account.faults(options.count)
    for fault in faults:
        print(f"FAULT: {fault}")
    return int(bool(faults))


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.exit(main())
