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


def document(
    before: str,
    pieces: list[tuple[str, int, int]],
    after: str = "",
    rows: tuple[tuple[str, ...], ...] = ROWS,
    header: tuple[str, ...] = HEADER,
) -> Document:
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


@pytest.mark.parametrize(
    "note",
    [
        "금액단위: 백만원",
        "2022년 6월 말 기준, 단위: 백만원",
        "단위: 백만원, 2022년 6월 말 기준",
        "기준일: 2022. 6. 30., 단위 : 백만원",
        "2022년 말 기준, 백만원",
        "Unit: 백만원",
    ],
)
def test_only_the_unit_of_a_note_is_said_with_a_number(note: str) -> None:
    assert row_lines(table_of(("구분", "금액"), (("주식", "1,234"),), unit=note)) == "주식 | 금액 = 1,234 (백만원)"


def test_a_note_with_a_date_says_its_units_once_and_one_of_a_date_alone_says_none() -> None:
    names, rows = ("구분", "주식수"), (("가온전자", "1,234"),)
    assert row_lines(table_of(names, rows, unit="기준일: 2022. 6. 30., 단위: 주, %")) == (
        "가온전자 | 주식수 = 1,234 (단위: 주, %)"
    )
    assert row_lines(table_of(names, rows, unit="2022.6.30. 현재")) == "가온전자 | 주식수 = 1,234"


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


def test_an_empty_header_line_is_not_said_again_where_a_grid_is_cut() -> None:
    rows = tuple((f"{i}번째 항목", f"{i},000") for i in range(1, 200))
    lines = ["요약 손익", "(단위: 백만원)", "|  |  |", "| --- | --- |", *(f"| {' | '.join(row)} |" for row in rows)]
    chunks = cut(document("", [("\n".join(lines), 0, len(rows))], rows=rows, header=("", "")))
    assert len(chunks) > 1
    assert {chunk.lead for chunk in chunks[1:]} == {"요약 손익\n(단위: 백만원)"}


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


CONDITIONS = """수가는 다음과 같이 산정함.
- 다 음 -
가. 혈관은 네 개로 나눔.
나. 여러 혈관에 시술한 경우
1) 왼쪽 혈관만 시술한 경우
: 첫 번째 혈관은 소정점수를 산정하고 두 번째 혈관부터는 추가혈관의 소정점수를 산정함. 그 밖의 혈관에는 산정하지 아니함.
2) 왼쪽과 오른쪽 혈관을 함께 시술한 경우
첫 번째 혈관은 소정점수를 산정하고 다른 쪽 혈관 하나에 한하여 소정점수의 70%를 산정함. 나머지 혈관은 추가혈관으로 봄."""


def of_text(cells: tuple[str, ...], header: tuple[str, ...]) -> Document:
    """A table with one row of text, as it is read: caption, short cells, then each long cell under its name."""
    short = [cell for cell in cells if "\n" not in cell]
    long = [f"{name}\n{cell}" for name, cell in zip(header, cells, strict=True) if "\n" in cell]
    piece = "\n".join(["산정 기준", " | ".join(short), *long])
    table = Table(1, 0, len(piece), "산정 기준", "", header, (cells,), ((0, len(piece), 0, 1),))
    return Document("d", "a.pdf", "고시", "general", piece, tables=(table,))


@pytest.mark.parametrize("profile", ["general", "finance", "legal", "medical"])
def test_a_condition_stays_with_what_holds_under_it(profile: str) -> None:
    made = of_text(("자1 가람술", "산정방법", CONDITIONS), ("항목", "제목", "세부인정사항"))
    first, *others = cut(made, profile, target=100, longest=200)
    assert first.text.startswith("산정 기준\n")
    assert len(others) > 1
    for chunk in others:
        lead = chunk.contextualized()[: -len(chunk.text)]
        assert all(word in lead for word in ("산정 기준", "자1 가람술", "산정방법", "세부인정사항", "다음과 같이"))
    for condition, held in (
        ("1) 왼쪽 혈관만", "두 번째 혈관부터는"),
        ("2) 왼쪽과 오른쪽", "소정점수의 70%"),
        ("1)", "그 밖의"),
    ):
        (one,) = (chunk for chunk in others if held in chunk.text)
        assert condition in one.contextualized().partition(held)[0]
        assert "나. 여러 혈관에" in one.contextualized().partition(held)[0]


def test_an_item_that_is_cut_is_named_in_each_part() -> None:
    item = "가. 재시술을 실시한 경우 " + "환자의 상태를 기록하고 그 사유를 진료기록부에 적어야 함. " * 12
    made = of_text(("자1 가람술", f"다음과 같이 산정함.\n{item.strip()}\n나. 그 밖의 경우"), ("항목", "세부인정사항"))
    parts = [chunk for chunk in cut(made, target=100, longest=200) if "사유를 진료기록부에" in chunk.text]
    assert len(parts) > 2
    assert all("가. 재시술을 실시한 경우" in chunk.contextualized() for chunk in parts)


@pytest.mark.parametrize(
    ("above", "below", "carried"),
    [
        ("가. 대상은 다음과 같음.\n2) 왼쪽 혈관만 시술하여", "둘째 혈관부터 추가혈관으로\n산정하는 경우", True),
        ("가. 대상은 다음과 같음.\n2) 왼쪽 혈관만 시술함.", "둘째 혈관부터 추가혈관으로\n산정하는 경우", False),
        ("가. 대상은 다음과 같음.\n2) 왼쪽 혈관만 시술하여", "3) 둘째 혈관부터 추가혈관으로\n산정하는 경우", False),
    ],
)
@pytest.mark.parametrize("item", ["자1 가람술", "", "자2 나래술"])
def test_a_cell_that_a_page_cut_goes_on_under_its_item(above: str, below: str, item: str, carried: bool) -> None:
    rows = (("자1 가람술", above), (item, below))
    pieces = [(f"자1 가람술\n세부인정사항\n{above}", 0, 1), (f"{item}\n세부인정사항\n{below}".strip(), 1, 2)]
    chunks = cut(document("", pieces, rows=rows, header=("항목", "세부인정사항")))
    lines = chunks[-1].lead.split("\n")
    assert ("2) 왼쪽 혈관만 시술하여" in lines) == (carried and item != "자2 나래술")


def test_two_long_cells_are_cut_apart_and_named() -> None:
    old, new = ("\n".join(f"{i}. {word} {i}회 인정함." for i in range(1, 20)) for word in ("종전에는", "이제는"))
    made = of_text(("가람술", old, new), ("항목", "현행", "개정"))
    for chunk in cut(made, target=100, longest=200):
        assert not ("종전에는" in chunk.text and "이제는" in chunk.text)
        side = "현행" if "종전에는" in chunk.text else "개정"
        assert side in chunk.contextualized().split("\n")


def test_no_row_vanishes_from_the_rows_said() -> None:
    header = ("구분", *(f"제{i}기 매출액과 영업이익" for i in range(1, 9)))
    rows = tuple((f"계정{i}", *(f"{i},00{j}" for j in range(8))) for i in range(1, 40))
    made = document("", [(grid(rows, header), 0, len(rows))], rows=rows, header=header)
    chunks = cut(made)
    assert len(chunks) > 2
    said = [line.split(" | ")[0] for chunk in chunks for line in chunk.lead.split("\n") if " = " in line]
    assert said == [row[0] for row in rows]
    for chunk in chunks:
        printed = [
            line.split(" | ")[0].removeprefix("| ") for line in chunk.text.split("\n") if line.startswith("| 계정")
        ]
        assert printed == [line.split(" | ")[0] for line in chunk.lead.split("\n") if " = " in line]
        above = chunk.contextualized().partition("| 계정")[0]
        assert "(단위: 백만원)" in above
        assert f"| {' | '.join(header)} |" in above


def test_a_small_grid_whose_rows_say_much_is_cut_too() -> None:
    header = ("구분", *(f"{i}차 사업연도의 보통주 기본주당이익" for i in range(1, 9)))
    rows = tuple((f"계정{i}", *"12345678") for i in range(1, 13))
    piece = grid(rows, header)
    assert len(piece) < 1_600
    chunks = cut(document("", [(piece, 0, len(rows))], rows=rows, header=header))
    assert len(chunks) > 1
    assert all(f"계정{i} | 1차" in "\n".join(chunk.lead for chunk in chunks) for i in range(1, 13))


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
