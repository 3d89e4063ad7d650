"""Functions of ours that SQLite calls, and a Ctrl-C that falls into one of them."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

_RAISED: Final = "user-defined function raised exception"
_failed = threading.local()


def noted(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, of whose own errors :func:`interruptible` knows; for ``create_function``."""

    def called(*values: Any) -> Any:
        try:
            return function(*values)
        except Exception:
            _failed.once = True
            raise

    return called


@contextmanager
def interruptible() -> Iterator[None]:
    """Gives back a ``KeyboardInterrupt`` that was raised in a function, or on the way into it.

    SQLite says of it what it says of any error of a function, and the error itself is lost: without this a Ctrl-C would
    be told as a damaged catalog.
    """
    _failed.once = False
    try:
        yield
    except sqlite3.OperationalError as error:
        if str(error) == _RAISED and not _failed.once:
            raise KeyboardInterrupt from error
        raise
