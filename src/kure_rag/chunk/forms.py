"""Forms: tables without column names whose first rows say what the rest is about.

A request for proposals has one for each requirement: 「요구사항 고유번호 | SFR-002」, 「요구사항 명칭 | 관리
프로그램」 and then a page of text, of which each passage has to say which requirement it is.
"""

from __future__ import annotations

import re
from typing import Final

from kure_rag.types import Table

_FIRST: Final = 4  # rows in which a form names its subject
_MOST: Final = 2  # lines
_LONGEST: Final = 80  # characters of each
_NAMES: Final = re.compile(r"(?:번호|명칭|제목|이름|코드|I\.?D\.?|(?<![설증서표분조투해규])명)$")


def form_head(table: Table, before: int) -> str:
    """What a form is about, as lines 「요구사항 명칭: 관리 프로그램」; empty where it does not say so.

    Args:
        table: A table.
        before: Only rows above this one count; those from it on are where the lines are needed.
    """
    if any(name.strip() for name in table.header):
        return ""
    found: list[str] = []
    for row in table.rows[: min(_FIRST, before)]:
        cells = list(dict.fromkeys(" ".join(cell.split()) for cell in row if cell.strip()))
        if len(cells) != 2 or _NAMES.search("".join(cells[0].split())) is None:
            continue
        line = f"{cells[0]}: {cells[1]}"
        if len(line) <= _LONGEST:
            found.append(line)
    return "\n".join(found[:_MOST])
