"""The recommendations of guidelines, with their 권고등급 and 근거수준."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from kure_rag.chunk.base import Passage

_LABEL: Final = r"(?:핵심\s?|임상\s?|진료\s?|최종\s?)?권고(?:안|문|사항|내용)?"
_NUMBER: Final = r"\d{1,3}(?:[-.]\d{1,2}){0,2}"
_SAYS: Final = r"(?:다|함|음|됨|것)\s?(?:[.(\[]|$)"
# 「권고 1.」, 「[권고 3-2]」, 「핵심 권고사항 4)」, and not 「권고 1에 따라」;
# without a number 「[권고안]」, 「권고: 」, 「권고사항 환자에게는 …한다.」.
RECOMMENDATION: Final = re.compile(
    rf"(?:[■□▪◆◇●○◎▶►☞✔•]\s?)?(?:"
    rf"[\[【(<〔]?\s?{_LABEL}\s?(?P<number>{_NUMBER})(?:\s?[\]】)>〕.:：](?:\s?[.:：])?\s*(?=\S|$)|\s(?=[가-힣A-Z]))"
    rf"|[\[【(<〔]\s?(?P<marked>{_LABEL})\s?[\]】)>〕](?:\s?[.:：])?\s*(?=\S|$)"
    rf"|(?P<named>{_LABEL})(?:\s?[:：]\s*(?=\S|$)"
    rf"|(?<=[안문항])\s(?!(?:및|또는|등|의|요약|개발|도출|작성|목록|정리|표)\s)(?=[가-힣A-Z][^\n]*{_SAYS})))"
)
_GRADE_WORD: Final = (
    r"(?:권고\s?(?:등급|강도|수준)|권고의\s?(?:등급|강도)|추천\s?(?:등급|강도)|Class\s*of\s*Recommendation|\bCOR)"
)
_EVIDENCE_WORD: Final = r"(?:근거\s?(?:수준|질|강도)|근거의\s?(?:수준|질|강도)|Level\s*of\s*Evidence|\bLOE)"
_GRADES: Final = (
    r"(?:(?:[A-D](?:-[A-Z]{1,3})?|(?:IV|I{1,3}|[Ⅰ-Ⅳ])\s?[abAB]?|[1-4]\s?[+\-]{0,3}[a-dA-D]?)(?![\w가-힣])"
    r"|(?:조건부\s?|매우\s)?(?:강함|약함|강한|약한|높음|낮음|중등도|보통)(?:\s?권고)?)"
)
# What kind of study says so, where a guideline grades evidence by it: 「근거수준 무작위대조연구」.
_STUDY: Final = (
    r"[가-힣][가-힣 ·-]{0,20}?(?:연구|임상시험|대조시험|메타\s?분석|문헌\s?고찰|의견|합의)(?=\s*(?:[,;/)\]】〕|]|$))"
)
_EVIDENCES: Final = rf"(?:{_GRADES}|{_STUDY})"
_IS: Final = r"\s*[:：은는]?\s*"
_GRADE: Final = re.compile(rf"{_GRADE_WORD}{_IS}(?P<value>{_GRADES})")
_EVIDENCE: Final = re.compile(rf"{_EVIDENCE_WORD}{_IS}(?P<value>{_EVIDENCES})", re.MULTILINE)
# 「[무작위대조연구, 일반적권고]」, as the Korean diabetes guideline prints both.
_PAIR: Final = re.compile(
    r"(?:Class|Grade)\s+(?P<grade>I{1,3}\s?[ab]?|[A-D])\s?[,;/]\s?Level(?:\s*of\s*[Ee]vidence)?\s?:?\s?(?P<evidence>[A-D](?:-[A-Z]{1,3})?)\b"
)
# 「[IIa, B]」; in round brackets only where a line ends.
_BRIEF: Final = re.compile(
    r"(?:\[|\((?=[^()\n]{3,12}\)\s*[.。]?\s*$))\s?(?P<grade>(?:IV|I{1,3}|[Ⅰ-Ⅳ])\s?[ab]?)\s?[,;/]\s?"
    r"(?P<evidence>[A-D](?:-[A-Z]{1,3})?)\s?[\])]",
    re.MULTILINE,
)
_BOTH: Final = re.compile(r"\[(?P<evidence>[가-힣 ]{0,12}(?:연구|의견))\s?,\s?(?P<grade>[가-힣 ]{1,8}권고)\]")
_RATING: Final = rf"(?:{_GRADE_WORD}{_IS}{_GRADES}|{_EVIDENCE_WORD}{_IS}{_EVIDENCES})"
_LINE_RATING: Final = rf"(?:{_GRADE_WORD}\s*[:：]\s*{_GRADES}|{_EVIDENCE_WORD}\s*[:：]\s*{_EVIDENCES})"
_ANY_PAIR: Final = _PAIR.pattern.replace("?P<grade>", "?:").replace("?P<evidence>", "?:")
_ANY_BRIEF: Final = _BRIEF.pattern.replace("?P<grade>", "?:").replace("?P<evidence>", "?:")
_ANY_BOTH: Final = _BOTH.pattern.replace("?P<grade>", "?:").replace("?P<evidence>", "?:")
# How a statement with its grade ends: 「(권고등급 I, 근거수준 A)」, 「권고등급: I」, 「[무작위대조연구, 일반적권고]」.
RATED: Final = re.compile(
    rf"(?:[(\[<【〔][^()\[\]<>\n]{{0,60}}?(?:{_RATING}|{_ANY_PAIR})[^()\[\]<>\n]{{0,60}}[)\]>】〕]"
    rf"|{_ANY_BOTH}|{_ANY_BRIEF}|{_LINE_RATING}[^.()\n]{{0,40}})\s*[.。]?$"
)


def recommendation_of(text: str) -> str:
    """What the recommendation that a text begins with is called: 「권고 1」, 「권고안」; empty where there is none."""
    match = RECOMMENDATION.match(text)
    if match is None:
        return ""
    return f"권고 {match['number']}" if match["number"] else " ".join((match["marked"] or match["named"]).split())


def grades(text: str) -> dict[str, Any]:
    """``grade`` and ``evidence`` as printed: one, or a list where the text holds recommendations that differ."""
    found: dict[str, list[str]] = {"grade": [], "evidence": []}
    for match in _GRADE.finditer(text):
        found["grade"].append(_flat(match["value"]))
    for match in _EVIDENCE.finditer(text):
        found["evidence"].append(_flat(match["value"]))
    for match in (*_BOTH.finditer(text), *_PAIR.finditer(text), *_BRIEF.finditer(text)):
        found["grade"].append(_flat(match["grade"]))
        found["evidence"].append(_flat(match["evidence"]))
    unique = {key: list(dict.fromkeys(values)) for key, values in found.items() if values}
    return {key: values[0] if len(values) == 1 else values for key, values in unique.items()}


def graded(passages: Iterable[Passage], text: str) -> Iterator[Passage]:
    """Passages with the name and the grades of what they recommend.

    What explains a recommendation and was cut off from it keeps its name, but not a grade it does not print.
    """
    for passage in passages:
        own = text[passage.start : passage.end]
        about = {} if passage.kind == "table" else grades(own)
        named = map(recommendation_of, [*own.split("\n")[:3], *passage.lead.split("\n")])
        if passage.kind != "qa" and (name := next(filter(None, named), "")):
            about["recommendation"] = name
        yield replace(passage, metadata={**passage.metadata, **about}) if about else passage


def _flat(value: str) -> str:
    return " ".join(value.split())
