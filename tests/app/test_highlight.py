"""A passage is found on its page, whatever the reading made of its lines."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import write_pdf

from kure_rag import KureIndex
from kure_rag.app.highlight import Marks, find_passage, key_of
from kure_rag.app.page_child import locate
from kure_rag.app.pages import parts_of
from kure_rag.chunk import chunk_document
from kure_rag.read import read_file
from kure_rag.read.page import Box
from kure_rag.read.pdfium import PdfFile
from kure_rag.samples import sample_paths
from kure_rag.tokenize import NgramTokenizer

DATA = Path(os.environ.get("KURE_RAG_DATA", Path(__file__).parents[3] / "shared" / "data"))
REAL = ("law_pdf/law_00.pdf", "law_pdf/law_07.pdf", "pdf/legal/bh_1.pdf", "pdf/legal/bh_10.pdf")
WIDTH, HEIGHT = 10.0, 12.0


def lined(*lines: str) -> tuple[str, list[Box]]:
    """A page of these lines as the parser gives it: a box for each visible character, line 0 at the top."""
    text, boxes = "", []
    for row, line in enumerate(lines):
        for column, char in enumerate(line):
            left, bottom = 50 + WIDTH * column, 700 - 20.0 * row
            seen = not char.isspace()
            boxes.append((left, bottom, left + WIDTH, bottom + HEIGHT) if seen else (0.0, 0.0, 0.0, 0.0))
        text += line + "\r\n"
        boxes += [(0.0, 0.0, 0.0, 0.0)] * 2
    return text, boxes


def rows_of(marks: Marks) -> list[int]:
    """On which lines of :func:`lined` the boxes stand."""
    return [round((700 - bottom) / 20) for _, bottom, _, _ in marks.boxes]


def test_a_passage_over_wrapped_lines_is_found_without_the_lines_around_it() -> None:
    text, boxes = lined(
        "머리말이 먼저 나온다.", "연차휴가는 일 년 동안 팔할", "이상 출근하면 준다.", "다음 조는 병가이다."
    )
    marks = find_passage(text, boxes, "연차휴가는 일 년 동안 팔할 이상 출근하면 준다.")
    assert marks.share == 1
    assert rows_of(marks) == [1, 2]
    assert marks.boxes[0][0] == 50
    assert marks.boxes[0][2] == 50 + WIDTH * len("연차휴가는 일 년 동안 팔할")


def test_a_part_of_a_line_is_marked_and_no_more_of_it() -> None:
    text, boxes = lined("① 급여는 이십오일에 지급한다. ② 휴일이면 전날에 지급한다.")
    (box,) = find_passage(text, boxes, "② 휴일이면 전날에 지급한다.").boxes
    before = len("① 급여는 이십오일에 지급한다. ")
    assert box == (50 + WIDTH * before, 700, 50 + WIDTH * len(text.strip()), 700 + HEIGHT)


@pytest.mark.parametrize(("near", "row"), [(0.0, 0), (0.45, 2), (0.99, 4)])
def test_of_equal_lines_the_one_near_the_offset_is_taken(near: float, row: int) -> None:
    line = "이 규정은 공포한 날부터 시행한다."
    text, boxes = lined(line, "부칙 하나가 있다.", line, "부칙 둘이 있다.", line)
    assert rows_of(find_passage(text, boxes, line, near=near)) == [row]


def test_characters_of_another_unicode_form_or_width_are_the_same() -> None:
    text, boxes = lined(unicodedata.normalize("NFD", "한글（전각）：백％"))
    marks = find_passage(text, boxes, "한글(전각): 백%")
    assert marks.share == 1
    assert len(marks.boxes) == 1


def test_the_parsers_mark_for_a_hyphen_at_a_lines_end_is_a_hyphen() -> None:
    text, boxes = lined("전염병인 코로나\ufffe", "19에 걸린 직원")
    assert find_passage(text, boxes, "전염병인 코로나-19에 걸린 직원").share == 1


def test_a_footer_in_the_middle_of_a_passage_is_left_out() -> None:
    text, boxes = lined(
        "계약자는 보험증권을 받은 날부터 십오일", "- 3 -", "안에 청약을 철회할 수 있고 회사는 이를 거절하지 못한다."
    )
    passage = "계약자는 보험증권을 받은 날부터 십오일 안에 청약을 철회할 수 있고 회사는 이를 거절하지 못한다."
    marks = find_passage(text, boxes, passage)
    assert rows_of(marks) == [0, 2]
    assert marks.share > 0.9


def test_a_tables_rows_are_marked_whole_and_repeated_cells_lead_nowhere_else() -> None:
    text, boxes = lined(
        "합계 100 은 표 밖에 있다.", "구분 금액", "검사부품매출액 100", "정밀감속기매출 100", "표 아래의 글 100"
    )
    marks = find_passage(
        text, boxes, "| 구분 | 금액 |\n| --- | --- |\n| 검사부품매출액 | 100 |\n| 정밀감속기매출 | 100 |"
    )
    assert set(rows_of(marks)) <= {1, 2, 3}
    assert {2, 3} <= set(rows_of(marks))
    assert all(box[2] == 50 + WIDTH * len("검사부품매출액 100") for box in marks.boxes if box[1] < 680)


def test_equal_cells_are_taken_in_turn_and_a_merged_cell_once() -> None:
    text, boxes = lined(
        "제목이 되는 줄이다", "실장 서울특별시 130", "그 밖의 지역 90", "직원 서울특별시 110", "그 밖의 지역 80"
    )
    passage = "| 구분 | 지역 | 금액 |\n| --- | --- | --- |\n" + "".join(
        f"| {who} | {where} | {much} |\n"
        for who, where, much in (
            ("실장", "서울특별시", "130"),
            ("실장", "그 밖의 지역", "90"),
            ("직원", "서울특별시", "110"),
            ("직원", "그 밖의 지역", "80"),
        )
    )
    assert rows_of(find_passage(text, boxes, passage)) == [1, 2, 3, 4]


@pytest.mark.parametrize("passage", ["", " \n ", "이 쪽에는 이런 글이 도무지 나오지 않는다."])
def test_what_is_not_there_is_not_marked(passage: str) -> None:
    text, boxes = lined("연차휴가는 열다섯 날로 한다.", "병가는 예순 날로 한다.")
    assert find_passage(text, boxes, passage) == Marks((), 0.0)


def test_a_page_without_characters_has_no_marks() -> None:
    assert find_passage("", [], "연차휴가는 열다섯 날로 한다.") == Marks((), 0.0)


LETTERS = st.characters(codec="utf-8", categories=("Lo", "Nd", "Po", "Zs"), include_characters="가나다라|>-")


@given(
    lines=st.lists(st.text(LETTERS, max_size=30), min_size=1, max_size=6),
    cut=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_any_piece_of_a_page_is_found_with_its_spaces_and_line_ends_changed(
    lines: list[str], cut: tuple[float, float]
) -> None:
    text, boxes = lined(*lines)
    start, end = sorted(round(part * len(text)) for part in cut)
    passage = " ".join(text[start:end].split())
    marks = find_passage(text, boxes, passage, near=start / max(1, len(text)))
    if passage.startswith("|"):  # taken for a table
        assert 0 <= marks.share <= 1
    elif key_of(passage):
        assert marks.share == 1
    for left, bottom, right, top in marks.boxes:
        assert left < right
        assert bottom < top
        assert (left, bottom) >= (50, 0)


def test_every_passage_of_the_samples_is_found_whole(sample_index: KureIndex) -> None:
    files = {path.name: path for path in sample_paths()}
    for row in sample_index.documents():
        document = sample_index.document(row.id)
        assert document is not None
        with PdfFile(files[row.source].read_bytes(), row.source) as pdf:
            for chunk in sample_index.chunks(row.id):
                for part in parts_of(document, chunk):
                    page = pdf.page(part["page"], rules=False)
                    marks = find_passage(page.text, page.boxes.tolist(), part["text"], near=part["near"])
                    assert marks.share > 0.99, f"{row.source} p.{part['page']}: {part['text'][:80]}"
                    for left, bottom, right, top in marks.boxes:
                        assert 0 <= left < right <= page.width
                        assert 0 <= bottom < top <= page.height


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="the shared evaluation data is not here")
def test_passages_of_real_pdfs_are_found() -> None:
    found = total = 0.0
    for name in REAL:
        data = (DATA / name).read_bytes()
        document = read_file(data, name)
        with PdfFile(data, name) as pdf:
            for chunk in (cut.chunk for cut in chunk_document(document, NgramTokenizer(2), terms=False)[:60]):
                for part in parts_of(document, chunk):
                    page = pdf.page(part["page"], rules=False)
                    marks = find_passage(page.text, page.boxes.tolist(), part["text"], near=part["near"])
                    found += marks.share * len(part["text"])
                    total += len(part["text"])
    assert found / total > 0.99


def test_a_passage_whose_table_goes_on_is_found_on_the_next_page_too(tmp_path: Path) -> None:
    first = ["표 1. 분기별 판매 실적을 정리하였다", "일사분기의 판매금액 1,200"]
    second = ["이사분기의 판매금액 1,350", "삼사분기의 판매금액 1,410"]
    data = write_pdf(tmp_path / "표.pdf", [first, second, ["다른 이야기가 나온다"]]).read_bytes()
    joined = (
        first[0]
        + "\n| 기간 | 금액 |\n| --- | --- |\n"
        + "".join(f"| {line[:-6]} | {line[-5:]} |\n" for line in [first[1], *second])
    )
    with PdfFile(data, "표.pdf") as pdf:
        marks, share = locate(pdf, [{"page": 1, "text": joined, "near": 0.0}])
    assert sorted(marks) == [1, 2]
    assert all(marks.values())
    assert sum(share.values()) > 0.8
