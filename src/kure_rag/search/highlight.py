"""Where words of a query stand in a passage."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Final
from unicodedata import combining, is_normalized, normalize

from kure_rag.tokenize import Tokenizer

Span = tuple[int, int]
_JAMO: Final = re.compile("[\u1160-\u11ff]")  # vowels and final consonants, which join the letter before them


def highlights(tokenizer: Tokenizer, terms: Sequence[Collection[str]], texts: Sequence[str]) -> list[tuple[Span, ...]]:
    """Spans of the characters from which matched terms were made.

    A verb is marked by its stem: of 지급하고 the letters 지급 and 하 may be terms, the ending is none.

    Args:
        tokenizer: The index's own.
        terms: What is looked for, one collection a text.
        texts: In any form; an entry's may be decomposed.

    Returns:
        For each text (start, end) of each match, ascending; those that overlap or touch are one.
    """
    ready = [composed(text) for text in texts]
    out = []
    for wanted, sentences, (_, places) in zip(
        terms, tokenizer.sentences([one for one, _ in ready]), ready, strict=True
    ):
        found = {(t.start, t.end) for s in sentences for t in s.terms if t.form in wanted and t.start < t.end}
        if places is not None:
            found = {(places[start][0], places[end - 1][1]) for start, end in found}
        out.append(merged(found))
    return out


def composed(text: str) -> tuple[str, list[Span] | None]:
    """A text in NFC, and for each of its characters what it was made of; ``None`` where it is in NFC already."""
    if is_normalized("NFC", text):
        return text, None
    parts, places, begin = list[str](), list[Span](), 0
    for end in range(1, len(text) + 1):
        if end < len(text) and (combining(text[end]) or _JAMO.match(text[end])):
            continue  # it may become one with what is before it
        part = normalize("NFC", text[begin:end])
        parts.append(part)
        places += [(begin, end)] * len(part)
        begin = end
    whole = "".join(parts)
    return (whole, places) if whole == normalize("NFC", text) else (text, None)


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans, ascending; those that overlap or touch are one."""
    out: list[Span] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return tuple(out)
