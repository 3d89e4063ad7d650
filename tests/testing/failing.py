"""Runs one test of a contract over a wrong adapter."""

from __future__ import annotations

from typing import Any

import pytest

from kure_rag.errors import EmbeddingError, FingerprintMismatchError

_FAILURES = (AssertionError, pytest.fail.Exception, FingerprintMismatchError, EmbeddingError, ValueError)


def fails(adapter: Any, test: Any, message: str, **given: Any) -> None:
    """Gives a test what it asks for, and expects it to fail with a message."""
    wanted = test.__code__.co_varnames[1 : test.__code__.co_argcount]
    with pytest.raises(_FAILURES, match=message):
        test(adapter, **{name: given[name] for name in wanted})
