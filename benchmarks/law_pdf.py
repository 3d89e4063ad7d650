"""Statute PDFs to chunks: pages a second, what came out, and how near it is to the statutes' own text.

    python benchmarks/law_pdf.py [FOLDER] [--scorer law_pdf_score.py] [--domain auto] [--workers 2]

FOLDER holds the PDFs of statutes; without it `law_pdf` in the folder that the environment variable KURE_RAG_DATA names
is taken. Runs `kure-rag chunks` as a user would, in a process of its own: its start and the loading of Kiwi count. A
scorer is a script that reads the chunks' file, and the folder, and prints one line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=default_folder())
    parser.add_argument("--scorer", type=Path)
    parser.add_argument("--domain", default="legal", choices=("legal", "auto"))
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    pdfs = sorted(options.folder.glob("*.pdf")) if options.folder else []
    if not pdfs:
        parser.error("no PDFs: name their folder, or the one above law_pdf in KURE_RAG_DATA")
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "chunks.jsonl")
        seconds = run(pdfs, out, options.domain, options.workers)
        chunks = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        report(len(pdfs), pages_of(pdfs), seconds, chunks)
        if options.scorer:
            command = [sys.executable, str(options.scorer), str(out), str(options.folder)]
            print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def default_folder() -> Path | None:
    data = os.environ.get("KURE_RAG_DATA")
    return Path(data, "law_pdf") if data else None


def run(pdfs: list[Path], out: Path, domain: str, workers: int) -> float:
    command = [sys.executable, "-m", "kure_rag", "chunks", *map(str, pdfs), "--out", str(out)]
    command += ["--workers", str(workers), *([] if domain == "auto" else ["--domain", domain])]
    began = time.monotonic()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return time.monotonic() - began


def pages_of(pdfs: list[Path]) -> int:
    import pypdfium2

    return sum(len(pypdfium2.PdfDocument(path)) for path in pdfs)


def report(files: int, pages: int, seconds: float, chunks: list[dict[str, Any]]) -> None:
    lengths = sorted(len(chunk["text"]) for chunk in chunks)
    kinds = Counter(chunk["kind"] for chunk in chunks)
    print(f"{files} files, {pages} pages in {seconds:.1f} s from start to exit: {pages / seconds:.1f} pages/s")
    print(f"{len(chunks)} chunks: " + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
    print(f"characters a chunk: median {lengths[len(lengths) // 2]}, longest {lengths[-1]}")
    print(f"with a lead-in: {sum(bool(chunk.get('lead')) for chunk in chunks)}")


if __name__ == "__main__":
    main()
