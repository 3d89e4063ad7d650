"""Sources → the index: read in child processes that can be killed, embedded here, stored in the catalog.

Each name is imported when it is first used: a child process reads and chunks, and needs no index.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kure_rag.ingest.files import ingest_files
    from kure_rag.ingest.pool import WorkerPool
    from kure_rag.ingest.records import ingest_records
    from kure_rag.ingest.report import IngestReport, IngestRow, Status

_HOMES = {
    "IngestReport": "report",
    "IngestRow": "report",
    "Status": "report",
    "WorkerPool": "pool",
    "ingest_files": "files",
    "ingest_records": "records",
}

__all__ = ["IngestReport", "IngestRow", "Status", "WorkerPool", "ingest_files", "ingest_records"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
