"""``kodiffcse`` end to end on made-up notes, and the texts that it reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("datasets")

from training_kit import RecipeContract

from kure_rag.errors import ConfigError, CorpusFormatError
from kure_rag.train.recipe import Sources
from kure_rag.train.recipes.kodiffcse import KoDiffCseRecipe

# What a note is about, and the words of every note, which say nothing about it.
SUBJECTS = tuple(f"{first}{last}" for first in "강산들물불" for last in ("마을", "나루", "시장", "고개", "다리", "학교"))
FILLERS = ("오늘", "담당자가", "다시", "관련", "내용을", "자세히", "확인하여", "정리함")


def note(subjects: tuple[str, ...], chance: np.random.Generator) -> str:
    """Subjects somewhere between six filler words."""
    words = [*subjects, *chance.choice(FILLERS, 6)]
    return " ".join(words[int(i)] for i in chance.permutation(len(words)))


def write_notes(path: Path, count: int, seed: int) -> Path:
    chance = np.random.default_rng(seed)
    lines = [note(tuple(chance.choice(SUBJECTS, 2, replace=False)), chance) for _ in range(count)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_sts(path: Path, count: int, seed: int) -> Path:
    """Pairs of notes that share two, one or none of their two subjects: 5, 2.5 or 0."""
    chance = np.random.default_rng(seed)
    rows = ["genre\tfilename\tyear\tid\tscore\tsentence1\tsentence2"]
    for i in range(count):
        a, b, c, d = chance.choice(SUBJECTS, 4, replace=False)
        shared, other = ((5.0, (a, b)), (2.5, (a, c)), (0.0, (c, d)))[i % 3]
        rows.append(f"made\tup\t2026\t{i}\t{shared}\t{note((a, b), chance)}\t{note(other, chance)}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.train
class TestKoDiffCse(RecipeContract):
    recipe = "kodiffcse"
    settings: ClassVar[dict[str, Any]] = {}

    def data(self, folder: Path) -> tuple[list[Path], list[Path]]:
        return [write_notes(folder / "notes.txt", 3_000, 1)], [write_sts(folder / "sts-dev.tsv", 300, 2)]
