from collections import Counter
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kure_rag.chunk import AnalysedChunk, ChunkSettings, chunk_document
from kure_rag.tokenize import KiwiTokenizer, NgramTokenizer, Tokenizer, WhitespaceTokenizer
from kure_rag.types import Document, Page

HEADINGS = [
    "제1장 총칙",
    "제2장 휴가",
    "제1절 연차휴가",
    "제1조(목적) 이 규정은 휴가를 정한다.",
    "제2조(정의)",
    "제3조 삭제 <2024.3.4>",
    "부칙",
    "[별표 1]",
    "Ⅱ. 사업의 내용",
    "1. 회사의 개요",
    "【이유】 살펴본다.",
]
WORD = st.sampled_from(
    ["직원은", "휴가를", "신청한다.", "①", "1.", "보험금", "2,500원", "😀", "KURE", "다만,", "가나다라마바사" * 12]
)
SPACE = st.sampled_from([" ", " ", " ", "  ", "\u3000", "\n", "\n\n", " \n ", ""])
LINE = st.one_of(
    st.sampled_from(HEADINGS),
    st.lists(st.tuples(WORD, SPACE), max_size=30).map(lambda parts: "".join(a + b for a, b in parts)),
    st.just(""),
    st.text("가나 .\n", max_size=200),
)
TEXT = st.lists(LINE, max_size=10).map("\n".join)
SETTINGS = st.tuples(st.integers(1, 80), st.integers(0, 80)).map(lambda n: ChunkSettings(target=n[0], longest=sum(n)))


def make(text: str, cuts: list[int]) -> Document:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pages = tuple(Page(i, a, b) for i, (a, b) in enumerate(pairwise(edges), 1))
    return Document(id="0" * 64, source="규정.pdf", title="규정", domain="general", text=text, pages=pages)


def check(document: Document, items: list[AnalysedChunk], sizes: ChunkSettings) -> None:
    text = document.text
    at = 0
    for i, item in enumerate(items):
        chunk = item.chunk
        assert text[chunk.start : chunk.end] == chunk.text
        assert chunk.text.strip() == chunk.text != ""
        assert at <= chunk.start
        assert not text[at : chunk.start].strip()
        assert len(chunk.text) <= sizes.longest
        assert chunk.ordinal == i
        where = {
            page.number
            for page in document.pages
            if any(not char.isspace() for char in text[max(page.start, chunk.start) : min(page.end, chunk.end)])
        }
        assert where <= set(chunk.pages)
        assert list(chunk.pages) == sorted(chunk.pages)
        at = chunk.end
    assert not text[at:].strip()
    ids = [item.chunk.id for item in items]
    assert len(set(ids)) == len(ids)
    assert [item.chunk.prev_id for item in items] == [None, *ids][: len(ids)]
    assert [item.chunk.next_id for item in items] == [*ids[1:], None][: len(ids)]


def own_terms(items: list[AnalysedChunk], tokenizer: Tokenizer) -> list[str]:
    """The terms of the chunks' own texts: what is above them comes first in each, and is checked and left out."""
    out: list[str] = []
    for item in items:
        parts = (*item.chunk.breadcrumb, item.chunk.lead)
        above = [term for part in parts if part for term in tokenizer.terms(part)]
        assert list(item.terms[: len(above)]) == above
        out.extend(item.terms[len(above) :])
    return out


# A numbered item below a line that repeats a heading: its chunks carry that line as their lead.
LIST_UNDER_A_LINE = "Ⅱ. 사업의 내용\n제1절 연차휴가\nⅡ. 사업의 내용\n1. 회사의 개요\n1. 직원은 "


@example(LIST_UNDER_A_LINE, [], ChunkSettings(target=1, longest=1), WhitespaceTokenizer())
@given(
    TEXT,
    st.lists(st.integers(0, 400), max_size=4),
    SETTINGS,
    st.sampled_from([WhitespaceTokenizer(), NgramTokenizer()]),
)
def test_chunks_hold_everything_once_and_in_order(
    text: str, cuts: list[int], sizes: ChunkSettings, tokenizer: Tokenizer
) -> None:
    document = make(text, cuts)
    items = chunk_document(document, tokenizer, sizes)
    check(document, items, sizes)
    assert own_terms(items, tokenizer) == [term for line in text.split("\n") for term in tokenizer.terms(line)]
    assert items == chunk_document(document, tokenizer, sizes)


@given(st.lists(st.text("가나다", min_size=1, max_size=9), min_size=1, max_size=200))
def test_no_word_is_cut_where_white_space_is_within_reach(words: list[str]) -> None:
    items = chunk_document(make(" ".join(words), []), WhitespaceTokenizer(), ChunkSettings(target=40, longest=60))
    assert [word for item in items for word in item.chunk.text.split()] == words


@example(LIST_UNDER_A_LINE, ChunkSettings(target=1, longest=1))
@settings(max_examples=25, deadline=None)
@given(TEXT, SETTINGS)
def test_chunks_with_morphemes(text: str, sizes: ChunkSettings) -> None:
    tokenizer = KiwiTokenizer()
    document = make(text, [])
    items = chunk_document(document, tokenizer, sizes)
    check(document, items, sizes)
    lines = [line for line in text.split("\n") if line.strip()]
    expected = Counter(
        term.form for found in tokenizer.sentences(lines) for sentence in found for term in sentence.terms
    )
    assert Counter(own_terms(items, tokenizer)) == expected
