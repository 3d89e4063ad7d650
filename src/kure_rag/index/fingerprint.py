"""What an index was made with, compared with what it is asked to go on with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kure_rag.errors import FingerprintMismatchError

Differences = dict[str, tuple[object, object]]


def differences(old: Mapping[str, Any], wanted: Mapping[str, Any]) -> Differences:
    """Setting → (what the index was made with, what is asked for), of those that differ."""
    return {key: (old.get(key), wanted.get(key)) for key in {**old, **wanted} if old.get(key) != wanted.get(key)}


def compare(folder: Path, old: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> None:
    """Compares what an index was made with, if it was made with anything yet.

    Raises:
        FingerprintMismatchError: Names each difference.
    """
    if old is not None and (found := differences(old, wanted)):
        raise FingerprintMismatchError(folder, found)
