"""Numbers with what belongs to them, as one term beside its parts.

==================  =======================================
``12조의3``         제12조의3, 제12조의 3, 12조의3
``2500만원``        2,500만원, 2500만 원, 2,500만 원
``3.5%``            3.5%, 3.5 %, 3.5퍼센트
``covid19``         COVID-19, Covid 19 only where written together
``5g``, ``a4``      5G망, A4용지
==================  =======================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from kure_rag.tokenize.base import Term

_COUNTED: Final = frozenset({"NR", "NNB"})  # 만, 원, 조, 일
_PERCENT: Final = frozenset({"%", "퍼센트"})
_HYPHENS: Final = frozenset("-‐‑–")


def joined(tokens: Sequence[Any]) -> Iterator[Term]:
    """The joined terms of one analysis, in order.

    Args:
        tokens: Kiwi's, of one text.
    """
    i = 0
    while i < len(tokens):
        end = _quantity(tokens, i) if tokens[i].tag == "SN" else i + 1
        end = max(end, _code(tokens, i))
        if end > i + 1:
            run = tokens[i:end]
            yield Term("".join(map(_form, run)), run[0].start, run[-1].start + run[-1].len)
        i = end


def _quantity(tokens: Sequence[Any], i: int) -> int:
    """Where what a number counts ends: 12 조 의 3, 2500 만 원, 3.5 %."""
    if _follows(tokens, i + 1) and tokens[i + 1].form in _PERCENT:
        return i + 2
    end = i + 1
    while _follows(tokens, end) and tokens[end].tag in _COUNTED:
        end += 1
    branch = end == i + 2 and tokens[i + 1].form == "조" and _follows(tokens, end) and tokens[end].form == "의"
    if branch and _follows(tokens, end + 1) and tokens[end + 1].tag == "SN":
        return end + 2
    return end


def _code(tokens: Sequence[Any], i: int) -> int:
    """Where letters and digits that are written together end: COVID-19, 5G."""
    if tokens[i].tag not in ("SL", "SN"):
        return i + 1
    end = i + 1
    while _touches(tokens, end):
        last, here = tokens[end - 1], tokens[end]
        if here.tag in ("SL", "SN") and here.tag != last.tag:
            end += 1
        elif last.tag == "SL" and here.form in _HYPHENS and _touches(tokens, end + 1) and tokens[end + 1].tag == "SN":
            end += 2
        else:
            break
    return end


def _gap(tokens: Sequence[Any], i: int) -> int | None:
    """Characters between a token and the one before it; ``None`` where there is none in the same sentence."""
    if i >= len(tokens) or tokens[i].sent_position != tokens[i - 1].sent_position:
        return None
    return int(tokens[i].start - tokens[i - 1].start - tokens[i - 1].len)


def _follows(tokens: Sequence[Any], i: int) -> bool:
    return _gap(tokens, i) in (0, 1)


def _touches(tokens: Sequence[Any], i: int) -> bool:
    return _gap(tokens, i) == 0


def _form(token: Any) -> str:
    form: str = token.form
    if form in _HYPHENS:
        return ""
    if form in _PERCENT:
        return "%"
    return form.replace(",", "") if token.tag == "SN" else form.lower()
