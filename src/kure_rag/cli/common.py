"""What commands share: options, JSON, and progress on standard error."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kure_rag.types import DOMAINS, MODES

if TYPE_CHECKING:
    from rich.console import Console

    from kure_rag.read import ReadSettings

Commands = Any  # argparse names the type of add_subparsers() privately
Advance = Callable[[int, int | None, str], None]
Steps = Callable[[str, int, int], None]


def command(commands: Commands, name: str, summary: str, examples: str) -> argparse.ArgumentParser:
    """A command's parser, with examples below its help."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def add_index(parser: argparse.ArgumentParser) -> None:
    """``--index DIR``."""
    parser.add_argument("--index", type=Path, required=True, metavar="DIR", help="the index folder")


def add_model(parser: argparse._ActionsContainer, default: str) -> None:
    """``--model NAME``."""
    parser.add_argument(
        "--model",
        metavar="NAME",
        help=f"an embedding model: a name from `kure-rag models`, owner/name on the model hub, or a folder ({default})",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def add_domain(parser: argparse.ArgumentParser) -> None:
    """``--domain D``."""
    parser.add_argument(
        "--domain",
        choices=("auto", *DOMAINS),
        default="auto",
        help="what the documents are; found out for each by default",
    )


def add_reading(parser: argparse.ArgumentParser) -> None:
    """How files are read: ``--domain``, ``--ocr``, ``--no-tables``, ``--workers``."""
    add_domain(parser)
    parser.add_argument(
        "--ocr",
        choices=("auto", "never", "always"),
        default="auto",
        help="recognise pages without a usable text layer (auto: where Tesseract is installed)",
    )
    parser.add_argument(
        "--no-tables", action="store_true", help="read tables as lines of text, which is faster and loses their cells"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="reading processes (one for each core, four at most)")


def add_user_dictionary(parser: argparse.ArgumentParser) -> None:
    """``--user-dictionary FILE``."""
    parser.add_argument(
        "--user-dictionary",
        type=Path,
        metavar="FILE",
        help="terms for the analyser to keep whole, one a line, for a new index (then the index's own)",
    )


def chosen_reading(options: argparse.Namespace) -> ReadSettings:
    """The settings that :func:`add_reading` took."""
    from kure_rag.read import ReadSettings

    return ReadSettings(tables=not options.no_tables, ocr=options.ocr)


def add_mode(parser: argparse._ActionsContainer, *more: str) -> None:
    """``--mode M``."""
    parser.add_argument("--mode", choices=(*MODES, *more), default="hybrid", help="which legs search (default: hybrid)")


def chosen_domain(options: argparse.Namespace) -> Any:
    """The domain given, or ``None`` to find it out."""
    return None if options.domain == "auto" else options.domain


def print_json(value: Any) -> None:
    """One JSON object on one line."""
    print(json.dumps(value, ensure_ascii=False))


def console(*, stderr: bool = False) -> Console:
    """A console that knows how wide Hangul is. Piped output is as wide as its lines."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, highlight=False, soft_wrap=not stream.isatty(), width=None if stream.isatty() else 200)


def steps(advance: Advance) -> Steps:
    """What an index calls with a label, rows done and rows in all → a progress bar."""
    return lambda label, done, total: advance(done, total, label)


@contextmanager
def mending() -> Iterator[Steps]:
    """A progress bar for views that an index has to rebuild; none is seen where none has."""
    with progress("rebuilding", at_once=False) as advance:
        yield steps(advance)


@contextmanager
def progress(label: str, *, at_once: bool = True) -> Iterator[Advance]:
    """A progress bar on standard error, where that is a terminal.

    Gives a function of (done, all or ``None``, name of the last).

    Args:
        label: What is being done.
        at_once: Show it before that function is first called.
    """
    if not sys.stderr.isatty():
        yield lambda done, total, name: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(
        *columns,
        TextColumn("{task.fields[name]}", markup=False),
        console=console(stderr=True),
        transient=True,
        # Lines printed meanwhile go above the bar on a terminal; in a pipe they must stay on standard output.
        redirect_stdout=sys.stdout.isatty(),
        redirect_stderr=True,
    )
    task = bar.add_task(label, total=None, name="")

    def advance(done: int, total: int | None, name: str) -> None:
        bar.start()  # nothing, where it has
        bar.update(task, completed=done, total=total, name=name[:40])

    try:
        if at_once:
            bar.start()
        yield advance
    finally:
        bar.stop()


def log_to_stderr() -> None:
    """Shows warnings of this package, such as a view that had to be rebuilt."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logger = logging.getLogger("kure_rag")
    if not logger.handlers:
        logger.addHandler(handler)
