"""Tables over pages, and tables as text."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from kure_rag.read.layout import Line
from kure_rag.read.page import FoundTable
from kure_rag.read.tables import drop_page_headers, join_continued, join_halves, joined_cells, render_pieces

Rows = tuple[tuple[str, ...], ...]


def table(header: tuple[str, ...], rows: Rows, *, caption: str = "", unit: str = "") -> FoundTable:
    columns = tuple(60.0 + 100 * i for i in range(len(header) + 1))
    body = (columns[0], 100.0, columns[-1], 700.0)
    return FoundTable(body, body, columns, caption, unit, header, rows)


HEADER = ("번호", "항목", "배점")
FIRST = table(HEADER, (("1", "보안", "10"), ("2", "성능", "20")), caption="평가 기준", unit="단위: 점")


def test_a_repeated_header_is_dropped_when_a_table_goes_on() -> None:
    joined = join_continued(FIRST, table(HEADER, (("3", "가격", "30"),)))
    assert joined is not None
    assert joined.rows == (("1", "보안", "10"), ("2", "성능", "20"), ("3", "가격", "30"))
    assert (joined.caption, joined.unit, joined.header) == ("평가 기준", "단위: 점", HEADER)


def test_a_table_goes_on_without_its_header_and_on_a_page_with_other_margins() -> None:
    second = table(("", "", ""), (("3", "가격", "30"),))
    second = replace(second, columns=tuple(x + 14 for x in second.columns))
    joined = join_continued(FIRST, second)
    assert joined is not None
    assert joined.rows[-1] == ("3", "가격", "30")


def test_a_row_that_the_page_break_cut_is_one_again() -> None:
    joined = join_continued(FIRST, table(HEADER, (("", "시험 결과 포함", ""), ("3", "가격", "30"))))
    assert joined is not None
    assert joined.rows[1:] == (("2", "성능\n시험 결과 포함", "20"), ("3", "가격", "30"))


def test_a_merged_cell_that_reaches_over_the_page_break_is_filled() -> None:
    first = table(("부문", "항목", "배점"), (("기술", "보안", "10"), ("기술", "성능", "20")))
    joined = join_continued(first, table(("부문", "항목", "배점"), (("", "확장성", "5"), ("가격", "입찰가", "30"))))
    assert joined is not None
    assert joined.rows[2:] == (("기술", "확장성", "5"), ("가격", "입찰가", "30"))


def test_columns_merged_all_over_the_second_page_are_told_apart_again() -> None:
    second = table(("", ""), (("합계", "60"),))
    second = replace(second, columns=(60.0, 260.0, 360.0))
    joined = join_continued(FIRST, second)
    assert joined is not None
    assert joined.rows[-1] == ("합계", "합계", "60")


def test_a_table_of_its_own_is_not_joined() -> None:
    assert join_continued(FIRST, table(("이름", "직위", "연락처"), (("김하늘", "팀장", "02-123"),))) is None
    assert join_continued(FIRST, table(("", "", ""), (("3", "가격", "30"),), caption="□ 다른 표")) is None
    assert join_continued(FIRST, table(("번호", "항목"), (("3", "가격"),))) is None
    moved = replace(table(HEADER, FIRST.rows), columns=(60.0, 120.0, 300.0, 360.0))
    assert join_continued(FIRST, moved) is None


def test_a_table_with_the_same_header_and_another_caption_is_a_table_of_its_own() -> None:
    assert join_continued(FIRST, table(HEADER, (("3", "가격", "30"),), caption="가격 기준")) is None


def test_a_table_whose_caption_says_that_it_goes_on_does() -> None:
    for caption in ("평가 기준", "평가  기준 (계속)"):
        joined = join_continued(FIRST, table(HEADER, (("3", "가격", "30"),), caption=caption))
        assert joined is not None
        assert (joined.caption, len(joined.rows)) == ("평가 기준", 3)


def test_a_small_table_is_one_piece_of_markdown() -> None:
    [(text, first, after)] = render_pieces(
        table(("구분", "금액|원"), (("예금", "1,204"),), caption="계정", unit="단위: 원")
    )
    assert text == "계정\n(단위: 원)\n| 구분 | 금액\\|원 |\n| --- | --- |\n| 예금 | 1,204 |"
    assert (first, after) == (0, 1)


def test_a_table_without_header_has_an_empty_one_for_markdown() -> None:
    [(text, _, _)] = render_pieces(table(("", ""), (("설정일", "2008년\n3월"), ("운용역", "이보람"))))
    assert text == "|  |  |\n| --- | --- |\n| 설정일 | 2008년 3월 |\n| 운용역 | 이보람 |"


def test_each_piece_of_a_long_table_without_header_is_markdown_by_itself() -> None:
    pieces = render_pieces(table(("", ""), tuple((f"사업 {i}", "가나다라마" * 5) for i in range(60))))
    assert len(pieces) > 1
    for text, first, after in pieces:
        assert text.split("\n")[:2] == ["|  |  |", "| --- | --- |"]
        assert text.count("\n") == after - first + 1


def test_a_row_with_long_prose_is_a_piece_of_its_own_and_keeps_its_list() -> None:
    long = "관상동맥 검사는 다음과 같이 인정함.\n" + "\n".join(f"{i}. 적응증 {i}에 해당하는 경우" for i in range(1, 9))
    found = table(("항목", "제목", "세부인정사항"), (("나721", "인정 기준", long), ("나722", "산정 방법", "1일 1회")))
    prose, rest = render_pieces(found)
    assert prose == ("나721 | 인정 기준\n세부인정사항\n" + long, 0, 1)
    assert rest == (
        "| 항목 | 제목 | 세부인정사항 |\n| --- | --- | --- |\n| 나722 | 산정 방법 | 1일 1회 |",
        1,
        2,
    )


def test_lines_broken_by_a_narrow_cell_join_and_lists_stay() -> None:
    found = table(("시\n민\n단\n체", "내용"), (("12", "보험료를 납입하지 아니한 계\n약은 해지된다.\n- 예외 있음"),))
    asked: list[tuple[str, str]] = []

    def space_at(pairs: list[tuple[str, str]]) -> list[bool]:
        asked.extend(pairs)
        return [False] * len(pairs)

    [joined] = joined_cells([found], space_at)  # type: ignore[arg-type]
    assert joined.header[0] == "시민단체"
    assert joined.rows[0][1] == "보험료를 납입하지 아니한 계약은 해지된다.\n- 예외 있음"
    assert ("보험료를 납입하지 아니한 계", "약은 해지된다.") in asked


CELL = st.text(alphabet="가나다라 1,234|\n△()%-", max_size=30)


@given(st.integers(2, 5).flatmap(lambda width: st.lists(st.tuples(*[CELL] * width), min_size=1, max_size=40)), CELL)
def test_pieces_hold_every_row_once_and_each_begins_with_header_and_unit(
    rows: list[tuple[str, ...]], unit: str
) -> None:
    header = tuple(f"이름{c}" for c in range(len(rows[0])))
    found = table(header, tuple(rows), unit=unit.strip())
    pieces = render_pieces(found)
    assert [first for _, first, _ in pieces] == [0, *(after for _, _, after in pieces[:-1])]
    assert pieces[-1][2] == len(rows)
    for text, first, after in pieces:
        assert after - first == 1 or len(text) <= 800
        if text.count("\n| ") > 1:
            assert "| 이름0 |" in text


def form(number: str, name: str) -> FoundTable:
    rows = (("요구사항 분류", "보안 요구사항"), ("요구사항 고유번호", number), ("요구사항 명칭", name))
    return table(("", ""), rows)


def test_a_form_with_the_same_class_and_another_number_is_a_table_of_its_own() -> None:
    assert join_continued(form("SER-001", "접근 통제"), form("SER-002", "암호화")) is None


def test_a_repeated_first_row_above_other_names_is_a_header_that_was_not_known_as_one() -> None:
    first = table(("", ""), (("가", "나"), ("예금", "정기")))
    joined = join_continued(first, table(("", ""), (("가", "나"), ("대출", "신용"))))
    assert joined is not None
    assert joined.rows == (("가", "나"), ("예금", "정기"), ("대출", "신용"))


def test_a_long_cell_stands_below_the_name_of_its_column() -> None:
    long = "\n".join(f"{i}. 발행 방식에 관한 견해" for i in range(8))
    [(text, _, _)] = render_pieces(table(("구분", "배점", "주요 내용"), (("청문회", "30", long),)))
    assert text == f"청문회 | 배점: 30\n주요 내용\n{long}"


def test_a_long_cell_over_several_columns_stands_below_the_name_of_their_group() -> None:
    long = "\n".join(f"{i}. 급여 대상" for i in range(8))
    names = ("항목", "현행 > 제목", "현행 > 세부인정사항")
    [(text, _, _)] = render_pieces(table(names, (("나721", long, long),)))
    assert text == f"나721\n현행\n{long}"


def line(found: FoundTable | None, text: str = "", top: float = 700.0) -> Line:
    return Line(text, 60.0, top - 20, 260.0, top, 10.0, table=found)


def test_the_second_half_of_a_sheet_goes_on_with_the_row_that_the_first_half_broke_off() -> None:
    upper = replace(FIRST, body=(60.0, 500.0, 360.0, 700.0))
    lower = replace(table(HEADER, (("", "시험 결과 포함", ""), ("3", "가격", "30"))), body=(60.0, 80.0, 360.0, 400.0))
    [joined] = join_halves([line(upper), line(lower)])
    assert joined.table is not None
    assert joined.table.rows[1:] == (("2", "성능\n시험 결과 포함", "20"), ("3", "가격", "30"))
    own = replace(lower, rows=(("1", "다른 평가", "10"),))
    assert len(join_halves([line(upper), line(own)])) == 2
    assert len(join_halves([line(upper), line(None, "사이의 글"), line(lower)])) == 3


def test_a_small_table_at_the_top_of_most_pages_is_kept_once() -> None:
    pages = [
        [
            line(table(("", ""), (("물질안전보건자료", "개정번호 : 3"), ("문서번호 : A-7", f"{n} / 5")))),
            line(None, "글", 600),
        ]
        for n in range(1, 6)
    ]
    assert [len(page) for page in drop_page_headers(pages)] == [2, 1, 1, 1, 1]


def test_a_form_at_the_top_of_each_page_is_no_page_header() -> None:
    pages = [[line(form(f"SER-{n * 7:03}", "접근 통제")), line(None, "글", 600)] for n in range(1, 6)]
    assert [len(page) for page in drop_page_headers(pages)] == [2, 2, 2, 2, 2]


def test_codes_on_two_lines_of_a_cell_stay_apart() -> None:
    found = table(("규격", "제품"), (("AWS A5.28\nER90S-G", "용접봉"),))
    [joined] = joined_cells([found], lambda pairs: [False] * len(pairs))
    assert joined.rows[0][0] == "AWS A5.28 ER90S-G"
