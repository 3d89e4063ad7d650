"""What reading a long file takes of a machine's memory."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pypdf
import pytest

DATA = (
    Path(os.environ.get("KURE_RAG_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data") / "law_pdf"
)
PAGES = 300
MOST = 10**9  # bytes of all processes together

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason="no statutes to read; set KURE_RAG_DATA"),
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="sizes of processes come from /proc"),
]


def processes(pid: int) -> Iterator[int]:
    """A process and all that it started."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from processes(int(child))


def resident(pid: int) -> int:
    total = 0
    for each in processes(pid):
        try:
            total += os.sysconf("SC_PAGE_SIZE") * int(Path(f"/proc/{each}/statm").read_text().split()[1])
        except OSError:  # it has just ended
            continue
    return total


def test_three_hundred_pages_are_cut_with_less_than_a_gigabyte(tmp_path: Path) -> None:
    writer = pypdf.PdfWriter()
    for path in sorted(DATA.glob("*.pdf")):
        for page in pypdf.PdfReader(path).pages:
            if len(writer.pages) < PAGES:
                writer.add_page(page)
    book = tmp_path / "book.pdf"
    writer.write(book)
    out = tmp_path / "chunks.jsonl"
    command = [sys.executable, "-m", "kure_rag", "chunks", str(book), "--workers", "2", "--out", str(out)]
    peak = 0
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            try:
                peak = max(peak, resident(process.pid))
            except OSError:
                continue
            time.sleep(0.05)
    assert process.returncode == 0
    assert out.read_text(encoding="utf-8").count("\n") > PAGES
    assert 0 < peak < MOST
