"""Uploads: one after another, each in the background, whoever asked; what became of each file.

A page of the app may be reloaded or closed while its files are read: the reading goes on.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO, Final, Protocol

from kure_rag.app.files import KnownFiles
from kure_rag.errors import IndexLockedError, KureError
from kure_rag.ingest import IngestReport, IngestRow
from kure_rag.types import Domain

_log = logging.getLogger(__name__)
_PATIENCE: Final = 600.0  # seconds to wait for another process that writes to the index
_PAUSE: Final = 1.0  # seconds between two looks
_LAST_WAIT: Final = 10.0  # seconds for the file that is being read when the app ends


class _ClosedError(Exception):
    """Ends an upload after the file that is done. Never leaves this module."""


class Index(Protocol):
    """What an upload needs of :class:`kure_rag.KureIndex`."""

    def add_paths(
        self,
        paths: Sequence[str],
        *,
        domain: Domain | None,
        progress: Callable[[int, int | None, str], None],
        on_row: Callable[[IngestRow], None],
    ) -> IngestReport:
        """See :meth:`kure_rag.KureIndex.add_paths`."""


@dataclass(slots=True, kw_only=True)
class Upload:
    """Files that were uploaded together. The worker's thread changes it, any other may look at it.

    Attributes:
        names: Of the files.
        domain: What they are; found out for each when ``None``.
        state: ``waiting`` for its turn, ``locked`` out by another process, ``reading``, ``done`` or ``failed``.
        done: Files done.
        rows: What became of each, in the order in which they were done.
        error: Why none could be added, where that is so.
        began: Seconds of the monotonic clock when the reading began.
        ended: The same when it ended.
    """

    names: tuple[str, ...]
    domain: Domain | None = None
    state: str = "waiting"
    done: int = 0
    rows: list[IngestRow] = field(default_factory=list)
    error: str = ""
    began: float = 0.0
    ended: float = 0.0
    data: list[IO[bytes]] = field(default_factory=list, repr=False)

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ("done", "failed")

    @property
    def seconds(self) -> float:
        """Since the reading began."""
        return (self.ended or time.monotonic()) - self.began if self.began else 0.0

    @property
    def reading(self) -> str:
        """The file that is being read, or an empty string."""
        return self.names[self.done] if self.state == "reading" and self.done < len(self.names) else ""


class Uploads:
    """The queue of uploads and the thread that works it off.

    Args:
        index: What they are added to.
        files: Where they are kept.
        patience: Seconds to wait while another process writes to the index.
    """

    def __init__(self, index: Index, files: KnownFiles, *, patience: float = _PATIENCE) -> None:
        self._index = index
        self._files = files
        self._patience = patience
        self._queue: queue.SimpleQueue[Upload | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="kure-rag-uploads", daemon=True)
        self._thread.start()

    def add(self, files: Sequence[tuple[str, IO[bytes]]], domain: Domain | None = None) -> Upload:
        """Puts files at the end of the queue.

        Args:
            files: The name of each as the browser gave it, and its bytes.
            domain: What they are; found out for each when ``None``.
        """
        upload = Upload(names=tuple(name for name, _ in files), domain=domain, data=[data for _, data in files])
        self._queue.put(upload)
        return upload

    def close(self, wait: float = _LAST_WAIT) -> None:
        """Ends the thread; what waits is not added any more.

        Files of an upload that are done stay in the index, and those after them are left. The file that is being read
        cannot be broken off: where it takes longer than the wait, its thread goes on until the process ends or the
        index is closed. The file is then kept but not in the index, which takes it when it is uploaded again.

        Args:
            wait: Seconds for that file.
        """
        self._closed.set()
        self._queue.put(None)
        self._thread.join(wait)
        if self._thread.is_alive():
            _log.warning(
                "an upload is still being read after %g s and is left; what was read before it is in the index", wait
            )

    def _work(self) -> None:
        while (upload := self._queue.get()) is not None and not self._closed.is_set():
            upload.began = time.monotonic()
            try:
                self._add(upload)
                upload.state = "done"
            except _ClosedError:
                upload.error = "the app was stopped; files without a row here were not added"
                upload.state = "failed"
            except (KureError, OSError) as error:
                upload.error = str(error)
                upload.state = "failed"
            except Exception as error:  # noqa: BLE001 - the next upload must not find a dead thread
                if not self._closed.is_set():  # else the index was closed under it
                    _log.warning("an upload failed", exc_info=True)
                upload.error = f"{type(error).__name__}: {error}"
                upload.state = "failed"
            upload.ended = time.monotonic()
            upload.data.clear()

    def _add(self, upload: Upload) -> None:
        upload.state = "reading"
        kept = [self._files.keep(name, data) for name, data in zip(upload.names, upload.data, strict=True)]

        def progress(done: int, total: int | None, name: str) -> None:
            upload.done = done
            if self._closed.is_set():
                raise _ClosedError

        stored: set[str] = set()

        def on_row(row: IngestRow) -> None:
            upload.rows.append(row)
            stored.add(row.document_id)

        paths = [str(path) for path in dict.fromkeys(one.path for one in kept)]
        try:
            self._when_unlocked(
                upload,
                lambda: self._index.add_paths(paths, domain=upload.domain, progress=progress, on_row=on_row),
            )
        finally:
            for one in kept:
                if one.is_new and one.document_id not in stored:
                    self._files.drop(one)

    def _when_unlocked(self, upload: Upload, add: Callable[[], IngestReport]) -> None:
        """Another process may be writing: an upload waits for it, so that nobody has to send the files again."""
        end = time.monotonic() + self._patience
        while True:
            try:
                add()
            except IndexLockedError:
                if time.monotonic() >= end or upload.rows:
                    raise
                upload.state = "locked"
                if self._closed.wait(_PAUSE):
                    raise
                upload.state = "reading"
            else:
                return
