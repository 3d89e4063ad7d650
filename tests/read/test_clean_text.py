import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.read.clean import clean_line, clean_text, needs_cleaning

SOUND = "연차유급휴가는 1년간 80퍼센트 이상 출근한 직원에게 준다."


@pytest.mark.parametrize(
    "text", ["①항과 ⑳호", "㈜한빛정밀", "ㆍ가운데점", "㎎ ㎡ ℃", "Ⅲ. 재무에 관한 사항", "½", "１２３ ＡＢＣ"]
)
def test_compatibility_characters_stay(text: str) -> None:
    assert clean_text(text) == text


def test_decomposed_hangul_is_composed() -> None:
    assert clean_text(unicodedata.normalize("NFD", SOUND)) == SOUND


def test_jamo_around_a_dropped_character_are_composed() -> None:
    assert clean_text("ᄒ\u200bᅡ\x00ᆫ") == "한"


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("（가）", "(가)"),
        ("비율：３％", "비율:３%"),
        ("１～２", "１~２"),
        ("가\u3000나", "가 나"),
        ("가\u00a0나", "가 나"),
        ("\uf06c", "●"),
        ("\uf06e", "■"),
        ("\uf06f", "□"),
        ("\uf09f", "•"),
        ("\uf0a7", "▪"),
        ("\uf0fc", "✔"),
        ("\U000f012b", "(인)"),
        ("\U000f02b1", "①"),
        ("\U000f02ba", "⑩"),
        ("\U000f02c4", "⑳"),
        ("\U000f0850본교\U000f0851라 한다", "‘본교’라 한다"),
        ("\U000f0854약관\U000f0855", "『약관』"),
        ("참고 \U000f081d 개정 사항", "참고 ┊ 개정 사항"),
        ("상시 \uf0e8 폐지", "상시 → 폐지"),
    ],
)
def test_character_map(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean


@pytest.mark.parametrize("glyph", ["\U000f02b0", "\U000f02c5", "\uf06d"])
def test_unknown_private_use_glyphs_stay_to_be_counted(glyph: str) -> None:
    assert clean_text(glyph) == glyph


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("첫째 줄\r\n둘째 줄\r셋째 줄\n넷째 줄", "첫째 줄\n둘째 줄\n셋째 줄\n넷째 줄"),
        ("첫째 줄\u2028둘째 줄\u2029셋째 줄", "첫째 줄\n둘째 줄\n셋째 줄"),
        ("구분\t금액", "구분 금액"),
        ("보\x00험\x07료\x1f의\x7f 납\x85입", "보험료의 납입"),
        ("보\u00ad험\u200b료\ufeff", "보험료"),
        ("코로나\ufffe", "코로나-"),
        ("보험\ud800료\udfff", "보험\ufffd료\ufffd"),
    ],
)
def test_control_and_invisible_characters(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=40))
def test_cleaning_twice_changes_nothing(raw: str) -> None:
    text = clean_text(raw)
    assert clean_text(text) == text
    assert unicodedata.is_normalized("NFC", text)
    assert {char for char in text if unicodedata.category(char) in {"Cc", "Cs"}} <= {"\n"}
    text.encode("utf-8")


def test_cleaning_every_single_character_twice_changes_nothing() -> None:
    for start in range(0, 0x110000, 0x1000):
        text = clean_text("가".join(map(chr, range(start, start + 0x1000))))
        assert clean_text(text) == text


def test_a_line_and_a_page_are_cleaned_alike() -> None:
    page = "가" * 600
    for code in (*range(0x10000), 0x1F600, 0xF012B, 0x10FFFD):
        assert needs_cleaning(chr(code)) == needs_cleaning(chr(code) + page), hex(code)


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=40))
def test_a_line_stays_a_line(raw: str) -> None:
    line = clean_line(raw)
    assert "\n" not in line
    assert clean_line(line) == line


def test_letters_of_the_equation_font_are_read_in_lines_only() -> None:
    raw = "스프레드\ue047max\ue044\ue00f\ue003\ue048\ue002\ue0f3\ue003\ue052\ue03d\ue045"
    assert clean_line(raw) == "스프레드=max(PD+CoD,0)"
    assert clean_text(raw) == raw


def test_the_old_spelling_in_a_programs_name_is_read_in_lines_and_nowhere_else() -> None:
    assert clean_line("\uf53a글 문서로 낸다") == "\u1112\u119e\u11ab글 문서로 낸다"
    assert clean_line("지급하지 \uf53a니하면") == "지급하지 \uf53a니하면"
    assert clean_text("\uf53a글") == "\uf53a글"
