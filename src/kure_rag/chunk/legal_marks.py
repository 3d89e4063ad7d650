"""What a line of a legal text may begin: an article, a chapter, addenda, an appendix. Candidates only.

A line alone rarely proves a heading: 제15조(연차휴가)에 따라 … and 제2장 및 제3장은 … begin like one. What cannot be a
heading by its own words is left out here; :mod:`kure_rag.chunk.legal_structure` judges the rest by their order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from kure_rag.chunk.legal_lines import visible_lines

MarkKind = Literal["article", "chapter", "addenda", "appendix", "name", "special", "closing"]
State = Literal["", "deleted", "moved", "omitted"]
Key = tuple[int, ...]

CHAPTER_RANKS: Final = {"부": 0, "편": 1, "장": 2, "절": 3, "관": 4}


@dataclass(frozen=True, slots=True)
class Mark:
    """A line that may be a heading.

    Attributes:
        kind: What it would be.
        start: Offset of its first character.
        body: Offset after the heading; the rest of the line belongs to the text under it.
        end: Offset after the line.
        key: Its number, comparable within its kind: (7, 0, 13, 0) for 제7조의13.
        label: Its number as cited, such as ``제7조의13`` or ``별표 2``.
        title: The heading's own words, without notes.
        rank: For chapters, see :data:`CHAPTER_RANKS`.
        bare: An article without a title in brackets or after a separator: weak evidence.
        separated: Its number ends in a separator, as in ``제3조. 손해배상``.
        state: ``deleted``, ``moved`` (nothing is left but where it went) or ``omitted`` (printed as 생략).
        through: Label of the last article where one line deletes several.
    """

    kind: MarkKind
    start: int
    body: int
    end: int
    key: Key = ()
    label: str = ""
    title: str = ""
    rank: int = 0
    bare: bool = False
    separated: bool = False
    state: State = ""
    through: str = ""

    @property
    def alone(self) -> bool:
        """Whether the line holds nothing but an article's number."""
        return self.body == self.end and not self.title

    @property
    def heading(self) -> str:
        """As it stands in a breadcrumb: ``제15조(연차휴가)``, ``제1장 총칙``."""
        if self.kind == "article":
            return f"{self.label}({self.title})" if self.title else self.label
        return f"{self.label} {self.title}".strip()


_BRANCH: Final = r"(?:\s*의\s*(\d{1,3})(?!\d*[가-힣%]))?"
_NUMBER: Final = rf"제\s*(\d{{1,4}})(?:\s*-\s*(\d{{1,3}}))?\s*조{_BRANCH}{_BRANCH}"
_ARTICLE: Final = re.compile(_NUMBER)
_OPEN: Final = {"(": ")", "[": "]", "【": "】", "〔": "〕"}
# 제3조. 손해배상, 제4조: 관할, 제5조 - 양도금지; not 제2조. 에 따른다 where a line was broken.
_SEPARATOR: Final = re.compile(r"\s*[.．:：]\s*(?=[가-힣A-Za-z(\[【〔①])|\s+[-–—]\s+(?=[가-힣A-Za-z(\[【〔①])")
_SEPARATED_GOES_ON: Final = re.compile(
    r"(?:[에의을를과와로은는이가]|으로|에서|부터|까지)(?=\s)|(?:및|또는|내지|단서|본문|전단|후단|각\s*[항호])|제\s*\d+\s*[조항호]"
)
_TITLE_SPAN: Final = 160
_SHORT_TITLE: Final = 45  # characters of an annex's title that no bracket sets off
_NOTE_WORDS: Final = re.compile(
    r"(?:전문|본조|제목|일부)?\s*(?:개정|신설|삭제|이동)\s*(?:[:<〈(,\d]|$)|시행일?\s*[:\d]|\d{4}\s*[.년]"
)
# 제15조(연차휴가)에 따라: the line goes on with a particle, so it is a reference.
_REFERENCE_GOES_ON: Final = re.compile(
    r"(?:[에의을를과와로]|으로)(?=\s)|에(?:서|게|는|도|따|의)|부터|까지|[,ㆍ·]|의\s?규정"
    r"|\s*(?:및|또는|내지|단서|본문|전단|후단|제\s*\d+\s*[항호]|각\s*[항호]|등(?:에|의|을)?(?=\s))(?=[\s제]|$|\d)|\s+중(?=\s)"
)
_BARE_GOES_ON: Final = re.compile(
    r"\s*(?:제\s*\d+\s*[항호]|[항호](?![가-힣])|중\s|및|또는|내지|단서|본문|전단|후단|각\s*[항호]|등(?![가-힣])|부터|까지|[,ㆍ·~∼.)\]」”\"'])|(?=[가-힣])"
)
_GONE: Final = re.compile(r"\s*(?P<what>삭\s*제|생\s*략)\s*(?:[<(\[〈][^\n]*)?\.?\s*$")
_DAY: Final = r"(?:\d{4}|['’‘]?\d{2})\s*(?:[./-]|년)\s*\d{1,2}\s*(?:[./-]|월)\s*\d{1,2}\s*(?:일|\.)?|\d{8}"
_DAYS: Final = rf"(?:{_DAY})(?:\s*,\s*(?:{_DAY}))*"
_DELETED: Final = r"(?:본\s*조)?\s*삭\s*제"
_NO_MORE: Final = rf"{_DELETED}\s*됨?(?:\s*[:,]?\s*(?:[<〈(]\s*)?{_DAYS}\s*[>〉)]?)?\s*\.?|{_DAYS}\s*,?\s*{_DELETED}"
# 제3조(삭제), 제4조 <삭제 2019. 3. 1.>, 제7조 [삭제] <2020. 1. 1.>: the line holds nothing else.
_GONE_IN_BRACKETS: Final = re.compile(
    rf"\s*[.．:：]?\s*[<〈‹《(（\[【〔]\s*(?:{_NO_MORE})\s*[>〉›》)）\]】〕]"
    rf"(?P<alone>\s*(?:[<〈(\[]\s*(?:{_NO_MORE}|{_DAYS})\s*[>〉)\]]|{_DAYS})?\s*\.?\s*$)?"
)
# 제3조(삭제) at a line's end, and 에 따라 … in the next.
_GOES_ON_BELOW: Final = re.compile(
    r"\s*\n(?:(?:[에의을를과와로은는]|으로)\s|에(?:서|게|는|도|따|의)|부터|까지|및\s|또는\s)"
)
_MOVED: Final = re.compile(r"\s*\n\s*\[[^\[\]\n]{0,80}(?:이동|삭제)")
_GONE_RANGE: Final = re.compile(
    rf"\s*(?:부터|내지|및|[,ㆍ·~∼])\s*(?:{_NUMBER}\s*(?:[,ㆍ·및]\s*)?)+(?:까지)?\s*(?:는|은|를)?\s*(?P<what>삭\s*제|생\s*략)\s*(?:[<(\[〈][^\n]*)?\.?\s*$"
)
_CHAPTER: Final = re.compile(r"제\s*(\d{1,3})\s*([부편장절관])(?:\s*의\s*(\d{1,2})(?!\d*[가-힣]))?(?![가-힣]*\d*조)")
_CHAPTER_GOES_ON: Final = re.compile(
    r"(?:[에의을를과와은는이가로도]|으로|에서|부터|까지)(?=\s|$|\d)|\s*(?:및|또는|내지|[,ㆍ·~∼])(?=[\s제]|$|\d)|\s*제\s*\d+\s*[편장절관조항호]"
)
_SENTENCE: Final = re.compile(r"(?:[다요함음것]|한다|[을를의에과와은는])[.]?$|[.,;]$")
# Words that end like a particle or a sentence and are neither: 용어의 정의, 위반의 효과, 사업의 개요.
_NOUN_AT_END: Final = re.compile(
    r"(?:[정합결동협심주유이강논문건예명질회]의|[효결경초통성]과|부과|[개주수]요|필요|소음|녹음)$"
)
# 회사는 …: what begins with the subject is the sentence itself, broken off at the line's end.
_SUBJECT_FIRST: Final = re.compile(r"[가-힣A-Za-z“”\"']+(?:은|는)\s|(?:이|본|위)\s\S+(?:은|는|이|가|을|를|에)\s")
_NOTE_AT_END: Final = re.compile(
    r"\s*(?:[<〈‹][^\n]*|\[[^\[\]\n]*(?:개정|신설|삭제|\d{4})[^\n]*|\(\s*(?:개정|신설|삭제|본[장절조])[^\n]*)$"
)
_ADDENDA: Final = re.compile(
    r"[\[【(<]?\s*부\s{0,8}칙\s*[\]】)>]?\s*(?=$|[<(\[〈‹【]|제?\s*\d{4}\s*[.년]|[(<]?제\s*\d+\s*호)"
)
_APPENDIX: Final = re.compile(
    r"(?P<open>[\[【<〈‹《(〔]?)\s*별\s{0,4}(?P<what>표|지)\s*(?:제\s*)?(?P<number>\d{1,3})?(?:\s*호)?"
    r"(?:\s*(?P<dash>의|-)\s*(?P<branch>\d{1,2}))?(?:\s*호)?(?P<form>\s*서\s*식)?(?:\s*(?P<close>[\]】>〉›》)〕]))?"
)
# ■ 산림조합법 시행령 [별표 1] <개정 2024. 1. 2.>: an annex that names the decree it belongs to.
_OF_ITS_LAW: Final = re.compile(r"[■□▣◼]\s*[^\[\]【】〔〕<>〈〉‹›\n]{2,80}(?=[\[【<〈‹《〔]\s*별\s{0,4}[표지])")
_NO_APPENDIX: Final = re.compile(
    r"\s*(?:(?:[에의을를과와은는이가로]|으로|에서|부터|까지)(?=[\s,.]|$)|에(?:서|게|는|도|따|의)|및|또는|내지|참조|참고|[,ㆍ·~∼]"
    r"|제\s*\d+\s*[호조])"
)
_NOTE: Final = r"[<〈‹][^<>〈〉‹›\n]*[>〉›]"
_SIDE: Final = re.compile(r"\s*\((?:앞\s?[쪽면]|[뒤뒷]\s?[쪽면]|\d+\s?쪽\s?중\s?제?\s?\d+\s?쪽)\)$")  # of a form
# What proves an annex without brackets: 별표 1 <개정 2024. 1. 2.>, 별표 (제2조 관련).
_NOTED: Final = re.compile(
    rf"\s*(?:[<〈‹]\s*(?:전문|일부)?\s*(?:개정|신설|제정|삭제)[^\n]*$|\(\s*제\s*\d[^()\n]*관련\s*\)\s*(?:{_NOTE})?\s*$)"
)
# 별표 1 비고 제2호에 따라, 별표 2 중 금액을: what goes on behind its number is no title.
_NO_TITLE: Final = re.compile(
    r"^\s*(?:중|각|비고|개정규정|단서|본문|가운데|[가-하]목)(?=\s|$)|[은는을를]\s|에\s?(?:따라|의하여|의거)|[;:“”\"‘’|]"
    r"|(?:[및,]|으로|에서|부터|까지|또는|하여|하고|하며|참조|참고)\s*$"
)
# [별첨 1] 과업내용서, 별첨 1. 과업내용서; not 붙임 1. 계획서 1부., which says what comes along.
_ANNEX: Final = re.compile(
    r"(?P<open>[\[【<〈‹《(〔]?)\s*(?P<what>별\s{0,4}첨|붙\s{0,4}임|첨\s{0,4}부)(?:\s*(?:제\s*)?(?P<number>\d{1,3})(?:\s*-\s*(?P<branch>\d{1,2}))?\s*호?)?"
    r"\s*(?P<inner>[^\]】>〉›》)〕\n]{0,60})(?P<close>[\]】>〉›》)〕]?)(?P<rest>[^\n]*)$"
)
_NO_ANNEX: Final = re.compile(
    r"\s*(?:(?:[에의을를과와은는이가로도]|에서|으로|서류|자료|파일|문서)(?=[\s,.]|$)|및|또는|[,ㆍ·]|참조|참고|제\s*\d+\s*[호조])"
)
_SPECIAL: Final = re.compile(
    r"[\[【<〈‹《(〔■□◆◇▶※○●*\s]*(?P<name>특\s{0,4}약\s{0,4}(?:사\s{0,4}항|조\s{0,4}[항건])|특\s{0,2}수\s{0,2}조\s{0,2}건"
    r"|(?:특\s?별|추\s?가)\s?(?:약\s?정|계\s?약|합\s?의)\s?(?:사\s?항|조\s?건)|기\s?타\s?특\s?약\s?사\s?항)"
    r"[\]】>〉›》)〕\s]*(?:[:：]|(?=\s1\s?[.)]|\s①)|$)"
)
_COMPARISON: Final = re.compile(r"신\s*[ㆍ·‧・.]?\s*구\s*조\s*문\s*대\s*비\s*표\s*$")
_SPECIAL_BEGINS: Final = "특추기[【<〈‹《(〔■□◆◇▶※○●*"
_ANNEX_BEGINS: Final = "별붙첨[【<〈‹《(〔"
_APPENDIX_BEGINS: Final = "별[【<〈‹《(〔■□▣◼"
_NAME_ENDS: Final = "|".join(
    r"\s?".join(word)
    for word in (
        *("약관", "특약", "규정", "규칙", "세칙", "계약서", "지침", "정관"),
        *("학칙", "요강", "내규", "조례", "협약", "합의서", "고시"),
    )
)
_NAME: Final = re.compile(
    r"[【\[<〈‹《]?\s*(?:\d{1,3}(?:-\d{1,3})*\s*[.)]\s*)?[^\n.,;:。]{0,60}"
    rf"(?:{_NAME_ENDS})\s*(?:[ⅠⅡⅢⅣⅤⅥIVX]{{1,4}}|\d{{1,2}})?\s*(?:\([^()\n]*\))?\s*[】\]>〉›》]?$"
)
_NAME_LAST: Final = "관약정칙서침강규례시】]>〉›》)ⅠⅡⅢⅣⅤⅥIVX0123456789"
_LEADER: Final = re.compile(r"(?:[.·․…‥]\s?){3,}\s*\d*\s*$|\s{2,}\d{1,4}\s*$")
_CIRCLED: Final = "①②"


def find_marks(text: str) -> list[Mark]:
    """Every line that may be a heading, in order."""
    out: list[Mark] = []
    for start, end in visible_lines(text):
        mark = _mark(text, start, end)
        if mark is None:
            continue
        out.append(mark)
        if mark.kind == "addenda" and text.startswith("제", mark.body):
            # 부칙 <…>제1조(시행일) …: where a reader joined the lines
            first = _article(text, mark.body, end)
            out.extend([first] if first else [])
    return out


def _mark(text: str, start: int, end: int) -> Mark | None:
    first = text[start]
    if first == "제":
        return _article(text, start, end) or _chapter(text, start, end)
    if first in "부[【(<" and (match := _ADDENDA.match(text, start, end)):
        return _addenda(text, start, end, match.end())
    if first == "신" and _COMPARISON.match(text, start, end):
        return Mark("appendix", start, end, end, label="신ㆍ구조문대비표")
    if first in _SPECIAL_BEGINS and (match := _SPECIAL.match(text, start, end)):
        return Mark("special", start, match.end(), end, label="".join(match["name"].split()))
    if first in _ANNEX_BEGINS and (mark := _annex(text, start, end)) is not None:
        return mark
    if first in _APPENDIX_BEGINS and (mark := _appendix(text, start, end)) is not None:
        return mark
    return _name(text, start, end)


def _article(text: str, start: int, end: int) -> Mark | None:
    match = _ARTICLE.match(text, start, end)
    if match is None or _LEADER.search(text, match.end(), end):
        return None
    key, label = _key(match), _label(match)
    if several := _GONE_RANGE.match(text, match.end(), end):
        *_, last = _ARTICLE.finditer(text, match.end(), several.end())
        return Mark("article", start, match.end(), end, key, label, state=_state(several), through=_label(last))
    if gone := _GONE_IN_BRACKETS.match(text, match.end(), end):
        if gone["alone"] is not None and not _GOES_ON_BELOW.match(text, end):
            return Mark("article", start, match.end(), end, key, label, state="deleted")
        if gone["alone"] is not None or _REFERENCE_GOES_ON.match(text, gone.end(), end):
            return None
    separator = _SEPARATOR.match(text, match.end(), end)
    if separator and _SEPARATED_GOES_ON.match(text, separator.end(), end):
        return None
    at = separator.end() if separator else _skip(text, match.end(), end)
    if at < end and text[at] in _OPEN and (close := _closing(text, at)) is not None:
        inner = " ".join(text[at + 1 : close].split())
        if inner and not (_NOTE_WORDS.match(inner) or _REFERENCE_GOES_ON.match(text, close + 1)):
            state = _state(_GONE.match(text, close + 1, end)) if close < end else ""
            return Mark("article", start, close + 1, max(end, close + 1), key, label, inner, state=state)
        return None
    if gone := _GONE.match(text, at if separator else match.end(), end):
        return Mark("article", start, match.end(), end, key, label, state=_state(gone))
    if match.end() == end and _MOVED.match(text, end):
        return Mark("article", start, end, end, key, label, state="moved")
    if separator is None and match.end() < end and _BARE_GOES_ON.match(text, match.end(), end):
        return None
    return _bare_article(text, start, end, at if separator else match.end(), key, label, separated=bool(separator))


def _bare_article(text: str, start: int, end: int, at: int, key: Key, label: str, *, separated: bool) -> Mark:
    """제21조 경기개시 시간, or 제7조 ① …; the rest of a short line that is no sentence is its title."""
    rest = text[at:end].strip()
    if not rest or rest[0] in _CIRCLED or len(rest) > 40 or is_sentence(rest):
        bare = not rest.startswith("①")
        return Mark("article", start, at, end, key, label, bare=bare, separated=separated)
    return Mark("article", start, end, end, key, label, without_note(rest), bare=not separated, separated=separated)


def is_sentence(words: str) -> bool:
    """Whether a short line is a sentence, or the beginning of one, and no title."""
    if _SUBJECT_FIRST.match(words):
        return True
    return _SENTENCE.search(words) is not None and _NOUN_AT_END.search(words) is None


def _chapter(text: str, start: int, end: int) -> Mark | None:
    match = _CHAPTER.match(text, start, end)
    if match is None or end - start > 200 or _LEADER.search(text, match.end(), end):
        return None
    if _CHAPTER_GOES_ON.match(text, match.end(), end):
        return None
    title = without_note(" ".join(text[match.end() : end].split())).strip("- :")
    if len(title) > 80 or (title and _SENTENCE.search(title) and title[-1] in ".,;") or title.endswith("한다"):
        return None
    label = f"제{int(match[1])}{match[2]}" + (f"의{int(match[3])}" if match[3] else "")
    key = (int(match[1]), int(match[3] or 0))
    return Mark("chapter", start, end, end, key, label, title, CHAPTER_RANKS[match[2]])


def _addenda(text: str, start: int, end: int, at: int) -> Mark:
    """부칙 <법률 제17112호, 2020. 3. 24.> (다른 법의 이름): the text may begin in the same line."""
    body = at
    for _ in range(2):
        at = _skip(text, body, end)
        close = _closing(text, at, {"<": ">", "〈": "〉", "‹": "›", "(": ")", "[": "]"}) if at < end else None
        if close is None or close >= end:
            break
        body = close + 1
    if body < end and not text[body].isspace() and text[body] in "에의을를":
        body = end
    rest = text[body:end].strip()
    if rest and not re.match(r"이\s|①|제\s*1\s*조|[(<]", rest) and len(rest) < 60:
        body = end
    return Mark("addenda", start, body, end, label=_addenda_label(text[start:body]))


def _addenda_label(printed: str) -> str:
    words = " ".join(printed.split())
    return re.sub(r"^[\[【(<]?\s*부\s*칙\s*[\]】)>]?\s*", "부칙 ", words, count=1).strip()


def _appendix(text: str, start: int, end: int) -> Mark | None:
    law = _OF_ITS_LAW.match(text, start, end)
    match = _APPENDIX.match(text, law.end() if law else start, end)
    if match is None or bool(match["open"]) != bool(match["close"]):
        return None
    rest = text[match.end() : end]
    bracketed = bool(match["open"])
    if _NO_APPENDIX.match(rest) or rest.rstrip().endswith("다.") or not (bracketed or _stands_bare(match, rest)):
        return None
    label = "별" + match["what"] + (f" {int(match['number'])}" if match["number"] else "")
    if match["what"] == "지" and match["number"]:
        label = f"별지 제{int(match['number'])}호"
    label += f"{match['dash']}{int(match['branch'])}" if match["branch"] else ""
    label += "서식" if match["form"] else ""
    # [별표 1] <신설 2024. 1. 2.> 여비 지급기준: the title is behind the note.
    title = without_note(_SIDE.sub("", " ".join(re.sub(rf"^\s*{_NOTE}(?=\s*\S)", "", rest).split()))).lstrip(".:： ")
    return Mark("appendix", start, end, end, label=label, title=title if len(title) <= 80 else "", bare=not bracketed)


def _stands_bare(match: re.Match[str], rest: str) -> bool:
    """Whether an annex named without brackets heads one: 별표 1, 별표 1 <개정 …>, 별표 1 여비 지급기준."""
    if not rest.strip() or _NOTED.match(rest):
        return True
    rest = re.sub(r"^\s?[.:：](?=\s\s?\S)", "", rest)  # 별표 1. 여비 지급기준
    if match["number"] is None or not rest[0].isspace() or len(rest) > _SHORT_TITLE:
        return False
    return not (_NO_TITLE.search(rest) or is_sentence(rest.strip()))


def _annex(text: str, start: int, end: int) -> Mark | None:
    match = _ANNEX.match(text, start, end)
    if match is None or bool(match["open"]) != bool(match["close"]):
        return None
    after = match["rest"] if match["close"] else match["inner"] + match["rest"]
    title = " ".join(f"{match['inner']} {match['rest']}".split()).strip(".:：- ")
    alone = not (match["open"] or match["number"])
    if _NO_ANNEX.match(after) or (alone and title) or len(title) > 80:
        return None
    if (title and is_sentence(title)) or re.search(r"\d+\s?부\s?[.)]?$|끝\s?\.?$", title):
        return None
    label = "".join(match["what"].split()) + (f" {int(match['number'])}" if match["number"] else "")
    label += f"-{int(match['branch'])}" if match["branch"] else ""
    return Mark("appendix", start, end, end, label=label, title=title, bare=not match["open"])


def _name(text: str, start: int, end: int) -> Mark | None:
    """암진단비 특별약관: the name of a text of its own, if articles that begin at 제1조 follow."""
    if end - start > 70 or text[end - 1] not in _NAME_LAST or not _NAME.match(text, start, end):
        return None
    title = re.sub(
        r"^\d{1,3}(?:-\d{1,3})*\s*[.)]\s*", "", " ".join(text[start:end].split()).strip("【】[]<>〈〉‹›《》 ")
    )
    return Mark("name", start, end, end, title=title)


def _state(match: re.Match[str] | None) -> State:
    if match is None:
        return ""
    return "deleted" if match["what"].startswith("삭") else "omitted"


def _key(match: re.Match[str]) -> Key:
    return tuple(int(number or 0) for number in match.groups()[:4])


def _label(match: re.Match[str]) -> str:
    first, second, *branches = match.groups()[:4]
    number = f"제{int(first)}" + (f"-{int(second)}" if second else "") + "조"
    return number + "".join(f"의{int(branch)}" for branch in branches if branch)


def without_note(title: str) -> str:
    """A title without the note of amendments at its end."""
    return _NOTE_AT_END.sub("", title).strip()


def _closing(text: str, at: int, pairs: dict[str, str] | None = None) -> int | None:
    """Offset of the bracket that closes the one at ``at``: near, and after at most one line break."""
    opens = text[at]
    if opens not in (pairs or _OPEN):
        return None
    closes = (pairs or _OPEN)[opens]
    depth = breaks = 0
    for i in range(at, min(len(text), at + _TITLE_SPAN)):
        char = text[i]
        depth += (char == opens) - (char == closes)
        breaks += char == "\n"
        if breaks > 1:
            return None
        if depth == 0:
            return i
    return None


def _skip(text: str, start: int, end: int) -> int:
    while start < end and text[start].isspace():
        start += 1
    return start
