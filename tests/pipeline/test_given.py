"""What a caller gave by mistake is refused by its name, not taken for something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import HashEmbedder

from kure_rag import Entry, KureIndex
from kure_rag.errors import EntryError, SearchError
from kure_rag.pipeline.passages import cut_text
from kure_rag.tokenize import KiwiTokenizer


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with KureIndex.open(tmp_path_factory.mktemp("given") / "ix", embeddings=HashEmbedder()) as opened:
        opened.put([Entry(id=id_, text=f"연차휴가는 {id_} 조가 정한다.") for id_ in ("휴", "가", "휴가")])
        yield opened


@pytest.mark.parametrize("call", ["entries", "delete_entries"])
def test_an_id_instead_of_a_list_is_not_taken_letter_by_letter(index: KureIndex, call: str) -> None:
    with pytest.raises(TypeError, match=r"ids is a list, and '휴가' is one text; put it into brackets"):
        getattr(index, call)("휴가")
    assert index.entry_ids() == ["휴", "가", "휴가"]


def test_what_is_no_entry_is_named(index: KureIndex) -> None:
    with pytest.raises(TypeError, match="entries is a list, and '휴가' is one text"):
        index.put("휴가")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"put takes entries, not str \('휴가'\)"):
        index.put(["휴가"])  # type: ignore[list-item]


def test_a_value_that_json_has_not_is_told_by_its_kind(index: KureIndex) -> None:
    with pytest.raises(EntryError, match=r"metadata\['갈래'\] is a Python set, which JSON has not"):
        index.put([Entry(id="새", text="새 글입니다.", metadata={"갈래": {"휴가"}})])


def test_one_empty_query_is_not_numbered_and_one_of_several_is(index: KureIndex) -> None:
    with pytest.raises(SearchError, match="the query is empty"):
        index.search(" ")
    with pytest.raises(SearchError, match="query 1 is empty"):
        index.search_batch(["연차휴가", ""])


@pytest.mark.parametrize("text", [None, 3, b"text", Path("file.txt")])
def test_what_is_no_text_is_not_cut(text: Any) -> None:
    with pytest.raises(TypeError, match=f"a text to cut is str, not {type(text).__name__}"):
        cut_text(text, KiwiTokenizer())
