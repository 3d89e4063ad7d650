"""What answers a question, as places in documents: an answer stays one however the documents are cut.

A gold passage is found at the rank where the passages found so far hold, together, more than half of it. Cut as it was,
a passage holds itself, and no other one does: then this is what comparing ids says. Among longer passages it is found
with the one that it is in. Among shorter ones it is found when enough of its parts are, so that small pieces are not
taken for the whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kure_rag.types import Chunk


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a document.

    Attributes:
        document_id: Which.
        start: Offset of its first character in the document's text.
        end: Offset after its last character.
    """

    document_id: str
    start: int
    end: int


Groups = tuple[frozenset[Span], ...]
"""What a question needs: one stretch of each group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question and what answers it.

    Attributes:
        id: Its name.
        text: Its words.
        groups: What answers it.
    """

    id: str
    text: str
    groups: Groups


def relevance_of(found: Sequence[Chunk], groups: Groups) -> list[str]:
    """A ranking in terms of what is gold, as :func:`kure_rag.evaluate.score_queries` takes rankings.

    Args:
        found: Passages, best first.
        groups: What the question needs.

    Returns:
        One name for each passage: ``group 0`` where the first group is found, ``other 3`` for the fourth passage where
        it finds nothing new. A passage that completes several groups has a name for each.
    """
    of_document: defaultdict[str, list[Span]] = defaultdict(list)
    for span in {span for group in groups for span in group}:
        of_document[span.document_id].append(span)
    held: defaultdict[Span, list[tuple[int, int]]] = defaultdict(list)
    missing = dict(enumerate(groups))
    names: list[str] = []
    for rank, chunk in enumerate(found):
        touched = False
        for span in of_document.get(chunk.document_id, ()):
            start, end = max(span.start, chunk.start), min(span.end, chunk.end)
            if start < end:
                held[span].append((start, end))
                touched = True
        fresh = []
        if touched:
            fresh = [number for number, group in missing.items() if any(_is_held(span, held) for span in group)]
        names += [f"group {number}" for number in fresh] or [f"other {rank}"]
        for number in fresh:
            del missing[number]
    return names


def judgements(questions: Iterable[Question]) -> dict[str, dict[str, float]]:
    """Question id → group → 1, for the names that :func:`relevance_of` gives."""
    return {question.id: {f"group {number}": 1.0 for number in range(len(question.groups))} for question in questions}


def _is_held(span: Span, held: Mapping[Span, list[tuple[int, int]]]) -> bool:
    if span not in held:
        return False
    length, at = 0, span.start
    for start, end in sorted(held[span]):
        length += max(0, end - max(start, at))
        at = max(at, end)
    return 2 * length > span.end - span.start
