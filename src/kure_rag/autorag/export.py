"""An index → ``parsed.parquet`` and ``corpus.parquet``, as AutoRAG 0.3.27 reads them.

What its own files leave open is decided here:

- ``start_end_idx`` counts within the text of the passage's first page, its end inclusive. AutoRAG looks at one page
  only: ``QA.update_corpus`` finds passages of another chunking by comparing indices of the same path and page, and its
  server marks the place on that page. So a passage over several pages ends, for AutoRAG, at the last visible character
  it has on its first one; its exact place in the whole document stands beside it, in ``metadata.kure_rag``.
- ``prev_id`` and ``next_id`` go through the whole file, over pages.
- A document without pages, such as a record of a corpus, has page -1, as AutoRAG numbers files without pages.
- ``doc_id`` is the chunk's id, ``path`` the file's name; two files of one name get a part of their ids before it.
- Passages that were imported from a ``corpus.parquet`` keep its ``doc_id``, ``path``, ``prev_id`` and ``next_id``, so
  that a ``qa.parquet`` made for it still fits. A ``doc_id`` that two imports share cannot be kept: both passages are
  called by their chunk ids, and :attr:`ExportReport.renamed` counts them. The index does not hold the pages that such
  passages were cut from: a page in ``parsed.parquet`` is then its passages, one below the other, and ``start_end_idx``
  counts within that (:attr:`ExportReport.rebuilt`).
- Characters that AutoRAG would rewrite are written as look-alikes, see :mod:`kure_rag.autorag.lookalikes`, in both
  files, so that ``texts[start : end + 1]`` is the passage.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.autorag.files import Table, arrow, make_folder, tables
from kure_rag.autorag.imported import Imported, find_imported, in_order, link, names_here, page_of
from kure_rag.autorag.lookalikes import keep_safe
from kure_rag.types import Chunk, Document, Page

if TYPE_CHECKING:
    import pyarrow as pa

    from kure_rag.pipeline import KureIndex

Progress = Callable[[int, int | None, str], None]
PARSED_NAME: Final = "parsed.parquet"
CORPUS_NAME: Final = "corpus.parquet"
_WHOLE: Final = -1  # AutoRAG's page number of a file without pages
_MODIFIED: Final = ("modified", "last_modified_datetime")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What an export wrote.

    Attributes:
        parsed: The file of page texts.
        corpus: The file of passages.
        documents: Number of documents.
        pages: Rows of ``parsed``; pages without text have none.
        passages: Rows of ``corpus``.
        replaced: Characters of passages that were written as look-alikes.
        undated: Documents whose time of modification is not known.
        rebuilt: Of the rows of ``parsed``, pages put together from imported passages.
        renamed: Imported passages that could not keep their ``doc_id``, since another passage has it too.
    """

    parsed: Path
    corpus: Path
    documents: int
    pages: int
    passages: int
    replaced: int
    undated: int
    rebuilt: int = 0
    renamed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        names = ("documents", "pages", "passages", "replaced", "undated", "rebuilt", "renamed")
        files = {"parsed": str(self.parsed), "corpus": str(self.corpus)}
        return files | {name: getattr(self, name) for name in names}


def export_index(
    index: KureIndex, out: str | Path, *, modified: datetime | None = None, progress: Progress | None = None
) -> ExportReport:
    """Writes an index as AutoRAG's files, one document (of imported passages: one file) in memory at a time.

    Args:
        index: What to export.
        out: A folder, made if need be. Files of an earlier export in it are replaced when the new ones are whole.
        modified: For documents whose time of modification is not known; by default now, so that AutoRAG's
            ``recency_filter`` never drops a document for a date nobody knows.
        progress: Called with documents done, documents in all, and the name of the last.

    Raises:
        MissingExtraError: The extra ``autorag`` is not installed.
        IndexPathError: The folder cannot be written.
    """
    arrow()
    folder = Path(out).expanduser()
    make_folder(folder)
    listed = index.documents()
    same_name = Counter(row.source for row in listed)
    imported = find_imported(index)
    fallback = _naive(modified or datetime.now(UTC))
    targets = ((folder / PARSED_NAME, parsed_schema()), (folder / CORPUS_NAME, corpus_schema()))
    done = 0
    with tables(*targets) as (parsed, corpus):
        output = _Output(parsed, corpus, fallback, imported)
        for source, rows in groupby(listed, key=lambda row: row.source):
            files: defaultdict[str, list[tuple[Document, Chunk]]] = defaultdict(list)
            for row in rows:
                document, chunks = index.document(row.id), index.chunks(row.id)
                if document is not None:  # deleted by another process since it was listed
                    path = _path(document, alone=same_name[source] == 1)
                    if chunks and chunks[0].id in imported.ids:
                        files[path].append((document, chunks[0]))
                    else:
                        output.add(document, chunks, path)
                done += 1
                if progress is not None:
                    progress(done, len(listed), source)
            for path, passages in files.items():
                output.add_imported(passages, path)
    names = ("documents", "pages", "passages", "replaced", "undated", "rebuilt")
    return ExportReport(
        parsed=targets[0][0],
        corpus=targets[1][0],
        renamed=imported.renamed,
        **{name: output.counts[name] for name in names},
    )


def parsed_schema() -> pa.Schema:
    """The columns of ``parsed.parquet``."""
    pa = arrow()
    columns = {"texts": pa.string(), "path": pa.string(), "page": pa.int64(), "last_modified_datetime": pa.string()}
    return pa.schema(list(columns.items()))


def corpus_schema() -> pa.Schema:
    """The columns of ``corpus.parquet``; what AutoRAG does not ask for follows what it does."""
    pa = arrow()
    metadata = {
        "page": pa.int64(),
        "last_modified_datetime": pa.timestamp("us"),
        "path": pa.string(),
        "prev_id": pa.string(),
        "next_id": pa.string(),
        "breadcrumb": pa.list_(pa.string()),
        "pages": pa.list_(pa.int64()),
        "kure_rag": pa.string(),
    }
    columns = {
        "doc_id": pa.string(),
        "contents": pa.string(),
        "path": pa.string(),
        "start_end_idx": pa.list_(pa.int64()),
        "metadata": pa.struct(list(metadata.items())),
    }
    return pa.schema(list(columns.items()))


class _Output:
    """Both files, and what was written into them."""

    def __init__(self, parsed: Table, corpus: Table, fallback: datetime, imported: Imported) -> None:
        self._parsed = parsed
        self._corpus = corpus
        self._fallback = fallback
        self._imported = imported
        self._imported_ids = frozenset(imported.ids.values())
        self.counts: Counter[str] = Counter()

    def add(self, document: Document, chunks: Sequence[Chunk], path: str) -> None:
        """A document with its own text."""
        modified = self._dated(document)
        pages = document.pages or (Page(_only_page(chunks), 0, len(document.text)),)
        for page in pages:
            self._page(document.text[page.start : page.end], path, page.number, modified)
        starts = [page.start for page in pages]
        for chunk in chunks:
            page = pages[max(0, bisect_right(starts, chunk.start) - 1)]
            self._passage(
                document,
                chunk,
                path=path,
                page=page.number,
                indices=_indices(document.text, page, chunk),
                modified=modified,
                links=(chunk.prev_id, chunk.next_id),
            )

    def add_imported(self, passages: Sequence[tuple[Document, Chunk]], path: str) -> None:
        """The imported passages of one file."""
        here = names_here(passages, self._imported.ids)
        texts: dict[int, list[str]] = {}
        lengths: Counter[int] = Counter()
        dates: dict[int, datetime] = {}
        for document, chunk in in_order(passages):
            modified, page = self._dated(document), page_of(chunk, unknown=_WHOLE)
            start, length = lengths[page], max(len(keep_safe(chunk.text)[0]), 1)
            lengths[page] += length + 1
            texts.setdefault(page, []).append(chunk.text)
            dates.setdefault(page, modified)
            prev, following = (link(chunk, side, here, self._imported_ids) for side in ("prev", "next"))
            self._passage(
                document,
                chunk,
                path=path,
                page=page,
                indices=[start, start + length - 1],
                modified=modified,
                links=(prev, following),
            )
        for page in sorted(texts):
            self._page("\n".join(texts[page]), path, page, dates[page])
            self.counts["rebuilt"] += 1

    def _dated(self, document: Document) -> datetime:
        known = _modified(document.metadata)
        self.counts += Counter(documents=1, undated=int(known is None))
        return known or self._fallback

    def _page(self, text: str, path: str, number: int, modified: datetime) -> None:
        if text.strip():
            safe, date = keep_safe(text)[0], modified.strftime("%Y-%m-%d")
            row = {"texts": safe, "path": path, "page": number, "last_modified_datetime": date}
            self._parsed.add(row, chars=len(text))
            self.counts["pages"] += 1

    def _passage(
        self,
        document: Document,
        chunk: Chunk,
        *,
        path: str,
        page: int,
        indices: list[int],
        modified: datetime,
        links: tuple[str | None, str | None],
    ) -> None:
        contents, replaced = keep_safe(chunk.text)
        row = {
            "doc_id": self._imported.id_of(chunk),
            "contents": contents,
            "path": path,
            "start_end_idx": indices,
            "metadata": {
                "page": page,
                "last_modified_datetime": modified,
                "path": path,
                "prev_id": links[0],
                "next_id": links[1],
                "breadcrumb": list(chunk.breadcrumb),
                "pages": list(chunk.pages),
                "kure_rag": _ours(document, chunk, [item.to_json() for item in replaced]),
            },
        }
        self._corpus.add(row, chars=len(contents))
        self.counts += Counter(passages=1, replaced=len(replaced))


def _path(document: Document, *, alone: bool) -> str:
    """What AutoRAG knows a file by: its name, made different where two files have the same one."""
    given = document.metadata.get("path")
    if isinstance(given, str) and given:  # a passage of a corpus that knows its file
        return given
    return document.source if alone else f"{document.id[:12]}/{document.source}"


def _only_page(chunks: Sequence[Chunk]) -> int:
    """The page number of a document without pages."""
    return chunks[0].pages[0] if chunks and chunks[0].pages else _WHOLE


def _indices(text: str, page: Page, chunk: Chunk) -> list[int]:
    """The place of a passage on its first page as written, the end inclusive."""
    before = text[page.start : chunk.start]
    here = text[chunk.start : min(chunk.end, page.end)].rstrip()
    start = len(keep_safe(before)[0])
    return [start, start + max(len(keep_safe(here)[0]), 1) - 1]


def _ours(document: Document, chunk: Chunk, replaced: list[list[Any]]) -> str:
    """What only we read again, in ASCII: AutoRAG rewrites every string in the metadata that holds more."""
    value = {
        "document_id": document.id,
        "title": document.title,
        "domain": document.domain,
        "kind": chunk.kind,
        "start": chunk.start,
        "end": chunk.end,
        "lead": chunk.lead,
        "replaced": replaced,
        "metadata": dict(chunk.metadata),
    }
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def _modified(metadata: Mapping[str, Any]) -> datetime | None:
    """When a document was last changed, if its metadata say so (ISO 8601, or seconds since 1970)."""
    for key in _MODIFIED:
        value = metadata.get(key)
        try:
            if isinstance(value, str):
                return _naive(datetime.fromisoformat(value))
            if isinstance(value, int | float) and not isinstance(value, bool):
                return _naive(datetime.fromtimestamp(value, UTC))
        except (ValueError, OverflowError, OSError):  # a date that nobody can read is no date
            continue
    return None


def _naive(moment: datetime) -> datetime:
    """AutoRAG compares without time zones: UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
