"""Development data of the recipes that contrast, and what must not be trained on because of them."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from kure_rag.evaluate.sets import read_set
from kure_rag.evaluate.sts_sets import read_sts
from kure_rag.train.development import Development
from kure_rag.train.development_sets import RetrievalDev, StsDev
from kure_rag.train.mine.questions import questions_of_set, record_text
from kure_rag.train.readers import LabelledPair, Omissions, Triplet, detect_kind, read_training_data
from kure_rag.train.recipe import Sources

_ANSWERS: Final = 0.5  # the least label of a passage that counts as an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Digests of what is scored on.

    Attributes:
        queries: Of queries.
        positives: Of the passages that answer them.
    """

    queries: frozenset[int] = frozenset()
    positives: frozenset[int] = frozenset()

    @classmethod
    def of(cls, rows: Iterable[Triplet | LabelledPair]) -> Self:
        """Of triplets and labelled pairs."""
        asked = [(digest(row.query), answer_of(row)) for row in rows]
        positives = frozenset(digest(answer) for _, answer in asked if answer is not None)
        return cls(queries=frozenset(query for query, _ in asked), positives=positives)

    def __or__(self, other: Known) -> Known:
        return Known(queries=self.queries | other.queries, positives=self.positives | other.positives)

    def __bool__(self) -> bool:
        return bool(self.queries)


def answer_of(row: Triplet | LabelledPair) -> str | None:
    """The passage of a row that answers its query; ``None`` where the label says that it does not (below .5)."""
    if isinstance(row, Triplet):
        return row.positive
    return row.passage if row.label >= _ANSWERS else None


def digest(text: str) -> int:
    """By which equal texts are known: of their NFC with white space as one space; 8 bytes as a whole number."""
    plain = " ".join(unicodedata.normalize("NFC", text).split())
    return int.from_bytes(hashlib.blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def development_of(sources: Sources) -> tuple[list[Development], Known]:
    """The sets of the development files, each after its file's name, and what must not be trained on.

    Args:
        sources: Whose ``dev`` are triplets, folders in BEIR's layout, or STS sets (of which nothing is in triplets).

    Raises:
        SourceNotFoundError: A file is missing.
        CorpusFormatError: One breaks its format, or is of another kind.
    """
    found: list[Development] = []
    known = Known()
    for path in sources.dev:
        if path.is_dir():
            one, asked = _set(path, sources)
        elif detect_kind(path) == "sts":
            said = read_sts(path)
            one, asked = StsDev(said.name, said.pairs), Known()
        else:
            rows = _triplets(path, sources.work / "texts")
            one, asked = triplet_development(rows, sources, name=path.name.partition(".")[0]), Known.of(rows)
        found.append(one)
        known |= asked
    return found, known


def candidates_to_score(paths: Sequence[Path], scratch: Path) -> list[tuple[str, list[Triplet | LabelledPair]]]:
    """Name and rows of each file of triplets or of labelled pairs. Files of one name in two folders are two."""
    scratch.mkdir(parents=True, exist_ok=True)
    found: list[tuple[str, list[Triplet | LabelledPair]]] = []
    for path in paths:
        rows = read_training_data([path], want=("triplets", "pairs"), scratch=scratch, omissions=Omissions())
        found.append((path.name.partition(".")[0], [row for row in rows if isinstance(row, Triplet | LabelledPair)]))
    return found


def triplet_development(rows: Sequence[Triplet], sources: Sources, *, name: str) -> Development:
    """Finding each query's positives among the positives and negatives of all of them."""
    queries = {str(digest(row.query)): row.query for row in rows}
    passages: dict[str, str] = {}
    relevant: dict[str, dict[str, float]] = {}
    for row in rows:
        for text in (row.positive, *row.negatives):
            passages.setdefault(str(digest(text)), text)
        relevant.setdefault(str(digest(row.query)), {})[str(digest(row.positive))] = 1.0
    prefixes = (sources.query_prefix, sources.passage_prefix)
    return RetrievalDev(name, queries, passages, relevant, *prefixes, groups=shared_answers(relevant))


def shared_answers(relevant: Mapping[str, Mapping[str, float]]) -> dict[str, str] | None:
    """Query's id → its passage's, where several have the same one: they are alike. None where each has its own.

    Of several passages the smallest id stands for all.
    """
    groups = {query: min(passages) for query, passages in relevant.items() if passages}
    return groups if len(set(groups.values())) < len(groups) else None


def _set(path: Path, sources: Sources) -> tuple[Development, Known]:
    found = read_set(path)
    questions = questions_of_set(found)  # checks the judgements too
    known = Known(
        queries=frozenset(digest(question.text) for question in questions),
        positives=frozenset(digest(passage.text) for question in questions for passage in question.positives),
    )
    passages = {record.id: record_text(record) for record in found.records()}
    texts = {question.id: question.text for question in questions}
    prefixes = (sources.query_prefix, sources.passage_prefix)
    groups = shared_answers({query: found.qrels[query] for query in texts})
    development = RetrievalDev(found.name, texts, passages, found.qrels, *prefixes, groups=groups)
    return development, known


def _triplets(path: Path, scratch: Path) -> list[Triplet]:
    scratch.mkdir(parents=True, exist_ok=True)
    rows = read_training_data([path], want="triplets", scratch=scratch, omissions=Omissions())
    return [row for row in rows if isinstance(row, Triplet)]
