"""Which documents belong together: a statute, its decree and its rules."""

from __future__ import annotations

import re
from typing import Final

from kure_rag.train.domain_data import DomainData

# A file's name has an ending, and those of the national law portal the kind, number and date of the statute.
_AFTER_NAME: Final = re.compile(r"(?:\s*\([^()]*\))*(?:\.\w{1,4})?$")
_DECREE: Final = re.compile(r"\s*(?:시행령|시행규칙)$")


def families(data: DomainData) -> dict[str, str]:
    """Passage's id → its document, or what its document has in common with others.

    도로교통법, 도로교통법 시행령 and 도로교통법 시행규칙 are one: the latter repeat and fill in what the first says.
    """
    names = {id_: _AFTER_NAME.sub("", passage.title or passage.document) for id_, passage in data.passages.items()}
    decreed = {_plain(_DECREE.sub("", name)) for name in set(names.values()) if _DECREE.search(name)} - {""}
    found = {}
    for id_, name in names.items():
        statute = _plain(_DECREE.sub("", name))
        found[id_] = statute if statute in decreed else data.passages[id_].document
    return found


def _plain(name: str) -> str:
    return "".join(name.split())
