"""A font with Hangul, out of those that are installed: matplotlib's own has none and would draw empty boxes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from kure_rag.errors import ConfigError, MissingExtraError

PREFERRED: Final = (
    "NanumGothic",
    "NanumBarunGothic",
    "Noto Sans KR",
    "Noto Sans CJK KR",
    "Noto Sans CJK JP",  # the name of a collection of all CJK fonts, as matplotlib sees its first face
    "Source Han Sans KR",
    "Pretendard",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "AppleGothic",
    "UnDotum",
    "Baekmuk Gulim",
)
"""Families that are taken first, if they are there, in this order; otherwise any font that has Hangul."""

_HANGUL: Final = "가힣한글"
_NO_FONT: Final = (
    "no font with Hangul is installed, so Korean labels cannot be drawn. Install one: `apt-get install fonts-nanum` "
    "(Debian, Ubuntu), `dnf install google-noto-sans-cjk-fonts` (Fedora), or NanumGothic from "
    "https://hangeul.naver.com/font for your user account"
)


def korean_font(files: Iterable[str | Path] | None = None) -> Path:
    """The file of an upright font with Hangul: the first of :data:`PREFERRED`, otherwise any.

    Args:
        files: Fonts to choose from; by default all that the system has.

    Raises:
        ConfigError: None has Hangul; says what to install.
        MissingExtraError: The extra ``plots`` is not installed.
    """
    require_matplotlib()
    from matplotlib.font_manager import findSystemFonts

    found = [
        (_rank(name), not is_regular, str(file))
        for file in (findSystemFonts() if files is None else files)
        for name, is_regular in _hangul_font(str(file))
    ]
    if not found:
        raise ConfigError(_NO_FONT)
    return Path(min(found)[-1])


def require_matplotlib() -> None:
    """Raises :class:`~kure_rag.errors.MissingExtraError` where matplotlib is not installed."""
    if find_spec("matplotlib") is None:
        raise MissingExtraError("drawing a plot", "plots")


def _hangul_font(file: str) -> Iterator[tuple[str, bool]]:
    """Family and whether it is of regular weight, of a font that has Hangul."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(file)
        if all(font.get_char_index(ord(letter)) for letter in _HANGUL):
            yield font.family_name, font.style_name == "Regular"
    except (OSError, RuntimeError):  # such as a bitmap font, which FreeType opens and matplotlib does not
        return


def _rank(family: str) -> int:
    return PREFERRED.index(family) if family in PREFERRED else len(PREFERRED)
