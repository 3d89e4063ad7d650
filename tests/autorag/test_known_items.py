"""Questions from headings."""

from dataclasses import replace

import pytest

from kure_rag import Chunk
from kure_rag.autorag.known_items import named, topic


@pytest.mark.parametrize(
    ("heading", "left"),
    [
        ("제15조(연차휴가)", "연차휴가"),
        ("제7조의13(가산금)", "가산금"),
        ("제 8 조의 2(보험금의 지급)", "보험금의 지급"),
        ("제15조의2(연차휴가의 저축) <개정 2024. 1. 2.>", "연차휴가의 저축"),
        ("제3장 휴가", "휴가"),
        ("제1절 통칙 <신설 2020.1.1>", "통칙"),
        ("부칙 <제1085호, 2024. 11. 11.>", "부칙"),
        ("1. 효능·효과", "효능·효과"),
        ("1.2. 경고", "경고"),
        ("2) 다음 환자에는 투여하지 말 것", "다음 환자에는 투여하지 말 것"),
        ("(3) 이상반응", "이상반응"),
        ("가. 사업의 개요", "사업의 개요"),
        ("나) 매출 및 수주상황", "매출 및 수주상황"),
        ("Ⅲ. 재무에 관한 사항", "재무에 관한 사항"),
        ("IV. 이사회", "이사회"),
        ("① 연결재무제표", "연결재무제표"),
        ("■ 상품의 특징", "상품의 특징"),
        ("【판시사항】", "판시사항"),
        ("별표 1 과징금의 부과기준", "과징금의 부과기준"),
        ("2026년 사업계획:", "2026년 사업계획"),
        ("급여 (월급제)", "급여 (월급제)"),
        ("(갑) 근로자 (을) 사용자", "(갑) 근로자 (을) 사용자"),
        ("가나다라", "가나다라"),
        ("제1조", ""),
        ("1.", ""),
        ("", ""),
        ("가" * 61, ""),
    ],
)
def test_a_heading_without_its_number(heading: str, left: str) -> None:
    assert topic(heading) == left


def chunk(*breadcrumb: str, kind: str = "article") -> Chunk:
    return Chunk("ㄱ", "d", "본문", 0, 2, (1,), breadcrumb, kind)


@pytest.mark.parametrize(
    ("given", "queries"),
    [
        (
            chunk("취업규정", "제3장 휴가", "제15조(연차휴가)"),
            (
                "취업규정에서 연차휴가에 관한 내용은 무엇인가요?",
                "취업규정 휴가에서 연차휴가에 관한 내용은 무엇인가요?",
            ),
        ),
        (chunk("취업규정", "제1조(목적)"), ("취업규정에서 목적에 관한 내용은 무엇인가요?",)),
        (chunk("취업규정", "제1조(목적)", "①"), ("취업규정에서 목적에 관한 내용은 무엇인가요?",)),
        (chunk("취업규정", "제1조"), ()),
        (chunk("취업규정"), ()),
        (chunk(), ()),
        (chunk("취업규정", "제3장 휴가", kind="heading"), ()),
        (replace(chunk("취업규정", "제3장 휴가"), text="제3장 휴가"), ()),
        (chunk("취업규정", kind="record"), ("취업규정에 관한 내용은 무엇인가요?",)),
    ],
)
def test_what_a_passage_is_asked_for_by(given: Chunk, queries: tuple[str, ...]) -> None:
    found = list(named("취업규정", [given]))
    assert [item.queries for item in found] == ([queries] if queries else [])
