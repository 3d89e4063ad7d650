"""Functions that SQLite calls: a Ctrl-C in one of them is a Ctrl-C, and their own errors stay errors."""

from __future__ import annotations

import sqlite3

import pytest

from kure_rag.index.callbacks import interruptible, noted


def _called(raised: BaseException) -> None:
    def function(value: int) -> int:
        raise raised

    db = sqlite3.connect(":memory:")
    try:
        db.create_function("ours", 1, noted(function), deterministic=True)
        with interruptible():
            db.execute("SELECT ours(1)").fetchall()
    finally:
        db.close()


def test_an_interrupt_in_a_function_stays_one() -> None:
    with pytest.raises(KeyboardInterrupt):
        _called(KeyboardInterrupt())


def test_an_error_of_a_function_stays_one() -> None:
    with pytest.raises(sqlite3.OperationalError, match="user-defined function"):
        _called(ValueError("rotten"))
    with pytest.raises(KeyboardInterrupt):  # and is not remembered
        _called(KeyboardInterrupt())
