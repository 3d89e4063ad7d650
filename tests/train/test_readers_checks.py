"""What is refused, and what is said, before hours are spent on data that cannot be learnt from."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.errors import ConfigError, CorpusFormatError
from kure_rag.train.readers import (
    NLI_LABELS,
    check_batch,
    check_labels,
    check_lengths,
    check_rows,
    check_scores,
    count_duplicates,
)


def words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def test_no_rows() -> None:
    check_rows(1, "a.tsv")
    with pytest.raises(CorpusFormatError, match=r"^a\.tsv: no rows"):
        check_rows(0, "a.tsv")


def test_a_batch_larger_than_the_data() -> None:
    check_batch(32, 32, "a.tsv")
    with pytest.raises(ConfigError, match=r"a batch of 4096 is larger than a\.tsv, which has 300 rows"):
        check_batch(4096, 300, "a.tsv")
    with pytest.raises(ConfigError, match="batch size 0"):
        check_batch(0, 300, "a.tsv")


def test_labels() -> None:
    assert check_labels(["neutral", "entailment", "neutral"], "a.tsv") == {"neutral": 2, "entailment": 1}
    with pytest.raises(CorpusFormatError, match=r"^a\.tsv: every row has the label neutral"):
        check_labels(iter(["neutral"] * 3), "a.tsv")
    with pytest.raises(CorpusFormatError, match="no row has the label contradiction"):
        check_labels(["neutral", "entailment"], "a.tsv", expected=NLI_LABELS)
    with pytest.raises(CorpusFormatError, match="no rows"):
        check_labels([], "a.tsv")


def test_scores() -> None:
    assert check_scores([2.0, 0.5, 4.0], "a.tsv") == (0.5, 4.0)
    with pytest.raises(CorpusFormatError, match=r"^a\.tsv: every row has the score 2\.5"):
        check_scores([2.5, 2.5], "a.tsv")
    with pytest.raises(CorpusFormatError, match="no rows"):
        check_scores([], "a.tsv")


def test_texts_over_the_limit_are_said_or_refused(caplog: pytest.LogCaptureFixture) -> None:
    texts = ["하나 둘", "하나 둘 셋", "하나 둘 셋 넷", "하나"]
    with caplog.at_level(logging.WARNING):
        found = check_lengths(iter(texts), words, 2, "a.tsv")
    assert (found.texts, found.over, found.longest, found.share) == (4, 2, 4, 0.5)
    (record,) = caplog.records
    assert record.getMessage().startswith("a.tsv: 2 of 4 texts (50.0%) have more than 2 tokens (the longest 4)")
    with pytest.raises(ConfigError, match=r"^a\.tsv: 2 of 4 texts .*raise the limit"):
        check_lengths(texts, words, 2, "a.tsv", refuse=True)
    caplog.clear()
    assert str(check_lengths(texts, words, 4, "a.tsv", refuse=True)).startswith("all 4 texts have at most 4 tokens")
    assert check_lengths([], words, 4, "a.tsv").share == 0
    assert not caplog.records
    with pytest.raises(ConfigError, match="limit of 0 tokens"):
        check_lengths(texts, words, 0, "a.tsv")


@given(lengths=st.lists(st.integers(0, 9), max_size=600), limit=st.integers(1, 9))
def test_lengths_are_counted_through_any_number_of_batches(lengths: list[int], limit: int) -> None:
    texts = [" ".join("가" * length) for length in lengths]
    found = check_lengths(texts, words, limit, "a.tsv")
    over = sum(length > limit for length in lengths)
    assert (found.texts, found.over, found.longest) == (len(lengths), over, max(lengths, default=0))


@given(rows=st.lists(st.tuples(st.sampled_from("가나다"), st.sampled_from(["", "라", "마"])), max_size=30))
def test_duplicates_are_rows_equal_to_an_earlier_one(rows: list[tuple[str, str]]) -> None:
    found = count_duplicates(rows)
    assert (found.rows, found.repeated) == (len(rows), len(rows) - len(set(rows)))


def test_where_one_text_ends_matters_for_duplicates() -> None:
    assert count_duplicates([("가나", "다"), ("가", "나다"), ("가", "나", "다")]).repeated == 0
    assert count_duplicates([("가", "나")] * 4).share == 0.75
    assert count_duplicates([]).share == 0
