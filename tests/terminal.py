"""A program on a real terminal of its own, driven as a user would: typed at, read from, and sent Ctrl-C."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

CTRL_C, CTRL_D = "\x03", "\x04"
_PATIENCE = 60.0  # seconds for what never takes as long


class Terminal:
    """The screen and the keyboard.

    Attributes:
        text: All that was shown so far, without carriage returns.
    """

    def __init__(self, keyboard: int, process: subprocess.Popen[bytes]) -> None:
        self._keyboard = keyboard
        self._process = process
        self._data = b""
        self._read = 0  # characters that were waited for already
        self._closed = False

    @property
    def text(self) -> str:
        return self._data.decode("utf-8", "replace").replace("\r", "")

    def type(self, text: str) -> None:
        """Keys; a line needs its line feed."""
        os.write(self._keyboard, text.encode())

    def wait_for(self, wanted: str) -> str:
        """Reads until something new is shown; gives what was shown up to its end."""
        until = time.monotonic() + _PATIENCE
        while (at := self.text.find(wanted, self._read)) < 0:
            assert self._more(until), f"{wanted!r} was not shown, but:\n{self.text[self._read :]}"
        shown = self.text[self._read : at + len(wanted)]
        self._read = at + len(wanted)
        return shown

    def end(self) -> int:
        """Reads to the end; gives the exit status."""
        until = time.monotonic() + _PATIENCE
        while self._more(until):
            pass
        return self._process.wait(_PATIENCE)

    def _more(self, until: float) -> bool:
        if self._closed or not select.select([self._keyboard], [], [], max(0.0, until - time.monotonic()))[0]:
            return False
        try:
            data = os.read(self._keyboard, 65536)
        except OSError:  # closed by the program that ended
            data = b""
        self._data += data
        self._closed = not data
        return not self._closed


@contextmanager
def terminal(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Iterator[Terminal]:
    """Runs ``kure-rag`` on a terminal, so that Ctrl-C reaches it as a signal."""
    import fcntl
    import pty
    import termios

    keyboard, screen = pty.openpty()

    def take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [sys.executable, "-m", "kure_rag", *arguments],
        stdin=screen,
        stdout=screen,
        stderr=screen,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm", **(environment or {})},
        start_new_session=True,
        preexec_fn=take_terminal,
    )
    os.close(screen)
    try:
        yield Terminal(keyboard, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(keyboard)
