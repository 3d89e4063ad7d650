"""How many chunks begin or end inside a word.

    python benchmarks/chunk_edges.py FOLDER_OR_PDF ...

An edge is inside a word if letters or digits stand on both of its sides, or if a morpheme that Kiwi finds in the whole
line spans it. The last column looks further: edges between two lines that Kiwi would write as one word, which the
reader should have joined. Both edges of each chunk count, except where the document begins and ends.
"""

from __future__ import annotations

import argparse
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path

from kure_rag.chunk.markers import find_marker
from kure_rag.errors import ReadError
from kure_rag.ingest import WorkerPool
from kure_rag.ingest.files import file_name
from kure_rag.ingest.messages import Prepared
from kure_rag.ingest.pool import PdfJob
from kure_rag.read import find_pdfs
from kure_rag.tokenize import KiwiTokenizer
from kure_rag.tokenize.kiwi import shared_kiwi


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--examples", type=int, default=0, metavar="N", help="print the first N edges inside words")
    options = parser.parse_args()
    totals = [0, 0, 0]
    shown = 0
    print(f"{'edges':>7} {'inside':>7} {'share':>7} {'wrapped':>8}  file")
    for prepared in read(options.paths):
        edges = sorted(set(edges_of(prepared)))
        inside = list(inside_words(prepared.document.text, edges))
        wrapped = wrapped_words(prepared.document.text, edges)
        row = (len(edges), len(inside), len(wrapped))
        totals = [total + own for total, own in zip(totals, row, strict=True)]
        print(line(*row, prepared.document.source))
        for edge in [*inside, *wrapped][: max(0, options.examples - shown)]:
            shown += 1
            text = prepared.document.text
            print(f"        {text[max(0, edge - 30) : edge]!r} | {text[edge : edge + 30]!r}")
    print(line(*totals, "all"))


def read(paths: list[Path]) -> Iterator[Prepared]:
    jobs = [PdfJob(found.path, file_name(found.path)) for found in find_pdfs(paths) if found.error is None]
    with WorkerPool(workers=2) as pool:
        for job, answer in pool.prepare(jobs):
            if isinstance(answer, ReadError):
                print(f"{'-':>7} {'-':>7} {'-':>7} {'-':>8}  {job.name} (rejected)")
            else:
                yield answer


def edges_of(prepared: Prepared) -> Iterator[int]:
    """Where chunks begin and end, without the document's own ends."""
    chunks = [item.chunk for item in prepared.chunks]
    for chunk in chunks:
        if chunk is not chunks[0]:
            yield chunk.start
        if chunk is not chunks[-1]:
            yield chunk.end


def inside_words(text: str, edges: Iterable[int]) -> Iterator[int]:
    """The edges inside a word of their line."""
    starts = [0, *(i + 1 for i, char in enumerate(text) if char == "\n")]
    for edge in edges:
        if text[edge - 1].isalnum() and text[edge].isalnum():
            yield edge
            continue
        begin = starts[bisect_right(starts, edge) - 1]
        end = text.find("\n", begin)
        words = text[begin : end if end >= 0 else len(text)]
        at = edge - begin
        if words[:at].strip() and words[at:].strip():
            tokens = shared_kiwi().tokenize(words)
            if any(token.start < at < token.end for token in tokens):
                yield edge


def wrapped_words(text: str, edges: Iterable[int]) -> list[int]:
    """The chunk ends at a line's end where no space belongs between the two lines."""
    asked = []
    for edge in edges:
        after = text[edge:].lstrip() if text[edge : edge + 1].isspace() else ""
        gap = len(text) - edge - len(after)
        joined = text[edge : edge + gap].count("\n") == 1 and find_marker(after[:20]) is None
        if after and joined and is_hangul(text[edge - 1]) and is_hangul(after[0]):
            begin = text.rfind("\n", 0, edge) + 1
            asked.append((edge, (text[begin:edge], after.partition("\n")[0])))
    spaced = KiwiTokenizer().space_at([pair for _, pair in asked]) if asked else []
    return [edge for (edge, _), space in zip(asked, spaced, strict=True) if not space]


def is_hangul(char: str) -> bool:
    return "가" <= char <= "힣"


def line(edges: int, inside: int, wrapped: int, name: str) -> str:
    return f"{edges:7} {inside:7} {inside / max(1, edges):7.2%} {wrapped:8}  {name}"


if __name__ == "__main__":
    main()
