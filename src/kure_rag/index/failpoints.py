"""Places where the crash tests stop the process dead, between two steps that each are durable.

Nothing happens unless the environment names one: ``KURE_RAG_FAILPOINT=catalog-committed:3`` ends the process at the
third pass of that place, without any clean-up, as ``kill -9`` would.
"""

from __future__ import annotations

import itertools
import os
from typing import Final

_VARIABLE: Final = "KURE_RAG_FAILPOINT"
_passes = itertools.count(1)


def failpoint(name: str) -> None:
    """Ends the process here when the environment says so.

    Args:
        name: Of the place; see the callers.
    """
    wanted = os.environ.get(_VARIABLE)
    if not wanted:
        return
    place, _, number = wanted.partition(":")
    if place == name and next(_passes) == int(number or 1):
        os._exit(137)
