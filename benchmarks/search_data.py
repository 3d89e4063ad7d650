"""Passages, vectors, questions and the finished index that search_speed.py and add_speed.py take.

    python benchmarks/search_data.py ARTICLES.jsonl[.gz] FOLDER [--rows 100000] [--questions 300]

Passages are statute articles of about 600 characters (some 150 morphemes), put together from short ones; where they run
out they begin again with a number of their own, and are analysed once. Vectors are 1,024 random numbers around 1,000
centres, as passages of like content lie near each other. A question is a passage's heading with a few words of its
text; its vector lies near the passage's. Says how long each part took: analysing and Chroma's graph take nearly all.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kure_rag.index.rows import NewDocument
from kure_rag.index.store import IndexStore
from kure_rag.ingest import WorkerPool
from kure_rag.ingest.pool import TermsJob
from kure_rag.types import Chunk, Document, chunk_id

DIMENSION = 1024
CENTRES = 1000
LETTERS = 600
A_DOCUMENT = 100  # chunks
A_JOB = 100  # texts
NUMBER = " 관리번호 "


@dataclass(frozen=True, slots=True)
class SearchData:
    """What a folder holds.

    Attributes:
        folder: Where; the finished index is in ``index``.
        passages: Each with ``id``, ``title`` and ``text``.
        vectors: Shape (passages, 1024).
        questions: Vectors by text.
    """

    folder: Path
    passages: list[dict[str, str]]
    vectors: np.ndarray
    questions: dict[str, np.ndarray]

    @classmethod
    def read(cls, folder: Path) -> SearchData:
        texts = [json.loads(line)["text"] for line in (folder / "questions.jsonl").open(encoding="utf-8")]
        return cls(
            folder,
            [json.loads(line) for line in (folder / "passages.jsonl").open(encoding="utf-8")],
            np.load(folder / "vectors.npy", mmap_mode="r"),
            dict(zip(texts, np.load(folder / "questions.npy"), strict=True)),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("articles", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=300)
    options = parser.parse_args()
    began = time.perf_counter()
    write_inputs(options.articles, options.folder, options.rows, options.questions)
    print(f"passages, vectors and questions: {time.perf_counter() - began:.0f} s", flush=True)
    write_index(SearchData.read(options.folder))


def write_inputs(articles: Path, folder: Path, rows: int, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    texts = list(texts_of(articles, rows))
    vectors = clustered(rows)
    rng = np.random.default_rng(3)
    asked: dict[str, np.ndarray] = {}
    for i in rng.choice(rows, count, replace=False):
        title, text = texts[i]
        near = vectors[i] + 0.6 * rng.standard_normal(DIMENSION, dtype=np.float32) / np.sqrt(DIMENSION)
        asked[f"{title} {' '.join(text.split()[5:9])}"] = near / np.linalg.norm(near)
    write_lines(folder / "passages.jsonl", [{"id": str(i), "title": t, "text": x} for i, (t, x) in enumerate(texts)])
    write_lines(folder / "questions.jsonl", [{"id": str(i), "text": text} for i, text in enumerate(asked)])
    np.save(folder / "vectors.npy", vectors)
    np.save(folder / "questions.npy", np.stack(list(asked.values())).astype(np.float32))


def write_lines(file: Path, rows: Sequence[Mapping[str, str]]) -> None:
    file.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")


def texts_of(file: Path, rows: int) -> Iterator[tuple[str, str]]:
    """Headings and texts."""
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8") as lines:
        articles = [json.loads(line) for line in lines]
    packed, text, title = [], "", ""
    for article in articles:
        title = title or f"{article['law']} {article.get('title') or article['article']}"
        text = f"{text}\n{article['text']}" if text else article["text"]
        if len(text) >= LETTERS:
            packed.append((title, text[:LETTERS]))
            text = title = ""
    for i in range(rows):
        title, text = packed[i % len(packed)]
        yield title, f"{text}{NUMBER}{i:06}" if i >= len(packed) else text


def clustered(rows: int, seed: int = 7) -> np.ndarray:
    """Unit vectors around the centres."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((CENTRES, DIMENSION), dtype=np.float32)
    out = np.empty((rows, DIMENSION), dtype=np.float32)
    for i in range(0, rows, 10_000):
        part = out[i : i + 10_000]
        part[:] = centres[rng.integers(0, CENTRES, len(part))]
        part += rng.standard_normal(part.shape, dtype=np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return out


def write_index(data: SearchData) -> None:
    began = time.perf_counter()
    known = analysed([one["text"].partition(NUMBER)[0] for one in data.passages])
    print(f"analysing {len(known)} texts: {time.perf_counter() - began:.0f} s", flush=True)
    began = time.perf_counter()
    store = IndexStore(data.folder / "index", create=True)
    add(store, documents(data, known))
    store.close()
    print(f"catalog and views of {len(data.passages)} chunks: {time.perf_counter() - began:.0f} s", flush=True)


def analysed(texts: Sequence[str]) -> dict[str, list[str]]:
    """Terms by text, by as many processes as an ingest takes."""
    new = list(dict.fromkeys(texts))
    jobs = [TermsJob(new[i : i + A_JOB], "passages") for i in range(0, len(new), A_JOB)]
    known: dict[str, list[str]] = {}
    with WorkerPool() as pool:
        for job, found in pool.terms(jobs):
            if isinstance(found, Exception):
                raise found
            known.update(zip(job.texts, found, strict=True))
    return known


def documents(data: SearchData, known: Mapping[str, list[str]]) -> list[NewDocument]:
    """The passages as documents of a hundred chunks, with terms and vectors."""
    return [_document(data, known, at) for at in range(0, len(data.passages), A_DOCUMENT)]


def _document(data: SearchData, known: Mapping[str, list[str]], at: int) -> NewDocument:
    passages = data.passages[at : at + A_DOCUMENT]
    document = Document(
        id=hashlib.sha256(f"{at}".encode()).hexdigest(),
        source=f"{at:07}.pdf",
        title=passages[0]["title"],
        domain="legal",
        text="\n".join(one["text"] for one in passages),
    )
    chunks, terms, start = [], [], 0
    for number, one in enumerate(passages):
        text, end = one["text"], start + len(one["text"])
        id_ = chunk_id(document.id, start, end, text, "search_data")
        chunks.append(Chunk(id_, document.id, text, start, end, (number // 3 + 1,), (one["title"],), "article", number))
        head, _, tail = text.partition(NUMBER)
        terms.append(known[head] + (["관리", "번호", tail] if tail else []))
        start = end + 1
    return NewDocument(document, chunks, terms, np.asarray(data.vectors[at : at + len(passages)]))


def add(store: IndexStore, made: Sequence[NewDocument], step: int = 5_000) -> None:
    """Adds documents as an ingest does: the views are brought up after some thousand chunks."""
    a_step = step // A_DOCUMENT
    with store.writing():
        for i in range(0, len(made), a_step):
            store.catalog.add_many(made[i : i + a_step])
            store.catch_up()


if __name__ == "__main__":
    main()
