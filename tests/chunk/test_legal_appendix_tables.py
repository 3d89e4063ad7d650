"""별표: a table in an appendix is a chunk of its own, under the appendix and not under the last article."""

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Chunk, Document, Table

RULES = """차량관리규정
제1조(목적) 이 규정은 회사 차량의 관리에 관한 사항을 정한다.
제2조(사용료) 차량의 사용료는 별표 1과 같다.
제3조(준용) 이 규정에 없는 사항은 도로교통법을 따른다.
부칙
이 규정은 2025년 1월 1일부터 시행한다.
"""
TITLE = "[별표 1] 차량 사용료(제2조 관련)"
NAME = "별표 1 차량 사용료(제2조 관련)"
HEADER = ("구분", "기준", "금액")
ROWS = tuple((f"{i}종 차량", f"{i}00km 이하", f"{i},000") for i in range(1, 6))
BELOW = "비고: 금액에는 연료비가 들어 있지 않다.\n[별표 2] 점검 항목\n1. 제동장치\n2. 조향장치\n"


def cut(rows: tuple[tuple[str, ...], ...] = ROWS, *, caption: bool = True) -> list[Chunk]:
    lines = [TITLE] * caption + ["(단위: 원)", "| 구분 | 기준 | 금액 |", "| --- | --- | --- |"]
    grid = "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
    before = RULES if caption else f"{RULES}{TITLE}\n"
    start = len(before)
    span = (start, start + len(grid), 0, len(rows))
    table = Table(2, *span[:2], TITLE if caption else "", "단위: 원", HEADER, rows, (span,))
    text = f"{before}{grid}\n{BELOW}"
    document = Document("d", "a.pdf", "차량관리규정", "legal", text, tables=(table,))
    return [item.chunk for item in chunk_document(document, WhitespaceTokenizer(), ChunkSettings())]


def test_the_table_of_an_appendix_is_a_table_under_its_name() -> None:
    for caption in (True, False):  # whether the reader took the appendix's heading for the table's caption
        (table,) = (chunk for chunk in cut(caption=caption) if chunk.kind == "table")
        assert table.breadcrumb == ("차량관리규정", NAME)
        assert (table.metadata["part"], table.metadata["part_name"]) == ("별표", NAME)
        assert (table.metadata["unit"], table.metadata["header"]) == ("단위: 원", list(HEADER))
        assert "article" not in table.metadata
        assert "2종 차량 | 200km 이하 | 금액 = 2,000 (원)" in table.lead.split("\n")
        assert table.text.endswith("| 5종 차량 | 500km 이하 | 5,000 |")


def test_what_stands_around_the_table_keeps_its_place() -> None:
    chunks = cut()
    after = chunks[[chunk.kind for chunk in chunks].index("table") + 1 :]
    assert [(chunk.kind, chunk.metadata["part_name"]) for chunk in after] == [
        ("appendix", NAME),
        ("appendix", "별표 2 점검 항목"),
    ]
    assert after[0].text.startswith("비고: 금액에는")
    addenda = next(chunk for chunk in chunks if chunk.metadata.get("part") == "부칙")
    assert addenda.text == "부칙\n이 규정은 2025년 1월 1일부터 시행한다."


def test_a_long_table_of_an_appendix_repeats_its_name_header_and_unit() -> None:
    rows = tuple((f"{i}종 차량", f"{i}00km 이하", f"{i},000") for i in range(1, 120))
    tables = [chunk for chunk in cut(rows) if chunk.kind == "table"]
    assert len(tables) > 3
    for table in tables:
        above = table.contextualized()
        assert all(word in above for word in (NAME, "(단위: 원)", "| 구분 | 기준 | 금액 |"))
    said = [line.split(" | ")[0] for table in tables for line in table.lead.split("\n") if " = " in line]
    assert said == [row[0] for row in rows]
