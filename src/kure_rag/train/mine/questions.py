"""Questions with the passages that answer them: from a retrieval set, or from pairs of texts."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kure_rag.errors import CorpusFormatError
from kure_rag.evaluate.sets import RetrievalSet, check_qrels
from kure_rag.read.corpus import Record, fail, read_corpus, read_lines, short
from kure_rag.types import contextualized

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ROW: Final = '{"query": "…", "positive": "…"}'


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage as it is searched, trained on and written.

    Attributes:
        id: Its name in the corpus.
        text: With its headings above it, as an index embeds it.
    """

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and what answers it.

    Attributes:
        id: Its name.
        text: Its words.
        positives: One or more passages that answer it.
        judged: Names of passages and documents that are no negatives; the positives' own are in it.
    """

    id: str
    text: str
    positives: tuple[Passage, ...]
    judged: frozenset[str] = field(default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "judged", self.judged | {passage.id for passage in self.positives})


def questions_of_set(retrieval_set: RetrievalSet) -> list[Question]:
    """The judged queries of a set, with the texts of their documents; the corpus is streamed once.

    Raises:
        CorpusFormatError: A record breaks the format, or a judged document is not in the corpus.
    """
    wanted = {document for relevant in retrieval_set.qrels.values() for document in relevant}
    found = {one.id: Passage(one.id, record_text(one)) for one in retrieval_set.records() if one.id in wanted}
    check_qrels(retrieval_set, found)
    return [
        _question(query, text, [found[one] for one in retrieval_set.qrels[query]])
        for query, text in retrieval_set.queries.items()
    ]


def record_text(record: Record) -> str:
    """A record as an index embeds it: its title or its headings, then its text."""
    text = record.text if record.text.strip() else record.title
    if record.place is not None:
        return contextualized(record.place.breadcrumb, text, record.place.lead)
    return contextualized((record.title,) if record.title and record.title != text else (), text)


def read_pairs(path: Path) -> list[Question]:
    """Read JSON lines of ``{"query": …, "positive": …}``, plain or gzip.

    Lines with the same query are one question with several positives. ``positive`` may be a list of texts; ``query_id``
    and ``positive_id`` are kept where a line has them, so that mined triplets can be mined again. Other keys are passed
    over.

    Raises:
        SourceNotFoundError: Nothing lies at that path.
        CorpusFormatError: A line breaks the format; the message names it. Or there is none.
    """
    name = path.name
    questions: dict[str, tuple[str, list[Passage]]] = {}
    lines: dict[str, tuple[str, int]] = {}
    for number, line in read_lines(path):
        row = _parsed(name, number, line)
        query = _text(name, number, "query", row.get("query"))
        given = row.get("positive")
        texts = given if isinstance(given, list) else [given]
        if not texts:
            fail(name, number, f"positive is an empty list; write {_ROW}")
        positives = [_text(name, number, "positive", text) for text in texts]
        id_ = _id(name, number, "query_id", row) or f"line-{number}"
        before, first = lines.setdefault(id_, (query, number))
        if before != query:
            fail(name, number, f"query_id {short(id_)} names another question on line {first}; give each its own")
        named = _id(name, number, "positive_id", row)
        if named and len(positives) > 1:
            fail(name, number, "one positive_id for several positives; write a line for each")
        own = [Passage(named or _text_id(text), text) for text in positives]
        questions.setdefault(query, (id_, []))[1].extend(own)
    if not questions:
        raise CorpusFormatError(name, f"no pairs; write one {_ROW} on each line")
    return [_question(id_, query, positives) for query, (id_, positives) in questions.items()]


def records_of_pairs(questions: Sequence[Question], corpus: Path | None = None) -> Iterator[Record]:
    """What is to be searched for pairs: the records of a corpus, and the positives that are not among them.

    Args:
        questions: From :func:`read_pairs`.
        corpus: BEIR's ``corpus.jsonl`` (or ``.gz``); without it the positives of the other questions are all there is.

    Raises:
        SourceNotFoundError: There is no such corpus.
        CorpusFormatError: A record breaks the format.
    """
    ids: set[str] = set()
    texts: set[bytes] = set()
    for record in read_corpus(corpus) if corpus is not None else ():
        ids.add(record.id)
        texts.update((_digest(record_text(record)), _digest(record.text)))
        yield record
    for question in questions:
        for passage in question.positives:
            if passage.id not in ids and _digest(passage.text) not in texts:
                ids.add(passage.id)
                texts.add(_digest(passage.text))
                yield Record(passage.id, "", passage.text)


def folded_text(text: str) -> str:
    """A text by which equal ones are known: NFC, and white space as one space."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def digest_of(questions: Iterable[Question]) -> str:
    """SHA-256 over questions and their positives, in hexadecimal."""
    whole = hashlib.sha256()
    for question in questions:
        positives = [(passage.id, passage.text) for passage in question.positives]
        row = [question.id, question.text, positives, sorted(question.judged)]
        whole.update(json.dumps(row, ensure_ascii=True).encode() + b"\n")
    return whole.hexdigest()


def _question(id_: str, text: str, passages: Sequence[Passage]) -> Question:
    """Each text once: the same words twice would be two rows that say the same. All names stay judged."""
    distinct: dict[str, Passage] = {}
    for passage in passages:
        distinct.setdefault(folded_text(passage.text), passage)
    judged = frozenset(passage.id for passage in passages)
    return Question(id_, unicodedata.normalize("NFC", text), tuple(distinct.values()), judged)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(folded_text(text).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _text_id(text: str) -> str:
    return f"text-{_digest(text).hex()[:16]}"


def _parsed(name: str, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        fail(name, number, f"not JSON ({error}); write one {_ROW} on each line", error)
    if not isinstance(row, dict):
        fail(name, number, f"no JSON object; write {_ROW}")
    return row


def _text(name: str, number: int, key: str, value: object) -> str:
    if value is None:
        fail(name, number, f'no "{key}"; write {_ROW}')
    if not isinstance(value, str):
        fail(name, number, f"{key} is {short(value)}; write a string")
    if not value.strip():
        fail(name, number, f"{key} is empty; write a text or remove the line")
    if found := _SURROGATE.search(value):
        fail(name, number, f"lone surrogate U+{ord(found.group()):04X} in {key}; correct the text")
    return unicodedata.normalize("NFC", value)


def _id(name: str, number: int, key: str, row: dict[str, Any]) -> str:
    value = row.get(key)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        fail(name, number, f"{key} is {short(value)}; write a string or a number, or leave it out")
    return unicodedata.normalize("NFC", str(value))
