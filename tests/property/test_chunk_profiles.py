"""Whatever the text, its marks and its tables: every visible character is in one chunk, and in order."""

from hypothesis import given
from hypothesis import strategies as st

from kure_rag.chunk import PROFILES, ChunkSettings, chunk_document
from kure_rag.chunk.headings import find_sections
from kure_rag.chunk.lists import Binding, find_units
from kure_rag.chunk.pack import pack_units
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Document, Table

WORDS = WhitespaceTokenizer()
MARKS = (
    "1. ,2. ,3. ,가. ,나. ,(1) ,1) ,① ,□ ,ㅇ ,- ,※ ,* ,Ⅰ. ,2.1 ,■ ,1 |,제1조(목적) ,제1장 ,【주문】,Q. ,질의 1) ,자료: "
)
BODIES = "개요,다음과 같다.,심장수술환자,용법·용량,운용성과,주석,제품명: 가람정,효능·효과,차 례,실물경제 ······ 3"
MARK = st.sampled_from(["", "- 다 음 -", "\ue000 ", *MARKS.split(",")])
BODY = st.sampled_from(
    ["", "이 약은 하루 두 번 먹는다. 더 먹지 않는다.", "휴가를 " * 30, "가나다" * 50, *BODIES.split(",")]
)
LINE = st.tuples(MARK, BODY).map("".join)
LINES = st.lists(st.one_of(LINE, st.text("1.가)(| \u3000\n", max_size=12)), max_size=30)
SIZES = st.tuples(st.integers(1, 90), st.integers(0, 90)).map(lambda n: ChunkSettings(target=n[0], longest=sum(n)))
CELL = st.sampled_from(["", "매출액", "1,234", "△12", "-", "나722-4", "질의", "급여기준"])


@st.composite
def documents(draw: st.DrawFn) -> Document:
    text = ""
    tables = []
    for _ in range(draw(st.integers(0, 3))):
        text += "\n".join(draw(LINES)) + "\n"
        if draw(st.booleans()):
            continue
        header = draw(st.sampled_from([(), ("구분", "금액"), ("항목", "제목"), ("연번", "질의")]))
        rows = tuple(draw(st.lists(st.tuples(CELL, CELL), max_size=4)))
        start = len(text)
        pieces = []
        for i in range(draw(st.integers(0, 3))):
            piece = draw(
                st.sampled_from(["| 가 | 나 |\n| --- | --- |\n| 1 | 2 |", "가 | 나\n1. 다음과 같다.\n가. 첫째", "표"])
            )
            pieces.append((len(text), len(text) + len(piece), min(i, len(rows)), min(i + 1, len(rows))))
            text += piece + "\n"
        if len(text) > start:
            tables.append(Table(1, start, len(text) - 1, "표", "단위: 원", header, rows, tuple(pieces)))
    return Document(id="0" * 64, source="a.pdf", title="규정", domain="general", text=text, tables=tuple(tables))


@given(documents(), SIZES, st.sampled_from(["general", "finance", "medical"]))
def test_profiles_hold_everything_once_and_in_order(document: Document, sizes: ChunkSettings, profile: str) -> None:
    assert profile in PROFILES
    settings = ChunkSettings(target=sizes.target, longest=sizes.longest, profile=profile)
    at = 0
    for item in chunk_document(document, WORDS, settings):
        chunk = item.chunk
        assert chunk.text == document.text[chunk.start : chunk.end] == chunk.text.strip() != ""
        assert chunk.start >= at
        assert not document.text[at : chunk.start].strip()
        # No title stands above a drug that it may not name: one with a name, or one after another one's sections.
        of_drugs = "제품명" in document.text or document.text.count("효능·효과") > 1
        if profile != "medical" or not of_drugs:
            assert chunk.breadcrumb[0] == "규정"
        if chunk.kind == "text":
            assert len(chunk.text) <= settings.longest
        at = chunk.end
    assert not document.text[at:].strip()


@given(LINES, SIZES)
def test_units_cover_the_text_in_order(lines: list[str], sizes: ChunkSettings) -> None:
    text = "\n".join(lines)
    spans = [(s.start, s.end) for found in WORDS.sentences([text]) for s in found]
    at = 0
    for unit in pack_units(text, find_units(text, spans, sizes, Binding()), sizes):
        assert not text[at : unit.start].strip()
        assert at <= unit.start < unit.end
        assert unit.end - unit.start <= sizes.longest
        at = unit.end
    assert not text[at:].strip()


@given(documents())
def test_no_heading_is_in_a_table(document: Document) -> None:
    spans = [(table.start, table.end) for table in document.tables]
    for section in find_sections(document.text, tables=spans):
        assert not any(start < section.start < end for start, end in spans)
