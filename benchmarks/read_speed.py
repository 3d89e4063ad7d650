"""Reading and chunking speed on a folder of PDFs, as ratios in one run.

    python benchmarks/read_speed.py LAW_PDF_DIR [--every 4]

The stock stack is measured where it is installed, best in an environment of its own that --stock-python names:

    pip install langchain-community langchain-text-splitters pdfplumber pypdf

Rates of one process are of seconds of computing, the median of five passes over each file; raw text and reading take
turns, file by file, so that a busy machine slows both alike. `kure-rag chunks` is a process of its own, from its start
to its exit, with two reading processes; the stock stack reads every --every'th file, since it takes minutes for all.
"""

from __future__ import annotations

import argparse
import io
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pypdf
import pypdfium2

from kure_rag.read import ReadSettings, read_pdf

PASSES = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=4, help="the stock stack reads every N'th file")
    parser.add_argument("--stock-python", default=sys.executable, help="the interpreter that has the stock stack")
    options = parser.parse_args()
    paths = sorted(options.folder.rglob("*.pdf"))
    files = [(path.name, path.read_bytes()) for path in paths]
    count = sum(len(pypdfium2.PdfDocument(data)) for _, data in files)
    print(f"{len(paths)} files, {count} pages")
    words = ReadSettings(tables=False, ocr="never")
    raw, text_only, whole = rates(
        files,
        count,
        lambda _, data: raw_text(data),
        lambda name, data: read_pdf(data, name, settings=words),
        lambda name, data: read_pdf(data, name),
    )
    chunked, peak = chunks(paths, count)
    alone, _ = chunks(paths, count, workers=1)
    print(f"raw pypdfium2 text, one process        {raw:7.1f} pages/s")
    print(f"read_pdf without tables, without OCR   {text_only:7.1f} pages/s  {text_only / raw:.2f} of raw")
    print(f"read_pdf with tables, one process      {whole:7.1f} pages/s  {whole / raw:.2f} of raw")
    print(f"kure-rag chunks, start to exit         {chunked:7.1f} pages/s  {peak / 2**20:.0f} MiB for all processes")
    print(f"the same with one reading process      {alone:7.1f} pages/s")
    some = paths[:: options.every]
    stock = stock_stack(some, options.stock_python)
    if stock is None:
        print("stock stack: not installed (see --help)")
    else:
        print(f"PyPDFLoader + Recursive… + pdfplumber  {stock:7.1f} pages/s ({len(some)} files)")
        print(f"kure-rag chunks / stock stack: {chunked / stock:.1f}, with one reading process {alone / stock:.1f}")
    book = merged(files, 300)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "book.pdf")
        path.write_bytes(book)
        speed, peak = chunks([path], 300)
    print(f"one file of 300 pages: {speed:.1f} pages/s, {peak / 2**20:.0f} MiB for all processes")
    return 0


def rates(files: Sequence[tuple[str, bytes]], pages: int, *ways: Callable[[str, bytes], object]) -> list[float]:
    """Pages a second of each way to read the files."""
    totals = [0.0] * len(ways)
    for name, data in files:
        seconds: list[list[float]] = [[] for _ in ways]
        for _ in range(PASSES):
            for way, spent in zip(ways, seconds, strict=True):
                began = time.thread_time()
                way(name, data)
                spent.append(time.thread_time() - began)
        totals = [total + statistics.median(spent) for total, spent in zip(totals, seconds, strict=True)]
    return [pages / total for total in totals]


def raw_text(data: bytes) -> None:
    pdf = pypdfium2.PdfDocument(data)
    for page in pdf:
        text = page.get_textpage()
        text.get_text_range()
        text.close()
        page.close()
    pdf.close()


def chunks(paths: Sequence[Path], pages: int, workers: int = 2) -> tuple[float, int]:
    """Pages a second of the command, and the largest sum of its processes' resident sets."""
    began = time.perf_counter()
    command = [
        sys.executable,
        "-m",
        "kure_rag",
        "chunks",
        *map(str, paths),
        "--workers",
        str(workers),
        "--out",
        "/dev/null",
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    peak = [0]
    watcher = threading.Thread(target=watch, args=(process, peak), daemon=True)
    watcher.start()
    assert process.wait() == 0
    seconds = time.perf_counter() - began
    watcher.join()
    return pages / seconds, peak[0]


def watch(process: subprocess.Popen[bytes], peak: list[int]) -> None:
    while process.poll() is None:
        family = [process.pid]
        for pid in family:
            try:
                for task in Path(f"/proc/{pid}/task").iterdir():
                    family += map(int, (task / "children").read_text().split())
            except OSError:
                continue
        peak[0] = max(peak[0], sum(map(resident, family)))
        time.sleep(0.1)


def resident(pid: int) -> int:
    try:
        return 4096 * int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0


def stock_stack(paths: Sequence[Path], python: str) -> float | None:
    """Pages a second of benchmarks/stock_stack.py."""
    script = Path(__file__).with_name("stock_stack.py")
    run = subprocess.run([python, str(script), *map(str, paths)], capture_output=True, text=True)
    return float(run.stdout) if run.returncode == 0 else None


def merged(files: Sequence[tuple[str, bytes]], pages: int) -> bytes:
    """The first pages of some files as one."""
    writer = pypdf.PdfWriter()
    for _, data in files:
        for page in pypdf.PdfReader(io.BytesIO(data)).pages:
            if len(writer.pages) < pages:
                writer.add_page(page)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main())
