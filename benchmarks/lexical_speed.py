"""The keyword view's speed and size, beside rank-bm25 over the same terms in the same run.

    python benchmarks/lexical_speed.py STATUTES.jsonl.gz [--rows 100000] [--questions 300]

STATUTES holds lines with ``title`` and ``text``. Passages of about 150 morphemes are put together from pieces of four
words of them, by chance, and from made-up names whose frequencies follow Zipf's law, so that terms, letter pairs and
their document frequencies are real ones. A question is eight words that stand in one passage. Nothing is tokenised
while the clock runs, but for the letter pairs of passages, which the view makes from their text.

rank-bm25 is given lists of terms that are ready: once the morphemes alone, once morphemes and letter pairs, which is
what the view holds. A million rows take 3 GB of memory and leave rank-bm25 out. On a busy machine the seconds of a
query's own thread say more than those of the clock; both are printed.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import random
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kure_rag.index.catalog import Keywords
from kure_rag.index.lexical import LexicalView, Question
from kure_rag.tokenize import KiwiTokenizer, letter_pairs

PIECE = 4  # words
PIECES = 28  # in a passage
NAMES = 4  # in a passage
BATCH = 5_000  # rows in a commit, as the store commits them
MOST_FOR_RANK_BM25 = 200_000  # rows: it holds a dictionary for each


@dataclass(frozen=True, slots=True)
class Piece:
    """Four words: their terms, and they themselves."""

    terms: str
    text: str


class Passages:
    """Passages by number, the same each time."""

    def __init__(self, pieces: list[Piece], names: int = 200_000) -> None:
        chance = random.Random(7)
        letters = [char for piece in pieces[:5000] for char in piece.text if "가" <= char <= "힣"]
        self._names = ["".join(chance.choices(letters, k=chance.choice((2, 3, 3, 4)))) for _ in range(names)]
        self._weights = list(itertools.accumulate(1 / rank for rank in range(1, names + 1)))
        self._pieces = pieces

    def parts(self, number: int) -> list[Piece]:
        chance = random.Random(number)
        named = chance.choices(self._names, cum_weights=self._weights, k=NAMES)
        return [*chance.choices(self._pieces, k=PIECES), *(Piece(name, name) for name in named)]

    def keywords(self, number: int) -> Keywords:
        parts = self.parts(number)
        return Keywords(" ".join(part.terms for part in parts), " ".join(part.text for part in parts))

    def question(self, number: int) -> Question:
        chosen = random.Random(-number).sample(self.parts(number)[:PIECES], 2)
        return Question(" ".join(p.terms for p in chosen).split(), letter_pairs(" ".join(p.text for p in chosen)))


def read_pieces(file: Path, articles: int) -> list[Piece]:
    with gzip.open(file, "rt", encoding="utf-8") as opened:
        lines = [json.loads(line) for line in opened]
    random.Random(1).shuffle(lines)
    texts = [f"{line['title']}\n{line['text']}" for line in lines[:articles]]
    pieces = []
    for text, sentences in zip(texts, KiwiTokenizer().sentences(texts), strict=True):
        terms = [term for sentence in sentences for term in sentence.terms]
        words = list(re.finditer(r"\S+", text))
        for i in range(0, len(words), PIECE):
            a, b = words[i].start(), words[min(i + PIECE, len(words)) - 1].end()
            pieces.append(Piece(" ".join(t.form for t in terms if a <= t.start < b), " ".join(text[a:b].split())))
    return pieces


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of calls, by the clock and of their thread."""

    clock: list[float]
    own: list[float]

    def __str__(self) -> str:
        names = (("by the clock", self.clock), ("of its thread", self.own))
        return "; ".join(f"p50 {np.median(x):.2f} ms, p99 {np.percentile(x, 99):.2f} ms {name}" for name, x in names)


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of one piece of work, by the clock and of all threads."""

    clock: float
    own: float

    def __str__(self) -> str:
        return f"{self.clock:.1f} s by the clock, {self.own:.1f} s of all threads"


def measure(calls: list[Callable[[], object]]) -> Times:
    clock, own = [], []
    for call in calls:
        a, b = time.perf_counter(), time.thread_time()
        call()
        own.append(1e3 * (time.thread_time() - b))
        clock.append(1e3 * (time.perf_counter() - a))
    return Times(clock, own)


def size(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.iterdir()) / 1e6


def build(folder: Path, passages: Passages, rows: int) -> tuple[LexicalView, Took]:
    view = LexicalView(folder)
    clock = own = 0.0
    for start in range(0, rows, BATCH):
        batch = {i: passages.keywords(i) for i in range(start, min(rows, start + BATCH))}
        a, b = time.perf_counter(), time.process_time()
        view.apply(batch, [])
        clock += time.perf_counter() - a
        own += time.process_time() - b
    return view, Took(clock, own)


def rank_bm25(passages: Passages, questions: list[Question], rows: int, *, pairs: bool) -> tuple[Took, Times]:
    from rank_bm25 import BM25Okapi

    tokens = []
    for i in range(rows):
        item = passages.keywords(i)
        tokens.append(item.terms.split() + (letter_pairs(item.text) if pairs else []))
    a, b = time.perf_counter(), time.process_time()
    oracle = BM25Okapi(tokens)
    took = Took(time.perf_counter() - a, time.process_time() - b)
    print(f"rank-bm25, {'morphemes and pairs' if pairs else 'morphemes'}: built in {took}")
    del tokens

    def ask(question: Question) -> object:
        terms = [*dict.fromkeys(question.terms), *(dict.fromkeys(question.pairs) if pairs else ())]
        return np.argsort(oracle.get_scores(terms))[::-1][:10]

    times = measure([lambda q=q: ask(q) for q in questions])
    print(f"  top 10: {times}", flush=True)
    return took, times


def compare(built: Took, asked: Times, passages: Passages, questions: list[Question], rows: int) -> None:
    for pairs in (False, True):
        took, times = rank_bm25(passages, questions[:20], rows, pairs=pairs)
        by_clock = np.median(times.clock) / np.median(asked.clock)
        by_thread = np.median(times.own) / np.median(asked.own)
        print(f"  the view answers {by_clock:.0f} times as fast by the clock, {by_thread:.0f} times of its thread")
        by_clock, of_all = took.clock / built.clock, took.own / built.own
        print(
            f"  and is built {by_clock:.2f} times as fast by the clock, {of_all:.2f} times of all threads", flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("statutes", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--articles", type=int, default=3_000, help="statutes analysed for the pieces")
    parser.add_argument("--singles", type=int, default=1_000, help="commits of one passage each")
    args = parser.parse_args()
    passages = Passages(read_pieces(args.statutes, args.articles))
    chosen = random.Random(3).sample(range(args.rows), min(args.questions, args.rows))
    questions = [passages.question(number) for number in chosen]
    sample = [passages.keywords(i) for i in range(200)]
    print(
        f"{args.rows:,} passages of {np.mean([len(k.terms.split()) for k in sample]):.0f} morphemes and "
        f"{np.mean([len(letter_pairs(k.text)) for k in sample]):.0f} letter pairs; questions of "
        f"{np.mean([len(set(q.terms)) for q in questions]):.0f} and "
        f"{np.mean([len(set(q.pairs)) for q in questions]):.0f}"
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "lexical"
        view, built = build(folder, passages, args.rows)
        print(f"view: built in {built}, {size(folder):.0f} MB", flush=True)
        for question in questions[:20]:
            view.search(question, 10)
        asked = measure([lambda q=q: view.search(q, 10) for q in questions])
        print(f"  top 10, {view.segments} segments: {asked}", flush=True)
        print(f"  top 100: {measure([lambda q=q: view.search(q, 100) for q in questions])}", flush=True)
        for share in (0.0005, 0.01, 0.5):
            allowed = np.array(sorted(random.Random(9).sample(range(args.rows), int(share * args.rows))))
            calls = [lambda q=q, a=allowed: view.search(q, 100, a) for q in questions[:100]]
            print(f"  top 100 of {len(allowed):,} rows: {measure(calls)}", flush=True)
        calls = [lambda q=q, i=i: view.search(q, 100, np.arange(i, i + 200)) for i, q in enumerate(questions[:100])]
        print(f"  top 100 of 200 rows that follow one another: {measure(calls)}", flush=True)
        view.close()
        print(f"  open: {measure([lambda: LexicalView(folder).close() for _ in range(20)])}", flush=True)
        view = LexicalView(folder)
        new = iter(range(args.rows, 10 * args.rows))
        batches = [{i: passages.keywords(i) for i in itertools.islice(new, 100)} for _ in range(20)]
        print(f"  add 100: {measure([lambda b=b: view.apply(b, []) for b in batches])}", flush=True)
        singles = [{i: passages.keywords(i)} for i in itertools.islice(new, args.singles)]
        print(f"  add 1, {args.singles} times: {measure([lambda b=b: view.apply(b, []) for b in singles])}", flush=True)
        calls = [lambda q=q: view.search(q, 100) for q in questions]
        print(f"  top 100 after that, {view.segments} segments: {measure(calls)}", flush=True)
        view.close()
    if args.rows <= MOST_FOR_RANK_BM25:
        compare(built, asked, passages, questions, args.rows)


if __name__ == "__main__":
    main()
