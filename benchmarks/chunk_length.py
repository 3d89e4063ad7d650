"""How long should a chunk be? Retrieval quality over target lengths, from documents put together of known passages.

    python benchmarks/chunk_length.py SETS [--queries 1500] [--targets 200 300 400 500 600 800 1000 1500]

Two sets. KorQuAD dev: the paragraphs of one article are one document, and a chunk is right if it holds the answer
inside the paragraph the question was written for. Statutes: the articles of one law are one document without its
headings, and a chunk is right if most of it, or of the article, is the article whose heading the query names.

For each target: chunks, and for the keyword leg and for the hybrid with the bundled model

- MRR@10 and nDCG@10. A query for which no chunk is right, because its answer was cut, counts as 0. Both favour long
  chunks: there are fewer to confuse, and any of them is likelier to hold the answer.
- held: how often something right is among the best chunks that fit into 2,000 characters, since a model reads
  characters and not chunks. This favours short chunks where a piece of an article is right, as with the statutes.
- read: how much of the passage or article stands in the best 2,000 characters, the last chunk cut there. Neither short
  nor long chunks are favoured by how it counts.

What came out, and what the default rests on: results/chunk_length.md.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kure_rag import ConvexFusion
from kure_rag.chunk import AnalysedChunk, ChunkSettings, chunk_document
from kure_rag.embed import Embedder
from kure_rag.evaluate import mrr, ndcg
from kure_rag.index.catalog import Keywords
from kure_rag.index.lexical import LexicalView, Question
from kure_rag.tokenize import KiwiTokenizer, Sentence, letter_pairs
from kure_rag.types import Document, Leg

TARGETS = (200, 300, 400, 500, 600, 800, 1000, 1500)
BUDGET = 2000
DEFAULT = ChunkSettings().target
LAWS = 40


@dataclass(frozen=True)
class Query:
    """A question, where its answer stands, and how the answer may be worded."""

    text: str
    document: str
    start: int
    end: int
    answers: Sequence[str] = ()

    def is_right(self, item: AnalysedChunk) -> bool:
        chunk = item.chunk
        start, end = max(chunk.start, self.start), min(chunk.end, self.end)
        if chunk.document_id != self.document or start >= end:
            return False
        if self.answers:
            held = chunk.text[start - chunk.start : end - chunk.start]
            return any(answer in held for answer in self.answers)
        return 2 * (end - start) >= min(chunk.end - chunk.start, self.end - self.start)


class CachedKiwi(KiwiTokenizer):
    """Analyses each line once for all targets."""

    def __init__(self) -> None:
        self._known: dict[str, list[Sentence]] = {}

    def sentences(self, texts: Iterable[str]) -> Iterator[list[Sentence]]:
        lines = list(texts)
        new = [line for line in dict.fromkeys(lines) if line not in self._known]
        self._known.update(zip(new, super().sentences(new), strict=True))
        return iter([self._known[line] for line in lines])


def korquad(folder: Path) -> tuple[list[Document], list[Query]]:
    passages = {row["_id"]: row for row in rows(folder / "corpus.jsonl")}
    documents, places = put_together(passages)
    gold = dict(line.split("\t")[:2] for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:])
    queries = [
        Query(row["text"], *places[gold[row["_id"]]], tuple(row["answer"]))
        for row in rows(folder / "queries.jsonl")
        if any(answer in passages[gold[row["_id"]]]["text"] for answer in row["answer"])
    ]
    return documents, queries


def statutes(folder: Path) -> tuple[list[Document], list[Query]]:
    passages = {row["_id"]: row for row in rows(folder / "corpus.jsonl.gz")}
    laws = list(dict.fromkeys(row["title"] for row in passages.values()))
    chosen = set(laws[:: max(1, len(laws) // LAWS)][:LAWS])
    documents, places = put_together({key: row for key, row in passages.items() if row["title"] in chosen})
    gold = dict(line.split("\t")[:2] for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:])
    queries = [
        Query(row["text"], *places[gold[row["_id"]]])
        for row in rows(folder / "queries.jsonl")
        if gold.get(row["_id"]) in places
    ]
    return documents, queries


def put_together(
    passages: Mapping[str, Mapping[str, str]],
) -> tuple[list[Document], dict[str, tuple[str, int, int]]]:
    by_title: defaultdict[str, list[str]] = defaultdict(list)
    for key, row in passages.items():
        by_title[row["title"]].append(key)
    documents, places = [], {}
    for title, keys in by_title.items():
        text = ""
        for key in keys:
            places[key] = (title, len(text), len(text) + len(passages[key]["text"]))
            text += passages[key]["text"] + "\n"
        documents.append(Document(id=title, source=title, title=title, domain="general", text=text))
    return documents, places


def rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def rankings(chunks: Sequence[AnalysedChunk], queries: Sequence[Query], terms: Sequence[Sequence[str]]) -> list[Legs]:
    """For each query and leg the best chunks, best first."""
    embedder = Embedder("static-ko")
    fusion = ConvexFusion(weight=embedder.dense_weight)
    texts = [item.chunk.contextualized() for item in chunks]
    matrix = unit(embedder.embed_passages(texts))
    vectors = unit(embedder.embed_queries([query.text for query in queries]))
    out = []
    with tempfile.TemporaryDirectory() as scratch:
        view = LexicalView(Path(scratch))
        words = zip(chunks, texts, strict=True)
        view.apply({row: Keywords(" ".join(item.terms), text) for row, (item, text) in enumerate(words)}, ())
        for query, own, vector in zip(queries, terms, vectors, strict=True):
            lexical = view.search(Question(own, letter_pairs(query.text)), 100)
            cosines = matrix @ vector
            said: dict[int, dict[str, Leg]] = {row: {"lexical": Leg(None, score)} for row, score in lexical}
            for row in {*said, *np.argsort(-cosines)[:100].tolist()}:
                said.setdefault(row, {})["dense"] = Leg(None, float(cosines[row]))
            fused = fusion.fuse(said)
            hybrid = sorted(fused, key=lambda row: -fused[row])
            out.append({"keyword": [row for row, _ in lexical], "hybrid": hybrid})
        view.close()
    return out


Legs = dict[str, list[int]]


def unit(matrix: np.ndarray) -> np.ndarray:
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9)


def within_budget(order: Sequence[int], chunks: Sequence[AnalysedChunk], query: Query) -> tuple[bool, float]:
    """Whether a whole chunk in the budget is right, and the share of the query's passage that the budget holds."""
    left = BUDGET
    held, read = False, 0
    for row in order:
        chunk = chunks[row].chunk
        end = chunk.start + min(len(chunk.text), left)
        if chunk.document_id == query.document:
            read += max(0, min(end, query.end) - max(chunk.start, query.start))
        left -= len(chunk.text)
        if left < 0:
            break
        held = held or query.is_right(chunks[row])
    return held, read / (query.end - query.start)


def table(name: str, documents: Sequence[Document], queries: Sequence[Query], targets: Sequence[int]) -> None:
    kiwi = CachedKiwi()
    terms = kiwi.terms_batch([query.text for query in queries])
    size = sum(len(document.text) for document in documents)
    print(f"{name}: {len(documents)} documents, {size:,} characters, {len(queries)} queries")
    head = "".join(f"{leg + ' MRR':>13}{'nDCG':>7}{'held':>7}{'read':>7}" for leg in ("keyword", "hybrid"))
    print(f"  {'target':>6} {'chunks':>7} {'mean':>5}{head}")
    budget: dict[tuple[str, int], np.ndarray] = {}  # for each leg and target, held and read of every query
    for target in targets:
        settings = ChunkSettings(target=target, longest=2 * target, profile="general")
        chunks = [item for document in documents for item in chunk_document(document, kiwi, settings)]
        of = defaultdict(list)
        for row, item in enumerate(chunks):
            of[item.chunk.document_id].append(row)
        right = [[row for row in of[query.document] if query.is_right(chunks[row])] for query in queries]
        found = rankings(chunks, queries, terms)
        qrels = {str(i): ({str(row): 1 for row in own} or {"none": 1}) for i, own in enumerate(right)}
        printed = ""
        for leg in ("keyword", "hybrid"):
            run = {str(i): [str(row) for row in legs[leg][:10]] for i, legs in enumerate(found)}
            budget[leg, target] = np.array(
                [within_budget(legs[leg], chunks, query) for legs, query in zip(found, queries, strict=True)], float
            )
            held, read = budget[leg, target].mean(axis=0)
            printed += f"{mrr(run, qrels, k=10):13.4f}{ndcg(run, qrels, k=10):7.4f}{held:7.4f}{read:7.4f}"
        mean = sum(len(item.chunk.text) for item in chunks) / len(chunks)
        print(f"  {target:6} {len(chunks):7} {mean:5.0f}{printed}", flush=True)
    if DEFAULT in targets:
        print_differences(budget, targets)


def print_differences(budget: Mapping[tuple[str, int], np.ndarray], targets: Sequence[int]) -> None:
    """Each target's held and read less those of the default, paired by query, with 95% intervals."""
    print(f"  less those of target {DEFAULT}, in points:")
    for target in targets:
        if target == DEFAULT:
            continue
        printed = ""
        for leg in ("keyword", "hybrid"):
            change = 100 * (budget[leg, target] - budget[leg, DEFAULT])
            interval = 1.96 * change.std(axis=0, ddof=1) / len(change) ** 0.5
            for name, mean, width in zip(("held", "read"), change.mean(axis=0), interval, strict=True):
                printed += f"   {leg} {name} {mean:+6.2f} ± {width:.2f}"
        print(f"  {target:6}{printed}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path)
    parser.add_argument("--queries", type=int, default=1500, help="at most so many of each set")
    parser.add_argument("--targets", type=int, nargs="+", default=TARGETS)
    options = parser.parse_args()
    for name, folder, read in (
        ("KorQuAD dev", "korquad_dev", korquad),
        ("statutes, known item", "law_title_knownitem", statutes),
    ):
        documents, queries = read(options.sets / folder)
        step = max(1, len(queries) // options.queries)
        table(name, documents, queries[::step][: options.queries], options.targets)


if __name__ == "__main__":
    main()
