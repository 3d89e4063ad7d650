"""What of a model's text reaches the reader, however it is cut into pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.chat.marks import Marks, Thoughts, without_marks, without_thoughts

SNIPPETS = st.sampled_from(
    [
        "연차는 15일",
        " [1]",
        "[2]",
        " [7]",
        "[1, 3]",
        "[2-9]",
        "[",
        "]",
        "[12",
        " ",
        "\n",
        "[별표 1]",
        "[2026]",
        "1,",
        "다.",
        "[0]",
    ]
)


def shown(pieces: list[str], sources: int = 3) -> tuple[str, set[int]]:
    marks = Marks(sources)
    text = "".join([*map(marks.feed, pieces), marks.end()])
    return text, marks.cited


@pytest.mark.parametrize(
    ("text", "left", "cited"),
    [
        ("15일을 준다 [1].", "15일을 준다 [1].", {1}),
        ("15일을 준다 [4].", "15일을 준다.", set()),
        ("준다[1][9][3].", "준다[1][3].", {1, 3}),
        ("준다 [1, 3, 8].", "준다 [1][3].", {1, 3}),
        ("준다 [2-5].", "준다 [2][3].", {2, 3}),
        ("준다 [3-1].", "준다.", set()),
        ("[0] [별표 1] [2026] [] [1", " [별표 1] [2026] [] [1", set()),
    ],
)
def test_numbers_without_a_source_are_dropped(text: str, left: str, cited: set[int]) -> None:
    assert shown([text]) == (left, cited)


@given(st.lists(SNIPPETS, max_size=12), st.data())
def test_pieces_do_not_matter(snippets: list[str], data: st.DataObject) -> None:
    text = "".join(snippets)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert shown(pieces) == shown([text])


@given(st.lists(SNIPPETS, max_size=12))
def test_only_sources_that_there_are_stay_named(snippets: list[str]) -> None:
    text, cited = shown(["".join(snippets)])
    assert cited <= {1, 2, 3}
    assert all(f"[{number}]" in text for number in cited)


def test_words_are_not_held_back() -> None:
    marks = Marks(3)
    assert marks.feed("연차는") == "연차는"
    assert marks.feed(" 15일 [") == " 15일"
    assert marks.feed("1") == ""
    assert marks.feed("] 이다") == " [1] 이다"


@given(st.text(alphabet="<>/think가 \n", max_size=30), st.data())
def test_thoughts_are_left_out_however_they_come(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    thoughts = Thoughts()
    assert "".join([*map(thoughts.feed, pieces), thoughts.end()]) == without_thoughts(text)


def test_thoughts_and_marks_of_whole_texts() -> None:
    assert (
        without_thoughts("\n<think>연차가 며칠이더라</think>\n\n15일입니다. <think>는 글자입니다.")
        == "15일입니다. <think>는 글자입니다."
    )
    assert without_thoughts("<think>끝없는 생각") == ""
    assert without_marks("15일입니다 [1][2]. [별표 1]") == "15일입니다. [별표 1]"
