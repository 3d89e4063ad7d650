"""Which rows of a table are its header, and one name for each column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from kure_rag.read.tables.cells import Table
from kure_rag.read.tables.glyphs import is_number, squeezed

_DEEPEST: Final = 4  # rows a header may have
_SHORT: Final = 15  # characters of a name that needs no other evidence
_LONG: Final = 35  # characters: what is longer is a value, not a name
_PERIOD = re.compile(
    r"[‘’'`]?(?:"
    r"\d{2,4}(?:\.\s?\d{1,2})?\s?(?:년도?|월|분기|말|[./]?\d?[QH])?|\d/4분?기?|\d{1,2}(?:개월|년|월|주|일|분기)\s?(?:차|말|누적)?"
    r"|\d{1,2}\.\d{1,2}일?|20\d\d[EF]?|D[-+]?\d?년?"
    r")(?:\s?[~∼-]\s?[‘’'`]?\d.*)?(?:\d\))?$"
)
_CODE = re.compile(r"[A-Z]{1,4}[-.]?\d[\dA-Z.~∼-]*")  # I60, M00.0
_AMOUNT = re.compile(r"\d[\d,./~∼]*\s?(?P<unit>[가-힣A-Za-z㎎㎖㎍℃%]{1,3})")  # 1/2정, 5 mg
_RATE = re.compile(r"\([^()]*\d[^()]*%[^()]*\)$")  # 흔하게(1~10%)
_ITEM = re.compile(r"\s*(?:[-·ㆍ•○●□■◦※*▪]|\d{1,2}[.)]\s|[①-⑳]|[가-하][.)]\s)")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# What only heads a column, without white space.
_NAMES: Final = frozenset(
    _words(
        """
        구분 항목 내용 비고 번호 연번 순번 순위 종목명 종목 명칭 이름 제목 세부인정사항 기관
        기관명 역할 등급 배점 물질명 성분 구성성분 분류 코드 평가항목 평가기준 세부내용 주요내용
        설명 개수 질의 답변 학년 클래스 수량 시기 변경전 변경후 개정전 개정후 현행 개정 개정안
        종전 신설 상품명 제품명 성분명 용량 용법 적용기한 검토의견 업종 조문 no no.
        계정과목 과목 금액 비율 비중 단위 명세 업종구분 구성 공제율 감면율 세율 줄번호 혈관명
        시술혈관 분야
        기관계 신체기관계 기관계대분류 병용약물 상호작용약물 매우흔하게 흔하게 흔하지않게 드물게 매우드물게 빈도불명
        """
    )
)
_ENDINGS: Final = _words(
    "항목 기준 방법 내용 구분 번호 금액 점수 여부 비고 의견 사유 코드 분류 기간 일자 연월일 no. 유형 위원 단체"
)
# Names of a form's rows; those that end in one of _ENDINGS are too.
_FORM_ENDINGS: Final = _words(
    """
    성명 이름 학력 경력 자격 주소 소재지 전화 연락처 이메일 소속 직위 직급 전공 학교 대표자 담당자 신청인 제출처
    대상 목적 개요 일시 장소 규모 예산 제조원 판매원 수입원 제조사 제품명 성분명 성상 제형 효능 효과 용법 용량
    저장 보관 포장 서명 날인 특징 현황 계획
    """
)


def header_depth(table: Table) -> int:
    """Rows at the top that name the columns; 0 for forms and for tables that begin with values."""
    rows, width = len(table), len(table[0])
    depth = max(cell.height for cell in table[0])
    if depth >= rows or depth > _DEEPEST or any(cell.height > depth for row in table[:depth] for cell in row):
        return 0
    depth = _with_group_names(table, depth)
    first = list({id(cell): cell.text for cell in table[0]}.values())
    if depth >= rows or len(first) < 2:
        return 0
    names = [table[depth - 1][c].text for c in range(width)]
    grouped = depth > 1 and any(1 < cell.width < width and cell.height < depth for cell in table[0])
    if not all(map(_is_name, first if grouped else [*first, *names])):
        return 0
    if grouped or _is_two_line(table, depth) or _known(first) >= 2 or (first[0] and _knows(first[0])):
        return depth
    body = [
        [table[r][c].text for r in range(depth, rows) if table[r][c].width == table[depth - 1][c].width]
        for c in range(width)
    ]
    told = _differs(names, body, len(first)) or _heads_text(names, body) or _heads_rates(names, body)
    return depth if told or _is_shorter(names, body) else 0


def _is_two_line(table: Table, depth: int) -> bool:
    """Whether each column has a name and, in a row below, a note to it: 흔하게 above (1~10%)."""
    above = [cell for row in table[:depth] for cell in row]
    below = table[depth:]
    if depth < 2 or len(below) < 2 or len(table[0]) < 3 or table[0][0].height < depth:
        return False
    if any(cell.width > 1 or len(cell.text) > _SHORT or not cell.texts for cell in above):
        return False
    return all(row[0].height == 1 for row in below)


def _with_group_names(table: Table, depth: int) -> int:
    """A row below one that names groups belongs to the header where it names the columns of the groups."""
    while depth < min(len(table) - 1, _DEEPEST):
        above, row = table[depth - 1], table[depth]
        if not any(1 < cell.width < len(above) for cell in above):
            return depth
        names = list({id(cell): cell.text for cell in row}.values())
        if not all(map(_is_name, names)) or len(names) <= len({id(cell) for cell in above}):
            return depth
        begins = row[0].text in ("", above[0].text)
        if not begins and not (all(cell.width > 1 for cell in above) and _known(names) >= 0.5 * len(names)):
            return depth
        if all(is_number(name) and not _PERIOD.match(name) for name in names[1:] if name):
            return depth
        depth += 1
    return depth


def _is_name(value: str) -> bool:
    if len(squeezed(value)) > _LONG or _ITEM.match(value):
        return False
    return not (is_number(value) and not _PERIOD.match(value)) and not value.endswith(("다.", "함.", "음."))


def _bare(name: str) -> str:
    return "".join(re.split(r"[(\[]", name)[0].split()).lower()


def _knows(name: str) -> bool:
    return _bare(name) in _NAMES


def _known(names: Sequence[str]) -> int:
    return sum(_knows(name) or (len(_bare(name)) <= 10 and _bare(name).endswith(_ENDINGS)) for name in names)


def _differs(names: Sequence[str], body: Sequence[Sequence[str]], cells: int) -> bool:
    """Whether columns of numbers, or of long text, stand below short names."""
    telling = dated = 0
    for name, values in zip(names[1:], body[1:], strict=True):
        filled = [value for value in values if value]
        if not filled:
            continue
        numbers = sum(is_number(value.split(" ")[0]) for value in filled) >= 0.6 * len(filled)
        alike = _are_alike(name, filled) and (cells > 2 or _known(names) > 0)
        if not (numbers or alike) and re.search(r"\d", name) and not _PERIOD.match(name):
            return False
        dated += all(re.search(r"\d", value) for value in filled)
        long = cells > 2 and len(name) <= 12 and sum(map(len, filled)) / len(filled) > 3 * max(len(name), 4)
        telling += numbers or long or alike
    plain = cells > 2 and all(name and len(name) <= 10 and not re.search(r"\d", name) for name in names)
    return telling >= max(1, 0.5 * (len(names) - 1)) or (plain and dated > 0)


def _are_alike(name: str, values: Sequence[str]) -> bool:
    """Whether all of several values are codes, or amounts of one unit, and the name is none."""
    if len(values) < 2 or _CODE.fullmatch(name) or _AMOUNT.fullmatch(name):
        return False
    amounts = [match["unit"] for match in map(_AMOUNT.fullmatch, values) if match]
    return all(map(_CODE.fullmatch, values)) or (len(amounts) == len(values) and len(set(amounts)) == 1)


def _heads_text(names: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether short names stand above longer text in the first column too, where a form has its names."""
    if len(set(names)) < len(names) or any(
        not 0 < len(squeezed(name)) <= 10 or re.search(r"\d", name) for name in names
    ):
        return False
    values = {squeezed(value) for value in body[0] if value}
    longer = all(len(value) >= max(10, 2 * len(squeezed(names[0]))) for value in values)
    return longer and len(values) > 1 and (len(names) > 2 or _known(names) > 0)


def _is_shorter(names: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether short names stand above longer words in all columns but the first, which holds no names of a form.

    As in 병용약물, 영향, 조치 above 심바스타틴, 혈중농도 증가, 1일 20 mg 이하.
    """
    if len(names) < 3 or len(set(names)) < len(names) or len(body[0]) < 2:
        return False
    if any(not 0 < len(squeezed(name)) <= 10 or re.search(r"[\d,.:]", name) for name in names):
        return False
    if len(set(body[0])) < len(body[0]) or _known(body[0]) or any(map(_is_form_label, body[0])):
        return False
    return all(
        all(values) and sum(len(squeezed(value)) for value in values) >= 1.5 * len(squeezed(name)) * len(values)
        for name, values in zip(names[1:], body[1:], strict=True)
    )


def _is_form_label(value: str) -> bool:
    name = _bare(value)
    return not name or name.endswith(_FORM_ENDINGS)


def _heads_rates(names: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether all names but the first say how often, as those above undesirable effects do, and nothing below does."""
    if len(names) < 3 or not names[0] or not all(map(_RATE.search, names[1:])):
        return False
    return not any(_RATE.search(value) for values in body for value in values)


def flattened(table: Table, depth: int) -> tuple[str, ...]:
    """One name a column: the names above it from top to bottom, each once, with ``>`` between."""
    names = []
    for c in range(len(table[0])):
        above = {id(table[r][c]): table[r][c].printed for r in range(depth)}
        names.append(" > ".join(text for text in above.values() if text))
    return tuple(names)
