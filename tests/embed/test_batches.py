import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.embed.batches import batches, padding_waste

LENGTHS = st.lists(st.integers(0, 600), max_size=200)


@given(LENGTHS, st.integers(1, 5000))
def test_every_position_comes_once(lengths, budget):
    groups = list(batches(lengths, budget))
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    assert all(groups)


@given(LENGTHS, st.integers(1, 5000))
def test_a_padded_group_keeps_the_budget_unless_it_is_one_text(lengths, budget):
    for group in batches(lengths, budget):
        assert len(group) == 1 or max(lengths[i] for i in group) * len(group) <= budget


@given(LENGTHS, st.integers(1, 5000))
def test_the_longest_come_first(lengths, budget):
    order = [lengths[i] for group in batches(lengths, budget) for i in group]
    assert order == sorted(lengths, reverse=True)


@given(LENGTHS.filter(any), st.integers(1, 5000))
def test_waste_is_never_below_one_and_is_one_for_single_texts(lengths, budget):
    assert padding_waste(lengths, list(batches(lengths, budget))) >= 1
    assert padding_waste(lengths, [[i] for i in range(len(lengths))]) == 1


@given(LENGTHS, st.integers(1, 5000), st.integers(0, 100))
def test_no_group_is_padded_with_more_than_a_pass_costs(lengths, budget, pass_tokens):
    groups = list(batches(lengths, budget, pass_tokens=pass_tokens))
    assert [i for group in groups for i in group] == [i for group in batches(lengths, budget) for i in group]
    for group in groups:
        assert sum(lengths[group[0]] - lengths[i] for i in group) <= pass_tokens
        assert len(group) == 1 or len(group) * lengths[group[0]] <= budget


@given(LENGTHS, st.integers(1, 5000), st.integers(0, 100))
def test_a_group_ends_no_earlier_than_it_must(lengths, budget, pass_tokens):
    groups = list(batches(lengths, budget, pass_tokens=pass_tokens))
    for group, following in itertools.pairwise(groups):
        longest, more = lengths[group[0]], [*group, following[0]]
        padding = sum(longest - lengths[i] for i in more)
        assert padding > pass_tokens or len(more) * max(1, longest) > budget


def test_few_texts_of_mixed_lengths_waste_little_where_a_pass_costs_little():
    lengths = [20 + (i * i) // 12 for i in range(64)]
    assert padding_waste(lengths, list(batches(lengths, 2048))) > 1.2
    assert padding_waste(lengths, list(batches(lengths, 2048, pass_tokens=32))) < 1.05


def test_waste_counts_padded_tokens():
    assert padding_waste([10, 5, 5], [[0, 1, 2]]) == pytest.approx(30 / 20)
    assert padding_waste([10, 5, 5], [[0], [1, 2]]) == 1
    assert padding_waste([], []) == 1


def test_real_lengths_waste_little():
    lengths = [20 + (i * 7919) % 480 for i in range(2000)]
    assert padding_waste(lengths, list(batches(lengths, 4096))) < 1.03
