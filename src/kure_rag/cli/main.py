"""``kure-rag``: finds the command, runs it, and turns errors into messages and exit codes."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

from kure_rag._version import __version__
from kure_rag.cli import (
    app,
    change,
    chat,
    chunks,
    clir,
    cluster,
    demo,
    doctor,
    evaluate,
    export,
    export_model,
    ingest,
    keep,
    leaderboard,
    maintain,
    mine,
    models,
    qa,
    search,
    similar,
    train,
    tune,
)
from kure_rag.errors import KureError

_COMMANDS = (
    demo,
    ingest,
    change,
    search,
    similar,
    cluster,
    chat,
    app,
    chunks,
    evaluate,
    leaderboard,
    export,
    qa,
    maintain,
    keep,
    models,
    doctor,
    export_model,
    mine,
    train,
    clir,
    tune,
)
_EXAMPLES = """\
examples:
  kure-rag demo                                             see it work on three sample PDFs, offline
  kure-rag ingest ./documents --index my-index --model static-ko
  kure-rag search "연차휴가는 며칠인가요?" --index my-index -k 3
  kure-rag search "환불 기한" --index my-index --where '{"domain": "legal"}' --json

exit status: 0 done; 1 an error, or every file was rejected; 2 wrong arguments; 130 interrupted
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser with all commands."""
    parser = argparse.ArgumentParser(
        prog="kure-rag",
        description="Korean documents in, cited passages out.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"kure-rag {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: By default the process's own.

    Returns:
        The exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")  # Korean also where the locale is C
    try:
        status = _run(build_parser().parse_args(arguments))
    except BrokenPipeError:  # `| head` closed our output: nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = 0
    if arguments is None:
        _leave(status)
    return status


def _leave(status: int) -> None:
    """Ends the process where Python's own way out could end it otherwise than the command did."""
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done and said: Ctrl-C cannot change the status any more
    if any(thread is not threading.current_thread() for thread in threading.enumerate()):
        # Such as one that still loads a model for a run that was stopped: Python would wait for it. Under a daemon
        # thread it would take itself apart, and one that is in C++ just then ends the process with SIGABRT.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):  # closed with >&-
                stream.flush()
        os._exit(status)


def _know_own_profiles() -> None:
    """A module of the user's own is looked for in the folder that the command was given in."""
    from pathlib import Path

    from kure_rag.chunk.profiles import look_for_profiles_in

    with suppress(OSError):  # the folder was removed meanwhile
        look_for_profiles_in(Path.cwd())


def _run(options: argparse.Namespace) -> int:
    try:
        if hasattr(options, "index") or hasattr(options, "profile"):
            _know_own_profiles()
        status: int = options.run(options)
        if sys.stdout is not None:  # closed with >&-
            sys.stdout.flush()
    except KureError as error:
        return _fail(options, type(error).__name__, str(error), 1)
    except KeyboardInterrupt:
        return _fail(options, "Interrupted", getattr(options, "interrupted", "interrupted"), 130)
    except BrokenPipeError:
        raise
    except OSError as error:  # such as a full disk
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        return _fail(options, type(error).__name__, f"{what}; check the path, its rights and the space on its disk", 1)
    return status


def _fail(options: argparse.Namespace, kind: str, message: str, status: int) -> int:
    if getattr(options, "json", False):
        print(json.dumps({"error": {"type": kind, "message": message}}, ensure_ascii=False), flush=True)
    print(f"kure-rag {options.command}: {message}", file=sys.stderr)
    return status
