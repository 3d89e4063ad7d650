"""JSON arrays that are streamed: the elements json.loads gives, the lines they begin on, and little memory."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kure_rag.errors import CorpusFormatError
from kure_rag.read import json_array
from kure_rag.read.json_array import read_array

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("가나다abc", max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(values=st.lists(VALUES, max_size=8), indent=st.sampled_from([None, 0, 4]), block=st.integers(1, 40))
def test_the_elements_are_those_of_the_json_library_however_the_text_is_cut(
    values: list[object], indent: int | None, block: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("array") / "a.json"
    text = json.dumps(values, indent=indent, ensure_ascii=False)
    path.write_bytes(gzip.compress(text.encode()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_array, "_BLOCK", block)
        assert [value for _, value in read_array(path, what="this")] == values


@given(breaks=st.lists(st.integers(0, 3), min_size=3, max_size=12), block=st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_each_element_has_the_line_that_it_begins_on(
    breaks: list[int], block: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines, text, line = [], "[", 1
    for i, count in enumerate(breaks):
        text += "\n" * count
        line += count
        lines.append(line)
        text += f'{{"i": {i},\n"wide": "가나다"}}' + ("," if i < len(breaks) - 1 else "]")
        line += 1
    path = tmp_path_factory.mktemp("array") / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_array, "_BLOCK", block)
        assert [number for number, _ in read_array(path, what="this")] == lines


def test_the_column_of_a_fault_counts_from_the_beginning_of_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_array, "_BLOCK", 4)
    path = tmp_path / "a.json"
    text = '[1, 2,\n{"가": 1}, {"나" 2}]'
    path.write_text(text, encoding="utf-8")
    with pytest.raises(json.JSONDecodeError) as whole:
        json.loads(text)
    told = f"line {whole.value.lineno}: not JSON .* at column {whole.value.colno}"
    with pytest.raises(CorpusFormatError, match=told):
        list(read_array(path, what="this"))


def test_elements_before_a_fault_are_given(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"a": 1},\n{"b": NaN}]', encoding="utf-8")
    found = read_array(path, what="this")
    assert next(found) == (1, {"a": 1})
    with pytest.raises(CorpusFormatError, match="line 2: NaN is not a JSON value"):
        next(found)


def test_a_long_array_is_not_held_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with path.open("w", encoding="utf-8") as file:
        file.write("[\n")
        for i in range(20_000):
            file.write(f'  {{"i": {i},\n   "text": "한국어 문장이 하나 있습니다."}},\n')
        file.write('  {"i": -1}\n]')
    assert path.stat().st_size > 1_400_000
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_array(path, what="this"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 20_001
    assert peak < 1_000_000
