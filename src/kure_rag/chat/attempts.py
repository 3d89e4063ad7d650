"""When a question is sent again."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime
from threading import Event

from kure_rag.chat.wire import BusyError, Reply, Server, cut
from kure_rag.errors import LlmError


class Tries:
    """How often one question is sent, and how long before the next time.

    Iterating gives the seconds to wait before each attempt, and raises an ``LlmError`` when there are none left;
    :meth:`one` stands around each.
    """

    def __init__(self, server: Server, stopped: Event, reply: Reply | None = None) -> None:
        self._server = server
        self._stopped = stopped
        self._reply = reply
        self._reason = ""
        self._asked: float | None = None  # how long the server wants us to wait

    def __iter__(self) -> Iterator[float]:
        model = self._server.model
        for attempt in range(model.attempts):
            self._go_on()
            if attempt == 0:
                yield 0.0
                continue
            chance = random.uniform(0.75, 1.25)  # noqa: S311 - no secret
            yield min(max(model.first_wait * 2 ** (attempt - 1) * chance, self._asked or 0.0), model.longest_wait)
        self._go_on()
        times = "once" if model.attempts == 1 else f"{model.attempts} times"
        raise LlmError(
            f"{self._server.url}: {self._reason}, {times}; check that the server runs and has room, then try again"
        )

    @contextmanager
    def one(self) -> Iterator[None]:
        """Around one attempt: errors that another one may mend are kept for the last message.

        Once text has come, nothing is sent again, since half an answer was shown: a failure then is an AnswerCutError.
        """
        import httpx

        self._go_on()
        try:
            yield
        except BusyError as error:
            self._reason, self._asked = str(error), error.wait
        except httpx.TimeoutException as error:
            self._missed(f"no answer within {self._server.model.timeout:g} s", error)
        except httpx.RequestError as error:
            self._missed(self._server.shown(str(error) or type(error).__name__), error)
        except RuntimeError as error:  # closed by another thread
            if not self._stopped.is_set():
                raise
            raise self._ended() from error

    def _missed(self, reason: str, error: Exception) -> None:
        if self._reply is not None and self._reply.pieces:
            raise cut(self._server, self._reply, reason) from error
        self._reason, self._asked = reason, None

    def _go_on(self) -> None:
        if self._stopped.is_set():
            raise self._ended()

    def _ended(self) -> LlmError:
        return LlmError(f"{self._server.url}: stopped while asking")


def retry_after(value: str | None) -> float | None:
    """Seconds, from seconds or from a date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (until if until.tzinfo else until.replace(tzinfo=UTC)).timestamp() - time.time())
