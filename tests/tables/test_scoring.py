"""The comparison of a found table with a labelled one, on a table of our own."""

from __future__ import annotations

import dataclasses

import pytest
from tables.scoring import Candidate, Label, score

LABEL = Label(
    name="01_lighthouses",
    file="lighthouses.pdf",
    pages=(1,),
    ruled="full",
    caption="< 등대별 점검 횟수 >",
    unit="단위: 회",
    header_rows=1,
    header=("등대", "점검"),
    rows=(("속초", "12"), ("울기", "9")),
)
FOUND = Candidate(LABEL.header, LABEL.rows, "단위 : 회", "<등대별 점검 횟수>")


def changed(**values: object) -> Candidate:
    return dataclasses.replace(FOUND, **values)  # type: ignore[arg-type]


def test_a_table_that_is_as_labelled_is_right_in_all() -> None:
    found = score(LABEL, [FOUND])
    assert (found.accuracy, found.unit, found.header, found.caption) == (1, True, True, True)


@pytest.mark.parametrize("caption", ["", "등대별 점검 횟수", "< 등대별 점검 >", "[ 등대별 점검 횟수 ]"])
def test_another_caption_is_wrong_and_the_rest_is_right(caption: str) -> None:
    found = score(LABEL, [changed(caption=caption)])
    assert (found.accuracy, found.unit, found.header, found.caption) == (1, True, True, False)


def test_a_caption_where_none_is_printed_is_wrong() -> None:
    bare = dataclasses.replace(LABEL, caption="", unit="")
    assert not score(bare, [FOUND]).caption
    assert not score(bare, [FOUND]).unit
    assert score(bare, [changed(caption="")]).caption


def test_another_unit_is_wrong() -> None:
    assert not score(LABEL, [changed(unit="단위: 천회")]).unit


def test_a_table_that_was_not_found_has_no_caption() -> None:
    found = score(LABEL, [])
    assert found.found is None
    assert (found.right, found.unit, found.header, found.caption) == (0, False, False, False)


def test_a_row_too_many_and_a_wrong_cell_are_wrong_cells() -> None:
    assert score(LABEL, [changed(rows=(*LABEL.rows, ("팔미도", "3")))]).accuracy == pytest.approx(6 / 8)
    assert score(LABEL, [changed(rows=(("속초", "12"), ("울기", "8")))]).accuracy == pytest.approx(5 / 6)
