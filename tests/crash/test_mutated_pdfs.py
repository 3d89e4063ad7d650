"""A seeded set of broken and hostile PDFs: each ends as chunks or as a rejected file, and the next one is read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from mutate import hostile, mutated

from kure_rag.errors import ReadError
from kure_rag.ingest import WorkerPool
from kure_rag.ingest.messages import Prepared
from kure_rag.ingest.pool import PdfJob
from kure_rag.read import ReadLimits
from kure_rag.samples import sample_paths

COUNT = 150


def test_every_mutated_pdf_ends_as_chunks_or_with_a_reason(tmp_path: Path) -> None:
    sound = sample_paths()[0]
    limits = ReadLimits(max_seconds=30, max_page_seconds=10, max_memory=2**30)
    jobs = []
    for number, (kind, data) in enumerate(mutated([path.read_bytes() for path in sample_paths()], COUNT, seed=7)):
        path = tmp_path / f"{number}.pdf"
        path.write_bytes(data)
        jobs.append(PdfJob(path, f"{number} {kind}"))
    with WorkerPool(workers=2, limits=limits) as pool:
        answers = list(pool.prepare([*jobs, PdfJob(sound, "sound.pdf")]))
    assert [job.name for job, _ in answers] == [*(job.name for job in jobs), "sound.pdf"]
    outcome: Counter[str] = Counter()
    for job, answer in answers:
        outcome[type(answer).__name__] += 1
        if isinstance(answer, ReadError):
            assert answer.source == job.name
            assert answer.reason
            assert "did not start" not in answer.reason
        else:
            text = answer.document.text
            assert all(text[item.chunk.start : item.chunk.end] == item.chunk.text for item in answer.chunks)
    assert isinstance(answers[-1][1], Prepared)
    assert outcome["Prepared"] > COUNT / 5, outcome  # the mutations leave something to read
    assert len(outcome) >= 3, outcome
    assert outcome["ReadCrashError"] <= 5, outcome  # only what is made to exhaust memory


def test_the_hostile_files_are_the_same_for_the_same_seed() -> None:
    import random

    first, second = (dict(hostile(random.Random(3))) for _ in range(2))
    assert first == second
    assert len(first) >= 18
