"""Short lines above a list that are no headings."""

import pytest

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.chunk.lone_titles import with_lone_titles
from kure_rag.chunk.pack import Unit
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Document

TITLE = "온실 난방비 공제 확대(온실법 제5조)"
ITEM = "ㅇ 온실을 지은 사람에게 난방비의 절반을 공제"


def joined(*lines: str, longest: int = 200, lead: str = "") -> list[str]:
    text = "\n".join(lines)
    units, at = [], 0
    for line in lines:
        units.append(Unit(at, at + len(line), lead if line == ITEM else ""))
        at += len(line) + 1
    return [text[unit.start : unit.end] for unit in with_lone_titles(text, units, longest)]


def test_a_title_goes_with_the_item_below_it() -> None:
    assert joined("앞의 말이 끝난다.", TITLE, ITEM, "ㅇ 둘째") == ["앞의 말이 끝난다.", f"{TITLE}\n{ITEM}", "ㅇ 둘째"]
    assert joined("<적용시기> 다음 해 1월 1일 이후에 새로 짓는 온실부터 적용", TITLE, "1. 유리") == [
        "<적용시기> 다음 해 1월 1일 이후에 새로 짓는 온실부터 적용",
        f"{TITLE}\n1. 유리",
    ]


@pytest.mark.parametrize(
    ("title", "item"),
    [
        ("온실을 새로 지은 사람은 신청한다.", ITEM),
        ("온실을 새로 지은 사람에게 드리는 말씀은", ITEM),
        ("ㅇ 첫째", ITEM),
        ("<적용시기> 새로 짓는 온실부터", ITEM),
        ("Q1. 온실은 언제 여나요", ITEM),
        ("가" * 61, ITEM),
        (TITLE, "2. 비닐 온실"),
        (TITLE, "※ 유리 온실은 따로 정함"),
        (TITLE, "유리 온실은 따로 정한다."),
    ],
)
def test_what_is_no_title_or_no_list_stays_apart(title: str, item: str) -> None:
    assert joined(title, item) == [title, item]


def test_the_rest_of_a_wrapped_line_is_no_title() -> None:
    above = "온실의 난방비는 해마다 그해에 새로 지은 온실과 고친 온실의 면적에 따라 나누어"
    assert joined(above, "지급하는 금액", ITEM) == [above, "지급하는 금액", ITEM]


def test_nothing_grows_over_the_limit_or_loses_its_lead() -> None:
    assert joined(TITLE, ITEM, longest=30) == [TITLE, ITEM]
    assert joined(TITLE, ITEM, lead="다음과 같다.") == [TITLE, ITEM]


def test_no_chunk_ends_with_the_title_of_the_next_one() -> None:
    items = "".join(
        f"온실 난방비 공제 {n}차 확대\nㅇ 온실을 {n}번 지은 사람에게 한 해 동안 쓴 난방비의 절반을 그다음 해에 공제함\n"
        for n in range(1, 9)
    )
    document = Document("d", "a.pdf", "온실 지원", "general", items)
    chunks = [
        item.chunk for item in chunk_document(document, WhitespaceTokenizer(), ChunkSettings(target=160, longest=300))
    ]
    assert len(chunks) > 3
    assert all(chunk.text.startswith("온실 난방비 공제") and chunk.text.endswith("공제함") for chunk in chunks)
