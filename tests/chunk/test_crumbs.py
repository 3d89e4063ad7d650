"""Breadcrumbs that say nothing twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.chunk.crumbs import without_repeats
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Document


@pytest.mark.parametrize(
    ("breadcrumb", "shown"),
    [
        (("모아렌정 10밀리그램", "모아렌정 10밀리그램(모아렌틴염산염)"), ("모아렌정 10밀리그램(모아렌틴염산염)",)),
        (("온실규정", "온실규정", "제1장 총칙"), ("온실규정", "제1장 총칙")),
        (("온실규정", "온실규정 시행세칙", "제1조"), ("온실규정 시행세칙", "제1조")),
        (("보 통 약 관", "보통약관", "제1조"), ("보통약관", "제1조")),
        (("가", "가 나", "가 나 다"), ("가 나 다",)),
        (("보험", "보험료"), ("보험", "보험료")),
        (("제1조", "제1조의2"), ("제1조", "제1조의2")),
        (("1. 개요", "1.1 개요"), ("1. 개요", "1.1 개요")),
        (("온실규정", "제1장", "온실규정 해설"), ("온실규정", "제1장", "온실규정 해설")),
        (("온실규정(안)", "온실규정"), ("온실규정(안)", "온실규정")),
        ((), ()),
        (("", "온실규정"), ("", "온실규정")),
    ],
)
def test_a_heading_that_the_next_one_begins_with_is_left_out(
    breadcrumb: tuple[str, ...], shown: tuple[str, ...]
) -> None:
    assert without_repeats(breadcrumb) == shown


@given(st.lists(st.text("가나 1(.", max_size=6), max_size=5))
def test_no_word_of_a_breadcrumb_is_lost(breadcrumb: list[str]) -> None:
    shown = without_repeats(breadcrumb)
    assert set(shown) <= set(breadcrumb)
    assert shown[-1:] == tuple(breadcrumb[-1:])
    letters = ["".join(crumb.split()) for crumb in shown]
    assert all(any(whole.startswith("".join(crumb.split())) for whole in letters) for crumb in breadcrumb)


TEXTS = {
    "general": "1. 온실 안내\n온실은 아침에 연다.\n2. 온실 규칙\n온실은 저녁에 닫는다.\n",
    "finance": "온실 안내\n1. 온실 안내\n온실은 아침에 연다.\n2. 온실 규칙\n온실은 저녁에 닫는다.\n",
    "legal": "온실 안내\n제1조(목적) 온실을 정한다.\n제2조(시간) 아침에 연다.\n제3조(문) 저녁에 닫는다.\n",
    "medical": "제품명: 가람정 5밀리그램(가람산염)\n효능ㆍ효과\n두통에 쓴다.\n용법ㆍ용량\n하루 한 알을 먹는다.\n",
}


@pytest.mark.parametrize("profile", TEXTS)
def test_no_profile_says_a_heading_twice(profile: str) -> None:
    title = "가람정 5밀리그램" if profile == "medical" else "온실 안내"
    document = Document("d", "a.pdf", title, "general", TEXTS[profile])
    chunks = [item.chunk for item in chunk_document(document, WhitespaceTokenizer(), ChunkSettings(profile=profile))]
    assert chunks
    for chunk in chunks:
        assert chunk.breadcrumb == without_repeats(chunk.breadcrumb)
        assert chunk.breadcrumb[0].startswith(("가람정 5밀리그램(가람산염)", "온실 안내"))
