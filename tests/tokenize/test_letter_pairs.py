"""Letter pairs without the ones that say nothing."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from kure_rag.tokenize import char_bigrams, letter_pairs
from kure_rag.tokenize.pairs import FUNCTIONAL


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
