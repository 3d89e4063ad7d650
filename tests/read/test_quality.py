import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.read import quality
from kure_rag.read.clean import clean_text
from kure_rag.read.page import PageContent
from kure_rag.read.quality import damage, ink_outside, is_garbled, is_unreadable, judge, needs_rescue, severity

STATUTE = (
    "제15조(연차휴가) ① 1년간 80퍼센트 이상 출근한 직원에게 15일의 유급휴가를 준다.\n"
    "② 계속하여 근로한 기간이 1년 미만인 직원에게는 1개월 개근 시 1일의 유급휴가를 준다.\n"
    "③ 휴가는 직원이 청구한 시기에 주어야 하며, 그 기간의 임금은 취업규칙에서 정하는 바에 따라 지급한다."
)
SOUND = {
    "statute": STATUTE,
    "english": (
        "The committee decided to keep the base rate unchanged, as inflation is expected to stay near the target."
    ),
    "numbers": "\n".join(
        f"{year} {year * 7:,} {year * 13:,} △{year % 97}.{year % 10} (1,204)" for year in range(2001, 2020)
    ),
    "names": (
        "김현명 이상윤 박서빈 최혁준 정하윤 강태욱 조은솔 윤재훈 임채린 한도겸 오세찬 서지율 신유빈 권보람 황"
        "민혁 송가은"
    ),
    "medicines": (
        "엑스포지정 렉사프로정 쎄레브렉스캡슐 뉴론틴캡슐 웰부트린서방정 프릴리지정 모빅캡슐 크레스토정 리피토"
        "정 노바스크정"
    ),
    "hanja": (
        "第一條 大韓民國은 民主共和國이다. 大韓民國의 主權은 國民에게 있고, 모든 權力은 國民으로부터 나온다. "
        "第二條 大韓民國의 國民이 되는 要件은 法律로 定한다."
    ),
    "chinese": (
        "中华人民共和国劳动合同法 为了完善劳动合同制度，明确劳动合同双方当事人的权利和义务，保护劳动者的合法"
        "权益，构建和发展和谐稳定的劳动关系，制定本法。"
    ),
    "japanese": (
        "労働者が六箇月間継続勤務し全労働日の八割以上出勤した場合には、使用者は十労働日の有給休暇を与えなけれ"
        "ばならない。"
    ),
    "chemicals": (
        "아세트알데하이드 CAS No. 75-07-0 C2H4O 44.05 g/mol LD50 661 mg/kg (Rat) 벤젠 CAS No. 71-43-2 C6H6 78"
        ".11 g/mol 톨루엔 108-88-3"
    ),
    "contents": (
        "제1장 총칙 ·································· 1\n제2장 휴가 ·································· 4\n제"
        "3장 부칙 ·································· 9"
    ),
    "form": (
        "성명 ____________________ 생년월일 ____________________\n주소 =========================== 서명 * * *"
        " * * * * * *"
    ),
    "codes": (
        "펀드코드 KRZ500237201 KR5101AB1234 BBG000B9XRY4 상품코드 A005930 B000660 C035720 D051910 기준가 1,024.31"
    ),
    "address": (
        "https://portal.example.go.kr/pgp/websquare/popup.html?w2xPath=/pgp/ui/pgp1000/PGP1011P08.xml&popupID"
        "=mf_wfm_pgpDtlMain 판례 본문 출력 화면 4쪽"
    ),
    "alphabet": "ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz\n" * 4
    + "The quick brown fox jumps over the lazy dog",
}


def page(text: str, *, boxes: np.ndarray | None = None, error: str = "") -> PageContent:
    none = np.zeros((0, 4), np.float32)
    return PageContent(1, 595, 842, text, np.zeros((len(text), 4), np.float32) if boxes is None else boxes, none, error)


def verdict(raw: str, ink: float | None = None) -> tuple[str, ...]:
    return judge(page(raw), clean_text(raw), ink=None if ink is None else lambda: ink)


def shifted(text: str, by: int) -> str:
    return "".join(chr(0xAC00 + (ord(c) - 0xAC00 + by) % 11172) if "가" <= c <= "힣" else c for c in text)


@pytest.mark.parametrize("kind", SOUND)
def test_a_sound_page_is_not_flagged(kind: str) -> None:
    assert verdict(SOUND[kind]) == ()


@pytest.mark.parametrize("raw", ["", " \r\n \u3000", "\x00\x01"])
def test_a_page_without_text_is_blank_or_has_no_text_layer(raw: str) -> None:
    assert verdict(raw, ink=0.0) == (quality.BLANK,)
    assert verdict(raw, ink=0.03) == (quality.NO_TEXT,)
    assert verdict(raw) == (quality.NO_TEXT,)
    assert not needs_rescue((quality.BLANK,))
    assert needs_rescue((quality.NO_TEXT,))


def test_a_short_page_is_sound_unless_most_of_it_is_drawn() -> None:
    assert verdict("도입", ink=0.001) == ()
    assert verdict("법제처 2 국가법령정보센터", ink=0.05) == (quality.LITTLE_TEXT,)
    assert verdict("가 \n" * 19) == (quality.LITTLE_TEXT,)
    running = "생활법률 안내서 제2권 주택임대차 - 71 -"
    assert verdict(running, ink=0.0) == ()
    assert verdict(running, ink=0.04) == (quality.LITTLE_TEXT,)
    assert needs_rescue((quality.LITTLE_TEXT,))
    assert not is_unreadable((quality.LITTLE_TEXT,))


def test_ink_is_not_asked_for_a_page_full_of_text() -> None:
    def ink() -> float:
        raise AssertionError

    assert judge(page(STATUTE), STATUTE, ink=ink) == ()


@pytest.mark.parametrize(("private", "expected"), [(19, False), (20, True)])
def test_share_of_private_use_characters(private: int, expected: bool) -> None:
    found = verdict("가" * (100 - private) + "\ue000" * private)
    assert (quality.PRIVATE_USE in found) is expected


def test_known_glyphs_are_not_private_use() -> None:
    assert verdict("\uf06c" * 50 + "가" * 50) == ()


@pytest.mark.parametrize("broken", ["\x07", "\ufffd", "\U000e0fff"])
def test_share_of_broken_characters(broken: str) -> None:
    sound = "".join(STATUTE.split())[:100]
    assert verdict(sound + broken * 4) == ()
    some = verdict(sound + broken * 7)
    assert some == (quality.SOME_CONTROLS,)
    assert not is_unreadable(some)
    assert needs_rescue(some)
    assert is_unreadable(verdict(sound + broken * 40))


def test_line_ends_and_tabs_are_not_broken_characters() -> None:
    assert verdict("금액\t합계\r\n" * 20) == ()


@pytest.mark.parametrize("by", [1, 2, 3, 7, 29, 100, 588, -1, -28])
def test_a_shifted_character_map_is_unreadable(by: int) -> None:
    assert is_unreadable(verdict(shifted(STATUTE, by)))


def test_glyphs_numbered_in_the_order_of_their_use_are_unreadable() -> None:
    numbers: dict[str, str] = {}
    mapped = "".join(
        numbers.setdefault(c, chr(0xAC00 + 28 * len(numbers))) if "가" <= c <= "힣" else c for c in STATUTE
    )
    assert is_unreadable(verdict(mapped))


@pytest.mark.parametrize("codec", ["latin-1", "big5"])
def test_korean_bytes_read_in_another_encoding_are_unreadable(codec: str) -> None:
    raw = "".join(STATUTE.split()).encode("cp949").decode(codec, "replace")
    assert is_unreadable(verdict(raw))


@pytest.mark.parametrize("by", [-29, 3, 7])
def test_glyph_numbers_shown_as_letters_are_unreadable(by: int) -> None:
    assert is_unreadable(verdict("".join(chr(ord(c) + by) if c.isalpha() else c for c in SOUND["english"] * 3)))


def test_glyph_numbers_shown_as_signs_are_unreadable() -> None:
    assert is_unreadable(verdict('!"#$%&\'()*+ ,-./ !#"&$ \'*+)( %&!"# <=>?@ ;<=: "!#%$ &\'*(' * 3))


def test_letters_of_many_scripts_are_no_text() -> None:
    assert is_unreadable(verdict("ꀀꀁԱԲԳ ሀሁሂ ᐁᐂᐃ ༀཀཁ ᠠᠡᠢ ꀂꀃԴ ሃሄ ᐄᐅ ཁགང ᠣᠤ" * 3))


def test_a_heading_in_a_broken_font_flags_the_page_but_not_its_other_lines() -> None:
    heading = "묾푷 컪픦팢 솒빪 짝 쭖쩣 헏뮈 읊멷"
    found = verdict(f"{STATUTE}\n{heading}\n{heading}")
    assert found == (quality.PARTLY,)
    assert not is_unreadable(found)
    assert needs_rescue(found)
    assert is_garbled(heading)
    assert not any(map(is_garbled, STATUTE.split("\n")))
    assert not any(map(is_garbled, SOUND["medicines"].split()))


def test_the_severer_of_two_readings_is_told() -> None:
    assert [severity(w) for w in ((), (quality.BLANK,), (quality.PARTLY,), (quality.CONTROLS, quality.PARTLY))] == [
        0,
        0,
        1,
        2,
    ]


def test_a_page_that_cannot_be_parsed_says_why() -> None:
    assert judge(page("", error="page cannot be parsed (broken)"), "") == ("page cannot be parsed (broken)",)


@given(st.text(max_size=200))
def test_any_text_has_a_verdict(raw: str) -> None:
    found = verdict(raw, ink=0.0)
    assert len(found) == len(set(found))


def test_ink_counts_edges_outside_of_the_characters() -> None:
    gray = np.full((842, 595), 255, np.uint8)
    assert ink_outside(gray, page("")) == 0
    gray[:, 200:] = 40  # a coloured half has one edge
    assert ink_outside(gray, page("")) < 0.002
    gray[100:110, 50:150:2] = 0
    drawn = ink_outside(gray, page(""))
    known = np.array([[50, 842 - 110, 150, 842 - 100]], np.float32)
    assert drawn > ink_outside(gray, page("휴", boxes=known)) > 0
    none = np.zeros((0, 4), np.float32)
    run = PageContent(1, 595, 842, "휴", np.zeros((1, 4), np.float32), none, extra={"runs": known})
    assert ink_outside(gray, run) == ink_outside(gray, page("휴", boxes=known))
    assert ink_outside(np.zeros((0, 0), np.uint8), page("")) == 0


def test_ink_does_not_depend_on_the_resolution() -> None:
    page_72 = np.full((842, 595), 255, np.uint8)
    page_72[:, 10:500:20] = 0
    page_144 = page_72.repeat(2, axis=0).repeat(2, axis=1)
    assert ink_outside(page_144, page("")) == pytest.approx(ink_outside(page_72, page("")), rel=0.01)


def test_a_file_saved_as_text_is_damaged() -> None:
    sound = b"%PDF-1.7\n" + bytes(range(256)) * 40 + b"%%EOF"
    assert damage(sound) == ""
    assert damage(b"") == ""
    lost = sound.decode("utf-8", "replace").encode()
    assert damage(lost).endswith("bytes were lost when the file was saved as text")


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ((60, 300, 540, 600), True),
        ((60, 700, 180, 760), False),  # a logo
        ((0, 0, 595, 842), False),  # a background: the text stands on it
    ],
)
def test_a_large_picture_without_text_over_it_may_hold_some(picture: tuple[float, ...], expected: bool) -> None:
    text = "수익률은 아래 표와 같다." * 40
    boxes = np.zeros((len(text), 4), np.float32)
    for i in range(len(text)):
        x, y = 60 + 10 * (i % 40), 800 - 14 * (i // 40)
        boxes[i] = (x, y, x + 10, y + 10)
    content = page(text, boxes=boxes)
    content.extra["pictures"] = np.array([picture], np.float32)
    assert quality.has_picture(content) is expected
