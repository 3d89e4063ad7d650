"""The comparison of chunks with a statute's text, on a statute of our own."""

from collections.abc import Sequence

import pytest
from corpus.law_scoring import Counts, articles, count, distance, plain
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.types import Chunk

PAGE = """---
제목: 등대관리법
---

# 등대관리법

## 제1장 총칙 <개정 2021.3.2>

##### 제1조 (목적)

이 법은 등대의 관리에 필요한 사항을 정한다.

## 제2장 등대의 관리

### 제1절 점검

##### 제2조 (점검) <개정 2021.3.2>

**①** 관리인은 매월 등대를 점검하여야 한다. <신설 2021.3.2>

**②** 점검의 방법은 대통령령으로 정한다.

##### 제2조의2 (기록)

삭제 <2021.3.2>

### 제2절 기록

##### 제3조 (비치)

관리인은 다음 각 호의 기록을 갖추어 둔다.

  1\\. 점검일지

## 부칙

##### 제1조 (시행일)

이 법은 공포한 날부터 시행한다.
"""
FIRST = "제1조(목적) 이 법은 등대의 관리에 필요한 사항을 정한다."
SECOND = "제2조(점검) ① 관리인은 매월 등대를 점검하여야 한다. <신설 2021. 3. 2.>"
SECOND_GOES_ON = "② 점검의 방법은 대통령령으로 정한다.\n[전문개정 2021. 3. 2.]"
THIRD = "제3조(비치) 관리인은 다음 각 호의 기록을 갖추어 둔다.\n1. 점검일지"


def chunk(article: str, text: str, start: int, *breadcrumb: str, part: str = "본칙") -> Chunk:
    return Chunk(
        id=f"c{start}",
        document_id="d",
        ordinal=start,
        text=text,
        start=start,
        end=start + len(text),
        pages=(1,),
        breadcrumb=("등대관리법", *breadcrumb),
        metadata={"article": article, "part": part},
    )


def cut() -> list[Chunk]:
    """As it should be."""
    inspection = "제2장 등대의 관리", "제1절 점검", "제2조(점검)"
    return [
        chunk("제1조", FIRST, 0, "제1장 총칙", "제1조(목적)"),
        chunk("제2조", SECOND, 100, *inspection),
        chunk("제2조", SECOND_GOES_ON, 200, *inspection),
        chunk("제3조", THIRD, 300, "제2장 등대의 관리", "제2절 기록", "제3조(비치)"),
        chunk("제1조", "제1조(시행일) 이 법은 공포한 날부터 시행한다.", 400, part="부칙"),
    ]


def shares(chunks: Sequence[Chunk]) -> dict[str, float]:
    return count(articles(PAGE), chunks).shares()


def changed(at: int, item: Chunk) -> list[Chunk]:
    chunks = cut()
    chunks[at] = item
    return chunks


def test_articles_that_stand_have_their_text_and_the_headings_above_them() -> None:
    found = articles(PAGE)
    assert list(found) == ["제1조", "제2조", "제3조"]
    assert found["제2조"].above == ("제2장 등대의 관리", "제1절 점검")
    assert found["제3조"].above == ("제2장 등대의 관리", "제2절 기록")
    assert found["제3조"].text.split() == THIRD.split()


def test_what_is_as_it_should_be_is_whole() -> None:
    assert set(shares(cut()).values()) == {1.0}


def test_two_chunks_that_overlap_give_their_text_once() -> None:
    end = 100 + len(SECOND)
    again = chunk("제2조", SECOND[-10:] + "\n" + SECOND_GOES_ON, end - 10, *cut()[2].breadcrumb[1:])
    assert set(shares(changed(2, again)).values()) == {1.0}


def test_a_missing_article_is_not_found_and_covers_nothing() -> None:
    got = shares(cut()[1:])
    assert got["found"] == got["exact"] == got["overlap"] == pytest.approx(2 / 3)
    assert got["path"] == got["pure"] == 1


def test_missing_words_are_not_exact_and_count_by_their_letters() -> None:
    short = chunk("제3조", THIRD.removesuffix("\n1. 점검일지"), 300, *cut()[3].breadcrumb[1:])
    got = shares(changed(3, short))
    assert got["exact"] == pytest.approx(2 / 3)
    assert got["overlap"] == pytest.approx((2 + 1 - len("1.점검일지") / len("".join(THIRD.split()))) / 3)


def test_a_space_too_many_and_one_too_few_count_as_spaces_alone() -> None:
    torn = chunk("제1조", FIRST.replace("등대의", "등대 의").replace("이 법", "이법"), 0, "제1장 총칙")
    got = shares(changed(0, torn))
    assert got["exact"] == 1
    assert 0.9 < got["spaces"] < 1


def test_a_heading_that_a_breadcrumb_lacks_is_a_wrong_path() -> None:
    assert shares(changed(3, chunk("제3조", THIRD, 300, "제2장 등대의 관리")))["path"] == pytest.approx(2 / 3)


def test_a_chunk_in_which_another_article_begins_is_not_pure() -> None:
    both = chunk("제1조", f"{FIRST}\n{SECOND}", 0, "제1장 총칙")
    assert shares(changed(0, both))["pure"] == pytest.approx(3 / 4)


def test_notes_and_markup_are_no_text() -> None:
    assert plain("**①** 등대 <개정 2021.3.2>란 <2021.3.2, 2022.1.1> “불빛”을").split() == [
        "①",
        "등대",
        "란",
        '"불빛"을',
    ]
    assert "<등대>" in plain("<등대>")


def test_nothing_compared_is_no_share() -> None:
    assert Counts().shares()["found"] == 0


def slow_distance(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, ours in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, theirs in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (ours != theirs))
    return row[-1]


@given(st.text("가나다 ", max_size=12), st.text("가나다 ", max_size=12))
def test_distances_are_those_of_the_table(one: str, other: str) -> None:
    assert distance(one, other) == slow_distance(one, other)
