"""Adding chunks that have their terms and vectors, and the same to LangChain's Chroma with documents, in one run.

    python benchmarks/search_data.py ARTICLES.jsonl.gz FOLDER
    python benchmarks/add_speed.py FOLDER [--rows 100000] [--stock-python PYTHON]

Ours: a catalog transaction and all three views (keywords, matrix, Chroma's graph) brought up for each 5,000 chunks, on
disk when it returns. Theirs: ``Chroma.add_texts`` of langchain-chroma at its defaults, 5,000 texts a call, with vectors
that are ready; it has no keywords. --stock-python names the interpreter that has what stock_search.py asks for.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from search_data import A_DOCUMENT, NUMBER, SearchData, add, documents, write_lines

from kure_rag.index import filling
from kure_rag.index.rows import NewDocument
from kure_rag.index.store import IndexStore


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, help="only so many of them")
    parser.add_argument("--stock-python", default=sys.executable, help="the interpreter that has langchain-chroma")
    options = parser.parse_args()
    data = SearchData.read(options.folder)
    rows = min(options.rows or len(data.passages), len(data.passages)) // A_DOCUMENT * A_DOCUMENT
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        ours = rows / our_seconds(with_terms(data, rows), Path(scratch))
        theirs = rows / their_seconds(data, rows, Path(scratch), options.stock_python)
    print(f"langchain-chroma with documents {theirs:8.0f} chunks/s")
    print(f"ours / theirs: {ours / theirs:.2f}")


def with_terms(data: SearchData, rows: int) -> list[NewDocument]:
    """The passages with the terms that the finished index keeps."""
    store = IndexStore(data.folder / "index", create=False)
    try:
        kept = store.catalog.keywords([row for row, _ in store.catalog.all_rows()][:rows])
    finally:
        store.close()
    texts = [one["text"].partition(NUMBER)[0] for one in data.passages[:rows]]
    known: dict[str, list[str]] = {}
    for text, keywords in zip(texts, kept.values(), strict=True):
        known.setdefault(text, keywords.terms.split())
    return documents(SearchData(data.folder, data.passages[:rows], data.vectors, data.questions), known)


def our_seconds(made: list[NewDocument], scratch: Path) -> float:
    spent: Counter[str] = Counter()
    add_to = filling.add_to

    def watched(view, catalog, rows):  # type: ignore[no-untyped-def]
        began = time.perf_counter()
        add_to(view, catalog, rows)
        spent[type(view).__name__] += time.perf_counter() - began

    store = IndexStore(scratch / "ours", create=True)
    add(store, made[:1])  # imports and opens what there is
    filling.add_to = watched
    began = time.perf_counter()
    try:
        add(store, made[1:])
    finally:
        filling.add_to = add_to
    took = time.perf_counter() - began
    count = sum(len(one.chunks) for one in made[1:])
    store.close()
    parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in spent.most_common())
    print(f"ours                            {count / took:8.0f} chunks/s: {took:.1f} s ({parts})", flush=True)
    return took * (count + len(made[0].chunks)) / count


def their_seconds(data: SearchData, rows: int, scratch: Path, python: str) -> float:
    write_lines(scratch / "passages.jsonl", data.passages[:rows])
    np.save(scratch / "vectors.npy", data.vectors[:rows])
    for name in ("questions.jsonl", "questions.npy"):
        (scratch / name).write_bytes((data.folder / name).read_bytes())
    script = Path(__file__).with_name("stock_search.py")
    run = subprocess.run([python, str(script), str(scratch), "--add-only"], stdout=subprocess.PIPE, check=True)
    return float(json.loads(run.stdout)["chroma_seconds"])


if __name__ == "__main__":
    main()
