"""Tables in cells of other tables as chunks: never cut inside a row, their rows said as lines, nothing said twice."""

from __future__ import annotations

import pytest

from kure_rag.chunk import PROFILES, ChunkSettings, chunk_document
from kure_rag.chunk.nested_tables import outer_tables, tables_in
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Chunk, Document, Table

WORDS = WhitespaceTokenizer()
QUESTION = "1 | 수가는 어떻게 산정하나요?\n답변\n"
EXAMPLE = "(예시) 두 혈관에 실시한 경우\n"


def inner(at: int, rows: tuple[tuple[str, ...], ...]) -> tuple[Table, str]:
    text = "\n".join(["| 혈관 | 금액 |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)])
    table = Table(1, at, at + len(text), "", "단위: 원", ("혈관", "금액"), rows, ((at, at + len(text), 0, len(rows)),))
    return table, text


def answer(
    rows: tuple[tuple[str, ...], ...], *, before: str = "○ 다음과 같이 산정합니다.\n", after: str = ""
) -> Document:
    """A question whose answer holds a table."""
    opening = QUESTION + before + EXAMPLE
    table, text = inner(len(opening), rows)
    whole = opening + text + after
    cell = before + EXAMPLE + text + after
    outer = Table(
        1,
        0,
        len(whole),
        "",
        "",
        ("연번", "질의", "답변"),
        (("1", "수가는 어떻게 산정하나요?", cell),),
        ((0, len(whole), 0, 1),),
    )
    return Document("d", "a.pdf", "질의응답", "general", whole + "\n", tables=(outer, table))


def cut(made: Document, profile: str, **sizes: int) -> list[Chunk]:
    return [item.chunk for item in chunk_document(made, WORDS, ChunkSettings(profile=profile, **sizes))]


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_table_in_a_cell_stays_with_its_row_and_is_said_once(profile: str) -> None:
    made = answer((("LAD", "1,200"), ("RCA", "840")))
    chunks = cut(made, profile)
    assert "".join(chunk.text for chunk in chunks).count("| LAD | 1,200 |") == 1
    [chunk] = [chunk for chunk in chunks if "LAD" in chunk.text]
    assert "수가는 어떻게" in chunk.text
    assert "LAD | 금액 = 1,200 (원)\nRCA | 금액 = 840 (원)" in chunk.lead


@pytest.mark.parametrize("after", ["", "\n○ 야간은 따로 정합니다."])
def test_a_long_answer_is_cut_around_its_table_and_the_line_above_goes_with_it(after: str) -> None:
    long = "○ 다음과 같이 산정합니다. " + "두 번째 혈관부터는 추가 혈관의 점수를 산정합니다. " * 12 + "\n"
    chunks = cut(
        answer((("LAD", "1,200"), ("RCA", "840")), before=long, after=after), "medical", target=200, longest=300
    )
    [chunk] = [chunk for chunk in chunks if "| LAD |" in chunk.text]
    assert chunk.text.startswith("(예시) 두 혈관에 실시한 경우\n| 혈관 | 금액 |")
    assert "| RCA | 840 |" in chunk.text
    assert "수가는 어떻게 산정하나요?" in chunk.contextualized()
    assert "LAD | 금액 = 1,200 (원)" in chunk.lead


def test_a_long_table_in_a_cell_is_cut_between_its_rows_and_each_part_has_the_header() -> None:
    rows = tuple((f"혈관{i}", f"{i},000") for i in range(1, 60))
    made = answer(rows)
    chunks = [chunk for chunk in cut(made, "medical", target=200, longest=300) if "혈관" in chunk.text]
    assert len(chunks) > 3
    for chunk in chunks:
        first, last = chunk.text.split("\n")[0], chunk.text.split("\n")[-1]
        assert last.startswith("|") == last.endswith("|")
        assert first.startswith("|") == first.endswith("|")
        if "| 혈관5 |" not in chunk.text and chunk.text.startswith("| 혈관"):
            assert "| 혈관 | 금액 |" in chunk.contextualized()
    for name, value in rows:
        assert sum(f"| {name} | {value} |" in chunk.text for chunk in chunks) == 1
        assert sum(f"{name} | 금액 = {value} (원)" in chunk.lead for chunk in chunks) == 1


def test_outer_and_inner_tables_are_told_apart() -> None:
    made = answer((("LAD", "1,200"),))
    outer, table = made.tables
    assert outer_tables(made.tables) == [outer]
    assert tables_in(outer, made.tables) == [table]
    assert tables_in(table, made.tables) == []
