"""Real Korean PDFs: each is cut into chunks that are where they say, or rejected with a reason."""

import os
import re
import unicodedata
from pathlib import Path

import pytest

from kure_rag.chunk.markers import find_marker
from kure_rag.errors import DamagedFileError, ReadError
from kure_rag.ingest import WorkerPool
from kure_rag.ingest.files import file_name
from kure_rag.ingest.messages import Prepared
from kure_rag.ingest.pool import PdfJob
from kure_rag.read import ocr
from kure_rag.tokenize import KiwiTokenizer
from kure_rag.types import DOMAINS

DATA = Path(os.environ.get("KURE_RAG_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
LAWS = 5
DAMAGED = "은행법.pdf"  # saved as text once: its text is lost
SCAN = "(제2025-79호 관련) 약물방출 PTA BALLOON 급여기준 관련 질의응답.pdf"
NO_MAP = "cid-font-no-tounicode.pdf"
Answers = dict[str, Prepared | ReadError]

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        not (DATA / "pdf").is_dir() or not (DATA / "law_pdf").is_dir(), reason="no PDFs to read; set KURE_RAG_DATA"
    ),
]


def read(paths: list[Path]) -> Answers:
    with WorkerPool(workers=2) as pool:
        return {job.name: answer for job, answer in pool.prepare(PdfJob(path, file_name(path)) for path in paths)}


@pytest.fixture(scope="module")
def collected() -> Answers:
    return read(sorted((DATA / "pdf").rglob("*.pdf")))


@pytest.fixture(scope="module")
def laws() -> Answers:
    return read(sorted((DATA / "law_pdf").glob("*.pdf"))[:LAWS])


def prepared(answers: Answers) -> list[Prepared]:
    return [answer for answer in answers.values() if isinstance(answer, Prepared)]


def test_every_file_is_read_or_rejected_with_a_reason(collected: Answers, laws: Answers) -> None:
    assert len(collected) == len(list((DATA / "pdf").rglob("*.pdf")))
    assert len(laws) == LAWS
    for name, answer in {**collected, **laws}.items():
        if isinstance(answer, ReadError):
            assert answer.source == name
            assert ";" in answer.reason, f"{name}: {answer.reason} does not say what to do"
        else:
            assert answer.chunks, name
            assert answer.document.domain in DOMAINS
    assert all(isinstance(answer, Prepared) for answer in laws.values())


def test_only_the_files_without_readable_text_are_rejected(collected: Answers) -> None:
    rejected = {name: answer for name, answer in collected.items() if isinstance(answer, ReadError)}
    assert set(rejected) == ({DAMAGED, SCAN} if ocr.available() else {DAMAGED})
    assert isinstance(rejected[DAMAGED], DamagedFileError)
    assert "bytes were lost" in rejected[DAMAGED].reason
    if scan := rejected.get(SCAN):
        assert "no text layer on any of its 4 pages" in scan.reason


def test_a_font_without_a_character_map_is_read_by_the_second_parser(collected: Answers) -> None:
    answer = collected[NO_MAP]
    assert isinstance(answer, Prepared)
    assert "The quick brown fox jumps over the lazy dog 0123456789" in answer.document.text
    assert answer.document.pages[0].warnings == ("read by the fallback parser",)


@pytest.mark.skipif(bool(ocr.available()), reason="OCR is not installed")
def test_a_scan_is_recognised_and_says_so(collected: Answers) -> None:
    answer = collected[SCAN]
    assert isinstance(answer, Prepared)
    assert all(page.ocr and page.warnings[0] == "recognised by OCR" for page in answer.document.pages)
    assert "급여대상" in answer.document.text
    assert "약물방출스텐트" in answer.document.text


def test_digits_drawn_in_a_second_pass_return_to_their_line(collected: Answers) -> None:
    rules = [item for item in prepared(collected) if item.document.source.startswith("경희규정")]
    assert len(rules) >= 10
    assert sum("\n제1조(목적) " in item.document.text for item in rules) >= 7
    for item in rules:
        text = item.document.text
        assert re.search(r"(?m)^제1조(?:\([가-힣]+\))? [가-힣“]", text), item.document.source
        assert not re.search(r"제\s+조", text), item.document.source


def edges_of(item: Prepared) -> list[int]:
    """Where chunks begin and end, without the document's own ends."""
    chunks = [analysed.chunk for analysed in item.chunks]
    return sorted({chunk.start for chunk in chunks[1:]} | {chunk.end for chunk in chunks[:-1]})


def line_breaks_inside(text: str, edges: list[int]) -> list[tuple[str, str]]:
    """The ends of lines at which a chunk ends, with the lines below them, where a word may go on there."""
    pairs = []
    for edge in edges:
        below = text[edge:].lstrip()
        gap = text[edge : len(text) - len(below)]
        if gap.count("\n") != 1 or find_marker(below[:20]) is not None:
            continue
        if all("가" <= char <= "힣" for char in (text[edge - 1], below[:1])):
            pairs.append((text[text.rfind("\n", 0, edge) + 1 : edge], below.partition("\n")[0]))
    return pairs


def test_no_chunk_begins_or_ends_inside_a_word(collected: Answers) -> None:
    tokenizer = KiwiTokenizer()
    edges = 0
    torn: list[str] = []
    broken: list[tuple[str, str]] = []
    for item in prepared(collected):
        text = item.document.text
        places = edges_of(item)
        edges += len(places)
        broken += line_breaks_inside(text, places)
        for at in places:
            begin = text.rfind("\n", 0, at) + 1
            line = text[begin : (text.find("\n", at) + 1 or len(text) + 1) - 1]
            if not (line[: at - begin].strip() and line[at - begin :].strip()):
                continue
            (sentences,) = tokenizer.sentences([line])
            inside = any(t.start < at - begin < t.end for s in sentences for t in s.terms)
            if inside or (text[at - 1].isalnum() and text[at].isalnum()):
                torn.append(line)
    spaced = tokenizer.space_at(broken)
    wrapped = [pair for pair, space in zip(broken, spaced, strict=True) if not space]
    assert edges > 3_000
    assert len(broken) > 100, "edges at line breaks were not looked at"
    assert len(torn) <= 0.005 * edges, torn
    # Of a list of names, or a heading and the line above it, Kiwi would write some as one word, though none is.
    assert len(wrapped) <= 0.005 * edges, wrapped
    assert not [pair for pair in wrapped if re.match(r"(?:을|를|은|는|의|에|로)\s", pair[1])]


def test_every_chunk_is_where_it_says(collected: Answers, laws: Answers) -> None:
    for item in prepared(collected) + prepared(laws):
        document = item.document
        assert unicodedata.is_normalized("NFC", document.text), document.source
        pages = {page.number: page for page in document.pages}
        for chunk in (analysed.chunk for analysed in item.chunks):
            assert document.text[chunk.start : chunk.end] == chunk.text, document.source
            assert chunk.text.strip(), document.source
            touched = [n for n, p in pages.items() if max(p.start, chunk.start) < min(p.end, chunk.end)]
            assert list(chunk.pages) == touched, (document.source, chunk.start)


def test_ids_are_unique_and_neighbours_name_each_other(collected: Answers, laws: Answers) -> None:
    items = {item.document.id: item for item in prepared(collected) + prepared(laws)}.values()
    ids = [analysed.chunk.id for item in items for analysed in item.chunks]
    assert len(ids) == len(set(ids))
    for item in items:
        chunks = [analysed.chunk for analysed in item.chunks]
        assert [c.prev_id for c in chunks] == [None, *(c.id for c in chunks[:-1])], item.document.source
        assert [c.next_id for c in chunks] == [*(c.id for c in chunks[1:]), None], item.document.source


def test_the_first_article_of_a_statute_heads_a_chunk_and_its_breadcrumb(laws: Answers) -> None:
    for name, answer in laws.items():
        assert isinstance(answer, Prepared), name
        chunks = [analysed.chunk for analysed in answer.chunks]
        first = [chunk for chunk in chunks if re.match(r"(제1장 .*\n)?제1조\(목적\)", chunk.text)]
        assert first, f"{name}: no chunk begins with 제1조(목적)"
        assert first[0].breadcrumb[-1] == "제1조(목적)", name
