"""Headings that only their type shows, read from drawn PDFs."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest

from kure_rag.ingest.messages import Prepared, from_prepared, pack, to_prepared, unpack
from kure_rag.read import read_pdf
from kure_rag.types import Document

Drawn = tuple[float, str]
BODY = 10.5
TEXT: tuple[Drawn, ...] = (
    (BODY, "올해 상반기에는 이용자가 지난해 같은 기간보다 늘어 서버를 두 대 더 들였으며 응답도"),
    (BODY, "빨라졌다. 하반기에는 야간 점검을 자동으로 바꾸어 부담을 줄일 계획이다."),
)


def read(*pages: Sequence[Drawn]) -> Document:
    """A PDF whose lines are drawn in their sizes, each 1.5 sizes below the one before; after a tab further right."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfgen.canvas import Canvas

    pdfmetrics.registerFont(UnicodeCIDFont("HYSMyeongJo-Medium"))
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    for page in pages:
        height = 780.0
        for size, line in page:
            canvas.setFont("HYSMyeongJo-Medium", size)
            for i, label in enumerate(line.split("\t")):
                canvas.drawString(60 + 110 * i, height, label)
            height -= 1.5 * size
        canvas.showPage()
    canvas.save()
    return read_pdf(out.getvalue(), "운영_보고.pdf")


def headings(document: Document) -> list[tuple[int, str]]:
    return [(level, document.text[start:end]) for start, end, level in document.metadata["headings"]]


REPORT = (
    [(20, "전산 운영 보고서"), *TEXT, (14, "추진 경과"), (12, "상반기 실적"), *TEXT, (12, "하반기 계획"), *TEXT],
    [(14, "이용자 의견"), *TEXT, (14, "운영 성과"), (12, "비용 개요"), *TEXT],
)


def test_larger_lines_are_headings_with_a_level_for_each_size() -> None:
    document = read(*REPORT)
    assert document.title == "전산 운영 보고서"
    assert headings(document) == [
        (1, "추진 경과"),
        (2, "상반기 실적"),
        (2, "하반기 계획"),
        (1, "이용자 의견"),
        (1, "운영 성과"),
        (2, "비용 개요"),
    ]


def test_headings_go_with_the_document_from_process_to_process() -> None:
    document = read(*REPORT)
    again = to_prepared(unpack(pack(from_prepared(Prepared(document, ()))))).document
    assert again.metadata["headings"] == document.metadata["headings"] != []


def test_text_of_one_size_has_none() -> None:
    assert headings(read([(BODY, "전산 운영"), *TEXT, (BODY, "추진 경과"), *TEXT])) == []


@pytest.mark.parametrize(
    "line",
    [
        "이 사업은 다음 해에도 계속한다.",
        "[그림 3] 이용자 수",
        "표 2 연도별 비용",
        "2026. 3. 12.",
        "이용률 = 접속 / 회원",
        "새빛시장 귀하",
    ],
)
def test_large_lines_that_are_no_headings(line: str) -> None:
    document = read(
        [
            (20, "전산 운영 보고서"),
            *TEXT,
            (14, "올해 추진 경과"),
            *TEXT,
            (14, line),
            *TEXT,
            (14, "남은 과제와 앞으로의 일정"),
            *TEXT,
        ]
    )
    assert headings(document) == [(1, "올해 추진 경과"), (1, "남은 과제와 앞으로의 일정")]


def test_a_subtitle_is_no_heading_of_all_that_follows() -> None:
    document = read([(20, "전산 운영 보고서"), (16, "새빛시 정보화담당관"), *TEXT, (14, "추진 경과"), *TEXT])
    assert headings(document) == [(1, "추진 경과")]


def test_a_heading_of_two_lines_is_one() -> None:
    document = read(
        [
            (20, "전산 운영 보고서"),
            *TEXT,
            (14, "이용자가 늘어난 원인과"),
            (14, "앞으로 할 일"),
            *TEXT,
            (14, "비용"),
            *TEXT,
        ]
    )
    assert headings(document) == [(1, "이용자가 늘어난 원인과\n앞으로 할 일"), (1, "비용")]


def test_a_size_that_is_mostly_text_has_no_headings() -> None:
    lead = [(12.0, line) for _, line in TEXT]
    document = read([(20, "전산 운영 보고서"), *lead, (12, "추진 경과"), *(TEXT * 5), (14, "이용자 의견"), *(TEXT * 4)])
    assert headings(document) == [(1, "이용자 의견")]


def test_where_much_is_large_sizes_tell_nothing() -> None:
    slide = [(16.0, line[:30]) for _, line in TEXT]
    assert headings(read([(14, "추진 경과"), *slide, *TEXT, (14, "이용자 의견"), *slide])) == []


def test_a_large_line_with_nothing_under_it_is_none() -> None:
    document = read(
        [(20, "전산 운영 보고서"), *TEXT, (14, "새빛시"), (13, "추진 경과"), *TEXT],
        [*TEXT, *TEXT, *TEXT, *TEXT, (14, "담당 부서")],
    )
    assert headings(document) == [(1, "새빛시"), (2, "추진 경과")]


def test_what_stands_above_the_title_is_no_heading() -> None:
    document = read(
        [(14, "새빛시 공보"), (20, "전산 운영 보고서"), *TEXT, (14, "추진 경과"), *TEXT, (14, "이용자 의견"), *TEXT]
    )
    assert headings(document) == [(1, "추진 경과"), (1, "이용자 의견")]


def test_labels_of_a_figure_are_no_headings() -> None:
    labels = [(BODY, "(수집) (정제) (저장) (분석) (공개) (보관) (폐기)")] * 6
    assert headings(read([*labels, (14, "자료 모으기"), *labels, (14, "자료 나누기"), *labels])) == []


@pytest.mark.parametrize(
    ("line", "found"), [("운용 경과\t운용 계획", False), ("운용 경과와 계획", True), ("목\t차", True), ("목 차", True)]
)
def test_labels_set_apart_in_one_line_are_no_heading(line: str, found: bool) -> None:
    document = read([(20, "전산 운영 보고서"), *TEXT, (14, line), *TEXT, (14, "이용자 의견"), *TEXT])
    assert ([text for _, text in headings(document)] == ["이용자 의견"]) == (not found)
