"""What is said of a model once, however often it happens."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

_log = logging.getLogger(__name__)


class Notices:
    """Warnings, each said once for all calls of one object.

    Args:
        name: Tells the name that each begins with.
    """

    def __init__(self, name: Callable[[], str]) -> None:
        self._name = name
        self._said: set[str] = set()
        self._lock = threading.Lock()

    def once(self, about: str, message: str, *values: object) -> None:
        """Logs a warning.

        Args:
            about: What it is about: a second one about the same is not said.
            message: ``%``-format of the model's name, and then of the values.
            values: For the message.
        """
        with self._lock:
            if about in self._said:
                return
            self._said.add(about)
        _log.warning(message, self._name(), *values)


_OVER = (
    "%s: %s%d of %d texts are over its limit%s (the first has %s) and only their beginnings are embedded; "
    "cut them into shorter chunks (said once)"
)


def tell_cut(notices: Notices, over: Mapping[int, int], texts: int, limit: int | None, *, all_counted: bool) -> None:
    """Says, once, how many texts of a call are cut.

    Args:
        notices: Of the model.
        over: Position → tokens of the texts that are over the limit.
        texts: How many there are.
        limit: Tokens that are used; ``None`` where no model is loaded to say it.
        all_counted: Whether there can be no more of them. Some servers cut and do not say so.
    """
    least = "" if all_counted else "at least "
    told = "" if limit is None else f" of {limit:,} tokens"
    notices.once("length", _OVER, least, len(over), texts, told, tokens_of(over[min(over)], limit))


def tokens_of(tokens: int, limit: int | None) -> str:
    """How many tokens a text has, for people. A server that cuts tells what it used, and the text has more."""
    return f"at least {tokens:,}" if tokens == limit else f"{tokens:,}"
