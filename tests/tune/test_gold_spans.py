"""Answers as places in documents: what is found when documents are cut otherwise."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from kure_rag.tune.gold import Question as Asked
from kure_rag.tune.gold import Span, judgements, relevance_of
from kure_rag.types import Chunk

LENGTH = 400


def chunk(start: int, end: int, document: str = "규정") -> Chunk:
    return Chunk(f"{document}-{start}-{end}", document, "가" * (end - start), start, end, (), ())


def cut_at(places: list[int], document: str = "규정") -> list[Chunk]:
    edges = [0, *sorted({place for place in places if 0 < place < LENGTH}), LENGTH]
    return [chunk(start, end, document) for start, end in pairwise(edges)]


def span(of: Chunk) -> Span:
    return Span(of.document_id, of.start, of.end)


cuts = st.lists(st.integers(1, LENGTH - 1), max_size=12)


@settings(deadline=None, max_examples=60)
@given(cuts, st.randoms(use_true_random=False), st.data())
def test_cut_as_it_was_an_answer_is_found_by_its_own_passage_alone(places: list[int], mix, data) -> None:
    chunks = cut_at(places)
    gold = data.draw(st.sampled_from(chunks))
    mix.shuffle(chunks)
    names = relevance_of(chunks, (frozenset({span(gold)}),))
    assert names == ["group 0" if some is gold else f"other {rank}" for rank, some in enumerate(chunks)]


@settings(deadline=None, max_examples=60)
@given(cuts, cuts, st.randoms(use_true_random=False), st.data())
def test_cut_otherwise_every_answer_is_found_once_where_more_than_half_of_it_is_there(
    places: list[int], others: list[int], mix, data
) -> None:
    golds = data.draw(st.lists(st.sampled_from(cut_at(places)), min_size=1, max_size=3, unique_by=lambda some: some.id))
    chunks = cut_at(others)
    mix.shuffle(chunks)
    groups = tuple(frozenset({span(gold)}) for gold in golds)
    names = relevance_of(chunks, groups)
    for number, gold in enumerate(golds):
        assert names.count(f"group {number}") == 1
        held = [
            len({i for some in chunks[:rank] for i in range(max(some.start, gold.start), min(some.end, gold.end))})
            for rank in range(len(chunks) + 1)
        ]
        found = next(rank for rank, letters in enumerate(held) if 2 * letters > gold.end - gold.start)
        assert f"group {number}" in relevance_of(chunks[:found], groups)
        assert f"group {number}" not in relevance_of(chunks[: found - 1], groups)


@settings(deadline=None, max_examples=60)
@given(cuts, st.data())
def test_a_longer_passage_around_an_answer_finds_it_at_once(places: list[int], data) -> None:
    gold = data.draw(st.sampled_from(cut_at(places)))
    assert relevance_of([chunk(0, LENGTH)], (frozenset({span(gold)}),)) == ["group 0"]


def test_small_pieces_are_not_taken_for_the_whole() -> None:
    gold = (frozenset({Span("규정", 100, 200)}),)
    assert relevance_of([chunk(100, 140), chunk(140, 150)], gold) == ["other 0", "other 1"]
    assert relevance_of([chunk(100, 140), chunk(140, 160)], gold) == ["other 0", "group 0"]
    assert relevance_of([chunk(100, 160), chunk(100, 160)], gold) == ["group 0", "other 1"]
    assert relevance_of([chunk(100, 145), chunk(100, 145)], gold) == ["other 0", "other 1"]  # the same half twice


def test_another_document_at_the_same_place_answers_nothing() -> None:
    assert relevance_of([chunk(0, 100, "다른 규정")], (frozenset({Span("규정", 0, 100)}),)) == ["other 0"]


def test_any_of_a_group_is_enough_and_each_group_is_needed() -> None:
    either = frozenset({Span("규정", 0, 100), Span("규정", 200, 300)})
    also = frozenset({Span("규정", 300, 400)})
    assert relevance_of([chunk(200, 300), chunk(0, 100), chunk(300, 400)], (either, also)) == [
        "group 0",
        "other 1",
        "group 1",
    ]
    assert relevance_of([chunk(200, 400)], (either, also)) == ["group 0", "group 1"]
    asked = Asked(id="q", text="?", groups=(either, also))
    assert judgements([asked]) == {"q": {"group 0": 1.0, "group 1": 1.0}}
