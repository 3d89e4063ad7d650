"""Questions that a model answers and keywords do not, and files of questions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from kure_rag.read import Record

COUNT = 80
THINGS = ("예금", "보험", "주택", "의약품", "세금", "연금", "계약", "임대")
_ROUND, _FULL = "○", "●"  # marks are no keywords


class KnowingEmbedder:
    """A model that knows which passage answers which question: both bear the same marks."""

    name = "knowing"
    dense_weight = 0.05

    @property
    def fingerprint(self) -> dict[str, str]:
        return {"model": self.name, "class": "tuning_support.KnowingEmbedder"}

    def embed_queries(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([self._vector(text) for text in texts]) if texts else np.zeros((0, 64), np.float32)

    embed_passages = embed_queries

    def _vector(self, text: str) -> np.ndarray:
        seed = [1 + (letter == _FULL) for letter in text if letter in (_ROUND, _FULL)]
        vector = np.random.default_rng(seed or [0]).standard_normal(64)
        return (vector / np.linalg.norm(vector)).astype(np.float32)


def marks(number: int) -> str:
    return f"{number:07b}".replace("0", _ROUND).replace("1", _FULL)


def passage(number: int) -> Record:
    thing, other = THINGS[number % 8], THINGS[number // 8 % 8]
    text = f"{thing} 및 {other} 업무를 맡은 부서는 문서에 따라 처리 결과를 알린다. {marks(number)}"
    return Record(f"글-{number}", "", text)


def question(number: int) -> str:
    """With the words of another passage, and the marks of its own."""
    other = (number * 7 + 3) % COUNT
    return f"{THINGS[other % 8]} 및 {THINGS[other // 8 % 8]} 업무 처리 {marks(number)}"


def write_questions(path: Path, rows: Sequence[tuple[str, str, list[list[str]]]]) -> Path:
    """A ``qa.parquet`` of ids, questions and groups of answers."""
    table = [
        {"qid": name, "query": text, "retrieval_gt": groups, "generation_gt": ["-"]} for name, text, groups in rows
    ]
    pa.parquet.write_table(pa.Table.from_pylist(table), path)
    return path
