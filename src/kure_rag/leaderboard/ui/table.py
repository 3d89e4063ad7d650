"""One table, which the reader can sort, and its download."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from kure_rag.leaderboard.html import heading
from kure_rag.leaderboard.tables import Column, Table, to_csv

Words = Mapping[str, str]
_OWN: Final = "background-color: rgba(232, 113, 10, 0.16)"  # seen on white and on black alike
_ROW: Final = 35  # pixels, as Streamlit draws them


def show_table(table: Table, name: str, words: Words, *, number: int) -> None:
    """Shows a table, its own rows marked, with a button that saves it as CSV.

    Args:
        table: What to show.
        name: What its file's name ends in, such as ``ndcg@10``.
        words: Of the page's language.
        number: Of the table on the page; tells tables apart whatever they are called.
    """
    import pandas as pd

    frame = pd.DataFrame([list(row) for row in table.rows], columns=[column.name for column in table.columns])
    if "origin" in frame:
        frame["origin"] = frame["origin"].map(lambda origin: words[origin])
    own = [entry.origin == "own" for entry in table.entries]
    styled = frame.style.apply(lambda row: [_OWN if own[int(row.name)] else ""] * len(row), axis=1)
    with st.container(key=f"table-{number}"):
        st.dataframe(
            styled,
            hide_index=True,
            column_config={column.name: _config(column, words) for column in table.columns},
            placeholder="–",
            height=_ROW * (len(table.rows) + 1) + 3,
        )
    file = "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in table.name)
    st.download_button(
        words["download"], to_csv(table), f"{file}-{name}.csv", "text/csv", key=f"csv-{number}", on_click="ignore"
    )


def _config(column: Column, words: Words) -> Any:
    label = heading(column, words)
    if column.kind == "text":
        return st.column_config.TextColumn(label, pinned=column.name == "model")
    form = "%.5f" if column.kind == "score" else "localized"
    return st.column_config.NumberColumn(label, format=form, help=column.name if label != column.name else None)
