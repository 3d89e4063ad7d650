"""Questions without a language model: each asks for what stands under one heading (known-item search).

``취업규정 > 제3장 휴가 > 제15조(연차휴가)`` becomes 「취업규정에서 연차휴가에 관한 내용은 무엇인가요?」, and
``보고서 > Ⅲ. 재무에 관한 사항`` 「보고서에서 재무에 관한 사항을 알려 주세요.」. They test
whether an index finds a passage again by its name; they are easier than what people ask, and the same index always
gives the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from kure_rag.types import Chunk

_NUMBER: Final = re.compile(
    r"\s*(?:제\s*\d+\s*[편장절관조항호목](?:\s*의\s*\d+)?"  # 제3장, 제7조의13
    r"|(?:주석|주기)\s*\d+\.?|별표\s*\d*|별지\s*(?:제\s*\d+\s*호)?"
    # 1. 1.2. 가. 3) (1) iv)
    r"|[(（【\[<]?(?:\d{1,3}(?:[.-]\d{1,3})*|[가나다라마바사아자차카타파하]|[A-Za-z]|[ivxIVX]{1,4})"
    r"[.)）】\]>](?!\d)"
    r"|[Ⅰ-Ⅻⅰ-ⅻ①-⑳❶-❿]\.?"
    r"|[■□●○◆◇▶▷▪•※*·\-–—]+)\s*"
)
_PAIRS: Final = {"(": ")", "（": "）", "【": "】", "[": "]", "<": ">", "「": "」", "『": "』", "〈": "〉", "《": "》"}
_NOTE: Final = re.compile(r"\s*[<〈\[](?:개정|신설|전문개정|본조신설|제목개정|삭제|제\s*\d+\s*호)[^>〉\]]*[>〉\]]\s*")
# Says who or what is cited, or where something stands: nobody asks for it by this name.
_NO_TOPIC: Final = re.compile(
    r"(?:당사자|원고.*|피고.*|신청인.*|상고인.*|항소인.*|피고인.*|변호인.*|참조\s*(?:조문|판례|법령|조항).*|전\s*문|본\s*문"
    r"|목\s*차|차\s*례|contents|부\s*칙|별\s*[표지첨]|붙임|첨부|서식)",
    re.IGNORECASE,
)
_ORDER: Final = re.compile(r"(?:[할말둘될을갈킬볼줄]|[^\s]+지\s*않을)\s*것$")  # 다음 환자에는 투여하지 말 것
_WHOLE: Final = re.compile(r"(?:것|사항|내용|방법|절차|기준|여부)$|에\s*(?:관한|대한|따른)|\s관련\s")
_LONGEST: Final = 60  # characters; a longer heading is a sentence that was taken for one
_SHORTEST: Final = 2  # letters


@dataclass(frozen=True, slots=True)
class Named:
    """A passage and what its headings call it, from the shortest name to the longest.

    Attributes:
        passage: The chunk's id.
        queries: Questions that ask for it, the second more exact than the first.
        text: The passage.
    """

    passage: str
    queries: tuple[str, ...]
    text: str


def named(title: str, chunks: Iterable[Chunk]) -> Iterator[Named]:
    """The passages of a document that have a heading of their own."""
    for chunk in chunks:
        if queries := tuple(_queries(title, chunk)):
            yield Named(chunk.id, queries, chunk.text)


def topic(heading: str) -> str:
    """A heading without its number, brackets and notes of amendment; empty where nothing is left to ask for.

    ``제15조의2(연차휴가) <개정 2024. 1. 2.>`` → ``연차휴가``.
    """
    text = _NOTE.sub(" ", heading).strip()
    while match := _NUMBER.match(text):
        if match.end() == 0:
            break
        text = text[match.end() :]
    closing = _PAIRS.get(text[:1])
    if closing and text.find(closing) == len(text) - 1:
        text = text[1:-1]
    text = " ".join(text.split()).rstrip(".:：")
    letters = sum(letter.isalpha() for letter in text)
    return text if letters >= _SHORTEST and len(text) <= _LONGEST else ""


def _queries(title: str, chunk: Chunk) -> Iterator[str]:
    """None for a passage that stands under the document's title alone, unless that is all there is."""
    if chunk.kind == "heading" or (chunk.breadcrumb and chunk.text.strip() == chunk.breadcrumb[-1].strip()):
        return  # a heading that stands alone answers nothing
    # A number alone, such as the ① of a paragraph, names nothing: the heading above it does.
    topics = [name for heading in chunk.breadcrumb if heading != title and (name := topic(heading))]
    if not topics:
        if chunk.kind == "record" and (name := topic(title)):
            yield f"{name}에 관한 내용은 무엇인가요?"
        return
    *above, own = topics
    if _NO_TOPIC.fullmatch(own) or _says_the_same(own, title):
        return
    yield _question(title, own)
    if longer := " ".join(name for name in dict.fromkeys(above) if name != own and not _says_the_same(name, title)):
        yield _question(f"{title} {longer}", own)


def _question(place: str, own: str) -> str:
    if _ORDER.search(own):
        return f"{place}에서 ‘{own}’의 내용을 알려 주세요."
    if _WHOLE.search(own):  # 「재무에 관한 사항에 관한 내용」 is nothing that anybody says
        return f"{place}에서 {own}{_object_particle(own)} 알려 주세요."
    return f"{place}에서 {own}에 관한 내용은 무엇인가요?"


def _object_particle(word: str) -> str:
    """``을`` after a final consonant, ``를`` after a vowel, both where the word ends in no Hangul."""
    last = next((letter for letter in reversed(word) if letter.isalnum()), "")
    if not "가" <= last <= "힣":
        return "을(를)"
    return "을" if (ord(last) - ord("가")) % 28 else "를"


def _says_the_same(name: str, title: str) -> bool:
    """Whether a heading repeats the title, or a part of it."""
    one, other = ("".join(letter for letter in text.casefold() if letter.isalnum()) for text in (name, title))
    return bool(other) and (one in other or other in one)
