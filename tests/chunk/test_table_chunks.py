"""Tables as chunks: each piece by itself, its rows said as lines beside it."""

import pytest

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.chunk.tables import is_number, name_columns, row_lines
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Chunk, Document, Table

WORDS = WhitespaceTokenizer()
HEADER = ("구분", "제56기 > 3개월", "제56기 > 누적")
ROWS = (("매출액", "1,234", "2,345"), ("영업이익", "△12", "-"), ("당기순이익", "(34)", "56"))


def table_of(
    header: tuple[str, ...] = HEADER, rows: tuple[tuple[str, ...], ...] = ROWS, unit: str = "단위: 백만원"
) -> Table:
    return Table(page=1, start=0, end=0, caption="요약 손익", unit=unit, header=header, rows=rows)


def grid(rows: tuple[tuple[str, ...], ...], header: tuple[str, ...] = HEADER) -> str:
    lines = ["요약 손익", "(단위: 백만원)", f"| {' | '.join(header)} |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def document(before: str, pieces: list[tuple[str, int, int]], after: str = "", rows=ROWS, header=HEADER) -> Document:
    text = before
    places = []
    for piece, first, last in pieces:
        places.append((len(text), len(text) + len(piece), first, last))
        text += piece + "\n"
    table = Table(1, places[0][0], places[-1][1], "요약 손익", "단위: 백만원", header, rows, tuple(places))
    return Document(id="d", source="a.pdf", title="분기보고서", domain="general", text=text + after, tables=(table,))


def cut(made: Document, profile: str = "general", **sizes: int) -> list[Chunk]:
    return [item.chunk for item in chunk_document(made, WORDS, ChunkSettings(profile=profile, **sizes))]


def test_rows_are_said_with_their_columns_and_unit() -> None:
    assert row_lines(table_of()).split("\n") == [
        "매출액 | 제56기 > 3개월 = 1,234 (백만원), 제56기 > 누적 = 2,345 (백만원)",
        "영업이익 | 제56기 > 3개월 = △12 (백만원)",
        "당기순이익 | 제56기 > 3개월 = (34) (백만원), 제56기 > 누적 = 56 (백만원)",
    ]


def test_a_column_or_value_with_a_unit_of_its_own_gets_no_other() -> None:
    table = table_of(("구분", "금액(억원)", "비중"), (("주식", "12", "34.5%"),))
    assert row_lines(table) == "주식 | 금액(억원) = 12, 비중 = 34.5%"


def test_several_units_are_said_once_a_row() -> None:
    table = table_of(("구분", "금액", "비중"), (("주식", "12", "34.5"),), unit="단위: 백만원, %")
    assert row_lines(table) == "주식 | 금액 = 12, 비중 = 34.5 (단위: 백만원, %)"


def test_names_of_rows_in_two_columns_are_said_together() -> None:
    rows = (("자산", "유동자산", "10"), ("자산", "비유동자산", "20"), ("부채", "부채", "5"))
    table = table_of(("구분", "과목", "금액"), rows, unit="")
    assert name_columns(table) == 2
    assert row_lines(table).split("\n") == [
        "자산 | 유동자산 | 금액 = 10",
        "자산 | 비유동자산 | 금액 = 20",
        "부채 | 금액 = 5",
    ]


def test_bullets_are_no_part_of_a_row_name() -> None:
    table = table_of(("", "24.5월"), (("►실업률(%)", "4.1"), ("- 비내구재", "1.6")), unit="")
    assert row_lines(table).split("\n") == ["실업률(%) | 24.5월 = 4.1", "비내구재 | 24.5월 = 1.6"]


def test_numbers_that_count_the_rows_are_names() -> None:
    rows = (("1", "새솔전자", "10.1"), ("2", "두레은행", "9.8"))
    assert name_columns(table_of(("순위", "종목", "비중"), rows)) == 2


def test_a_table_of_words_says_nothing_twice() -> None:
    rows = (("정책기관", "법과 제도를 고친다"), ("평가기관", "기준에 따라 평가한다"))
    assert row_lines(table_of(("구분", "역할"), rows, unit="")) == ""
    assert row_lines(table_of((), ROWS)) == ""


@pytest.mark.parametrize("cell", ["1,234", "△12", "(34)", "-3.5%", "12억원", "+0.72%p", ".98", "▲1.2", "25bp"])
def test_numbers(cell: str) -> None:
    assert is_number(cell)


@pytest.mark.parametrize("cell", ["", "-", "매출액", "제56기", "2024년 말", "4등급"])
def test_no_numbers(cell: str) -> None:
    assert not is_number(cell)


def test_each_piece_is_a_chunk_with_its_own_rows() -> None:
    made = document("회사의 손익이다.\n", [(grid(ROWS[:2]), 0, 2), (grid(ROWS[2:]), 2, 3)], "끝으로 덧붙인다.\n")
    chunks = cut(made)
    assert [chunk.kind for chunk in chunks] == ["text", "table", "table", "text"]
    assert chunks[1].text == grid(ROWS[:2])
    assert chunks[1].metadata == {"caption": "요약 손익", "unit": "단위: 백만원", "header": list(HEADER)}
    assert [line.split(" | ")[0] for line in chunks[1].lead.split("\n")] == ["매출액", "영업이익"]
    assert [line.split(" | ")[0] for line in chunks[2].lead.split("\n")] == ["당기순이익"]
    assert "제56기 > 3개월 = (34) (백만원)" in chunks[2].contextualized()


def test_terms_hold_what_the_rows_say() -> None:
    made = document("", [(grid(ROWS), 0, 3)])
    (item,) = chunk_document(made, WORDS, ChunkSettings(profile="general"))
    assert item.terms.count("1,234") == 2


def test_a_heading_goes_with_its_table_and_notes_do_too() -> None:
    made = document(
        "1. 요약재무정보\n", [(grid(ROWS), 0, 3)], "주) 한국채택국제회계기준에 따랐다.\n자료: 회사\n다음 문장이다.\n"
    )
    first, second = cut(made)
    assert first.kind == "table"
    assert first.breadcrumb == ("분기보고서", "1. 요약재무정보")
    assert first.text.startswith("1. 요약재무정보\n요약 손익\n")
    assert first.text.endswith("자료: 회사")
    assert second.text == "다음 문장이다."


def test_a_caption_that_is_a_numbered_heading_is_one() -> None:
    pieces = [grid(ROWS).replace("요약 손익", "가. 요약 손익"), grid(ROWS).replace("요약 손익", "나. 요약 자산")]
    text = "1. 요약재무정보\n" + "\n".join(pieces) + "\n2. 배당\n배당하지 않았다."
    tables = []
    for piece in pieces:
        start = text.index(piece)
        caption = piece.partition("\n")[0]
        span = (start, start + len(piece), 0, 3)
        tables.append(Table(1, *span[:2], caption, "단위: 백만원", HEADER, ROWS, (span,)))
    made = Document("d", "a.pdf", "분기보고서", "general", text, tables=tuple(tables))
    assert [(chunk.kind, chunk.breadcrumb[1:]) for chunk in cut(made)] == [
        ("table", ("1. 요약재무정보", "가. 요약 손익")),
        ("table", ("1. 요약재무정보", "나. 요약 자산")),
        ("text", ("2. 배당",)),
    ]


def test_the_line_that_announces_a_table_goes_with_it() -> None:
    made = document("회사는 부품을 만든다.\n손익은 다음과 같다.\n", [(grid(ROWS[:2]), 0, 2), (grid(ROWS[2:]), 2, 3)])
    assert [chunk.text.partition("\n")[0] for chunk in cut(made)] == [
        "회사는 부품을 만든다.",
        "손익은 다음과 같다.",
        "요약 손익",
    ]


def test_lines_of_a_table_are_no_headings() -> None:
    rows = (("제1장 총칙", "1", "2"), ("Ⅰ. 개요", "3", "4"), ("【주문】", "5", "6"))
    made = document("머리말이다.\n", [(grid(rows), 0, 3)], "맺음말이다.\n", rows=rows)
    assert {chunk.breadcrumb for chunk in cut(made)} == {("분기보고서",)}


def test_a_grid_far_over_the_limit_is_cut_between_rows() -> None:
    rows = tuple((f"{i}번째 항목", f"{i},000", f"{i}") for i in range(1, 200))
    made = document("", [(grid(rows), 0, len(rows))], rows=rows)
    chunks = cut(made)
    assert len(chunks) > 5
    assert sum(len(chunk.text.split("\n")) for chunk in chunks) == len(rows) + 4
    for chunk in chunks[1:]:
        assert chunk.text.startswith("| ")
        assert chunk.lead.startswith(f"요약 손익\n(단위: 백만원)\n| {' | '.join(HEADER)} |\n")
        name = chunk.text.split(" | ")[0].removeprefix("| ")
        assert f"{name} | 제56기" in chunk.lead


def test_a_row_of_text_is_cut_as_text_and_keeps_its_short_cells() -> None:
    body = "\n".join(
        f"{i}. 이 검사는 {i}회까지 요양급여로 인정하며 그 밖의 경우에는 인정하지 아니한다." for i in range(1, 40)
    )
    piece = f"나722-4 동맥압 측정 | 급여기준\n{body}"
    header = ("항목", "제목", "세부인정사항")
    rows = (("나722-4 동맥압 측정", "급여기준", body),)
    chunks = cut(document("", [(piece, 0, 1)], header=header, rows=rows))
    assert len(chunks) > 2
    assert {chunk.kind for chunk in chunks} == {"table"}
    assert all(chunk.lead.startswith("나722-4 동맥압 측정 | 급여기준") for chunk in chunks[1:])
    assert all(chunk.text[0].isdigit() for chunk in chunks[1:])


def test_a_table_without_pieces_or_rows_is_one_chunk() -> None:
    text = "앞 문장이다.\n| 가 | 나 |\n| 1 | 2 |\n뒤 문장이다."
    start = text.index("|")
    end = text.rindex("\n")
    made = Document("d", "a.pdf", "표", "general", text, tables=(Table(1, start, end),))
    assert [(chunk.kind, chunk.text) for chunk in cut(made)] == [
        ("text", "앞 문장이다."),
        ("table", "| 가 | 나 |\n| 1 | 2 |"),
        ("text", "뒤 문장이다."),
    ]
