from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.read.layout import Line
from kure_rag.read.lines import join_lines, join_wrapped, visual_width


def no_space(pairs: Sequence[tuple[str, str]]) -> list[bool]:
    return [False] * len(pairs)


def visible(lines: Sequence[Sequence[str]]) -> str:
    return "".join("".join(line.split()) for page in lines for line in page)


# Wrapped lines


def test_width_counts_hangul_twice() -> None:
    assert visual_width("가나 ab漢1") == 4 + 1 + 2 + 2 + 1


def test_trailing_spaces_tell_word_breaks() -> None:
    page = [
        "직원이 계속하여 근로한 기간이 1년 미만인 경우 ",
        "에는 1개월을 개근할 때마다 1일의 유급휴가를 준",
        "다고 정하며, 저축한 휴가는 퇴직할 때까지 사용 ",
        "할 수 있다.",
    ]

    def never(pairs: Sequence[tuple[str, str]]) -> list[bool]:
        assert not pairs
        return []

    joined = (
        "직원이 계속하여 근로한 기간이 1년 미만인 경우 에는 1개월을 개근할 때마다 1일의 유급휴가를 준"
        "다고 정하며, 저축한 휴가는 퇴직할 때까지 사용 할 수 있다."
    )
    assert join_wrapped([page], never) == [[joined]]


def test_without_trailing_spaces_the_spacer_is_asked_once_for_all() -> None:
    page = [
        "보험금을 지급하여야 할 사유가 발생한 때에는 보험수",
        "익자에게 알린 날부터 열흘 안에 보험금을 지급하여야",
        "한다.",
    ]
    asked: list[list[tuple[str, str]]] = []

    def spacer(pairs: Sequence[tuple[str, str]]) -> list[bool]:
        asked.append(list(pairs))
        return [after == "한다." for _, after in pairs]

    assert join_wrapped([page], spacer) == [[f"{page[0]}{page[1]} {page[2]}"]]
    assert asked == [[(page[0], page[1]), (page[1], page[2])]]


@pytest.mark.parametrize(
    "following",
    [
        "제15조(연차휴가) 직원에게 휴가를 준다.",
        "제15조의2(저축) 휴가를 저축한다.",
        "제 8 조 【보험금의 지급】",
        "제15조 이 법은 공포한 날부터 시행한다.",
        "제2장 근무",
        "제3편",
        "부칙 <제38호, 2024.3.4>",
        "① 직원은 재택근무를 할 수 있다.",
        "1. 매주 일요일",
        "1의2. 근로자의 날",
        "3) 노동절",
        "가. 환위험",
        "하) 그 밖의 위험",
        "(가) 서울특별시",
        "(12) 제주특별자치도",
        "Ⅲ. 재무에 관한 사항",
        "IV. 위험 요인",
        "■ 유의사항",
        "- 가입 대상",
        "※ 세금은 뺀 금액이다.",
        "【주문】",
        "[별표 1]",
        "<개정 2024.3.4>",
        "「근로기준법」",
    ],
)
def test_list_markers_and_headings_begin_a_paragraph(following: str) -> None:
    line = "직원의 휴가와 휴직에 관하여 필요한 사항은 이사장이 따로 정하는 바에 따르며"
    assert join_wrapped([[line, following]], no_space) == [[line, following]]


@pytest.mark.parametrize(
    "following",
    [
        "제15조에 따라 정한다.",
        "제15조의2를 준용한다.",
        "제17조제1항의 적합성 원칙을 지킨다.",
        "제2장 및 제3장을 준용한다.",
        "다. 다만, 수습기간에는 그러하지 아니하다.",
        "요. 신청은 누리집에서 합니다.",
        "함. 다만, 예외로 한다.",
        "(주)한빛정밀이 부담한다.",
        "(이하)의 금액을 뺀다.",
        "2024년 3월부터 시행한다.",
    ],
)
def test_a_sentence_going_on_is_joined(following: str) -> None:
    line = "휴가와 휴직에 관하여 필요한 사항은 취업규정과 금융소비자 보호에 관한 법률에서 정한"
    assert join_wrapped([[line, following]], no_space) == [[line + following]]


def test_third_item_of_a_list_is_not_the_end_of_a_sentence() -> None:
    page = [
        "가. 최근 3년간의 재무제표와 그에 대한 외부감사인의 감사보고서",
        "나. 최근 3년간의 사업계획서와 이사회가 의결한 예산서의 사본",
        "다. 정관",
    ]
    assert join_wrapped([page], no_space) == [page]


def test_short_lines_are_the_authors() -> None:
    page = [
        "분 기 보 고 서",
        "회사명 한빛정밀",
        "매출액은 검사부품 수요가 늘면서 지난해보다 9.9퍼센트 늘어난 196,305백만원입니다.",
    ]
    assert join_wrapped([page], no_space) == [page]


def test_lines_are_not_joined_over_blank_lines_or_pages() -> None:
    line = "매출액은 검사부품 수요가 늘면서 지난해보다 늘어난"
    assert join_wrapped([[line, "", line], [line]], no_space) == [[line, line], [line]]


@pytest.mark.parametrize("pages", [[], [[]], [[], ["", "  "]]])
def test_nothing_to_join(pages: list[list[str]]) -> None:
    assert join_wrapped(pages, no_space) == [[] for _ in pages]


WRAPPED = st.text("가나다한는 12.)(제조①-AB", max_size=20)


@given(st.lists(st.lists(WRAPPED, max_size=8), max_size=3), st.booleans())
def test_no_visible_character_is_lost_or_moved(pages: list[list[str]], spaced: bool) -> None:
    joined = join_wrapped(pages, lambda pairs: [spaced] * len(pairs))
    assert len(joined) == len(pages)
    for page, paragraphs in zip(pages, joined, strict=True):
        assert visible([paragraphs]) == visible([page])
        assert all(p == " ".join(p.split()) and p for p in paragraphs)


def printed(texts: Sequence[str], lefts: Sequence[float], right: float = 300.0) -> list[Line]:
    return [
        Line(text, left, 700.0 - 18 * i, right, 710.0 - 18 * i, 10.0, 60.0, right)
        for i, (text, left) in enumerate(zip(texts, lefts, strict=True))
    ]


def test_an_indented_line_below_a_heading_that_fills_its_line_begins_a_paragraph() -> None:
    body = [
        "상품은 위험을 잴 수 있어야 하고 보험",
        "료는 그 위험에 맞아야 하며 약관은 분",
        "명하여야 한다고 알려져 있다고 한다.",
    ]
    headings = [f"({i}) 보험 업계가 새로 내놓은 여러 의견" for i in (1, 2, 3, 4)]
    texts = [text for heading in headings for text in (heading, *body)]
    page = printed(texts, [60.0, 70.0, 60.0, 60.0] * 4)
    paragraphs = [paragraph.text for paragraph in join_lines([page], no_space)]
    assert paragraphs == [text for heading in headings for text in (heading, "".join(body))]


def test_the_bullets_of_reports_typed_as_letters_begin_paragraphs() -> None:
    line = "수도권 밖으로 공장을 이전하는 기업의 감면요건 정비(조특법 §63의2)"
    bullets = ["ㅇ 공장을 지방으로 이전하는 기업에 대한 소득세와 법인세를 감면", "ㅇ(대상) 국채"]
    assert join_wrapped([[line, *bullets]], no_space) == [[line, *bullets]]


def test_entries_of_a_table_of_contents_end_with_the_number_of_their_page() -> None:
    entries = ["성과공유 중소기업 세액공제 적용기한 연장 ······ 77", "23 / 가상자산사업자에 대한 제재 신설 ······ 78"]
    assert len(join_wrapped([entries], no_space)[0]) == 2


def test_a_running_title_does_not_cut_the_sentence_that_goes_on_over_the_page() -> None:
    texts = ["여신을 심사하는 사람은 신청한 사람의", "소득을 먼저 살피고 담보는 그다음에 살"]
    title = Line("여신 심사 지침", 60.0, 30.0, 150.0, 40.0, 10.0, 60.0, 300.0, worn=True)
    pages = [[*printed(texts, [60.0, 60.0]), title], printed(["피며 둘을 더하여 정한다고 한다."], [60.0])]
    paragraphs = [paragraph.text for paragraph in join_lines(pages, no_space)]
    assert sorted(paragraphs) == sorted(["".join([*texts, "피며 둘을 더하여 정한다고 한다."]), "여신 심사 지침"])


def test_a_larger_indented_heading_at_the_top_of_a_page_begins_a_paragraph() -> None:
    texts = ["이 법 시행 이후 최초로 신고하는 분부터 적용하고 그 전에 신고한 분은 종전의 규정에 따라서 적용"] * 3
    first = printed(texts, [0.0] * 3)
    [heading] = printed(["제2차 납세의무를 지는 자의 범위를 넓히고 그 한도를 정함"], [12.0])
    larger = replace(heading, top=heading.top + 3, size=heading.size + 3)
    body = printed(texts, [0.0] * 3)
    for top, apart in ((larger, True), (heading, False)):
        paragraphs = [paragraph.text for paragraph in join_lines([first, [top, *body]], no_space)]
        assert any(text.startswith(heading.text) for text in paragraphs) is apart
