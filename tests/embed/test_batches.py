import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.embed.batches import batches, padding_waste

LENGTHS = st.lists(st.integers(0, 600), max_size=200)


@given(LENGTHS, st.integers(1, 5000), st.sampled_from([1, 8, 64]))
def test_every_position_comes_once(lengths, budget, multiple):
    groups = list(batches(lengths, budget, multiple=multiple))
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    assert all(groups)


@given(LENGTHS, st.integers(1, 5000), st.sampled_from([1, 8, 64]))
def test_a_padded_group_keeps_the_budget_unless_it_is_one_text(lengths, budget, multiple):
    for group in batches(lengths, budget, multiple=multiple):
        longest = -(-max(lengths[i] for i in group) // multiple) * multiple
        assert len(group) == 1 or longest * len(group) <= budget


@given(LENGTHS, st.integers(1, 5000))
def test_the_longest_come_first(lengths, budget):
    order = [lengths[i] for group in batches(lengths, budget) for i in group]
    assert order == sorted(lengths, reverse=True)


@given(LENGTHS.filter(any), st.integers(1, 5000))
def test_waste_is_never_below_one_and_is_one_for_single_texts(lengths, budget):
    assert padding_waste(lengths, list(batches(lengths, budget))) >= 1
    assert padding_waste(lengths, [[i] for i in range(len(lengths))]) == 1


def test_waste_counts_padded_tokens():
    assert padding_waste([10, 5, 5], [[0, 1, 2]]) == pytest.approx(30 / 20)
    assert padding_waste([10, 5, 5], [[0], [1, 2]]) == 1
    assert padding_waste([], []) == 1


def test_real_lengths_waste_little():
    lengths = [20 + (i * 7919) % 480 for i in range(2000)]
    assert padding_waste(lengths, list(batches(lengths, 4096))) < 1.03
