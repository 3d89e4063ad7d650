"""A model that records what it computes, for the tests of the cache."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kure_rag.embed.cache import CacheSettings, EmbeddingCache

TEXTS = ["연차휴가는 며칠인가요?", "보험금을 청구한다.", "전세 계약을 갱신한다."]
MODEL = {"model": "시험용", "revision": "1", "normalize": True}
NO_REST = CacheSettings(busy_seconds=0.1, rest_seconds=0)


class Engine:
    """Vectors that tell text and role apart, and a record of what was computed."""

    def __init__(self, dimension: int = 4) -> None:
        self.dimension = dimension
        self.computed: list[str] = []

    def vector(self, text: str, role: str) -> np.ndarray:
        seed = int.from_bytes(f"{role}\0{text}".encode(), "big")
        return np.random.default_rng(seed).normal(size=self.dimension).astype(np.float32)

    def through(self, cache: EmbeddingCache, texts: Sequence[str], role: str = "passage") -> np.ndarray:
        def compute(positions: Sequence[int]) -> np.ndarray:
            self.computed += [texts[i] for i in positions]
            return np.stack([self.vector(texts[i], role) for i in positions])

        return cache.through(texts, role, self.dimension, compute)

    def right(self, texts: Sequence[str], role: str = "passage") -> np.ndarray:
        return np.stack([self.vector(text, role) for text in texts])


def cache_in(folder: Path, **settings: object) -> EmbeddingCache:
    return EmbeddingCache(folder, fingerprint=MODEL, settings=CacheSettings(**settings) if settings else NO_REST)


# A process that writes and reads; its arguments are the folder and the first text's number.
WRITER = """
import sys
import numpy as np
from pathlib import Path
from kure_rag.embed.cache import CacheSettings, EmbeddingCache

cache = EmbeddingCache(Path(sys.argv[1]), fingerprint={"model": "공용"}, settings=CacheSettings(busy_seconds=60))
for start in range(int(sys.argv[2]), 600, 20):
    texts = [f"문장 {i % 600}" for i in range(start, start + 60)]
    numbers = np.array([[i % 600] * 8 for i in range(start, start + 60)], dtype=np.float32)
    got = cache.through(texts, "passage", 8, lambda positions: numbers[list(positions)])
    assert np.array_equal(got, numbers)
assert not cache._told, cache._told
"""
