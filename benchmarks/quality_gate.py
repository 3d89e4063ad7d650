"""What comes out of pages whose text layer is not what they show, counted without asking the reader's own gate.

    python benchmarks/quality_gate.py PDF_DIR LAW_PDF_DIR [--ocr never]

Each page is sorted by the characters that PDFium gives for it, and what the reader and the chunkers made of it is
counted by three yardsticks that the gate does not use: characters that are no text by their Unicode category, Hangul
syllables outside KS X 1001 (the 2,350 that Korean was written with before Unicode; of those that a wrong character map
gives, four in five lie outside), and Hangul words that Kiwi's dictionary does not know. Printed are the pages that are
not plain, each with what came of it, the files that were rejected, and the sums of each kind of page. It ends with
status 1 if any character that is no text came out.
"""

from __future__ import annotations

import argparse
import functools
import re
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pypdfium2
from kiwipiepy import Kiwi

from kure_rag.chunk import chunk_document
from kure_rag.errors import ReadError
from kure_rag.read import ReadSettings, find_pdfs, read_pdf
from kure_rag.tokenize import KiwiTokenizer
from kure_rag.types import Chunk, Document

HANGUL = re.compile(r"[가-힣]")
MARK = "판독불가"
NO_TEXT = ("Cc", "Cn", "Co", "Cs")
KINDS = ("plain", "under 5% noise", "5% to 20% noise", "over 20% noise", "syllables of a wrong map", "no text")


@dataclass(slots=True)
class Counts:
    """What came of some pages."""

    pages: int = 0
    empty: int = 0
    ocr: int = 0
    letters: int = 0
    noise: int = 0
    rare: int = 0
    unknown: int = 0
    hangul: int = 0
    marks: int = 0

    def add(self, other: Counts) -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def __str__(self) -> str:
        unknown = 100 * self.unknown / max(1, self.hangul)
        return (
            f"{self.pages:5,} pages, {self.empty:3} empty, {self.ocr:3} by OCR, {self.letters:9,} letters,"
            f" noise {self.noise}, rare syllables {self.rare}, Hangul in words unknown to Kiwi {unknown:4.1f}%,"
            f" marks {self.marks}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--ocr", choices=("auto", "never", "always"), default="auto")
    options = parser.parse_args()
    kiwi, tokenizer = Kiwi(), KiwiTokenizer()
    kinds = {kind: Counts() for kind in KINDS}
    leaks = files = rejected = 0
    for found in find_pdfs(options.paths):
        files += 1
        data = found.path.read_bytes()
        try:
            document = read_pdf(data, found.path.name, settings=ReadSettings(ocr=options.ocr))
        except ReadError as error:
            rejected += 1
            print(f"rejected {error}")
            continue
        chunks = [item.chunk for item in chunk_document(document, tokenizer, terms=False)]
        leaks += report(document, chunks, raw_pages(data), kinds, kiwi)
    print(f"\n{files} files, {rejected} rejected, --ocr {options.ocr}; of the pages of the others:")
    for kind, counts in kinds.items():
        print(f"{kind:25} {counts}")
    print(f"characters that are no text in chunks, breadcrumbs and cells: {leaks}")
    return int(leaks > 0)


def raw_pages(data: bytes) -> list[str]:
    """What PDFium says the pages hold."""
    with pypdfium2.PdfDocument(data) as pdf:
        return [page.get_textpage().get_text_range(errors="surrogatepass") for page in pdf]


def report(
    document: Document, chunks: Sequence[Chunk], raw: Sequence[str], kinds: dict[str, Counts], kiwi: Kiwi
) -> int:
    """Prints the pages of a file that are not plain; the number of characters that are no text in what came out."""
    for page, before in zip(document.pages, raw, strict=True):
        text = document.text[page.start : page.end]
        kind, found = kind_of(before), counted(text, kiwi)
        found.ocr = int(page.ocr)
        kinds[kind].add(found)
        if kind != "plain" or found.noise or found.rare or unlike(found):
            print(f"{document.source[:40]} p.{page.number}: {kind} -> {'; '.join(page.warnings) or 'no warning'}")
            print(f"    {str(found).split('pages, ')[1]}: {' '.join(text.split())[:90]}")
    cells = (cell for table in document.tables for row in (table.header, *table.rows) for cell in row)
    return sum(map(noise, (document.title, *(chunk.contextualized() for chunk in chunks), *cells)))


def kind_of(raw: str) -> str:
    """By what the page's own characters are."""
    visible = [char for char in raw if char not in " \r\n\t\u00a0\u3000\ufffe"]
    if len(visible) < 3:
        return "no text"
    share = noise(raw) / len(visible)
    if share:
        return "under 5% noise" if share < 0.05 else "5% to 20% noise" if share < 0.2 else "over 20% noise"
    hangul = len(HANGUL.findall(raw))
    return "syllables of a wrong map" if rare(raw) >= max(3, 0.02 * hangul) else "plain"


def counted(text: str, kiwi: Kiwi) -> Counts:
    letters = len("".join(text.split()))
    words: list[Any] = kiwi.tokenize(text)
    unknown = sum(len(HANGUL.findall(word.form)) for word in words if not known(word.id, kiwi))
    hangul = len(HANGUL.findall(text))
    return Counts(1, int(not letters), 0, letters, noise(text), rare(text), unknown, hangul, text.count(MARK))


@functools.cache
def known(morpheme: int, kiwi: Kiwi) -> bool:
    """Words outside the dictionary share the entry of their tag, which has no form."""
    return bool(kiwi.morpheme(morpheme).form)


def unlike(found: Counts) -> bool:
    """Whether a page has more unknown words than a list of names has."""
    return found.hangul >= 30 and found.unknown >= 0.5 * found.hangul


def noise(text: str) -> int:
    """Characters that are no text; U+FFFE is PDFium's hyphen and is never passed on as itself."""
    codes = (char for char in text if char not in "\r\n\t\ufffe")
    return sum(char == "\ufffd" or unicodedata.category(char) in NO_TEXT for char in codes)


def rare(text: str) -> int:
    """Syllables outside KS X 1001, which the codec spells with eight bytes instead of two."""
    return sum(len(char.encode("euc_kr")) > 2 for char in HANGUL.findall(text))


if __name__ == "__main__":
    sys.exit(main())
