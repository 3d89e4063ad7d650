"""The limits that both READMEs name are the defaults, and all of them are named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import pytest

from kure_rag.chunk import ChunkSettings
from kure_rag.read import ReadLimits

ROOT = Path(__file__).resolve().parents[1]
# What follows each limit's number in the text, in the order of the text.
ENGLISH = re.compile(
    r"limits for a file are (?P<max_bytes>\d+ [KMG]iB), (?P<max_pages>[\d,]+) pages, "
    r"(?P<max_chars>[\d,]+(?: million)?) characters, (?P<max_seconds>\d+) seconds and, on Linux, "
    r"(?P<max_memory>\d+ [KMG]iB) of memory; for a page, "
    r"(?P<max_page_chars>[\d,]+(?: million)?) characters and (?P<max_page_seconds>\d+) seconds"
)
KOREAN = re.compile(
    r"파일 하나의 한도는 (?P<max_bytes>\d+ [KMG]iB), (?P<max_pages>[\d,]+)쪽, (?P<max_chars>[\d,]+[천만]*) 자, "
    r"(?P<max_seconds>\d+)초이고 Linux에서는 메모리 (?P<max_memory>\d+ [KMG]iB)도 적용됩니다\. "
    r"쪽 하나는 (?P<max_page_chars>[\d,]+[천만]*) 자, (?P<max_page_seconds>\d+)초까지"
)
UNITS = {
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "million": 1_000_000,
    "천": 1_000,
    "만": 10_000,
    "천만": 10_000_000,
}
PAGES = [pytest.param("README.md", ENGLISH, id="English"), pytest.param("README.ko.md", KOREAN, id="Korean")]


def text(page: str) -> str:
    """With one space where lines are wrapped."""
    return " ".join((ROOT / page).read_text(encoding="utf-8").split())


def value(written: str) -> int:
    """``512 MiB``, ``20 million``, ``5,000`` and ``2천만`` as numbers."""
    number, unit = re.fullmatch(r"([\d,]+) ?(\S*)", written, re.DOTALL).groups()  # type: ignore[union-attr]
    return int(number.replace(",", "")) * (UNITS[unit] if unit else 1)


def named(page: str, pattern: re.Pattern[str]) -> Mapping[str, int]:
    found = list(pattern.finditer(text(page)))
    assert len(found) == 1, f"{page} does not name the limits as {pattern.pattern}"
    return {name: value(written) for name, written in found[0].groupdict().items()}


@pytest.mark.parametrize(("page", "pattern"), PAGES)
def test_the_limits_named_are_the_defaults(page: str, pattern: re.Pattern[str]) -> None:
    default = ReadLimits()
    assert named(page, pattern) == {name: getattr(default, name) for name in pattern.groupindex}


@pytest.mark.parametrize(("page", "pattern"), PAGES)
def test_every_limit_is_named(page: str, pattern: re.Pattern[str]) -> None:
    # by_type holds no limit of its own.
    assert set(named(page, pattern)) == {field.name for field in fields(ReadLimits)} - {"by_type"}


@pytest.mark.parametrize(
    ("page", "over"),
    [
        ("README.md", r"([\d,]+) pages, over the limit of ([\d,]+)"),
        ("README.ko.md", r"([\d,]+)쪽으로 한도 ([\d,]+)쪽을"),
    ],
)
def test_the_reason_shown_for_too_many_pages_is_true(page: str, over: str) -> None:
    ((pages, limit),) = re.findall(over, text(page))
    assert value(limit) == ReadLimits().max_pages < value(pages)


@pytest.mark.parametrize(
    ("page", "length"),
    [("README.md", r"sentences up to ([\d,]+) characters"), ("README.ko.md", r"([\d,]+)자까지의 문장")],
)
def test_the_length_named_for_general_chunks_is_the_default(page: str, length: str) -> None:
    (written,) = re.findall(length, text(page))
    assert value(written) == ChunkSettings().target


@pytest.mark.parametrize(
    ("written", "number"),
    [("512 MiB", 536_870_912), ("20 million", 20_000_000), ("2천만", 20_000_000), ("50만", 500_000), ("5,000", 5_000)],
)
def test_numbers_are_read_as_they_are_written(written: str, number: int) -> None:
    assert value(written) == number
