import json
import os
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import HashEmbedder, write_pdf

from kure_rag import KureIndex
from kure_rag.chunk import ChunkSettings
from kure_rag.errors import (
    CorpusFormatError,
    DamagedFileError,
    ReadCrashError,
    ReadError,
    ReadLimitError,
    UnsupportedFileError,
)
from kure_rag.ingest import WorkerPool
from kure_rag.ingest.child import Child
from kure_rag.ingest.messages import Prepared
from kure_rag.ingest.pool import PdfJob, TermsJob
from kure_rag.read import ReadLimits, Record
from kure_rag.samples import sample_paths
from kure_rag.tokenize import KiwiTokenizer

OWN_WORKERS = True  # see kept_workers.py

SAMPLES = sample_paths()
# Seconds of analysis: long enough to be killed in the middle of it.
LONG = TermsJob(["직원이 연차휴가를 신청하면 부서장이 승인한다. " * 400] * 400, "오래 걸리는 글")
SHORT = TermsJob(["연차휴가"], "짧은 글")


@pytest.fixture(scope="module")
def shared() -> Iterator[WorkerPool]:
    with WorkerPool(workers=2, chunks=ChunkSettings(target=200, longest=300)) as pool:
        yield pool


@pytest.fixture(scope="module")
def lone_pool() -> Iterator[WorkerPool]:
    with WorkerPool(workers=1) as pool:
        yield pool


@pytest.fixture
def lone(lone_pool: WorkerPool) -> WorkerPool:
    assert isinstance(one(lone_pool, SHORT), list)  # its child is up
    return lone_pool


def one(pool: WorkerPool, job: TermsJob) -> list[list[str]] | ReadError:
    ((_, answer),) = pool.terms([job])
    return answer


def pid(pool: WorkerPool) -> int:
    process = pool._children[0]._process
    assert process is not None
    return process.pid


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def later(action: Callable[[], object], seconds: float = 0.3) -> threading.Timer:
    timer = threading.Timer(seconds, action)
    timer.start()
    return timer


# Order and answers


def test_answers_come_in_the_order_of_the_jobs(shared: WorkerPool, tmp_path: Path) -> None:
    fast = tmp_path / "아님.pdf"
    fast.write_bytes(b"hello")
    torn = tmp_path / "끊김.pdf"
    torn.write_bytes(SAMPLES[0].read_bytes()[:5000])
    paths = [SAMPLES[2], fast, SAMPLES[0], torn, tmp_path / "없음.pdf", SAMPLES[1], fast]
    jobs = [PdfJob(path, path.name) for path in paths]
    answers = list(shared.prepare(jobs))
    assert [job for job, _ in answers] == jobs
    kinds = [type(answer) for _, answer in answers]
    assert kinds == [
        Prepared,
        UnsupportedFileError,
        Prepared,
        DamagedFileError,
        ReadError,
        Prepared,
        UnsupportedFileError,
    ]
    for job, answer in answers:
        if isinstance(answer, Prepared):
            assert answer.document.source == job.name
            # The settings arrived; a piece of a table is as long as the reader made it.
            assert all(len(item.chunk.text) <= 300 for item in answer.chunks if item.chunk.kind != "table")
            assert all(item.terms for item in answer.chunks)
        else:
            assert answer.source == job.name


def test_terms_are_those_of_the_tokenizer(shared: WorkerPool) -> None:
    texts = [[f"{i}호 연차휴가 신청서", "보험금 2,500원"] for i in range(20)]
    jobs = [TermsJob(batch, str(i)) for i, batch in enumerate(texts)]
    assert [answer for _, answer in shared.terms(jobs)] == [KiwiTokenizer().terms_batch(batch) for batch in texts]


def test_jobs_are_taken_only_a_few_ahead(shared: WorkerPool) -> None:
    taken: list[int] = []

    def jobs() -> Iterator[TermsJob]:
        for i in range(100):
            taken.append(i)
            yield SHORT

    answers = shared.terms(jobs())
    next(answers)
    assert len(taken) <= 13


def test_no_child_is_started_for_a_list_without_texts() -> None:
    with WorkerPool(workers=1) as pool:
        assert [answer for _, answer in pool.terms([TermsJob([], "nothing")])] == [[]]
        assert pool._children[0]._process is None


def test_given_domain_reaches_the_reader(shared: WorkerPool) -> None:
    ((_, answer),) = shared.prepare([PdfJob(SAMPLES[0], "약.pdf", "finance")])
    assert isinstance(answer, Prepared)
    assert answer.document.domain == "finance"


def test_file_names_that_are_no_unicode(shared: WorkerPool, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xc8\xde\xb0\xa1.pdf"))  # 휴가 in CP949
    path.write_bytes(SAMPLES[0].read_bytes())
    ((_, answer),) = shared.prepare([PdfJob(path, "휴가.pdf")])
    assert isinstance(answer, Prepared)


def test_lone_surrogates_and_nothing(shared: WorkerPool) -> None:
    answers = [answer for _, answer in shared.terms([TermsJob(["\ud800 휴가"], "반쪽"), TermsJob([], "없음"), SHORT])]
    assert answers[1:] == [[], [["연차", "휴가"]]]


# Death


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_child_that_is_killed_costs_its_one_job(lone: WorkerPool) -> None:
    victim = pid(lone)
    timer = later(lambda: os.kill(victim, signal.SIGKILL))
    answers = [answer for _, answer in lone.terms([SHORT, LONG, SHORT, SHORT])]
    timer.join()
    assert isinstance(answers[1], ReadCrashError)
    assert "SIGKILL" in answers[1].reason
    assert answers[1].source == LONG.name
    assert answers[0] == answers[2] == answers[3] == [["연차", "휴가"]]
    assert pid(lone) != victim
    assert not alive(victim)


def test_a_child_that_died_between_jobs_is_replaced(lone: WorkerPool) -> None:
    victim = pid(lone)
    os.kill(victim, signal.SIGKILL)
    process = lone._children[0]._process
    assert process is not None
    process.wait(10)
    assert one(lone, SHORT) == [["연차", "휴가"]]


def test_a_job_over_its_time_is_ended() -> None:
    with WorkerPool(workers=1, limits=ReadLimits(max_seconds=0.5)) as pool:
        before = time.monotonic()
        answers = [answer for _, answer in pool.terms([LONG, SHORT])]
        assert time.monotonic() - before < 20
    assert isinstance(answers[0], ReadLimitError)
    assert "not read within 0.5 s" in answers[0].reason
    assert answers[1] == [["연차", "휴가"]]


def test_a_clock_that_runs_out_as_the_answer_comes_does_not_hurt_the_next_job(
    lone: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Child._ask

    def late(process: Any, *asked: Any) -> Any:
        answer, clock = ask(process, *asked)
        process.kill()
        clock.late = "job"
        return answer, clock

    with monkeypatch.context() as patch:
        patch.setattr(Child, "_ask", staticmethod(late))
        assert one(lone, SHORT) == [["연차", "휴가"]]
    assert one(lone, SHORT) == [["연차", "휴가"]]


def slow_page(path: Path) -> Path:
    """A PDF whose second page takes pdfium seconds: millions of characters drawn one by one."""
    drawn = b"BT /F1 1 Tf 10 10 Td " + b"(a) Tj " * 2_000_000 + b"ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 2/Kids[3 0 R 4 0 R]>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 5 0 R/Resources<</Font<</F1 6 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(drawn), drawn),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    body = b"%PDF-1.4\n" + b"".join(b"%d 0 obj%s endobj\n" % (i, o) for i, o in enumerate(objects, 1))
    path.write_bytes(body + b"trailer<</Size 7/Root 1 0 R>>\nstartxref\n0\n%%EOF")
    return path


def test_a_page_over_its_time_rejects_its_file_and_is_named(tmp_path: Path) -> None:
    job = PdfJob(slow_page(tmp_path / "느린쪽.pdf"), "느린쪽.pdf")
    with WorkerPool(workers=1, limits=ReadLimits(max_page_seconds=0.3)) as pool:
        (_, answer), (_, after) = pool.prepare([job, PdfJob(SAMPLES[0], "다음.pdf")])
    assert isinstance(answer, ReadLimitError)
    assert answer.reason.startswith("page 2 not read within 0.3 s")
    assert isinstance(after, Prepared)


def test_a_child_that_cannot_start_is_an_error_and_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with WorkerPool(workers=1) as pool:
        answer = one(pool, SHORT)
    assert isinstance(answer, ReadCrashError)
    assert "did not start" in answer.reason


def test_a_profile_of_ones_own_is_found_where_the_caller_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_profile_here.py").write_text(
        """
from kure_rag.chunk import Passage
class Whole:
    name = "whole"
    version = "1"
    def passages(self, document, sentences, settings):
        return [Passage(0, len(document.text), kind="whole")]
WHOLE = Whole()
""",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    with WorkerPool(workers=1, chunks=ChunkSettings(profile="own_profile_here:WHOLE")) as pool:
        ((_, answer),) = pool.prepare([PdfJob(SAMPLES[0], "하나.pdf")])
    assert isinstance(answer, Prepared)
    assert [item.chunk.kind for item in answer.chunks] == ["whole"]


def test_an_error_that_nobody_foresaw_is_named_and_the_child_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_profile_here.py").write_text(
        """
class Broken:
    name = "broken"
    version = "1"
    def passages(self, document, sentences, settings):
        raise KeyError("조문")
BROKEN = Broken()
""",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with WorkerPool(workers=1, chunks=ChunkSettings(profile="broken_profile_here:BROKEN")) as pool:
        ((_, answer),) = pool.prepare([PdfJob(SAMPLES[0], "하나.pdf")])
        before = pid(pool)
        assert isinstance(one(pool, SHORT), list)
        assert pid(pool) == before
    assert isinstance(answer, ReadError)
    assert answer.reason == "cannot be read (KeyError: '조문'); re-save it in a PDF reader"


def test_an_unknown_profile_is_the_callers_error_at_once() -> None:
    with pytest.raises(ValueError, match="no chunk profile named 'leagl'; choose auto"):
        WorkerPool(chunks=ChunkSettings(profile="leagl"))


# The end


def test_close_ends_all_children_also_at_work() -> None:
    pool = WorkerPool(workers=1)
    assert isinstance(one(pool, SHORT), list)
    number = pid(pool)
    timer = later(pool.close)
    before = time.monotonic()
    answers = [answer for _, answer in pool.terms([LONG] * 6)]
    assert time.monotonic() - before < 20
    timer.join()
    assert all(isinstance(answer, ReadError) for answer in answers)
    assert len(answers) == 6
    assert not alive(number)
    assert pool._children[0]._process is None
    pool.close()


def test_close_leaves_no_child_that_was_just_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def slow(*args: Any, **kwargs: Any) -> subprocess.Popen[bytes]:
        time.sleep(0.5)
        made.append(popen(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr("kure_rag.ingest.child.subprocess", types.SimpleNamespace(Popen=slow, PIPE=-1, DEVNULL=-3))
    pool = WorkerPool(workers=1)
    timer = later(pool.close, 0.2)
    list(pool.terms([SHORT]))
    timer.join()
    assert len(made) == 1
    assert made[0].poll() is not None


def test_workers_of_none_or_less() -> None:
    for workers in (0, -3):
        with WorkerPool(workers=workers) as pool:
            assert pool.workers == 1


SCRIPT = """
import sys
from pathlib import Path
from kure_rag import KureIndex

print("한 번만 나온다")
index = KureIndex.open(sys.argv[1], embeddings=sys.argv[2])
report = index.add_paths(sys.argv[3])
print([row.status for row in report.rows], report.rows[0].chunks > 0)
index.close()
"""


def test_a_script_without_a_main_guard_may_ingest(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "휴가": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    module = StaticEmbedding(tokenizer, embedding_weights=np.ones((2, 4), np.float32))
    SentenceTransformer(modules=[module], device="cpu").save_pretrained(str(tmp_path / "모델"))
    script = tmp_path / "내_스크립트.py"
    script.write_text(SCRIPT, encoding="utf-8")
    write_pdf(tmp_path / "휴가.pdf", [["제1조(목적) 이 규정은 직원의 휴가를 정한다."]])
    # A file in the working folder must not be taken for the library's module.
    (tmp_path / "work").mkdir()
    (tmp_path / "work/json.py").write_text("raise SystemExit('wrong json')", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "index"), str(tmp_path / "모델"), str(tmp_path / "휴가.pdf")],
        cwd=tmp_path / "work",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["한 번만 나온다", "['added'] True"]


# Records


def test_the_same_record_twice_is_added_once(tmp_path: Path) -> None:
    leave = Record("휴가-1", "휴가", "연차휴가는 15일이다.", {})
    with KureIndex.open(tmp_path / "index", embeddings=HashEmbedder()) as index:
        report = index.add_records([leave, leave, Record("휴가-2", "휴가", "병가는 60일이다.", {})], workers=1)
        assert [(row.source, row.status, row.chunks) for row in report.rows] == [
            ("휴가-1", "added", 1),
            ("휴가-1", "unchanged", 0),
            ("휴가-2", "added", 1),
        ]
        assert [row.source for row in index.documents()] == ["휴가-1", "휴가-2"]


def test_a_bad_line_costs_no_record_before_it(tmp_path: Path) -> None:
    """The line that breaks the format comes far behind what was already handed out to be analysed."""
    good = 600
    lines = [
        json.dumps({"_id": f"r{i}", "text": f"제{i}조는 {i}원의 수수료를 정한다."}, ensure_ascii=False)
        for i in range(good)
    ]
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("\n".join([*lines, "{broken"]), encoding="utf-8")
    with KureIndex.open(tmp_path / "index", embeddings=HashEmbedder()) as index:
        with pytest.raises(CorpusFormatError, match=f"line {good + 1}"):
            index.add_corpus(corpus)
        assert len(index.documents()) == good
        assert index.verify().ok


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's address space")
def test_a_file_that_needs_more_memory_than_allowed_is_rejected_with_that_reason(tmp_path: Path) -> None:
    giant = tmp_path / "도면.pdf"
    with giant.open("wb") as file:
        file.write(b"%PDF-1.7\n")
        file.truncate(3 * 2**30)  # takes no room on the disk
    small = write_pdf(tmp_path / "규정.pdf", [["제1조(목적) 이 규정은 휴가에 필요한 사항을 정한다."]])
    limits = ReadLimits(max_memory=2**29, max_bytes=2**33)
    with WorkerPool(workers=1, limits=limits) as pool:
        answers = [answer for _, answer in pool.prepare([PdfJob(path, path.name) for path in (giant, small)])]
    assert isinstance(answers[0], ReadLimitError)
    assert answers[0].reason == "needs more than 512 MiB; split the file"
    assert isinstance(answers[1], Prepared)
