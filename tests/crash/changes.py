"""A sequence of changes to an index, the same whoever makes it: an undisturbed process, or one that is killed.

usage: changes.py INDEX_FOLDER SEED COUNT FIRST

makes the changes from number FIRST on, and says the number of each when it has returned.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from kure_rag import KureIndex
from kure_rag.chunk import chunk_record
from kure_rag.ingest.places import Place
from kure_rag.ingest.target import Ready, Target
from kure_rag.types import Document

DIMENSION = 32
WORDS = ("예금", "보험", "주택", "의약품", "세금", "연금", "계약", "임대", "출장", "휴가", "급여", "정산")


class SeededEmbedder:
    """A random direction for each text, the same in every process; much faster than any model.

    No number is negative, so that all texts are somewhat alike: what has no likeness at all is no hit.
    """

    dense_weight = 0.3
    fingerprint: Mapping[str, object] = {"model": "seeded", "class": "changes.SeededEmbedder"}

    def embed_queries(self, texts: list[str]) -> np.ndarray:
        rows = [np.random.default_rng(hash_of(text)).random(DIMENSION) ** 4 for text in texts]
        return np.asarray(rows, np.float32).reshape(len(texts), DIMENSION)

    embed_passages = embed_queries


def hash_of(text: str) -> int:
    import zlib

    return zlib.crc32(text.encode())


@dataclass(frozen=True)
class Change:
    """Puts documents (new ones, and new versions of some that are there), or deletes some."""

    puts: tuple[tuple[str, int], ...] = ()  # key and version
    deletes: tuple[str, ...] = ()


def changes(seed: int, count: int) -> Iterator[tuple[Change, dict[str, int]]]:
    """Each change, and what the index holds after it: version by key.

    After the first change and after the last one these are exactly ``count`` documents.
    """
    chance = random.Random(seed)
    held: dict[str, int] = {}
    made = 0
    for number in range(9):
        size = count - len(held) if number in (0, 8) else max(1, count // 8)
        if number in (2, 5) and held:
            gone = tuple(chance.sample(sorted(held), max(1, len(held) // 5)))
            for key in gone:
                del held[key]
            yield Change(deletes=gone), dict(held)
            continue
        again = [] if number in (0, 8) else chance.sample(sorted(held), min(len(held), 2 * size // 3))
        new = [f"d{made + i}" for i in range(size - len(again))]
        made += len(new)
        puts = tuple((key, held.get(key, 0) + 1) for key in [*again, *new])
        held.update(puts)
        yield Change(puts=puts), dict(held)


def text_of(key: str, version: int) -> str:
    number = int(key[1:])
    word, other = WORDS[number % len(WORDS)], WORDS[number // len(WORDS) % len(WORDS)]
    return f"{word} 규정 {key} 문서는 {other} 업무를 {version}판으로 정하며 금액은 {number * 37 + version}원이다."


def make(index: KureIndex, change: Change) -> None:
    if change.deletes:
        ids = [row.id for row in index.documents() if row.source in set(change.deletes)]
        index.delete_all(ids)
        return
    items = []
    for key, version in change.puts:
        text = text_of(key, version)
        document = Document(f"{hash_of(text):08x}" * 8, key, "", "general", text)
        items.append(Ready(document, [chunk_record(document)], [text.split()], Place(key)))
    with index._store.writing():
        Target(index._store, index.embedder, index._claim).add(items)


def main() -> None:
    folder, seed, count, first = sys.argv[1], *map(int, sys.argv[2:])
    with KureIndex.open(folder, embeddings=SeededEmbedder()) as index:
        print("open", flush=True)
        for number, (change, _) in enumerate(changes(seed, count)):
            if number >= first:
                make(index, change)
                print(number, flush=True)
    print("done", flush=True)


if __name__ == "__main__":
    main()
