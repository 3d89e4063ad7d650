import io
import random
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader, PdfWriter
from pypdf.generic import NameObject, StreamObject
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from kure_rag.errors import (
    DamagedFileError,
    EncryptedFileError,
    NoTextError,
    ReadError,
    ReadLimitError,
    UnsupportedFileError,
)
from kure_rag.ingest import WorkerPool
from kure_rag.ingest.messages import Prepared
from kure_rag.ingest.pool import PdfJob
from kure_rag.read import ReadLimits, ReadSettings, ocr, quality, read_pdf
from kure_rag.read.page import PageContent
from kure_rag.read.pdfium import PdfFile
from kure_rag.read.rescue import UNRECOGNISED
from kure_rag.samples import sample_paths
from kure_rag.types import Document

FONT = "HYSMyeongJo-Medium"
PAGES = (
    ("제1조(목적) 이 규정은 휴가에 필요한 사항을 정한다.", "제2조(적용범위) 모든 직원에게 적용한다."),
    ("제3조(연차휴가) 직원에게 15일의 유급휴가를 준다.",),
    ("부칙", "이 규정은 공포한 날부터 시행한다."),
)
SAMPLES = sample_paths()


def pdf(pages: Sequence[Sequence[str]] = PAGES, title: str = "") -> bytes:
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    canvas.setTitle(title)
    for lines in pages:
        canvas.setFont(FONT, 11)
        for i, line in enumerate(lines):
            canvas.drawString(60, 760 - 20 * i, line)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def drawing(pages: int = 1) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    for _ in range(pages):
        canvas.rect(50, 50, 200, 300, fill=1)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def rewritten(data: bytes, *, user: str | None = None, owner: str | None = None) -> bytes:
    writer = PdfWriter(clone_from=io.BytesIO(data))
    if user is not None:
        writer.encrypt(user, owner, algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def error(data: bytes, kind: type[ReadError], limits: ReadLimits | None = None) -> str:
    with pytest.raises(kind) as caught:
        read_pdf(data, "휴가규정.pdf", limits=limits)
    assert type(caught.value) is kind
    assert caught.value.source == "휴가규정.pdf"
    assert str(caught.value) == f"휴가규정.pdf: {caught.value.reason}"
    return caught.value.reason


def check_pages(document: Document) -> None:
    assert [page.number for page in document.pages] == list(range(1, len(document.pages) + 1))
    edges = [0, *(page.end for page in document.pages)]
    assert [page.start for page in document.pages] == edges[:-1]
    assert edges[-1] == len(document.text)
    assert all(a <= b for a, b in pairwise(edges))
    assert unicodedata.is_normalized("NFC", document.text)
    assert "\r" not in document.text


# What is read


def test_text_and_pages() -> None:
    document = read_pdf(pdf(), "휴가규정.pdf")
    check_pages(document)
    texts = [document.text[page.start : page.end] for page in document.pages]
    assert texts == ["\n".join(lines) + "\n" for lines in PAGES]
    assert (document.pages[0].width, document.pages[0].height) == pytest.approx((595.3, 841.9), abs=0.1)
    assert document.metadata["page_count"] == 3


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_samples(path: Path) -> None:
    document = read_pdf(path.read_bytes(), path.name)
    check_pages(document)
    assert not [page for page in document.pages if page.warnings]
    assert document.source == path.name


def test_id_is_of_the_bytes_and_not_of_the_name() -> None:
    assert read_pdf(pdf(), "가.pdf").id == read_pdf(pdf(), "나.pdf").id != read_pdf(pdf(PAGES[:2]), "가.pdf").id


def test_decomposed_name_becomes_composed() -> None:
    document = read_pdf(pdf(), unicodedata.normalize("NFD", "휴가규정.pdf"))
    assert (document.source, document.title) == ("휴가규정.pdf", "휴가규정")


def test_an_empty_page_keeps_its_number_and_says_so() -> None:
    document = read_pdf(pdf([PAGES[0], [], PAGES[1]]), "휴가규정.pdf")
    check_pages(document)
    assert document.pages[1].warnings == ("blank page",)
    assert document.pages[1].start == document.pages[1].end
    assert document.text[document.pages[2].start :].startswith("제3조")


def test_given_domain_wins() -> None:
    assert read_pdf(pdf(), "휴가규정.pdf").domain == "legal"
    document = read_pdf(pdf(), "휴가규정.pdf", domain="medical")
    assert document.domain == "medical"
    assert document.metadata["domain_given"] is True


def test_each_page_is_announced() -> None:
    seen: list[int] = []
    read_pdf(pdf(), "휴가규정.pdf", on_page=seen.append)
    assert seen == [1, 2, 3, 1, 2, 3, 0]  # parsed, then cut into lines; 0: what follows is no page's time


def test_spacer_decides_at_broken_lines() -> None:
    lines = [
        "직원이 신청하면 부서장은 업무에 지장이 없는 범위에서 휴",
        "가를 승인하여야 하며 승인하지 아니하면 까닭을 서면으로",
        "알린다.",
    ]
    document = read_pdf(pdf([lines]), "휴가.pdf", space_at=lambda pairs: [after == "알린다." for _, after in pairs])
    assert document.text == f"{lines[0]}{lines[1]} {lines[2]}\n"


@pytest.mark.parametrize(
    ("stored", "title"),
    [
        ("여름철 휴가규정", "여름철 휴가규정"),
        ("휴가규정.pdf", "휴가규정"),
        ("", "파일이름"),
        ("ÈÞ°¡±ÔÁ¤", "파일이름"),
        ("ÈÞ°¡ 규정 ±ÔÁ¤¾È ÃÖÁ¾", "파일이름"),
        ("untitled", "파일이름"),
        ("제목 없음", "파일이름"),
        ("PowerPoint 프레젠테이션", "파일이름"),
        ("Microsoft Word - 휴가규정.docx", "파일이름"),
    ],
)
def test_title(stored: str, title: str) -> None:
    assert read_pdf(pdf(title=stored), "파일이름.pdf").title == title


def test_title_with_half_a_character_falls_back() -> None:
    data = rewritten(pdf(title="TITLE"))
    broken = data.replace(b"(TITLE)", b"<FEFFD800D734>")
    assert broken != data
    assert read_pdf(broken, "휴가규정.pdf").text == read_pdf(data, "휴가규정.pdf").text


# What is refused


def test_other_files_under_a_pdf_name() -> None:
    assert "not a PDF" in error("휴가 신청서\n".encode() * 50, UnsupportedFileError)
    assert "not a PDF" in error(b"PK\x03\x04" + bytes(4000), UnsupportedFileError)


def test_empty_file() -> None:
    assert "empty file" in error(b"", UnsupportedFileError)


@pytest.mark.parametrize("share", [0.002, 0.05, 0.3, 0.6, 0.9, 0.99])
def test_truncated_file(share: float) -> None:
    data = SAMPLES[0].read_bytes()
    assert "download it again" in error(data[: int(share * len(data))], DamagedFileError)


@pytest.mark.parametrize("data", [pdf(), rewritten(pdf())], ids=["reportlab", "pypdf"])
def test_every_truncation_is_damaged_or_clean(data: bytes) -> None:
    whole = read_pdf(data, "휴가.pdf").text
    for length in range(10, len(data), 37):
        try:
            document = read_pdf(data[:length], "휴가.pdf")
        except DamagedFileError:
            continue
        check_pages(document)
        assert document.text == whole


def test_garbage_behind_the_header() -> None:
    assert "re-save" in error(b"%PDF-1.7\n" + random.Random(1).randbytes(5000) + b"\n%%EOF", DamagedFileError)


UNREAD = "page cannot be parsed (Failed to load page.)"


def unread(number: int) -> PageContent:
    none = np.zeros((0, 4), np.float32)
    return PageContent(number, 0.0, 0.0, "", none, none, error=UNREAD)


def test_pages_that_cannot_be_parsed_are_damage_and_no_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PdfFile, "page", lambda self, number, **kinds: unread(number))
    assert "3 of its 3 pages" in error(pdf(), DamagedFileError)


def test_one_page_that_cannot_be_parsed_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    page = PdfFile.page
    monkeypatch.setattr(
        PdfFile, "page", lambda self, number, **kinds: unread(2) if number == 2 else page(self, number, **kinds)
    )
    document = read_pdf(pdf(), "휴가규정.pdf")
    check_pages(document)
    assert document.pages[1].warnings == (UNREAD,)
    assert document.pages[0].end == document.pages[1].end > 0


def test_user_password() -> None:
    assert "without the password" in error(rewritten(pdf(), user="비밀", owner="주인"), EncryptedFileError)


def test_owner_password_alone_does_not_hinder_reading() -> None:
    assert read_pdf(rewritten(pdf(), user="", owner="주인"), "휴가.pdf").text == read_pdf(pdf(), "휴가.pdf").text


def test_no_text_layer() -> None:
    assert "OCR" in error(drawing(3), NoTextError)


def private_layer() -> bytes:
    data = PdfReader(io.BytesIO(pdf([["보험금을 지급하지 아니하는 사유와 면책되는 사고를 정한다."]])))
    writer = PdfWriter(clone_from=data)
    font = writer.pages[0]["/Resources"]["/Font"]  # type: ignore[index]
    cmap = b"""/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def
1 begincodespacerange <0000> <FFFF> endcodespacerange
1 beginbfrange <0000> <FFFF> <E000> endbfrange
endcmap end end"""
    stream = StreamObject()
    stream.set_data(cmap)
    for name in font:
        font[name].get_object()[NameObject("/ToUnicode")] = writer._add_object(stream)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_a_text_layer_of_private_characters_is_not_passed_on() -> None:
    with pytest.raises(NoTextError, match="unreadable"):
        read_pdf(private_layer(), "약관.pdf", settings=ReadSettings(ocr="never"))


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        (ReadLimits(max_pages=2), "3 pages, over the limit of 2"),
        (ReadLimits(max_bytes=1000), "over the limit of 1,000"),
        (ReadLimits(max_chars=60), "over 60 characters of text by page 2"),
    ],
)
def test_limits(limits: ReadLimits, what: str) -> None:
    reason = error(pdf(), ReadLimitError, limits)
    assert what in reason
    assert "split the file" in reason


def test_a_page_with_too_many_characters_is_refused() -> None:
    reason = error(pdf(), ReadLimitError, ReadLimits(max_page_chars=30))
    assert "characters on page 1, over the limit of 30" in reason


def test_limits_are_inclusive() -> None:
    read_pdf(pdf(), "휴가.pdf", limits=ReadLimits(max_pages=3, max_bytes=len(pdf())))


# Hostile files, in a process of their own


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(workers=2, limits=ReadLimits(max_seconds=20)) as pool:
        yield pool


def mutated(data: bytes, dice: random.Random) -> bytes:
    out = bytearray(data)
    kind = dice.randrange(3)
    if kind == 0:
        for _ in range(dice.choice((1, 10, 200))):
            out[dice.randrange(len(out))] ^= 1 << dice.randrange(8)
    elif kind == 1:
        at = dice.randrange(len(out))
        del out[at : at + dice.randrange(1, 5000)]
    else:
        del out[dice.randrange(len(out)) :]
    return bytes(out)


def test_mutated_files_never_end_the_run(tmp_path: Path, pool: WorkerPool) -> None:
    dice = random.Random(20261120)
    jobs = []
    for i in range(30):
        path = tmp_path / f"{i}.pdf"
        path.write_bytes(mutated(SAMPLES[i % 3].read_bytes(), dice))
        jobs.append(PdfJob(path, path.name))
    good = PdfJob(SAMPLES[1], SAMPLES[1].name)
    answers = list(pool.prepare([*jobs, good]))
    assert [job for job, _ in answers] == [*jobs, good]
    for _, answer in answers:
        assert isinstance(answer, Prepared | ReadError)
        if isinstance(answer, Prepared):
            check_pages(answer.document)
    assert isinstance(answers[-1][1], Prepared)
    assert sum(isinstance(answer, ReadError) for _, answer in answers) >= 5


def picture_page(size: tuple[float, float] = (595, 842)) -> bytes:
    """A page with text and a large picture of a table, and one without text, of the size."""
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    canvas.setFont(FONT, 11)
    canvas.drawString(60, 780, "수익률은 아래 표와 같으며 지난달보다 조금 올랐다.")
    canvas.drawInlineImage(Image.new("L", (40, 30), 90), 60, 300, 400, 300)
    canvas.showPage()
    canvas.setPageSize(size)
    canvas.rect(size[0] / 8, size[1] / 8, size[0] / 2, size[1] / 2, fill=1)
    canvas.showPage()
    canvas.save()
    return out.getvalue()


def test_a_picture_on_a_page_with_text_is_told() -> None:
    document = read_pdf(picture_page(), "수익률.pdf", settings=ReadSettings(ocr="never"))
    assert document.pages[0].warnings == (quality.PICTURED,)


def test_a_giant_page_does_not_cost_the_other_pages() -> None:
    document = read_pdf(picture_page((200_000, 200_000)), "도면.pdf", settings=ReadSettings(ocr="never"))
    assert "수익률은" in document.text


def test_a_page_that_cannot_be_drawn_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PdfFile, "gray", lambda *_: None)
    document = read_pdf(picture_page(), "도면.pdf", settings=ReadSettings(ocr="never"))
    assert document.pages[1].warnings == (quality.UNDRAWN,)


def test_recognition_that_was_asked_for_and_is_not_available_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "available", lambda: "install it")
    document = read_pdf(pdf(), "규정.pdf", settings=ReadSettings(ocr="always"))
    assert [page.warnings for page in document.pages] == [(f"{UNRECOGNISED}; install it",)] * 3
    assert read_pdf(pdf(), "규정.pdf").pages[0].warnings == ()


def test_recognition_that_takes_too_long_is_no_missing_text_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "available", lambda: "")
    monkeypatch.setattr(ocr, "recognise", lambda *_, **__: ocr.Recognised((), finished=False))
    with pytest.raises(NoTextError, match="OCR of 1 of them took longer than 30 s a page: raise max_page_seconds"):
        read_pdf(drawing(), "스캔.pdf")


def test_a_document_keeps_its_outline_and_why_it_is_of_its_domain() -> None:
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    for number, (chapter, lines) in enumerate(zip(("총칙", "휴가", "부칙"), PAGES, strict=True)):
        canvas.bookmarkPage(str(number))
        canvas.addOutlineEntry(chapter, str(number), level=0)
        canvas.setFont(FONT, 11)
        for i, line in enumerate(lines):
            canvas.drawString(60, 780 - 18 * i, line)
        canvas.showPage()
    canvas.save()
    found = read_pdf(out.getvalue(), "규정.pdf")
    assert [entry[1] for entry in found.metadata["outline"]] == ["총칙", "휴가", "부칙"]
    assert found.domain == "legal"
    assert set(found.metadata["domain_evidence"]["forms"]) == {"조", "부칙"}
    given = read_pdf(out.getvalue(), "규정.pdf", domain="finance")
    assert (given.domain, given.metadata["domain_given"]) == ("finance", True)
    assert given.metadata["domain_evidence"] == found.metadata["domain_evidence"]
