"""The whole page: what to show, the tables, the plots."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import streamlit as st

from kure_rag.app.views import escape_markdown
from kure_rag.leaderboard import charts, plot_rows
from kure_rag.leaderboard.board import Board, make_board
from kure_rag.leaderboard.entry import KS, METRICS, TASKS
from kure_rag.leaderboard.html import scope_name
from kure_rag.leaderboard.server import current
from kure_rag.leaderboard.tables import main_table, other_table, other_tasks, sts_sets, sts_table, values_csv
from kure_rag.leaderboard.ui.table import show_table
from kure_rag.leaderboard.words import WORDS

Words = Mapping[str, str]


def show() -> None:
    """Shows the page, anew after each click. New runs appear when the page is loaded again."""
    settings = current()
    words = WORDS[settings.language]
    st.set_page_config(page_title=words["title"], layout="wide", menu_items={})
    board = _board(settings.runs, _stamp(settings.runs))
    st.title(words["title"])
    st.caption(escape_markdown(words["subtitle"]))
    left, right = st.columns([3, 2])
    metric = left.radio(words["metric"], METRICS, format_func=lambda name: words[name], horizontal=True, key="metric")
    k = right.radio(words["k"], KS, index=len(KS) - 1, horizontal=True, key="k")
    for problem in board.problems:
        st.warning(f"{words['problems']}: {escape_markdown(problem)}")
    st.subheader(words["main"])
    st.caption(escape_markdown(f"{words['main_help']} {words['compared_as']}"))
    show_table(main_table(board.entries, metric, k), f"{metric}@{k}", words, number=0)
    _own_tables(board, metric, k, words)
    _plots(board, metric, k, words)
    st.divider()
    st.caption(escape_markdown(words["source"]))
    st.download_button(
        words["download_all"], values_csv(board.entries), "leaderboard-values.csv", "text/csv", key="all-values"
    )


@st.cache_resource(max_entries=1, show_spinner=False)
def _board(runs: tuple[Path, ...], stamp: object) -> Board:
    """The board; another stamp makes it be read again."""
    return make_board(runs)


def _stamp(runs: tuple[Path, ...]) -> tuple[tuple[str, int, int], ...]:
    """Changes when a run is finished, changed or removed."""
    found = []
    for path in sorted(path for folder in runs if folder.is_dir() for path in folder.rglob("*.json")):
        with suppress(OSError):  # removed meanwhile
            stat = path.stat()
            found.append((str(path), stat.st_mtime_ns, stat.st_size))
    return tuple(found)


def _own_tables(board: Board, metric: str, k: int, words: Words) -> None:
    number = 0
    if tasks := other_tasks(board.entries):
        st.subheader(words["other"])
        st.caption(escape_markdown(words["other_help"]))
        for task in tasks:
            number += 1
            st.markdown(f"**{escape_markdown(task)}**")
            show_table(other_table(board.entries, task, metric, k), f"{metric}@{k}", words, number=number)
    if sets := sts_sets(board.entries):
        st.subheader(words["sts"])
        for name in sets:
            number += 1
            st.markdown(f"**{escape_markdown(name)}**")
            show_table(sts_table(board.entries, name), "sts", words, number=number)


def _plots(board: Board, metric: str, k: int, words: Words) -> None:
    st.subheader(words["charts"])
    unknown = ", ".join(plot_rows.of_unknown_size(board.entries))
    notes = {
        "size": f"{words['size_unknown']}: {unknown}" if unknown else "",
        "speed": words["by_speed_help" if plot_rows.scopes_with("speed", board.entries) else "no_speed"],
    }
    for column, (axis, note) in zip(st.columns(2, gap="large"), notes.items(), strict=True):
        with column, st.container(key=f"by-{axis}"):
            st.markdown(f"**{words[f'by_{axis}']}**")
            st.caption(escape_markdown(note))
            if scopes := plot_rows.scopes_with(axis, board.entries):
                scope = st.selectbox(
                    words["scope"], scopes, format_func=lambda name: scope_name(name, words), key=f"{axis}-scope"
                )
                rows = plot_rows.points(board.entries, scope, metric, k)
                st.altair_chart(charts.scatter(rows, axis, words))
    with st.container(key="radar"):
        st.markdown(f"**{words['radar']}**")
        labels = [entry.label for entry in board.entries if entry.tasks.intersection(TASKS)]
        first = plot_rows.shown_first(board.entries, metric, k)
        chosen = st.multiselect(words["shown"], labels, default=first, key="chosen")
        drawn = [entry for entry in board.entries if entry.label in chosen]
        st.altair_chart(charts.radar(plot_rows.corners(drawn, metric, k), words), width="content")
