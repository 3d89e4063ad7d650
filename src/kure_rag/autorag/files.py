"""Files that appear under their names only when they are whole, and parquet in small pieces."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.errors import IndexPathError, MissingExtraError

if TYPE_CHECKING:
    import pyarrow as pa

_GROUP_ROWS: Final = 1_000
_GROUP_CHARS: Final = 4_000_000  # of text; a row group is what is held in memory


def arrow() -> Any:
    """The library that reads and writes parquet.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("reading and writing parquet files", "autorag") from error
    return pyarrow


def make_folder(folder: Path) -> None:
    """Makes a folder that files are to be written into.

    Raises:
        IndexPathError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IndexPathError(
            f"{folder}: cannot be made ({error.strerror or error}); choose another folder for the output"
        ) from error


@contextmanager
def whole_files(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """Names to write under; at the end all are renamed at once, and after an error none is left.

    Raises:
        IndexPathError: A file cannot be written.
    """
    parts = tuple(path.with_name(f"{path.name}.part") for path in paths)
    try:
        yield parts
        for part, path in zip(parts, paths, strict=True):
            os.replace(part, path)  # noqa: PTH105 - Path.replace does the same; this one says "atomic" to readers
    except OSError as error:
        raise IndexPathError(
            f"{paths[0].parent}: cannot be written ({error.strerror or error}); make room or choose another folder"
        ) from error
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


class Table:
    """Rows → a parquet file, some at a time, so that a corpus of any size takes little memory."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._pa = arrow()
        self._schema = schema
        self._writer = self._pa.parquet.ParquetWriter(path, schema, compression="zstd")
        self._rows: list[Mapping[str, Any]] = []
        self._chars = 0

    def add(self, row: Mapping[str, Any], *, chars: int = 0) -> None:
        """Takes one row; ``chars`` is about how long its text is."""
        self._rows.append(row)
        self._chars += chars
        if len(self._rows) >= _GROUP_ROWS or self._chars >= _GROUP_CHARS:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._pa.Table.from_pylist(self._rows, schema=self._schema))
            self._rows, self._chars = [], 0

    def close(self) -> None:
        """Writes what is left, and the end of the file."""
        self._flush()
        self._writer.close()

    def abandon(self) -> None:
        """Lets go of the file, which stays unfinished."""
        self._rows = []
        self._writer.close()


@contextmanager
def tables(*targets: tuple[Path, pa.Schema]) -> Iterator[tuple[Table, ...]]:
    """Parquet files to add rows to; they appear together when all of them are whole."""
    with whole_files(*(path for path, _ in targets)) as parts, ExitStack() as stack:
        opened = []
        for part, (_, schema) in zip(parts, targets, strict=True):
            table = Table(part, schema)
            opened.append(table)
            stack.callback(table.abandon)
        yield tuple(opened)
        for table in opened:
            table.close()
