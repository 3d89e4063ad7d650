"""Markdown as canonical text: headings, code and tables at their places."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.read.clean import clean_text
from kure_rag.read.markdown import blocks, cells
from kure_rag.read.markdown_text import MarkedText, marked_text

FENCED = "```sh\n# 설명\n| 가 | 나 |\n|---|---|\n* 항목\n```"


def headings(marked: MarkedText) -> list[tuple[int, str]]:
    return [(level, marked.text[start:end]) for start, end, level in marked.headings]


@pytest.mark.parametrize(
    ("text", "shown", "found"),
    [
        ("# 온실\n본문\n### 물 주기 ###\n", "온실\n본문\n물 주기\n", [(1, "온실"), (3, "물 주기")]),
        ("온실\n====\n\n물\n--\n본문", "온실\n\n물\n본문", [(1, "온실"), (2, "물")]),
        ("## **온실** [규정](a.md)\n", "온실 규정\n", [(2, "온실 규정")]),
        ("## <표 1> 온실\n", "<표 1> 온실\n", [(2, "<표 1> 온실")]),
        ("# ![로고](a.png)\n본문\n", "# ![로고](a.png)\n본문\n", []),
        ("#온실\n\\# 온실\n", "#온실\n\\# 온실\n", []),
        ("", "", []),
        ("본문", "본문", []),
    ],
)
def test_headings_lose_their_marks_and_are_said(text: str, shown: str, found: list[tuple[int, str]]) -> None:
    marked = marked_text(text)
    assert (marked.text, headings(marked)) == (shown, found)


def test_code_is_kept_as_it_was_written() -> None:
    marked = marked_text(f"# 설치\n\n{FENCED}\n\n~~~\n열린 채로\n# 끝난다\n")
    assert [marked.text[start:end] for start, end in marked.code] == [FENCED, "~~~\n열린 채로\n# 끝난다\n"]
    assert headings(marked) == [(1, "설치")]
    assert marked.tables == ()


def test_list_marks_that_are_notes_in_korean_become_dashes() -> None:
    assert marked_text("* 물\n  + 흙\n- 빛\n*강조* 글\n* * *\n").text == "- 물\n  - 흙\n- 빛\n*강조* 글\n* * *\n"


def test_comments_that_nobody_sees_are_left_out() -> None:
    assert marked_text("물\n<!-- 숨김 -->\n흙 <!-- 남음 -->\n").text == "물\n흙 <!-- 남음 -->\n"


def test_a_table_has_its_caption_unit_and_cells() -> None:
    text = (
        "매출은 다음과 같다.\n**표 1. 온실 매출** (단위: 만 원)\n\n"
        "| 구분 | `1기` | 2기 |\n|:--|--:|:-:|\n| 유리\\|비닐 | **10** | 2<br>3 |\n| 합계 | 12 |\n끝.\n"
    )
    marked = marked_text(text)
    [table] = marked.tables
    assert (table.caption, table.unit) == ("표 1. 온실 매출", "단위: 만 원")
    assert table.header == ("구분", "1기", "2기")
    assert table.rows == (("유리|비닐", "10", "2\n3"), ("합계", "12", ""))
    assert marked.text[table.start : table.end] == (
        "표 1. 온실 매출\n(단위: 만 원)\n| 구분 | 1기 | 2기 |\n| --- | --- | --- |\n"
        "| 유리\\|비닐 | 10 | 2 3 |\n| 합계 | 12 |  |"
    )
    assert marked.text.startswith("매출은 다음과 같다.\n\n표 1.")
    assert marked.text.endswith("|\n\n끝.\n")


def test_a_cell_beyond_the_names_is_not_lost() -> None:
    [table] = marked_text("| 가 |\n| --- |\n| 나 | 다 |\n").tables
    assert (table.header, table.rows) == (("가", ""), (("나", "다"),))


def test_lines_above_a_table_that_are_text_stay_text() -> None:
    for said in ("표는 아래에 있다.", "[표 1](a.md)", "온실 매출", "표 1 " + "가" * 150):
        marked = marked_text(f"{said}\n\n| 가 | 나 |\n|---|---|\n| 1 | 2 |\n")
        assert (marked.tables[0].caption, marked.text.partition("\n")[0]) == ("", said)


def test_a_long_table_is_in_pieces_that_repeat_its_names() -> None:
    rows = "".join(f"| {'온실' * 20} {n} | {n} |\n" for n in range(60))
    marked = marked_text(f"| 이름 | 값 |\n|---|---|\n{rows}")
    [table] = marked.tables
    assert len(table.pieces) > 2
    assert [row for *_, first, after in table.pieces for row in range(first, after)] == list(range(60))
    for start, end, _, _ in table.pieces:
        assert marked.text[start:end].startswith("| 이름 | 값 |\n| --- | --- |\n| 온실")


@pytest.mark.parametrize(
    "text",
    [
        "| 가 | 나 |\n| 1 | 2 |\n",
        "| 가 | 나 |\n|---|\n| 1 | 2 |\n",
        "가\n---|---\n",
        "    | 가 | 나 |\n|---|---|\n",
        "> | 가 | 나 |\n|---|---|\n",
        "||\n|---|---|\n",
        f"| {'가' * 401} | 나 |\n|---|---|\n| 1 | 2 |\n",
    ],
)
def test_what_only_looks_like_a_table(text: str) -> None:
    marked = marked_text(text)
    assert (marked.tables, marked.text) == ((), text)


def test_a_table_of_mostly_missing_cells_stays_text() -> None:
    text = f"| {' | '.join('가' * 60)} |\n|{'---|' * 60}\n" + "| 1 |\n" * 2_000
    assert marked_text(text).tables == ()


def test_cells() -> None:
    assert cells("가 | 나 \\| 다 |") == ["가", "나 | 다"]
    assert cells("|  | ~~나~~ |") == ["", "나"]


def test_slow_lines_are_no_rows() -> None:
    for line in ("|" * 30_000, "| " + "*" * 15_000 + " |", "|-" * 500):
        assert len(list(blocks([line, "|---|---|", line]))) <= 1


@given(st.text("#=-|`~*\\ \n가나ᄀ́<>![]()단위:표1", max_size=120))
def test_offsets_are_exact_and_no_word_is_lost(raw: str) -> None:
    text = clean_text(raw)
    marked = marked_text(text)
    assert unicodedata.is_normalized("NFC", marked.text) or not unicodedata.is_normalized("NFC", text)
    spans = [(start, end) for start, end, _ in marked.headings] + marked.code
    for start, end in [*spans, *((table.start, table.end) for table in marked.tables)]:
        assert 0 <= start < end <= len(marked.text)
        assert marked.text[start:end].strip("\n") != ""
    for table in marked.tables:
        assert all(len(row) == len(table.header) for row in table.rows)
        assert [row for *_, a, b in table.pieces for row in range(a, b)] == list(range(len(table.rows)))
