"""What stands behind the last article of a contract: special conditions, annexes, and the lines that are signed.

None of it is part of the article above it, and quoting it as that article would be wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from kure_rag.chunk.legal_lines import visible_lines
from kure_rag.chunk.legal_marks import Mark

_SIGNED_SPAN: Final = 1_500  # characters in which a signature follows the date or the words above it

_CLOSING_WORDS: Final = re.compile(
    r"(?:위|본|이|상기|이상의?|위와\s같이|아래)\s?(?:와\s같은\s?)?(?:내용[을의]?\s?)?(?:\S{0,8}계약|\S{0,8}협약|\S{0,8}합의|\S{0,8}약정|사항|내용|각서)"
    r"[^\n]{0,60}?(?:증명|증거|확인|보증|증빙|확약|체결)[^\n]{0,12}?(?:위하여|위해|하기|하고|하며|으로)"
)
_DATE_ALONE: Final = re.compile(
    r"(?:(?:계약|체결|작성)\s*일(?:자)?\s*[:：]?\s*)?(?:서기\s*)?[\d_ ]{0,6}\s*"
    r"(?:년\s*[\d_ ]{0,6}월\s*[\d_ ]{0,6}일|\.\s*\d{1,2}\s*\.\s*\d{1,2})\s*\.?"
)
_SIGNATURE: Final = re.compile(
    r"\(\s*(?:인|印|서명|날인|직인|인감)\s*\)|\[\s*인\s*\]|㊞|\(?서명\s*(?:또는|및|ㆍ|·)?\s*(?:날인|인)\)?|기명\s*날인"
    r"|(?m:^\s*[“\"'(‘]?(?:갑|을|병|임\s?대\s?인|임\s?차\s?인|매\s?도\s?인|매\s?수\s?인|발주자|수급인|도급인|위탁자|수탁자)[”\"')’]?\s*[:：])"
    r"|(?m:^\s*(?:주\s*소|성\s*명|상\s*호|대\s*표(?:\s*이\s*사|\s*자)?)\s*[:：])"
)


def with_closings(text: str, marks: Sequence[Mark]) -> Iterator[Mark]:
    """The headings, and a ``closing`` where the signed lines behind the last article of a contract begin."""
    for i, mark in enumerate(marks):
        yield mark
        following = marks[i + 1] if i + 1 < len(marks) else None
        if mark.kind not in ("article", "special") or _goes_on(mark, following):
            continue
        start = _closing(text, mark, following.start if following else len(text))
        if start is not None:
            yield Mark("closing", start, start, start)


def _goes_on(mark: Mark, following: Mark | None) -> bool:
    if following is None or following.kind not in ("article", "chapter"):
        return False
    return mark.kind == "special" or following.kind == "chapter" or following.key > mark.key


def _closing(text: str, mark: Mark, end: int) -> int | None:
    """Where the date or the words above it stand; under a heading without text they are the provision itself."""
    own = bool(text[mark.body : mark.end].strip())
    for start, stop in visible_lines(text, mark.end, end):
        line = text[start:stop]
        if own and (_CLOSING_WORDS.match(line) or _DATE_ALONE.fullmatch(line)):
            return start if _SIGNATURE.search(text, start, min(end, start + _SIGNED_SPAN)) else None
        own = True
    return None
