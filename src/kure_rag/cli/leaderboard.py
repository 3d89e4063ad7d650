"""``kure-rag leaderboard``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kure_rag.cli import common

if TYPE_CHECKING:
    from kure_rag.leaderboard import Board

_PORT, _HOST = 8502, "127.0.0.1"  # as leaderboard/settings.py has them, which the help need not import


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "leaderboard",
        "show 18 published models on 8 Korean retrieval tasks next to your own runs, in a browser or as an HTML file",
        """\
  kure-rag leaderboard
  kure-rag eval my-set --model static-ko --save runs        save a run, then see it beside the others:
  kure-rag leaderboard --runs runs
  kure-rag leaderboard --runs runs mteb-results --html leaderboard.html

A folder of --runs holds what `kure-rag eval --save` or `kure-rag eval mteb --out` wrote, or both. Runs on other sets
than the eight tasks stand in tables of their own. The HTML file needs no network: mail it, or open it from a disk.""",
    )
    parser.add_argument(
        "--runs", type=Path, nargs="+", action="extend", default=[], metavar="DIR", help="folders of your own results"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write one self-contained page instead of serving it")
    parser.add_argument("--lang", choices=("ko", "en"), default="ko", help="of the page (ko)")
    parser.add_argument("--host", metavar="ADDRESS", help=f"listen on this address ({_HOST})")
    parser.add_argument("--port", type=int, metavar="N", help=f"and this port ({_PORT})")
    parser.set_defaults(run=run, parser=parser, interrupted="stopped")


def run(options: argparse.Namespace) -> int:
    """Serves until Ctrl-C, or writes the file."""
    if options.html is not None:
        for name in ("host", "port"):
            if getattr(options, name) is not None:
                options.parser.error(f"--{name} belongs to the page in the browser, and --html writes a file instead")
        return _write(options)
    port = _PORT if options.port is None else options.port
    if not 1 <= port <= 65535:
        options.parser.error(f"--port {port}: choose one from 1 to 65535")
    from kure_rag.leaderboard.server import address, check, serve
    from kure_rag.leaderboard.settings import LeaderboardSettings

    settings = LeaderboardSettings(
        runs=tuple(options.runs), host=options.host or _HOST, port=port, language=options.lang
    )
    check(settings)
    _board(options)  # says at once what cannot be read
    print(f"the leaderboard is open at {address(settings)} (Ctrl-C stops it)", flush=True)
    if settings.host not in (_HOST, "localhost", "::1"):
        print("It has no login: everybody who reaches this address sees your runs.", file=sys.stderr)
    serve(settings)
    return 0


def _write(options: argparse.Namespace) -> int:
    from kure_rag.leaderboard import write_html

    board = _board(options)
    with common.progress("writing the page") as advance:
        advance(0, None, options.html.name)
        write_html(board, options.html, language=options.lang)
    size = options.html.stat().st_size / 1e6
    rows = f"{len(board.entries) - len(board.own)} published rows, {len(board.own)} of your own"
    print(f"{options.html}: {rows}, {size:.1f} MB; open it in a browser")
    return 0


def _board(options: argparse.Namespace) -> Board:
    from kure_rag.leaderboard import make_board

    board = make_board(options.runs)
    for problem in board.problems:
        print(f"kure-rag leaderboard: {problem}", file=sys.stderr)
    return board
