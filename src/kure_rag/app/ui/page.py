"""The whole page: uploads and filters at the side, question and passages, the page of the chosen passage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from kure_rag.app.running import Running, current
from kure_rag.app.style import page_style
from kure_rag.app.ui import chatting, problem, uploading, viewer
from kure_rag.app.views import escape_markdown, passage_html, title_html, where_of
from kure_rag.app.words import WORDS
from kure_rag.errors import KureError
from kure_rag.index import DocumentRow
from kure_rag.types import DOMAINS, MODES, Hit

Words = Mapping[str, str]


def show() -> None:
    """Shows the page, anew after each click."""
    running = current()
    words = WORDS[running.settings.language]
    st.set_page_config(page_title=f"kure-rag · {running.index.path.name}", layout="wide", menu_items={})
    st.html(page_style(words, running.settings.upload_megabytes))
    documents = running.index.documents()
    with st.sidebar:
        _title(running, documents, words)
        uploading.show(running, words)
        options = _options(documents, words)
    left, right = st.columns([1, 1], gap="medium")
    with left:
        if not running.chats:
            _search(running, options, words, empty=not documents)
        else:
            search, chat = st.tabs([words["search"], words["chat"]])
            with chat:
                chatting.show(running, options["where"], words)
            with search:
                _search(running, options, words, empty=not documents)
    with right, st.container(key="viewer"):
        viewer.show(running, words)


def _title(running: Running, documents: Sequence[DocumentRow], words: Words) -> None:
    passages = sum(row.chunks for row in documents)
    st.html(title_html(running.index.path.name))
    st.caption(f"{words['documents']} {len(documents):,} · {words['passages']} {passages:,}")


def _options(documents: Sequence[DocumentRow], words: Words) -> dict[str, Any]:
    """Filters, and how to search."""
    st.markdown(f"**{words['filters']}**")
    there = {row.domain for row in documents}
    domains = st.multiselect(
        words["domain"],
        [domain for domain in DOMAINS if domain in there],
        format_func=lambda domain: words[domain],
        placeholder=words["all"],
        key="domains",
    )
    sources = sorted({row.source for row in documents if not domains or row.domain in domains})
    chosen = st.multiselect(words["file"], sources, placeholder=words["all"], key="sources")
    with st.expander(words["search_settings"]):
        mode = st.selectbox(words["mode"], MODES, format_func=lambda name: words[name], key="mode")
        k = st.slider(words["k"], 1, 30, 6, key="k")
    return {"where": where_of(domains, chosen), "mode": mode, "k": k}


def _search(running: Running, options: dict[str, Any], words: Words, *, empty: bool) -> None:
    with st.form("ask", border=False):
        field, button = st.columns([5, 1], vertical_alignment="bottom")
        query = field.text_input(words["ask"], placeholder=words["ask_placeholder"], key="query")
        asked = button.form_submit_button(words["search"], type="primary", width="stretch")
    if empty:
        st.info(words["empty_index"])
        return
    wanted = (query.strip(), options)
    if query.strip() and (asked or wanted != st.session_state.get("wanted")):
        st.session_state["wanted"] = wanted
        _ask(running, query, options)
    _results(words)


def _ask(running: Running, query: str, options: dict[str, Any]) -> None:
    """Searches; what was found stays until the next search."""
    st.session_state["problem"] = ""
    try:
        hits = running.index.search(query, highlight=True, **options)
    except KureError as error:
        hits, st.session_state["problem"] = [], str(error)
    st.session_state["hits"] = hits
    viewer.choose(hits[0].chunk if hits else None, hits[0].citation() if hits else "")


def _results(words: Words) -> None:
    hits: list[Hit] | None = st.session_state.get("hits")
    if why := st.session_state.get("problem"):
        problem.show(words["error"], "", why)
    elif hits is not None and not hits:
        st.warning(words["nothing_found"])
    chosen = viewer.chosen_id()
    with st.container(key="results"):
        for hit in hits or ():
            st.button(
                f"{hit.rank}\\. {escape_markdown(hit.citation())}",
                key=f"hit-{hit.chunk.id}",
                type="tertiary",
                on_click=viewer.choose,
                args=(hit.chunk, hit.citation()),
            )
            st.html(passage_html(hit, words, chosen=hit.chunk.id == chosen))
