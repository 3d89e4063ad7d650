"""Provisions that a text names: each member of a chain with its law, its article and its paragraph."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.chunk.legal_references import references

LAWS = (
    "「약사법」",
    "공인중개사법",
    "「국가를 당사자로 하는 계약에 관한 법률」",
    "의료법 시행령",
    "법",
    "이 법",
    "같은 법",
)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            "공인중개사법 제25조 제1항, 제30조 제1항, 제3항, 제42조 제1항, 공인중개사법 시행령 제21조 제1항 제2호",
            [
                "공인중개사법 제25조제1항",
                "공인중개사법 제30조제1항",
                "공인중개사법 제30조제3항",
                "공인중개사법 제42조제1항",
                "공인중개사법 시행령 제21조제1항제2호",
            ],
        ),
        (
            "「약사법」 제2조제4호·제5호 및 제31조",
            ["「약사법」 제2조제4호", "「약사법」 제2조제5호", "「약사법」 제31조"],
        ),
        ("제5조 및 제2항에 따른다.", ["제5조", "제5조제2항"]),
        ("제10조제1항제1호부터 제3호까지 및 제5호", [f"제10조제1항제{i}호" for i in (1, 3, 5)]),
        ("법 제3조부터 제5조까지, 제7조", ["법 제3조", "법 제5조", "법 제7조"]),
        (
            "제2조제3호가목부터 다목까지, 같은 조 제7호",
            ["제2조제3호가목", "제2조제3호다목", "제2조제7호"],
        ),
        ("법 제8조제1항제1호의 자 또는 같은 항 제4호의 자", ["법 제8조제1항제1호", "법 제8조제1항제4호"]),
        ("「민법」 제5조제1항 단서 및 제6조", ["「민법」 제5조제1항", "「민법」 제6조"]),
        ("민법 제3조 제1, 3항", ["민법 제3조제1항", "민법 제3조제3항"]),
        ('「의료법」(이하 "법"이라 한다) 제3조', ["「의료법」 제3조"]),
        ("주택법(2020. 6. 9. 법률 제17453호로 개정되기 전의 것) 제30조, 제31조", ["주택법 제30조", "주택법 제31조"]),
        ("같은 법 시행령 제3조, 민법 제2조", ["같은 법 시행령 제3조", "민법 제2조"]),
        (
            "「상법」 제15조(제16조에서 준용하는 경우를 포함한다) 및 제17조",
            ["「상법」 제15조", "「상법」 제16조", "「상법」 제17조"],
        ),
        ("피고는 성폭력범죄의 처벌 등에 관한 특례법 제3조를 어겼다.", ["성폭력범죄의 처벌 등에 관한 특례법 제3조"]),
        ("제20조(연가) 제3항", ["제20조제3항"]),
        ("「약사법」(제3조를 제외한다) 제4조", ["「약사법」 제3조", "「약사법」 제4조"]),
        ("「상법」(같은 법 제5조 및 제6조는 제외한다) 제7조", ["같은 법 제5조", "같은 법 제6조", "「상법」 제7조"]),
    ],
)
def test_each_member_of_a_chain_is_named_in_full(text: str, named: list[str]) -> None:
    assert references(text) == named


@pytest.mark.parametrize("text", ["제1항에 따른 제2호", "별표 2와 별지 제3호서식", "갑 제1, 2호증", "노동조합 제3항"])
def test_what_has_no_article_is_no_reference(text: str) -> None:
    assert references(text) == []


def test_another_law_or_other_words_end_a_chain() -> None:
    assert references("「민법」 제32조에 따라 세운 법인은 제5조를 따른다.") == ["「민법」 제32조", "제5조"]
    assert references("「민법」 제32조 및 「상법」 제3조ㆍ제4조") == [
        "「민법」 제32조",
        "「상법」 제3조",
        "「상법」 제4조",
    ]
    assert references("제3조, 별지 제2호서식") == ["제3조"]


numbers = st.integers(1, 99)
articles = st.builds(lambda n, b: f"제{n}조" + (f"의{b}" if b else ""), numbers, st.sampled_from([0, 0, 2, 13]))
links = st.sampled_from([", ", "ㆍ", "·", " 및 ", " 또는 ", "와 ", " 내지 "])


@st.composite
def chains(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A chain as printed, and each of its provisions in full."""
    law = draw(st.sampled_from(LAWS))
    text, named = law + " ", []
    for i in range(draw(st.integers(1, 4))):
        article = draw(articles)
        text += (draw(links) if i else "") + article
        paragraphs = draw(st.lists(numbers, max_size=3))
        for j, paragraph in enumerate(paragraphs):
            text += draw(links) * bool(j) + f"제{paragraph}항"
            items = draw(st.lists(numbers, max_size=2))
            for k, item in enumerate(items):
                text += draw(links) * bool(k) + f"제{item}호"
                named.append(f"{law} {article}제{paragraph}항제{item}호")
            if not items:
                named.append(f"{law} {article}제{paragraph}항")
        if not paragraphs:
            named.append(f"{law} {article}")
    return text, named


@given(chain=chains(), after=st.sampled_from(["", "에 따른다.", "까지의 규정을 준용한다.", " 단서"]))
def test_no_provision_named_in_a_chain_is_lost(chain: tuple[str, list[str]], after: str) -> None:
    text, named = chain
    assert references(text + after) == list(dict.fromkeys(named))


def test_titles_in_narrow_brackets_are_titles() -> None:
    text = "예비군훈련기간(｢예비군법｣ 제10조), 민방위(｢민방위 기본법｣ 시행령 제23조제1항 및 제24조)"
    assert references(text) == [
        "「예비군법」 제10조",
        "「민방위 기본법」 시행령 제23조제1항",
        "「민방위 기본법」 시행령 제24조",
    ]
