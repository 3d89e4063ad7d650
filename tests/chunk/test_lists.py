"""What stands together: lists with what announces them, notes with what they explain."""

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Chunk, Document

WORDS = WhitespaceTokenizer()
LEAD = "다음 각 호의 어느 하나에 해당하는 사람은 열람실을 쓸 수 없다."
ITEMS = [f"{i}. 빌린 책을 {i}번 넘게 늦게 돌려준 사람" for i in range(1, 9)]
BEFORE = "도서관은 해마다 이월에 장서를 점검하고 그 결과를 누리집에 올린다."


def cut(text: str, *, target: int = 120, longest: int = 400) -> list[Chunk]:
    document = Document(id="d", source="a.pdf", title="규정", domain="general", text=text)
    settings = ChunkSettings(target=target, longest=longest, profile="general")
    return [item.chunk for item in chunk_document(document, WORDS, settings)]


def test_a_list_stays_with_the_sentence_that_announces_it() -> None:
    chunks = cut("\n".join([BEFORE, BEFORE, LEAD, *ITEMS, BEFORE]))
    (whole,) = [chunk for chunk in chunks if LEAD in chunk.text]
    assert whole.text == "\n".join([LEAD, *ITEMS])
    assert all(chunk.lead == "" for chunk in chunks)


def test_a_long_list_is_cut_between_items_and_its_announcement_goes_along() -> None:
    chunks = cut("\n".join([BEFORE, LEAD, *ITEMS]), longest=150)
    parts = [chunk for chunk in chunks if "빌린 책" in chunk.text]
    assert len(parts) > 1
    assert LEAD in parts[0].text
    assert parts[0].lead == ""
    for part in parts[1:]:
        assert part.lead == LEAD
        assert part.contextualized().startswith(f"규정\n{LEAD}\n")
    lines = [line for part in parts for line in part.text.split("\n") if line[0].isdigit()]
    assert lines == ITEMS


def test_items_under_an_item_know_both_levels() -> None:
    below = [
        f"{letter}. 관장이 정한 {letter}급 자료를 함부로 다룬 경우와 이를 돕거나 알고도 둔 경우"
        for letter in "가나다라"
    ]
    text = "\n".join([LEAD, ITEMS[0], "2. 다음 각 목의 행위를 한 사람", *below, *ITEMS[2:]])
    chunks = cut(text, longest=140)
    leads = {line.partition(".")[0]: chunk.lead for chunk in chunks for line in chunk.text.split("\n")}
    assert leads["라"] == f"{LEAD}\n2. 다음 각 목의 행위를 한 사람"
    assert leads["8"] == LEAD


def test_the_line_between_announcement_and_list_belongs_to_both() -> None:
    text = "검사는 다음의 경우에 인정함\n- 다 음 -\n가. 심장수술환자\n나. 장기이식수술환자"
    assert [chunk.text for chunk in cut(text, target=20)] == [text]


def test_a_note_stays_with_what_it_explains() -> None:
    text = f"{BEFORE} {BEFORE}\n{BEFORE}*\n* 휴관일은 뺀다.\n{BEFORE}"
    chunks = cut(text, target=60)
    assert any(chunk.text.endswith(f"{BEFORE}*\n* 휴관일은 뺀다.") for chunk in chunks)


def test_lines_broken_by_the_margin_are_one_sentence() -> None:
    text = f"{BEFORE}\n열람실은 아침 아홉 시에 열고 저녁 여섯 시에\n닫으며 토요일에는 한 시에 닫는다.\n{BEFORE}"
    assert "열람실은 아침 아홉 시에 열고 저녁 여섯 시에\n닫으며 토요일에는 한 시에 닫는다." in [
        chunk.text for chunk in cut(text, target=50)
    ]


def test_a_heading_is_never_left_alone_by_a_long_paragraph() -> None:
    text = f"1. 장서의 점검\n{BEFORE} {BEFORE} {BEFORE}"
    assert [chunk.text for chunk in cut(text, target=110, longest=200)] == [text]
    assert all(chunk.text.count("\n") or "장서의" not in chunk.text for chunk in cut(text, target=40, longest=60))


def test_marks_nested_without_end_do_not_break_anything() -> None:
    marks = [chr(0xF000 + i) for i in range(300)]
    text = "\n".join(f"{mark} 항목 하나에 대한 설명" for mark in marks)
    assert "".join("".join(chunk.text.split()) for chunk in cut(text)) == "".join(text.split())


APPLIED = "ㅇ 새 이용 규칙은 내년 첫날 뒤에 책을 빌리는 사람이 반납을 미루는 경우부터 적용"
LONG = "ㅇ 도서관은 책을 빌린 사람이 반납일을 잊지 않도록 하루 전에 전화와 문자로 알리고 그 내용을 적는다."


def titled(above: str, title: str) -> list[str]:
    below = "ㅇ 하루에 백 원씩 받던 연체료를 없애고 그 대신에 늦은 날만큼 책을 빌리지 못하게 한다."
    return [chunk.text for chunk in cut("\n".join([LONG, above, title, below, LONG]), target=110, longest=400)]


def test_a_title_below_a_sentence_that_ends_with_a_noun_goes_with_its_list() -> None:
    for title in ("연체료 폐지(이용규칙 §12)", "늦은 반납에 대한 새 기준", "< 연체료 폐지 >", "[연체료 폐지]"):
        assert any(chunk.startswith(f"{title}\nㅇ 하루에") for chunk in titled(APPLIED, title)), title


def test_a_title_below_a_line_that_ends_before_the_margin_goes_with_its_list() -> None:
    short = "ㅇ 반납을 미룬 사람에게 받는 연체료와 그 밖의 비용"
    assert any(chunk.startswith("연체료 폐지\nㅇ 하루에") for chunk in titled(short, "연체료 폐지"))


def test_the_rest_of_a_wrapped_item_is_no_title() -> None:
    full = "ㅇ 도서관은 책을 빌린 사람이 반납일을 잊지 않도록 하루 전에 전화와 문자로 알리는 이용자 지원"
    rests = ("사업의 대상을 넓힘", "제12조(반납)에 해당하지 않는 사람", "대상 확대", "하며 그 밖의 사항은")
    for above, rest in [(full, rest) for rest in rests] + [(APPLIED, rests[1]), (APPLIED, "<이하 생략>")]:
        assert any(f"{above}\n{rest}" in chunk for chunk in titled(above, rest)), rest
        assert not any(chunk.startswith(rest) for chunk in titled(above, rest)), rest


def test_a_title_is_put_to_no_list_that_would_grow_over_the_limit() -> None:
    item = "ㅇ " + "늦은 날을 센다 " * 12
    text = "\n".join([APPLIED, "연체료 폐지(이용규칙 §12)", item.strip(), LONG])
    assert all(len(chunk.text) <= 100 for chunk in cut(text, target=60, longest=100))
