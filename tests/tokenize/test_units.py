"""Numbers with what belongs to them: one term, however they are written."""

import pytest

from kure_rag.tokenize import KiwiTokenizer

KIWI = KiwiTokenizer()


@pytest.mark.parametrize(
    ("unit", "writings"),
    [
        ("12조의3", ["제12조의3", "제12조의 3", "12조의3", "제12조의3제1항", "제12조의3에 따라", "（제１２조의３）"]),
        ("12조", ["제12조", "제 12 조", "12조에서"]),
        ("2500만원", ["2,500만원", "2500만원", "2,500만 원", "2500 만원을 넘는"]),
        ("3.5%", ["3.5%", "연 3.5 %의 이율", "3.5퍼센트"]),
        ("15일", ["15일", "15 일 이내"]),
        ("covid19", ["COVID-19", "covid19", "Covid‑19 환자"]),
        ("5g", ["5G", "5G망"]),
        ("a4", ["A4용지", "a4 용지"]),
    ],
)
def test_one_term_for_all_writings(unit: str, writings: list[str]) -> None:
    for writing in writings:
        assert unit in KIWI.terms(writing), writing


def test_parts_stay_beside_the_whole() -> None:
    assert {"12", "조", "3"} - {"조"} <= set(KIWI.terms("제12조의3"))
    assert {"covid", "19"} <= set(KIWI.terms("COVID-19"))
    assert {"2500", "만"} <= set(KIWI.terms("2,500만원"))


@pytest.mark.parametrize("text", ["제12조의 것", "COVID 19", "3 사람과 5 나무", "12조\n\n3항은", "가-3"])
def test_what_does_not_belong_together_stays_apart(text: str) -> None:
    assert not {"12조의3", "covid19", "3사람", "12조3", "가3"} & set(KIWI.terms(text))


def test_a_unit_stands_where_its_parts_stand() -> None:
    text = "이 약관 제12조의 3에 따라 2,500만 원을 낸다."
    places = {term.form: text[term.start : term.end] for term in KIWI.analyse(text)}
    assert places["12조의3"] == "12조의 3"
    assert places["2500만원"] == "2,500만 원"


def test_dates_with_and_without_spaces_are_one() -> None:
    assert KIWI.terms("2025. 1. 2. 시행") == KIWI.terms("2025.1.2 시행")
