"""Whatever a page holds, finding tables ends, and what it finds is whole."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kure_rag.read.page import PageContent
from kure_rag.read.tables import find_tables, join_continued, render_pieces

PLACE = st.one_of(st.integers(0, 12).map(lambda i: 50.0 * i), st.floats(-1e6, 1e6, width=32))
BOX = st.tuples(PLACE, PLACE, PLACE, PLACE)
WILD = st.sampled_from([float("nan"), float("inf"), -1e30])
CHARS = st.text(alphabet="가나12.,%()- \n합계△", max_size=120)


@st.composite
def pages(draw: st.DrawFn) -> PageContent:
    text = draw(CHARS)
    lefts = [draw(PLACE) for _ in text]
    boxes = [(x, 40.0 * (i % 15), x + 9, 40.0 * (i % 15) + 10) for i, x in enumerate(lefts)]
    rules = [(min(a, c), b, max(a, c), b) for a, b, c, _ in draw(st.lists(BOX, max_size=25))]
    rules += [(a, min(b, d), a, max(b, d)) for a, b, _, d in draw(st.lists(BOX, max_size=25))]
    if draw(st.booleans()):
        rules.append((draw(WILD), 0.0, 100.0, draw(WILD)))
    return PageContent(
        1, 600.0, 600.0, text, np.array(boxes, np.float32).reshape(-1, 4), np.array(rules, np.float32).reshape(-1, 4)
    )


@settings(max_examples=150, deadline=None)
@given(pages())
def test_tables_are_rectangular_and_can_be_written(content: PageContent) -> None:
    for table in find_tables(content):
        width = len(table.header)
        assert width >= 2
        assert len(table.columns) == width + 1
        assert table.rows
        assert all(len(row) == width for row in table.rows)
        assert render_pieces(table)[-1][2] == len(table.rows)
        assert join_continued(table, table) is None or table.body[1] <= 0.35 * table.body[3]


def test_thousands_of_rules_end_soon() -> None:
    step = np.arange(0, 600, 0.4, dtype=np.float32)
    across = np.stack([np.zeros_like(step), step, np.full_like(step, 600), step], axis=1)
    down = across[:, [1, 0, 3, 2]]
    text = "가" * 200
    boxes = np.array([(3 * i, 300, 3 * i + 3, 310) for i in range(200)], np.float32)
    assert find_tables(PageContent(1, 600.0, 600.0, text, boxes, np.concatenate([across, down]))) == []
