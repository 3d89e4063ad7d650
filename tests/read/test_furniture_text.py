"""What repeats near the edges of pages and is text: it stays, however often it is printed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kure_rag.read import furniture
from kure_rag.read.layout import Line

HEIGHT, SIZE, PITCH = 842.0, 10.0, 16.0
SUBJECTS = ("간장애", "신장애", "심부전", "고령자", "임부", "수유부")


def line(text: str, middle: float, size: float = SIZE) -> Line:
    return Line(text, 70.0, middle - size / 2, 70.0 + size * len(text), middle + size / 2, size, 70.0, 520.0)


def text(page: int, top: float, count: int, pitch: float = PITCH) -> list[Line]:
    """Lines that no other page says."""
    return [
        line(f"{SUBJECTS[page]} 환자에게 줄 때 살필 것은 {chr(ord('가') + i)}호와 같고", top - pitch * i)
        for i in range(count)
    ]


def below(page: Sequence[Line], *texts: str, pitch: float = PITCH) -> list[Line]:
    """A page on which the text goes on with some lines."""
    return [*page, *[line(words, page[-1].bottom + SIZE / 2 - pitch * (i + 1)) for i, words in enumerate(texts)]]


def number(page: int) -> Line:
    return line(f"- {page + 1} -", 36.0, 9.0)


def kept(pages: Sequence[Sequence[Line]], heights: Sequence[float] = ()) -> list[list[str]]:
    return [[some.text for some in page] for page in furniture.drop_furniture(pages, heights or [HEIGHT] * len(pages))]


def printed(pages: Sequence[Sequence[Line]]) -> list[list[str]]:
    return [[some.text for some in page] for page in pages]


@pytest.mark.parametrize("moved", [0.0, 3.0])
@pytest.mark.parametrize("last", ["하루에 두 알까지 먹인다", "【저장방법】 밀폐용기에 담아 서늘한 곳에", "보관 실온"])
def test_the_same_last_words_on_the_page_of_each_product_stay(last: str, moved: float) -> None:
    pages = [
        below(text(p, 740.0 - moved * p, 40), "【용법】", "끼니와 관계없이 먹인다", last) for p in range(len(SUBJECTS))
    ]
    assert kept([[*page, number(p)] for p, page in enumerate(pages)]) == printed(pages)
    assert kept(pages) == printed(pages)


@pytest.mark.parametrize("pitch", [16.0, 24.0, 30.0])
def test_a_first_line_at_the_usual_distance_of_lines_stays_however_far_that_is(pitch: float) -> None:
    pages = [[line("약의 이름과 쓰임", 800.0), *text(p, 800.0 - pitch, 12, pitch)] for p in range(4)]
    assert kept(pages) == printed(pages)
    header = [[line("약의 이름과 쓰임", 820.0), *text(p, 770.0, 12, pitch)] for p in range(4)]
    assert kept(header)[1:] == [row[1:] for row in printed(header)[1:]]


def test_list_items_below_a_running_title_stay_and_the_title_leaves() -> None:
    items = ["- 둘째 해: 복지와 세무로 넓힌다", "○ 자료의 질을 살피는 틀을 세운다"]
    pages = [[line("여비 전산화 계획", 806.0, 9.0), *below([line(items[0], 770.0)], items[1])] for _ in range(4)]
    pages = [[*page, *text(p, page[-1].bottom - 11.0, 20), number(p)] for p, page in enumerate(pages)]
    expected = [row[1:-1] for row in printed(pages)]
    assert kept(pages) == [["여비 전산화 계획", *expected[0]], *expected[1:]]


@pytest.mark.parametrize(
    "words",
    [
        "자료: 새여울통계원",
        "자료 : 새여울통계원(https://stat.example.org)",
        "출처: 여비 실태 조사(2024. 3. 4. 09:00)",
        "※ 영수증을 붙일 것",
        "주 1) 잠정치",
        "주: 잠정치",
        "신청인:            (서명 또는 인)",
        "2024년    월    일",
        "새여울재단 이사장 귀하",
        "위와 같이 여비를 청구합니다.",
        "1) 숙박비의 한도는 따로 정함",
    ],
)
def test_notes_sources_fields_and_sentences_stay_even_apart_from_the_text(words: str) -> None:
    pages = [[*text(p, 740.0, 20), line(words, 90.0, 9.0)] for p in range(4)]
    assert kept([[*page, number(p)] for p, page in enumerate(pages)]) == printed(pages)
    assert kept(pages[:2]) == printed(pages[:2])


@pytest.mark.parametrize("words", ["이 자료는 참고용이며 법적 효력이 없습니다.", "문의: 총무과", "- 여비 규정 -"])
def test_what_repeats_in_the_margin_that_no_text_reaches_leaves(words: str) -> None:
    pages = [[*text(p, 740.0, 38), line(words, 30.0, 8.0)] for p in range(4)]
    assert kept(pages) == [printed(pages)[0], *[row[:-1] for row in printed(pages)[1:]]]


@pytest.mark.parametrize("words", ["이 자료는 참고용이며 법적 효력이 없습니다.", "문의: 총무과"])
def test_a_sentence_or_field_that_stands_where_other_pages_have_text_stays(words: str) -> None:
    short = [[*text(p, 740.0, 20), line(words, 40.0, 8.0)] for p in range(4)]
    pages = [*short, *[text(p, 740.0, 45) for p in (4, 5)]]
    assert kept(pages) == printed(pages)


@pytest.mark.parametrize(
    "words", ["여비 개편 {}단계 추진", "제{}차 여비 심의", "제 {} 회 여비 심의", "이로써 {}번째 경로가 끝난다."]
)
def test_numbers_that_count_something_else_make_no_page_number(words: str) -> None:
    pages = [[line(words.format(p + 1), 790.0), *text(p, 750.0, 20)] for p in range(4)]
    assert kept(pages) == printed(pages)


def test_a_line_that_stands_at_another_place_of_each_page_stays() -> None:
    pages = [[line("여비의 종류", 835.0 - 12.0 * p), *text(p, 740.0, 20)] for p in range(6)]
    assert kept(pages) == printed(pages)


def test_a_running_title_is_at_one_distance_from_the_top_of_pages_of_several_heights() -> None:
    heights = [842.0, 595.0, 842.0, 595.0, 842.0, 595.0]
    pages = [[line("여비 규정 해설", h - 30.0), *text(p, h - 80.0, 20)] for p, h in enumerate(heights)]
    assert kept(pages, heights) == [printed(pages)[0], *[row[1:] for row in printed(pages)[1:]]]


def test_running_titles_below_each_other_leave_together() -> None:
    pages = [
        [line("여비 규정 해설", 820.0, 9.0), line("새여울재단 총무과", 808.0, 9.0), *text(p, 770.0, 20)]
        for p in range(4)
    ]
    assert kept(pages) == [printed(pages)[0], *[row[2:] for row in printed(pages)[1:]]]


def test_an_address_in_the_last_words_of_the_text_stays() -> None:
    pages = [below(text(p, 740.0, 40), "여비는 www.example.org 에서 청구") for p in range(4)]
    assert kept(pages) == printed(pages)


@pytest.mark.parametrize("room", [18.0, 22.0])
def test_the_last_words_of_each_page_a_section_apart_from_the_rest_stay(room: float) -> None:
    pages = [text(p, 740.0, 40) for p in range(5)]
    pages = [[*page, line("보관 실온", page[-1].bottom - room - SIZE / 2)] for page in pages]
    assert kept(pages) == printed(pages)
