"""Pages whose text layer is not what they show, and what became of them.

    python benchmarks/quality_gate.py PDF_DIR LAW_PDF_DIR [--ocr never]

For each page that was flagged: the verdict on its text layer, what it was read by in the end, and how much text came
of it. Then the files that were rejected, and the counts.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

from kure_rag.errors import ReadError
from kure_rag.read import ReadSettings, find_pdfs, quality, read_pdf
from kure_rag.read.pdfium import PdfFile
from kure_rag.read.rescue import judged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--ocr", choices=("auto", "never", "always"), default="auto")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    for found in find_pdfs(options.paths):
        counts["files"] += 1
        report(found.path, ReadSettings(ocr=options.ocr, tables=False), counts)
    print(", ".join(f"{count} {name}" for name, count in counts.most_common()))


def report(path: Path, settings: ReadSettings, counts: Counter[str]) -> None:
    data = path.read_bytes()
    began = time.monotonic()
    try:
        document = read_pdf(data, path.name, settings=settings)
    except ReadError as error:
        counts["files rejected"] += 1
        print(f"rejected {error}")
        return
    counts["pages"] += len(document.pages)
    with PdfFile(data, path.name) as pdf:
        for page in document.pages:
            before = judged(pdf, pdf.page(page.number))
            if not before and not page.warnings:
                continue
            text = document.text[page.start : page.end]
            counts.update(f"pages: {warning}" for warning in before)
            counts["pages recognised"] += page.ocr
            noise = quality.is_unreadable(page.warnings) and bool(text.strip())
            counts["pages of noise passed on"] += noise
            shown = " ".join(text.split())[:60]
            print(
                f"{path.name} p.{page.number}: {'; '.join(before) or 'sound'} -> {'; '.join(page.warnings) or 'sound'}"
                f"{' [OCR]' if page.ocr else ''}, {len(text):,} characters: {shown}"
            )
    if time.monotonic() - began > 10:
        print(f"{path.name}: {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
