"""A machine without a font for Hangul, for the tests of plots."""

from __future__ import annotations

from pathlib import Path

import pytest

from kure_rag.errors import ConfigError
from kure_rag.evaluate import plots_fonts


def without_korean_font(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is found from here on."""

    def none() -> Path:
        raise ConfigError("no font with Hangul is installed")

    monkeypatch.setattr(plots_fonts, "korean_font", none)
