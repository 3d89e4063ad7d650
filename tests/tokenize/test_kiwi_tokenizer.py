import threading
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kure_rag.tokenize import CONTENT_TAGS, Analyser, KiwiTokenizer, Tokenizer
from kure_rag.tokenize.kiwi import shared_kiwi

KIWI = KiwiTokenizer()
TEXTS = [
    "금융소비자보호법은 2021년 3월 25일부터 시행되었다.",
    "직원이 연차휴가를 신청하면 부서장이 승인한다. 다만, 업무에 지장이 있으면 시기를 바꿀 수 있다.",
    "LG전자와 KB국민은행의 HbA1c 검사비 2,500원",
    "😀 보험금을 청구하세요. 😀 서류는 두 장입니다.",
    "①항에 따른 ㈜한빛정밀의 매출액은 △1,234백만원이다.",
    "１２３번 창구에서 ＡＢＣ 서식을 냅니다.",
    "",
    " \n ",
    "ㅋㅋㅋ ㅠㅠ",
]


def test_is_a_tokenizer() -> None:
    assert isinstance(KIWI, Tokenizer)
    assert isinstance(KIWI, Analyser)


def test_compound_nouns_come_apart() -> None:
    assert KIWI.terms("금융소비자보호법")[:2] == ["금융", "소비자"]
    assert {"금융", "소비자", "보호"} <= set(KIWI.terms("금융소비자 보호에 관한 법률"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("연차휴가는 15일이다", ["연차", "휴가", "15", "15일"]),
        ("보험금의 지급에 대한 서류이다", ["보험금", "지급", "서류"]),
        ("직원은 출장을 갔다", ["직원", "출장"]),
        ("약을 끊고 병원에 머물렀다", ["약", "끊", "병원", "머무르"]),
        ("", []),
        (" \n\t ", []),
        ("그리고 그러나", []),
    ],
)
def test_content_stays_and_particles_leave(text: str, expected: list[str]) -> None:
    assert KIWI.terms(text) == [*expected]


def test_commas_in_numbers_do_not_count() -> None:
    assert KIWI.terms("2,500원") == KIWI.terms("2500원") == ["2500", "2500원"]
    assert KIWI.terms("1,234,567") == ["1234567"]


@pytest.mark.parametrize("text", ["HbA1c", "COVID-19", "LG전자", "KB국민은행"])
def test_latin_letters_are_lower_case(text: str) -> None:
    assert "".join(KIWI.terms(text)) == "".join(KIWI.terms(text)).lower() != ""


def test_full_width_letters_and_digits_are_the_usual_ones() -> None:
    assert KIWI.terms("１２３번 ＡＢＣ 서식") == KIWI.terms("123번 ABC 서식")
    (sentence,) = next(KIWI.sentences(["１２３번 ＡＢＣ 서식"]))
    assert [term.form for term in sentence.terms] == KIWI.terms("123번 ABC 서식")


@pytest.mark.parametrize("serial", ["2025.1.2", "02-1234-5678", "2024-15", "10:30", "help@example.com"])
def test_dates_numbers_with_marks_and_addresses_can_be_found(serial: str) -> None:
    assert serial in KIWI.terms(f"문의와 시행일은 {serial} 이다")


@pytest.mark.parametrize("text", TEXTS)
def test_decomposed_text_gives_the_same_terms(text: str) -> None:
    assert KIWI.terms(unicodedata.normalize("NFD", text)) == KIWI.terms(text)


def test_a_batch_gives_what_one_by_one_gives() -> None:
    texts = [*TEXTS, *(unicodedata.normalize("NFD", text) for text in TEXTS)]
    assert KIWI.terms_batch(texts) == [KIWI.terms(text) for text in texts]
    assert KIWI.terms_batch([]) == []


@pytest.mark.parametrize("text", TEXTS)
def test_sentences_cover_the_text_and_hold_its_terms(text: str) -> None:
    (found,) = KIWI.sentences([text])
    covered = "".join(text[s.start : s.end] for s in found)
    assert "".join(covered.split()) == "".join(text.split())
    for sentence in found:
        for term in sentence.terms:
            assert sentence.start <= term.start <= term.end <= sentence.end
    assert [term.form for s in found for term in s.terms] == KIWI.terms(text)


def test_terms_stand_where_they_say() -> None:
    text = "😀 보험료는 2,500원이고 KB카드로 냅니다. 약관은 누리집에 있습니다."
    (found,) = KIWI.sentences([text])
    assert len(found) == 2
    places = {term.form: text[term.start : term.end] for s in found for term in s.terms}
    assert (
        places.items() >= {"보험료": "보험료", "2500": "2,500", "kb": "KB", "약관": "약관", "누리집": "누리집"}.items()
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("가나 .다이는을조의만원①A1,-😀ㄱ%漢\n", max_size=30), max_size=4))
def test_any_text(texts: list[str]) -> None:
    texts = [unicodedata.normalize("NFC", text) for text in texts]
    assert KIWI.terms_batch(texts) == [KIWI.terms(text) for text in texts]
    for text, found in zip(texts, KIWI.sentences(texts), strict=True):
        terms = [term for s in found for term in s.terms]
        assert terms == KIWI.analyse(text)
        assert [term.start for term in terms] == sorted(term.start for term in terms)
        assert all(0 <= s.start <= s.end <= len(text) for s in found)
        assert "".join("".join(text[s.start : s.end] for s in found).split()) == "".join(text.split())


def test_spaces_at_broken_lines() -> None:
    pairs = [
        ("보험수익자에게 보험금을", "지급하여야 한다."),
        ("이 법은 공포한 날부터", "시행한다."),
        ("보험금을 지급하", "여야 한다."),
        ("근로자의 퇴직급", "여를 보장한다."),
        ("업무에 지장이 없는 범위에서 휴", "가를 승인한다."),
        ("당사의 연결재무", "제표를 작성한다."),
    ]
    assert KIWI.space_at(pairs) == [True, True, False, False, False, False]
    assert KIWI.space_at([]) == []


def test_spaces_beside_nothing() -> None:
    assert len(KIWI.space_at([("", ""), ("가", ""), ("", "가"), ("  ", " ")])) == 4


def test_one_kiwi_serves_all_threads() -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(id(shared_kiwi()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {id(shared_kiwi())}


def test_fingerprint_names_versions() -> None:
    assert KIWI.fingerprint == KiwiTokenizer().fingerprint
    assert KIWI.fingerprint.startswith("kiwi/")
    assert "/model-" in KIWI.fingerprint


def test_tags_hold_no_particles_or_endings() -> None:
    assert not [tag for tag in CONTENT_TAGS if tag.startswith(("J", "E", "SF", "SP"))]
