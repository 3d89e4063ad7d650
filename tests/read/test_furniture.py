from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.read import furniture
from kure_rag.read.layout import Line, text_lines

BODY = [
    ["근로자의 휴가는 다음과 같이 정한다.", "연차휴가는 15일로 한다.", "병가는 60일로 한다."],
    ["출장은 부서장의 승인을 받는다.", "숙박비는 실비로 지급한다.", "식비는 정액으로 지급한다."],
    ["징계는 위원회가 의결한다.", "의결은 재적 과반수로 한다.", "결과는 서면으로 알린다."],
    ["이 규정은 공포한 날부터 시행한다.", "종전의 예에 따른다.", "세부 사항은 원장이 정한다."],
]


def dressed(tops: Sequence[str], bottoms: Sequence[str]) -> list[list[str]]:
    return [[top, *body, bottom] for top, body, bottom in zip(tops, BODY, bottoms, strict=True)]


def drop_furniture(pages: Sequence[Sequence[str]]) -> list[list[str]]:
    lines = [text_lines("\n".join(page)) for page in pages]
    return [[line.text for line in page] for page in furniture.drop_furniture(lines, [0.0] * len(pages))]


def placed(text: str, middle: float, left: float = 60.0) -> Line:
    return Line(text, left, middle - 6, left + 10.0 * len(text), middle + 6, 12.0, 60.0, 500.0)


def on_pages(*pages: Sequence[tuple[str, float]]) -> list[list[str]]:
    lines = [[placed(text, middle) for text, middle in page] for page in pages]
    return [[line.text for line in page] for page in furniture.drop_furniture(lines, [842.0] * len(pages))]


# Headers and footers


@pytest.mark.parametrize(
    "bottoms",
    [
        ["1", "2", "3", "4"],
        ["- 1 -", "- 2 -", "- 3 -", "- 4 -"],
        ["97 / 120", "98 / 120", "99 / 120", "100 / 120"],
        ["취업규정 - 1", "취업규정 - 2", "취업규정 - 3", "취업규정 - 4"],
        ["2024.3.4 시행 5쪽", "2024.3.4 시행 6쪽", "2024.3.4 시행 7쪽", "2024.3.4 시행 8쪽"],
        ["새여울재단 취업규정"] * 4,
    ],
)
def test_titles_stay_on_the_first_page_and_page_numbers_with_their_titles_on_none(bottoms: list[str]) -> None:
    kept = drop_furniture(dressed(["새여울재단  규정집"] * 4, bottoms))
    said = [] if any(char.isdecimal() for char in bottoms[0]) else [bottoms[0]]
    assert kept == [["새여울재단  규정집", *BODY[0], *said], *BODY[1:]]


def test_title_on_every_other_page_leaves() -> None:
    pages = dressed(["규정집", "새여울재단", "규정집", "새여울재단"], ["1", "2", "3", "4"])
    assert [page[-1] for page in drop_furniture(pages)] == [body[-1] for body in BODY]
    pages = [*pages, *pages, *pages]
    kept = drop_furniture(pages)
    assert [page[0] for page in kept[:2]] == ["규정집", "새여울재단"]
    assert not {"규정집", "새여울재단"} & {line for page in kept[2:] for line in page}


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_pages_without_places_are_left_alone(count: int) -> None:
    pages = dressed(["규정집"] * 4, ["1", "2", "3", "4"])[:count]
    assert drop_furniture(pages) == pages


def test_a_line_at_the_top_of_two_pages_stays() -> None:
    pages = dressed(["알립니다", "휴가", "알립니다", "여비"], ["1", "2", "3", "4"])
    assert [page[0] for page in drop_furniture(pages)] == ["알립니다", "휴가", "알립니다", "여비"]


def test_repeated_lines_inside_a_page_stay() -> None:
    pages = [["가로", "세로", "이상 없음", "합계", f"끝맺음 {body[0]}"] for body in BODY]
    for page, body in zip(pages, BODY, strict=True):
        page[0], page[1], page[3] = body[0], body[1], body[2]
    assert drop_furniture(pages) == pages


@pytest.mark.parametrize("heading", ["제{}장", "제{}장 총칙", "제 {} 조", "[별표 {}]", "별지 제{}호서식", "표 {}"])
def test_numbered_headings_at_the_top_of_every_page_stay(heading: str) -> None:
    pages = dressed([heading.format(i) for i in (1, 2, 3, 4)], ["1", "2", "3", "4"])
    assert [page[0] for page in drop_furniture(pages)] == [page[0] for page in pages]


def test_rows_of_figures_above_a_page_number_stay() -> None:
    figures = ["1200", "350 70 18", "98", "4411"]
    pages = [[*body, row, str(i)] for i, (body, row) in enumerate(zip(BODY, figures, strict=True), 1)]
    assert [page[-1] for page in drop_furniture(pages)] == figures


def test_a_huge_number_is_no_page_number() -> None:
    pages = dressed(["9" * 5000] * 4, ["1", "2", "3", "4"])
    assert drop_furniture(pages)[1:] == BODY[1:]


LINE = st.text("가나다 라1.23-", max_size=8)


@given(st.lists(st.lists(LINE, max_size=6), max_size=6))
def test_only_edge_lines_leave_and_order_stays(pages: list[list[str]]) -> None:
    pages = [[line.strip() for line in page if line.strip()] for page in pages]
    for page, kept in zip(pages, drop_furniture(pages), strict=True):
        rest = iter(page)
        assert all(line in rest for line in kept)
        inner = "\n".join([line for line in page if line.strip()][2:-2])
        assert inner in "\n".join(line for line in kept if line.strip())


# With places


@pytest.mark.parametrize(
    "number", ["- 1 -", "1 / 2", "-1/2-", "1", "1쪽", "Page 1 of 2", "p. 1", "법제처  1  국가법령정보센터"]
)
def test_the_number_of_a_single_page_leaves_its_edge(number: str) -> None:
    body = [("제1조(목적) 이 규정은 여비에 관하여 정한다.", 700.0)]
    assert on_pages([*body, (number, 40.0)]) == [["제1조(목적) 이 규정은 여비에 관하여 정한다."]]
    assert on_pages([(number, 800.0), *body]) == [["제1조(목적) 이 규정은 여비에 관하여 정한다."]]


@pytest.mark.parametrize("text", ["제2조(적용범위)", "1. 출장비", "3,150", "2024", "합계 15", "① 여비"])
def test_other_lines_at_the_edge_of_a_single_page_stay(text: str) -> None:
    page = [("제1조(목적) 이 규정은 여비에 관하여 정한다.", 700.0), (text, 40.0)]
    assert on_pages(page) == [[line for line, _ in page]]


def test_a_number_inside_a_page_stays() -> None:
    page = [("출장비 한도", 700.0), ("1", 400.0), ("만원", 60.0)]
    assert on_pages(page) == [["출장비 한도", "1", "만원"]]


def test_a_title_at_one_place_of_two_pages_stays_on_the_first_and_out_of_the_text_beside_it() -> None:
    first = [("여비 규정", 805.0), ("여비 규정", 740.0), ("제1조(목적) 여비를 정한다.", 700.0)]
    second = [("여비 규정", 805.5), ("제2조(숙박비) 실비로 한다.", 740.0)]
    pages = [[placed(*line) for line in page] for page in (first, second)]
    assert furniture.drop_furniture(pages, [842.0, 842.0]) == [pages[0], pages[1][1:]]
    assert [line.worn for line in pages[0]] == [True, False, False]


@pytest.mark.parametrize(("middle", "left"), [(790.0, 60.0), (805.5, 90.0)])
def test_a_title_at_one_height_of_two_pages_that_is_not_alike_or_not_apart_stays(middle: float, left: float) -> None:
    first = [placed("여비 규정", middle), placed("제1조(목적) 여비를 정한다.", 775.0)]
    second = [placed("여비 규정", middle, left), placed("제2조(숙박비) 실비로 한다.", 775.0)]
    assert furniture.drop_furniture([first, second], [842.0, 842.0]) == [first, second]
    assert [first[0].worn, second[0].worn] == [True, True]


def test_the_title_on_page_one_stays_in_its_place_and_the_title_above_it_leaves() -> None:
    pages = [[("여비 규정", 810.0), (body[0], 700.0)] for body in BODY]
    pages[0].insert(1, ("여비 규정", 760.0))
    lines = [[placed(*line) for line in page] for page in pages]
    kept = furniture.drop_furniture(lines, [842.0] * 4)
    assert kept == [lines[0][1:], *[page[1:] for page in lines[1:]]]
    assert not kept[0][0].worn


def on_right_pages(title: str, count: int, middle: float = 800.0) -> list[list[tuple[str, float]]]:
    texts = [[(f"{body[0]} {'가나다라마바사아자차'[i]}", 770.0)] for i, body in enumerate(BODY * 2)] * 3
    return [
        [(title, middle), *page] if i % 2 == 0 and i < 2 * count else page
        for i, page in enumerate(texts[:20] if count < 20 else texts)
    ]


def test_the_title_of_a_part_on_its_right_pages_stays_on_the_first_of_them() -> None:
    pages = on_right_pages("납세자용", 4)
    assert on_pages(*pages) == [
        [text for text, _ in page if i == 0 or text != "납세자용"] for i, page in enumerate(pages)
    ]


@pytest.mark.parametrize("pages", [on_right_pages("납세자용", 3), on_right_pages("납세자용", 4, 785.0)])
def test_what_stands_on_few_pages_or_no_further_from_the_text_than_its_lines_stays(
    pages: list[list[tuple[str, float]]],
) -> None:
    assert on_pages(*pages) == [[text for text, _ in page] for page in pages]


def test_a_title_leaves_all_pages_where_the_text_says_it_too() -> None:
    bodies = [[("여비 규정", 700.0), (body[0], 660.0)] for body in BODY[:1]] + [[(body[0], 700.0)] for body in BODY[1:]]
    pages = [[("여비 규정", 805.0), *body] for body in bodies]
    assert on_pages(*pages) == [[line for line, _ in body] for body in bodies]


def test_a_title_in_the_text_of_no_page_stays_on_its_first() -> None:
    pages = [[(body[0], 700.0), ("2023년 09월 30일 기준", 30.0)] for body in BODY]
    assert on_pages(*pages) == [[BODY[0][0], "2023년 09월 30일 기준"], *[[body[0]] for body in BODY[1:]]]


def test_the_same_headings_on_every_page_stay_wherever_text_stands() -> None:
    drugs = ["가나정 5밀리그램", "다라캡슐", "마바시럽", "사아주사액"]
    pages = [
        [
            (drug, 700.0),
            ("【효능·효과】", 660.0),
            ("【사용상의 주의사항】", 560.0),
            ("임부에게 투여하지 않는다.", 530.0),
        ]
        for drug in drugs
    ]
    assert on_pages(*pages) == [[line for line, _ in page] for page in pages]


def test_a_repeated_heading_in_the_band_stays_where_something_else_stands_above_it() -> None:
    pages = [[(drug, 800.0), ("【효능·효과】", 770.0)] for drug in ["가나정", "다라캡슐", "마바시럽", "사아주사액"]]
    assert on_pages(*pages) == [[line for line, _ in page] for page in pages]


@pytest.mark.parametrize("heading", ["사례 {}", "202{}", "[문제 {}]"])
def test_cases_and_years_that_head_pages_are_no_page_numbers(heading: str) -> None:
    pages = [[(heading.format(i), 800.0), (body[0], 600.0)] for i, body in enumerate(BODY, 1)]
    assert on_pages(*pages) == [[line for line, _ in page] for page in pages]


def test_what_a_browser_prints_leaves_even_two_pages() -> None:
    pages = [
        [("25. 11. 17. 오후 1:02", 820.0), (body[0], 600.0), (f"https://www.example.org/판례 {i}/2", 20.0)]
        for i, body in enumerate(BODY[:2], 1)
    ]
    assert on_pages(*pages) == [[body[0]] for body in BODY[:2]]


def test_what_a_browser_prints_leaves_a_single_page_where_it_stands_above_and_below() -> None:
    above, below = ("4/3/25, 4:21 PM 판례 본문", 820.0), ("https://www.example.org/cases?id=3 1/1", 20.0)
    body = [(BODY[0][0], 600.0), (BODY[0][1], 560.0)]
    assert on_pages([above, *body, below]) == [[BODY[0][0], BODY[0][1]]]
    assert on_pages([*body, below]) == [[BODY[0][0], BODY[0][1], below[0]]]
    assert on_pages([above, *body]) == [[above[0], BODY[0][0], BODY[0][1]]]


@given(
    st.lists(
        st.lists(st.tuples(st.text("가나다 1234-·", min_size=1, max_size=6), st.integers(10, 830)), max_size=6),
        max_size=5,
    )
)
def test_only_lines_in_the_bands_leave_and_order_stays(pages: list[list[tuple[str, int]]]) -> None:
    lines = [
        [placed(text, float(middle)) for text, middle in sorted(page, key=lambda line: -line[1]) if text.strip()]
        for page in pages
    ]
    for page, kept in zip(lines, furniture.drop_furniture(lines, [842.0] * len(lines)), strict=True):
        left = {id(line) for line in kept}
        assert [line for line in page if id(line) in left] == kept
        assert all(line.bottom > 740 or line.top < 102 for line in page if id(line) not in left)
