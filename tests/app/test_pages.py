"""A passage's page is drawn by a child process, or it is said why not."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from support import write_pdf

from kure_rag import KureIndex
from kure_rag.app.files import KnownFiles
from kure_rag.app.page_child import answer
from kure_rag.app.pages import NoPage, Pages, PageView, parts_of
from kure_rag.read import read_file
from kure_rag.samples import DEMO_QUESTIONS
from kure_rag.types import Chunk, Document, Page


def found(index: KureIndex, query: str, **given: object) -> tuple[Document, Chunk]:
    hit = index.search(query, k=1, **given)[0]  # type: ignore[arg-type]
    document = index.document(hit.chunk.document_id)
    assert document is not None
    return document, hit.chunk


@pytest.mark.parametrize("number", [2, 4])
def test_the_page_of_an_answer_is_drawn_and_its_words_lie_in_the_boxes(
    sample_index: KureIndex, samples: Path, tmp_path: Path, number: int
) -> None:
    asked = DEMO_QUESTIONS[number]
    document, chunk = found(sample_index, asked.question)
    view = Pages(KnownFiles(tmp_path, [samples])).view(document, chunk)
    assert isinstance(view, PageView)
    assert view.number == asked.page
    assert view.pages == len(document.pages)
    assert view.share > 0.99
    picture = Image.open(io.BytesIO(view.png)).convert("L")
    assert picture.size == (view.width, view.height)
    dark = picture.point(lambda value: 255 * (value < 128))
    for left, top, width, height in view.marks:
        assert 0 <= left < left + width <= 1
        assert 0 <= top < top + height <= 1
        box = (left * view.width, top * view.height, (left + width) * view.width, (top + height) * view.height)
        assert dark.crop(tuple(map(round, box))).getbbox() is not None, "a box lies where nothing is printed"


def test_a_passage_over_two_pages_is_marked_on_both(sample_index: KureIndex, samples: Path, tmp_path: Path) -> None:
    row = next(row for row in sample_index.documents() if row.source.startswith("새여울"))
    document = sample_index.document(row.id)
    assert document is not None
    chunk = next(chunk for chunk in sample_index.chunks(row.id) if len(chunk.pages) == 2)
    pages = Pages(KnownFiles(tmp_path, [samples]))
    first = pages.view(document, chunk)
    assert isinstance(first, PageView)
    assert first.number == chunk.pages[0]
    assert first.marked_pages == chunk.pages
    second = pages.view(document, chunk, chunk.pages[1])
    assert isinstance(second, PageView)
    assert second.marks
    assert second.marks != first.marks
    other = pages.view(document, chunk, next(n for n in range(1, 6) if n not in chunk.pages))
    assert isinstance(other, PageView)
    assert not other.marks


def test_a_page_is_drawn_once(sample_index: KureIndex, samples: Path, tmp_path: Path) -> None:
    document, chunk = found(sample_index, "해독제")
    pages = Pages(KnownFiles(tmp_path, [samples]))
    assert pages.view(document, chunk) is pages.view(document, chunk)


def test_without_its_file_the_page_is_unknown(sample_index: KureIndex, tmp_path: Path) -> None:
    document, chunk = found(sample_index, "해독제")
    assert Pages(KnownFiles(tmp_path)).view(document, chunk) == NoPage(reason="unknown")


def test_a_file_that_was_changed_since_is_not_shown(sample_index: KureIndex, samples: Path, tmp_path: Path) -> None:
    document, chunk = found(sample_index, "해독제")
    copy = Path(shutil.copy(samples / document.source, tmp_path))
    files = KnownFiles(tmp_path / "ix", [tmp_path])
    assert files.find(document.id, document.source) == copy
    copy.write_bytes(copy.read_bytes() + b"\n% signed later")
    pages = Pages(files)
    shown = pages.view(document, chunk)
    assert isinstance(shown, NoPage)
    assert shown.reason == "changed"
    assert pages.view(document, chunk) == NoPage(reason="unknown"), "another file of these bytes may turn up"


def test_a_text_file_has_no_page(tmp_path: Path) -> None:
    data = "방문객의 차량은 지하 2층에 세운다.\n".encode()
    (tmp_path / "안내.txt").write_bytes(data)
    document = read_file(data, "안내.txt")
    chunk = Chunk("c", document.id, document.text, 0, len(document.text), (1,))
    assert Pages(KnownFiles(tmp_path / "ix", [tmp_path])).view(document, chunk) == NoPage(reason="text")


def test_a_child_that_takes_too_long_is_killed(sample_index: KureIndex, samples: Path, tmp_path: Path) -> None:
    document, chunk = found(sample_index, "해독제")
    shown = Pages(KnownFiles(tmp_path, [samples]), seconds=0.01).view(document, chunk)
    assert isinstance(shown, NoPage)
    assert shown.reason == "failed"
    assert "longer than 0.01 seconds" in shown.detail


def test_a_file_that_cannot_be_drawn_says_why(sample_index: KureIndex, tmp_path: Path) -> None:
    files = KnownFiles(tmp_path)
    kept = files.keep("깨진.pdf", io.BytesIO(b"%PDF-1.7 and nothing more"))
    document, chunk = found(sample_index, "해독제")
    shown = Pages(files).view(replace(document, id=kept.document_id), chunk)
    assert isinstance(shown, NoPage)
    assert shown.reason == "failed"
    assert "cannot be parsed as a PDF" in shown.detail


def test_a_wanted_page_beyond_the_last_is_the_last(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "두쪽.pdf", [["첫째 쪽에 있는 글이다."], ["둘째 쪽에 있는 글이다."]])
    import hashlib

    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    head, png = answer({"path": str(path), "digest": digest, "parts": [], "show": 9, "dpi": 50})
    assert head["page"] == 2
    assert png.startswith(b"\x89PNG")


def test_pages_recognised_from_pictures_have_no_places_to_look_for() -> None:
    text = "스캔한 글이다."
    document = Document("0" * 64, "스캔.pdf", "스캔", "general", text, (Page(3, 0, len(text), ocr=True),))
    chunk = Chunk("c", document.id, text, 0, len(text), (3,))
    assert parts_of(document, chunk) == [{"page": 3, "text": "", "near": 0.0}]
