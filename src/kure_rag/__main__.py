"""``python -m kure_rag``, the command line."""

from __future__ import annotations

import sys

from kure_rag.cli import main

if __name__ == "__main__":
    sys.exit(main())
