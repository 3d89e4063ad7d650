"""The page of the chosen passage, with the passage marked."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from kure_rag.app.pages import NoPage, PageView
from kure_rag.app.running import Running
from kure_rag.app.views import escape_markdown, page_html, place_html, problem_html, text_html
from kure_rag.types import Chunk, Document

_PARTLY = 0.6  # of a passage's part: below it the reader is told
Words = Mapping[str, str]


def choose(chunk: Chunk | None, citation: str, page: int | None = None) -> None:
    """Makes a passage the one that is shown.

    Args:
        chunk: Which; none to show nothing.
        citation: Its place in words.
        page: Of the file; by default the first that holds it.
    """
    st.session_state["chosen"] = None if chunk is None else (chunk, citation, page)


def chosen_id() -> str | None:
    """The id of the passage that is shown."""
    chosen = st.session_state.get("chosen")
    return chosen[0].id if chosen else None


def show(running: Running, words: Words) -> None:
    """Shows it."""
    chosen = st.session_state.get("chosen")
    if not chosen:
        st.caption(words["click_one"])
        return
    chunk, citation, page = chosen
    document = running.index.document(chunk.document_id)
    if document is None:
        st.warning(words["gone"])
        return
    found = running.pages.view(document, chunk, page)
    if isinstance(found, PageView):
        _page(found, document.source, chunk, citation, words)
    else:
        _no_page(found, document, chunk, words)


def _page(view: PageView, source: str, chunk: Chunk, citation: str, words: Words) -> None:
    back, place, forth = st.columns([1, 3, 1], vertical_alignment="center")
    back.button(
        f"← {words['previous']}",
        key="previous",
        disabled=view.number <= 1,
        on_click=choose,
        args=(chunk, citation, view.number - 1),
        width="stretch",
    )
    where = words["page_of"].format(number=view.number, pages=view.pages)
    marked = ", ".join(map(str, view.marked_pages))
    place.html(place_html(source, [where, f"{words['marked_on']} {marked}" if len(view.marked_pages) > 1 else ""]))
    forth.button(
        f"{words['next']} →",
        key="next",
        disabled=view.number >= view.pages,
        on_click=choose,
        args=(chunk, citation, view.number + 1),
        width="stretch",
    )
    if not view.marks:
        st.caption(words["not_on_page"])
    elif view.share < _PARTLY and len(view.marked_pages) == 1:
        st.caption(words["partly"])
    st.html(page_html(view, f"{citation} {where}"))


def _no_page(found: NoPage, document: Document, chunk: Chunk, words: Words) -> None:
    st.info(escape_markdown(words[f"no_page_{found.reason}"]))
    if found.reason == "failed":
        st.html(problem_html(found.detail))
    st.html(text_html(document, chunk))
