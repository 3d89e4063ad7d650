"""Letter pairs without the ones that say nothing."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.tokenize import char_bigrams, letter_pairs, pairs
from kure_rag.tokenize.pairs import FUNCTIONAL, joined_pairs


def test_pairs_stay_inside_words() -> None:
    assert letter_pairs("최고기술자 KB 법") == ["최고", "고기", "기술", "술자", "kb", "법"]


def test_particles_and_endings_leave_with_their_pairs() -> None:
    assert letter_pairs("보험금을 보험금으로 보험금") == ["보험", "험금"] * 3
    assert letter_pairs("나라는") == ["나라"]
    assert letter_pairs("이는") == ["이는"]  # two letters must be left


def test_functional_pairs_leave() -> None:
    assert "하여" in FUNCTIONAL
    assert not FUNCTIONAL & set(letter_pairs("회사는 이를 준수하여야 한다 다만 하여"))


@given(st.text("가나다은를하여 ,.①Ab1é漢😀\n", max_size=60))
def test_they_are_pairs_of_neighbours(text: str) -> None:
    found = letter_pairs(text)
    assert all(1 <= len(pair) <= 2 and " " not in pair for pair in found)
    assert {p for p in found if len(p) == 2} <= set(char_bigrams(text))
    assert letter_pairs(unicodedata.normalize("NFD", text)) == found
    assert joined_pairs(text).split() == found


@given(st.lists(st.text("가나다은를하여,.Ab1é漢", max_size=12), max_size=8))
def test_words_that_are_kept_change_nothing(words: list[str]) -> None:
    text = " ".join(words)
    first = letter_pairs(text)
    assert letter_pairs(text) == first
    pairs._kept.clear()
    assert letter_pairs(text) == first == [pair for word in words for pair in letter_pairs(word)]


def test_words_are_kept_up_to_a_number_and_a_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "_MOST", 3)
    pairs._kept.clear()
    long = "가나다라마바사아자차" * 50
    assert len(letter_pairs(long)) == 499
    assert letter_pairs("예금 적금 보험 연금") == ["예금", "적금", "보험", "연금"]
    assert list(pairs._kept) == ["연금"]
    pairs._kept.clear()
