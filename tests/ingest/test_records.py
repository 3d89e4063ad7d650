"""Records that are in the index already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from support import HashEmbedder

from kure_rag import KureIndex
from kure_rag.errors import ReadError
from kure_rag.ingest import records as module
from kure_rag.ingest.pool import TermsJob, WorkerPool
from kure_rag.ingest.records import ingest_records
from kure_rag.ingest.report import IngestRow
from kure_rag.ingest.target import Target
from kure_rag.read import Record

LEAVE = Record("휴가", "취업규정", "연차휴가는 1년에 15일을 준다.")
CHANGED = Record("휴가", "취업규정", "연차휴가는 1년에 20일을 준다.")
TRAVEL = Record("출장", "여비규정", "출장비는 다녀온 날부터 5일 안에 신청한다.")
SICK = Record("병가", "취업규정", "병가는 진단서를 내고 60일까지 쓸 수 있다.")


class Watched(WorkerPool):
    """Remembers what was analysed."""

    def __init__(self) -> None:
        super().__init__(workers=1)
        self.texts: list[str] = []

    def terms(self, jobs: Iterable[TermsJob]) -> Iterator[tuple[TermsJob, list[list[str]] | ReadError]]:
        def seen() -> Iterator[TermsJob]:
            for job in jobs:
                self.texts += job.texts
                yield job

        return super().terms(seen())


def added(index: KureIndex, records: Iterable[Record]) -> tuple[list[IngestRow], list[str]]:
    with Target(index._store, index.embedder) as target, Watched() as pool, index._store.writing():
        return list(ingest_records(target, pool, records, "규정집")), pool.texts


def test_records_that_are_in_the_index_are_not_analysed_again(tmp_path: Path) -> None:
    with KureIndex.open(tmp_path / "index", embeddings=HashEmbedder()) as index:
        added(index, [LEAVE, TRAVEL])
        rows, texts = added(index, [LEAVE, SICK, TRAVEL])
        assert [(row.source, row.status) for row in rows] == [
            ("휴가", "unchanged"),
            ("병가", "added"),
            ("출장", "unchanged"),
        ]
        assert [SICK.text in text for text in texts] == [True]
        rows, texts = added(index, [LEAVE, SICK, TRAVEL])
        assert {row.status for row in rows} == {"unchanged"}
        assert not texts
        assert index.search("진단서", k=1, mode="lexical")[0].source == "병가"


def test_a_record_that_comes_back_after_its_newer_version_is_stored_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with KureIndex.open(tmp_path / "index", embeddings=HashEmbedder()) as index:
        added(index, [LEAVE, TRAVEL])
        monkeypatch.setattr(module, "_BATCH", 1)  # the newer version is stored before the older one is looked at again
        rows, _ = added(index, [CHANGED, TRAVEL, LEAVE])
        assert [(row.source, row.status) for row in rows] == [
            ("휴가", "updated"),
            ("출장", "unchanged"),
            ("휴가", "updated"),
        ]
        assert index.search("연차휴가", k=1, mode="lexical")[0].chunk.text == LEAVE.text
        assert index.verify().ok


def test_of_records_of_one_id_the_last_wins_in_every_run(tmp_path: Path) -> None:
    with KureIndex.open(tmp_path / "index", embeddings=HashEmbedder()) as index:
        for statuses in (["added", "added", "updated"], *[["updated", "unchanged", "updated"]] * 2):
            rows, _ = added(index, [LEAVE, TRAVEL, CHANGED])
            assert [row.status for row in rows] == statuses
            assert sorted(index.document(row.id).text for row in index.documents()) == [CHANGED.text, TRAVEL.text]  # type: ignore[union-attr]
        rows, texts = added(index, [CHANGED, CHANGED, TRAVEL])  # the same record twice is none in another's place
        assert ({row.status for row in rows}, texts) == ({"unchanged"}, [])
        rows, _ = added(index, [CHANGED, LEAVE, CHANGED, SICK])
        assert [row.status for row in rows] == ["unchanged", "updated", "updated", "added"]
        assert {index.document(row.id).text for row in index.documents()} == {CHANGED.text, TRAVEL.text, SICK.text}  # type: ignore[union-attr]
        assert index._store.catalog.integrity() == []


@pytest.mark.parametrize("first", ["", "모음"])
def test_a_record_that_was_added_without_a_corpus_outlives_that_of_a_corpus(tmp_path: Path, first: str) -> None:
    with KureIndex.open(tmp_path / "index", embeddings=HashEmbedder()) as index:
        statuses = [index.add_records([LEAVE], corpus=corpus).rows[0].status for corpus in (first, "모음", "")]
        assert statuses == ["added", "unchanged", "unchanged"]
        assert index.add_records([CHANGED], corpus="모음").rows[0].status == "updated"
        assert {index.document(row.id).text for row in index.documents()} == {LEAVE.text, CHANGED.text}  # type: ignore[union-attr]
        assert index.delete("휴가") == 2
        assert index._store.catalog.places() == []
