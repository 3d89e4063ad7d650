"""The conversation: questions, answers as they come, and their sources to click on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from kure_rag.app import problems
from kure_rag.app.running import Running
from kure_rag.app.settings import Language
from kure_rag.app.ui import problem, viewer
from kure_rag.app.views import answer_html, escape_markdown
from kure_rag.chat import Answer
from kure_rag.errors import KureError

Words = Mapping[str, str]


def show(running: Running, where: Mapping[str, Any] | None, words: Words) -> None:
    """The conversation of this session.

    Args:
        running: The app.
        where: The filter that was chosen at the side; it holds for answers too.
        words: What the page says.
    """
    answers: list[Answer] = st.session_state.setdefault("answers", [])
    with st.container(key="chat"):
        for turn, answer in enumerate(answers):
            _question(answer.question)
            with st.chat_message("assistant"):
                if answer.text:
                    st.html(answer_html(answer.text))
                    _below(answer, turn, words, running.settings.language)
                else:
                    _failed(answers, turn, words, running.settings.language)
        question = st.chat_input(words["chat_placeholder"], key="question") or st.session_state.pop("again", None)
        if question and question.strip():
            _question(question)
            with st.chat_message("assistant"):
                _answer(running, question, answers, where, words)
        elif answers:
            st.button(words["new_chat"], key="new_chat", type="tertiary", on_click=answers.clear)


def _question(text: str) -> None:
    with st.chat_message("user"):
        st.html(answer_html(text))


def _answer(
    running: Running, question: str, answers: list[Answer], where: Mapping[str, Any] | None, words: Words
) -> None:
    """Streams an answer. What has come of it stays, also where the reader clicks elsewhere or the stream breaks off.

    The question stays in any case: it stands there as one without an answer until there is one.
    """
    if answers and not answers[-1].text and answers[-1].question == question:
        answers.pop()  # asked again
    history = [turn for turn in answers if turn.text]
    answers.append(_without_answer(question, words["answer_stopped"]))
    place = st.empty()
    try:
        with st.spinner(words["searching"]):
            stream = running.bot().stream(question, history, where=where)
        try:
            for _ in stream:
                place.html(answer_html(stream.answer.text))
        finally:
            stream.close()
            if stream.answer.text:
                answers[-1] = stream.answer
    except KureError as error:
        if not answers[-1].text:
            answers[-1] = _without_answer(question, str(error))
    else:
        _open_first(stream.answer)
        if not stream.answer.text:  # such as thoughts and nothing else
            answers[-1] = _without_answer(question, stream.answer.problem)
    st.rerun()


def _without_answer(question: str, problem: str) -> Answer:
    return Answer(question=question, query=question, text="", found=False, complete=False, problem=problem)


def _open_first(answer: Answer) -> None:
    """Shows the page of the first source."""
    cited = answer.cited or answer.sources
    if cited:
        viewer.choose(cited[0].hit.chunk, cited[0].hit.citation())


def _failed(answers: list[Answer], turn: int, words: Words, language: Language) -> None:
    """A question that got no answer: why, and a button that asks it again."""
    why = answers[turn].problem
    problem.show(words["answer_failed"], problems.of_answer(why, language), why)
    st.button(words["ask_again"], key=f"again-{turn}", type="tertiary", on_click=_ask_again, args=(answers, turn))


def _ask_again(answers: list[Answer], turn: int) -> None:
    st.session_state["again"] = answers.pop(turn).question


def _below(answer: Answer, turn: int, words: Words, language: Language) -> None:
    if not answer.complete:
        told = problems.of_answer(answer.problem, language)
        problem.show(words["answer_cut"], told, answer.problem, kind="warning")
    for source in answer.cited or answer.sources:
        st.button(
            escape_markdown(source.citation()),
            key=f"source-{turn}-{source.number}",
            type="tertiary",
            on_click=viewer.choose,
            args=(source.hit.chunk, source.hit.citation()),
        )
