"""The medical profile: drug labels, reimbursement criteria, guidelines, questions and answers.

A dose never stands without its drug, nor a criterion without the act it is for: both are in the breadcrumb and in the
metadata of every chunk.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from kure_rag.chunk.base import ChunkSettings, Passage, Section
from kure_rag.chunk.body import Body
from kure_rag.chunk.general import COMMON
from kure_rag.chunk.lists import Binding
from kure_rag.chunk.names import NameFinder, Names
from kure_rag.chunk.sentences import Sentences
from kure_rag.chunk.tables import TablePart
from kure_rag.types import Document, Table

# 「다음과 같은 환자(경우)에는」, 「다음과 같은 사람은 이 약을 복용하기 전에 의사와」
_WHO: Final = r"다음(?:과\s?같은)?\s?(?:환자|사람|경우)(?:\s?\([^()]{1,15}\))?(?:에게는|에는|에게|은|는)?"
# 의약품 품목허가사항 and 첨부문서 (약사법 제58조; 의약품 표시 등에 관한 규정).
LABEL: Final = Names(
    {
        "제품명": ("제품명", "품목명"),
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
_NAMES: Final = NameFinder((LABEL, PRECAUTIONS))
_LABEL: Final = NameFinder((LABEL,))
_OTHERS: Final = NameFinder(COMMON)
_BRAND: Final = re.compile(
    r"\S+(?:정|캡슐|시럽|산|과립|주사액|주사|주|연고|크림|겔|점안액|점적액|액|현탁액|좌제|패취|흡입제|필름코팅정|서방정"
    r"|밀리그람|밀리그램|mg|㎎|그램)(?:\s?\d[\d.,/]*\s?(?:mg|㎎|g|mL|밀리그[램람]|마이크로그[램람]|단위))?(?:\([^)\n]{1,40}\))?$"
)
_BINDING: Final = Binding(
    opens=re.compile(r"(?:Q\s?\d*\s?[.):]|(?:질의|질문|문)\s?\d*\s?[.):])\s*(?=\S)"),
    kind="qa",
    clings=re.compile(
        r"[\[(<*※\-·\s]*(?:권고\s?(?:등급|강도|수준)|근거\s?수준|근거의?\s?(?:수준|질|강도)|추천\s?등급"
        r"|(?:Class|Grade|Level)\s+(?:of\s+\w+|[A-DIVX\d]))"
    ),
)
_CODE: Final = re.compile(
    r"(?<![가-힣])(?![제총각])[가-힣]\d{1,4}(?:-\d{1,2})?(?:[가-하](?![가-힣]))?(?:\([\d가-하]{1,2}\))*"
)
_LABEL_NAMES: Final = 2  # a drug label has more than one of the sections above
_FIRST_LINES: Final = 8
_UNSAID: Final = re.compile(r"[<〈(].{0,12}[>〉)]|[-\s]*")  # <신설>, <현행과 같음>
_COLUMNS: Final = {
    "item": ("항목", "구분", "분류"),
    "title": ("제목",),
    "question": ("질의", "질의내용", "질문", "문의"),
}


@dataclass(frozen=True, slots=True)
class Medical:
    """Drug labels, reimbursement criteria, guidelines, questions and answers.

    Metadata: ``product``, the drug a label is of; ``section``, the innermost section known by name (``용법·용량``,
    ``이상반응``); for a row of reimbursement criteria ``item``, ``title`` and ``code`` (``자651-2``); for a pair of
    question and answer ``question``. Such a pair has ``kind`` ``qa`` and is one passage unless it is over the limit.
    """

    name: str = "medical"
    version: str = "1"

    def passages(self, document: Document, sentences: Sentences, settings: ChunkSettings) -> list[Passage]:
        """See :class:`~kure_rag.chunk.base.Profile`."""
        body = Body(document, sentences, settings, _BINDING, _with_row)
        sections = body.sections(_NAMES)
        names = {_LABEL.name_of(heading) for section in sections for heading in section.headings} - {None}
        label = len(names) >= _LABEL_NAMES
        if not label:
            sections = body.sections(_OTHERS)
        products = _products(document, sections) if label else []
        out: list[Passage] = []
        for section in sections:
            at = bisect_right(products, section.body, key=lambda product: product[0])
            product = products[max(0, at - 1)][1] if products else ""
            crumb = (product,) if product and product != document.title else ()
            name = next(filter(None, map(_NAMES.name_of, reversed(section.headings))), None) if label else None
            about = {key: value for key, value in (("product", product), ("section", name)) if value}
            # What the line 제품명 said stands in its place.
            headings = [h for h in section.headings if not product or _LABEL.name_of(h) != "제품명"]
            out.extend(body.passages(section, (document.title, *crumb, *headings), about))
        return out


def _products(document: Document, sections: Sequence[Section]) -> list[tuple[int, str]]:
    """The products of a label, each from its offset on: what its 제품명 says, its first line, or the title."""
    text = document.text
    found = [
        (section.body, name)
        for section in sections
        if section.headings and _LABEL.name_of(section.headings[-1]) == "제품명"
        if (name := _first_line(text[section.body : section.end]))
    ]
    if found:
        return found
    first = next((section.start for section in sections if any(map(_LABEL.name_of, section.headings))), 0)
    lines = [line.strip() for line in text[:first].split("\n") if line.strip()][:_FIRST_LINES]
    brand = next((line for line in lines if len(line) <= 60 and _BRAND.match(line)), None)
    return [(0, brand or document.title)]


def _first_line(text: str) -> str:
    lines = [" ".join(line.split()).strip(" :") for line in text.split("\n")]
    return next((line for line in lines if line), "")[:80]


def _with_row(table: Table, part: TablePart, passage: Passage) -> Passage:
    """A row of criteria under its 항목 and 제목; a pair of question and answer as such."""
    first, last = part.rows
    if last - first != 1 or first >= len(table.rows):
        return passage
    # Of 현행 > 항목 and 개정 > 항목 the last one that says something.
    cells: dict[str, str] = {}
    for name, cell in zip(table.header, table.rows[first], strict=False):
        column = "".join(name.rpartition(">")[2].split())
        key = next((key for key, names in _COLUMNS.items() if column in names), "")
        if key and not _UNSAID.fullmatch(cell.strip()):
            cells[key] = " ".join(cell.split())
    if question := cells.get("question"):
        return replace(passage, kind="qa", metadata={**passage.metadata, "question": question})
    above = tuple(dict.fromkeys(cells[key] for key in ("item", "title") if cells.get(key)))
    if "title" not in cells or not above:
        return passage
    # The short cells are in the breadcrumb now.
    lead = "\n".join(line for line in passage.lead.split("\n") if line and " ".join(above) != line.replace(" | ", " "))
    about = {key: cells[key] for key in ("item", "title") if cells.get(key)}
    if code := next((match.group() for cell in reversed(above) if (match := _CODE.search(cell))), None):
        about["code"] = code
    return replace(passage, breadcrumb=(*passage.breadcrumb, *above), lead=lead, metadata={**passage.metadata, **about})
