"""Characters that AutoRAG rewrites leave as look-alikes and come back as they were."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.autorag.lookalikes import LOOKALIKES, Replaced, from_json, keep_safe, restore

LETTERS = "가나다 ▶☎™©⚠1️⃣2\u20e3\ufe0f\ufe0e☑-=♥♨😀㊙\n[✓]"
TEXTS = st.text(st.sampled_from(LETTERS), max_size=40) | st.text(max_size=40)


@given(TEXTS)
def test_what_was_replaced_comes_back(text: str) -> None:
    written, replaced = keep_safe(text)
    assert restore(written, from_json([item.to_json() for item in replaced])) == text


@given(TEXTS)
def test_nothing_is_left_that_autorag_would_rewrite(text: str) -> None:
    written, _ = keep_safe(text)
    assert not any(character in written for character in LOOKALIKES)
    assert not {"\ufe0e", "\ufe0f"} & set(written)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("▶ 신청 방법", "► 신청 방법"),
        ("☎ 02-000-0000", "☏ 02-000-0000"),
        ("한빛센서™", "한빛센서ᵀᴹ"),
        ("⚠️ 주의", "(!) 주의"),
        ("1️⃣ 첫째 2\u20e3 둘째", "① 첫째 ② 둘째"),
        ("제1항 △ 12 ※ ■ □ ①", "제1항 △ 12 ※ ■ □ ①"),
        ("", ""),
    ],
)
def test_a_reader_still_reads_the_same(text: str, written: str) -> None:
    assert keep_safe(text)[0] == written


def test_lookalikes_are_none_of_those_rewritten_and_stay_in_nfc() -> None:
    for other in LOOKALIKES.values():
        assert not any(letter in LOOKALIKES for letter in other)
        assert unicodedata.is_normalized("NFC", other)


def test_a_text_that_was_changed_since_is_left_alone() -> None:
    written, replaced = keep_safe("안내 ▶ 신청")
    assert restore(f"안내문 {written}", replaced) == f"안내문 {written}"
    assert restore("", replaced) == ""


@pytest.mark.parametrize(
    "notes", [None, "x", [1], [[1, 2]], [[2, 1, "▶"]], [[0, 2, "▶"], [1, 3, "▶"]], [["0", 1, "▶"]]]
)
def test_notes_that_make_no_sense_are_no_notes(notes: object) -> None:
    assert from_json(notes) == []


def test_notes_as_json() -> None:
    assert from_json([[0, 1, "▶"]]) == [Replaced(0, 1, "▶")]
