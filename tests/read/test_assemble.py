"""Offsets of pages and of tables that go on over them."""

from __future__ import annotations

from kure_rag.read.assemble import assemble, join_tables
from kure_rag.read.lines import Paragraph
from kure_rag.read.page import FoundTable

HEADER = ("구분", "한도")
EDGES = (60.0, 200.0, 400.0)


def part(names: list[str], bottom: float, top: float, header: tuple[str, ...] = HEADER) -> FoundTable:
    body = (60.0, bottom, 400.0, top)
    return FoundTable(body, body, EDGES, "", "단위: 만원", header, tuple((name, "1,000") for name in names))


def test_rows_of_a_table_over_three_pages_are_on_their_own_pages() -> None:
    tables = [
        part([f"예금{i}" for i in range(8)], 60, 700),
        part([f"적금{i}" for i in range(8)], 60, 780),
        part([f"대출{i}" for i in range(4)], 500, 780),
    ]
    paragraphs = [Paragraph([(0, "한도표는 다음과 같다.")])]
    paragraphs += [Paragraph([(page, "")], table) for page, table in enumerate(tables)]
    paragraphs.append(Paragraph([(2, "한도는 매년 고친다.")]))
    joined = join_tables(paragraphs, None)
    assert sum(paragraph.table is not None for paragraph in joined) == 1
    text, spans, (table,), _ = assemble(joined, 3)
    assert len(table.rows) == 20
    for (start, end), first, others in zip(
        spans, ("한도표는", "| 적금0", "| 대출0"), (("적금", "대출"), ("예금", "대출"), ("예금", "적금")), strict=True
    ):
        assert text[start:end].startswith(first)
        assert not any(f"| {other}" in text[start:end] for other in others)
    assert [start for start, _ in spans[1:]] == [end for _, end in spans[:-1]]
    assert spans[-1][1] == len(text)
