from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest

from kure_rag.chunk import AnalysedChunk, ChunkSettings, chunk_document, chunk_record, chunker_fingerprint
from kure_rag.tokenize import KiwiTokenizer, Sentence, Tokenizer, WhitespaceTokenizer
from kure_rag.types import Document, Page

WORDS = WhitespaceTokenizer()
CLAUSE = "회사는 보험금을 지급하지 아니합니다."
STATUTE = """제1장 총칙
제1조(목적) 이 규정은 직원의 휴가와 여비를 정한다.
제2장 휴가
제1절 연차휴가
제2조(연차휴가) ① 직원에게는 15일의 유급휴가를 준다.
② 저축한 휴가는 퇴직할 때까지 쓸 수 있다.
1. 질병으로 쉬는 때
2. 가족을 돌보는 때
제3조 삭제 <2024.3.4>
부칙 <2025.1.2>
제1조(시행일) 이 규정은 2025년 2월 1일부터 시행한다.
"""


def document(text: str, pages: tuple[Page, ...] = (), title: str = "취업규정") -> Document:
    return Document(id="d" * 64, source="취업규정.pdf", title=title, domain="general", text=text, pages=pages)


def cut(text: str, *, target: int = 400, longest: int = 800, tokenizer: Tokenizer = WORDS) -> list[AnalysedChunk]:
    return chunk_document(document(text), tokenizer, ChunkSettings(target=target, longest=longest))


def texts(items: list[AnalysedChunk]) -> list[str]:
    return [item.chunk.text for item in items]


@pytest.mark.parametrize("text", ["", " \n\u3000\n"])
def test_no_visible_text_no_chunks(text: str) -> None:
    assert cut(text) == []


def test_breadcrumbs_of_a_statute() -> None:
    found = [(item.chunk.breadcrumb, item.chunk.text) for item in cut(STATUTE)]
    assert [crumb for crumb, _ in found] == [
        ("취업규정", "제1장 총칙", "제1조(목적)"),
        ("취업규정", "제2장 휴가", "제1절 연차휴가", "제2조(연차휴가)"),
        ("취업규정", "제2장 휴가", "제1절 연차휴가", "제3조"),
        ("취업규정", "부칙 <2025.1.2>", "제1조(시행일)"),
    ]
    assert found[1][1].startswith("제2장 휴가\n제1절 연차휴가\n제2조(연차휴가) ①")
    assert found[1][1].endswith("2. 가족을 돌보는 때")
    assert found[3][1].startswith("부칙 <2025.1.2>\n제1조")


def test_a_heading_at_the_end_is_kept() -> None:
    assert texts(cut("제1조(목적) 목적을 정한다.\n부칙"))[-1] == "부칙"


def test_ordinals_and_neighbours() -> None:
    chunks = [item.chunk for item in cut(STATUTE)]
    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
    assert chunks[0].prev_id is None
    assert chunks[-1].next_id is None
    for a, b in pairwise(chunks):
        assert (a.next_id, b.prev_id) == (b.id, a.id)


def test_identical_clauses_are_two_chunks() -> None:
    items = cut(f"제1조(면책) {CLAUSE}\n제1조(면책) {CLAUSE}")
    a, b = (item.chunk for item in items)
    assert (a.text, a.breadcrumb) == (b.text, b.breadcrumb)
    assert a.id != b.id


def test_ids_are_stable() -> None:
    assert [item.chunk.id for item in cut(STATUTE)] == [item.chunk.id for item in cut(STATUTE)]


@pytest.mark.parametrize("settings", [ChunkSettings(target=401), ChunkSettings(longest=801)])
def test_other_settings_are_another_chunker(settings: ChunkSettings) -> None:
    assert chunker_fingerprint(settings) != chunker_fingerprint(ChunkSettings())
    ids = {item.chunk.id for item in chunk_document(document(STATUTE), WORDS, settings)}
    assert ids.isdisjoint(item.chunk.id for item in cut(STATUTE))


@pytest.mark.parametrize(("target", "longest"), [(0, 10), (-1, 10), (11, 10)])
def test_settings_that_make_no_sense(target: int, longest: int) -> None:
    with pytest.raises(ValueError, match="target"):
        ChunkSettings(target=target, longest=longest)


def test_sentences_fill_a_chunk_to_its_target() -> None:
    lines = [f"{i}번째 문장은 스무 글자쯤 되는 문장이다." for i in range(10, 40)]
    items = cut("\n".join(lines), target=100, longest=200)
    assert all(len(text) <= 100 for text in texts(items))
    for a, b in pairwise(texts(items)):
        assert len(a) + 1 + len(b.split("\n")[0]) > 100


def test_a_long_sentence_is_cut_between_words() -> None:
    words = [f"항목{i:03}" for i in range(300)]
    items = cut(" ".join(words), target=50, longest=80)
    assert " ".join(texts(items)).split() == words
    assert all(len(text) <= 80 for text in texts(items))


def test_a_sentence_between_target_and_longest_stays_whole() -> None:
    sentence = "휴가 " * 15 + "끝."
    assert texts(cut(f"앞 문장.\n{sentence}\n뒤 문장.", target=30, longest=60)) == ["앞 문장.", sentence, "뒤 문장."]


def test_text_without_white_space_is_cut_all_the_same() -> None:
    text = "가나다라마바사" * 100
    items = cut(text, target=50, longest=80)
    assert "".join(texts(items)) == text
    assert all(len(part) <= 80 for part in texts(items))


def test_sections_of_a_patent() -> None:
    claims = "청구항 1\n개인 정보를 찾는 전자 단말 장치.\n청구항 2\n제1항에 있어서, 개인 정보를 가리는 장치."
    text = f"청구범위\n{claims}\n발명의 설명\n기 술 분 야\n본 발명은 전자 문서에 관한 것이다."
    assert [item.chunk.breadcrumb[1:] for item in cut(text)] == [
        ("청구범위", "청구항 1"),
        ("청구범위", "청구항 2"),
        ("발명의 설명", "기술분야"),
    ]


def test_marks_left_of_a_drawing_are_no_chunk_of_their_own() -> None:
    found = texts(cut("휴가는 열닷새로 한다.\n,,,\n여비는 미리 준다.", target=12, longest=40))
    assert found == ["휴가는 열닷새로 한다.\n,,,", "여비는 미리 준다."]
    assert texts(cut("○ ● ○")) == ["○ ● ○"]


def test_a_run_without_white_space_is_cut_after_a_mark() -> None:
    text = "주식시장은올랐습니다.채권금리는내렸습니다." * 6
    assert all(part.endswith("다.") for part in texts(cut(text, target=50, longest=80)))


def test_pages_a_chunk_touches() -> None:
    text = "휴가는 열닷새로 하며\n다음 쪽으로 이어진다.\n셋째 쪽이다.\n"
    ends = [i + 1 for i, char in enumerate(text) if char == "\n"]
    pages = tuple(Page(number, start, end) for number, start, end in zip((4, 5, 6), [0, *ends[:-1]], ends, strict=True))
    pages = (*pages[:1], Page(99, ends[0], ends[0]), *pages[1:])
    (item,) = chunk_document(document(text, pages), WORDS)
    assert item.chunk.pages == (4, 5, 6)
    items = chunk_document(document(text, pages), WORDS, ChunkSettings(target=15, longest=30))
    assert [item.chunk.pages for item in items] == [(4,), (5,), (6,)]
    assert [item.chunk.pages for item in cut(text)] == [()]


@pytest.mark.parametrize("tokenizer", [WORDS, KiwiTokenizer()], ids=["words", "kiwi"])
def test_terms_are_of_the_breadcrumb_and_the_text(tokenizer: Tokenizer) -> None:
    items = cut(STATUTE, target=40, longest=80, tokenizer=tokenizer)
    own: Counter[str] = Counter()
    for item in items:
        crumbs = [term for heading in item.chunk.breadcrumb for term in tokenizer.terms(heading)]
        assert list(item.terms[: len(crumbs)]) == crumbs
        own.update(item.terms[len(crumbs) :])
    assert own == Counter(term for line in STATUTE.split("\n") for term in tokenizer.terms(line))


def test_kiwi_finds_sentences_within_a_line() -> None:
    line = "직원에게는 열닷새의 휴가를 준다. 휴가를 쓰지 아니하면 수당을 준다. 수당은 통상임금으로 한다."
    assert texts(cut(line, target=20, longest=40, tokenizer=KiwiTokenizer())) == [
        "직원에게는 열닷새의 휴가를 준다.",
        "휴가를 쓰지 아니하면 수당을 준다.",
        "수당은 통상임금으로 한다.",
    ]


def test_a_cut_inside_a_sentence_keeps_each_term_once_with_kiwi() -> None:
    kiwi = KiwiTokenizer()
    line = "휴가와 여비와 수당과 " * 40 + "보수를 정한다."
    items = cut(line, target=50, longest=90, tokenizer=kiwi)
    assert len(items) > 5
    crumb = kiwi.terms("취업규정")
    assert [term for item in items for term in item.terms[len(crumb) :]] == kiwi.terms(line)
    for item in items:
        assert kiwi.terms(item.chunk.text).count("여비") == item.terms.count("여비")


class Gappy(WhitespaceTokenizer):
    def sentences(self, texts: Iterable[str]) -> Iterator[list[Sentence]]:
        for text in texts:
            yield [Sentence(2, 4, ()), Sentence(6, len(text) - 2, ())] if len(text) > 10 else []


def test_what_a_tokenizer_leaves_out_is_not_lost() -> None:
    text = "연차휴가는 열닷새로 한다.\n짧은 줄"
    items = cut(text, target=8, longest=20, tokenizer=Gappy())
    assert "".join("".join(texts(items)).split()) == "".join(text.split())


def test_a_record_is_one_chunk() -> None:
    chunk = chunk_record(document(CLAUSE))
    assert (chunk.text, chunk.start, chunk.end) == (CLAUSE, 0, len(CLAUSE))
    assert chunk.breadcrumb == ("취업규정",)
    assert chunk.kind == "record"
    assert chunk.prev_id is chunk.next_id is None
    assert chunk_record(document(CLAUSE, title=CLAUSE)).breadcrumb == ()
    assert chunk_record(document(CLAUSE, title="")).contextualized() == CLAUSE
