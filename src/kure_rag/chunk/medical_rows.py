"""The rows of tables of criteria and of questions: what their columns name and what a row across them all says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from kure_rag.chunk.base import Passage
from kure_rag.chunk.markers import find_marker
from kure_rag.chunk.medical_names import product_in
from kure_rag.chunk.nested_tables import outer_tables
from kure_rag.chunk.tables import TablePart
from kure_rag.types import Document, Table

_UNSAID: Final = re.compile(r"[<〈(].{0,12}[>〉)]|[-\s]*")  # <신설>, <현행과 같음>
_LONGEST: Final = 80  # characters of a cell that names; a longer one is a criterion
_LONGEST_NAMED: Final = 160  # of one that ends as names do
_ENDS_AS_NAME: Final = re.compile(r"(?:기준|방법|항목|범위|횟수|대상|사항|여부)\s?(?:\([^()]{1,30}\))?$")
_ENDED: Final = re.compile(r"[다음함됨임것][.)]*\s*$|[.>]\s*$")
_SENTENCE: Final = re.compile(r"(?:[다함됨]|것)\.?$")
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "item": ("항목", "구분", "분류", "약제명", "약제", "성분명"),
    "title": ("제목",),
    "product": ("품명", "제품명"),
    "question": ("질의", "질의내용", "질문", "문의"),
    "detail": (
        "세부인정사항",
        "세부인정기준",
        "세부인정기준및방법",
        "세부사항",
        "인정기준",
        "인정기준및방법",
        "급여기준",
        "급여인정기준",
    ),
    "other": ("비고", "답변", "연번", "현행", "개정", "사유", "개정사유"),
}
_KEYS: Final = {name: key for key, names in _COLUMNS.items() for name in names}
_CODE: Final = re.compile(
    r"(?<![가-힣])(?:공공-?|(?![제총각])[가-힣])\d{1,4}(?:-\d{1,2})?(?:[가-하](?![가-힣]))?(?:\s?\([\d가-하]{1,2}\))*"
)


def is_criteria(table: Table) -> bool:
    """Whether a table holds criteria, or the old and the new wording of them."""
    names = {_compact(part) for name in table.header for part in name.split(">")}
    return any(_KEYS.get(name) == "detail" for name in names) or {"현행", "개정"} <= names


@dataclass(frozen=True, slots=True)
class Row:
    """What a row says about itself.

    Attributes:
        cells: Its short cells by kind of column: item, title, product, question.
        place: The chapter that a row across all columns named last, such as 「Ⅲ. 치료재료 제5장 중재적 시술료」.
        detail: The criteria in it.
        plain: Whether it is such a row, or names the columns.
    """

    cells: Mapping[str, str]
    place: str = ""
    detail: str = ""
    plain: bool = False


class Rows:
    """The rows of a document's tables.

    Args:
        document: The document.
    """

    def __init__(self, document: Document) -> None:
        self._rows: dict[int, list[Row]] = {}
        above: Table | None = None
        last: Row | None = None
        for table in outer_tables(document.tables):
            goes_on = above is not None and _goes_on(document.text, above, table)
            rows = list(_rows(table, last if goes_on else None))
            self._rows[table.start] = _joined_titles(rows)
            above, last = table, rows[-1] if rows else None

    @property
    def ask(self) -> bool:
        """Whether any holds a question."""
        return any(row.cells.get("question") for rows in self._rows.values() for row in rows)

    def describe(self, table: Table, part: TablePart, passage: Passage) -> Passage:
        """A passage under the 항목 and 제목 of its rows; a pair of question and answer as such."""
        every = self._rows.get(table.start, [])[slice(*part.rows)]
        rows = [row for row in every if not row.plain]
        if len(every) == 1 and rows and (question := rows[0].cells.get("question")):
            return replace(passage, kind="qa", metadata={**passage.metadata, "question": question})
        cells = {key: value for key in ("item", "title", "product") if (value := _shared(rows, key))}
        place = _one([row.place for row in rows or every[-1:]])
        about: dict[str, Any] = dict(cells)
        if section := cells.get("title") or cells.get("item") or place:
            about["section"] = section
        if "product" in passage.metadata and not {"item", "title"} & cells.keys():
            about.pop("product", None)  # a label is of one product, whatever it lists
        elif "product" not in about and (product := product_in(" ".join(cells.values()))):
            about["product"] = product
        named = [cells[key] for key in ("title", "item") if key in cells]
        if codes := next(filter(None, map(_codes, named)), None):
            about["code"] = codes[0] if len(codes) == 1 else codes
        above = tuple(dict.fromkeys(part for part in (place, cells.get("item"), cells.get("title")) if part))
        known = {_compact(heading) for heading in passage.breadcrumb}
        crumb = (*passage.breadcrumb, *(heading for heading in above if _compact(heading) not in known))
        lead = "\n".join(filter(None, (_unnamed(line, cells.values()) for line in passage.lead.split("\n"))))
        return replace(passage, breadcrumb=crumb, lead=lead, metadata={**passage.metadata, **about})


def _unnamed(line: str, named: Iterable[str]) -> str:
    """A line of short cells without those that are in the breadcrumb now."""
    known = set(map(_compact, named))
    kept = [cell for cell in line.split(" | ") if _compact(cell) not in known and not _UNSAID.fullmatch(cell)]
    return line if " | " not in line and kept else " | ".join(kept)


def _rows(table: Table, before: Row | None) -> Iterator[Row]:
    columns = _columns(table.header)
    criteria = _of_criteria(columns) or any(_sub_header([" ".join(cell.split()) for cell in row]) for row in table.rows)
    place = before.place if before else ""
    chapter = False  # whether the row above was across all columns
    last = before
    for cells in table.rows:
        flat = [" ".join(cell.split()) for cell in cells]
        if own := _sub_header(flat):
            columns, chapter = own, False
            yield Row({}, place, plain=True)
            continue
        if criteria and (across := _across(flat)):
            place = f"{place} {across}" if chapter and find_marker(across) is None else across
            chapter, last = True, None
            yield Row({}, place, plain=True)
            continue
        chapter = False
        details = [cell for i, cell in enumerate(flat) if columns.get(i) == "detail" and not _UNSAID.fullmatch(cell)]
        row = Row(_said(columns, flat), place, next(reversed(details), ""))
        named = any(key in row.cells for key in ("item", "title"))
        if criteria and not named and last is not None:
            row = replace(row, cells={**last.cells, **row.cells})  # the rest of a row that a page cut
        if criteria:
            last = row
        yield row


def _columns(header: Sequence[str]) -> dict[int, str]:
    return {i: _KEYS.get(_compact(name.rpartition(">")[2]), "") for i, name in enumerate(header)}


def _sub_header(cells: Sequence[str]) -> dict[int, str] | None:
    """The columns that a row names: 제 목 | 세부인정사항 under 현행 and 개정."""
    said = [cell for cell in cells if cell]
    keys = [_KEYS.get(_compact(cell), "") for cell in cells]
    if len(said) < 2 or "detail" not in keys or any(_compact(cell) not in _KEYS for cell in said):
        return None
    return dict(enumerate(keys))


def _across(cells: Sequence[str]) -> str:
    """What a row says that is one cell across the table: 「Ⅰ. 행위 제2장 검사료」."""
    said = {cell for cell in cells if cell}
    text = next(iter(said), "")
    wide = len(said) == 1 and len([cell for cell in cells if cell]) > 1 and 2 * cells.count(text) > len(cells)
    return text if wide and _names(text) and not _UNSAID.fullmatch(text) else ""


def _said(columns: Mapping[int, str], cells: Sequence[str]) -> dict[str, str]:
    """Of 현행 > 항목 and 개정 > 항목 the last one that says something."""
    out: dict[str, str] = {}
    for i, cell in enumerate(cells):
        key = columns.get(i, "")
        if (key in ("item", "title", "product") and _names(cell) and not _UNSAID.fullmatch(cell)) or (
            key == "question" and cell and not _UNSAID.fullmatch(cell)
        ):
            out[key] = cell
    if not _of_criteria(columns):
        out.pop("item", None)  # 구분 may stand over anything else
    return out


def _of_criteria(columns: Mapping[int, str]) -> bool:
    return not {"title", "detail"}.isdisjoint(columns.values())


def _names(cell: str) -> bool:
    """Whether a cell may be a name, and not a criterion that slipped into its column."""
    marker = find_marker(cell)
    if not cell or (marker is not None and marker.style != "roman"):
        return False
    return len(cell) <= (_LONGEST_NAMED if _ENDS_AS_NAME.search(cell) else _LONGEST) and not _SENTENCE.search(cell)


def _joined_titles(rows: Sequence[Row]) -> list[Row]:
    """Rows with whole titles, where the lines of one title were taken for rows.

    They are where the text beside them is the same, or breaks off in the middle of a sentence.
    """
    out = list(rows)
    start = 0
    for i in range(1, len(out) + 1):
        if i < len(out) and _is_torn(out, i):
            continue
        titles = list(dict.fromkeys(row.cells.get("title", "") for row in out[start:i]))
        if i - start > 1 and len(titles) > 1 and all(titles):
            whole = " ".join(titles)
            out[start:i] = [replace(row, cells={**row.cells, "title": whole}) for row in out[start:i]]
        start = i
    return out


def _is_torn(rows: Sequence[Row], i: int) -> bool:
    above, below = rows[i - 1], rows[i]
    title = above.cells.get("title", "")
    if above.plain or below.plain or not title or not below.cells.get("title") or above.place != below.place:
        return False
    if above.cells.get("item") != below.cells.get("item"):
        return False
    if title == below.cells["title"]:
        return True
    return not _ENDS_AS_NAME.search(title) and (above.detail == below.detail or not _ENDED.search(above.detail))


def _goes_on(text: str, above: Table, table: Table) -> bool:
    same = [_compact(name) for name in above.header] == [_compact(name) for name in table.header]
    return same and any(table.header) and not table.caption and not text[above.end : table.start].strip()


def _shared(rows: Sequence[Row], key: str) -> str:
    return _one([row.cells.get(key, "") for row in rows])


def _one(values: Sequence[str]) -> str:
    """The value if it is the same for all."""
    return values[0] if values and len(set(values)) == 1 else ""


def _codes(name: str) -> list[str]:
    return list(dict.fromkeys("".join(match.group().split()) for match in _CODE.finditer(name)))


def _compact(text: str) -> str:
    return "".join(text.split())
