"""Which provisions a text names: each with its law, article and paragraph, also where a chain leaves them out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

# [제4조에서 이동 <2020. 2. 11.>], [시행일: 2026. 1. 1.] 제35조: what is said of the article itself.
_MOVED: Final = re.compile(r"\[[^\[\]\n]{0,120}이동[^\[\]\n]{0,60}\]|\[\s*시행일[^\[\]\n]{0,200}\][^\n]*")
_SHORTENED: Final = re.compile(r"제\s*(\d+(?:\s*[,ㆍ·]\s*\d+)+)\s*(조|항|호(?!증|서식))")  # 제1, 3항
_NO_ARTICLE: Final = r"(?!제\s*\d+\s*조)"
# 「의료법」(이하 "법"이라 한다), 공인중개사법(2020. 6. 9. 법률 제17453호로 개정되기 전의 것)
_LAW: Final = (
    r"(?P<law>[「｢][^「」｢｣\n]{1,80}[」｣](?:\s?(?:시행령|시행규칙|시행세칙))?"
    r"|(?:같은\s*|이\s*)?(?:법률|법|영|규칙|시행령|시행규칙|시행세칙|조례|약관|계약|규정))"
    r"(?:\s?\((?P<said>(?:[^()\n]|\([^()\n]*\)){0,200})\))?\s*"
)
_PARAGRAPH: Final = r"(?P<paragraph>제\s*\d+\s*항)"
_ITEM: Final = r"(?P<item>제\s*\d+\s*호(?!증|서식)(?:의\s*\d+)?)"
_LETTERS: Final = "가나다라마바사아자차카타파하거너더러머버서어저처커터퍼허"
_SUBITEM: Final = rf"(?P<subitem>[{_LETTERS}]목)"
_REFERENCE: Final = re.compile(
    rf"(?:{_LAW})?(?:(?P<same>(?<![가-힣])(?:같은|동)\s?[조항])(?=\s?(?:제\s*\d+\s*(?:항|호(?!증|서식))|[{_LETTERS}]목))"
    rf"|(?P<article>제\s*\d+(?:\s*-\s*\d+)?\s*조(?:의\s*\d+)*)(?:\s?\((?:{_NO_ARTICLE}[^()\n]){{1,60}}\))?)"
    rf"(?:\s?{_PARAGRAPH})?(?:\s?{_ITEM})?(?:\s?{_SUBITEM})?"
)
# What goes on a chain below its article: a paragraph, an item of the paragraph, a part of the item.
_FURTHER: Final = re.compile(
    rf"(?=제\s*\d+\s*(?:항|호(?!증|서식))|[{_LETTERS}]목){_PARAGRAPH}?(?:\s?{_ITEM})?(?:\s?{_SUBITEM})?"
)
_ASIDE: Final = re.compile(r"\s?\(((?=제\s*\d)[^()\n]{1,200})\)")  # 제5조(제7조에서 준용하는 경우를 포함한다)
_GOES_ON: Final = re.compile(
    r"(?:\s?(?:본문|단서|전단|후단|전문|각\s?호(?:\s?외의\s?부분)?|각\s?목|까지))*"
    r"\s*(?:[,;/ㆍ·‧∙・․~∼〜–-]|및|또는|내지|부터|이나|[와과나])\s*(?:(?:및|또는)\s+)?"
)
_LEVELS: Final = ("article", "paragraph", "item", "subitem")
_DECREES: Final = ("시행령", "시행규칙", "시행세칙")  # of the law whose name stands before them
_OF_LAW: Final = re.compile(r"(?:[「｢][^「」｢｣\n]{1,80}[」｣]|(?:같은\s|이\s)?[가-힣]*(?:법률|법|영))\s$")
_ABOUT: Final = ("관한", "대한", "위한")  # 「…에 관한 법률」, whose name is of several words
_NO_NAME: Final = re.compile(r".*(?:(?<![하되])[은는]|[에이가서고며면다도라해여]|[^가-힣ㆍ·].*)$")
_JOINS: Final = ("및", "또는", "그", "구")
_WIDE: Final = str.maketrans("｢｣", "「」")
_LONGEST_NAME: Final = 40
_LONGEST_TITLE: Final = 80


@dataclass(slots=True)
class _Place:
    """The provision named last: what the next one of a chain leaves out is the same as in it."""

    law: str = ""
    article: str = ""
    paragraph: str = ""
    item: str = ""
    subitem: str = ""

    def take(self, match: re.Match[str]) -> None:
        """Goes to what a match names: what is above it stays as it was, what is below is left."""
        said = match.groupdict()
        first = next(i for i, level in enumerate(_LEVELS) if said.get(level))
        for level in _LEVELS[first:]:
            setattr(self, level, "".join((said.get(level) or "").split()))

    def __str__(self) -> str:
        return f"{self.law} {self.article}{self.paragraph}{self.item}{self.subitem}".strip()


def references(text: str) -> list[str]:
    """Provisions that a text names, in order, each once: ``제3조제1항``, ``「민법」 제32조``, ``법 제5조``.

    Each member of a chain is named in full: 「민법」 제32조제1항ㆍ제3항 및 제33조 gives ``「민법」 제32조제1항``,
    ``「민법」 제32조제3항`` and ``「민법」 제33조``.
    """
    text = _SHORTENED.sub(_spelled, _MOVED.sub("", text))
    return list(dict.fromkeys(_named(text)))


def _spelled(match: re.Match[str]) -> str:
    """제1, 3항 → 제1항, 제3항."""
    return ", ".join(f"제{number}{match[2]}" for number in re.findall(r"\d+", match[1]))


def _named(text: str, law: str = "") -> Iterator[str]:
    """The provisions of a text; ``law`` is that of one it begins with."""
    place = _Place(law)
    end = 0
    link: int | None = 0 if law else None  # where the next one of the chain has to begin
    while True:
        further = _FURTHER.match(text, link) if link is not None and place.article else None
        match = further or _REFERENCE.search(text, end)
        if match is None:
            return
        end = match.end()
        if further is None and not _enter(place, text, match, goes_on=match.start() == link):
            link = None
            continue
        if further is None and match["said"]:
            yield from _named(match["said"], place.law)  # 「약사법」(제3조는 제외한다) 제4조
        place.take(match)
        yield str(place)
        if aside := _ASIDE.match(text, end):
            yield from _named(aside[1], place.law)
            end = aside.end()
        going = _GOES_ON.match(text, end)
        link = going.end() if going else None


def _enter(place: _Place, text: str, match: re.Match[str], *, goes_on: bool) -> bool:
    """Sets the law of a provision; false where it says 같은 조 and none is above."""
    if match["same"] is not None:
        return bool(place.article) and (bool(place.paragraph) or match["same"].endswith("조"))
    if match["law"]:
        place.law = _law(text, match)
    elif not goes_on:
        place.law = ""
    return True


def _law(text: str, match: re.Match[str]) -> str:
    """The law's name; without brackets, as in 국세징수법 제5조, the whole word or title is taken."""
    start, end = match.span("law")
    if text[start] not in "「｢":
        while start > 0 and "가" <= text[start - 1] <= "힣" and end - start < _LONGEST_NAME:
            start -= 1
        if text[start:end] in _DECREES and (above := _OF_LAW.search(text, max(0, start - _LONGEST_TITLE), start)):
            start = above.start()
        if text[start] not in "「｢":
            start = _title(text, start)
    return " ".join(text[start:end].split()).translate(_WIDE)  # ｢민법｣ is 「민법」 in narrow brackets


def _title(text: str, start: int) -> int:
    """Where the title begins whose last word does at an offset: 「성폭력범죄의 처벌 등에 관한 특례법」."""
    low = max(0, start - _LONGEST_TITLE)
    low = max(low, *(text.rfind(char, low, start) + 1 for char in "\n‘“'\"([<"))
    words = list(re.finditer(r"\S+", text[low:start]))
    if len(words) < 2 or words[-1][0] not in _ABOUT or not text[start - 1].isspace():
        return start
    first = len(words) - 2
    while first > 0 and not _NO_NAME.fullmatch(words[first - 1][0]):
        first -= 1
    while first < len(words) - 2 and words[first][0] in _JOINS:
        first += 1
    return low + words[first].start()
