"""Where words of a query stand in a passage."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from kure_rag.tokenize import Tokenizer

Span = tuple[int, int]


def highlights(tokenizer: Tokenizer, terms: Sequence[Collection[str]], texts: Sequence[str]) -> list[tuple[Span, ...]]:
    """Spans of the characters from which matched terms were made.

    A verb is marked by its stem: of 지급하고 the letters 지급 and 하 may be terms, the ending is none.

    Args:
        tokenizer: The index's own.
        terms: What is looked for, one collection a text.
        texts: In NFC.

    Returns:
        For each text (start, end) of each match, ascending; those that overlap or touch are one.
    """
    out = []
    for wanted, sentences in zip(terms, tokenizer.sentences(texts), strict=True):
        found = {(t.start, t.end) for s in sentences for t in s.terms if t.form in wanted and t.start < t.end}
        out.append(merged(found))
    return out


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans, ascending; those that overlap or touch are one."""
    out: list[Span] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return tuple(out)
