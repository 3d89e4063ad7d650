"""The recommendations of guidelines, with their 권고등급 and 근거수준."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from kure_rag.chunk.base import Passage

# 「권고 1.」, 「[권고 3-2]」, 「핵심 권고사항 4)」, and not 「권고 1에 따라」.
RECOMMENDATION: Final = (
    r"[\[【(<]?\s?(?:핵심\s?|임상\s?)?권고(?:안|문|사항|내용)?\s?(?P<number>\d{1,3}(?:[-.]\d{1,2}){0,2})"
    r"(?:\s?[\]】)>.:](?:\s?[.:])?|\s(?=[가-힣A-Z]))\s*(?=\S)"
)
_OPENS: Final = re.compile(RECOMMENDATION)
_GRADE_WORD: Final = (
    r"(?:권고\s?(?:등급|강도|수준)|권고의\s?(?:등급|강도)|추천\s?(?:등급|강도)|Class\s+of\s+Recommendation|\bCOR)"
)
_EVIDENCE_WORD: Final = r"(?:근거\s?(?:수준|질|강도)|근거의\s?(?:수준|질|강도)|Level\s+of\s+Evidence|\bLOE)"
_VALUE: Final = (
    r"\s*[:：은는]?\s*(?P<value>(?:[A-D](?:-[A-Z]{1,3})?|(?:IV|I{1,3}|[Ⅰ-Ⅳ])\s?[abAB]?|[1-4]\s?[+\-]{0,3}[a-dA-D]?)(?![\w가-힣])"
    r"|(?:조건부\s?|매우\s)?(?:강함|약함|강한|약한|높음|낮음|중등도|보통)(?:\s?권고)?)"
)
_GRADE: Final = re.compile(_GRADE_WORD + _VALUE)
_EVIDENCE: Final = re.compile(_EVIDENCE_WORD + _VALUE)
# 「[무작위대조연구, 일반적권고]」, as the Korean diabetes guideline prints both.
_PAIR: Final = re.compile(
    r"(?:Class|Grade)\s+(?P<grade>I{1,3}\s?[ab]?|[A-D])\s?[,;/]\s?Level(?:\s+of\s+[Ee]vidence)?\s?:?\s?(?P<evidence>[A-D](?:-[A-Z]{1,3})?)\b"
)
_BOTH: Final = re.compile(r"\[(?P<evidence>[가-힣 ]{0,12}(?:연구|의견))\s?,\s?(?P<grade>[가-힣 ]{1,8}권고)\]")


def recommendation_of(text: str) -> str:
    """The number of the recommendation that a text begins with: 「권고 1」; empty where it begins with none."""
    match = _OPENS.match(text)
    return f"권고 {match['number']}" if match else ""


def grades(text: str) -> dict[str, Any]:
    """``grade`` and ``evidence`` as printed: one, or a list where the text holds recommendations that differ."""
    found: dict[str, list[str]] = {"grade": [], "evidence": []}
    for match in _GRADE.finditer(text):
        found["grade"].append(_flat(match["value"]))
    for match in _EVIDENCE.finditer(text):
        found["evidence"].append(_flat(match["value"]))
    for match in (*_BOTH.finditer(text), *_PAIR.finditer(text)):
        found["grade"].append(_flat(match["grade"]))
        found["evidence"].append(_flat(match["evidence"]))
    unique = {key: list(dict.fromkeys(values)) for key, values in found.items() if values}
    return {key: values[0] if len(values) == 1 else values for key, values in unique.items()}


def graded(passages: Iterable[Passage], text: str) -> Iterator[Passage]:
    """Passages with the number and the grades of what they recommend.

    What explains a recommendation and was cut off from it keeps its number, but not a grade it does not print.
    """
    for passage in passages:
        own = text[passage.start : passage.end]
        about = {} if passage.kind == "table" else grades(own)
        kind = passage.kind
        if number := next(
            (n for n in (*map(recommendation_of, own.split("\n")[:3]), recommendation_of(passage.lead)) if n), ""
        ):
            about["recommendation"] = number
            kind = "text" if kind == "qa" else kind
        yield replace(passage, kind=kind, metadata={**passage.metadata, **about}) if about else passage


def _flat(value: str) -> str:
    return " ".join(value.split())
