"""Hybrid search end to end, without the embedding, and the same by stock parts, in one run.

    python benchmarks/search_speed.py ARTICLES.jsonl[.gz] [--rows 100000] [--queries 300] [--stock] [--index FOLDER]

The index is written through the catalog: passages are statute articles of about 600 characters, told apart by a word of
their own, and random clustered vectors of 1,024 numbers. Queries are articles' headings with a few words of their text.
Prints p50 and p99 in milliseconds of each part and of the whole with each dense engine. ``--stock`` adds what projects
put together by hand: BM25 over words in memory and Chroma with cosine, fused by reciprocal ranks, as LangChain's
EnsembleRetriever does it (its BM25Retriever is rank-bm25, its fusion that of ``_stock``).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kure_rag.index.rows import NewDocument
from kure_rag.index.store import IndexStore
from kure_rag.search import Searcher, SearchOptions
from kure_rag.search.candidates import Candidates
from kure_rag.search.fusion import convex
from kure_rag.search.helpers import questions
from kure_rag.search.legs import dense_rankings, lexical_rankings
from kure_rag.search.ranking import ranked
from kure_rag.search.stages import first_hits
from kure_rag.tokenize import KiwiTokenizer
from kure_rag.types import Chunk, Document, chunk_id

DIMENSION = 1024
LETTERS = 600
A_DOCUMENT = 100


class ReadyVectors:
    """An embedder that has every vector ready: what it takes is not measured."""

    name = "ready"
    dense_weight = 0.5
    fingerprint: Mapping[str, str] = {"model": "ready"}

    def __init__(self, vectors: Mapping[str, np.ndarray]) -> None:
        self._vectors = vectors

    def embed_queries(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([self._vectors[text] for text in texts])

    embed_passages = embed_queries


def passages(file: Path, rows: int) -> Iterator[tuple[str, str]]:
    """Headings and texts; where articles run out they begin again under another name."""
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8") as lines:
        articles = [json.loads(line) for line in lines]
    packed, text, title = [], "", ""
    for article in articles:
        title = title or f"{article['law']} {article.get('title') or article['article']}"
        text = f"{text}\n{article['text']}" if text else article["text"]
        if len(text) >= LETTERS:
            packed += [(title, text[:LETTERS])]
            text = title = ""
    for i in range(rows):
        title, text = packed[i % len(packed)]
        yield title, f"{text} 관리번호 {i:06}" if i >= len(packed) else text


def cluster_vectors(rows: int, seed: int = 7) -> np.ndarray:
    """Unit vectors around 1,000 centres."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((1000, DIMENSION), dtype=np.float32)
    out = np.empty((rows, DIMENSION), dtype=np.float32)
    for i in range(0, rows, 10_000):
        part = out[i : i + 10_000]
        part[:] = centres[rng.integers(0, 1000, len(part))]
        part += rng.standard_normal(part.shape, dtype=np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return out


def write(store: IndexStore, texts: Sequence[tuple[str, str]], vectors: np.ndarray) -> None:
    tokenizer = KiwiTokenizer()
    known: dict[str, list[str]] = {}
    with store.writing():
        for i in range(0, len(texts), 10 * A_DOCUMENT):
            step = range(i, min(i + 10 * A_DOCUMENT, len(texts)), A_DOCUMENT)
            heads = [text.partition(" 관리번호 ")[0] for _, text in texts[i : i + 10 * A_DOCUMENT]]
            new = [head for head in dict.fromkeys(heads) if head not in known]
            known.update(zip(new, tokenizer.terms_batch(new), strict=True))
            store.catalog.add_many([_document(at, texts[at : at + A_DOCUMENT], known, vectors) for at in step])
            if (i // (10 * A_DOCUMENT)) % 5 == 4:
                store.catch_up()


def _document(
    at: int, texts: Sequence[tuple[str, str]], known: Mapping[str, list[str]], vectors: np.ndarray
) -> NewDocument:
    whole = "\n".join(text for _, text in texts)
    document = Document(hashlib.sha256(f"{at}".encode()).hexdigest(), f"{at:07}.pdf", texts[0][0], "legal", whole)
    chunks, terms, start = [], [], 0
    for number, (title, text) in enumerate(texts):
        end = start + len(text)
        id_ = chunk_id(document.id, start, end, text, "search_speed")
        chunks.append(Chunk(id_, document.id, text, start, end, (number // 3 + 1,), (title,), "article", number))
        head, _, tail = text.partition(" 관리번호 ")
        terms.append(known[head] + (["관리", "번호", tail] if tail else []))
        start = end + 1
    return NewDocument(document, chunks, terms, vectors[at : at + len(texts)])


def timed(calls: Sequence[Callable[[], Any]]) -> tuple[float, float]:
    """p50 and p99 in milliseconds, after a tenth of them once to warm up."""
    for call in calls[: max(1, len(calls) // 10)]:
        call()
    taken = []
    for call in calls:
        began = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken), float(np.percentile(taken, 99))


def line(name: str, found: tuple[float, float]) -> None:
    print(f"  {name:42} p50 {found[0]:8.2f} ms   p99 {found[1]:8.2f} ms", flush=True)


def parts(store: IndexStore, asked: Mapping[str, np.ndarray]) -> None:
    """Each part by itself."""
    tokenizer, catalog, options = KiwiTokenizer(), store.catalog, SearchOptions()
    texts = list(asked)
    line("Kiwi and letter pairs", timed([lambda t=t: questions(tokenizer, [t]) for t in texts]))
    ready = dict(zip(texts, questions(tokenizer, texts), strict=True))
    with store.views() as views:
        line("keyword leg", timed([lambda t=t: lexical_rankings(views.lexical, [ready[t]], 100, None) for t in texts]))
        for engine in ("quantized", "exact", "chroma"):
            some = texts if engine != "exact" else texts[:40]
            how = SearchOptions(dense=engine)
            line(
                f"dense leg, {engine}",
                timed(
                    [
                        lambda t=t, h=how: dense_rankings(catalog, views, views.matrix, asked[t][None], 100, None, h)
                        for t in some
                    ]
                ),
            )
        legs = {
            t: {
                "lexical": lexical_rankings(views.lexical, [ready[t]], 100, None)[0],
                "dense": dense_rankings(
                    catalog, views, views.matrix, asked[t][None], 100, None, SearchOptions(dense="quantized")
                )[0],
            }
            for t in texts
        }

        def fuse(text: str) -> Any:
            candidates = Candidates.of(legs[text])
            candidates.scored("dense", *views.matrix.score(asked[text], candidates.unsaid("dense")))
            return ranked(candidates, "hybrid", convex(0.5))

        line("missing cosines and fusion", timed([lambda t=t: fuse(t) for t in texts]))
        rankings = {t: fuse(t) for t in texts}
        line(
            f"fetching {options.k} chunks",
            timed([lambda t=t: first_hits(catalog, rankings[t], 10, views.visible, headings=False) for t in texts]),
        )


def whole(store: IndexStore, asked: Mapping[str, np.ndarray]) -> float:
    """The search as a user calls it; the embedder has its vectors ready. Returns the p50 of the default."""
    searcher = Searcher(store, KiwiTokenizer(), ReadyVectors(asked))
    texts = list(asked)
    found = {}
    for engine in ("quantized", "chroma"):
        found[engine] = timed([lambda t=t, e=engine: searcher.search(t, dense=e) for t in texts])
        line(f"hybrid end to end, {engine}", found[engine])
    began = time.perf_counter()
    searcher.search_batch(texts, dense="quantized")
    each = 1000 * (time.perf_counter() - began) / len(texts)
    print(f"  {f'hybrid, {len(texts)} queries in one call, quantized':42} {each:8.2f} ms a query", flush=True)
    searcher.close()
    return min(p50 for p50, _ in found.values())


def stock(
    texts: Sequence[tuple[str, str]], vectors: np.ndarray, asked: Mapping[str, np.ndarray], scratch: Path
) -> float:
    """rank-bm25 over words and Chroma with documents, reciprocal ranks. Returns the p50."""
    import chromadb
    from chromadb.config import Settings
    from rank_bm25 import BM25Okapi

    bodies = [text for _, text in texts]
    bm25 = BM25Okapi([body.split() for body in bodies])
    client = chromadb.PersistentClient(str(scratch / "stock"), settings=Settings(anonymized_telemetry=False))
    collection = client.create_collection("stock", embedding_function=None, configuration={"hnsw": {"space": "cosine"}})
    ids = [str(i) for i in range(len(bodies))]
    for i in range(0, len(ids), 5000):
        part = slice(i, i + 5000)
        collection.add(ids=ids[part], embeddings=vectors[part], documents=bodies[part])

    def ensemble(query: str) -> list[str]:
        words = [bodies[i] for i in np.argsort(-bm25.get_scores(query.split()))[:10]]
        near = collection.query(query_embeddings=asked[query][None], n_results=10)["documents"][0]
        scores: dict[str, float] = {}
        for ranking in (words, near):
            for rank, text in enumerate(ranking, 1):
                scores[text] = scores.get(text, 0.0) + 0.5 / (60 + rank)
        return sorted(scores, key=lambda text: -scores[text])[:10]

    found = timed([lambda t=t: ensemble(t) for t in list(asked)[:30]])
    line("stock: rank-bm25 on words + Chroma + RRF", found)
    return found[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("articles", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--stock", action="store_true")
    parser.add_argument("--index", type=Path, help="keep the index here, and use one that is there")
    options = parser.parse_args()
    texts = list(passages(options.articles, options.rows))
    vectors = cluster_vectors(options.rows)
    rng = np.random.default_rng(3)
    asked = {}
    for i in rng.choice(len(texts), options.queries, replace=False):
        words = texts[i][1].split()
        near = vectors[i] + 0.6 * rng.standard_normal(DIMENSION, dtype=np.float32) / np.sqrt(DIMENSION)
        asked[f"{texts[i][0]} {' '.join(words[5:9])}"] = (near / np.linalg.norm(near)).astype(np.float32)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.index or Path(scratch, "index")
        fresh = not (folder / "catalog.sqlite3").exists()
        began = time.perf_counter()
        store = IndexStore(folder, create=True)
        if fresh:
            write(store, texts, vectors)
        print(f"{options.rows} chunks, {len(asked)} queries; index ready in {time.perf_counter() - began:.0f} s")
        parts(store, asked)
        ours = whole(store, asked)
        store.close()
        if options.stock:
            theirs = stock(texts, vectors, asked, Path(scratch))
            print(f"  stock / ours: {theirs / ours:.0f}x")


if __name__ == "__main__":
    main()
