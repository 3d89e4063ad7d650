"""What the contracts ask about: passages, questions, and an index of both kinds of source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from kure_rag.pipeline import KureIndex
from kure_rag.read import Record
from kure_rag.samples import sample_paths

MODEL: Final = "static-ko"

TWICE: Final = "휴가는 부서장의 승인을 받아 사용하며, 승인을 받지 못한 휴가는 결근으로 본다."
"""A passage that the index holds twice, from two sources: two places to cite, not one."""

RECORDS: Final[tuple[Record, ...]] = (
    Record("bylaws-a", "직원 휴가 규칙", TWICE, {"article": "제21조"}),
    Record("bylaws-b", "계약직 휴가 규칙", TWICE, {"article": "제9조"}),
    Record(
        "loan",
        "가계대출 약관",
        "이자를 두 달 넘게 내지 않으면 은행은 기한의 이익을 상실시킬 수 있다.",
        # Names that a hit has for itself, and values of every kind.
        {"title": "기한의 이익", "score": -1, "rate": 4.25, "tags": ["대출", "이자"], "active": True, "year": 2026},
    ),
    Record("notice", "공지", "① 방문 차량은 지하 2층에 세운다. ② 주차권은 안내대에서 받는다(㈜한빛정밀)."),
)

QUESTIONS: Final[tuple[str, ...]] = (
    "집에서 일하려면 언제까지 신청해야 하나요?",
    "신장이 나쁜 환자는 얼마 간격으로 먹어야 하나요?",
    "승인받지 못한 휴가는 어떻게 되나요?",
    "영업이익",
)

SEARCHES: Final[tuple[Mapping[str, Any], ...]] = (
    {"mode": "lexical"},
    {"mode": "dense"},
    {"where": {"domain": "legal"}},
    {"where": {"title": "없는 제목"}},
    {"expand": 1, "highlight": True, "relevance": True},
)
"""What else a search is told: each alone."""

TEXTS: Final[tuple[str, ...]] = (
    "연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다.",
    "급여는 매월 25일에 지급하고, 그날이 휴일이면 전날에 지급한다.",
    "신장 기능이 낮은 환자는 복용하기 전에 의사와 상담하여야 한다.",
)

LAW: Final = (
    "제1조(목적) 이 규정은 휴가와 그 절차를 정함을 목적으로 한다.\n"
    "제2조(연차휴가) ① 직원에게는 해마다 15일의 연차휴가를 준다. ② 연차휴가는 나누어 쓸 수 있다.\n"
    "제2조(연차휴가) ① 직원에게는 해마다 15일의 연차휴가를 준다. ② 연차휴가는 나누어 쓸 수 있다.\n"
    "제3조(병가) 병가는 다음 각 호의 경우에 준다.\n1. 질병으로 일할 수 없는 때\n2. 감염병에 걸린 때\n"
)
NOTES: Final = (
    "# 근무 안내\n\n## 출근\n\n출근은 아홉 시까지 한다. 늦으면 알린다.\n\n## 퇴근\n\n퇴근은 여섯 시에 한다.\n"
)


class Found(NamedTuple):
    """One passage as an adapter gave it, best first.

    Attributes:
        id: The chunk's.
        text: The passage alone, without its headings.
        score: As the framework shows it.
        metadata: What the framework's document or node carries.
    """

    id: str
    text: str
    score: float | None
    metadata: Mapping[str, Any]


class Piece(NamedTuple):
    """A document or a part of one, as a reader or a splitter gave it.

    Attributes:
        id: Of a reader's chunk or file; otherwise it is not looked at.
        text: The text alone.
        start: Offset in the text that was split; not looked at where a reader gives it.
        metadata: What the framework's document or node carries.
    """

    id: str | None
    text: str
    start: int | None
    metadata: Mapping[str, Any]


def make_index(folder: str | Path, *, embeddings: object = MODEL) -> KureIndex:
    """A new index of two of the sample PDFs and of :data:`RECORDS`: 73 passages, made in seconds.

    Args:
        folder: Where; it need not be there.
        embeddings: As :meth:`kure_rag.KureIndex.open` takes it.
    """
    index = KureIndex.open(folder, embeddings=embeddings)
    try:
        index.add_paths(sample_paths()[:2], workers=1)
        index.add_records(RECORDS, workers=1)
    except BaseException:
        index.close()
        raise
    return index


def same(what: str, given: Sequence[Any], core: Sequence[Any]) -> None:
    """Compares an adapter's list with the core's.

    Raises:
        AssertionError: They differ; it names the first place where they do.
    """
    for place, (ours, theirs) in enumerate(zip(given, core, strict=False)):
        if ours != theirs or type(ours) is not type(theirs):
            raise AssertionError(f"{what}, at place {place}: the adapter gives {ours!r}, and the core {theirs!r}")
    if len(given) != len(core):
        raise AssertionError(f"{what}: the adapter gives {len(given)}, and the core {len(core)}")


def holds(what: str, condition: bool) -> None:
    """Says what is wrong where a condition does not hold.

    Raises:
        AssertionError: It does not.
    """
    if not condition:
        raise AssertionError(what)
