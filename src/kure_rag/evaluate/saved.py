"""Saved runs: what was evaluated, with what, how good it was, and what each query scored.

::

    runs/korquad-hybrid/
      run.json        what was evaluated and its scores: the same for the same evaluation, byte by byte
      measured.json   times, sizes and memory, which differ between two evaluations of the same
      ranking.tsv     query, document, rank, score
"""

from __future__ import annotations

import json
import os
import re
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kure_rag.errors import CorpusFormatError, ReadError, SourceNotFoundError
from kure_rag.evaluate.statistics import Interval

FORMAT: Final = 1
RUN: Final = "run.json"
MEASURED: Final = "measured.json"
RANKING: Final = "ranking.tsv"
_NEEDED: Final = ("kind", "task", "task_sha256", "model", "pipeline", "settings", "metrics")
_NOT_IN_A_NAME: Final = re.compile(r"[^\w.+-]+")


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A finished run on disk.

    Attributes:
        folder: Where it lies.
        data: ``run.json`` as it is.
        measured: ``measured.json`` as it is; empty where there is none.
    """

    folder: Path
    data: dict[str, Any]
    measured: dict[str, Any]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    @property
    def kind(self) -> str:
        """``retrieval`` or ``sts``."""
        return str(self.data["kind"])

    @property
    def task(self) -> str:
        """The set's name."""
        return str(self.data["task"])

    @property
    def task_sha256(self) -> str:
        """Digest of the set's files."""
        return str(self.data["task_sha256"])

    @property
    def model(self) -> str:
        """The embedding model; ``BM25 (Kiwi)`` where none had a say."""
        return str(self.data["model"])

    @property
    def pipeline(self) -> str:
        """``lexical``, ``dense``, ``hybrid``, ``hybrid+rerank``, …."""
        return str(self.data["pipeline"])

    @property
    def settings(self) -> dict[str, Any]:
        """How each query was asked."""
        return dict(self.data["settings"])

    @property
    def queries(self) -> int:
        """How many were scored."""
        return int(self.data.get("queries", 0))

    @property
    def metrics(self) -> dict[str, Interval]:
        """Measure → mean and interval."""
        return _intervals(self.data["metrics"])

    @property
    def domains(self) -> dict[str, dict[str, Interval]]:
        """Domain → measure → mean and interval; empty where the corpus says no domains."""
        return {name: _intervals(group["metrics"]) for name, group in self.data.get("domains", {}).items()}

    def per_query(self, metric: str) -> dict[str, float]:
        """Query id → value.

        Raises:
            ReadError: The run did not keep the values of this measure.
        """
        kept: Mapping[str, dict[str, float]] = self.data.get("per_query", {})
        if metric not in kept:
            raise ReadError(
                self.name, f"has no {metric} of single queries; it has {', '.join(kept) or 'none of any measure'}"
            )
        return dict(kept[metric])


def read_saved_run(folder: str | Path) -> SavedRun:
    """Read a saved run.

    Args:
        folder: The run's.

    Raises:
        SourceNotFoundError: No finished run lies there.
        CorpusFormatError: ``run.json`` is no run, or of a newer format.
    """
    path = Path(folder).expanduser()
    file = path / RUN
    if not file.is_file():
        unfinished = (path / "progress.jsonl").is_file()
        what = "is not finished: give its command again and it goes on" if unfinished else "no run.json in this folder"
        raise SourceNotFoundError(str(folder), what)
    data = _json(file)
    missing = [key for key in _NEEDED if key not in data]
    if missing:
        raise CorpusFormatError(f"{path.name}/{RUN}", f"no {', '.join(missing)}; it is not a run that kure-rag saved")
    if data.get("format") != FORMAT:
        raise CorpusFormatError(
            f"{path.name}/{RUN}", f"format {data.get('format')!r}; this version reads {FORMAT}: upgrade kure-rag"
        )
    measured = path / MEASURED
    return SavedRun(path, data, _json(measured) if measured.is_file() else {})


def list_saved_runs(folder: str | Path) -> list[SavedRun]:
    """All finished runs in a folder, by name; unfinished ones and other files are passed over.

    Args:
        folder: Each of its sub-folders may be a run; it may be one itself.

    Raises:
        SourceNotFoundError: There is no such folder.
        CorpusFormatError: A ``run.json`` is no run.
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise SourceNotFoundError(str(folder), "no such folder; runs are saved with `kure-rag eval SET --save DIR`")
    found = [path, *sorted(path.iterdir())]
    return [read_saved_run(one) for one in found if (one / RUN).is_file()]


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON in one way, so that equal values are equal bytes; the file appears whole or not at all.

    Raises:
        ValueError: A number is not finite. Nothing is written.
        OSError: The file cannot be written.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def folder_name(*parts: str) -> str:
    """A name for a run's folder, of letters in any script, digits, ``.``, ``+`` and ``-``."""
    cleaned = [_NOT_IN_A_NAME.sub("-", unicodedata.normalize("NFC", part)).strip("-.") for part in parts]
    return "-".join(part for part in cleaned if part) or "run"


def _json(file: Path) -> dict[str, Any]:
    name = f"{file.parent.name}/{file.name}"
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReadError(name, f"cannot be read ({error.strerror}); check its permissions") from error
    except ValueError as error:
        raise CorpusFormatError(name, f"not JSON ({error}); evaluate again") from error
    if not isinstance(value, dict):
        raise CorpusFormatError(name, "not a JSON object; it is not a run that kure-rag saved")
    return value


def _intervals(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, Interval]:
    return {name: Interval(value["mean"], value["low"], value["high"]) for name, value in metrics.items()}
