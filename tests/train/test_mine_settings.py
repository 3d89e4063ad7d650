"""Bounds against false negatives, and settings that make no sense."""

import math
from typing import Any

import pytest

from kure_rag.train.mine import Margin, MineSettings


def test_the_relative_margin_is_a_share_of_the_positive_s_score() -> None:
    margin = Margin(relative=0.95)
    assert margin.limit(0.8) == pytest.approx(0.76)
    assert margin.verdict(0.95 * 0.8, 0.8) is None, "at the limit it is still one"
    assert margin.verdict(0.77, 0.8) == "margin"
    assert margin.verdict(0.9, 0.8) == "margin"


def test_below_a_positive_of_a_negative_score_stands_what_is_further_below() -> None:
    margin = Margin(relative=0.9)
    assert margin.limit(-0.2) == pytest.approx(-0.22), "nine tenths of it would be above it"
    assert margin.verdict(-0.19, -0.2) == "margin"
    assert margin.verdict(-0.3, -0.2) is None
    assert margin.limit(0.0) == 0.0


def test_of_two_limits_the_lower_one_holds() -> None:
    margin = Margin(relative=0.95, absolute=0.1, most=0.5, least=0.05)
    assert margin.limit(0.8) == pytest.approx(0.7)
    assert margin.limit(4.0) == pytest.approx(3.8)
    assert margin.verdict(0.71, 0.8) == "margin"
    assert margin.verdict(0.6, 0.8) == "most"
    assert margin.verdict(0.04, 0.8) == "least"
    assert margin.verdict(0.5, 0.8) is None
    assert margin.verdict(0.05, 0.8) is None


def test_without_bounds_everything_passes() -> None:
    assert not Margin().is_set
    assert Margin().limit(0.3) == math.inf
    assert Margin().verdict(2.0, 0.3) is None
    assert Margin(least=0.0).is_set


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"relative": 0.0}, "above 0 and at most 1"),
        ({"relative": 1.2}, "above 0 and at most 1"),
        ({"absolute": -0.1}, "0 or more"),
        ({"most": math.nan}, "give a number"),
        ({"most": 0.2, "least": 0.3}, "no score is between them"),
    ],
)
def test_bounds_that_make_no_sense(given: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Margin(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mode": "both"}, "choose one of hybrid, lexical, dense"),
        ({"sampling": "best"}, "choose one of top, random"),
        ({"negatives": 0}, "negatives=0"),
        ({"batch": 0}, "batch=0"),
        ({"skip": -1}, "skip=-1"),
        ({"seed": -1}, "seed=-1"),
        ({"depth": 10, "skip": 6}, "leaves fewer ranks than the 5"),
    ],
)
def test_settings_that_make_no_sense(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MineSettings(**given)


def test_only_a_keyword_search_without_bounds_measures_no_cosines() -> None:
    assert MineSettings().measures_cosines
    assert MineSettings(mode="lexical").measures_cosines
    assert not MineSettings(mode="lexical", dense=Margin()).measures_cosines
    assert MineSettings(mode="dense", dense=Margin()).measures_cosines
