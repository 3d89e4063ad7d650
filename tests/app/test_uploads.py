"""Uploads are added one after another; what is wrong with one stops none after it."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import write_pdf

from kure_rag import KureIndex
from kure_rag.app.files import KnownFiles
from kure_rag.app.uploads import Upload, Uploads
from kure_rag.errors import IndexLockedError
from kure_rag.ingest import IngestReport, IngestRow
from kure_rag.types import Domain


def waited(upload: Upload) -> Upload:
    """The upload, once nothing will change any more."""
    turn = threading.Event()
    for _ in range(600):
        if upload.over:
            return upload
        turn.wait(0.1)
    raise AssertionError(f"still {upload.state} after a minute")


@pytest.fixture
def pdf(tmp_path: Path) -> bytes:
    return write_pdf(
        tmp_path / "x.pdf", [["제1조(목적) 이 규정은 연차휴가를 정한다.", "연차휴가는 15일로 한다."]]
    ).read_bytes()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[KureIndex]:
    with KureIndex.open(tmp_path / "ix", embeddings="static-ko") as opened:
        yield opened


@dataclass
class OneReader:
    """The index, with one reading process instead of one for each core: they take seconds to start."""

    index: KureIndex

    def add_paths(self, paths: Sequence[str], **given: Any) -> IngestReport:
        return self.index.add_paths(paths, workers=1, **given)


def test_good_and_bad_files_each_get_a_row_and_only_good_ones_are_kept(index: KureIndex, pdf: bytes) -> None:
    files = KnownFiles(index.path)
    uploads = Uploads(OneReader(index), files)
    try:
        upload = waited(
            uploads.add(
                [
                    ("휴가.pdf", io.BytesIO(pdf)),
                    ("사진.pdf", io.BytesIO(b"\x89PNG\r\n\x1a\n")),
                    ("휴가 사본.pdf", io.BytesIO(pdf)),
                ],
                "legal",
            )
        )
        again = waited(uploads.add([("또.pdf", io.BytesIO(pdf))]))
    finally:
        uploads.close()
    assert upload.state == "done"
    rows = {row.source: row for row in upload.rows}
    assert rows["휴가.pdf"].status == "added"
    assert rows["사진.pdf"].status == "rejected"
    assert rows["사진.pdf"].reason
    assert [(row.source, row.domain) for row in index.documents()] == [("휴가.pdf", "legal")]
    assert [row.status for row in again.rows] == ["unchanged"]
    document = index.documents()[0]
    assert [path.name for path in files.kept.iterdir()] == [document.id]
    assert files.find(document.id, document.source) is not None
    assert index.search("연차휴가는 며칠인가요?", k=1)[0].source == "휴가.pdf"


class Recorded:
    """Stands where the index does, and says each time what was asked."""

    def __init__(self, *problems: Exception | None) -> None:
        self.problems = list(problems)
        self.calls: list[list[str]] = []

    def add_paths(
        self,
        paths: Sequence[str],
        *,
        domain: Domain | None,
        progress: Callable[[int, int | None, str], None],
        on_row: Callable[[IngestRow], None],
    ) -> IngestReport:
        self.calls.append([Path(path).name for path in paths])
        if self.problems and (problem := self.problems.pop(0)) is not None:
            raise problem
        rows = []
        for i, path in enumerate(paths):
            rows.append(IngestRow(source=Path(path).name, status="added", document_id=Path(path).parent.name))
            on_row(rows[-1])
            progress(i + 1, len(paths), rows[-1].source)
        return IngestReport(rows=tuple(rows), seconds=0.0)


def test_an_upload_waits_while_another_process_writes(tmp_path: Path) -> None:
    index = Recorded(IndexLockedError(tmp_path, "process 1"), None)
    uploads = Uploads(index, KnownFiles(tmp_path))
    upload = waited(uploads.add([("가.pdf", io.BytesIO(b"%PDF- 1"))]))
    uploads.close()
    assert upload.state == "done"
    assert index.calls == [["가.pdf"], ["가.pdf"]]


def test_one_that_waited_in_vain_fails_with_the_reason_and_the_next_goes_on(tmp_path: Path) -> None:
    index = Recorded(IndexLockedError(tmp_path, "process 1"), ValueError("odd"), OSError(28, "No space left"), None)
    files = KnownFiles(tmp_path)
    uploads = Uploads(index, files, patience=0.0)
    made = [uploads.add([(f"{i}.pdf", io.BytesIO(b"%%PDF- %d" % i))]) for i in range(4)]
    for upload in made:
        waited(upload)
    uploads.close()
    assert [upload.state for upload in made] == ["failed", "failed", "failed", "done"]
    assert "another process is writing" in made[0].error
    assert "odd" in made[1].error
    assert "No space left" in made[2].error
    assert [path.name for path in files.kept.iterdir()] == [made[3].rows[0].document_id]


def test_a_failed_upload_takes_no_file_away_that_was_kept_before(tmp_path: Path) -> None:
    index = Recorded(None, OSError(28, "No space left"))
    files = KnownFiles(tmp_path)
    uploads = Uploads(index, files)
    first = waited(uploads.add([("가.pdf", io.BytesIO(b"%PDF- 1"))]))
    waited(uploads.add([("가.pdf", io.BytesIO(b"%PDF- 1"))]))
    uploads.close()
    assert files.find(first.rows[0].document_id, "가.pdf") is not None


def test_what_is_being_read_is_named(tmp_path: Path) -> None:
    seen: list[tuple[str, int, str]] = []
    known = threading.Event()

    class Watching(Recorded):
        def add_paths(self, paths: Sequence[str], **given: object) -> IngestReport:  # type: ignore[override]
            progress = given["progress"]
            assert callable(progress)

            def looked(done: int, total: int | None, name: str) -> None:
                progress(done, total, name)
                seen.append((upload.state, upload.done, upload.reading))

            assert known.wait(60)
            seen.append((upload.state, upload.done, upload.reading))
            return super().add_paths(paths, **{**given, "progress": looked})  # type: ignore[arg-type]

    uploads = Uploads(Watching(), KnownFiles(tmp_path))
    upload = uploads.add([("가.pdf", io.BytesIO(b"%PDF- 1")), ("나.pdf", io.BytesIO(b"%PDF- 2"))])
    known.set()
    waited(upload)
    uploads.close()
    assert seen == [("reading", 0, "가.pdf"), ("reading", 1, "나.pdf"), ("reading", 2, "")]
    assert upload.seconds > 0


def test_closing_ends_an_upload_after_the_file_that_is_done(index: KureIndex, tmp_path: Path) -> None:
    files = KnownFiles(index.path)
    stored = threading.Event()

    class Slow:
        """The index, which is stopped when the first file is in it."""

        def add_paths(self, paths: Sequence[str], *, on_row: Callable[[IngestRow], None], **more: Any) -> IngestReport:
            def row_done(row: IngestRow) -> None:
                on_row(row)
                stored.set()
                assert uploads._closed.wait(60)

            return index.add_paths(paths, workers=1, on_row=row_done, **more)

    uploads = Uploads(Slow(), files)
    pages = [write_pdf(tmp_path / f"{i}.pdf", [[f"제{i}조(목적) 이 규정은 연차휴가를 정한다."]]) for i in (1, 2, 3)]
    upload = uploads.add([(path.name, io.BytesIO(path.read_bytes())) for path in pages], "legal")
    assert stored.wait(60)
    uploads.close(wait=60)
    assert not uploads._thread.is_alive()
    assert (upload.state, [row.source for row in upload.rows]) == ("failed", ["1.pdf"])
    assert "the app was stopped" in upload.error
    assert [row.source for row in index.documents()] == ["1.pdf"]
    assert [path.name for path in files.kept.iterdir()] == [index.documents()[0].id], "the others are not kept"
    assert index.search("연차휴가", k=1)[0].source == "1.pdf"


def test_closing_does_not_wait_for_ever_for_a_file_that_takes_long(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    began, end = threading.Event(), threading.Event()

    class Hanging(Recorded):
        def add_paths(self, paths: Sequence[str], **given: Any) -> IngestReport:
            began.set()
            assert end.wait(60)
            return super().add_paths(paths, **given)

    uploads = Uploads(Hanging(), KnownFiles(tmp_path))
    upload = uploads.add([("가.pdf", io.BytesIO(b"%PDF- 1"))])
    assert began.wait(60)
    uploads.close(wait=0.1)
    assert not upload.over
    assert "is left" in caplog.text
    end.set()
    uploads._thread.join(60)
    assert "the app was stopped" in upload.error
