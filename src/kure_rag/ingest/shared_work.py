"""Work that one child offers to the others: tasks in order, taken from the front by whoever is free.

The child that offers works along, so that nothing waits for help that does not come, and gets the answers of the others
each time it takes a task. The parent passes both on as they are, and keeps little of it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_MOST_HELD: Final = 16 * 2**20  # bytes of answers that wait to be fetched: then no helper takes another task


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What the child that offered gets.

    Attributes:
        task: Number of the task to do next, or ``None``.
        done: Numbers and packed answers of tasks that others did.
        more: Whether others are still at work, where there is no task.
    """

    task: int | None
    done: Sequence[tuple[int, bytes]]
    more: bool


class SharedWork:
    """Tasks, taken in order, and their answers; after a task that failed no later one counts.

    Args:
        tasks: Packed.
        end: When all must be done, on the monotonic clock.

    Attributes:
        end: As given.
    """

    def __init__(self, tasks: Sequence[bytes], end: float) -> None:
        self.end = end
        self._waiting = deque(enumerate(tasks))
        self._working: set[int] = set()
        self._returned: list[int] = []
        self._done: list[tuple[int, bytes]] = []
        self._held = 0
        self._stop = len(tasks)
        self._over = False
        self._changed = threading.Condition()

    def is_open(self) -> bool:
        """Whether there are tasks that nobody took."""
        with self._changed:
            return bool(self._waiting) and not self._over

    def take(self) -> tuple[int, bytes] | None:
        """A task for a helper, with its number; ``None`` when there are no more. Waits while answers pile up."""
        with self._changed:
            while self._held > _MOST_HELD and self._waiting and not self._over:
                self._changed.wait()
            if self._over or not self._waiting:
                return None
            number, task = self._waiting.popleft()
            self._working.add(number)
            return number, task

    def put(self, number: int, part: bytes, *, failed: bool = False) -> None:
        """A helper's answer, or the error it ended with."""
        with self._changed:
            self._working.discard(number)
            if number < self._stop and not self._over:
                self._done.append((number, part))
                self._held += len(part)
                if failed:
                    self._fail(number)
            self._changed.notify_all()

    def give_back(self, number: int) -> None:
        """A task that a helper cannot answer is left to the child that offered it."""
        with self._changed:
            self._working.discard(number)
            self._returned.append(number)
            self._changed.notify_all()

    def next(self, *, failed: int | None = None, enough: bool = False) -> Turn:
        """The turn of the child that offered. Waits where there is neither a task nor an answer, but one will come.

        Args:
            failed: The task it was at, if it failed there.
            enough: Tasks that nobody took yet are not wanted any more.
        """
        with self._changed:
            if failed is not None:
                self._fail(failed)
            if enough:
                self._waiting.clear()
            task = self._pick()
            while task is None and not self._done and self._more():
                self._changed.wait()
                task = self._pick()
            done, self._done, self._held = self._done, [], 0
            self._changed.notify_all()
            return Turn(task=task, done=done, more=self._more())

    def close(self) -> None:
        """No more tasks are given out, and nobody waits."""
        with self._changed:
            self._over = True
            self._waiting.clear()
            self._done.clear()
            self._changed.notify_all()

    def _pick(self) -> int | None:
        if self._returned:
            number = min(self._returned)
            self._returned.remove(number)
            return number
        return self._waiting.popleft()[0] if self._waiting else None

    def _more(self) -> bool:
        return not self._over and any(number < self._stop for number in (*self._working, *self._returned))

    def _fail(self, number: int) -> None:
        self._stop = min(self._stop, number)
        self._waiting.clear()
        self._returned = [other for other in self._returned if other < self._stop]
        self._done = [(other, part) for other, part in self._done if other <= self._stop]
