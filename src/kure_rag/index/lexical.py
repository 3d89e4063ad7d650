"""The keyword view, by tantivy. The only module that imports tantivy.

A passage's score is a sum over the question's terms: BM25 over morphemes, and at a lower weight BM25 over pairs of
letters, which find names that the analyser cuts differently in a question and in a passage. For each, a share of the
term's IDF is added for its presence alone: that is BM25 at a lower k1, which the engine fixes at 1.2 (b at .75).
Measured on KorQuAD dev: morphemes alone .959 nDCG@10, with letter pairs .968, with presence too .971; on the facts of
Ko-StrategyQA .743, .787 and .788 (``benchmarks/lexical_quality.py``).

Row numbers stand in place of ids; no text is stored.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.errors import IndexCorruptError
from kure_rag.index.catalog import Keywords
from kure_rag.tokenize import char_bigrams

if TYPE_CHECKING:
    import tantivy

_HEAP: Final = 64_000_000  # bytes the writer may fill before it flushes a segment
_ANALYZER: Final = "ready_terms"
_TERMS: Final = "terms"
_PAIRS: Final = "pairs"


@dataclass(frozen=True, slots=True, kw_only=True)
class LexicalSettings:
    """How the parts of the keyword score are weighed.

    Attributes:
        pairs: Weight of letter pairs beside morphemes.
        presence: Share of a term's IDF that its presence alone adds.
    """

    pairs: float = 0.5
    presence: float = 0.6


@dataclass(frozen=True, slots=True)
class Question:
    """What is searched for: a question's morphemes and its pairs of letters."""

    terms: Sequence[str]
    pairs: Sequence[str] = ()


class LexicalView:
    """A tantivy index in a folder of its own.

    Args:
        folder: Made when it does not exist.
        settings: Weights.

    Raises:
        IndexCorruptError: The folder holds something that tantivy cannot open.
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
            self._searcher = self._index.searcher()
        except (ValueError, OSError) as error:
            raise IndexCorruptError(f"{folder}: the keyword view cannot be opened ({error}); rebuild it") from error

    def reload(self) -> None:
        """Sees what was committed since, by this process or another."""
        self._index.reload()
        self._searcher = self._index.searcher()

    def apply(self, added: Mapping[int, Keywords], deleted: Iterable[int]) -> None:
        """Adds rows, deletes others, commits. Doing it again changes nothing.

        A row that is already there is left alone: replacing it would leave a deleted twin behind, which BM25 counts
        until segments merge.
        """
        import tantivy

        self.reload()
        new = [row for row in added if not self._has(row)]
        gone = [row for row in deleted if self._has(row)]
        if not new and not gone:
            return
        schema = self._index.schema
        writer = self._index.writer(heap_size=_HEAP, num_threads=1)
        if gone:  # by query: deleting by term takes a Python integer for a signed one and finds nothing
            writer.delete_documents_by_query(tantivy.Query.term_set_query(schema, "row", gone))
        for row in new:
            pairs = " ".join(char_bigrams(added[row].text))
            values: dict[str, Any] = {"row": [row], _TERMS: [added[row].terms], _PAIRS: [pairs]}
            writer.add_document(tantivy.Document.from_dict(values, schema))
        writer.commit()
        writer.wait_merging_threads()
        self.reload()

    def search(self, question: Question, limit: int, allowed: Sequence[int] | None = None) -> list[tuple[int, float]]:
        """Rows with any of the question's terms, best score first.

        Args:
            question: Repeated terms count once.
            limit: At most so many rows.
            allowed: Only these rows, if given.

        Returns:
            Pairs of row and score; every score is positive.
        """
        from tantivy import Occur, Query

        searcher = self._searcher  # another thread may reload meanwhile, and addresses hold for one searcher only
        parts = [
            *self._parts(searcher, _TERMS, question.terms, 1.0),
            *self._parts(searcher, _PAIRS, question.pairs, self.settings.pairs),
        ]
        if not parts or limit < 1 or (allowed is not None and not allowed):
            return []
        query = Query.boolean_query([(Occur.Should, part) for part in parts])
        if allowed is not None:
            only = Query.const_score_query(Query.term_set_query(self._index.schema, "row", list(allowed)), 0.0)
            query = Query.boolean_query([(Occur.Must, query), (Occur.Must, only)])
        found = searcher.search(query, limit, count=False).hits
        rows = _rows(searcher, [address for _, address in found])
        # The engine adds in 32 bits and in an order of its own: equal passages must stay equal.
        return [(row, round(float(score), 4)) for row, (score, _) in zip(rows, found, strict=True)]

    def _parts(
        self, searcher: tantivy.Searcher, field: str, terms: Sequence[str], weight: float
    ) -> Iterable[tantivy.Query]:
        from tantivy import Query

        count = searcher.num_docs
        for term in dict.fromkeys(terms):
            holding = searcher.doc_freq(field, term)
            if not holding or not weight:
                continue
            query = Query.term_query(self._index.schema, field, term)
            yield Query.boost_query(query, weight) if weight != 1 else query
            if self.settings.presence:
                # Deleted rows count among `holding` until their segment merges.
                idf = math.log(1 + max(0.0, count - holding + 0.5) / (holding + 0.5))
                yield Query.const_score_query(query, weight * self.settings.presence * idf)

    def rows(self) -> list[int]:
        """Every row in the view, ascending."""
        from tantivy import Query

        searcher = self._searcher
        count = searcher.num_docs
        found = searcher.search(Query.all_query(), count, count=False).hits if count else []
        return sorted(_rows(searcher, [address for _, address in found]))

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def _has(self, row: int) -> bool:
        from tantivy import Query

        return bool(self._searcher.search(Query.term_query(self._index.schema, "row", row), 1, count=False).hits)

    def close(self) -> None:
        """Lets go of the files."""
        del self._searcher, self._index


def _rows(searcher: tantivy.Searcher, addresses: Sequence[Any]) -> list[int]:
    values = searcher.fast_field_values("row", list(addresses)) if addresses else []
    return [int(value) for value in values if value is not None]


def remove(folder: Path) -> None:
    """Deletes a view's folder, if there is one."""
    shutil.rmtree(folder, ignore_errors=True)


def _schema() -> tantivy.Schema:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", stored=False, indexed=True, fast=True)
    for field in (_TERMS, _PAIRS):
        builder.add_text_field(field, stored=False, tokenizer_name=_ANALYZER, index_option="freq")
    return builder.build()
