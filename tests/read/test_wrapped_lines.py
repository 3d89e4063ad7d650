import re
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

    asked: list[tuple[str, str]] = []

    def spacer(pairs: Sequence[tuple[str, str]]) -> list[bool]:
        asked.extend(pairs)
        return no_space(pairs)

    joined = (
        "직원이 계속하여 근로한 기간이 1년 미만인 경우 에는 1개월을 개근할 때마다 1일의 유급휴가를 준"
        "다고 정하며, 저축한 휴가는 퇴직할 때까지 사용 할 수 있다."
    )
    assert join_wrapped([page], spacer) == [[joined]]
    assert asked == [(page[1].strip(), page[2].strip())]  # the spaces that were kept are sure


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
        "▣ 가입 절차",
        "Q. 휴가는 며칠인가요?",
        "Q12) 휴가는 며칠인가요?",
        "A1. 열닷새입니다.",
        "질문 2. 휴직도 되나요?",
        "문1) 휴직도 되나요?",
        "문 3. 휴직도 되나요?",
        "답) 됩니다.",
        "답: 됩니다.",
        "갑: 주식회사 한빛",
        "을 : 주식회사 두레",
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
        "【별표2】에서 정한 금액을 준다.",
        "[별지 제3호서식]에 따라 신청한다.",
        "문. 이것으로 마친다.",
        "eGFR 검사를 한다.",
    ],
)
def test_a_sentence_going_on_is_joined(following: str) -> None:
    line = "휴가와 휴직에 관하여 필요한 사항은 취업규정과 금융소비자 보호에 관한 법률에서 정한"
    assert [p.replace("한 【", "한【") for p in join_wrapped([[line, following]], no_space)[0]] == [line + following]


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
        # Dots that lead the eye to a page number are shortened.
        assert re.sub(r"\.{2,}", "..", visible([paragraphs])) == re.sub(r"\.{2,}", "..", visible([page]))
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


def at(places: Sequence[tuple[str, float, float]], size: float = 10.0) -> list[Line]:
    """Lines below each other, each (text, left, right)."""
    margin, edge = min(left for _, left, _ in places), max(right for _, _, right in places)
    return [
        Line(text, left, 700.0 - 18 * i, right, 700.0 - 18 * i + size, size, margin, edge)
        for i, (text, left, right) in enumerate(places)
    ]


def texts_of(*pages: list[Line]) -> list[str]:
    return [paragraph.text for paragraph in join_lines(pages, no_space)]


def test_short_lines_that_end_at_one_place_are_no_margin_where_others_go_on_beyond_it() -> None:
    notes = [
        ("가입한 뒤 열흘 안에는 물릴 수 있습니다", 70.0, 250.0),
        ("보험료를 내는 기간은 스무 해로 정합니다 다만 한꺼번에 낼 수도 있고", 70.0, 420.0),
        ("해약한 뒤 열흘 안에는 되살릴 수 있습니다", 70.0, 250.0),
        ("보험금을 받는 사람은 가입한 사람이 정하며 정하지 않으면 법에 따르고 그", 70.0, 510.0),
        ("밖에는 회사가 정합니다", 70.0, 178.0),
        ("약관은 누리집에서도 볼 수 있습니다", 70.0, 250.0),
        ("전화로 물어볼 수 있습니다", 70.0, 200.0),
    ]
    assert texts_of(at(notes)) == [
        *(text for text, _, _ in notes[:3]),
        notes[3][0] + notes[4][0],
        *(text for text, _, _ in notes[5:]),
    ]


def test_lines_beside_a_column_and_one_that_juts_out_move_no_margin() -> None:
    body = [("상품은 위험을 잴 수 있어야 하고 보험료는 그 위험에 맞아야 하며 약관", 70.0, 382.0)] * 3
    beside = ("시행일은 따로 알립니다", 440.0, 560.0)
    juts = ("은 분명하여야 한다고 알려져 있으니 이를 반드시 지켜서 팔아야 한다고", 70.0, 400.0)
    end = ("정합니다", 70.0, 110.0)
    [paragraph] = texts_of(at([*body, juts, body[0], end]))
    assert paragraph.endswith("약관정합니다")
    assert texts_of(at([*body, end, beside]))[0].endswith("약관정합니다")


def test_a_page_of_few_short_lines_has_the_margin_of_the_others() -> None:
    full = ("계약은 두 사람이 서명한 날부터 효력이 생기고 서로 알린 뒤에 끝낼 수 있", 70.0, 510.0)
    first = at([full, full, full, full, ("습니다.", 70.0, 120.0)])
    second = at(
        [
            ("붙임 서류는 다음과 같습니다.", 70.0, 260.0),
            ("사업 계획서 한 부 (인)", 70.0, 240.0),
            ("예산서 한 부", 70.0, 150.0),
        ]
    )
    assert texts_of(first, second)[1:] == [line.text for line in second]


def test_centred_titles_tell_where_a_page_of_short_lines_has_its_margin() -> None:
    head = [("헌 법 재 판 소", 250.0, 345.0), ("결 정", 280.0, 315.0)]
    parties = [
        ("청구인 김갑동", 70.0, 141.0),
        ("당해사건 서울중앙지방법원 2018가합12345 손해배상(기)", 70.0, 340.0),
        ("선고일 2021. 5. 27.", 70.0, 171.0),
        ("주 문", 284.0, 311.0),
    ]
    assert texts_of(at([*head, *parties])) == [text for text, _, _ in (*head, *parties)]


def test_centred_lines_are_the_authors_unless_they_fill_their_line() -> None:
    full = ("이 법은 산림의 이용에 필요한 사항을 정함으로써 국민의 삶을 낫게 함을 목", 70.0, 525.0)
    body = [full, full, full, ("적으로 한다.", 70.0, 130.0)]
    short = [
        ("[시행 2024. 7. 1.] [법률 제19999호, 2024. 1. 2., 일부개정]", 161.0, 434.0),
        ("산림청(산림과)", 220.0, 375.0),
    ]
    assert texts_of(at([*short, *body]))[:2] == [text for text, _, _ in short]
    long = [
        ("산림의 이용을 늘리고 산림에서 나는 것을 널리 쓰게 하는 특별", 92.0, 503.0),
        ("조치법의 시행에 필요한 사항을 정하는 규칙", 160.0, 435.0),
    ]
    assert texts_of(at([*long, *body]))[0] == long[0][0] + long[1][0]


def test_a_word_of_latin_capitals_is_wider_than_its_letters_in_korean_text() -> None:
    lines = [
        ("이 약은 살이 찌지 않고 값이 싸서 먼저 권한다. 다만", 70.0, 500.0),
        ("eGFR 검사에서 30 미만이면 쓰지 않으며 신장을 먼저 살핀 뒤에 다시 정하고", 70.0, 524.0),
        ("알린다.", 70.0, 110.0),
        ("이 약을 오래 쓰면 비타민이 모자랄 수 있으므로 해마다 살피고 모자라면 채워", 70.0, 523.0),
        ("준다.", 70.0, 100.0),
    ]
    first = texts_of(at(lines, 10.5))[0]
    assert first.startswith(lines[0][0] + lines[1][0])


def test_a_space_kept_at_a_lines_end_says_that_the_next_word_did_not_fit() -> None:
    tight = [("상품은 위험을 잴 수 있어야 하고 보험료는 그 위험에 맞아야 하며 약", 70.0, 400.0)] * 12
    for kept in ("", " "):
        page = at(
            [*tight, ("관은 분명하여야 하고 모두에게 미리" + kept, 70.0, 370.0), ("보여주어야 한다.", 70.0, 150.0)]
        )
        assert len(texts_of(page)) == (1 if kept else 2)


def test_a_document_that_drops_some_of_its_spaces_is_asked_about_the_rest() -> None:
    known = "법률 문서에서는 조문 번호와 인용 관계가 중요하다."
    breaks = [("특히 법률 문서에서는", "조문 번호와 인용을 본다."), ("흔히 조문 번호와", "인용 관계가 말을 한다.")]
    kept = [("이를 바탕으로 삼는 ", "검색이다."), ("그것은 다시 살피는 ", "일이다.")]
    lines = [known, *(line for pair in (*breaks, *kept) for line in pair)]
    page = at([(text, 70.0, 300.0 if i and i % 2 else 120.0) for i, text in enumerate(lines)])
    for line in page:
        line.edge = 300.0
    joined = " ".join(texts_of(page))
    assert "문서에서는 조문 번호와 인용을" in joined
    assert "조문 번호와 인용 관계가 말을" in joined
