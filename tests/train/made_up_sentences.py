"""Made-up scenes in words and other words for the same: inferences and similarities that only a trained model can tell.

A scene is who, where, what and what is done. Each part has two wordings that share nothing, and each sentence takes one
of them by chance, so that counting common words says little.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

Scene = tuple[int, int, int, int]

WHO = (
    ("의사가", "원장님이"),
    ("아이가", "꼬마가"),
    ("어부가", "뱃사람이"),
    ("교사가", "선생님이"),
    ("도둑이", "강도가"),
)
WHERE = (("마당에서", "뜰에서"), ("가게에서", "상점에서"), ("호텔에서", "숙소에서"), ("길에서", "도로에서"))
WHAT = (("책을", "도서를"), ("차를", "승용차를"), ("옷을", "의류를"), ("밥을", "식사를"), ("돈을", "현금을"))
DOES = (("판다.", "매각한다."), ("고른다.", "선택한다."), ("숨긴다.", "감춘다."), ("나눈다.", "분배한다."))
PARTS = (WHO, WHERE, WHAT, DOES)


def wording(scene: Scene, chance: np.random.Generator) -> str:
    """A sentence that says it."""
    return " ".join(part[i][int(chance.integers(2))] for part, i in zip(PARTS, scene, strict=True))


def scenes(held_out: bool) -> list[Scene]:
    """A third of all scenes is held out: each of its parts is in the others too, never all four together."""
    every = itertools.product(*(range(len(part)) for part in PARTS))
    return [
        (who, where, what, does)
        for who, where, what, does in every
        if ((who + where + what + does) % 3 == 0) is held_out
    ]


def pairs(count: int, *, held_out: bool = False, seed: int = 0) -> Iterator[tuple[float, str, str]]:
    """Score from 0 to 5, sentence, sentence; the score is how many of the four parts are the same."""
    chance = np.random.default_rng(seed)
    known = scenes(held_out)
    for _ in range(count):
        first = known[int(chance.integers(len(known)))]
        second = first
        for part in chance.choice(4, int(chance.integers(5)), replace=False):
            changed = list(second)
            changed[part] = int(chance.integers(len(PARTS[part])))
            second = (changed[0], changed[1], changed[2], changed[3])
        same = sum(a == b for a, b in zip(first, second, strict=True))
        yield 5 * same / 4, wording(first, chance), wording(second, chance)


def inferences(*, held_out: bool = False, seed: int = 0) -> Iterator[tuple[str, str, str]]:
    """Premise, hypothesis, label: the same in other words; done to something else; someone else does it elsewhere."""
    chance = np.random.default_rng(seed)
    for who, where, what, does in scenes(held_out):
        premise = wording((who, where, what, does), chance)
        same = premise
        while same == premise:
            same = wording((who, where, what, does), chance)
        yield premise, same, "entailment"
        yield premise, wording((who, (where + 1) % len(WHERE), what, does), chance), "neutral"
        yield premise, wording((who, where, (what + 1) % len(WHAT), (does + 1) % len(DOES)), chance), "contradiction"


def write_nli(path: Path, rows: Iterator[tuple[str, str, str]] | Sequence[tuple[str, str, str]]) -> Path:
    """As KorNLI's tables are."""
    lines = ["sentence1\tsentence2\tgold_label", *("\t".join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_sts(path: Path, rows: Iterator[tuple[float, str, str]] | Sequence[tuple[float, str, str]]) -> Path:
    """As KorSTS's tables are."""
    lines = ["genre\tfilename\tyear\tid\tscore\tsentence1\tsentence2"]
    lines += [f"made\tup\t2024\t{i:04}\t{score:.3f}\t{a}\t{b}" for i, (score, a, b) in enumerate(rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def given(folder: Path, *, nli: bool = True, sts: bool = True) -> tuple[list[Path], list[Path]]:
    """Files to train on, and a set of similarities of other scenes to score on."""
    made = []
    if nli:
        made.append(write_nli(folder / "nli-train.tsv", inferences()))
    if sts:
        made.append(write_sts(folder / "sts-train.tsv", pairs(480)))
    return made, [write_sts(folder / "sts-dev.tsv", pairs(300, held_out=True, seed=1))]
