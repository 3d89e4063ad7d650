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


def titled(chunks: Sequence[Chunk]) -> list[tuple[str, str]]:
    return [(c.metadata["article"], c.metadata.get("title", "")) for c in chunks if "article" in c.metadata]


def test_articles_whose_number_ends_in_a_separator() -> None:
    text = """자문 계약서
제1조. 목적
이 계약은 자문의 범위를 정한다.
제2조. 기간
기간은 한 해로 한다.
제3조: 보수
보수는 달마다 준다.
제4조 - 양도 금지
권리를 남에게 넘기지 못한다.
제5조. (관할)
다툼은 서울의 법원에서 다룬다.
"""
    chunks = cut(text, "자문 계약서")
    assert titled(chunks) == [
        *(("제1조", "목적"), ("제2조", "기간"), ("제3조", "보수"), ("제4조", "양도 금지"), ("제5조", "관할"))
    ]
    assert chunks[4].text == "제4조 - 양도 금지\n권리를 남에게 넘기지 못한다."


def test_a_separator_before_a_sentence_gives_an_article_without_a_title() -> None:
    text = (
        "각서\n제1조. 을은 갑에게 빌린 돈을 갚는다.\n제2조. 을은 다달이 이자를 준다.\n제3조. 다툼은 법원에서 다룬다.\n"
    )
    assert titled(cut(text, "각서")) == [("제1조", ""), ("제2조", ""), ("제3조", "")]


MIXED = """보관 계약서
제1조 (목적) 이 계약은 물건의 보관에 관하여 정한다.
제2조 (기간) 기간은 여섯 달로 한다.
제3조 (보관료) 보관료는 다음과 같다.
1. 처음 한 달은 받지 아니하는 것
{lines}
제6조 (해지) 갑은 언제든지 해지할 수 있다.
제7조 (통지) 통지는 글로 한다.
"""


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("제4조. 손해배상\n손해를 배상한다.\n제5조. 관할\n서울로 한다.", [("제4조", "손해배상"), ("제5조", "관할")]),
        ("제4조 손해배상\n손해를 배상한다.\n제5조 관할\n서울로 한다.", [("제4조", "손해배상"), ("제5조", "관할")]),
        ("제4조 을은 손해를 배상하여야 한다.\n제5조 다툼은 서울의 법원에서 다룬다.", [("제4조", ""), ("제5조", "")]),
    ],
)
def test_articles_without_brackets_among_those_with_them(lines: str, found: list[tuple[str, str]]) -> None:
    chunks = cut(MIXED.format(lines=lines), "보관 계약서")
    assert titled(chunks)[3:5] == found
    assert [article for article, _ in titled(chunks)] == [f"제{n}조" for n in range(1, 8)]
    assert all("references" not in c.metadata for c in chunks)


@pytest.mark.parametrize(
    "lines",
    [
        "제4조 위반으로 생긴 손해는 갚는다.",  # a sentence that begins with a reference
        "이때의 값은\n제4조 이 계약의 뜻에 따라 정한다.",  # one that was broken before it
        "제7조 통지를 받은 뒤에 갚는다.",  # an article that stands elsewhere
        "이는 따로 정한\n제4조. 에 따른다.",
    ],
)
def test_a_reference_at_a_lines_start_is_no_article(lines: str) -> None:
    chunks = cut(MIXED.format(lines=lines), "보관 계약서")
    assert [article for article, _ in titled(chunks)] == ["제1조", "제2조", "제3조", "제6조", "제7조"]


@pytest.mark.parametrize("title", ["용어의 정의", "사업의 개요", "위반의 효과", "계약의 해지", "당사자의 합의"])
def test_titles_that_end_like_a_sentence(title: str) -> None:
    text = (
        f"이용 약관\n제1조 목적\n목적을 정합니다.\n제2조 {title}\n회사는 이를 정합니다.\n제3조 효력\n효력이 생깁니다.\n"
    )
    assert titled(cut(text, "이용 약관")) == [("제1조", "목적"), ("제2조", title), ("제3조", "효력")]


TAIL = """창고 임대차 계약서
제1조 (목적물) 임대인은 창고를 빌려준다.
제2조 (차임) 차임은 달마다 준다.
제3조 (원상회복) 임차인은 창고를 처음대로 돌려놓는다.
{head}
1. 창고 안에서 불을 피우지 아니한다.
2. 열쇠는 두 벌을 준다.
"""


@pytest.mark.parametrize(
    "head", ["특약사항", "[특약사항]", "【특약 사항】", "◆ 특 약 사 항", "<특수조건>", "특약사항 :"]
)
def test_special_conditions_are_not_the_last_article(head: str) -> None:
    *_, last, special = cut(TAIL.format(head=head), "창고 임대차 계약서")
    assert last.text == "제3조 (원상회복) 임차인은 창고를 처음대로 돌려놓는다."
    assert special.text.startswith(head)
    assert special.metadata["part"] == "특약사항"
    assert "article" not in special.metadata
    assert "제3조(원상회복)" not in special.breadcrumb


@pytest.mark.parametrize(
    ("head", "crumb"),
    [
        ("[별첨 1] 창고 도면", "별첨 1 창고 도면"),
        ("별첨 2. 비품 목록", "별첨 2 비품 목록"),
        ("[붙임1: 비품 목록]", "붙임 1 비품 목록"),
        ("<별첨>", "별첨"),
    ],
)
def test_annexes_are_not_the_last_article(head: str, crumb: str) -> None:
    *_, last, annex = cut(TAIL.format(head=head), "창고 임대차 계약서")
    assert last.text == "제3조 (원상회복) 임차인은 창고를 처음대로 돌려놓는다."
    assert (annex.kind, annex.breadcrumb) == ("appendix", ("창고 임대차 계약서", crumb))


@pytest.mark.parametrize("line", ["[별첨 1]에 따른 도면을 따른다.", "붙임 1. 도면 1부.", "별첨 도면과 같이 한다."])
def test_a_line_that_names_an_annex_is_none(line: str) -> None:
    last = cut(TAIL.format(head=line), "창고 임대차 계약서")[-1]
    assert last.metadata["article"] == "제3조"


def test_articles_of_an_annex_are_not_those_of_the_contract() -> None:
    text = TAIL.partition("{head}")[0] + "[별첨 1] 보안 서약\n제1조 (비밀) 비밀을 지킨다.\n제2조 (반환) 돌려준다.\n"
    chunks = cut(text, "창고 임대차 계약서")
    assert [(c.kind, c.metadata.get("part_name")) for c in chunks[-3:]] == [
        ("heading", "별첨 1 보안 서약"),
        ("article", "별첨 1 보안 서약"),
        ("article", "별첨 1 보안 서약"),
    ]
    assert {c.metadata["part"] for c in chunks[-3:]} == {"별표"}


@pytest.mark.parametrize(
    "words",
    [
        "위 계약을 증명하기 위하여 계약서 두 통을 만들어 한 통씩 가진다.\n2025년 3월 2일\n",
        "본 계약의 성립을 증명하기 위하여 서명한다.\n",
        "2025년   월   일\n",
        "2025. 3. 2.\n",
    ],
)
def test_the_lines_that_are_signed_are_not_the_last_article(words: str) -> None:
    text = TAIL.partition("{head}")[0] + words + "임대인 김하나 (인)\n임차인 이두리 (인)\n"
    *_, last, signed = cut(text, "창고 임대차 계약서")
    assert last.text == "제3조 (원상회복) 임차인은 창고를 처음대로 돌려놓는다."
    assert signed.kind == "text"
    assert signed.text.endswith("이두리 (인)")
    assert not signed.metadata


def test_signed_lines_that_name_the_parties_without_a_seal() -> None:
    text = TAIL.partition("{head}")[0] + "2025년 3월 2일\n임대인: 김하나\n주소: 강릉시 바닷가길 7\n임차인: 이두리\n"
    assert cut(text, "창고 임대차 계약서")[-1].text.startswith("2025년 3월 2일")


def test_a_date_inside_an_article_signs_nothing() -> None:
    text = TAIL.partition("{head}")[0] + "2025년 3월 2일\n까지 돌려놓는다.\n"
    assert cut(text, "창고 임대차 계약서")[-1].metadata["article"] == "제3조"


def test_bracketed_names_of_terms_are_not_the_last_article() -> None:
    special = "골절진단비 특별약관\n"
    chunks = cut(
        TERMS.replace(special, f"‹보장성 특별약관>\n{special}") + "<제도성 특별약관>\n따로 정합니다.\n", "약관"
    )
    fourth = next(c for c in chunks if c.metadata.get("article") == "제4조")
    assert fourth.text.endswith("드리지 않습니다.")
    assert f"‹보장성 특별약관>\n{special}".strip() in [c.text for c in chunks if c.kind == "heading"]
    assert (chunks[-1].metadata["part_name"], "article" in chunks[-1].metadata) == ("제도성 특별약관", False)


def test_headings_hold_nothing_but_what_the_next_chunk_has_above_it() -> None:
    text = "규정집\n제1편 총론\n제1장 총칙\n제1절 통칙\n제1조(목적) 정한다.\n제2장 보칙\n제2조(준용) 따른다.\n"
    text += "부칙\n제1조(시행일) 시행한다.\n"
    chunks = cut(text, "규정집")
    heads = [i for i, c in enumerate(chunks) if c.kind == "heading"]
    assert [chunks[i].text for i in heads] == ["제1편 총론\n제1장 총칙\n제1절 통칙", "제2장 보칙", "부칙"]
    for i in heads:
        assert set(chunks[i].text.split("\n")) <= set(chunks[i + 1].breadcrumb)
