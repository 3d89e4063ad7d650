"""Contracts, insurance terms and university rules: headings as they print them, texts that begin again."""

from collections.abc import Sequence

import pytest

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Chunk, Document

WORDS = WhitespaceTokenizer()

TERMS = """【보통약관】
제1관 목적 및 용어의 정의
제1조(목적) 이 약관은 상해를 보장하는 계약의 내용을 정합니다.
제2조(용어의 정의) 이 약관에서 쓰는 말의 뜻은 다음과 같습니다.
1. 계약자: 보험료를 내는 사람을 말합니다.
2. 피보험자: 보험사고의 대상이 되는 사람을 말합니다.
제2관 보험금의 지급
제3조(보험금의 지급사유) 회사는 피보험자가 다친 때에 보험금을 드립니다.
제4조(보험금을 드리지 않는 사유) 회사는 제3조(보험금의 지급사유)에도 불구하고 일부러 낸 사고에는 드리지 않습니다.
골절진단비 특별약관
제1조(보험금의 지급사유) 회사는 뼈가 부러진 때에 진단비를 드립니다.
제2조(준용규정) 이 특별약관에서 정하지 않은 사항은 보통약관을 따릅니다.
【입원일당 특별약관】
제1조(보험금의 지급사유) 회사는 입원한 날마다 일당을 드립니다.
제2조(준용규정) 이 특별약관에서 정하지 않은 사항은 보통약관을 따릅니다.
"""

CONTRACT = """용역 계약서
발주자 바다출판사와 수급자 들꽃디자인은 다음과 같이 계약을 맺는다.
제 1 조 (목적) 이 계약은 표지 도안의 제작에 관한 사항을 정한다.
제 2 조 【계약금액】 계약금액은 금 오백만원으로 한다.
제 3 조 [지급] ① 발주자는 계약한 날부터 열흘 안에 절반을 지급한다.
② 나머지는 검수를 마친 날 지급한다.
제 8 조 (비밀 유지) 수급자는 알게 된 비밀을 밖에 알리지 아니한다.
제 8 조의 2 (개인정보) 수급자는 개인정보를 계약의 목적에만 쓴다.
제 9 조 (분쟁) 다툼은 발주자의 주소지를 관할하는 법원에서 다룬다.
2025년 3월 2일
발주자 (서명)
"""


def cut(text: str, title: str) -> list[Chunk]:
    document = Document(id="d" * 64, source="문서.pdf", title=title, domain="legal", text=text)
    return [item.chunk for item in chunk_document(document, WORDS, ChunkSettings())]


def labels(chunks: Sequence[Chunk]) -> list[tuple[str, str]]:
    return [(c.metadata.get("part_name", ""), c.metadata["article"]) for c in chunks if "article" in c.metadata]


def test_each_special_terms_begin_at_article_one_again() -> None:
    chunks = cut(TERMS, "상해보험 약관")
    assert labels(chunks) == [
        *(("보통약관", f"제{n}조") for n in (1, 2, 3, 4)),
        *(("골절진단비 특별약관", f"제{n}조") for n in (1, 2)),
        *(("입원일당 특별약관", f"제{n}조") for n in (1, 2)),
    ]
    parts = [c.metadata["part"] for c in chunks if "article" in c.metadata]
    assert parts == ["본칙"] * 4 + ["특별약관"] * 4


def test_the_breadcrumb_names_the_terms_and_their_chapter() -> None:
    chunks = cut(TERMS, "상해보험 약관")
    crumbs = [c.breadcrumb for c in chunks if c.metadata.get("title") == "보험금의 지급사유"]
    assert crumbs == [
        ("상해보험 약관", "보통약관", "제2관 보험금의 지급", "제3조(보험금의 지급사유)"),
        ("상해보험 약관", "골절진단비 특별약관", "제1조(보험금의 지급사유)"),
        ("상해보험 약관", "입원일당 특별약관", "제1조(보험금의 지급사유)"),
    ]


def test_the_name_of_the_next_terms_is_in_no_article() -> None:
    chunks = cut(TERMS, "상해보험 약관")
    last = next(c for c in chunks if c.metadata.get("article") == "제4조")
    assert last.text.endswith("드리지 않습니다.")
    assert [c.text for c in chunks if c.kind == "heading"] == [
        "【보통약관】\n제1관 목적 및 용어의 정의",
        "제2관 보험금의 지급",
        "골절진단비 특별약관",
        "【입원일당 특별약관】",
    ]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("상해사망 부보장 특별약관Ⅱ", "상해사망 부보장 특별약관Ⅱ"),
        ("3-2. 암진단비(유사암 제외) 특별약관", "암진단비(유사암 제외) 특별약관"),
        ("무배당 든든한 입원일당 특약(갱신형)", "무배당 든든한 입원일당 특약(갱신형)"),
    ],
)
def test_names_of_special_terms(line: str, name: str) -> None:
    text = f"{TERMS}{line}\n제1조(보험금의 지급사유) 회사는 보험금을 드립니다.\n제2조(준용) 보통약관을 따릅니다.\n"
    last = cut(text, "상해보험 약관")[-1]
    assert (last.metadata["part"], last.metadata["part_name"], last.metadata["article"]) == ("특별약관", name, "제2조")


def test_a_contract_with_spaced_numbers_and_other_brackets() -> None:
    chunks = cut(CONTRACT, "용역 계약서")
    found = [(c.metadata["article"], c.metadata["title"]) for c in chunks if "article" in c.metadata]
    assert found == [
        ("제1조", "목적"),
        ("제2조", "계약금액"),
        ("제3조", "지급"),
        ("제8조", "비밀 유지"),
        ("제8조의2", "개인정보"),
        ("제9조", "분쟁"),
    ]
    assert chunks[0].kind == "text"
    assert chunks[0].text.startswith("용역 계약서\n발주자")
    assert chunks[5].breadcrumb == ("용역 계약서", "제8조의2(개인정보)")


def test_a_title_on_two_lines_is_one_title() -> None:
    text = "제1조(목적) 목적을 정한다.\n제2조(연구비의 집행과\n정산) 연말에 정산한다.\n제3조(보고) 보고한다.\n"
    assert [c.metadata["title"] for c in cut(text, "연구비 지침")] == ["목적", "연구비의 집행과 정산", "보고"]


def test_rules_of_a_university() -> None:
    text = """교원 연구년 규정
제 1 장 총 칙
제1조(목적) 이 규정은 교원의 연구년에 관하여 정한다.(개정 2019.02.14.)
제2조(기간) 연구년은 한 해로 한다. <개정 2021.3.1>
제 2 장 신청
제3조(신청) 교원은 [별지 제1호 서식]의 신청서를 낸다.
부      칙
제1조(시행일) 이 규정은 2019년 3월 1일부터 시행한다.
부 칙(2021. 3. 1.)
이 규정은 공포한 날부터 시행한다.
[별지 제1호 서식] 연구년 신청서
성명과 소속을 적는다.
"""
    chunks = cut(text, "교원 연구년 규정")
    assert labels(chunks) == [("", "제1조"), ("", "제2조"), ("", "제3조"), ("부칙", "제1조")]
    assert [c.metadata["amended"] for c in chunks if "amended" in c.metadata and c.metadata["part"] == "본칙"] == [
        ["2019.2.14"],
        ["2021.3.1"],
    ]
    assert [c.breadcrumb[1] for c in chunks[-2:]] == ["부칙 (2021. 3. 1.)", "별지 제1호서식 연구년 신청서"]
    assert chunks[-1].kind == "appendix"


@pytest.mark.parametrize("text", ["", "머리말입니다.", "회사는 보험금을 지급합니다.\n약관을 잘 읽어 보십시오."])
def test_a_text_without_articles_is_cut_like_any_other(text: str) -> None:
    assert "".join("".join(c.text.split()) for c in cut(text, "안내문")) == "".join(text.split())
