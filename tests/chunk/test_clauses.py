"""Where a sentence over the limit is cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.chunk import ChunkSettings
from kure_rag.chunk.clauses import bracketed
from kure_rag.chunk.pack import cut

SETTINGS = ChunkSettings(target=40, longest=60)
START = "세입자는 새로 이사할 집을 미리 구하여 계약금을"
END = "집주인은 돈을 마련하지 못하여 이사하는 날까지 보증금을 돌려주지 않았다."


def parts(text: str, settings: ChunkSettings = SETTINGS) -> list[str]:
    return [text[start:end] for start, end in cut(text, (0, len(text)), settings)]


@pytest.mark.parametrize(
    "ending",
    ["치렀고,", "치렀으며", "치렀지만", "치렀으므로", "치렀으나", "치르고도 남았으며", "치렀음에도,", "치르면서"],
)
def test_a_long_sentence_is_cut_where_a_clause_ends(ending: str) -> None:
    assert parts(f"{START} {ending} {END}") == [f"{START} {ending}", END]


@pytest.mark.parametrize("noun", ["원고", "피고", "이사하고 있던", "상고", "선고", "회사고"])
def test_a_noun_that_ends_like_a_clause_is_no_place_to_cut(noun: str) -> None:
    text = f"{START} {noun} 본인에게 미리 치렀으며 {END}"
    assert parts(text)[0] == f"{START} {noun} 본인에게 미리 치렀으며"


def test_the_clause_nearest_to_the_middle_is_the_place() -> None:
    text = (
        "비가 오래 내려 강물이 불었고 다리가 물에 잠겨 길이 끊겼으며"
        " 이웃 마을에서 배를 빌려 왔지만 짐을 모두 옮기지는 못했다."
    )
    assert parts(text) == [text[: text.index(" 이웃")], text[text.index("이웃") :]]


@pytest.mark.parametrize(("opens", "closes"), ["()", "[]", "“”", "‘’", "「」", "【】", '""'])
def test_nothing_is_cut_inside_brackets_or_a_quotation_where_another_place_exists(opens: str, closes: str) -> None:
    inside = f"{opens}보증금을 이미 치렀고, 나머지는 나중에 치르기로 하였다{closes}"
    text = f"집주인과 세입자가 함께 적은 약정서의 끝에 {inside} 라고 적혀 있는 사실을 알 수 있다"
    found = parts(text)
    assert len(found) > 1
    assert any(inside in part for part in found)


def test_what_stands_in_brackets_alone_is_cut_there() -> None:
    text = f"({START} 치렀고, {END})"
    assert parts(text) == [f"({START} 치렀고,", f"{END})"]


def test_a_bracket_that_is_never_closed_hides_nothing() -> None:
    text = f"({START} 치렀고, {END}"
    assert parts(text)[0] == f"({START} 치렀고,"
    assert bracketed(text, 0, len(text)) == []


def test_a_comma_between_numbers_is_no_end_of_a_clause() -> None:
    text = "대법원은 그와 같이 판단한 사건으로 2019다12345, 12346 판결을 든 외에도 여러 사건의 판결을 차례로 들고 있다."
    assert len(parts(text)) == 2
    assert not parts(text)[0].endswith(",")


def test_rows_of_a_table_in_a_cell_are_whole() -> None:
    rows = [f"| 제출 서류 {i} | 계약 뒤 {i}일 | {i}부 |" for i in range(9)]
    assert [row for part in parts("\n".join(rows)) for row in part.split("\n")] == rows


def test_words_are_whole_where_no_clause_ends() -> None:
    words = ["가나다라마바사"] * 30
    assert " ".join(parts(" ".join(words))).split() == words


TEXT = st.lists(
    st.sampled_from(["가나다", "치렀고, ", "(", ")", "“", "”", '"', " ", "\n| ", "하며 ", "12, ", "x" * 50]),
    max_size=60,
).map("".join)
SIZES = st.tuples(st.integers(1, 40), st.integers(0, 40)).map(lambda n: ChunkSettings(target=n[0], longest=sum(n)))


@given(TEXT, SIZES)
def test_parts_are_in_order_hold_everything_and_keep_to_the_limit(text: str, sizes: ChunkSettings) -> None:
    at = 0
    for start, end in cut(text, (0, len(text)), sizes):
        assert at <= start < end <= start + sizes.longest
        assert not text[at:start].strip()
        assert text[start:end] == text[start:end].strip()
        at = end
    assert not text[at:].strip()


@given(TEXT)
def test_brackets_are_in_order_and_none_is_in_another(text: str) -> None:
    found = bracketed(text, 0, len(text))
    assert all(a[1] <= b[0] for a, b in pairwise(found))
