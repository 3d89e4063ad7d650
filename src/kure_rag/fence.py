"""How words of documents stand in a prompt: between tags that they can neither end nor begin."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_BLANK: Final = re.compile(  # not drawn, though of another category than Cf: fillers, and what selects variants
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
_OPENING: Final = r"[<‹〈⟨]"
_SLASH: Final = r"[/⁄∕]"
_PASSAGE: Final = "passage"


def fenced(number: int, place: str, text: str) -> str:
    """A passage as a language model reads it: its number, and all that is the document's own between tags.

    File names and headings are the document's words too: they stand inside, on one line.

    Example:
        >>> print(fenced(1, "취업규정.pdf p.2", "연차휴가는 15일로 한다."))
        [1]
        <passage>
        출처: 취업규정.pdf p.2
        연차휴가는 15일로 한다.
        </passage>

    Args:
        number: What the passage is cited by.
        place: Where it is from; none is shown where this is empty.
        text: Its words.
    """
    from_where = " ".join(place.split())
    inside = f"출처: {from_where}\n{text}" if from_where else text
    return f"[{number}]\n<passage>\n{without_tags(inside)}\n</passage>"


def without_tags(text: str, tag: str = _PASSAGE) -> str:
    """A text in which nothing can pass for the tags around it.

    What is not drawn is left out: a model may read over it, or read in it what nobody sees. Brackets, slashes and
    letters of other shapes, such as ``＜／ｐａｓｓａｇｅ＞``, count as the plain ones.

    Args:
        text: Words that somebody else wrote.
        tag: The name of the tags.
    """
    drawn = "".join(letter for letter in _BLANK.sub("", text) if _is_drawn(letter))
    plain = "".join(map(_plain, drawn))
    names = "|".join({re.escape(unicodedata.normalize(form, tag)) for form in ("NFC", "NFD")})
    begin = re.compile(rf"{_OPENING}(?=\s*{_SLASH}?\s*(?:{names}))", re.IGNORECASE)
    kept, at = [], 0
    for found in begin.finditer(plain):
        kept += [drawn[at : found.start()], "<_"]
        at = found.end()
    return "".join([*kept, drawn[at:]])


def _is_drawn(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter) not in ("Cf", "Cc")


def _plain(letter: str) -> str:
    """A letter in its usual shape where that is one letter, too: places stay what they are."""
    usual = unicodedata.normalize("NFKC", letter)
    return usual if len(usual) == 1 else letter
