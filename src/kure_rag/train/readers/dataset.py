"""Rows → a data set on disk that the trainer reads without holding it in memory."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from kure_rag.errors import CorpusFormatError, MissingExtraError, TrainingError
from kure_rag.train.readers.records import load_arrow

if TYPE_CHECKING:
    from datasets import Dataset

ColumnType = Literal["text", "texts", "float", "floats", "int"]

_GROUP_ROWS: Final = 1_000
_GROUP_CHARS: Final = 4_000_000  # of text; a group is what is held in memory
_FILE: Final = "rows.arrow"


def as_dataset(
    rows: Iterable[object],
    columns: Sequence[str] | Mapping[str, ColumnType],
    cache: Path,
    *,
    source: str = "the training data",
) -> Dataset:
    """Writes rows to disk and opens them as a ``datasets.Dataset``, memory-mapped.

    The file is written anew, under another name until it is whole. The data set's fingerprint is the SHA-256 of the
    file: the same rows have the same one on every machine, and nothing is pickled to find it.

    Args:
        rows: Objects with the columns as attributes, or mappings with them as keys. They are taken one at a time.
        columns: Names in the order that the loss wants them; all of text, or each with its type: ``text``, ``texts``
            (a list), ``float`` (64 bits), ``floats`` (a list) or ``int``.
        cache: Folder that the file is written into; it is made. Give each data set one of its own.
        source: What messages call the data, such as a file's name.

    Returns:
        The data set; ``len`` of it is the number of rows.

    Raises:
        CorpusFormatError: There are no rows.
        TrainingError: The file cannot be written: no room, or no permission.
        MissingExtraError: ``datasets`` is not installed.
    """
    load_arrow()
    try:
        from datasets import Dataset
        from datasets.table import MemoryMappedTable
    except ImportError as error:
        raise MissingExtraError("training", "train") from error

    path = cache / _FILE
    part = cache / f"{_FILE}.part"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        count = _write(part, rows, _types(columns))
        if count:
            os.replace(part, path)  # noqa: PTH105 - Path.replace does the same; this one says "atomic" to readers
    except OSError as error:
        raise TrainingError(
            f"{cache}: cannot be written ({error.strerror or error}); make room or choose another folder"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    if not count:
        raise CorpusFormatError(source, "no rows; give a file with at least one, or look at what was left out of it")
    with path.open("rb") as file:
        fingerprint = hashlib.file_digest(file, "sha256").hexdigest()
    return Dataset(MemoryMappedTable.from_file(str(path)), fingerprint=fingerprint)


def _types(columns: Sequence[str] | Mapping[str, ColumnType]) -> dict[str, ColumnType]:
    return dict(columns) if isinstance(columns, Mapping) else dict.fromkeys(columns, "text")


def _write(path: Path, rows: Iterable[object], columns: Mapping[str, ColumnType]) -> int:
    arrow = load_arrow()
    kinds = {
        "text": arrow.string(),
        "texts": arrow.list_(arrow.string()),
        "float": arrow.float64(),
        "floats": arrow.list_(arrow.float64()),
        "int": arrow.int64(),
    }
    schema = arrow.schema([(name, kinds[kind]) for name, kind in columns.items()])
    count = 0
    # Opened by Python, so that a full disk is an OSError with its number.
    with path.open("wb") as file, arrow.ipc.new_stream(file, schema) as writer:
        group: list[dict[str, Any]] = []
        chars = 0
        for row in rows:
            values = {name: row[name] if isinstance(row, Mapping) else getattr(row, name) for name in columns}
            group.append(values)
            chars += sum(_size(value) for value in values.values())
            if len(group) >= _GROUP_ROWS or chars >= _GROUP_CHARS:
                writer.write_batch(arrow.RecordBatch.from_pylist(group, schema=schema))
                count += len(group)
                group, chars = [], 0
        if group:
            writer.write_batch(arrow.RecordBatch.from_pylist(group, schema=schema))
            count += len(group)
    return count


def _size(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    return sum(map(_size, value)) if isinstance(value, (list, tuple)) else 1
