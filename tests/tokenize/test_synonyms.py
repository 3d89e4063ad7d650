"""Synonyms of the user's own."""

from pathlib import Path

import pytest

from kure_rag.errors import ConfigError
from kure_rag.tokenize import KiwiTokenizer, Synonyms, WhitespaceTokenizer

WORDS = WhitespaceTokenizer()


def test_every_other_member_of_a_group() -> None:
    synonyms = Synonyms([["연가", "연차", "휴가"], ["예금", "적금"]], WORDS, weight=0.4)
    assert synonyms.expand(["연차", "며칠"]) == {"연가": 0.4, "휴가": 0.4}
    assert synonyms.expand(["며칠"]) == {}
    assert synonyms.expand([]) == {}
    assert len(synonyms) == 2


def test_members_of_several_words_must_follow_one_another() -> None:
    synonyms = Synonyms([["실손 보험", "실비"]], WORDS)
    assert synonyms.expand(["실손", "보험", "청구"]) == {"실비": 0.5}
    assert synonyms.expand(["보험", "실손"]) == {}
    assert synonyms.expand(["실비", "보험"]) == {"실손": 0.5}  # never one of the question's own


def test_a_group_says_which_members_a_question_names_and_which_others_there_are() -> None:
    synonyms = Synonyms([["연차", "연가", "유급 휴가"], ["예금", "적금"]], WORDS)
    (meaning,) = synonyms.meanings(["연가", "신청", "연차"])
    assert [member.terms for member in meaning.named] == [("연차",), ("연가",)]
    assert [member.terms for member in meaning.others] == [("유급", "휴가")]
    assert meaning.others[0].pairs == {"유급", "휴가"}
    assert meaning.others[0].is_in({"휴가", "유급", "무급"})
    assert not meaning.others[0].is_in({"휴가"})
    assert synonyms.meanings(["휴가"]) == []


def test_a_file_with_commas_tabs_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "동의어.txt"
    path.write_text("# 인사\n연차휴가, 연가,\n\n실손보험\t실비보험 # 보험\n", encoding="utf-8")
    synonyms = Synonyms.read(path, KiwiTokenizer())
    assert len(synonyms) == 2
    assert synonyms.expand(KiwiTokenizer().terms("연가는 며칠인가요?")).keys() == {"연차", "휴가"}


@pytest.mark.parametrize(
    ("line", "said"),
    [("연차", "two members"), ("연차, 연차", "two members"), ("연차, 그리고", "no term"), (",", "two members")],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "동의어.txt"
    path.write_text(f"예금, 적금\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=said) as caught:
        Synonyms.read(path, KiwiTokenizer())
    assert "line 2" in str(caught.value)


@pytest.mark.parametrize("weight", [0, -1, 1.5, float("nan")])
def test_a_weight_out_of_range(weight: float) -> None:
    with pytest.raises(ConfigError, match="weight of synonyms"):
        Synonyms([], WORDS, weight=weight)
