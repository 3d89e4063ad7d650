"""``corpus.parquet`` of AutoRAG, ours or its own, → ready passages."""

from __future__ import annotations

import json
import math
import re
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from kure_rag.autorag.files import arrow
from kure_rag.autorag.lookalikes import from_json, restore
from kure_rag.errors import CorpusFormatError, ReadError
from kure_rag.ingest import IngestReport, IngestRow
from kure_rag.ingest.places import corpus_name
from kure_rag.read import Record
from kure_rag.read.corpus import Place, require_file, short
from kure_rag.types import Domain

if TYPE_CHECKING:
    from kure_rag.pipeline import KureIndex

Progress = Callable[[int, int | None, str], None]
RowListener = Callable[[IngestRow], None]
_COLUMNS: Final = ("doc_id", "contents", "path", "metadata")
_NEEDED: Final = ("doc_id", "contents")
_BATCH: Final = 500
_DEEPEST: Final = 20  # levels of metadata
# What is read into the record's own fields, or is an id among rows that our chunks do not carry.
_OWN: Final = frozenset({"kure_rag", "prev_id", "next_id", "breadcrumb", "pages"})


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that holds no passage.

    Attributes:
        number: 1-based.
        name: Its ``doc_id``, as far as it has one.
        reason: What is wrong, and what to do.
    """

    number: int
    name: str
    reason: str


def read_autorag(path: str | Path) -> Iterator[Record | BadRow]:
    """Streams the rows of a ``corpus.parquet``.

    Each good row is a record: ``id`` its ``doc_id``, ``text`` its contents (look-alikes of our own export turned back),
    ``place`` its file's name, pages and breadcrumb, ``metadata`` what AutoRAG knows of it (``doc_id``, ``path``,
    ``page``, ``last_modified_datetime``, ``prev_doc_id``, ``next_doc_id`` and its other keys) and, of our own exports,
    the chunk's metadata.

    Args:
        path: Columns ``doc_id`` and ``contents``; ``path`` and ``metadata`` may be missing.

    Returns:
        Rows in the file's order. Only their ids are kept, to find one that is used twice.

    Raises:
        MissingExtraError: The extra ``autorag`` is not installed.
        SourceNotFoundError: Nothing lies at that path. Raised at once, as the next.
        CorpusFormatError: It is no parquet file, or a column is missing.
    """
    file = Path(path).expanduser()
    require_file(file)
    return _rows(file, _opened(file))


def add_autorag(
    index: KureIndex,
    path: str | Path,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    on_row: RowListener | None = None,
) -> IngestReport:
    """Adds the rows of a ``corpus.parquet`` to an index, each as one passage; bad rows are rejected with their number.

    Args:
        index: Where they go.
        path: See :func:`read_autorag`.
        workers: Processes that analyse.
        progress: Called with rows done, ``None``, and the name of the last.
        on_row: Called with each row as soon as it is stored for good, or rejected.
    """
    began = time.monotonic()
    rejected: list[IngestRow] = []
    rows = read_autorag(path)  # a file that is no corpus is told before a model is loaded

    def records() -> Iterator[Record]:
        for row in rows:
            if isinstance(row, Record):
                yield row
            else:
                name = f"row {row.number}" + (f" ({row.name})" if row.name else "")
                rejected.append(IngestRow(source=name, status="rejected", reason=row.reason))
                if on_row is not None:
                    on_row(rejected[-1])

    corpus = corpus_name(Path(path).expanduser())
    report = index.add_records(records(), corpus=corpus, workers=workers, progress=progress, on_row=on_row)
    return IngestReport(rows=(*report.rows, *rejected), seconds=time.monotonic() - began)


def _opened(file: Path) -> Any:
    pa = arrow()
    try:
        opened = pa.parquet.ParquetFile(file)
    except pa.ArrowInvalid as error:
        raise CorpusFormatError(
            file.name, "not a parquet file, or one that breaks off; give the corpus.parquet that AutoRAG reads"
        ) from error
    except OSError as error:
        raise ReadError(file.name, f"cannot be read ({error.strerror or error}); check the file") from error
    missing = [name for name in _NEEDED if name not in opened.schema_arrow.names]
    if missing:
        has = ", ".join(opened.schema_arrow.names)
        raise CorpusFormatError(
            file.name,
            f"no column {' and '.join(missing)} (it has {has}); AutoRAG's corpus.parquet has doc_id, contents, path, "
            "metadata",
        )
    return opened


def _rows(file: Path, opened: Any) -> Iterator[Record | BadRow]:
    pa = arrow()
    number = 0
    seen: dict[str, int] = {}
    columns = [name for name in _COLUMNS if name in opened.schema_arrow.names]
    with opened:
        try:
            for batch in opened.iter_batches(batch_size=_BATCH, columns=columns):
                for i in range(batch.num_rows):
                    number += 1
                    yield _row(number, batch.slice(i, 1), seen)
        except (pa.ArrowException, OSError) as error:
            raise CorpusFormatError(
                file.name, f"row {number + 1}: the file is damaged from here on ({error}); write or copy it again"
            ) from error


def _row(number: int, row: Any, seen: dict[str, int]) -> Record | BadRow:
    name = ""
    try:
        (values,) = row.to_pylist()
        name = _identifier(values)
        if (first := seen.setdefault(name, number)) != number:
            return BadRow(number, name, f"doc_id {short(name)} is already in row {first}; give each row its own")
        return _record(name, values)
    except UnicodeDecodeError:
        return BadRow(number, name, "holds text that is not UTF-8; write the file again")
    except (ValueError, RecursionError) as error:
        return BadRow(number, name, str(error) or "nested too deeply; flatten its metadata")


def _identifier(values: Mapping[str, Any]) -> str:
    value = values["doc_id"]
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise ValueError("doc_id is empty or no string; give the row a doc_id")
    return unicodedata.normalize("NFC", value)


def _record(name: str, values: Mapping[str, Any]) -> Record:
    contents = values["contents"]
    if not isinstance(contents, str) or not contents.strip():
        raise ValueError("contents is empty or no string; give the row its text, or remove it")
    metadata = values.get("metadata")
    if metadata is None:
        metadata = {}
    elif not isinstance(metadata, dict):
        raise ValueError(f"metadata is {short(metadata)}; write a struct, such as {{page, last_modified_datetime}}")
    ours = _ours(metadata)
    path = values.get("path") or metadata.get("path")
    path = path if isinstance(path, str) else ""
    place = Place(
        source=_file_name(path) or name,
        pages=_pages(metadata),
        breadcrumb=tuple(_strings(metadata.get("breadcrumb"))),
        lead=_text(ours.get("lead")),
        domain=_domain(ours.get("domain")),
    )
    text = unicodedata.normalize("NFC", restore(contents, from_json(ours.get("replaced"))))
    title = _text(ours.get("title")) or Path(place.source).stem
    return Record(name, title, text, _metadata(name, path, metadata, ours), place)


def _metadata(name: str, path: str, metadata: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    given = {key: _plain(value) for key, value in metadata.items() if key not in _OWN}
    links = {f"{side}_doc_id": _plain(metadata.get(f"{side}_id")) for side in ("prev", "next")}
    own = ours.get("metadata")
    kept = given | links | {"doc_id": name, "path": path or None}
    return {
        **(own if isinstance(own, dict) else {}),
        **{key: value for key, value in kept.items() if value is not None},
    }


def _ours(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """What our own export noted, see :mod:`kure_rag.autorag.export`; nothing for AutoRAG's own files."""
    noted = metadata.get("kure_rag")
    if not isinstance(noted, str):
        return {}
    try:
        value = _plain(json.loads(noted))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _file_name(path: str) -> str:
    """A path's last part, whichever system wrote it: folders are nobody's business in a citation."""
    return unicodedata.normalize("NFC", re.split(r"[/\\]", path.rstrip("/\\"))[-1])


def _pages(metadata: Mapping[str, Any]) -> tuple[int, ...]:
    pages = metadata.get("pages")
    found = pages if isinstance(pages, list) and pages else [metadata.get("page")]
    if not all(isinstance(page, int) and not isinstance(page, bool) and page > 0 for page in found):
        return ()
    return tuple(sorted(set(found)))


def _strings(value: object) -> Iterator[str]:
    """The strings of a breadcrumb, which others may write as one string."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str) and item.strip():
            yield unicodedata.normalize("NFC", item)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _domain(value: object) -> Domain:
    for known in get_args(Domain):
        if value == known:
            return known  # type: ignore[no-any-return]
    return "general"


def _plain(value: Any, depth: int = 0) -> Any:
    """A value as JSON can hold it; ``None`` for what it cannot."""
    if depth > _DEEPEST:
        raise ValueError("metadata is nested too deeply; flatten it")
    if isinstance(value, str):
        text = unicodedata.normalize("NFC", value)
        return text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate cannot be stored
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, float | Decimal):
        number = float(value)
        return number if math.isfinite(number) else None
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    return None
