"""What is shown, as values and HTML: whatever a document holds, it is text."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kure_rag.app
from kure_rag import KureIndex
from kure_rag.app.pages import PageView
from kure_rag.app.views import (
    answer_html,
    body_html,
    escape_markdown,
    legs_of,
    marked_html,
    page_html,
    passage_html,
    place_html,
    step_html,
    text_html,
    title_html,
    where_of,
)
from kure_rag.app.words import WORDS
from kure_rag.ingest.report import STATUSES
from kure_rag.types import DOMAINS, MODES

APP = Path(kure_rag.app.__file__).parent
KO = WORDS["ko"]
TAG = re.compile(r"<[^>]*>")


def test_both_languages_say_the_same_things() -> None:
    assert WORDS["ko"].keys() == WORDS["en"].keys()
    for name, text in WORDS["ko"].items():
        assert re.findall(r"\{\w+\}", text) == re.findall(r"\{\w+\}", WORDS["en"][name])


def test_a_hit_shows_rank_and_score_of_both_legs(sample_index: KureIndex) -> None:
    hit = sample_index.search("재택근무 신청 기한", k=1, highlight=True)[0]
    legs = {leg.name: leg for leg in legs_of(hit)}
    assert set(legs) == {"lexical", "dense"}
    assert legs["lexical"].rank == hit.legs["lexical"].rank
    assert sum(leg.part or 0.0 for leg in legs.values()) == pytest.approx(hit.score)
    shown = passage_html(hit, KO)
    assert f"{hit.score:.3f}" in shown
    assert f"{hit.legs['dense'].score:.2f}" in shown
    assert "키워드" in shown
    assert "벡터" in shown
    assert "<mark>" in shown
    assert "kure-chosen" not in shown
    assert "kure-chosen" in passage_html(hit, KO, chosen=True)


@given(st.text(), st.data())
def test_marking_a_text_changes_nothing_of_it(text: str, data: st.DataObject) -> None:
    ends = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    spans = list(zip(ends[::2], ends[1::2], strict=False))
    shown = marked_html(text, spans)
    assert html.unescape(re.sub("</?mark>", "", shown)) == html.unescape(html.escape(text))
    assert set(TAG.findall(shown)) <= {"<mark>", "</mark>"}


def test_rows_of_a_table_are_shown_as_one_with_the_words_of_the_question_marked() -> None:
    text = "표 1. 여비\n| 구분 | 숙박비 |\n| --- | --- |\n| 팀장 |  |\n| 직원 | 9만 <원> |\n주1) 서울은 11만 원"
    start = text.index("직원 |")
    shown = body_html(text, [(0, 2), (start, start + len("직원 | 9만"))])
    assert shown == (
        "<mark>표 </mark>1. 여비\n<table><tr><td> 구분 </td><td> 숙박비 </td></tr>"
        "<tr><td> 팀장 </td><td>  </td></tr>"
        "<tr><td> <mark>직원 </mark></td><td><mark> 9만</mark> &lt;원&gt; </td></tr></table>주1) 서울은 11만 원"
    )


@given(st.text(alphabet="가나| -\n<&\\", max_size=60))
def test_a_passage_keeps_all_its_words_whatever_bars_it_has(text: str) -> None:
    shown = html.unescape(TAG.sub("", body_html(text, None)))
    letters = re.compile(r"[|\s\\-]")
    assert letters.sub("", shown) == letters.sub("", text)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "![그림](https://example.com/x.png?q=질문)",
        '<img src="https://example.com/x.png" onerror="alert(1)">',
        "[누르세요](javascript:alert(1))",
    ],
)
def test_a_models_answer_cannot_fetch_or_run_anything(text: str) -> None:
    shown = answer_html(text)
    assert set(TAG.findall(shown)) == {'<div class="kure-answer">', "</div>"}
    assert text in html.unescape(shown)


def test_an_answers_marks_and_bold_words_are_set_off() -> None:
    shown = answer_html("**15일**을 줍니다 [1][12].")
    assert "<b>15일</b>" in shown
    assert '<span class="kure-cited">[12]</span>' in shown


@given(st.text())
def test_a_markdown_label_is_the_text_itself(text: str) -> None:
    shown = escape_markdown(text)
    plain = re.sub(r"\\(.)", r"\1", shown)
    assert plain.replace("\u2060", "") == " ".join(text.split()).replace("\u2060", "")
    assert not re.search(r"(?<!\\)(?:\\\\)*[*_\[\]`$<>:]", shown)


@pytest.mark.parametrize("name", ["www.evil-example.com.pdf", "WWW.x.kr", "http://x.kr", "a@evil-example.com.pdf"])
def test_an_address_in_a_label_is_none_for_markdown(name: str) -> None:
    plain = re.sub(r"\\(.)", r"\1", escape_markdown(f"가 {name}"))  # where Markdown looks for them
    assert not re.search(r"www\.|https?://|[-.\w+]@[-\w]", plain, re.IGNORECASE)
    assert plain.replace("\u2060", "") == f"가 {name}"


@given(st.text(), st.text())
def test_names_and_places_as_html_are_text_and_nothing_else(name: str, more: str) -> None:
    for shown in (place_html(name, [more]), step_html(more, name), title_html(name)):
        assert not set(TAG.findall(re.sub(r'^<div class="kure-\w+"[^<>]*>|</?b>|</div>$', "", shown)))
        assert html.escape(name) in shown


@pytest.mark.parametrize(
    ("domains", "sources", "where"),
    [
        ([], [], None),
        (["legal"], [], {"domain": {"$in": ["legal"]}}),
        ([], ["가.pdf"], {"source": {"$in": ["가.pdf"]}}),
        (["legal", "finance"], ["가.pdf"], {"domain": {"$in": ["legal", "finance"]}, "source": {"$in": ["가.pdf"]}}),
    ],
)
def test_filters(domains: list[str], sources: list[str], where: object) -> None:
    assert where_of(domains, sources) == where


def test_filters_are_ones_that_a_search_takes(sample_index: KureIndex) -> None:
    hits = sample_index.search("기준", where=where_of(["legal"], ["새여울재단_취업규정.pdf"]))
    assert hits
    assert {hit.source for hit in hits} == {"새여울재단_취업규정.pdf"}
    assert not sample_index.search("기준", where=where_of(["medical"], ["새여울재단_취업규정.pdf"]))


def test_boxes_lie_over_the_picture_in_per_cent() -> None:
    view = PageView(
        number=2,
        pages=5,
        png=b"\x89PNG",
        width=992,
        height=1403,
        marks=((0.1, 0.25, 0.5, 0.0125),),
        marked_pages=(2,),
        share=1.0,
    )
    shown = page_html(view, '규정"<b>.pdf')
    assert 'style="left:10.000%;top:25.000%;width:50.000%;height:1.250%"' in shown
    assert "data:image/png;base64,iVBORw==" in shown
    assert "<b>" not in shown


def test_without_a_page_the_passage_is_marked_in_the_text_around_it(sample_index: KureIndex) -> None:
    hit = sample_index.search("재택근무 신청 기한", k=1)[0]
    document = sample_index.document(hit.chunk.document_id)
    assert document is not None
    shown = text_html(document, hit.chunk)
    (marked,) = re.findall("<mark>(.*?)</mark>", shown, re.DOTALL)
    assert html.unescape(marked) == hit.chunk.text
    assert len(shown) > len(hit.chunk.text) + 500


def test_every_word_of_the_page_is_said_somewhere() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in APP.rglob("*.py") if path.name != "words.py")
    looked_up = {*DOMAINS, *MODES, *STATUSES, "rerank"}  # by a value
    unsaid = {key for key in KO if f'"{key}"' not in source and f"'{key}'" not in source} - looked_up
    assert {key for key in unsaid if not key.startswith(("state_", "no_page_"))} == set()
