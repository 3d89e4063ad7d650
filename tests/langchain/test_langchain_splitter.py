"""Texts cut for LangChain."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document

from kure_rag.langchain import KureTextSplitter

LAW = (
    "제1조(목적) 이 규정은 휴가를 정한다.\n제2조(연차휴가) 직원에게는 해마다 15일을 준다.\n"
    "제3조(병가) 병가는 60일까지로 한다."
)
SPLITTER = KureTextSplitter(profile="legal", domain="legal")


def test_articles_are_pieces_of_their_own() -> None:
    assert SPLITTER.split_text(LAW) == LAW.split("\n")


def test_pieces_keep_the_metadata_of_their_document_and_say_where_they_stand() -> None:
    pieces = SPLITTER.split_documents([Document(page_content=LAW, metadata={"source": "규정.txt", "kind": "mine"})])
    assert [LAW[one.metadata["start_index"] :][: len(one.page_content)] for one in pieces] == LAW.split("\n")
    assert {one.metadata["source"] for one in pieces} == {"규정.txt"}
    assert pieces[1].metadata["article"] == "제2조"


def test_each_text_needs_its_metadata() -> None:
    made = SPLITTER.create_documents([LAW, ""], [{"n": 1}, {"n": 2}])
    assert [one.metadata["n"] for one in made] == [1, 1, 1]
    with pytest.raises(ValueError, match="zip"):
        SPLITTER.create_documents([LAW, LAW], [{"n": 1}])


async def test_the_loop_gets_the_same() -> None:
    documents = [Document(page_content=LAW)]
    assert await SPLITTER.atransform_documents(documents) == SPLITTER.transform_documents(documents)


def test_markdown_headings_are_breadcrumbs() -> None:
    pieces = KureTextSplitter(markdown=True).create_documents(["# 휴가\n\n직원에게는 해마다 15일을 준다.\n"])
    assert pieces[-1].metadata["breadcrumb"][-1] == "휴가"


def test_nothing_visible_has_no_pieces() -> None:
    assert SPLITTER.split_text(" \n ") == []


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("가나다라마바사. \n", max_size=60), max_size=12).map("".join))
def test_no_visible_character_is_lost(text: str) -> None:
    pieces = KureTextSplitter(target=50).split_text(text)
    assert "".join("".join(pieces).split()) == "".join(unicodedata.normalize("NFC", text).split())
