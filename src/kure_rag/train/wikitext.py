"""MediaWiki's markup → plain text: what a reader of the article would read as running text.

Templates, tables, references, formulas and pictures are left out with all that is in them; links keep their words,
headings and list items their lines. Nothing is expanded, and every pass over a text takes time in proportion to its
length, also where brackets never close.
"""

from __future__ import annotations

import html
import re
from typing import Final

_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
# Elements whose content is no running text.
_DROPPED: Final = frozenset(
    (
        *("ref", "references", "math", "chem", "gallery", "imagemap", "timeline", "graph", "mapframe", "maplink"),
        *("syntaxhighlight", "source", "code", "pre", "score", "templatestyles"),
    )
)
_TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:[^<>\"']|\"[^\"<>]*\"|'[^'<>]*')*)>")
# Not `|}` in `{{a|}}`, where a template ends behind an empty argument.
_BRACKETS: Final = re.compile(r"\{\{|\}\}|\{\||\|\}(?!\}(?!\}))|\[\[|\]\]")
_CLOSED_BY: Final = {"{{": "}}", "{|": "|}", "[[": "]]"}
_EXTERNAL: Final = re.compile(r"\[(?:https?:)?//[^\s\]\[<>]*([^\]\[]*)\]")
_QUOTES: Final = re.compile(r"'{2,5}")
_SWITCH: Final = re.compile(r"__[A-Z]+__")
_HEADING: Final = re.compile(r"^(={1,6})\s*(.*?)\s*\1\s*$")
_LIST: Final = re.compile(r"^[*#:;]+\s*")
_SPACE: Final = re.compile(r"[ \t\u00a0]+")
_PLACES: Final = frozenset(["file", "image", "category", "media", "template", "파일", "그림", "분류", "미디어", "틀"])
_LANGUAGE: Final = re.compile(r"^[a-z]{2,3}(?:-[a-z]+)*$")


def plain_text(markup: str) -> str:
    """The running text of an article, one line a paragraph, list item or heading."""
    text = _COMMENT.sub("", markup)
    text = _without_elements(text)
    text = _without_brackets(text)
    text = _EXTERNAL.sub(lambda found: found.group(1).strip(), text)
    text = _SWITCH.sub("", _QUOTES.sub("", text))
    text = html.unescape(text)
    lines = (_SPACE.sub(" ", _line(line)).strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _line(line: str) -> str:
    line = line.strip()
    if heading := _HEADING.match(line):
        return heading.group(2)
    if line.startswith("----"):
        return line.lstrip("-")
    return _LIST.sub("", line)


def _without_elements(text: str) -> str:
    """Tags removed, and with some of them what stands between; one that never closes loses its tag alone."""
    tags = list(_TAG.finditer(text))
    ends: dict[str, list[int]] = {}
    for number, tag in enumerate(tags):
        if tag.group(1):
            ends.setdefault(tag.group(2).lower(), []).append(number)
    for numbers in ends.values():
        numbers.reverse()
    kept: list[str] = []
    place = number = 0
    while number < len(tags):
        tag = tags[number]
        name = tag.group(2).lower()
        kept.append(text[place : tag.start()])
        place = tag.end()
        number += 1
        if name == "br":
            kept.append("\n")
        if tag.group(1) or name not in _DROPPED or tag.group(3).rstrip().endswith("/"):
            continue
        following = ends.get(name, [])
        while following and following[-1] < number:
            following.pop()
        if following:
            number = following.pop() + 1
            place = tags[number - 1].end()
    return "".join((*kept, text[place:]))


def _without_brackets(text: str) -> str:
    """Templates and tables removed, links replaced by their words; brackets without a partner are removed alone."""
    # What was read inside each bracket that is open, and the bracket; the outermost has none.
    parts: list[tuple[str, list[str]]] = [("", [])]
    place = 0
    for found in _BRACKETS.finditer(text):
        parts[-1][1].append(text[place : found.start()])
        place = found.end()
        mark = found.group()
        if mark in _CLOSED_BY:
            parts.append((mark, []))
        elif len(parts) > 1 and _CLOSED_BY[parts[-1][0]] == mark:
            opened, inside = parts.pop()
            if opened == "[[":
                parts[-1][1].append(_words("".join(inside)))
    parts[-1][1].append(text[place:])
    # Markup that never closes is a fault of the page: keep what its lost bracket stood before.
    return "".join("".join(inside) for _, inside in parts)


def _words(link: str) -> str:
    """What a link shows: nothing for pictures, categories and other languages."""
    target, _, rest = link.partition("|")
    place, colon, _ = target.partition(":")
    if colon and (place.strip().lower() in _PLACES or _LANGUAGE.match(place.strip())):
        return ""
    return rest.rpartition("|")[2] if rest else target.lstrip(":")
