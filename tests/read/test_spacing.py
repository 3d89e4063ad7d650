from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.read.spacing import informed, known_spaces

LINES = [
    "각 사업연도의 소득은 그 사업연도에 속하는 익금에서 손금을 뺀 금액으로 한다.",
    "다음 사업연도의 소득을 계산할 때에도 같은 사업연도의 소득으로 본다.",
    "내국법인은 장부를 갖추고 성실하게 적어야 한다.",
]


@pytest.mark.parametrize(
    ("before", "after", "space"),
    [
        ("해당 사업", "연도의 소득을 다시 셈한다.", False),
        ("같은 사업연도의", "소득을 다시 셈한다.", True),
        ("보조금을 받은 내국", "법인은 장부를 낸다.", False),
        ("처음 보는 낱말과", "그다음 낱말", None),
    ],
)
def test_the_document_itself_tells(before: str, after: str, space: bool | None) -> None:
    assert known_spaces([(before, after)], LINES) == [space]


@pytest.mark.parametrize(
    ("before", "after", "space"),
    [
        ("이 법 제5조", "제3항에 따라", False),
        ("별지 제43호의", "2서식에 적는다.", False),
        ("같은 법 제", "45조를 준용한다.", False),
        ("금액은 1,2", "50원으로 한다.", False),
        ("과태료는 205", "0원으로 한다.", False),
        ("전화는 02-788-4", "582번이다.", False),
        ("각각 1,100", "2,000 백만원이며", True),
        ("각각 0.1", "0.2 퍼센트로", True),
        ("결산일은 2023", "12월 말이다.", True),
        ("4.3", "4.0", True),
        ("1 1000", "2 08 01", True),
        ("205", "0", False),
        ("(31", "0)", False),
        ("A+", "A0", True),
        ("코로나-", "19 감염증", False),
        ("임원(", "대표를 포함한다)", False),
        ("직원", ", 임원 및 감사", False),
        ("그 밖에", "「상법」을 준용한다.", True),
    ],
)
def test_references_numbers_and_marks_follow_rules(before: str, after: str, space: bool) -> None:
    assert known_spaces([(before, after)], []) == [space]


def test_only_what_the_document_does_not_tell_is_asked() -> None:
    asked: list[tuple[str, str]] = []

    def spacer(pairs: Sequence[tuple[str, str]]) -> list[bool]:
        asked.extend(pairs)
        return [True] * len(pairs)

    pairs = [("해당 사업", "연도의 소득을 셈한다."), ("처음 보는 낱말과", "그다음 낱말")]
    assert informed(LINES, spacer)(pairs) == [False, True]
    assert asked == pairs[1:]


@given(st.text("가나다 라마", max_size=30), st.integers(4, 26))
def test_a_line_broken_anywhere_is_told_by_its_own_unbroken_copy(line: str, at: int) -> None:
    line = " ".join(line.split())
    before, after = line[:at], line[at:]
    if len("".join(before.split())) < 4 or len("".join(after.split())) < 4:
        return
    spaced = before.endswith(" ") or after.startswith(" ")
    [answer] = known_spaces([(before.strip(), after.strip())], [line])
    again = "".join(before.split())[-4:] + "".join(after.split())[:4]
    if "".join(line.split()).count(again) == 1:
        assert answer is spaced


def test_where_a_document_keeps_its_spaces_only_one_that_drops_some_is_asked_further() -> None:
    asked: list[tuple[str, str]] = []

    def spacer(pairs: Sequence[tuple[str, str]]) -> list[bool]:
        asked.extend(pairs)
        return [True] * len(pairs)

    torn = [("해당 사업", "연도의 소득을 다시 셈한다."), ("보조금을 받은 내국", "법인은 장부를 낸다.")]
    open_ = ("처음 보는 낱말과", "그다음 낱말")
    dropped = [("같은 사업연도의", "소득을 다시 셈한다."), ("이번 사업연도에", "속하는 익금을 더한다.")]
    assert informed(LINES, spacer, kept=True)([*torn, open_]) == [False, False, False]
    assert informed(LINES, spacer, kept=True)([*torn, dropped[0], open_]) == [False, False, True, False]
    assert not asked
    assert informed(LINES, spacer, kept=True)([*torn, *dropped, open_]) == [False, False, True, True, True]
    assert asked == [open_]


def test_an_annex_in_brackets_stands_apart_from_the_word_before() -> None:
    assert known_spaces([("질병분류 중", "【별표2】에서 정한 질병")], []) == [True]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1일당 3", "만원을 지급합니다."),
        ("자산은 10", "억 달러이다."),
        ("순이익은 2", "조 3,000억원이다."),
        ("보험금 50", "천원을 뺀다."),
        ("인구 5", "백만 명을 넘는다."),
    ],
)
def test_number_words_stand_at_their_digits_unless_the_document_sets_them_apart(before: str, after: str) -> None:
    assert known_spaces([(before, after)], LINES) == [False]
    assert known_spaces([(before, after)], [*LINES, "월세는 45 만원, 보증금은 700 만원이다."]) == [True]
    assert known_spaces([(before, after)], [*LINES, "월세는 45 만원, 보증금은 700만원, 제3 조 건이다."]) == [False]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("대상은 1군 3", "만 65세 이상이다."),
        ("제5", "조합은 정한다."),
        ("창고에 5", "천막을 둔다."),
        ("셋 중", "만원을 낸다."),
    ],
)
def test_what_only_begins_like_a_number_word_is_left_open(before: str, after: str) -> None:
    assert known_spaces([(before, after)], LINES) == [None]


@pytest.mark.parametrize(
    ("before", "after", "space"),
    [
        ("(Class IIa, Level of", "Evidence B)", True),
        ("Integrated", "Circuit 이라 한다.", True),
        ("LEVEL", "Evidence", None),
        ("Level of", "EVIDENCE", None),
        ("등급of", "Evidence", None),
    ],
)
def test_an_english_word_ends_before_a_capitalised_one(before: str, after: str, space: bool | None) -> None:
    assert known_spaces([(before, after)], LINES) == [space]


def test_a_name_that_the_document_prints_in_one_word_stays_one() -> None:
    lines = [*LINES, "영상은 YouTube 에 올린다.", "그 YouTube 영상을 본다."]
    assert known_spaces([("올린 You", "Tube 영상을 본다.")], lines) == [False]
