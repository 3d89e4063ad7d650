"""An index → ``parsed.parquet`` and ``corpus.parquet``, as AutoRAG 0.3.27 reads them.

What its own files leave open is decided here:

- ``start_end_idx`` counts within the text of the passage's first page, its end inclusive. AutoRAG looks at one page
  only: ``QA.update_corpus`` finds passages of another chunking by comparing indices of the same path and page, and its
  server marks the place on that page. So a passage over several pages ends, for AutoRAG, at the last visible character
  it has on its first one; its exact place in the whole document stands beside it, in ``metadata.kure_rag``.
- ``prev_id`` and ``next_id`` go through the whole file, over pages.
- A document without pages, such as a record of a corpus, has page -1, as AutoRAG numbers files without pages.
- ``doc_id`` is the chunk's id, ``path`` the file's name; two files of one name get a part of their ids before it.
- Characters that AutoRAG would rewrite are written as look-alikes, see :mod:`kure_rag.autorag.lookalikes`, in both
  files, so that ``texts[start : end + 1]`` is the passage.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.autorag.files import Table, arrow, make_folder, tables
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
    """

    parsed: Path
    corpus: Path
    documents: int
    pages: int
    passages: int
    replaced: int
    undated: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        names = ("documents", "pages", "passages", "replaced", "undated")
        files = {"parsed": str(self.parsed), "corpus": str(self.corpus)}
        return files | {name: getattr(self, name) for name in names}


def export_index(
    index: KureIndex, out: str | Path, *, modified: datetime | None = None, progress: Progress | None = None
) -> ExportReport:
    """Writes an index as AutoRAG's files, one document in memory at a time.

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
    counts: Counter[str] = Counter()
    fallback = _naive(modified or datetime.now(UTC))
    targets = ((folder / PARSED_NAME, parsed_schema()), (folder / CORPUS_NAME, corpus_schema()))
    with tables(*targets) as (parsed, corpus):
        for done, row in enumerate(listed, start=1):
            document = index.document(row.id)
            if document is not None:  # deleted by another process since it was listed
                path = _path(document, alone=same_name[row.source] == 1)
                counts += _add(document, index.chunks(row.id), path, fallback, parsed, corpus)
            if progress is not None:
                progress(done, len(listed), row.source)
    names = ("documents", "pages", "passages", "replaced", "undated")
    return ExportReport(parsed=targets[0][0], corpus=targets[1][0], **{name: counts[name] for name in names})


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


def _add(
    document: Document, chunks: Sequence[Chunk], path: str, fallback: datetime, parsed: Table, corpus: Table
) -> Counter[str]:
    known = _modified(document.metadata)
    modified = known or fallback
    pages = document.pages or (Page(_only_page(chunks), 0, len(document.text)),)
    counts = Counter(documents=1, undated=int(known is None))
    for row in _parsed_rows(document, pages, path, modified):
        parsed.add(row, chars=len(row["texts"]))
        counts["pages"] += 1
    starts = [page.start for page in pages]
    for chunk in chunks:
        page = pages[max(0, bisect_right(starts, chunk.start) - 1)]
        contents, replaced = keep_safe(chunk.text)
        corpus.add(
            {
                "doc_id": chunk.id,
                "contents": contents,
                "path": path,
                "start_end_idx": _indices(document.text, page, chunk),
                "metadata": {
                    "page": page.number,
                    "last_modified_datetime": modified,
                    "path": path,
                    "prev_id": chunk.prev_id,
                    "next_id": chunk.next_id,
                    "breadcrumb": list(chunk.breadcrumb),
                    "pages": list(chunk.pages),
                    "kure_rag": _ours(document, chunk, [item.to_json() for item in replaced]),
                },
            },
            chars=len(contents),
        )
        counts["passages"] += 1
        counts["replaced"] += len(replaced)
    return counts


def _path(document: Document, *, alone: bool) -> str:
    """What AutoRAG knows a file by: its name, made different where two files have the same one."""
    given = document.metadata.get("path")
    if isinstance(given, str) and given:  # a passage of a corpus that knows its file
        return given
    return document.source if alone else f"{document.id[:12]}/{document.source}"


def _only_page(chunks: Sequence[Chunk]) -> int:
    """The page number of a document without pages."""
    return chunks[0].pages[0] if chunks and chunks[0].pages else _WHOLE


def _parsed_rows(
    document: Document, pages: Sequence[Page], path: str, modified: datetime
) -> Iterator[Mapping[str, Any]]:
    for page in pages:
        text = document.text[page.start : page.end]
        if text.strip():
            yield {
                "texts": keep_safe(text)[0],
                "path": path,
                "page": page.number,
                "last_modified_datetime": modified.strftime("%Y-%m-%d"),
            }


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
