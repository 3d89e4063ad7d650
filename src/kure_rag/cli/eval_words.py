"""What ``kure-rag eval`` does besides scoring a set: a word after it says what, such as ``compare``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

# Word → the module with its add() and run(), and what it is for. Imported when the word is used.
WORDS: Final = {
    "compare": ("kure_rag.cli.eval_compare", "whether two saved runs of a set differ by more than chance"),
    "sts": ("kure_rag.cli.eval_sts", "sentence similarity: KorSTS, KLUE-STS"),
    "mteb": ("kure_rag.cli.eval_mteb", "Korean retrieval tasks through the mteb library"),
}


def listed() -> str:
    """The words, for the help of ``kure-rag eval``."""
    lines = (f"  eval {word:<8} {what}" for word, (_, what) in WORDS.items())
    return "\n".join(("also, each with its own --help (a set in a folder of such a name is ./sts):", *lines))


def take_words(parser: argparse.ArgumentParser) -> None:
    """Lets a parser hand over to another one where its first argument is one of :data:`WORDS`.

    argparse itself takes either a positional argument or sub-commands, and sets are named by their folder.

    Args:
        parser: Of ``kure-rag eval``.
    """
    ordinary = parser.parse_known_args

    def parse_known_args(args: Sequence[str] | None = None, namespace: Any = None) -> Any:
        if args and args[0] in WORDS:
            words = argparse.ArgumentParser(prog=parser.prog, add_help=False)
            import_module(WORDS[args[0]][0]).add(words.add_subparsers(prog=parser.prog))
            return words.parse_known_args(args, namespace)
        return ordinary(args, namespace)

    parser.parse_known_args = parse_known_args  # type: ignore[method-assign, assignment]
