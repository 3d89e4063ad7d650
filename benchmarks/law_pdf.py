"""Statute PDFs to chunks: pages a second, what came out, and how near it is to the statutes' own text.

    python benchmarks/law_pdf.py [FOLDER] [--scorer law_pdf_score.py] [--domain legal|auto|both] [--workers 2]

FOLDER holds the PDFs of statutes; without it `law_pdf` in the folder that the environment variable KURE_RAG_DATA names
is taken. Runs `kure-rag chunks` as a user would, in a process of its own: its start and the loading of Kiwi count. A
scorer is a script that reads the chunks' file, and the folder, and prints one line. ``--domain both`` runs once with
the domain given and once with it found out, and exits with 1 if the chunks are not the same.
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=default_folder())
    parser.add_argument("--scorer", type=Path)
    parser.add_argument("--domain", default="legal", choices=("legal", "auto", "both"))
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    pdfs = sorted(options.folder.glob("*.pdf")) if options.folder else []
    if not pdfs:
        parser.error("no PDFs: name their folder, or the one above law_pdf in KURE_RAG_DATA")
    pages = pages_of(pdfs)
    domains = ("legal", "auto") if options.domain == "both" else (options.domain,)
    cut = []
    with tempfile.TemporaryDirectory() as scratch:
        for domain in domains:
            out = Path(scratch, f"{domain}.jsonl")
            seconds = run(pdfs, out, domain, options.workers)
            cut.append([json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()])
            print(f"--domain {domain}")
            report(len(pdfs), pages, seconds, cut[-1])
            if options.scorer:
                command = [sys.executable, str(options.scorer), str(out), str(options.folder)]
                print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
    return compare(*cut) if options.domain == "both" else 0


def default_folder() -> Path | None:
    data = os.environ.get("KURE_RAG_DATA")
    return Path(data, "law_pdf") if data else None


def run(pdfs: list[Path], out: Path, domain: str, workers: int) -> float:
    command = [sys.executable, "-m", "kure_rag", "chunks", *map(str, pdfs), "--out", str(out)]
    command += ["--workers", str(workers), "--domain", domain]
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


def compare(given: list[dict[str, Any]], found_out: list[dict[str, Any]]) -> int:
    """The exit status: 1 where a file's chunks are not the same."""
    files = sorted({chunk["source"] for chunk in given + found_out})
    other = [name for name in files if of_file(given, name) != of_file(found_out, name)]
    print(
        f"files cut the same with the domain found out: {len(files) - len(other)}/{len(files)}"
        + ", not ".join(["", *other])
    )
    return int(bool(other))


def of_file(chunks: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [chunk for chunk in chunks if chunk["source"] == name]


if __name__ == "__main__":
    sys.exit(main())
