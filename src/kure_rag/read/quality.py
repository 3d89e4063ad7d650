"""Whether a page's text is what the page shows: the gate before a second parser and OCR.

Parsers never complain. A scan gives no text, a font without a character map gives the numbers of its glyphs as if they
were letters, and a wrong map gives well-formed Hangul that no Korean wrote. What each fault looks like in the
characters is known, so every page is judged by them, and only pages with next to no text are drawn to tell a blank
page from a picture. The thresholds stand far from both sides: on 1,900 pages of statutes, fund reports, rulings and
data sheets the least share of common syllables on a sound page is 0.84, and with the same pages' Hangul shifted by
one to 588 places, or permuted, the greatest is 0.54.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from kure_rag.read.page import PageContent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_Counts = Mapping[str, int]

BLANK: Final = "blank page"
NO_TEXT: Final = "no text layer"
LITTLE_TEXT: Final = "almost no text"
PRIVATE_USE: Final = "private-use characters"
CONTROLS: Final = "control or replacement characters"
SOME_CONTROLS: Final = "some control or replacement characters"
WRONG_MAP: Final = "wrong character map"
UNLIKE_KOREAN: Final = "characters unlike Korean or any other language"
PARTLY: Final = "some lines are unreadable"
PICTURED: Final = "a picture holds part of the page"
UNDRAWN: Final = "page cannot be drawn"

_UNREADABLE: Final = frozenset({PRIVATE_USE, CONTROLS, WRONG_MAP, UNLIKE_KOREAN})
_BROKEN: Final = _UNREADABLE | {SOME_CONTROLS, PARTLY}

# The 800 most frequent syllables, most frequent first, counted in statutes, sentence pairs and news (each a third).
_SYLLABLES: Final = (
    "다에이는의하한을가제고지은로사자기를서정인있그리대시수해라조부스으아니보도여어들나장했것관전항우일위주경상원과법업소회따신할국개유공게호금당적만용요비세무계구거른년명트등동말행통산미분었중드와되성간야"
    "또령된마터재영습문및발러내치오연각안면매입모방출체식생약합선음운화단결액포건실바증르월청권받설프진물란급차때표료람않반없려타임감후교외속크함역남며달투래직예두까처품록작준목레파본노판학양같심카집키데더"
    "배현피필변종난알았불력저확최토험번득규익융별코격날디특히추환총질루근민버점강복였망네류핀린든취군테될채밝평녀허절승많새련협느너던언초올술병살브독담티손혔순메밖형베택열송검태석책억납립능천탄색워견축존획"
    "좋편찰페폭률광범징북케육탁즈향웨못율활백돌족객애접늘센박론충완락름션플뉴누량졌머께친퍼온랑참황럼몇침블럽엘울갈줄런클걸응쟁탈글효악움됐룹곳엔밀랜잘림앞슨큰막싱볼커삭측벌착휴혼높길츠폐겠왔농턴례렸철째핵"
    "템갖긴져슬팔극잡패텔답욕떤씨논염램십캐찾쪽맞죄링헬싶쓰창놀숙끝눈압얼났첨퇴앉골겨쿠뒤즉떨먹촉폴넘릴솔잔혀렌엄죽암렇널콜덴돈붙희넷첫컴닌앙귀틀혐맥됩텍몰헤얻폰균벽좌떠콘쳐먼갔떻풍헌푸뛰써풀흥냈빨둘끼델찬"
    "빠칙톤잠둔략엇괴쇄짓뿐젝칼낮팀념흐빌퓨벤슈릭층놓맨왜싸웃벨칠왕훈쇼믿픽흑빈컨셔밤깨봉홍홀짜랐틴팅멘킬핑쉬닥웠칭삼롬님넨앤힘덕넣흰덧냐멕춤녹섬홈뷰칸춘렉낸쳤굴끌켓켜맹혈꾸롭딩털죠톰즐돼곤켰숨킨혹혁웹멸뜻"
    "캠옆젊좀벗옥밭짐갑셀김잃씬뢰얀듯척찍훨킹쉽휘랫펜몬읽탐딸덜렀륙즌롤옵틱걷낙옷캔셨끄냥랍힌훌튼잉럴샤캘콤뜨곡혜흔텐탑큼렵닐붕촌걱륭톡겁늦딕묘팬샌곱쥐낼꺼돕욱뮤힐몸괄콩윌빙끔봄쓴녁컬넌숍폼켈슷겼넬삶랄맡겸"
    "줍뇌멀땅닉봐긍젤넓갱졸궁냉곧꿈끗픈겪듣럭둥롱롯펠탕섰펀윤섭랙릇멈흡웰뭐젠컵쁜뭔봤켄웅윈멋썰옮므쿨얘썼섯깊똑렛냄겐뤄곰숭쓸렬쁘렘찮촬쌍꽃닝캡묵됨닙셰앨밴튜맛빅껍닫뒷묻툼콥렴헨쇠딜셜깝펄짝낚괜룰싫밍쫓즘씩"
)
COMMON: Final = frozenset(_SYLLABLES[:400])
KNOWN: Final = frozenset(_SYLLABLES)
_COMMON_LEAST: Final = 0.65  # share of COMMON among a page's Hangul

_USUAL_FINALS: Final = frozenset((0, 1, 4, 8, 16, 17, 19, 20, 21))  # none ㄱ ㄴ ㄹ ㅁ ㅂ ㅅ ㅆ ㅇ

# Half of all pairs of neighbouring letters in English text, and a third in other languages of the Latin script.
_PAIRS: Final = re.compile(
    "al|an|ar|as|at|be|ce|ch|co|de|ea|ed|en|er|es|ha|he|hi|ic|in|io|is|it|le|li|ll|ma|me|nd|ne|ng|nt|of|om|on|or|ou|ra|re"
    "|ri|ro|se|si|st|te|th|ti|to|ur|ve"
)
_PAIRS_LEAST: Final = 0.2
_URL: Final = re.compile(r"(?:https?://|www\.)\S+")
_LATIN_RUN: Final = re.compile(r"[A-Za-z]{4,}")
_REPEATS: Final = re.compile(r"(\S)(?:\s*\1)+")  # lines drawn with characters, such as ===== and * * *
_SIGNS: Final = "!\"#$&'*+;<=>?@[\\]^`{|}"
_EXPECTED_SCRIPTS: Final = frozenset(
    {"HANGUL", "HALFWIDTH", "FULLWIDTH", "CJK", "KANGXI", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "LATIN", "GREEK"}
    | {"CYRILLIC", "MODIFIER", "SCRIPT", "MATHEMATICAL", "DOUBLE-STRUCK", "BLACK-LETTER", "PLANCK", "ANGSTROM"}
    | {"FEMININE", "MASCULINE", "MICRO", "OHM", "KELVIN", "EULER", "PARENTHESIZED", "CIRCLED", "COMBINING"}
)
_HANGUL: Final = re.compile(r"[가-힣]")
_HAN: Final = re.compile(r"[\u3400-\u9fff]")
_PRIVATE: Final = re.compile(r"[\ue000-\uf8ff\U000f0000-\U0010fffd]")
_UNKNOWN: Final = re.compile(rf"[\ue000-\uf8ff\U000f0000-\U0010fffd]|(?![{_SYLLABLES}])[가-힣]")
_ODD: Final = re.compile(r"[^\x21-\x7e가-힣\u3400-\u9fff·ㆍ\u2010-\u203b\u2460-\u27bf\u3000-\u3020]")
_LINE: Final = re.compile(r"[^\r\n]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_BREAK: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")
_WORD: Final = re.compile(r"[^ \t\r\n\u00a0\u3000]+")  # not \S: for Python some control characters are space

INK_DPI: Final = 72  # what the shares of ink below were measured with
_LEAST: Final = 20  # visible characters under which a page is looked at
_LEAST_SCAN: Final = 60  # and under which it is called a scan with a running title if most of it is drawn
_FEW_WORDS: Final = 20  # on a page
_INK: Final = 0.0002  # share of pixels at an edge: less is dust
_INK_PICTURE: Final = 0.01  # a table or a paragraph as a picture; a photograph or a coloured cover has less
_INK_SCAN: Final = 0.02
_PICTURE: Final = 0.1  # of a page: smaller pictures are logos, seals and signs
_WRITTEN: Final = 0.02  # of a picture: with more characters over it, it is what they are printed on


def judge(content: PageContent, text: str, *, ink: Callable[[], float] | None = None) -> tuple[str, ...]:
    """Why a page's text may not be what the page shows.

    Args:
        content: The page as the parser gave it.
        text: Its text after :func:`kure_rag.read.clean.clean_text`.
        ink: Draws the page and answers :func:`ink_outside` for it; asked only when there is next to no text. Without it
            such a page counts as one with a picture.

    Returns:
        Clauses, most of them constants of this module; empty for a page that looks sound. See :func:`is_unreadable` and
        :func:`needs_ocr` for what they mean.
    """
    if content.error:
        return (content.error,)
    visible = "".join(text.split())
    if len(visible) < _LEAST:
        drawn = 1.0 if ink is None else ink()
        if not visible:
            return (BLANK,) if drawn < _INK else (NO_TEXT,)
        return (LITTLE_TEXT,) if drawn >= _INK_PICTURE else ()
    found = _faults(content.text, text, visible)
    if not found and len(visible) < _LEAST_SCAN and ink is not None and ink() >= _INK_SCAN:
        return (LITTLE_TEXT,)
    return found


def _faults(raw: str, text: str, visible: str) -> tuple[str, ...]:
    found = []
    counts = Counter(visible)  # a page has some 300 different characters
    odd = {char: count for char, count in counts.items() if _ODD.match(char)}
    if sum(count for char, count in odd.items() if unicodedata.category(char) == "Co") >= 0.2 * len(visible):
        found.append(PRIVATE_USE)
    broken = sum(count for char, count in odd.items() if char == "\ufffd" or unicodedata.category(char) == "Cn")
    broken += len(_CONTROL.findall(raw))
    if broken >= 0.05 * len(visible):
        mostly = broken >= 0.2 * len(visible) or _holed_share(raw) >= 0.5
        found.append(CONTROLS if mostly else SOME_CONTROLS)
    hangul = {char: count for char, count in counts.items() if "가" <= char <= "힣"}
    if _has_wrong_finals(hangul):
        found.append(WRONG_MAP)
    if _lacks_common(hangul) or _is_soup(visible, odd) or _is_cipher(text, counts, sum(hangul.values())):
        found.append(UNLIKE_KOREAN)
    if not found and (odd or not hangul.keys() <= KNOWN) and _garbled_share(text) >= 0.1:
        found.append(PARTLY)
    return tuple(found)


def is_unreadable(warnings: Collection[str]) -> bool:
    """Whether the page's text must not be passed on: it is not what the page shows."""
    return not _UNREADABLE.isdisjoint(warnings)


def needs_rescue(warnings: Collection[str]) -> bool:
    """Whether the page shows what was not read: another parser is to be tried, and then OCR."""
    return not (_BROKEN | {NO_TEXT, LITTLE_TEXT}).isdisjoint(warnings)


def is_bare(warnings: Collection[str]) -> bool:
    """Whether next to no text was found, whatever else the page shows."""
    return not {BLANK, NO_TEXT, LITTLE_TEXT}.isdisjoint(warnings)


def severity(warnings: Collection[str]) -> int:
    """How much of a page's text is noise: 0 none, 1 a part, 2 all. Of two readings the lesser is to be kept."""
    if is_unreadable(warnings):
        return 2
    return 0 if _BROKEN.isdisjoint(warnings) else 1


def is_garbled(line: str) -> bool:
    """Whether a line was drawn with a font whose character map is wrong.

    For pages marked :data:`PARTLY`, where a heading in such a font stands among sound lines. Foreign names have
    syllables that are rare in Korean too, but not a third of them.
    """
    odd = len(_UNKNOWN.findall(line))
    return odd >= 3 and odd >= 0.3 * (len(_HANGUL.findall(line)) + len(_PRIVATE.findall(line)))


def without_rare(text: str) -> str:
    """The text with U+FFFD for each syllable outside KS X 1001, the 2,350 that Korean was written with before Unicode.

    For pages marked :data:`PARTLY`: a word or two in the broken font, such as 컪비스, make no garbled line. Of the
    syllables that a wrong map gives, four in five lie outside.
    """
    # The codec spells the others with eight bytes.
    return _HANGUL.sub(lambda one: one[0] if len(one[0].encode("euc_kr")) == 2 else "\ufffd", text)


def ink_outside(gray: NDArray[np.uint8], content: PageContent) -> float:
    """How much a page draws beside its text: the share of pixels that differ clearly from their left neighbour.

    Edges, since a coloured background has none and a table or a scanned paragraph is full of them. Their share falls
    as the resolution grows; the answer is that of :data:`INK_DPI`.

    Args:
        gray: The page drawn, best with :data:`INK_DPI` dots an inch, shape (height, width), 0 black to 255 white.
        content: Says where the page's own characters are; they do not count.
    """
    import numpy as np

    if gray.size == 0 or gray.shape[1] < 2:
        return 0.0
    edges = np.abs(np.diff(gray.astype(np.int16), axis=1)) > 40
    high, wide = edges.shape
    if content.width > 0 and content.height > 0:
        scale_x, scale_y = wide / content.width, high / content.height
        for left, bottom, right, top in _text_places(content):
            upper, lower = int((content.height - top) * scale_y) - 1, int((content.height - bottom) * scale_y) + 2
            first, last = int(left * scale_x) - 1, int(right * scale_x) + 2
            edges[max(0, upper) : max(0, lower), max(0, first) : max(0, last)] = False
        return float(edges.mean() * scale_x * 72 / INK_DPI)
    return float(edges.mean())


def has_picture(content: PageContent) -> bool:
    """Whether pictures without text over them, large enough to hold a table, stand on a page.

    A picture that text stands over is a background, or a scan with its text layer.
    """
    import numpy as np

    boxes, page = content.extra.get("pictures"), content.width * content.height
    if boxes is None or not len(boxes) or page <= 0:
        return False
    boxes = np.clip(boxes, 0, [content.width, content.height] * 2)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    if areas.sum() < _PICTURE * page:
        return False
    sides = content.boxes[content.boxes.any(axis=1)]
    sizes = (sides[:, 2] - sides[:, 0]) * (sides[:, 3] - sides[:, 1])
    x, y = (sides[:, 0] + sides[:, 2]) / 2, (sides[:, 1] + sides[:, 3]) / 2
    shown = 0.0
    for (left, bottom, right, top), area in zip(boxes.tolist(), areas.tolist(), strict=True):
        over = sizes[(x > left) & (x < right) & (y > bottom) & (y < top)].sum()
        shown += area if over < _WRITTEN * area else 0.0
    return shown >= _PICTURE * page


def _text_places(content: PageContent) -> Iterator[tuple[float, float, float, float]]:
    """Boxes of lines, or of runs of characters where the parser gave those instead of each character's."""
    yield from content.extra.get("runs", ())
    for line in _LINE.finditer(content.text):
        boxes = content.boxes[line.start() : line.end()]
        boxes = boxes[boxes.any(axis=1)]  # the parser's own characters have no place
        if len(boxes):
            (left, bottom), (right, top) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
            yield left, bottom, right, top


def damage(data: bytes) -> str:
    """How a file was damaged before it came here, or an empty string.

    A PDF that was stored as text lost every byte that is no UTF-8: each became the three bytes of U+FFFD. Its frame
    still opens, and its pages come out empty. In compressed data those three bytes meet once in 16 million.
    """
    lost = data.count(b"\xef\xbf\xbd")
    if lost < 20 or lost * 10_000 < len(data):
        return ""
    return f"{lost:,} bytes were lost when the file was saved as text"


def _has_wrong_finals(hangul: _Counts) -> bool:
    """Glyphs numbered in the order of Unicode and shifted by a few places: each syllable gets a final consonant."""
    total = sum(hangul.values())
    finals: Counter[int] = Counter()
    for char, count in hangul.items():
        finals[(ord(char) - 0xAC00) % 28] += count
    rare = sum(count for final, count in finals.items() if final not in _USUAL_FINALS)
    return total >= 30 and finals[0] < 0.15 * total and rare >= 0.25 * total


def _lacks_common(hangul: _Counts) -> bool:
    total = sum(hangul.values())
    return total >= 30 and sum(count for char, count in hangul.items() if char in COMMON) < _COMMON_LEAST * total


def _is_soup(visible: str, odd: _Counts) -> bool:
    """Letters that do not stand together in any language."""
    han = "".join(_HAN.findall(visible))
    if len(han) >= 30 and len(han) >= 0.2 * len(visible) and not _is_han_text(han):
        return True
    # Korean, Chinese or Japanese bytes that were taken for Western letters: À±ÇÐ.
    western = sum(count for char, count in odd.items() if "\u00c0" <= char <= "\u024f" and char.isalpha())
    if western >= 0.2 * len(visible):
        return True
    scripts: Counter[str] = Counter()
    for char, count in odd.items():
        if char.isalpha():
            scripts[unicodedata.name(char, "?").split()[0]] += count
    foreign = [count for name, count in scripts.items() if name not in _EXPECTED_SCRIPTS]
    return len(foreign) >= 3 and sum(foreign) >= 0.15 * len(visible)


def _is_han_text(han: str) -> bool:
    """Chinese characters in use lie in one of three national sets, each a fifth to a third of all there are."""
    return any(len(han.encode(name, "ignore")) / 2 >= 0.75 * len(han) for name in ("euc_kr", "gb2312", "shift_jis"))


def _is_cipher(text: str, counts: _Counts, hangul: int) -> bool:
    """Glyph numbers shown as ASCII: words that no language spells, or more signs than a page of prose has."""
    if sum(counts.get(sign, 0) for sign in _SIGNS) >= max(_LEAST, 0.2 * sum(counts.values())):
        drawn = "".join(_REPEATS.sub(r"\1", _URL.sub("", text)).split())
        if sum(map(drawn.count, _SIGNS)) >= max(_LEAST, 0.35 * len(drawn)):
            return True
    latin = sum(count for char, count in counts.items() if char.isascii() and char.isalpha())
    if latin < 60 or latin < 0.6 * (latin + hangul):
        return False
    text = _URL.sub("", text)
    # An alphabet written out is a font's sample, no cipher.
    pairs = [a + b for run in _LATIN_RUN.findall(text.lower()) for a, b in pairwise(run) if ord(b) - ord(a) != 1]
    return len(pairs) >= 60 and sum(map(bool, map(_PAIRS.fullmatch, pairs))) < _PAIRS_LEAST * len(pairs)


def _holed_share(raw: str) -> float:
    """Share of the words that lack a character. With half of them gone, what is left says nothing of its own."""
    words = _WORD.findall(raw)
    return sum(_BREAK.search(word) is not None for word in words) / max(_FEW_WORDS, len(words))


def _garbled_share(text: str) -> float:
    """Share of the Hangul that stands in garbled lines."""
    total = len(_HANGUL.findall(text))
    if total < 30 or len(_UNKNOWN.findall(text)) < 3:
        return 0.0
    return sum(len(_HANGUL.findall(line)) for line in text.split("\n") if is_garbled(line)) / total
