"""Sources → the index: read in child processes that can be killed, embedded here, stored in the catalog."""

from kure_rag.ingest.files import ingest_files
from kure_rag.ingest.pool import WorkerPool
from kure_rag.ingest.records import ingest_records
from kure_rag.ingest.report import IngestReport, IngestRow, Status

__all__ = ["IngestReport", "IngestRow", "Status", "WorkerPool", "ingest_files", "ingest_records"]
