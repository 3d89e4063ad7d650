"""Three small Korean PDFs to try kure-rag on without any document of your own.

They are a quarterly report, an employer's regulation and a drug label of four or five pages each. Everything in them is
fictional: companies, institutions, medicines and figures were made up for this package, and each file says so on its
last page. ``examples/make_samples.py`` draws them; the fonts embedded in them are subsets of Nanum Gothic and Nanum
Myeongjo (SIL Open Font License 1.1).

Example:
    >>> from kure_rag.samples import DEMO_QUESTIONS, sample_paths
    >>> [path.name for path in sample_paths()]
    ['모아렌정_설명서.pdf', '새여울재단_취업규정.pdf', '한빛정밀_분기보고서.pdf']
    >>> DEMO_QUESTIONS[2].source
    '새여울재단_취업규정.pdf'
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["DEMO_QUESTIONS", "DemoQuestion", "sample_paths"]


@dataclass(frozen=True, slots=True)
class DemoQuestion:
    """A question that one sample answers, with the place where it does.

    Attributes:
        question: As a reader would ask it, not in the document's own words.
        source: Name of the file that holds the answer.
        page: 1-based page of that file on which the answer stands.
        answer: A short string of the right passage. The page may break it over two lines: compare without white space.
    """

    question: str
    source: str
    page: int
    answer: str


DEMO_QUESTIONS: Final[tuple[DemoQuestion, ...]] = (
    DemoQuestion(
        question="한빛정밀의 누적 영업이익이 작년보다 늘어난 까닭은 무엇인가요?",
        source="한빛정밀_분기보고서.pdf",
        page=4,
        answer="불량률이 낮아지면서 매출원가율이",
    ),
    DemoQuestion(
        question="달러 환율이 10% 오르면 한빛정밀의 손익은 얼마나 달라지나요?",
        source="한빛정밀_분기보고서.pdf",
        page=5,
        answer="2,415",
    ),
    DemoQuestion(
        question="집에서 재택근무를 하고 싶으면 며칠 전에 신청해야 하나요?",
        source="새여울재단_취업규정.pdf",
        page=2,
        answer="3일 전까지 재택근무 신청서를",
    ),
    DemoQuestion(
        question="팀장이 아닌 일반 직원이 광역시로 출장 가면 1박 숙박비 상한액은 얼마인가요?",
        source="새여울재단_취업규정.pdf",
        page=5,
        answer="95,000",
    ),
    DemoQuestion(
        question="신장이 많이 나쁜 중증 환자는 모아렌정을 얼마 간격으로 먹어야 하나요?",
        source="모아렌정_설명서.pdf",
        page=2,
        answer="5 mg, 2일에 1회",
    ),
    DemoQuestion(
        question="모아렌정을 실수로 너무 많이 먹었을 때 쓸 수 있는 해독제가 있나요?",
        source="모아렌정_설명서.pdf",
        page=3,
        answer="특별한 해독제는 알려져 있지 않다",
    ),
)


def sample_paths() -> list[Path]:
    """The sample PDFs as files of the installed package, sorted by name."""
    return sorted(Path(__file__).resolve().parent.glob("*.pdf"))
