"""The keyword view, by tantivy. The only module that imports tantivy.

A passage's score is BM25 over morphemes and pairs of letters, which find names that the analyser cuts differently in a
question and in a passage. Both stand in one field: a pair that is a morpheme too, as most nouns of two letters are, has
one list of passages, which is read once. A pair that is none weighs less. The engine fixes k1 at 1.2 and b at .75; that
suits repeated words too well, so morphemes are indexed twice: as a k1 of .6 does, that counts their presence for more.

The engine skips what cannot reach the top only in a plain union of terms (weights are fine, constant scores and nested
queries are not), so a question is nothing else. Its commonest terms are left out where rarer ones decide.

Row numbers stand in place of ids; no text is stored.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from kure_rag.errors import IndexCorruptError
from kure_rag.index.catalog import Keywords
from kure_rag.tokenize.pairs import joined_pairs

if TYPE_CHECKING:
    import tantivy

Rows = Sequence[int] | npt.NDArray[np.int64]
Ranking = list[tuple[int, float]]

_HEAP: Final = 64_000_000  # bytes the writer may fill before it flushes a segment
_ANALYZER: Final = "ready_terms"
# A view of another version, whose scores would be others, has other fields: it cannot be opened and is rebuilt.
_WORDS: Final = "words_3"
_META: Final = "meta.json"  # what the engine says of its segments
_FEW: Final = 1_000  # passages with a term, below which leaving it out saves nothing
_RARER: Final = 3  # terms a question must keep for its commonest to be left out
_MOST_RANGES: Final = 8  # of rows that follow one another, for a filter to be asked for as ranges
_SELECTIVE: Final = 0.05  # share of the rows below which a filter is part of the query


@dataclass(frozen=True, slots=True, kw_only=True)
class LexicalSettings:
    """How the parts of the keyword score are weighed, and how much of a question is looked up.

    Attributes:
        pairs: Weight of letter pairs beside morphemes; added where a pair is a morpheme of the question too.
        most: Of a question's morphemes, and of its pairs, only so many are looked up: the rarest.
        common: A term in a larger share of the passages is not looked up, if three rarer ones are.
    """

    pairs: float = 0.8
    most: int = 16
    common: float = 0.2


@dataclass(frozen=True, slots=True)
class Question:
    """What is searched for.

    Attributes:
        terms: A question's morphemes; repeated ones count once.
        pairs: Its pairs of letters, see :func:`kure_rag.tokenize.letter_pairs`.
        optional: More terms with a weight each, such as synonyms; none that is among ``terms`` counts again.
    """

    terms: Sequence[str]
    pairs: Sequence[str] = ()
    optional: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


class _Looked(NamedTuple):
    """A term to look up; a tuple, since a question makes dozens."""

    holding: int
    term: str
    weight: float
    whole: bool  # a morpheme, not only a pair


class KeywordViewError(IndexCorruptError):
    """The engine cannot read or write the keyword view; made anew from the catalog, it can."""


class LexicalView:
    """A tantivy index in a folder of its own.

    Args:
        folder: Made when it does not exist.
        settings: Weights.

    Raises:
        IndexCorruptError: The folder holds something that tantivy cannot open, or a view of another version.
    """

    def __init__(self, folder: Path, settings: LexicalSettings | None = None) -> None:
        import tantivy

        self.folder = folder
        self.settings = settings or LexicalSettings()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._index = tantivy.Index(_schema(), path=str(folder))
            self._index.register_tokenizer(
                _ANALYZER, tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
            )
            self._schema = self._index.schema
            self._searcher = self._index.searcher()
        except BaseException as error:
            if not isinstance(error, ValueError | OSError) and not _is_panic(error):
                raise
            raise IndexCorruptError(f"{folder}: the keyword view cannot be opened ({error}); rebuild it") from error

    def reload(self) -> None:
        """Sees what was committed since, by this process or another."""
        self._index.reload()
        self._searcher = self._index.searcher()

    def apply(self, added: Mapping[int, Keywords], deleted: Iterable[int]) -> None:
        """Adds rows, deletes others, commits. Doing it again changes nothing.

        A row that is already there is left alone: replacing it would leave a deleted twin behind, which BM25 counts
        until segments merge.

        Raises:
            KeywordViewError: The engine cannot write the view, or finds it torn.
        """
        with self._telling():
            self._apply(added, deleted)

    def _apply(self, added: Mapping[int, Keywords], deleted: Iterable[int]) -> None:
        import tantivy

        self.reload()
        here = self._present([*added, *(deleted := list(deleted))])
        new = [row for row in added if row not in here]
        gone = [row for row in deleted if row in here]
        if not new and not gone:
            return
        writer = self._index.writer(heap_size=_HEAP, num_threads=1)
        try:
            # A commit that was killed leaves files behind, of the names that the next one gives its own.
            writer.garbage_collect_files()
            if gone:  # by query: deleting by term takes a Python integer for a signed one and finds nothing
                writer.delete_documents_by_query(tantivy.Query.term_set_query(self._schema, "row", gone))
            for row in new:
                writer.add_document(_document(row, added[row]))
            writer.commit()
            writer.wait_merging_threads()
        except BaseException:
            del writer  # the traceback keeps this frame, and the writer would keep its lock: Ctrl-C must not leave that
            raise
        self.reload()

    def search(self, question: Question, limit: int, allowed: Rows | None = None) -> Ranking:
        """Rows with any of the question's terms, best score first.

        Args:
            question: What to look for.
            limit: At most so many rows.
            allowed: Only these rows, if given; sorted, as the catalog gives them.

        Returns:
            Pairs of row and score; every score is positive. Equal passages have equal scores.

        Raises:
            KeywordViewError: The engine finds the view torn.
        """
        searcher = self._searcher  # another thread may reload meanwhile, and addresses hold for one searcher only
        if limit < 1 or (allowed is not None and not len(allowed)):
            return []
        with self._telling():
            looked = self._looked(searcher, question)
            chosen = _chosen(looked, searcher.num_docs, self.settings)
            found = self._found(searcher, chosen, limit, allowed)
            if len(found) < limit and len(chosen) < len(looked):  # what was left out may be all that some passages hold
                found = self._found(searcher, looked, limit, allowed)
            return found

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Errors of the engine as one of ours; where it panics, Python gets an exception that no one expects."""
        try:
            yield
        except BaseException as error:
            if not isinstance(error, ValueError) and not _is_panic(error):
                raise
            raise KeywordViewError(f"{self.folder}: the keyword view cannot be used ({error}); rebuild it") from error

    def _looked(self, searcher: tantivy.Searcher, question: Question) -> list[_Looked]:
        """The terms that some passage holds."""
        weights = dict.fromkeys(question.terms, 1.0)
        if question.optional:
            weights = {**question.optional, **weights}
        whole = len(weights)
        if (beside := self.settings.pairs) > 0:
            for pair in dict.fromkeys(question.pairs):
                weights[pair] = weights.get(pair, 0.0) + beside
        looked = []
        for place, (term, weight) in enumerate(weights.items()):
            if weight > 0 and (holding := searcher.doc_freq(_WORDS, term)):
                looked.append(_Looked(holding, term, weight, place < whole))
        return looked

    def _found(
        self, searcher: tantivy.Searcher, looked: Sequence[_Looked], limit: int, allowed: Rows | None
    ) -> Ranking:
        from tantivy import Occur, Query

        if not looked:
            return []
        union = Query.boolean_query([(Occur.Should, self._query(item)) for item in looked])
        if allowed is None:
            return _ranked(searcher, union, limit)
        count = searcher.num_docs
        if len(allowed) >= _SELECTIVE * count:
            # A filter beside the union would have the engine score every passage; a longer list is cheaper.
            among = np.asarray(allowed)
            more = int(1.5 * limit * count / len(allowed))
            while more < count:
                ranked = _ranked(searcher, union, more)
                held = np.isin([row for row, _ in ranked], among, assume_unique=True)
                found = [pair for pair, holds in zip(ranked, held, strict=True) if holds][:limit]
                if len(found) == limit or len(ranked) < more:
                    return found
                more *= 8
        only = Query.const_score_query(self._filter(np.asarray(allowed)), 0.0)
        return _ranked(searcher, Query.boolean_query([(Occur.Must, union), (Occur.Must, only)]), limit)

    def _filter(self, allowed: npt.NDArray[np.int64]) -> tantivy.Query:
        """The rows as a few ranges where they follow one another, as a document's do; looking up each takes longer."""
        from tantivy import FieldType, Occur, Query

        breaks = np.flatnonzero(np.diff(allowed) != 1) + 1
        if len(breaks) >= _MOST_RANGES:
            return Query.term_set_query(self._schema, "row", allowed.tolist())
        ranges = [
            Query.range_query(self._schema, "row", FieldType.Unsigned, int(part[0]), int(part[-1]))
            for part in np.split(allowed, breaks)
        ]
        return ranges[0] if len(ranges) == 1 else Query.boolean_query([(Occur.Should, part) for part in ranges])

    def _query(self, item: _Looked) -> tantivy.Query:
        from tantivy import Query

        query = Query.term_query(self._schema, _WORDS, item.term, "freq")
        return query if item.weight == 1 else Query.boost_query(query, item.weight)

    def rows(self) -> list[int]:
        """Every row in the view, ascending.

        Raises:
            KeywordViewError: The engine finds the view torn.
        """
        from tantivy import Query

        searcher = self._searcher
        count = searcher.num_docs
        with self._telling():
            found = searcher.search(Query.all_query(), count, count=False).hits if count else []
            return sorted(_rows(searcher, [address for _, address in found]))

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    @property
    def segments(self) -> int:
        """How many parts the engine keeps; it merges small ones as it commits, so that there are never many."""
        return int(self._searcher.num_segments)

    @property
    def deleted(self) -> int:
        """Deleted rows that still take room, and that BM25 counts as passages, until their segments are merged."""
        try:
            told = json.loads((self.folder / _META).read_bytes())
            return sum(int((segment.get("deletes") or {}).get("num_deleted_docs", 0)) for segment in told["segments"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # of an engine that keeps it elsewhere
            return 0

    def _present(self, rows: Sequence[int]) -> set[int]:
        from tantivy import Query

        searcher = self._searcher
        if not rows or not searcher.num_docs:
            return set()
        query = Query.const_score_query(Query.term_set_query(self._schema, "row", list(rows)), 1.0)
        return set(_rows(searcher, [address for _, address in searcher.search(query, len(rows), count=False).hits]))

    def close(self) -> None:
        """Lets go of the files."""
        del self._searcher, self._index


def _is_panic(error: BaseException) -> bool:
    """Whether the engine gave up: its binding raises that beside ``Exception``, and exports no class for it."""
    return type(error).__name__ == "PanicException"


def _chosen(looked: Sequence[_Looked], count: int, settings: LexicalSettings) -> list[_Looked]:
    """The rarest terms, and the rarest pairs."""
    chosen: list[_Looked] = []
    for whole in (True, False):
        rarest = sorted((item for item in looked if item.whole is whole), key=lambda item: item.holding)
        rarer = [item for item in rarest if item.holding <= max(_FEW, settings.common * count)]
        chosen += (rarer if len(rarer) >= _RARER else rarest)[: settings.most]
    return chosen


def _ranked(searcher: tantivy.Searcher, query: tantivy.Query, limit: int) -> Ranking:
    found = searcher.search(query, limit, count=False).hits
    rows = _rows(searcher, [address for _, address in found])
    # The engine adds in 32 bits and in an order of its own: equal passages must stay equal.
    return [(row, round(float(score), 4)) for row, (score, _) in zip(rows, found, strict=True)]


def _rows(searcher: tantivy.Searcher, addresses: Sequence[Any]) -> list[int]:
    values = searcher.fast_field_values("row", list(addresses)) if addresses else []
    return [int(value) for value in values if value is not None]


def _document(row: int, keywords: Keywords) -> tantivy.Document:
    import tantivy

    document = tantivy.Document()
    document.add_unsigned("row", row)
    document.add_text(_WORDS, f"{keywords.terms} {keywords.terms} {joined_pairs(keywords.text)}")  # twice, see above
    return document


def remove(folder: Path) -> None:
    """Deletes a view's folder, if there is one."""
    shutil.rmtree(folder, ignore_errors=True)


def _schema() -> tantivy.Schema:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", stored=False, indexed=True, fast=True)
    builder.add_text_field(_WORDS, stored=False, tokenizer_name=_ANALYZER, index_option="freq")
    return builder.build()
