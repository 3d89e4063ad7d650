"""Headings in large type, alone and among numbered ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.chunk import chunk_document
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Chunk, Document, Domain

SAID = "담당 부서는 달마다 실적을 모아 보고하며 그 결과를 누리집에 올린다."


def printed(lines: Sequence[str], domain: Domain = "general") -> Document:
    """Lines of a document; one that begins with ``#`` is a heading in large type, with ``##`` in less large type."""
    text = ""
    headings: list[list[int]] = []
    for line in lines:
        said = line.lstrip("#")
        if level := len(line) - len(said):
            headings.append([len(text), len(text) + len(said), level])
        text += said + "\n"
    return Document(id="d", source="a.pdf", title="보고서", domain=domain, text=text, metadata={"headings": headings})


def cut(document: Document) -> list[Chunk]:
    return [item.chunk for item in chunk_document(document, WhitespaceTokenizer(), terms=False)]


def crumbs(document: Document) -> list[tuple[str, ...]]:
    return list(dict.fromkeys(chunk.breadcrumb[1:] for chunk in cut(document)))


@pytest.mark.parametrize("domain", ["general", "finance", "medical"])
def test_sections_without_numbers(domain: Domain) -> None:
    lines = ["#추진 배경", "##안의 사정", SAID, "##밖의 사정", SAID, "#앞으로 할 일", SAID]
    assert crumbs(printed(lines, domain)) == [
        ("추진 배경", "안의 사정"),
        ("추진 배경", "밖의 사정"),
        ("앞으로 할 일",),
    ]


def test_names_are_siblings_of_what_is_printed_like_them() -> None:
    document = printed(["#추진 배경", SAID, "#시장동향", SAID, "##물가", SAID, "#맺음말", SAID], "finance")
    assert crumbs(document) == [("추진 배경",), ("시장동향",), ("시장동향", "물가"), ("맺음말",)]
    assert [chunk.metadata.get("section") for chunk in cut(document)][1] == "운용경과 및 계획"


def test_names_keep_their_order_where_most_headings_have_one() -> None:
    names = ["#발명의 설명", "#기술분야", SAID, "#발명의 내용", "#해결하려는 과제", SAID, "#대표도", SAID]
    assert crumbs(printed(names))[:2] == [
        ("발명의 설명", "기술분야"),
        ("발명의 설명", "발명의 내용", "해결하려는 과제"),
    ]


def test_a_printed_heading_ends_the_numbered_ones_below_it() -> None:
    lines = [
        "#3. 치료",
        "##3.1 약물",
        "권고에 따른다.",
        SAID,
        "##자주 묻는 질문",
        SAID,
        "#4. 예후",
        SAID,
        "#5. 관리",
        SAID,
    ]
    assert ("3. 치료", "자주 묻는 질문") in crumbs(printed(lines))
    assert ("4. 예후",) in crumbs(printed(lines))


def test_numbers_in_the_size_of_the_text_begin_anew_under_each_printed_heading() -> None:
    lines = ["#운영", "1. 점검", SAID, "2. 교대", SAID, "#보안", "1. 출입", SAID, "2. 기록", SAID]
    assert crumbs(printed(lines)) == [
        ("운영", "1. 점검"),
        ("운영", "2. 교대"),
        ("보안", "1. 출입"),
        ("보안", "2. 기록"),
    ]


def test_a_count_that_goes_on_ends_larger_type_that_came_between() -> None:
    lines = ["##Ⅰ. 개요", SAID, "#한눈에 보기", SAID, "##Ⅱ. 현황", SAID, "##Ⅲ. 계획", SAID]
    assert crumbs(printed(lines)) == [("Ⅰ. 개요",), ("한눈에 보기",), ("Ⅱ. 현황",), ("Ⅲ. 계획",)]


def test_a_list_under_a_smaller_heading_does_not_end_the_number_above() -> None:
    lines = ["#1. 개요", SAID, "##참고", "1. 자료", SAID, "2. 방법", SAID, "#2. 현황", SAID]
    assert crumbs(printed(lines)) == [
        ("1. 개요",),
        ("1. 개요", "참고", "1. 자료"),
        ("1. 개요", "참고", "2. 방법"),
        ("2. 현황",),
    ]


def test_a_heading_of_two_lines_is_printed_on_one() -> None:
    document = printed(["#이용자가 늘어난 원인과 앞으로 할 일", SAID, "#비용", SAID])
    at = document.text.index(" 앞으로")
    document = replace(document, text=document.text[:at] + "\n" + document.text[at + 1 :])
    assert crumbs(document) == [("이용자가 늘어난 원인과 앞으로 할 일",), ("비용",)]


def test_annexes_stand_under_no_section() -> None:
    assert crumbs(printed(["#추진 배경", SAID, "##별첨 1 점검표", SAID])) == [("추진 배경",), ("별첨 1 점검표",)]


def test_questions_stay_pairs() -> None:
    lines = [
        "#자주 묻는 질문",
        "#Q1. 언제 여나요?",
        "A1. 아홉 시에 엽니다.",
        "#Q2. 쉬는 날은 언제인가요?",
        "A2. 월요일입니다.",
    ]
    assert [(chunk.kind, chunk.breadcrumb[1:]) for chunk in cut(printed(lines, "medical"))] == [
        ("qa", ("자주 묻는 질문",)),
        ("qa", ("자주 묻는 질문",)),
    ]


def test_each_product_has_the_printed_headings_of_its_own_part() -> None:
    part = ["【효능·효과】", "본태성 고혈압의 치료에 쓴다.", "【용법·용량】", "1일 1회 1정을 복용한다."]
    document = printed(["#가람정 5밀리그램", *part, "##환자 안내", SAID, "#나래정 10밀리그램", *part], "medical")
    found = [chunk for chunk in cut(document) if chunk.metadata.get("product") == "나래정 10밀리그램"]
    assert found
    assert all(chunk.breadcrumb[1] == "나래정 10밀리그램" and "환자 안내" not in chunk.breadcrumb for chunk in found)
    assert any("환자 안내" in chunk.breadcrumb for chunk in cut(document))


@pytest.mark.parametrize(
    "stored", [None, "추진 배경", ["추진 배경"], [[0, 5]], [[0, 900_000, 1]], [[3, 2, 1]], [[0, 5, 0]], [[0.0, 5, 1]]]
)
def test_metadata_of_that_name_that_is_something_else_is_left_alone(stored: object) -> None:
    plain = replace(printed(["추진 배경", SAID, SAID]), metadata={})
    assert crumbs(replace(plain, metadata={"headings": stored})) == crumbs(plain) == [()]


def test_the_legal_profile_does_not_look_at_type() -> None:
    lines = ["#제1장 총칙", "제1조(목적) 이 규정은 점검을 정한다.", "#총무과", "제2조(점검) 달마다 점검한다."]
    document = printed(lines, "legal")
    assert cut(document) == cut(replace(document, metadata={}))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "#", "##", "###"]),
            st.sampled_from(["추진 배경", "1. 점검", "2. 기록", "Ⅱ. 현황", SAID]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_chunks_cover_the_text_whatever_is_large(lines: list[tuple[str, str]]) -> None:
    document = printed([mark + line for mark, line in lines])
    stored = replace(document, metadata=json.loads(json.dumps(document.metadata)))
    found = cut(stored)
    assert "".join("".join(chunk.text for chunk in found).split()) == "".join(document.text.split())
    assert all(chunk.text == document.text[chunk.start : chunk.end] for chunk in found)


def test_labels_of_a_figure_with_their_names_in_english_are_no_headings() -> None:
    labels = [
        "#자료 차세대 온실 엣지 온실",
        "(DATA) (Next Greenhouse) (Edge",
        "Greenhouse)",
        SAID,
        "#추진 배경",
        SAID,
    ]
    assert crumbs(printed(labels)) == [(), ("추진 배경",)]
    title = ["#물가 수준의 특징", "(stylized facts)", SAID, "#추진 배경", SAID]
    assert crumbs(printed(title)) == [("물가 수준의 특징",), ("추진 배경",)]
