"""Command lines run in this process, and what they printed."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kure_rag.cli import main


@dataclass(frozen=True)
class Said:
    """What a command said, and how it ended."""

    status: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """Standard output, which must be one JSON object on one line."""
        assert self.out.endswith("\n")
        assert self.out.count("\n") == 1, "more than one line on standard output"
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


def call(*arguments: str | Path) -> Said:
    """Runs ``kure-rag`` with these arguments."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stopped:  # argparse
            status = int(stopped.code or 0)
    return Said(status, out.getvalue(), err.getvalue())
