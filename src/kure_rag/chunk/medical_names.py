"""Names that drug labels and reimbursement criteria are built with, and how a drug's own name is told from a word."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from kure_rag.chunk.names import Found, NameFinder, Names

# 「다음과 같은 환자(경우)에는」, 「다음과 같은 사람은 이 약을 복용하기 전에 의사와」
_WHO: Final = r"다음(?:과\s?같은)?\s?(?:환자|사람|경우)(?:\s?\([^()]{1,15}\))?(?:에게는|에는|에게|은|는)?"
# 의약품 품목허가사항 and 첨부문서 (약사법 제58조; 의약품 표시 등에 관한 규정).
LABEL: Final = Names(
    {
        "제품명": ("제품명", "품목명", "품명", "약품명", "상품명"),
        "원료약품 및 분량": (
            "원료약품 및 그 분량",
            "원료약품·분량",
            "유효성분",
            "주성분",
            "성분 및 함량",
            "성분·함량",
            "성분명",
            "성분",
        ),
        "성상": ("성상",),
        "효능·효과": ("효능·효과", "효능", "적응증"),
        "용법·용량": ("용법·용량", "복용법", "투여방법"),
        "사용상의주의사항": ("사용상의 주의사항", "사용상 주의사항"),
        "저장방법": ("저장방법", "저장방법 및 사용기간", "저장방법·사용기간", "보관방법", "저장법"),
        "포장단위": ("포장단위", "포장"),
        "사용기간": ("사용기간", "사용기한", "유효기간"),
        "제조자": (
            "제조자",
            "제조원",
            "제조업자",
            "제조의뢰자",
            "제조·판매",
            "제조·수입자",
            "판매자",
            "판매원",
            "수입자",
            "수입원",
        ),
    },
    restart=("사용상의주의사항",),
)
PRECAUTIONS: Final = Names(
    {
        "경고": ("경고",),
        "금기": ("금기", "투여금기"),
        "신중 투여": ("신중투여",),
        "이상반응": ("이상반응", "약물이상반응", "부작용"),
        "일반적 주의": ("일반적 주의", "일반적 주의사항"),
        "상호작용": ("상호작용", "약물상호작용"),
        "임부 및 수유부": (
            "임부 및 수유부에 대한 투여",
            "임부 및 수유부에 투여",
            "임부에 대한 투여",
            "수유부에 대한 투여",
            "임부·수유부에 대한 투여",
            "임신부 및 수유부에 대한 투여",
        ),
        "소아": ("소아에 대한 투여", "소아에의 투여"),
        "고령자": ("고령자에 대한 투여", "고령자에의 투여", "노인에 대한 투여"),
        "신장애·간장애 환자": (
            "신장애 환자에 대한 투여",
            "간장애 환자에 대한 투여",
            "신장애·간장애 환자에 대한 투여",
            "신장애 환자 및 간장애 환자에 대한 투여",
        ),
        "과량투여": ("과량투여시의 처치", "과량투여 시의 처치", "과량투여", "과량투여시 처치"),
        "적용상의 주의": ("적용상의 주의", "적용상의 주의사항"),
        "보관 및 취급상의 주의사항": (
            "보관 및 취급상의 주의사항",
            "보관 및 취급상의 주의",
            "저장상의 주의사항",
            "보관·취급상의 주의사항",
        ),
        "임상검사치에의 영향": ("임상검사치에의 영향", "임상검사치에 대한 영향"),
        "전문가를 위한 정보": ("전문가를 위한 정보", "전문가를 위한 기타 정보"),
    },
    patterns={
        "금기": re.compile(
            rf"{_WHO}[^.]{{0,20}}(?:투여|복용|사용)하지\s?(?:말\s?것|마십?시오|않는다|않습니다|아니한다)\.?"
        ),
        "신중 투여": re.compile(rf"{_WHO}[^.]{{0,40}}(?:신중|상의|주의하여)[^.]{{0,20}}\.?"),
    },
    rank=50,
)
# 「[217] Sildenafil citrate 경구제 (품명: 레바티오정 20mg)」, 「[일반원칙] 당뇨병용제」: what the entries of 요양급여의
# 적용기준 및 방법에 관한 세부사항 are called. They rank between a chapter and the numbers under them.
CRITERION: Final = "급여기준"
FORMER: Final = "종전 고시"
CRITERION_RANK: Final = 46
# 「Ⅰ. 행위 제2장 검사료 중 …란을 다음과 같이 신설한다.」 says where the table under it belongs.
PLACE: Final = re.compile(
    r"(?P<place>(?!「)\S.{1,60}?)\s중\s(?!일부)[^\n]{2,300}(?:다음|아래)과?\s?같이\s?(?:[가-힣·ㆍ]{2,6}\s?)?한다\.?"
)
CRITERIA: Final = (
    Names(
        {FORMER: ("전 고시내용", "이전 고시내용", "변경 전 고시내용", "종전 고시내용")},
        patterns={
            CRITERION: re.compile(
                r"\[\s?(?:\d{2,4}(?:\s?[,~]\s?\d{2,4})*|일반\s?원칙|공통\s?사항)\s?\]\s?[^\s\])].{0,120}"
                r"(?<![다요음함됨임것][.)])(?<![함됨임])(?<!한다)"
            )
        },
        rank=CRITERION_RANK,
    ),
    Names({}, patterns={"개정 위치": PLACE}),
)
# 「(품명: 레바티오정 20mg)」
PRODUCT: Final = re.compile(
    r"\(\s?(?:품명|제품명)\s?[:：]\s?(?P<name>[^()\n]{1,60}(?:\([^()\n]{1,30}\)[^()\n]{0,30})*)\)"
)
_UNIT: Final = (
    r"(?:mg|㎎|g|㎍|[µμ]g|mcg|mL|ml|㎖|L|IU|I\.U\.|%|mEq|밀리그[램람]|마이크로그[램람]|그[램람]|밀리리터|리터"
    r"|(?:국제|만)?\s?단위|밀리몰|퍼센트)"
)
_STRENGTH: Final = rf"\d[\d.,]*\s?{_UNIT}?(?:\s?/\s?[\d.,]*\s?{_UNIT}?)*"
_FORM: Final = (
    r"(?:정|캡슐|시럽|산|세립|과립|주사액|주사|주|프리필드(?:시린지|펜)|펜|앰플|바이알|연고|크림|로션|로오숀|겔|젤"
    r"|점안액|점이액|점적액|내복액|흡입액|액|현탁액|좌제|질정|패[취치]|플라스타|카타플라스마|흡입제|스프레이|에어로솔"
    r"|트로키|환|분말|키트)"
)
_OTHER: Final = r"(?:\s?(?:\([^()\n]{1,60}(?:\([^()\n]*\)[^()\n]*)*\)|\[[^\[\]\n]{1,30}\]))"
BRAND: Final = re.compile(
    rf"(?P<before>(?:[가-힣A-Za-z][\w·-]*\s){{0,2}})(?P<stem>[\w·-]*[가-힣A-Za-z][가-힣A-Za-z]"
    rf"(?:{_FORM}(?:\s?(?P<strength>{_STRENGTH}))?|(?P<own>\d[\d.,/]*{_UNIT})))(?P<other>{_OTHER}{{0,3}})"
)
# Words that end as drugs do, alone or after another: 일부개정, 매주, 정맥주사, 질환, 구연산.
_WORD: Final = re.compile(
    r".*(?:"
    r"[가감개검걱결고공과교규긍단배방보부사산상선설수순시안약여열예인일재정제조지진책추측특판표한행협확]정"
    r"|[거격경공광금나매상성여영완원음이입전제진청충파]주|다음주"
    r"|(?:피하|정맥|근육|혈관|예방|점적|경막|[가-힣]내)주사"
    r"|(?:염|황|질|초|구연|인산|탄|지방|아미노|요|위|엽|계|도|부|생|예|유|자|재|정|청|출|합|해|환)산"
    r"|[가금세수잔차총타혈]액|[교반변상소순전질]환|내용액"
    r")"
)
# 「[연질캡슐]」 above the doses of one form.
_KIND: Final = re.compile(
    rf"(?:필름코팅|서방|장용|구강붕해|[연경]질|저작|발포|점안|점이|주사|내복|외용|흡입|건조)+(?:{_FORM})?"
)
_BETWEEN: Final = re.compile(r"\s?,\s?(?![^()]*\))")
_LONGEST: Final = 120
_CLASS: Final = r"(?:전문|일반|희귀|한외\s?마약)\s?의약품"
# 「전문의약품」, 「[일반의약품]」 above the name.
CLASS_LINE: Final = re.compile(rf"[\[(【<]?\s?{_CLASS}\s?[\])】>]?")
# 「[전문의약품] 가람정」, 「(일반의약품, 희귀의약품) 가람정」, 「전문의약품: 가람정」
_CLASS_BEFORE: Final = re.compile(
    rf"(?:(?P<marked>[\[(【<〔]\s?{_CLASS}(?:\s?[,/·]\s?[가-힣]{{2,12}})*\s?[\])】>〕])\s*[:：]?|{_CLASS}\s?(?:[:：]|(?=\s)))"
    r"\s*(?=\S)"
)
# 「[가람시럽]」; in round brackets stand substances, and names that were.
_BRACKETED: Final = re.compile(r"[\[【<〈《「『〔]\s?(?P<name>[^\[\]【】<>〈〉《》「」『』〔〕]+?)\s?[\]】>〉》」』〕]")
_REGISTERED: Final = re.compile(r"\s?(?:[®™Ⓡⓡ]|\((?:R|TM)\))\s?")
# 「가람정 사용설명서」: the paper, and no part of the name.
_PAPER: Final = re.compile(
    r"\s(?:(?:사용|제품)?\s?설명서|첨부\s?문서|허가\s?사항|(?:제품|의약품)\s?정보|복약\s?(?:안내|지도)서?)$"
)
# What follows a class in brackets is a drug's name, however spelled, if it is none of these.
_NO_NAME: Final = re.compile(
    r"의약품|품목|목록|허가|현황|안내|정보|기준|분류|표시|효능|용법|사용상|주의|설명서|관리|지정|심사|변경|신고|전환|개정"
    r"|[.:;,。]$|[다요함됨임음것]$"
)
_AFTER_CLASS: Final = re.compile(r"[가-힣A-Za-z][\w·-]+(?:\s?[\w·.,/%()\[\]-]+){0,4}")


def brand(line: str) -> bool:
    """Whether a line is the name of a drug, or of several, as labels print it: 「가람정5밀리그램(가람염산염)」."""
    return bool(product_name(line))


def product_name(line: str) -> str:
    """The drug that a line names, or several, as printed; empty where it names none.

    Without the class before it, brackets around it and the paper after it: 「가람®정」 of 「[전문의약품] 가람®정」.
    """
    if len(line) > _LONGEST:
        return ""
    name = without_class(line)
    marked = (found := _CLASS_BEFORE.match(line)) is not None and found["marked"] is not None
    name = _PAPER.sub("", name)
    if within := _BRACKETED.fullmatch(name):
        name = without_class(within["name"])
    name = _PAPER.sub("", name)
    if all(_is_brand(unregistered(one)) for one in _BETWEEN.split(name)):
        return name
    return name if marked and _AFTER_CLASS.fullmatch(unregistered(name)) and not _NO_NAME.search(name) else ""


def without_class(line: str) -> str:
    """A line without 「[전문의약품]」 at its head."""
    found = _CLASS_BEFORE.match(line)
    return line[found.end() :] if found else line


def unregistered(name: str) -> str:
    """A name without ® and ™, which labels print anywhere in it: 「가람®정」, 「가람정™ 5mg」."""
    return _REGISTERED.sub("", name)


def _is_brand(line: str) -> bool:
    match = BRAND.fullmatch(line)
    if match is None:
        return False
    sure = bool(match["strength"] or match["own"] or match["other"])
    return sure or not (match["before"] or _WORD.fullmatch(match["stem"]) or _KIND.fullmatch(match["stem"]))


def product_in(heading: str) -> str:
    """What stands after 품명 in a heading: 「레바티오정 20mg」."""
    match = PRODUCT.search(heading)
    return " ".join(match["name"].split()) if match else ""


class KnownLines(NameFinder):
    """Also finds lines of one document, which were chosen by what stands around them.

    Args:
        names: As in :class:`~kure_rag.chunk.names.NameFinder`.
        lines: Whole lines, without the marks they begin with; each is a heading over a criterion.
    """

    def __init__(self, names: Collection[Names], lines: Collection[str] = ()) -> None:
        super().__init__(tuple(names))
        self._lines = frozenset(lines)

    def find(self, line: str) -> Found | None:
        """The name a line begins with, or that of a criterion where the line is one of those given."""
        if line in self._lines:
            return Found(CRITERION, CRITERION_RANK, False, len(line))
        return super().find(line)
