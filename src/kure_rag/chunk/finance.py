"""The finance profile: business reports, fund reports and prospectuses by the names of their sections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from kure_rag.chunk.base import ChunkSettings, Passage
from kure_rag.chunk.body import Body
from kure_rag.chunk.general import COMMON, question_binding
from kure_rag.chunk.markers import NOTE_OF_STATEMENTS, find_marker
from kure_rag.chunk.names import NameFinder, Names
from kure_rag.chunk.sentences import Sentences
from kure_rag.types import Document

_NOTES: Final = "주석"

# The sections of a 사업보고서 as the disclosure form names them (기업공시서식 작성기준); their numbers move by year.
REPORT: Final = Names(
    {
        "대표이사 확인": ("대표이사 등의 확인",),
        "회사의 개요": ("회사의 개요",),
        "사업의 내용": ("사업의 내용",),
        "재무에 관한 사항": ("재무에 관한 사항",),
        "이사의 경영진단": ("이사의 경영진단 및 분석의견", "이사의 경영진단·분석의견", "경영진단 및 분석의견"),
        "회계감사인의 감사의견": ("회계감사인의 감사의견 등", "감사인의 감사의견 등", "회계감사인의 감사의견"),
        "이사회 등 회사의 기관": ("이사회 등 회사의 기관에 관한 사항", "이사회 등 회사의 기관 및 계열회사에 관한 사항"),
        "주주에 관한 사항": ("주주에 관한 사항",),
        "임원 및 직원": ("임원 및 직원 등에 관한 사항", "임원 및 직원 등의 현황"),
        "계열회사": ("계열회사 등에 관한 사항",),
        "대주주 등과의 거래": ("대주주 등과의 거래내용", "이해관계자와의 거래내용"),
        "투자자 보호": ("그 밖에 투자자 보호를 위하여 필요한 사항", "투자자 보호를 위하여 필요한 사항"),
        "상세표": ("상세표",),
        "전문가의 확인": ("전문가의 확인",),
    }
)
# What stands under 재무에 관한 사항, and in an audit report by itself.
STATEMENTS: Final = Names(
    {
        "요약재무정보": ("요약재무정보", "요약 연결재무정보", "요약 별도재무정보", "요약 재무정보"),
        "연결재무제표": ("연결재무제표",),
        "재무제표": ("재무제표", "별도재무제표"),
        "재무상태표": ("재무상태표", "연결재무상태표", "연결 재무상태표", "대차대조표"),
        "손익계산서": ("손익계산서", "연결손익계산서", "포괄손익계산서", "연결포괄손익계산서", "연결 포괄손익계산서"),
        "자본변동표": ("자본변동표", "연결자본변동표", "연결 자본변동표"),
        "현금흐름표": ("현금흐름표", "연결현금흐름표", "연결 현금흐름표"),
        _NOTES: (
            "주석",
            "연결재무제표 주석",
            "재무제표 주석",
            "별도재무제표 주석",
            "재무제표에 대한 주석",
            "연결재무제표에 대한 주석",
        ),
        "배당에 관한 사항": ("배당에 관한 사항", "배당에 관한 사항 등"),
        "자금조달": ("증권의 발행을 통한 자금조달에 관한 사항", "증권의 발행을 통한 자금조달 실적"),
        "기타 재무에 관한 사항": ("기타 재무에 관한 사항",),
    },
    rank=50,
    restart=(_NOTES,),
)
# Of 자산운용보고서, 투자설명서 and monthly fund reports.
FUND: Final = Names(
    {
        "펀드의 개요": ("펀드의 개요", "펀드개요", "집합투자기구의 개요", "상품의 개요", "상품개요"),
        "투자목적 및 전략": (
            "투자목적 및 투자전략",
            "투자목적·투자전략",
            "투자전략",
            "투자목적",
            "운용목표",
            "운용전략",
            "투자목적·전략",
        ),
        "운용성과": (
            "운용성과",
            "운용실적",
            "수익률 현황",
            "수익률 추이",
            "운용수익률 추이",
            "기간 수익률",
            "기간별 수익률",
            "펀드 수익률",
            "펀드성과",
            "운용경과 및 수익률현황",
            "기준가격 및 수익률",
        ),
        "운용경과 및 계획": (
            "운용경과 및 계획",
            "운용경과",
            "운용계획",
            "운용리뷰",
            "향후 운용계획",
            "시장동향",
            "시장전망",
            "시장동향 및 운용계획",
            "투자환경 및 운용계획",
            "운용코멘트",
            "펀드매니저 코멘트",
        ),
        "자산구성": (
            "자산구성현황",
            "자산구성",
            "자산현황",
            "자산별 구성현황",
            "포트폴리오",
            "포트폴리오 현황",
            "포트폴리오 구성",
            "업종별 투자비중",
            "업종별 구성현황",
            "국가별 투자비중",
            "상위 보유종목",
            "보유종목",
            "주요 보유종목",
            "투자대상 상위 10종목",
            "상위 10종목",
        ),
        "보수 및 비용": (
            "보수 및 비용",
            "보수 및 수수료",
            "보수·수수료",
            "수수료 및 보수",
            "총보수 및 비용",
            "총보수·비용",
            "업자별 보수 지급현황",
            "비용현황",
        ),
        "투자위험": (
            "투자위험",
            "주요 투자위험",
            "투자위험등급",
            "위험등급",
            "투자위험 등급 및 적합한 투자자유형",
            "투자유의사항",
            "유의사항",
            "투자자 유의사항",
        ),
        "매입 및 환매": (
            "매입 및 환매",
            "매입·환매",
            "매입방법",
            "환매방법",
            "환매수수료",
            "매입·환매절차",
            "매입 및 환매 방법",
        ),
        "운용전문인력": ("투자운용전문인력", "운용전문인력 현황", "운용전문인력", "투자운용인력", "운용역"),
        "과세": ("과세", "과세제도", "세금", "과세에 관한 사항"),
    },
    rank=65,
)
_NAMES: Final = NameFinder((REPORT, STATEMENTS, FUND, *COMMON))


@dataclass(frozen=True, slots=True)
class Finance:
    """Reports of companies and funds, central-bank notes, prospectuses.

    Metadata: ``section``, the innermost section known by name (``재무에 관한 사항``, ``운용성과``); ``note``, the
    heading of a note to the financial statements (``12. 차입금``); for a table ``caption``, ``unit`` and ``header``.
    """

    name: str = "finance"
    version: str = "6"

    def passages(self, document: Document, sentences: Sentences, settings: ChunkSettings) -> list[Passage]:
        """See :class:`~kure_rag.chunk.base.Profile`."""
        body = Body(document, sentences, settings, question_binding(document.text))
        return [
            passage
            for section in body.sections(_NAMES)
            for passage in body.passages(section, (document.title, *section.headings), _place(section.headings))
        ]


def _place(headings: Sequence[str]) -> dict[str, Any]:
    named = [(i, name) for i, heading in enumerate(headings) if (name := _NAMES.name_of(heading)) is not None]
    note = _note(headings, named)
    if note is not None:  # whatever is called as a section is inside it, such as 현금흐름표
        return {"section": _NOTES, "note": headings[note]}
    return {"section": named[-1][1]} if named else {}


def _note(headings: Sequence[str], named: Sequence[tuple[int, str]]) -> int | None:
    """Which of the headings is a note's: 주석 3., or a number right under 주석."""
    styles = [marker.style if (marker := find_marker(heading)) is not None else "" for heading in headings]
    spelled = [i for i, style in enumerate(styles) if style == NOTE_OF_STATEMENTS]
    if spelled:
        return spelled[-1]
    below = next((i + 1 for i, name in named if name == _NOTES), len(headings))
    return below if below < len(headings) and styles[below] == "number" else None
