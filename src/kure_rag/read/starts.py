"""What a line begins a paragraph with, and what a sentence ends with."""

from __future__ import annotations

import re
from typing import Final

# What begins a new paragraph even after a full line: articles, items, bullets, bracketed headings, notes.
STARTS_PARAGRAPH: Final = re.compile(
    # 제15조에 따라, 제2장 및 제3장의: a reference in the middle of a sentence.
    r"\s*(?:제\s*\d+\s*(?:편|장|절|관|조)(?:의\s*\d+)?(?!제\s*\d|에|의|부터|까지|[을를은는과와이가,ㆍ·]|\s*(?:및|또는|내지)\s)|부\s*칙|[①-⑳㉑-㉟㊱-㊿㉠-㉭ⓐ-ⓩ○●◯◎■□◆◇▶▷▪•∙※☞✔*◦▣❍❏❑❖◉]|o\s|ㅇ(?![ㄱ-ㅣ])|ㅁ\s|[-–—·ㆍ]\s"
    r"|\d{1,3}(?:의\s?\d+)?\s?[.)]\s|[가나다라마바사아자차카타파하]\s?[.)]\s|\((?:[가나다라마바사아자차카타파하]|\d{1,3})\)|[IVXⅠ-Ⅻ]+\s?\.|【|\[|<|〈|「[^」]{1,40}」\s*$"
    # Q. A1. 질문 2) 답: 문 1. and the parties of a contract; 답. may be the end of a word.
    r"|[QA]\s?\d{0,3}\s?[.):]\s|(?:질의|질문|답변|회신)\s?\d{0,3}\s?[.):]\s|[문답]\s?(?:\d{1,3}\s?[.):]|[):])\s"
    r"|[갑을병정]\s?[:：]\s)"
)
# 【별표2】에서, [별표 1]에 따른: a reference in the middle of a sentence.
NAMES_ANNEX: Final = re.compile(
    r"\s*[\[【<〈](?:별표|별지|별첨|부표|부록|붙임|표|그림|서식)[^\[\]【】<>〈〉]{0,20}[\]】>〉](?:에|의|을|를|은|는|과|와|로|이|및|또는)"
)
_ENDS_SENTENCE: Final = re.compile(r"(?:[가-힣)]|[가-힣][”’」』])[.?!]$")


def ends_sentence(text: str) -> bool:
    """Whether a sentence ends at the end of a line."""
    stripped = text.rstrip()
    return stripped[-1:] in (".", "?", "!") and _ENDS_SENTENCE.search(stripped[-3:]) is not None
