"""Made-up questions and passages that share meaning and no word: only what is trained can match them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

# What a question says → what the passage says instead.
TOPICS = (
    ("휴가", "쉬는날"),
    ("급여", "월급봉투"),
    ("출장", "먼길"),
    ("퇴직", "회사떠남"),
    ("대출", "빌린돈"),
    ("예금", "맡긴돈"),
    ("보험", "사고대비"),
    ("세금", "나라살림"),
    ("약품", "먹는알약"),
    ("주사", "팔뚝바늘"),
    ("병실", "침대방"),
    ("진료", "의사만남"),
    ("계약", "서로약속"),
    ("소송", "법정다툼"),
    ("임대", "방빌림"),
    ("특허", "발명권리"),
)
ASPECTS = (
    ("기간은", "며칠동안"),
    ("금액은", "몇만원"),
    ("신청은", "서류제출"),
    ("취소는", "무르기"),
    ("담당자는", "맡은사람"),
    ("장소는", "어느건물"),
    ("조건은", "갖출것"),
    ("벌칙은", "어기면"),
    ("예외는", "빼놓고"),
    ("기록은", "적어둠"),
    ("보고는", "알리기"),
    ("연장은", "늘리기"),
    ("환급은", "돌려받기"),
    ("승인은", "도장받기"),
    ("점검은", "살펴보기"),
    ("교육은", "가르치기"),
)


def triplets(negatives: int = 2, *, own_words: bool = True, aspects: int = len(ASPECTS)) -> Iterator[dict[str, object]]:
    """A row for each topic and aspect; negatives are of the same topic, every second one of the same aspect.

    Args:
        negatives: Of each row.
        own_words: Whether passages have words of their own; otherwise those of their questions, so that a model which
            was trained on other texts can tell them apart.
        aspects: How many there are; the fewer, the fewer pairs of words are to be learnt.
    """
    said = [pair[own_words] for pair in ASPECTS[:aspects]]
    told = [pair[own_words] for pair in TOPICS]
    for i, (topic, _) in enumerate(TOPICS):
        for j, (aspect, _) in enumerate(ASPECTS[:aspects]):
            wrong = [
                f"{told[i]} 항목은 {said[(j + k) % aspects]} 순서로 한다"
                if k % 2
                else f"{told[(i + k) % len(told)]} 항목은 {said[j]} 순서로 한다"
                for k in range(1, negatives + 1)
            ]
            yield {
                "query": f"{topic}의 {aspect} 어떻게 되나",
                "positive": f"{told[i]} 항목은 {said[j]} 순서로 한다",
                "negatives": wrong,
            }


def judged() -> Iterator[dict[str, object]]:
    """As a search finds them: beside a passage on another aspect, contents and empty pages, which answer nothing."""
    for i, row in enumerate(triplets(1, own_words=False)):
        scraps = [f"목차 제{i % 17}장 쪽 번호 안내", f"이 쪽은 일부러 비워 두었다 {i % 17}"]
        negatives = row["negatives"]
        assert isinstance(negatives, list)
        yield {**row, "negatives": [*negatives, *scraps]}


def write(path: Path, rows: Iterator[dict[str, object]] | Sequence[dict[str, object]]) -> Path:
    """As JSON lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
