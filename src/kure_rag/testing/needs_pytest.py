"""pytest, which the contracts alone need."""

from __future__ import annotations

from kure_rag.errors import MissingExtraError

try:
    import pytest
except ModuleNotFoundError as error:
    if error.name != "pytest":  # it is there, and something it needs is not
        raise
    raise MissingExtraError("A contract of kure_rag.testing", "testing") from error

__all__ = ["pytest"]
