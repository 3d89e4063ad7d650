"""Page numbers, alone and beside running titles: on made-up pages and on real ones."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from kure_rag.read import ReadSettings, furniture, read_pdf
from kure_rag.read.layout import Line

DATA = Path(os.environ.get("KURE_RAG_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
TEXT = (
    "여비는 실비로 지급하고 그 영수증을 붙인다.",
    "숙박비의 한도는 원장이 해마다 정한다.",
    "식비는 하루에 세 번까지 준다.",
)
LEFT, RIGHT, HEIGHT = 60.0, 500.0, 842.0


def line(
    text: str, middle: float, *, size: float = 12.0, left: float | None = None, right: float | None = None
) -> Line:
    """A line that begins at the left side, ends at a right one, or begins anywhere."""
    width = 0.8 * size * len(text)
    begin = right - width if right is not None else LEFT if left is None else left
    return Line(text, begin, middle - size / 2, begin + width, middle + size / 2, size, LEFT, RIGHT)


def body(top: float = 740.0) -> list[Line]:
    return [Line(text, LEFT, top - 20.0 * i - 6, RIGHT, top - 20.0 * i + 6, 12.0) for i, text in enumerate(TEXT)]


def kept(*pages: Sequence[Line]) -> list[list[str]]:
    return [[line.text for line in page] for page in furniture.drop_furniture(pages, [HEIGHT] * len(pages))]


def headed(*headers: Line) -> list[list[Line]]:
    return [[header, *body()] for header in headers]


def footed(*footers: Line) -> list[list[Line]]:
    return [[*body(), footer] for footer in footers]


# Several pages


def test_numbers_at_the_outer_side_leave_with_the_titles_of_all_parts() -> None:
    titles = ["여비 규정 안내서", "Ⅰ. 여비의 종류", "여비 규정 안내서", "Ⅰ. 여비의 종류", "여비 규정 안내서", "부록"]
    headers = [
        line(f"{n} · {title}", 805, size=20) if n % 2 == 0 else line(f"{title} · {n}", 805, right=RIGHT)
        for n, title in enumerate(titles, 12)
    ]
    assert kept(*headed(*headers)) == [list(TEXT)] * 6
    bare = [
        line(header.text.replace("· ", "").replace("부록", "Ⅱ. 여비의 정산"), 805, left=header.left)
        for header in headers
    ]
    assert kept(*headed(*bare)) == [list(TEXT)] * 6


@pytest.mark.parametrize(
    "headings",
    [
        ["1 추진 배경", "2 추진 현황", "3 향후 계획"],
        ["1 - 추진 배경", "2 - 추진 현황", "3 - 향후 계획"],
        ["1. 추진 배경", "2. 추진 현황", "3. 향후 계획"],
        ["참고 1", "참고 2", "참고 3"],
        ["별첨 - 1", "별첨 - 2", "별첨 - 3"],
        ["2021 예산", "2022 예산", "2023 예산"],
    ],
)
def test_headings_that_count_with_the_pages_stay(headings: list[str]) -> None:
    pages = headed(*[line(heading, 805) for heading in headings])
    assert kept(*pages) == [[heading, *TEXT] for heading in headings]


def test_numbers_of_an_excerpt_that_leaves_pages_out_leave_with_their_titles() -> None:
    pages = headed(
        line("78 기술 전망 보고서", 800),
        line("Ⅳ. 발전 방향 83", 800, right=RIGHT),
        line("84 기술 전망 보고서", 801),
    )
    assert kept(*pages) == [list(TEXT)] * 3


@pytest.mark.parametrize("numbers", [(78, 83, 82), (84, 83, 78)])
def test_numbers_that_do_not_grow_stay_with_their_titles(numbers: tuple[int, int, int]) -> None:
    first, second, third = numbers
    texts = [f"{first} 기술 전망 보고서", f"발전 방향 {second}", f"{third} 기술 전망 보고서"]
    assert kept(*headed(*[line(text, 800) for text in texts])) == [[text, *TEXT] for text in texts]


def test_lone_numbers_of_an_excerpt_leave_whatever_they_count_from() -> None:
    assert kept(*footed(*[line(str(n), 40, left=275) for n in (311, 312, 340, 351)])) == [list(TEXT)] * 4


def test_lone_numbers_beside_something_else_stay() -> None:
    rows = [("숙박비 한도", 311), ("식비", 342), ("일비와 교통비", 380)]
    pages = [[*body(), line(name, 40), line(str(n), 40, left=275)] for name, n in rows]
    assert kept(*pages) == [[*TEXT, name, str(n)] for name, n in rows]


def test_a_footer_leaves_the_pages_before_the_first_number_too() -> None:
    footers = ["생성형 사업 용역 새여울재단"] * 2 + [f"생성형 사업 용역 - {n} - 새여울재단" for n in range(1, 7)]
    assert kept(*footed(*[line(footer, 20, size=8) for footer in footers])) == [list(TEXT)] * 8


def test_a_larger_title_at_the_place_of_the_headers_stays() -> None:
    headers = [line("여비 규정", 805, size=20)] + [line(f"여비 규정 - {n}", 805, size=9) for n in range(2, 7)]
    assert kept(*headed(*headers)) == [["여비 규정", *TEXT], *[list(TEXT)] * 5]


def test_a_page_number_leaves_even_where_something_stands_further_out() -> None:
    last = ("일비는 다음 표와 같다.", "교통비는 따로 준다.", "정산은 열흘 안에 한다.")
    pages = [[*body(), line(f"Page {n} of 3", 60), line(words, 30)] for n, words in enumerate(last, 1)]
    assert kept(*pages) == [[*TEXT, words] for words in last]


# A page by itself


@pytest.mark.parametrize(
    "footer",
    [
        line("22 한국새여울", 38, size=8),
        line("여비 규정의 특징과 시사점: 숙박비를 중심으로 3", 38, size=8, right=RIGHT),
        line("제414회-여비제1차(2024년5월7일) 1", 38, size=8, right=RIGHT),
        line("7", 50, left=LEFT + 4),
        line("48", 60, right=RIGHT),
        line("312", 40, left=265),
        line("- iv -", 40, left=265),
    ],
    ids=lambda footer: footer.text,
)
def test_what_is_unmistakably_its_number_leaves_a_single_page(footer: Line) -> None:
    assert kept(*footed(footer)) == [list(TEXT)]


@pytest.mark.parametrize(
    "footer",
    [
        line("22 한국새여울", 38),  # as large as the text
        line("23 한국새여울", 38, size=8),  # an odd number on the left
        line("여비 규정의 특징 4", 38, size=8, right=RIGHT),
        line("22 한국새여울", 38, size=8, left=200),
        line("22 한국새여울", 88, size=8),  # where footnotes stand
        line("2 여비의 한도는 규정으로 정한다", 38, size=8),
        line("자료: 새여울재단, 여비 통계 3", 38, size=8, right=RIGHT),
        line("문의: 총무과 내선 02-788-4581", 38, size=8, right=RIGHT),
        line("발전 방향 2031", 38, size=8, right=RIGHT),
        line("합계 15", 38, size=8, right=RIGHT),
        line("참고 3", 38, size=8, right=RIGHT),
        line("2024", 40, left=265),
        line("48", 60, left=140),
        line("0", 60, left=LEFT),
        line("3,150", 60, right=RIGHT),
    ],
    ids=lambda footer: f"{footer.text} at {footer.left:.0f}, {footer.top:.0f}, size {footer.size:.0f}",
)
def test_what_may_be_text_stays_on_a_single_page(footer: Line) -> None:
    assert kept(*footed(footer)) == [[*TEXT, footer.text]]


def test_numbers_close_to_the_text_or_of_a_scale_stay_on_a_single_page() -> None:
    close = [*body(100.0), line("48", 45, right=RIGHT)]
    scale = [*body(), line("60", 80, left=LEFT), line("40", 40, left=LEFT)]
    row = [*body(), line("품목", 40), line("48", 40, right=RIGHT)]
    assert kept(close) == [[*TEXT, "48"]]
    assert kept(scale) == [[*TEXT, "60", "40"]]
    assert kept(row) == [[*TEXT, "품목", "48"]]


# Real pages


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "pdf").is_dir(), reason="no PDFs to read; set KURE_RAG_DATA")
@pytest.mark.parametrize(
    ("start", "gone", "stays"),
    [
        ("1-1. BOK", ["22 한국은행"], ["제 2024-14호"]),
        ("작은 글자", ["20 한국은행"], []),
        ("다단 및 표", ["비교를 중심으로 3"], ["BANK OF KOREA"]),
        ("skipped_1page", ["발전 방향 83", "78 ICT", "84 ICT"], []),
        ("skipped_2pages", ["발전 방향 79", "발전 방향 83", "78 ICT", "84 ICT"], []),
        ("국회회의록", ["(2024년5월7일) 1\n"], ["제414회국회 환경노동위원회회의록 제 1 호", "일 시 2024년5월7일(화)"]),
        ("KISA", ["· 클라우드컴퓨팅서비스", "부록 · 41", "절차 · 25", "인증제도 · 7"], ["보안인증제도 안내서"]),
        ("bh_4", ["portal.scourt.go.kr", "4/3/25"], ["대법원 2023. 9. 27. 선고 2022다246610, 246627 판결"]),
        ("특허_", ["- 1 -"], ["공개특허 10-2023-0087131", "도면2"]),
    ],
)
def test_page_numbers_of_real_files_leave_and_what_looks_like_them_stays(
    start: str, gone: list[str], stays: list[str]
) -> None:
    path = next(path for path in sorted((DATA / "pdf").rglob("*.pdf")) if path.name.startswith(start))
    settings = ReadSettings(fallback=False, ocr="never")
    text = read_pdf(path.read_bytes(), path.name, settings=settings).text
    assert not [words for words in gone if words in text]
    assert not [words for words in stays if words not in text]
