"""The Korean retrieval leaderboard: 18 published models on 8 tasks, next to one's own runs.

::

    board = make_board([Path("runs")])                       # published rows, own rows, and what was wrong
    board.entries[0].value(AVERAGE, "ndcg", 10)              # a mean over the eight tasks
    write_html(board, Path("leaderboard.html"))              # one file that needs no network

``kure-rag leaderboard`` shows the same in a browser.
"""

from kure_rag.leaderboard.board import Board, make_board
from kure_rag.leaderboard.entry import AVERAGE, KS, METRICS, TASKS, Entry, Score, Speed
from kure_rag.leaderboard.html import write_html
from kure_rag.leaderboard.published import published_entries
from kure_rag.leaderboard.tables import Table, to_csv

__all__ = [
    "AVERAGE",
    "KS",
    "METRICS",
    "TASKS",
    "Board",
    "Entry",
    "Score",
    "Speed",
    "Table",
    "make_board",
    "published_entries",
    "to_csv",
    "write_html",
]
