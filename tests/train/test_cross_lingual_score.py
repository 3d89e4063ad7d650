"""Scores across languages: when an answer stands in a passage."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from kure_rag.train.cross_lingual_score import ScoreSet, plain, rank, stands_as

FOUND = [
    ("2", "자녀는 2명까지 된다"),
    ("2", "Section 2."),
    ("1,200", "모두 1,200만 명이다"),
    ("서울", "대한민국의 서울에서 열린다"),
    ("Samsung", "그해 SAMSUNG은 컸다"),
    ("New  York", "in new york, again"),
    ("C++", "written in C++ and Rust"),
    ("Zürich", "von Zürich nach Bern"),
    ("3.5", "길이는 3.5m가 아니라 3.5 다"),
]
MISSED = [
    ("2", "인구는 1200만 명"),
    ("2", "인구는 1,200만 명, 2,5배, 3.2배"),
    ("12", "1200"),
    ("ran", "in France"),
    ("ran", "he rants"),
    ("Zü", "Zürich"),
    ("5", "A5 용지"),
]


@pytest.mark.parametrize(("answer", "passage"), FOUND)
def test_an_answer_is_found_in_its_passage(answer: str, passage: str) -> None:
    assert stands_as(plain(answer)).search(plain(passage))


@pytest.mark.parametrize(("answer", "passage"), MISSED)
def test_a_part_of_another_word_or_number_is_no_answer(answer: str, passage: str) -> None:
    assert not stands_as(plain(answer)).search(plain(passage))


def test_ranks_count_whole_numbers_only(tmp_path: Path) -> None:
    class OneVector:
        """All texts are equal to it: passages are found in their order."""

        name = "one-vector"
        fingerprint: ClassVar[dict[str, object]] = {}

        def embed_passages(self, texts: list[str]) -> np.ndarray:
            return np.ones((len(texts), 2), dtype=np.float32)

        embed_queries = embed_passages

    passages = ["인구는 1200만 명", "아이는 2명"]
    asked = ScoreSet(name="n", questions=["몇 명?"], passages=lambda: iter(passages), answers=[(plain("2"),)])
    assert rank(OneVector(), asked, vectors=tmp_path).ranks == (2,)  # type: ignore[arg-type]
