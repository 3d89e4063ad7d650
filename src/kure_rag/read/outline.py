"""What a document calls itself: its title and its bookmarks; and what its encryption asks for.

The title is what a reader sees: the name of a statute above its date of effect, the court's line above a ruling, the
largest type near the top of the first page. Only where the page shows none do the file's properties, its bookmarks and
at last its name speak, in this order: properties are often those of the file that this one was made from.

The only module that imports pypdf, and it does so for encrypted files alone: PDFium reads properties and bookmarks of
the 104 files of a test collection in 0.11 s where pypdf takes 0.69 s, and stops at circular bookmarks.
"""

from __future__ import annotations

import io
import re
import statistics
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.read.clean import clean_text
from kure_rag.read.noise import MARK

if TYPE_CHECKING:
    from kure_rag.read.layout import Line

_MOST_BOOKMARKS: Final = 2_000
_DEEPEST: Final = 10
_LONGEST: Final = 120  # characters of a title

_LARGE: Final = 1.12  # times the size of most characters: type that is meant to be larger
_NEARLY: Final = 0.85  # of the largest: as large
_COVER: Final = 250  # visible characters under which a page is a cover: its title need not be larger than the rest
_UPPER: Final = 0.4  # of the page's height from below: titles stand above it
_STANDS_ALONE: Final = 1.25  # times the usual distance to the next line

_HANGUL: Final = re.compile(r"[가-힣]")
_STRANGE: Final = re.compile(r"[\u0080-\u024f]")
_HOLE: Final = re.compile(rf"{MARK}|[\ue000-\uf8ff\U000f0000-\U0010fffd\ufffd]")  # a part of a title is another title
_LETTERSPACED: Final = re.compile(r"(?<!\S)[가-힣](?: [가-힣]){2,}(?!\S)")
_EFFECT: Final = re.compile(r"\s*\[\s*시행\s*(?:일\s*[:：]?)?\s*\d{4}\s*\.")
_ABBREVIATION: Final = re.compile(r"\s*\(\s*약칭\s*[:：].*$")
_RULING: Final = re.compile(
    r"\s*[\[［【〔<〈]?\s*([^\s\[［【〔<〈]*(?:법원|재판소)(?:\([^)]*\))?\s+\d{4}\.\s*\d+\.\s*\d+\.?,?\s*(?:자,?\s*)?(?:선고,?\s*)?"
    r"\d+[가-힣]+\d+.*?(?:판결|결정|명령|전원재판부(?!\s*,?\s*결정)))"
)
_AMENDMENT: Final = re.compile(
    r"\s*(?:「.{4,70}」|.{4,60}[법령칙정준침시항])\s*(?:일부|전부)?\s*(?:개정|제정|폐지)(?:안|령안|법률안|고시안|규정안)?\s*$"
)
_NOTICE: Final = re.compile(
    r"\s*(\S+(?:부|처|청|위원회|원|공단)\s*(?:고시|공고|훈령|예규|공시)\s*제\s*\d{4}\s*-\s*\d+\s*호)\s*$"
)
# A form's name says what kind of paper it is; what it is about stands on a line of its own.
_FORM: Final = re.compile(
    r"(제안요청서|과업지시서|과업내용서|입찰공고|물질안전보건자료|공개특허공보|등록특허공보|표준계약서)"
)
_SUBJECT: Final = re.compile(
    r"(?:^|[\s.)○])(?:사\s*업\s*명|용\s*역\s*명|과\s*업\s*명|공\s*고\s*명|제\s*품\s*명|발명의\s*명칭|계\s*약\s*명)\s*[:：]?\s*(.*)$"
)
_GENERIC: Final = re.compile(
    r"(?i:untitled|무제|제목\s?없음|문서\s?\d*|슬라이드\s?\d+|powerpoint 프레젠테이션|microsoft .*|프레젠테이션\d*)"
)
_TITLE_NOUN: Final = re.compile(
    r"(?:법|법률|령|규칙|규정|세칙|지침|고시|기준|정관|학칙|약관|요강|요령|협약|계약서|보고서?|안내서?|설명서|회의록|공보|백서|자료집?|편람|매뉴얼|법률안|개정안)$"
)
# 합의서, 위임장, 차용증, 회칙: short, yet what a document calls itself; not 순서, 서문 or 벌칙, its parts.
_SHORT_NAME: Final = re.compile(
    r"(?!(?:순|문|부|질|도|독|용|정)서|(?:제|본|시|사|현|입|등|주)장|(?:본|서|주|전|논|질|원|작|예)문|(?:목|부|초|수|기|등)록|(?:부|벌|총|원|반|변|법)칙|검증|인증)"
    r"[가-힣]{1,2}[서장증문록칙]"
)

# What stands at the top of pages and is no title: dates, numbers, times, addresses, marks of an annex.
_HEADER: Final = re.compile(
    r"\s*(?:제\s*\d[\d\s-]*호|(?:시행(?:일)?|개정(?:일)?|제정(?:일)?|발행일|작성일)?\s*[:：]?\s*['’‘]?\d{2,4}\s*[.년/-][\d\s.년월일/()-]*(?:현재|기준|시행|개정|\([월화수목금토일]\s*\))?"
    r"|[-–—\s\d]+|[<〈\[【(]?\s*(?:참고|별표|별지|붙임|첨부|부록|그림|표)\s*\d*\s*[>〉\]】)]?)\s*$"
)
_NOT_TITLE: Final = re.compile(
    r"\d{1,2}:\d{2}|https?://|www\.|@|(?:니다|[한된이하있없했였]다|까)[.?]?$|[.,;:]$"  # times, addresses, sentences
    r"|^\s*(?:[<〈].*[>〉]|\[.*\])\s*$|\[\s*(?:그림|표)\s*\d"  # a caption, beside text of another column
    r"|^\s*['’‘]?\d{4}\s*[.년]\s*\d{1,2}\s*[.월](?!.*보고서\s*$)|심[사의]필"  # dates, marks of an inspection
    r"|\(\s*(?:인|印|서명|날인|직인|서명\s*(?:또는|및)\s*날인)\s*\)|㊞"  # who signs
    r"|^\s*[“\"'‘(]?(?:[갑을병정]|(?:매도|매수|임대|임차|위임|수임|양도|양수|신청)인|대표\s?이사|주\s*소|성\s*명)[”\"'’)]?\s*[:：]"
)
# The sections of a drug's label, which may stand in larger type than its name.
_SECTION: Final = re.compile(
    r"효능(?:및)?효과|용법(?:및)?용량|사용상의?주의사항|원료약품(?:및)?그?분량|성분(?:및)?함량|유효성분|(?:저장|보관)방법(?:및사용기간)?"
    r"|포장단위|(?:사용|유효)기간|이상반응|상호작용|일반적주의|신중투여|투여금기|과량투여|(?:적용상의|보관및취급상의)주의(?:사항)?"
)
_PAGE_NUMBER: Final = re.compile(r"^[-–]?\s*\d{1,3}\s*[-–|]?\s+(?=\D)|(?<=\D)\s+[-–|]?\s*\d{1,3}\s*[-–]?$")
_ITEM: Final = re.compile(
    r"\s*(?:[□■○●◦•▶▷◆◇※*▪❍☞✔①-⑳-]|o\s|[-–—·ㆍ]\s|\(?\d{1,2}\s?[.)]|\(?[가-하][.)]\s|[A-ZⅠ-Ⅻ]{1,4}\s?[.]\s|제\s?\d+\s?(?:편|장|절|관|조)|[\[【]\s*(?:그림|표)\s*\d)"
)


def outline_of(bookmarks: Iterable[Any]) -> list[tuple[int, str, int]]:
    """Bookmarks as (level from 0, title, 1-based page or 0), at most 2,000 and ten levels deep.

    Args:
        bookmarks: Of pypdfium2's ``PdfDocument.get_toc()``, which ends at a circular reference.
    """
    found: list[tuple[int, str, int]] = []
    try:
        for bookmark in bookmarks:
            if len(found) == _MOST_BOOKMARKS:
                break
            title = _one_line(bookmark.get_title())[:_LONGEST]
            if bookmark.level >= _DEEPEST or not title or _is_mojibake(title):
                continue
            destination = bookmark.get_dest()
            index = None if destination is None else destination.get_index()
            found.append((bookmark.level, title, 0 if index is None else index + 1))
    except (RuntimeError, UnicodeDecodeError, ValueError):  # a broken bookmark ends the list
        return found
    return found


def find_title(
    lines: Sequence[Line],
    *,
    height: float,
    stored: str,
    outline: Sequence[tuple[int, str, int]],
    source: str,
    recognised: bool = False,
) -> str:
    """The document's title.

    Args:
        lines: Printed lines of the first page, running titles among them; none when it is a picture.
        height: Of that page in points.
        stored: The title in the file's properties.
        outline: See :func:`outline_of`.
        source: The file's name, which is the title, without its ending, if nothing else is.
        recognised: Whether the page was read by OCR, which mistakes letters: then the file's word goes first.
    """
    lines = [line for line in lines if not line.table and line.text.strip()]
    if recognised and (written := _stored(stored) or _root(outline)):
        return written[:_LONGEST]
    found = _law(lines) or _ruling(lines) or _notice(lines) or _form(lines, height) or _largest(lines, height)
    found = "" if _HOLE.search(found) else found
    found = found or _alone(lines) or _stored(stored) or _root(outline) or _running(lines, height)
    return found[:_LONGEST].strip() or Path(source).stem


def without_password(data: bytes) -> bytes | None:
    """An encrypted file as it is without encryption, if the empty password opens it; otherwise ``None``.

    For what PDFium refuses. Files that only their owner may change are read by it as any other.
    """
    import pypdf
    from pypdf.errors import DependencyError, PyPdfError

    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if not reader.is_encrypted or not reader.decrypt(""):
            return None
        out = io.BytesIO()
        pypdf.PdfWriter(clone_from=reader).write(out)
    except (PyPdfError, DependencyError, NotImplementedError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return out.getvalue()


# Rules for kinds of documents, each from the lines of the first page.


def _law(lines: Sequence[Line]) -> str:
    """Above ``[시행 2024. 7. 17.]``; a name of two lines may stand in one in the running title."""
    at = next((i for i, line in enumerate(lines[:15]) if _EFFECT.match(line.text)), 0)
    if not at:
        return ""
    parts = [lines[at - 1]]
    for line in reversed(lines[: at - 1]):
        gap = line.bottom - parts[0].top
        if abs(line.size - parts[0].size) > 0.06 * line.size or gap > line.size or line.text == parts[0].text:
            break
        parts.insert(0, line)
    texts = [_ABBREVIATION.sub("", _one_line(part.text)) for part in parts]
    texts = [text for text in texts if text]
    if len(_HANGUL.findall("".join(texts))) < 2:
        return ""
    whole = "".join("".join(texts).split())
    once = next((_one_line(line.text) for line in lines if "".join(line.text.split()) == whole), "")
    return once or re.sub(r"(시행) (?=[규칙령]+$)", r"\1", " ".join(texts))


def _ruling(lines: Sequence[Line]) -> str:
    """Above a ruling: [대법원 2023. 6. 15., 선고, 2022다12345, 판결], without its bracket and those commas."""
    found = next((match.group(1) for line in lines[:8] if (match := _RULING.match(line.text))), "")
    return _one_line(re.sub(r",(?=\s*(?:자|선고|\d{2,4}[가-힣]|판결|결정|명령|전원))", " ", found))


def _notice(lines: Sequence[Line]) -> str:
    """An amendment whose name is printed as its text is: its number tells it from the next one."""
    number = next((match.group(1) for line in lines[:3] if (match := _NOTICE.match(line.text))), "")
    if not number:
        return ""
    name = next((_one_line(line.text) for line in lines[:25] if _AMENDMENT.match(line.text)), "")
    return f"{name} ({_one_line(number)})" if name else ""


def _form(lines: Sequence[Line], height: float) -> str:
    name = next((match.group(1) for line in lines[:8] if (match := _FORM.search("".join(line.text.split())))), "")
    large = _largest(lines, height)
    if not name or (large and name not in "".join(large.split())):
        return ""
    for i, line in enumerate(lines):
        if not (match := _SUBJECT.search(line.text)):
            continue
        if not match.group(1):  # a table: what it is stands to the right
            beside = [other for other in lines if other.left > line.right and abs(_middle(other) - _middle(line)) < 8]
            if beside:
                return f"{name}: {_one_line(min(beside, key=lambda other: other.left).text)}"
            continue
        subject = _one_line(match.group(1))
        if i + 1 < len(lines) and _continues(line, lines[i + 1]):
            subject = f"{subject} {_one_line(lines[i + 1].text)}"
        return f"{name}: {subject}"
    return ""


def _middle(line: Line) -> float:
    return (line.top + line.bottom) / 2


def _continues(line: Line, following: Line) -> bool:
    """A subject broken at the margin: the next line is close, as large, starts left of it and is no new entry."""
    gap = line.bottom - following.top
    return (
        gap < 0.5 * line.size
        and abs(following.size - line.size) < 0.1 * line.size
        and len(line.text) > 40
        and following.left > line.left
        and not re.match(r"\s*[(\[]|.*[:：]", following.text)
    )


def _largest(lines: Sequence[Line], height: float) -> str:
    lines = [line for line in lines if not _is_running(line, height)]
    if not lines:
        return ""
    body = statistics.median(line.size for line in lines for _ in line.text)
    cover = sum(len("".join(line.text.split())) for line in lines) < _COVER
    section = max((line.top for line in lines if _is_section(line.text)), default=0.0)  # no title stands under it
    near_top = [line for line in lines if line.top >= section and (cover or line.top >= _UPPER * height)]
    large = [line for line in near_top if (cover or line.size >= _LARGE * body) and _reads_like_title(line.text)]
    if not large:
        return ""
    most = max(line.size for line in large)
    if any(line.size > most and _is_doubled(line.text) for line in near_top):
        return ""  # the title is there, and cannot be read
    first = max((line for line in large if line.size >= _NEARLY * most), key=lambda line: line.top)
    above = (line for line in near_top if line.size >= _NEARLY * most and line.top > first.top)
    if any(_HOLE.search(line.text) for line in above):
        return ""
    parts = [first]
    for line in sorted(near_top, key=lambda line: -line.top):
        last = parts[-1]
        if line.column != first.column or line.top >= last.top or last.bottom - line.top > last.size:
            continue
        if not _NEARLY <= line.size / first.size <= 1 / _NEARLY or not _reads_on(line.text):
            if abs(line.size - first.size) < 0.05 * first.size and not _is_header(line.text):
                return ""  # a paragraph in larger type than its tables
            break
        parts.append(line)
    if len(parts) > 4:
        return ""
    return _bare(" ".join(_one_line(part.text) for part in parts))


def _alone(lines: Sequence[Line]) -> str:
    """The first line that is no header, if it is set off from what follows."""
    gaps = [above.bottom - below.top for above, below in pairwise(lines) if above.bottom > below.top]
    if len(gaps) < 4:
        return ""
    usual = statistics.median(gaps)
    height = statistics.median(line.size for line in lines)
    for line, below in pairwise(lines[:7]):
        text = _one_line(line.text)
        if _is_section(text):
            return ""
        if _is_header(text) or re.match(r"['’‘]?\d{4}\s*[.년]\s*\d", text):
            continue
        distance = line.bottom - below.top + height
        if _reads_like_title(text) and len(text) >= 8 and distance >= _STANDS_ALONE * (usual + height):
            return _bare(text)
        return ""
    return ""


def _running(lines: Sequence[Line], height: float) -> str:
    """A running title such as ``12 보험료 산출 안내서``."""
    for line in lines[:2]:
        text = _PAGE_NUMBER.sub("", _one_line(line.text))
        if _is_running(line, height) and len(text) >= 8 and _TITLE_NOUN.search(text) and _reads_like_title(text):
            return text
    return ""


def _is_running(line: Line, height: float) -> bool:
    return line.top > 0.88 * height and bool(_PAGE_NUMBER.search(_one_line(line.text)))


# What the file says.


def _stored(title: str) -> str:
    """The title of the properties, if a person wrote it."""
    text = _one_line(_decoded(title))
    text = re.sub(r"\.(?:pdf|hwpx?|docx?|pptx?|xlsx?|ai|indd|txt)$", "", text, flags=re.IGNORECASE)
    hangul = len(_HANGUL.findall(text))
    if hangul < 2 or hangul < 0.3 * len(text) or _GENERIC.fullmatch(text) or any(mark in text for mark in ">|"):
        return ""
    if _is_mojibake(text) or _is_section(text):
        return ""
    return "" if re.search(r"고시 제\s?\d+$", text) else text  # programs cut the first line at its hyphen


def _decoded(title: str) -> str:
    """``<3230…>``: some programs write the bytes of the name as text."""
    if match := re.fullmatch(r"<((?:[0-9A-Fa-f]{2}){4,})>", title.strip()):
        data = bytes.fromhex(match.group(1))
        try:
            return data.decode("utf-16" if data[:2] in (b"\xfe\xff", b"\xff\xfe") else "cp949")
        except UnicodeDecodeError:
            return ""
    return title


def _root(outline: Sequence[tuple[int, str, int]]) -> str:
    roots = [title for level, title, _ in outline if level == 0]
    return roots[0] if len(roots) == 1 and len(outline) > 1 and _reads_like_title(roots[0]) else ""


# Text.


def _one_line(text: str) -> str:
    text = " ".join(clean_text(text).split())
    return _LETTERSPACED.sub(lambda match: match.group().replace(" ", ""), text)


def _bare(title: str) -> str:
    """Without the mark of a footnote and without brackets around the whole."""
    title = re.sub(r"\s*(?:\*+|\d\))$", "", title)
    return re.sub(r"^[【《「\[]\s*([^【】《》「」\[\]]+?)\s*[】》」\]]$", r"\1", title).strip(" ,")


def _reads_like_title(text: str) -> bool:
    text = _one_line(text)
    hangul = len(_HANGUL.findall(text))
    if hangul < 4 and not (hangul >= 2 and (_TITLE_NOUN.search(text) or _SHORT_NAME.fullmatch(text))):
        return False
    return len(text) <= 80 and hangul >= 0.25 * len(text) and not _ITEM.match(text) and _reads_on(text)


def _reads_on(text: str) -> bool:
    text = _one_line(text)
    if _is_header(text) or _NOT_TITLE.search(text) or _is_doubled(text):
        return False
    return bool(_HANGUL.search(text)) and not _is_mojibake(text)


def _is_header(text: str) -> bool:
    return bool(
        _HEADER.match(text) or _is_section(text) or _NOTICE.match(text) or re.fullmatch(r"\(.*\)", text.strip())
    )


def _is_section(text: str) -> bool:
    return _SECTION.fullmatch(re.sub(r"[\W\d_]", "", text)) is not None


def _is_doubled(text: str) -> bool:
    """Drawn twice to look bold: 신신탁탁."""
    letters = "".join(text.split())
    return len(letters) >= 8 and sum(a == b for a, b in pairwise(letters)) >= 0.18 * len(letters)


def _is_mojibake(text: str) -> bool:
    return _HOLE.search(text) is not None or len(_STRANGE.findall(text)) > 0.2 * len(text)
