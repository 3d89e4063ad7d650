"""Triplets on disk: JSON lines or parquet, with the report beside them."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from kure_rag.errors import ConfigError, CorpusFormatError, IndexPathError, MissingExtraError, ReadError
from kure_rag.read.corpus import fail, read_lines, require_file

ENDINGS: Final = (".jsonl", ".parquet")
_NEEDED: Final = ("query", "positive", "negatives")
_GROUP: Final = 1_000  # rows of a parquet file that are held at once


def report_path(out: Path) -> Path:
    """Where the report of these triplets lies."""
    return out.with_name(f"{out.name}.report.json")


def check_out(out: Path) -> None:
    """What would fail at the end is told before the work.

    Raises:
        ConfigError: The name ends otherwise than in ``.jsonl`` or ``.parquet``.
        IndexPathError: Its folder is not there, or it is a folder itself.
        MissingExtraError: Parquet needs the extra ``autorag``.
    """
    if out.suffix not in ENDINGS:
        raise ConfigError(f"{out.name}: triplets are written as {' or '.join(ENDINGS)}; give it one of these endings")
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise IndexPathError(f"{out}: cannot be written; give a file in a folder that is there")
    if out.suffix == ".parquet":
        _arrow()


def write_triplets(out: Path, rows: Iterable[Mapping[str, Any]]) -> str:
    """Write rows; the file appears whole or not at all, and equal rows are equal bytes.

    Args:
        out: Ends in ``.jsonl`` or ``.parquet``.
        rows: Streamed.

    Returns:
        SHA-256 of the file in hexadecimal.

    Raises:
        OSError: It cannot be written. Nothing is left.
    """
    temporary = out.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        if out.suffix == ".parquet":
            _write_parquet(temporary, rows)
        else:
            with temporary.open("x", encoding="utf-8", newline="\n") as file:
                file.writelines(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
        with temporary.open("r+b") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
    return digest


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_triplets(path: Path) -> Iterator[dict[str, Any]]:
    """Stream mined rows, of JSON lines or parquet: the same ones from both.

    Raises:
        SourceNotFoundError: Nothing lies at that path.
        CorpusFormatError: A row is no triplet; names it.
        MissingExtraError: Parquet needs the extra ``autorag``.
    """
    require_file(path)
    rows = _parquet_rows(path) if path.suffix == ".parquet" else _json_rows(path)
    for number, row in rows:
        if missing := [key for key in _NEEDED if key not in row]:
            fail(path.name, number, f"no {', '.join(missing)}; give a file that `kure-rag mine` wrote")
        yield row


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in read_lines(path):
        try:
            row = json.loads(line)
        except ValueError as error:
            fail(path.name, number, f"not JSON ({error}); mine it again", error)
        if not isinstance(row, dict):
            fail(path.name, number, "no JSON object; mine it again")
        yield number, row


def _parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    pa = _arrow()
    number = 0
    try:
        with pa.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_GROUP):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except pa.ArrowException as error:
        raise CorpusFormatError(path.name, "not a parquet file, or one that breaks off; mine it again") from error
    except OSError as error:
        raise ReadError(path.name, f"cannot be read ({error.strerror or error}); check the file") from error


def _write_parquet(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    pa = _arrow()
    schema = _schema(pa)
    some = iter(rows)
    with pa.parquet.ParquetWriter(path, schema) as writer:
        while group := list(islice(some, _GROUP)):
            writer.write_table(pa.Table.from_pylist(_plain(group), schema=schema))


def _plain(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [dict(row) for row in rows]


def _schema(pa: Any) -> Any:
    texts, scores = pa.list_(pa.string()), pa.list_(pa.float64())
    said = pa.struct([("positive", pa.float64()), ("negatives", scores)])
    return pa.schema(
        [
            ("query", pa.string()),
            ("positive", pa.string()),
            ("negatives", texts),
            ("query_id", pa.string()),
            ("positive_id", pa.string()),
            ("negative_ids", texts),
            ("scores", pa.struct([("dense", said), ("rerank", said), ("ranks", pa.list_(pa.int64()))])),
        ]
    )


def _arrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("Triplets in parquet", "train") from error
    return pyarrow
