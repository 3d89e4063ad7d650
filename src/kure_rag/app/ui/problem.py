"""What went wrong: a box that says it in the page's words, and beneath it the words of whoever found it."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from kure_rag.app.views import escape_markdown, problem_html


def show(what: str, told: str, problem: str, *, kind: Literal["error", "warning"] = "error") -> None:
    """Shows a problem.

    Args:
        what: What could not be done, in the page's words.
        told: Why, in the page's language; empty where the problem itself says it.
        problem: As an error said it; a server or a file's name may have had a part in it.
        kind: Of box.
    """
    box = st.error if kind == "error" else st.warning
    box(f"**{what}.** {escape_markdown(told)}".rstrip())
    st.html(problem_html(problem))
