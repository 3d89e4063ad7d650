"""The pages on other stores' tests name tests of ours that are there, and count their rows right."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from langchain_chroma_suite import PAGE as LANGCHAIN
from langchain_chroma_suite import said

ROOT = Path(__file__).resolve().parents[2]
LLAMA_INDEX = ROOT / "docs" / "llamaindex-chroma-cases.md"
OURS = {
    LANGCHAIN: ROOT / "tests" / "langchain" / "test_chroma_cases.py",
    LLAMA_INDEX: ROOT / "tests" / "llama_index" / "test_chroma_store_cases.py",
}
STANDARD = 25  # tests of LangChain's suite, in one row


@cache
def names_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return frozenset(name for name in found if name.startswith("test_"))


def rows(page: Path) -> list[list[str]]:
    """The cells of each row of its tables, without their heads."""
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if row[0] != "Their test" and set(row[0]) != {"-"} and not row[0].startswith("---")]


def named(page: Path) -> set[tuple[Path, str]]:
    """Tests of ours in the last cells, with their files; those that name no file lie in the page's own."""
    found = set()
    for row in rows(page):
        for file, name in re.findall(r"`(?:([\w./]+\.py)::)?(test_\w+)`", row[-1]):
            found.add((OURS[page].parent / file if file else OURS[page], name))
    return found


@pytest.mark.parametrize("page", OURS, ids=lambda page: page.stem)
def test_every_test_that_a_page_names_is_there_and_every_case_is_named(page: Path) -> None:
    there = named(page)
    assert len(there) >= 10
    assert [f"{path.name}::{name}" for path, name in there if name not in names_in(path)] == []
    assert names_in(OURS[page]) - {name for _, name in there} == set()
    for file in re.findall(r"`([\w./]+\.py)`", page.read_text(encoding="utf-8").partition("\n| ")[2]):
        assert (OURS[page].parent / file).is_file() or (ROOT / file).is_file(), file


def test_the_page_on_langchain_chroma_counts_its_rows_right() -> None:
    _, outcomes = said()
    counts = Counter(outcomes.values())
    counts["passes"] += STANDARD - 1
    text = " ".join(LANGCHAIN.read_text(encoding="utf-8").split())
    assert f"its {counts.total()} tests" in text
    assert f"**{counts['passes']} pass; {counts['fails']} fail" in text
    assert f"{counts['skipped']} are skipped**" in text
    assert f"{STANDARD} tests | passes" in text


def test_the_page_on_llama_index_counts_its_rows_right() -> None:
    counts = Counter(row[1] for row in rows(LLAMA_INDEX))
    text = " ".join(LLAMA_INDEX.read_text(encoding="utf-8").split())
    assert set(counts) == {"yes", "no"}
    assert f"{counts.total()} test functions" in text
    assert f"**{counts['yes']} cases are written anew" in text
    assert f"{counts['no']} do not apply**" in text
