"""Which rows of a table are its header, and one name for each column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from kure_rag.read.tables.cells import Table
from kure_rag.read.tables.glyphs import is_number, squeezed

_DEEPEST: Final = 4  # rows a header may have
_LONG: Final = 35  # characters: what is longer is a value, not a name
_PERIOD = re.compile(
    r"[‘’'`]?\d{2,4}(?:\.\s?\d{1,2})?\s?(?:년도?|월|분기|말|[./]?\d?[QH])?(?:\s?[~∼-]\s?[‘’'`]?\d.*)?$|\d/4분?기?$|D[-+]?\d?년?$|\d{1,2}(?:개월|년|월|주|일|분기)\s?(?:차|말|누적)?$|20\d\d[EF]?$"
)
_NAMES: Final = frozenset(
    (
        "구분 항목 내용 비고 번호 연번 순번 순위 종목명 종목 명칭 이름 성명 제목 세부인정사항 기관 기관명 역할 현황 등급 배점 합계 계 금액 비율 비중"
        " 물질명 성분 구성성분 구성 분류 코드 요구사항 평가항목 평가기준 세부내용 주요내용 설명 개수 질의 답변 학년 클래스 기준 단위 수량 일자 날짜"
        " 기간 대상 근거 사유 담당 부서 직위 구분명 변경전 변경후 개정전 개정후 현행 개정 개정안 종전 신설 상품명 제품명 성분명 용량 용법 상병 적용기한"
        " 급여기준 검토의견 사업명 예산 실적 목표 지표 업종 지역 시기 방법 조항 조문 no no."
    ).split()
)


def header_depth(table: Table) -> int:
    """Rows at the top that name the columns; 0 for forms and for tables that begin with values."""
    rows, width = len(table), len(table[0])
    depth = max(cell.height for cell in table[0])
    if depth >= rows or depth > _DEEPEST or any(cell.height > depth for row in table[:depth] for cell in row):
        return 0
    depth = _with_group_names(table, depth)
    first = {id(cell): cell.text for cell in table[0]}
    if depth >= rows or len(first) < 2:
        return 0
    names = [table[depth - 1][c].text for c in range(width)]
    if not all(map(_is_name, first.values() if depth > 1 else names)):
        return 0
    if depth > 1 or _knows(first.values()):
        return depth
    body = [
        [table[r][c].text for r in range(depth, rows) if table[r][c].width == table[depth - 1][c].width]
        for c in range(width)
    ]
    return depth if _differs(names, body) else 0


def _with_group_names(table: Table, depth: int) -> int:
    """A row below one that names groups belongs to the header where nothing stands at its left."""
    while depth < min(len(table) - 1, _DEEPEST):
        above, row = table[depth - 1], table[depth]
        grouped = any(1 < cell.width < len(above) for cell in above)
        if not grouped or row[0].text not in ("", above[0].text) or not all(_is_name(cell.text) for cell in row):
            return depth
        if all(is_number(cell.text) and not _PERIOD.match(cell.text) for cell in row[1:] if cell.text):
            return depth
        depth += 1
    return depth


def _is_name(value: str) -> bool:
    if len(squeezed(value)) > _LONG:
        return False
    return not (is_number(value) and not _PERIOD.match(value)) and not value.endswith(("다.", "함.", "음."))


def _knows(names: Sequence[str]) -> bool:  # type: ignore[misc]
    return any("".join(re.split(r"[(\[]", name)[0].split()).lower() in _NAMES for name in names)


def _differs(names: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether columns of numbers, or of long text, stand below short names."""
    telling = 0
    for name, values in zip(names[1:], body[1:], strict=True):
        filled = [value for value in values if value]
        if not filled:
            continue
        numbers = sum(is_number(value.split(" ")[0]) for value in filled) >= 0.6 * len(filled)
        if not numbers and re.search(r"\d", name) and not _PERIOD.match(name):
            return False
        if numbers and not is_number(name.replace(" ", "")) or numbers and _PERIOD.match(name):
            telling += 1
        elif len(name) <= 12 and sum(map(len, filled)) / len(filled) > 3 * max(len(name), 4):
            telling += 1
    return telling >= max(1, 0.5 * (len(names) - 1))


def flattened(table: Table, depth: int) -> tuple[str, ...]:
    """One name a column: the names above it from top to bottom, each once, with ``>`` between."""
    names = []
    for c in range(len(table[0])):
        above = {id(table[r][c]): table[r][c].text for r in range(depth)}
        names.append(" > ".join(text for text in above.values() if text))
    return tuple(names)
