"""Why a file was rejected, or a question not answered, is said in Korean; what the reader said stays true of it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from kure_rag.app import problems
from kure_rag.app.problems import of_answer, of_file, of_upload
from kure_rag.errors import IndexLockedError, LlmError, ReadError
from kure_rag.read import ReadLimits, ReadSettings, read_file
from kure_rag.samples import sample_paths

SOURCES = Path(problems.__file__).parents[1]


def drawn(*, password: str | None = None, text: str = "") -> bytes:
    """A PDF of one page with a drawing on it."""
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, encrypt=StandardEncryption(password) if password else None)
    canvas.rect(50, 50, 400, 600, fill=1)
    canvas.drawString(60, 780, text)
    canvas.save()
    return out.getvalue()


def torn() -> bytes:
    """A PDF whose parts are gone, but for its end."""
    return b"%PDF-1.7\n" + b"0" * 500 + b"\nstartxref\n9\n%%EOF"


FILES: list[tuple[str, Callable[[], bytes], dict[str, int], str]] = [
    ("빈.pdf", lambda: b"", {}, "빈 파일입니다."),
    ("사진.pdf", lambda: b"\x89PNG\r\n\x1a\n", {}, "PDF 파일이 아닙니다."),
    ("잠긴.pdf", lambda: drawn(password="비밀"), {}, "비밀번호로 잠긴 PDF입니다."),
    ("끊긴.pdf", lambda: sample_paths()[0].read_bytes()[:20_000], {}, "PDF가 중간에서 끊겨 있습니다."),
    ("깨진.pdf", torn, {}, "PDF가 손상되었습니다."),
    ("스캔.pdf", drawn, {}, "글자 정보가 없는 PDF입니다."),
    ("긴.pdf", lambda: sample_paths()[0].read_bytes(), {"max_pages": 3}, "4쪽으로, 한도인 3쪽을 넘습니다."),
    ("큰.pdf", lambda: drawn(), {"max_bytes": 500}, "파일이 너무 큽니다("),
    ("빽빽한.pdf", lambda: sample_paths()[0].read_bytes(), {"max_page_chars": 50}, "1쪽에 글자가 너무 많습니다."),
    ("두꺼운.pdf", lambda: sample_paths()[0].read_bytes(), {"max_chars": 1_000}, "글자가 너무 많습니다."),
    ("빈.txt", lambda: b" \n", {}, "글자가 하나도 없는 파일입니다."),
    ("그림.txt", lambda: b"\x89PNG\x00\x01", {}, "글 파일이 아닙니다."),
    ("깨진.md", lambda: "연차휴가".encode() + b"\xff", {}, "글자의 인코딩을 알 수 없습니다."),
    ("큰.txt", lambda: "가".encode() * 100, {"max_chars": 50}, "글자가 너무 많습니다."),
]


@pytest.mark.parametrize(("name", "data", "limits", "told"), FILES, ids=[row[0] for row in FILES])
def test_what_the_reader_refuses_is_told_in_korean_and_left_alone_in_english(
    name: str, data: Callable[[], bytes], limits: dict[str, int], told: str
) -> None:
    with pytest.raises(ReadError) as refused:
        read_file(data(), name, settings=ReadSettings(ocr="never"), limits=ReadLimits(**limits))
    sentence = of_file(refused.value.reason, "ko")
    assert sentence.startswith(told), refused.value.reason
    assert sentence.endswith("."), "one whole sentence after the other"
    assert len(re.findall(r"[다요][.(]", sentence)) >= 2, "what it is, and what to do"
    assert of_file(refused.value.reason, "en") == ""


@pytest.mark.parametrize(
    "text",
    [
        "needs more than {mebibytes} MiB",
        "{what} not read within {limit:g} s",
        "nested too deeply",
        "the reading process died at",
        "the reading process did not start",
        "was changed while it was read",
        "not read: the run was stopped",
        "no text layer is left",
        "is unreadable (fonts without a character map)",
        "OCR of {late} of them took longer than {limits.max_page_seconds / 2:g} s a page",
        "the file has no pages",
    ],
)
def test_what_no_small_file_brings_about_is_worded_as_the_table_has_it(text: str) -> None:
    where = [*SOURCES.glob("read/*.py"), *SOURCES.glob("ingest/*.py")]
    assert any(text in path.read_text("utf-8") for path in where), "worded otherwise now: correct the table"
    shown = re.sub(r"\{[^}]*\}", "30", text).replace("is unreadable", "text layer of its 3 pages is unreadable")
    assert of_file(shown, "ko")


def test_what_took_too_long_is_told_with_its_page_and_the_limit() -> None:
    assert of_file("page 12 not read within 60 s; leave that page out", "ko").startswith("12쪽을 60초 안에")
    assert of_file("the whole file not read within 0.5 s; split the file", "ko").startswith("파일을 0.5초 안에")


def test_an_upload_that_failed_as_a_whole_is_told(tmp_path: Path) -> None:
    assert "다른 프로그램이 색인에 쓰고 있어" in of_upload(str(IndexLockedError(tmp_path, "process 1")), "ko")
    assert "남은 자리가 없습니다" in of_upload(str(OSError(28, "No space left on device")), "ko")
    assert of_upload("ValueError: odd", "ko") == "", "what is not known is shown as it is"


def test_a_servers_own_words_come_into_no_sentence() -> None:
    lure = "http://x/v1: no answer within ![x](http://evil.example/) s, 3 times; check that the server runs"
    assert "evil" not in of_answer(str(LlmError(lure)), "ko")
    assert "evil" not in of_file("page [1](http://evil.example) not read within 3 s; leave that page out", "ko")
