"""One large file with one reading process and with two, and the same for a folder of small files.

    python benchmarks/one_large_file.py LAW_PDF_DIR [--pages 300] [--workers 2] [--runs 3]

The large file is made of the folder's PDFs, one after the other. Processes are started before the clock is. Each
time is the best of the runs, from the job to the prepared document; what comes out must be the same.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pypdf import PdfReader, PdfWriter

from kure_rag.errors import ReadError
from kure_rag.ingest import WorkerPool
from kure_rag.ingest.messages import Prepared
from kure_rag.ingest.pool import PdfJob, TermsJob


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    small = sorted(options.folder.glob("*.pdf"))
    with tempfile.TemporaryDirectory() as scratch:
        large = merged(small, options.pages, Path(scratch, "large.pdf"))
        for terms, what in ((True, "with index terms"), (False, "without, as `kure-rag chunks` reads")):
            print(f"{what}:")
            compare(f"one file of {options.pages} pages", [large], terms, options.workers, options.runs)
            few = [path for path in small if len(PdfReader(path).pages) <= 32][:12]
            compare(f"{len(few)} files of up to 32 pages", few, terms, options.workers, options.runs)


def merged(paths: Sequence[Path], pages: int, out: Path) -> Path:
    writer = PdfWriter()
    for path in paths:
        for page in PdfReader(path).pages:
            if len(writer.pages) < pages:
                writer.add_page(page)
    writer.write(out)
    return out


def compare(what: str, paths: Sequence[Path], terms: bool, workers: int, runs: int) -> None:
    jobs = [PdfJob(path, path.name, terms=terms) for path in paths]
    alone, first = best(jobs, 1, runs)
    together, second = best(jobs, workers, runs)
    same = "the same documents and chunks" if first == second else "DIFFERENT documents or chunks"
    ratio = f"{together / alone:.2f} of the time"
    print(f"  {what}: 1 worker {alone:.2f} s, {workers} workers {together:.2f} s, {ratio}; {same}")


def best(jobs: Sequence[PdfJob], workers: int, runs: int) -> tuple[float, list[Prepared | ReadError]]:
    with WorkerPool(workers=workers) as pool:
        warm = [TermsJob(["준비 " * 2_000], "warm")] * (2 * workers)
        list(pool.terms(warm))  # all children are up
        times = []
        for _ in range(runs):
            began = time.perf_counter()
            answers = [answer for _, answer in pool.prepare(jobs)]
            times.append(time.perf_counter() - began)
    return min(times), answers


if __name__ == "__main__":
    main()
