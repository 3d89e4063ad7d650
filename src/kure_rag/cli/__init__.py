"""The command line: arguments in, printing out, no logic. Each command is a file with ``add`` and ``run``."""

from kure_rag.cli.main import main

__all__ = ["main"]
