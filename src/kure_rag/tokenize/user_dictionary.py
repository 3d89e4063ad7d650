"""Terms of a user's own domain, for the analyser to keep whole: one a line, in UTF-8.

::

    중도해지이율
    온누리적금	NNP
    돌봄크레딧	NNG	2.5

A tag and a score may follow, each after a tab. The tag is one of Kiwi's (a name, ``NNP``, by default); the higher the
score, the more the analyser prefers the word over a cut, 0 being enough almost always. ``#`` begins a comment.
"""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kure_rag.errors import ConfigError
from kure_rag.tokenize.lines import content_lines

WORD_TAGS: Final = ("NNP", "NNG", "NNB", "NR", "VV", "VA", "MAG", "MM", "XR", "SL", "SH", "SN")
_LONGEST: Final = 100  # characters


@dataclass(frozen=True, slots=True, order=True)
class UserWord:
    """A word of the user's.

    Attributes:
        form: As it stands in texts, verbs and adjectives without 다.
        tag: Its part of speech by Kiwi's tags.
        score: Added to the analyser's score of an analysis with this word.
    """

    form: str
    tag: str = "NNP"
    score: float = 0.0


Dictionary = Path | str | Iterable[UserWord | str | Sequence[object]]


def read_dictionary(given: Dictionary) -> tuple[UserWord, ...]:
    """Words of a file, or of a list of words, or of lists of word, tag and score; sorted.

    Raises:
        ConfigError: A line or an entry makes no sense; the message names it.
    """
    words: dict[tuple[str, str], tuple[UserWord, str]] = {}
    for place, parts in _entries(given):
        word = _word(parts, place)
        earlier = words.setdefault((word.form, word.tag), (word, place))
        if earlier[0] != word:
            raise ConfigError(f"{place}: {word.form!r} stands at {earlier[1]} with another score; keep one of them")
    return tuple(sorted(word for word, _ in words.values()))


def dictionary_hash(words: Sequence[UserWord]) -> str:
    """Twelve hexadecimal digits that change with any word, tag or score."""
    listed = json.dumps([[word.form, word.tag, word.score] for word in words], ensure_ascii=False)
    return hashlib.sha256(listed.encode()).hexdigest()[:12]


def _entries(given: Dictionary) -> Iterable[tuple[str, Sequence[object]]]:
    if isinstance(given, str | Path):
        return [(f"{given}, line {number}", line.split("\t")) for number, line in content_lines(Path(given))]
    return [(f"user dictionary, entry {i}", _parts(entry)) for i, entry in enumerate(given, 1)]


def _parts(entry: UserWord | str | Sequence[object]) -> Sequence[object]:
    if isinstance(entry, UserWord):
        return entry.form, entry.tag, entry.score
    return (entry,) if isinstance(entry, str) else entry


def _word(parts: Sequence[object], place: str) -> UserWord:
    if not 1 <= len(parts) <= 3:
        raise ConfigError(f"{place}: holds {len(parts)} columns; write term, tag and score with a tab between each")
    given = [str(part).strip() for part in parts]
    form = unicodedata.normalize("NFC", given[0])
    if not form or len(form) > _LONGEST or any(not char.isprintable() for char in form):
        raise ConfigError(f"{place}: {form!r} is no term; write 1 to {_LONGEST} visible characters")
    tag = given[1] if len(given) > 1 and given[1] else "NNP"
    if tag not in WORD_TAGS:
        raise ConfigError(f"{place}: no tag named {tag!r}; choose one of {', '.join(WORD_TAGS)}")
    score = given[2] if len(given) > 2 and given[2] else "0"
    try:
        number = float(score)
    except ValueError:
        raise ConfigError(f"{place}: the score {score!r} is no number") from None
    if not math.isfinite(number):
        raise ConfigError(f"{place}: the score {score!r} is no finite number")
    return UserWord(form, tag, number)
