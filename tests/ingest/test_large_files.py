"""Large files read by several workers: the same result as by one, and the same errors."""

import io
import os
import random
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mutate import hostile, mutated, pdf_of, stream
from pypdf import PdfReader, PdfWriter
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from kure_rag.errors import ReadCrashError, ReadError, ReadLimitError
from kure_rag.ingest import WorkerPool, worker
from kure_rag.ingest.child import Child, Clock
from kure_rag.ingest.lead import SHARED_CHARS, SHARED_PAGES
from kure_rag.ingest.messages import Prepared, receive, receive_packed
from kure_rag.ingest.pool import PdfJob, TermsJob
from kure_rag.ingest.shared_work import SharedWork
from kure_rag.read import ReadLimits, ReadSettings, read_pdf
from kure_rag.samples import sample_paths

OWN_WORKERS = True  # see kept_workers.py

PAGES = 45
FONT = "HYSMyeongJo-Medium"
NEVER = ReadSettings(ocr="never")
Answer = Prepared | ReadError


def regulation(pages: int = PAGES, *, long: bool = True) -> bytes:
    """Articles that go on over pages, running titles, page numbers, ruled tables that go on, a page without text."""
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    article = printed = 0
    for page in range(1, pages + 1):
        canvas.setFont(FONT, 10)
        canvas.drawString(60, 810, "주택임대관리규정")
        canvas.drawCentredString(300, 30, f"- {page} -")
        if page % 20 == 0:
            canvas.rect(100, 100, 300, 300, fill=1)
        elif page % 9 in (4, 5):
            table(canvas, page)
        else:
            for i in range(38 if long else 3):
                printed += 1
                if printed % 7 == 1:
                    article += 1
                    said = f"제{article}조(임대료의 납부) ① 임차인은 매월 {article % 28 + 1}일까지 임대료를 내야 하며,"
                else:
                    said = (
                        f"{i}번째 달부터 밀린 임대료가 {page * 1000 + i:,}원을 넘으면 관리인은 계약을 해지할 수 있고 그"
                    )
                canvas.drawString(60, 780 - 19 * i, said)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def table(canvas: Any, page: int) -> None:
    canvas.drawString(60, 780, f"<표 {page}> 지역별 임대료 (단위: 천원)")
    for row in range(12):
        canvas.line(60, 760 - 20 * row, 460, 760 - 20 * row)
        if row < 11:
            for column in range(4):
                said = ("지역", "보증금", "임대료", "관리비")[column] if row == 0 else f"{page * row + column:,}"
                canvas.drawString(65 + 100 * column, 745 - 20 * row, said)
    for column in range(5):
        canvas.line(60 + 100 * column, 760, 60 + 100 * column, 540)


def changed(data: bytes, change: Callable[[PdfWriter], object]) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    change(writer)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def turned(writer: PdfWriter) -> None:
    for i, page in enumerate(writer.pages):
        page.rotate(90 * (i % 4))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    short = regulation(PAGES, long=False)
    folder = tmp_path_factory.mktemp("large")
    contents = {
        "규정.pdf": regulation(),
        "돌린 규정.pdf": changed(short, turned),
        "암호 걸린 규정.pdf": changed(short, lambda writer: writer.encrypt("", "주인", algorithm="RC4-128")),
        "짧은 쪽들.pdf": short,
        "한 쪽 많음.pdf": regulation(SHARED_PAGES + 1, long=False),
        "작은 파일.pdf": regulation(SHARED_PAGES, long=False),
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return {name: folder / name for name in contents}


@pytest.fixture(scope="module")
def alone() -> Iterator[WorkerPool]:
    with WorkerPool(workers=1, read=NEVER) as pool:
        yield pool


@pytest.fixture(scope="module")
def together() -> Iterator[WorkerPool]:
    with WorkerPool(workers=2, read=NEVER) as pool:
        list(pool.terms([TermsJob(["준비"], "준비")] * 4))
        yield pool


def watched(patch: pytest.MonkeyPatch) -> list[SharedWork]:
    """All work that is offered, from now on."""
    made: list[SharedWork] = []
    start = SharedWork.__init__

    def kept(self: SharedWork, *args: Any) -> None:
        start(self, *args)
        made.append(self)

    patch.setattr(SharedWork, "__init__", kept)
    return made


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> list[SharedWork]:
    return watched(monkeypatch)


@pytest.fixture(scope="module")
def expected(files: dict[str, Path], alone: WorkerPool) -> dict[str, Answer]:
    """What one worker makes of the files; it shares nothing."""
    with pytest.MonkeyPatch.context() as patch:
        made = watched(patch)
        answers = dict(zip(files, read(alone, *files.values()), strict=True))
    assert not made
    return answers


@pytest.fixture(params=["helpers do all", "whoever is first"])
def helped(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both must give the same: the work of helpers only, and what chance makes of it."""
    if request.param == "helpers do all":
        helpers_do_all(monkeypatch)


def helpers_do_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only for one large file at a time: two that wait for each other's help would wait for ever."""
    monkeypatch.setattr(SharedWork, "_pick", lambda self: self._returned.pop(0) if self._returned else None)
    more = SharedWork._more
    monkeypatch.setattr(SharedWork, "_more", lambda self: more(self) or bool(self._waiting))


def read(pool: WorkerPool, *paths: Path) -> list[Answer]:
    return [answer for _, answer in pool.prepare(PdfJob(path, path.name) for path in paths)]


def same(first: Answer, second: Answer) -> None:
    if isinstance(first, ReadError):
        assert (type(second), str(second)) == (type(first), str(first))
    else:
        assert isinstance(second, Prepared)
        assert second.document == first.document
        assert second.chunks == first.chunks


# The same result


@pytest.mark.usefixtures("helped")
def test_a_large_file_is_the_same_however_many_read_it(
    files: dict[str, Path], expected: dict[str, Answer], together: WorkerPool, offered: list[SharedWork]
) -> None:
    found = [answer for path in files.values() for answer in read(together, path)]
    assert len(offered) >= len(files) - 1
    for name, second in zip(files, found, strict=True):
        first = expected[name]
        assert isinstance(first, Prepared), name
        same(first, second)
    whole = expected["규정.pdf"]
    assert isinstance(whole, Prepared)
    assert len(whole.document.text) > SHARED_CHARS  # its analysis is shared out too
    assert any(len(item.chunk.pages) > 1 for item in whole.chunks)
    assert whole.document.tables


def test_a_small_file_is_read_by_one(files: dict[str, Path], together: WorkerPool, offered: list[SharedWork]) -> None:
    small, large = read(together, files["작은 파일.pdf"]), list(offered)
    assert isinstance(small[0], Prepared)
    assert not large
    read(together, files["한 쪽 많음.pdf"])
    assert offered


def test_answers_that_helpers_cannot_pass_on_are_found_by_the_one_who_asked(
    files: dict[str, Path], expected: dict[str, Answer], together: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    helpers_do_all(monkeypatch)
    monkeypatch.setattr(Child, "help", lambda self, task, name, end: None)
    (found,) = read(together, files["짧은 쪽들.pdf"])
    same(expected["짧은 쪽들.pdf"], found)


def test_an_answer_that_is_too_long_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    short, long = io.BytesIO(), io.BytesIO()
    monkeypatch.setattr(worker, "_LONGEST_PART", 4)
    worker._send_part(short, b"1234")
    worker._send_part(long, b"12345")
    short.seek(0)
    assert (receive(short), receive_packed(short)) == ({"part": True}, b"1234")
    long.seek(0)
    assert (receive(long), receive_packed(long)) == ({"too_long": True}, None)


def test_broken_files_that_claim_many_pages_end_the_same(
    tmp_path: Path, alone: WorkerPool, together: WorkerPool
) -> None:
    page, text = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 4 0 R>>", stream(b"BT (leave) Tj ET")
    root = b"<</Type/Catalog/Pages 2 0 R>>"
    claims = {
        "more than there are": pdf_of([root, b"<</Type/Pages/Count 90/Kids[%s]>>" % (b"3 0 R " * 40), page, text]),
        "a loop": pdf_of([root, b"<</Type/Pages/Count 60/Kids[2 0 R 3 0 R 2 0 R]>>", page, text]),
        "holes": pdf_of([root, b"<</Type/Pages/Count 50/Kids[%s]>>" % (b"3 0 R null 9 0 R 4 0 R " * 20), page, text]),
        "giant": dict(hostile(random.Random(1)))["giant page count"],
    }
    base = regulation(SHARED_PAGES + 8, long=False)
    claims |= {f"{i} {kind}": data for i, (kind, data) in enumerate(mutated([base], 30, seed=11)) if i >= 20}
    paths = []
    for i, data in enumerate(claims.values()):
        paths.append(tmp_path / f"{i}.pdf")
        paths[-1].write_bytes(data)
    for first, second in zip(read(alone, *paths), read(together, *paths), strict=True):
        same(first, second)


# The same errors


@pytest.fixture(
    scope="module",
    params=[ReadLimits(max_chars=30_000), ReadLimits(max_page_chars=1_500), ReadLimits(max_pages=PAGES - 1)],
    ids=["characters of all pages", "characters of one page", "pages"],
)
def limited(request: pytest.FixtureRequest, files: dict[str, Path]) -> Iterator[tuple[WorkerPool, ReadLimitError]]:
    """Workers with a limit, and what is said of the large file that is over it."""
    path, limits = files["규정.pdf"], request.param
    with pytest.raises(ReadLimitError) as expected:
        read_pdf(path.read_bytes(), path.name, limits=limits, settings=NEVER)
    with WorkerPool(workers=2, limits=limits, read=NEVER) as pool:
        yield pool, expected.value


@pytest.mark.usefixtures("helped")
def test_limits_hold_over_all_ranges_and_name_the_same_page(
    files: dict[str, Path], limited: tuple[WorkerPool, ReadLimitError]
) -> None:
    pool, expected = limited
    (found,) = read(pool, files["규정.pdf"])
    same(expected, found)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.usefixtures("helped")
def test_a_worker_that_dies_in_a_range_costs_its_one_file(
    files: dict[str, Path], together: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = Clock.turn

    def dies(self: Clock, page: int) -> None:
        turn(self, page)
        if page == PAGES - 1:
            self._process.kill()

    with monkeypatch.context() as patch:
        patch.setattr(Clock, "turn", dies)
        answers = read(together, files["작은 파일.pdf"], files["규정.pdf"], files["작은 파일.pdf"])
    assert [type(answer) for answer in answers] == [Prepared, ReadCrashError, Prepared]
    assert isinstance(answers[1], ReadCrashError)
    assert answers[1].source == "규정.pdf"
    # It may have begun the next page by the time the signal reaches it.
    assert re.search(rf"died at page ({PAGES - 1}|{PAGES}) \(SIGKILL\)", answers[1].reason)
    (again,) = read(together, files["규정.pdf"])
    assert isinstance(again, Prepared)


def slow_page(path: Path, slow: int, count: int = PAGES) -> Path:
    """One page takes pdfium seconds: millions of characters drawn one by one."""
    drawn = stream(b"BT /F1 1 Tf 10 10 Td " + b"(a) Tj " * 2_000_000 + b"ET")
    fonts = b"/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]%s>>" % fonts
    kids = [b"3 0 R"] * count
    kids[slow - 1] = b"4 0 R"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count %d/Kids[%s]>>" % (count, b" ".join(kids)),
        page,
        page.replace(b"/Resources", b"/Contents 5 0 R/Resources"),
        drawn,
    ]
    path.write_bytes(pdf_of(objects))
    return path


@pytest.mark.usefixtures("helped")
def test_the_clock_of_a_page_runs_in_a_range_too(tmp_path: Path) -> None:
    path = slow_page(tmp_path / "느린쪽.pdf", PAGES - 1)
    with WorkerPool(workers=2, limits=ReadLimits(max_page_seconds=0.5), read=NEVER) as pool:
        answers = read(pool, path, sample_paths()[0])
    assert isinstance(answers[0], ReadLimitError)
    assert answers[0].source == "느린쪽.pdf"
    assert answers[0].reason.startswith(f"page {PAGES - 1} not read within 0.5 s")
    assert isinstance(answers[1], Prepared)


@pytest.mark.usefixtures("helped")
def test_the_clock_of_the_file_runs_over_all_ranges(tmp_path: Path) -> None:
    path = slow_page(tmp_path / "느린파일.pdf", PAGES - 1)
    with WorkerPool(workers=2, limits=ReadLimits(max_seconds=0.6), read=NEVER) as pool:
        list(pool.terms([TermsJob(["준비"], "준비")] * 4))
        (answer,) = read(pool, path)
    assert isinstance(answer, ReadLimitError)
    assert answer.reason.startswith("the whole file not read within 0.6 s")


def test_a_file_that_changes_while_it_is_read_is_not_put_together_from_two(tmp_path: Path) -> None:
    path = tmp_path / "규정.pdf"
    path.write_bytes(regulation(2, long=False))
    job = {"path": str(path), "name": "규정.pdf", "digest": "0" * 64}
    with pytest.raises(ReadError, match="was changed while it was read"):
        worker._OpenFile().opened(job, ReadLimits())


def test_a_helper_that_cannot_start_leaves_the_work_to_the_one_who_asked(
    files: dict[str, Path], expected: dict[str, Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    with WorkerPool(workers=2, read=NEVER) as pool:
        answers = pool.prepare([PdfJob(files["작은 파일.pdf"], "하나.pdf")])
        list(answers)  # one child is up
        up = next(child for child in pool._children if child._process is not None)
        (down,) = (child for child in pool._children if child is not up)
        while not pool._free.empty():
            pool._free.get()
        pool._free.put(up)  # the one that reads the file
        pool._free.put(down)
        monkeypatch.setattr(sys, "executable", "/bin/false")
        (found,) = read(pool, files["규정.pdf"])
    same(expected["규정.pdf"], found)


# The end


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_closing_in_the_middle_leaves_no_process_and_no_thread(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = WorkerPool(workers=2, read=NEVER)
    list(pool.terms([TermsJob(["준비"], "준비")] * 4))
    pids = [child._process.pid for child in pool._children if child._process is not None]
    turn = Clock.turn
    closed = threading.Event()

    def closing(self: Clock, page: int) -> None:
        turn(self, page)
        if page == 10 and not closed.is_set():
            closed.set()
            threading.Thread(target=pool.close).start()

    monkeypatch.setattr(Clock, "turn", closing)
    answers = read(pool, files["규정.pdf"], files["작은 파일.pdf"])
    pool.close()
    assert closed.is_set()
    assert all(isinstance(answer, ReadError) for answer in answers)
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith(("kure-rag-clock",))]
