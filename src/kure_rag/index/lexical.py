"""The keyword view: BM25 over terms that are already made, by tantivy. The only module that imports tantivy.

k1 is 1.2 and b is .75, fixed in the engine. Row numbers stand in place of ids; nothing else is stored.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.errors import IndexCorruptError

if TYPE_CHECKING:
    import tantivy

_HEAP: Final = 64_000_000  # bytes the writer may fill before it flushes a segment
_ANALYZER: Final = "ready_terms"


class LexicalView:
    """A tantivy index in a folder of its own.

    Args:
        folder: Made when it does not exist.

    Raises:
        IndexCorruptError: The folder holds something that tantivy cannot open.
    """

    def __init__(self, folder: Path) -> None:
        import tantivy

        self.folder = folder
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

    def apply(self, added: Mapping[int, str], deleted: Iterable[int]) -> None:
        """Adds rows with their terms (joined by spaces), deletes others, commits. Doing it again changes nothing.

        A row that is already there is left alone: replacing it would leave a deleted twin behind, which BM25 counts
        until segments merge.
        """
        import tantivy

        self.reload()
        new = [row for row in added if not self._has(row)]
        gone = [row for row in deleted if self._has(row)]
        if not new and not gone:
            return
        writer = self._index.writer(heap_size=_HEAP, num_threads=1)
        if gone:  # by query: deleting by term takes a Python integer for a signed one and finds nothing
            writer.delete_documents_by_query(tantivy.Query.term_set_query(self._index.schema, "row", gone))
        for row in new:
            writer.add_document(tantivy.Document.from_dict({"row": [row], "terms": [added[row]]}, self._index.schema))
        writer.commit()
        writer.wait_merging_threads()
        self.reload()

    def search(self, terms: Sequence[str], limit: int, allowed: Sequence[int] | None = None) -> list[tuple[int, float]]:
        """Rows with any of the terms, best BM25 score first.

        Args:
            terms: A term given twice counts twice.
            limit: At most so many rows.
            allowed: Only these rows, if given.

        Returns:
            Pairs of row and score; every score is positive.
        """
        from tantivy import Occur, Query

        schema = self._index.schema
        wanted = []
        for term, count in Counter(terms).items():
            query = Query.term_query(schema, "terms", term)
            wanted.append((Occur.Should, Query.boost_query(query, float(count)) if count > 1 else query))
        if not wanted or limit < 1:
            return []
        query = Query.boolean_query(wanted)
        if allowed is not None:
            if not allowed:
                return []
            only = Query.const_score_query(Query.term_set_query(schema, "row", list(allowed)), 0.0)
            query = Query.boolean_query([(Occur.Must, query), (Occur.Must, only)])
        found = self._searcher.search(query, limit, count=False).hits
        rows = self._rows([address for _, address in found])
        return [(row, float(score)) for row, (score, _) in zip(rows, found, strict=True)]

    def rows(self) -> list[int]:
        """Every row in the view, ascending."""
        from tantivy import Query

        count = self._searcher.num_docs
        found = self._searcher.search(Query.all_query(), count, count=False).hits if count else []
        return sorted(self._rows([address for _, address in found]))

    def _has(self, row: int) -> bool:
        from tantivy import Query

        return bool(self._searcher.search(Query.term_query(self._index.schema, "row", row), 1, count=False).hits)

    def _rows(self, addresses: Sequence[Any]) -> list[int]:
        values = self._searcher.fast_field_values("row", list(addresses)) if addresses else []
        return [int(value) for value in values if value is not None]

    def close(self) -> None:
        """Lets go of the files."""
        del self._searcher, self._index


def remove(folder: Path) -> None:
    """Deletes a view's folder, if there is one."""
    shutil.rmtree(folder, ignore_errors=True)


def _schema() -> tantivy.Schema:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", stored=False, indexed=True, fast=True)
    builder.add_text_field("terms", stored=False, tokenizer_name=_ANALYZER, index_option="freq")
    return builder.build()
