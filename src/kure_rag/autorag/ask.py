"""Passages → questions, by a language model, a few at a time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kure_rag.autorag.prompt import Question, messages, parse
from kure_rag.chat.client import ChatClient
from kure_rag.chat.wire import PassageError
from kure_rag.errors import LlmError
from kure_rag.types import page_range

_TRIES: Final = 3  # how often a passage is asked about until the answer can be read
_HOPELESS: Final = 10  # passages that fail at the beginning, without one that does not


@dataclass(frozen=True, slots=True)
class Passage:
    """What is asked about.

    Attributes:
        id: The chunk's id.
        title: Its document's.
        breadcrumb: Its headings, outermost first.
        pages: Its pages.
        text: What it says, its lead included.
    """

    id: str
    title: str
    breadcrumb: tuple[str, ...]
    pages: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A passage with its questions, or why it has none."""

    passage: Passage
    questions: tuple[Question, ...] = ()
    error: LlmError | None = None


def ask_all(client: ChatClient, passages: Iterator[Passage], *, count: int, concurrency: int) -> Iterator[Answered]:
    """Asks about each passage, in no certain order.

    Raises:
        LlmError: The server is lost, or the first passages all failed. What was given before stays good.
    """
    # Daemon threads: a process that is interrupted need not wait for a slow answer.
    jobs: queue.SimpleQueue[Passage | None] = queue.SimpleQueue()
    answers: queue.SimpleQueue[Answered] = queue.SimpleQueue()
    for _ in range(concurrency):
        threading.Thread(target=_serve, args=(client, jobs, answers, count), daemon=True, name="kure-rag-ask").start()
    waiting = done = failed = 0
    exhausted = False
    try:
        while True:
            while not exhausted and waiting < 2 * concurrency:
                passage = next(passages, None)
                if passage is None:
                    exhausted = True
                else:
                    jobs.put(passage)
                    waiting += 1
            if not waiting:
                return
            answered = answers.get()
            waiting -= 1
            if answered.error is not None and not isinstance(answered.error, PassageError):
                raise LlmError(
                    f"{answered.error}; run the same command again: what is done is kept"
                ) from answered.error
            failed += answered.error is not None
            done += 1
            if failed == done == _HOPELESS:
                raise LlmError(f"the first {done} passages all failed, the last one: {answered.error}")
            yield answered
    finally:
        client.stop()
        for _ in range(concurrency):
            jobs.put(None)


def _serve(
    client: ChatClient,
    jobs: queue.SimpleQueue[Passage | None],
    answers: queue.SimpleQueue[Answered],
    count: int,
) -> None:
    while (passage := jobs.get()) is not None:
        try:
            answers.put(Answered(passage, tuple(_ask(client, passage, count))))
        except LlmError as error:
            answers.put(Answered(passage, error=error))
        except Exception as error:  # noqa: BLE001 - a thread that dies in silence would leave the others waiting
            answers.put(Answered(passage, error=LlmError(f"{type(error).__name__} while asking: {error}")))


def _ask(client: ChatClient, passage: Passage, count: int) -> list[Question]:
    place = " ".join(part for part in (page_range(passage.pages), " > ".join(passage.breadcrumb)) if part)
    conversation = messages(title=passage.title, place=place, text=passage.text, count=count)
    for _ in range(_TRIES):
        questions = parse(client.ask(conversation), count)
        if questions is not None:
            return questions
    raise PassageError(f"{_TRIES} answers of {client.model} held no JSON list of questions; try another model")
