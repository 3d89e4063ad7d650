"""Texts cut for LangChain."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import BaseDocumentTransformer, Document

from kure_rag.langchain import KureTextSplitter

LAW = (
    "제1조(목적) 이 규정은 휴가를 정한다.\n제2조(연차휴가) 직원에게는 해마다 15일을 준다.\n"
    "제3조(병가) 병가는 60일까지로 한다."
)
SPLITTER = KureTextSplitter(profile="legal", domain="legal")
MARKDOWN = KureTextSplitter(target=15, profile="general", domain="general", markdown=True)


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


NOTES = """# 취업 규정

휴가는 **15일**로 한다.

## 연차휴가

* 연차휴가는 15일로 한다.

## 병가

휴가는 15일로 한다.

## 병가 기간

휴가는 15일로 한다.
"""


def test_a_piece_of_markdown_stands_where_it_is_written_or_says_nothing() -> None:
    document = Document(page_content=NOTES, metadata={"start_index": 99, "source": "규정.md"})
    pieces = KureTextSplitter(markdown=True, profile="general").split_documents([document])
    starts = {one.page_content: one.metadata.get("start_index") for one in pieces}
    assert starts == {
        "취업 규정\n\n휴가는 **15일**로 한다.": NOTES.index("취업 규정"),
        "연차휴가\n\n- 연차휴가는 15일로 한다.": None,  # its bullet is another one there
        "병가\n\n휴가는 15일로 한다.": NOTES.index("병가"),
        "병가 기간\n\n휴가는 15일로 한다.": NOTES.index("병가 기간"),
    }


@pytest.mark.parametrize(
    ("text", "all_known"),
    [
        (LAW, True),
        (LAW.replace("\n", "\r\n"), True),  # each article is a line
        (unicodedata.normalize("NFD", LAW), False),
        ("\ufeff" + LAW + "\x01끝.", None),
        ("제1조(휴가) 휴가는 15일이다.\r\n" * 3, True),
    ],
)
def test_start_index_is_in_the_text_as_it_was_given(text: str, all_known: bool | None) -> None:
    pieces = SPLITTER.create_documents([text])
    known = [one for one in pieces if "start_index" in one.metadata]
    for one in known:
        start = one.metadata["start_index"]
        assert text[start : start + len(one.page_content)] == one.page_content
    if all_known is not None:
        assert len(known) == (len(pieces) if all_known else 0)
    assert len({one.metadata["start_index"] for one in known}) == len(known)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "# 휴가\n",
                "휴가는 15일.\n",
                "**15일**\n",
                "* 병가\n",
                "\n",
                "\r\n",
                "|가|나|\n|-|-|\n|1|2|\n",
                "<b>휴가</b>는 15일.\n",
            ]
        ),
        max_size=10,
    ).map("".join)
)
def test_pieces_of_markdown_never_claim_a_wrong_place(text: str) -> None:
    pieces = MARKDOWN.create_documents([text])
    starts = [one.metadata["start_index"] for one in pieces if "start_index" in one.metadata]
    assert starts == sorted(set(starts))
    assert all(
        text[one.metadata["start_index"] :].startswith(one.page_content)
        for one in pieces
        if "start_index" in one.metadata
    )


def test_it_goes_into_a_chain_of_transformers_as_text_splitters_do() -> None:
    assert isinstance(SPLITTER, BaseDocumentTransformer)
    documents = [Document(page_content=LAW, metadata={"source": "규정.txt"})]
    assert SPLITTER.transform_documents(documents) == SPLITTER.split_documents(documents)
    assert SPLITTER.create_documents([LAW], [{"source": "규정.txt"}]) == SPLITTER.split_documents(documents)
    assert [one.page_content for one in SPLITTER.split_documents(documents)] == SPLITTER.split_text(LAW)
