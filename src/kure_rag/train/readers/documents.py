"""Articles of statutes, one JSON object a line, to learn a domain's language from and to make questions about.

``law``, ``title`` and ``text`` must be there as strings; ``article`` (its number) and ``domain`` may be. An article
without a text, as repealed ones are, is left out and counted.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kure_rag.errors import CorpusFormatError
from kure_rag.read.corpus import read_objects, require_file
from kure_rag.train.readers.omissions import Omissions
from kure_rag.train.readers.records import LeftOutError, Record, fault, parsed, text_of
from kure_rag.train.readers.rows import Article

ARTICLE_EXAMPLE: Final = '{"law": "…", "article": "제1조", "title": "…", "text": "…"}'

_NEEDED: Final = ("law", "title", "text")
_OPTIONAL: Final = ("article", "domain")


def read_articles(
    path: Path, *, name: str = "", skip_faults: bool = False, omissions: Omissions | None = None
) -> Iterator[Article]:
    """Stream the articles of a ``.jsonl`` or ``.jsonl.gz`` file, in its order.

    Args:
        path: The file.
        name: What messages call it; its own name by default.
        skip_faults: Leave faulty rows out and count them, instead of raising at the first.
        omissions: Counts what is left out; without it, that is logged as a warning at the end.

    Raises:
        SourceNotFoundError: Nothing lies at that path, or a folder does. Raised at once.
        CorpusFormatError: A line breaks the format; raised when it is reached.
    """
    name = name or path.name
    require_file(path, name=name)
    return parsed(name, _records(path, name), _articles, skip_faults=skip_faults, omissions=omissions)


def _records(path: Path, name: str) -> Iterator[tuple[str, Record]]:
    number = 0
    for number, row in read_objects(path, example=ARTICLE_EXAMPLE, name=name):
        yield f"line {number}", row
    if not number:
        raise CorpusFormatError(name, "empty, no article in it; give a file with at least one")


def _articles(name: str, place: str, record: Record) -> tuple[Article]:
    law, title, text = (record.get(key) for key in _NEEDED)
    if not (isinstance(law, str) and isinstance(title, str) and isinstance(text, str)):
        fault(name, place, "law, title and text must all be there, as strings")
    number, domain = (record.get(key) or "" for key in _OPTIONAL)
    if not (isinstance(number, str) and isinstance(domain, str)):
        fault(name, place, "article and domain must be strings where they are given")
    if not text.strip():
        raise LeftOutError("without a text, as repealed articles are")
    law, title, number = (unicodedata.normalize("NFC", value) for value in (law, title, number))
    text = text_of(name, place, "text", text)
    return (Article(law=law, title=title, text=text, article=number, domain=domain),)
