"""Uploads: choosing files, and what becomes of them."""

from __future__ import annotations

import html
from collections.abc import Mapping

import streamlit as st

from kure_rag.app import problems
from kure_rag.app.running import Running
from kure_rag.app.settings import Language
from kure_rag.app.ui import problem
from kure_rag.app.uploads import Upload
from kure_rag.app.views import step_html
from kure_rag.ingest import IngestRow
from kure_rag.types import DOMAINS

_AUTO = "auto"
_TURN = 0.7  # seconds between two looks at an upload
Words = Mapping[str, str]


def show(running: Running, words: Words) -> None:
    """The form, and the uploads of this session."""
    with st.form("upload", clear_on_submit=True):
        files = st.file_uploader(words["upload"], accept_multiple_files=True, help=words["upload_help"], key="files")
        domain = st.selectbox(
            words["domain_of_upload"], [_AUTO, *DOMAINS], format_func=lambda name: words[name], key="as_domain"
        )
        sent = st.form_submit_button(words["add"], width="stretch")
    uploads: list[Upload] = st.session_state.setdefault("uploads", [])
    if sent and files:
        chosen = next((name for name in DOMAINS if name == domain), None)
        uploads.append(running.uploads.add([(file.name, file) for file in files], chosen))
    elif sent:
        st.warning(words["nothing_chosen"].format(megabytes=running.settings.upload_megabytes))
    if uploads:
        turn = None if all(upload.over for upload in uploads) else _TURN
        st.fragment(_progress, run_every=turn)(uploads, words, running.settings.language)


def _progress(uploads: list[Upload], words: Words, language: Language) -> None:
    for upload in uploads[-5:]:
        _one(upload, words, language)
    if all(upload.over for upload in uploads) and st.session_state.get("seen_over") != len(uploads):
        st.session_state["seen_over"] = len(uploads)
        st.session_state.pop("wanted", None)  # the question may find more now
        st.rerun()


def _one(upload: Upload, words: Words, language: Language) -> None:
    if upload.state == "failed":
        problem.show(words["state_failed"], problems.of_upload(upload.error, language), upload.error)
    elif not upload.over:
        storing = upload.state == "reading" and not upload.reading
        state = words["state_storing" if storing else f"state_{upload.state}"]
        seconds = f" · {upload.seconds:.0f}{words['seconds']}" if upload.began else ""
        st.html(step_html(f"{state} {upload.done}/{len(upload.names)}{seconds}", upload.reading))
        st.progress(upload.done / len(upload.names))
    if upload.rows:
        st.html(f'<div class="kure-rows">{"".join(_row(row, words, language) for row in upload.rows)}</div>')


def _row(row: IngestRow, words: Words, language: Language) -> str:
    """What became of a file; of a rejected one why, in the page's language and as the reader said it."""
    bad = row.status == "rejected"
    detail = (
        "" if bad or row.status == "unchanged" else f"{words['pages']} {row.pages} · {words['passages']} {row.chunks}"
    )
    shown = f"<b>{words[row.status]}</b> {html.escape(row.source)} {html.escape(detail)}"
    if bad:
        told = problems.of_file(row.reason, language)
        shown += f'<div class="kure-why">{html.escape(told)}</div>' if told else ""
        shown += f'<div class="{"kure-detail" if told else "kure-why"}">{html.escape(row.reason)}</div>'
    return f'<div class="{"kure-bad" if bad else "kure-good"}" data-status="{row.status}">{shown}</div>'
