"""Retrieval sets: a corpus, queries, and which documents answer which query. BEIR's layout is read here."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kure_rag.errors import CorpusFormatError, ReadError, SourceNotFoundError
from kure_rag.read.corpus import Record, fail, find_corpus, read_corpus, read_lines, read_rows, short

_LAYOUT: Final = (
    "a retrieval set is a folder with corpus.jsonl (or .jsonl.gz), queries.jsonl (or .jsonl.gz) "
    "and qrels.tsv (or qrels/test.tsv)"
)
# What trec_eval, which counts whole levels of relevance, can tell apart.
_HIGHEST: Final = 100
_QUERY_NAMES: Final = ("queries.jsonl", "queries.jsonl.gz")
QREL_NAMES: Final = ("qrels.tsv", "qrels/test.tsv")


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """Queries with the documents that answer them.

    Attributes:
        name: The folder's name.
        corpus_path: What :meth:`records` streams.
        queries: Query id → text, of the queries in ``qrels`` only, in the order of ``qrels``.
        qrels: Query id → document id → relevance. Positive judgements only; a query without one is not scored.
        groups: Query id → groups of documents of which one is enough, as AutoRAG's ``retrieval_gt`` has them; empty
            where every relevant document counts by itself.
        files: All that the set was read from, for its digest.
        reader: Corpus path → its records; BEIR's JSON lines by default.
        id_key: The key of a passage's metadata that names its document; its source by default.
    """

    name: str
    corpus_path: Path
    queries: dict[str, str]
    qrels: dict[str, dict[str, float]]
    groups: dict[str, tuple[frozenset[str], ...]] | None = None
    files: tuple[Path, ...] = field(default=(), compare=False)
    reader: Callable[[Path], Iterator[Record]] = read_corpus
    id_key: str | None = None

    def records(self) -> Iterator[Record]:
        """Streams the corpus.

        Raises:
            CorpusFormatError: A record breaks the format; raised when it is reached.
        """
        return self.reader(self.corpus_path)

    def digest(self) -> str:
        """SHA-256 over the set's files in hexadecimal: another one for any change of them."""
        whole = hashlib.sha256()
        for path in self.files or (self.corpus_path,):
            try:
                with path.open("rb") as file:
                    whole.update(hashlib.file_digest(file, "sha256").digest())
            except OSError as error:
                raise ReadError(path.name, f"cannot be read ({error.strerror}); check its permissions") from error
        return whole.hexdigest()


def read_set(folder: Path, *, qrels: tuple[str, ...] = QREL_NAMES) -> RetrievalSet:
    """Read a folder with ``corpus.jsonl``, ``queries.jsonl`` (both may be ``.gz``) and ``qrels.tsv``.

    ``qrels/test.tsv``, as BEIR ships it, does too. All ids come out in NFC, as the corpus reader's do. Of the corpus
    only the first record is read here; use :func:`check_qrels` once it was streamed.

    Args:
        folder: The folder.
        qrels: Where its judgements may lie, the first that is there being taken: training reads ``qrels/train.tsv``.

    Raises:
        SourceNotFoundError: The folder or one of its three files is missing.
        CorpusFormatError: A file breaks its format; the message names the file and the line.
    """
    name = folder.resolve().name
    if not folder.is_dir():
        raise SourceNotFoundError(name, f"no such folder; {_LAYOUT}")
    try:
        corpus = find_corpus(folder)
    except SourceNotFoundError as error:
        raise SourceNotFoundError(name, f"no corpus.jsonl; {_LAYOUT}") from error
    query_file = _find(folder, name, _QUERY_NAMES)
    qrel_file = _find(folder, name, qrels)
    # A corpus in another format is told now, not after the queries were read and an index was begun.
    if next(read_corpus(corpus), None) is None:
        raise CorpusFormatError(corpus.name, "no records; write one JSON object on each line")
    queries = _read_queries(query_file)
    judged = _read_qrels(qrel_file, qrel_file.relative_to(folder).as_posix(), queries, query_file.name)
    asked = {query: queries[query] for query in judged}
    return RetrievalSet(name, corpus, asked, judged, files=(corpus, query_file, qrel_file))


def check_qrels(retrieval_set: RetrievalSet, ids: Iterable[str]) -> None:
    """Check that every relevant document is in the corpus, given the ids that were streamed from it.

    Raises:
        CorpusFormatError: Some are not: their queries could never be answered, and every score would be too low.
    """
    known = frozenset(ids)
    missing = [
        (query, document)
        for query, relevant in retrieval_set.qrels.items()
        for document in relevant
        if document not in known
    ]
    if missing:
        query, document = missing[0]
        total = sum(len(relevant) for relevant in retrieval_set.qrels.values())
        raise CorpusFormatError(
            retrieval_set.name,
            f"{len(missing)} of {total} judgements name a document not in {retrieval_set.corpus_path.name}, "
            f"first {short(document)} for query {short(query)}{_line_of(retrieval_set.files, query, document)}; "
            "use the corpus that the judgements were made on",
        )


def check_corpus(retrieval_set: RetrievalSet, progress: Callable[[int], None] | None = None) -> dict[str, str]:
    """Read the whole corpus before anything is embedded, and find out what each query is about.

    Args:
        retrieval_set: The set.
        progress: Called now and then with the records read.

    Returns:
        Query id → domain, as the corpus says it of the relevant documents: in ``domain``, of the record or of its
        metadata. Queries whose documents say none, or several, are not in it: they count among all queries, and in
        no domain.

    Raises:
        CorpusFormatError: A record breaks the format, or a relevant document is not in the corpus.
    """
    wanted = {document for relevant in retrieval_set.qrels.values() for document in relevant}
    domains: dict[str, str | None] = {}
    for number, record in enumerate(retrieval_set.records(), start=1):
        if record.id in wanted:
            said = record.metadata.get("domain") or (record.place and record.place.domain)
            domains[record.id] = said if isinstance(said, str) else None
        if progress is not None and number % 1000 == 0:
            progress(number)
    check_qrels(retrieval_set, domains)
    return {
        query: domain
        for query, relevant in retrieval_set.qrels.items()
        if len(of := {domains[document] for document in relevant}) == 1 and (domain := of.pop()) is not None
    }


def one_of_each_group(ranking: Sequence[str], groups: Sequence[frozenset[str]]) -> list[str]:
    """A ranking in which a group of alternatives is found once, by its first document.

    Args:
        ranking: Document ids, best first.
        groups: Groups of documents of which one is enough.

    Returns:
        As many ids: ``group 1`` stands for the first document of the second group, and so on; a document of groups that
        were all found before counts as any other that is not relevant.
    """
    found: set[int] = set()
    named = []
    for document in ranking:
        fresh = next((i for i, group in enumerate(groups) if document in group and i not in found), None)
        if fresh is not None:
            found.add(fresh)
        named.append(f"other {document}" if fresh is None else f"group {fresh}")
    return named


def _line_of(files: Sequence[Path], query: str, document: str) -> str:
    """Where a judgement stands, for a message; nothing for judgements that have no lines."""
    for path in files:
        if path.name.endswith(".tsv"):
            for number, line in read_lines(path):
                if unicodedata.normalize("NFC", line).split("\t")[:2] == [query, document]:
                    return f" ({path.name} line {number})"
    return ""


def _find(folder: Path, name: str, candidates: tuple[str, ...]) -> Path:
    for candidate in candidates:
        if (folder / candidate).is_file():
            return folder / candidate
    raise SourceNotFoundError(name, f"no {candidates[0]}; {_LAYOUT}")


def _read_queries(path: Path) -> dict[str, str]:
    queries: dict[str, str] = {}
    for number, identifier, row in read_rows(path):
        text = row["text"]
        if not isinstance(text, str):
            fail(path.name, number, "text is not a string; write the question as a string")
        if not text.strip():
            fail(path.name, number, "text is empty; write the question or remove the line")
        queries[identifier] = text
    return queries


def _read_qrels(path: Path, name: str, queries: dict[str, str], query_name: str) -> dict[str, dict[str, float]]:
    judged: dict[tuple[str, str], tuple[float, int]] = {}
    qrels: dict[str, dict[str, float]] = {}
    header = False
    for number, line in read_lines(path, name=name):
        columns = unicodedata.normalize("NFC", line).split("\t")
        if len(columns) != 3:
            what = f"{len(columns)} columns; write query-id, corpus-id and score separated by tabs"
            fail(name, number, what)
        query, document, raw = columns
        score = _number(raw)
        if not header:
            header = True
            if score is not None:
                # Skipping it as a header would silently lose a judgement.
                fail(name, number, "a judgement where the header should be; begin with query-id, corpus-id, score")
            continue
        if score is None or not math.isfinite(score):
            fail(name, number, f"score {short(raw)} is not a number; write 1 for relevant, 0 for not")
        if score > _HIGHEST or abs(score * 1000 - round(score * 1000)) > 1e-6:
            fail(name, number, f"score {short(raw)}; write a whole number, or one of three decimals, up to {_HIGHEST}")
        if query not in queries:
            fail(name, number, f"query {short(query)} is not in {query_name}; add it there or remove the line")
        if not document.strip():
            fail(name, number, "corpus-id is empty; write the document's _id")
        before, line_before = judged.setdefault((query, document), (score, number))
        if before != score:
            pair = f"query {short(query)} with document {short(document)}"
            fail(name, number, f"{pair} was judged {before:g} on line {line_before}; keep one of the two")
        if score > 0:
            qrels.setdefault(query, {})[document] = score
    if not qrels:
        raise CorpusFormatError(name, "no judgement above 0, so nothing can be scored; add the relevant documents")
    return qrels


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
