"""What a table of contents names is a heading where it stands, and not in the table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.chunk.contents import contents_lines
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Document

SAID = "올해 매출은 지난해보다 늘었으며 내년에도 늘 것으로 보입니다."
ENTRIES = ["I. 회사의 개요{}1", "1. 회사의 연혁{}1", "2. 자본금{}2", "II. 사업의 내용{}4", "1. 회사의 연혁{}12"]


def breadcrumbs(*lines: str) -> list[tuple[str, ...]]:
    text = "\n".join(lines)
    document = Document(id="d", source="a.pdf", title="보고서", domain="finance", text=text)
    chunks = chunk_document(document, WhitespaceTokenizer(), ChunkSettings())
    return [item.chunk.breadcrumb[1:] for item in chunks]


@pytest.mark.parametrize("above", ["목 차", "차례", "< 목 차 >", "CONTENTS", "표 목차"])
@pytest.mark.parametrize("leaders", [" ", " ··· ", " ········· ", " . . . . . "])
def test_entries_with_page_numbers(above: str, leaders: str) -> None:
    entries = [entry.format(leaders) for entry in ENTRIES]
    body = ["I. 회사의 개요", SAID, "1. 회사의 연혁", SAID]
    assert contents_lines([above, *entries, *body]) == {1, 2, 3, 4, 5}


def test_a_report_is_cut_at_its_headings_and_not_at_its_contents() -> None:
    entries = [entry.format(" ") for entry in ENTRIES[:4]]
    body = ["I. 회사의 개요", "1. 회사의 연혁", SAID, "2. 자본금", SAID, "II. 사업의 내용", SAID]
    assert breadcrumbs("분기보고서", "목 차", *entries, *body) == [
        (),
        ("목 차",),
        ("I. 회사의 개요", "1. 회사의 연혁"),
        ("I. 회사의 개요", "2. 자본금"),
        ("II. 사업의 내용",),
    ]


def test_an_entry_without_a_page_names_a_heading_that_comes_again() -> None:
    lines = ["차 례", "< 요 약 >", "Ⅰ. 최근의 동향 ··· 1", "Ⅱ. 통화정책 ··· 7", "<요약>", SAID, "Ⅰ. 최근의 동향", SAID]
    assert contents_lines(lines) == {1, 2, 3}
    assert breadcrumbs(*lines, "Ⅱ. 통화정책", SAID) == [("차 례",), ("<요약>",), ("Ⅰ. 최근의 동향",), ("Ⅱ. 통화정책",)]


def test_contents_that_nothing_announces() -> None:
    entries = [entry.format(" ") for entry in ENTRIES[:4]]
    body = ["I. 회사의 개요", SAID, "1. 회사의 연혁", SAID, "2. 자본금", SAID, "II. 사업의 내용", SAID]
    assert contents_lines(["분기보고서", *entries, *body]) == {1, 2, 3, 4}


@pytest.mark.parametrize(
    "lines",
    [
        ["1. 서울 100", "2. 부산 200", "3. 대구 300", "4. 인천 400", "모두 네 곳이다."],
        ["목차", "I. 회사의 개요", SAID, "II. 사업의 내용", SAID],
        ["1. 매출 2024", SAID, "2. 비용 2025", SAID],
        ["목차", "", "I. 회사의 개요", SAID],
        [],
    ],
)
def test_lines_that_are_no_contents(lines: list[str]) -> None:
    assert contents_lines(lines) == frozenset()


PARTS = st.sampled_from(
    ["", "목 차", "I. 개요 1", "1. 목적 ··· 2", "2. 범위 3", "I. 개요", "1. 목적", "끝으로 12", SAID]
)


@given(st.lists(PARTS, max_size=20))
def test_neither_tables_nor_sentences_are_entries(lines: list[str]) -> None:
    assert not {lines[i] for i in contents_lines(lines)} & {"", "목 차", SAID}
