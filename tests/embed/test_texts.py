"""A prefix stands before each text exactly once, in whatever form the caller already put it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from kure_rag.embed import CARDS
from kure_rag.embed.texts import count_other_prefix, prefixed
from kure_rag.errors import InvalidTextError

MARKERS = sorted({p for card in CARDS.values() for p in (card.query_prefix, card.passage_prefix) if p} | {"질문: "})
WHITE = st.text(alphabet=" \t\n\u3000", max_size=3)
LETTERS = st.text(st.characters(categories=("L", "N", "P", "Zs")), min_size=1, max_size=30)


def forms(marker: str) -> list[str]:
    return [marker, marker.strip(), marker.upper(), marker.lower(), unicodedata.normalize("NFD", marker)]


@pytest.mark.parametrize(
    "text",
    [
        "query: 휴가",
        " query: 휴가",
        "\nquery: 휴가",
        "query:휴가",
        "Query: 휴가",
        "QUERY:  휴가",
        "query: query: 휴가",
        "Query:query:\nquery: 휴가",
        "\u3000query:\t휴가",
    ],
)
def test_every_form_of_the_prefix_is_the_prefix(text: str) -> None:
    assert prefixed(["휴가", text], "query: ") == (["query: 휴가", "query: 휴가"], 1)


@given(st.sampled_from(MARKERS), st.data(), LETTERS)
@example("query: ", None, "휴가는 query: 며칠인가요")
def test_a_text_with_the_prefix_in_any_form_and_number_is_the_bare_text_with_one(
    marker: str, data: st.DataObject | None, bare: str
) -> None:
    assume(bare.strip())
    bare = unicodedata.normalize("NFC", bare.lstrip())
    assume(prefixed([bare], marker)[1] == 0)
    [expected], _ = prefixed([bare], marker)
    assert expected == marker + bare
    drawn = [" ", marker] if data is None else data.draw(st.lists(st.sampled_from(forms(marker)), min_size=1))
    between = " " if data is None else data.draw(WHITE)
    written = between.join([*drawn, ""]) + bare if drawn else bare
    assert prefixed([between + written], marker) == ([expected], 1)


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1), st.sampled_from(["", *MARKERS]))
def test_nothing_but_prefixes_and_white_space_is_ever_lost(text: str, prefix: str) -> None:
    assume(text.strip())
    try:
        [found], doubled = prefixed([text], prefix)
    except InvalidTextError:
        assert prefix.strip().casefold() in text.casefold()
        return
    text = unicodedata.normalize("NFC", text)
    assert found.startswith(prefix)
    if doubled:
        assert text.endswith(found.removeprefix(prefix))
    else:
        assert found == prefix + text


@pytest.mark.parametrize(
    ("prefix", "text", "expected"),
    [
        ("", " query: 휴가", " query: 휴가"),  # nothing to put, nothing to take
        ("query: ", "query 휴가", "query: query 휴가"),
        ("query: ", "queryable: 휴가", "query: queryable: 휴가"),
        ("질문", "질문이 있습니다", "질문질문이 있습니다"),  # a longer word
        ("질문 ", "질문 있습니다", "질문 있습니다"),
        ("질문 ", "질문 질문 있습니다", "질문 질문 있습니다"),  # words of a text are its own
        ("질문 ", " 질문 있습니다", "질문  질문 있습니다"),
        ("Query ", "query 휴가", "Query query 휴가"),
        ("- ", "-- 휴가", "- -- 휴가"),  # signs alone are no marker
        (" ", " 휴가", " 휴가"),
    ],
)
def test_words_of_a_text_are_not_taken_for_a_prefix(prefix: str, text: str, expected: str) -> None:
    assert prefixed([text], prefix)[0] == [expected]


@pytest.mark.parametrize("text", ["query: ", "Query:", " query: query:\n"])
def test_a_prefix_and_nothing_else_is_an_empty_text(text: str) -> None:
    with pytest.raises(InvalidTextError, match="text 1 is empty") as caught:
        prefixed(["휴가", text], "query: ")
    assert caught.value.position == 1


def test_one_string_in_place_of_several_is_an_error() -> None:
    with pytest.raises(InvalidTextError, match=r"give \[text\]"):
        prefixed("휴가는 며칠인가요", "")


# The prefix of the other role


@pytest.mark.parametrize(
    "text",
    [
        "passage: 휴가",
        "Passage:휴가",
        " PASSAGE:\t휴가",
        "\u3000passage: passage: 휴가",
        "query: passage: 휴가",
        "passage:",
    ],
)
def test_every_form_of_the_other_roles_prefix_is_counted_and_kept(text: str) -> None:
    ready, _ = prefixed(["휴가", text], "query: ")
    assert count_other_prefix(ready, "query: ", "passage: ") == 1
    assert ready[1].endswith(unicodedata.normalize("NFC", text.removeprefix("query: ")))


@pytest.mark.parametrize(
    ("prefix", "other", "text"),
    [
        ("query: ", "passage: ", "passages: 휴가"),
        ("query: ", "passage: ", "그 passage: 휴가"),
        ("질문: ", "문서 ", "문서가 없습니다"),  # a longer word
        ("", "", "passage: 휴가"),  # there is no other prefix
        ("> ", "> ", "> 휴가"),  # nor where both are the same
    ],
)
def test_words_of_a_text_are_not_taken_for_the_other_roles_prefix(prefix: str, other: str, text: str) -> None:
    ready, _ = prefixed([text], prefix)
    assert count_other_prefix(ready, prefix, other) == 0


@given(st.sampled_from(MARKERS), st.sampled_from(["", *MARKERS]), st.data(), LETTERS)
def test_a_text_with_the_other_roles_prefix_in_any_form_is_counted(
    other: str, prefix: str, data: st.DataObject, bare: str
) -> None:
    assume(other != prefix)
    text = data.draw(WHITE) + data.draw(st.sampled_from(forms(other))) + data.draw(WHITE) + bare.lstrip()
    ready, doubled = prefixed([text], prefix)
    assume(not doubled)  # one prefix may begin with the other
    assert count_other_prefix(ready, prefix, other) == 1


# Instructions

SEARCH = next(card.query_prefix for card in CARDS.values() if (card.query_prefix or "").startswith("Instruct: "))
OWN = "Instruct: Given a Korean statute question, retrieve articles that answer it\nQuery: 연차휴가는 며칠인가요?"


@pytest.mark.parametrize("text", [OWN, OWN.lower(), OWN.replace("Query: ", "Query:"), f" {OWN}"])
def test_a_text_with_another_instruction_keeps_its_own_and_is_counted(text: str) -> None:
    assert prefixed([text, "휴가"], SEARCH) == ([text, f"{SEARCH}휴가"], 1)


def test_another_instruction_in_a_passage_is_the_other_roles_prefix() -> None:
    assert count_other_prefix(prefixed([OWN, "휴가"], "")[0], "", SEARCH) == 1
    assert count_other_prefix(prefixed([OWN], SEARCH)[0], SEARCH, "passage: ") == 0


@pytest.mark.parametrize("text", ["Instruct: 한 줄로 답한다", "Query: 휴가", "앞글 Instruct: 답한다\nQuery: 휴가"])
def test_what_only_resembles_an_instruction_gets_the_prefix(text: str) -> None:
    assert prefixed([text], SEARCH) == ([SEARCH + text], 0)


def test_an_instruction_is_the_texts_own_where_the_prefix_is_none() -> None:
    assert prefixed([OWN], "query: ") == ([f"query: {OWN}"], 0)


def test_another_instruction_and_nothing_else_is_an_empty_text() -> None:
    with pytest.raises(InvalidTextError):
        prefixed(["Instruct: 찾는다\nQuery: "], SEARCH)
