"""A conversation on a terminal or through a pipe: reads questions, writes answers as they come, and their sources."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from kure_rag.cli import common
from kure_rag.errors import KureError, LlmError, SearchError

if TYPE_CHECKING:
    from kure_rag.chat import Answer, AnswerStream, Chatbot
    from kure_rag.search import SearchKeywords

_PROMPT: Final = "질문> "
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # a terminal would obey them
_HELP: Final = """\
/help      this
/sources   the passages behind the last answer
/new       begin a new conversation: what follows does not refer to what was said
/quit      end
Ctrl-C stops an answer; at the prompt it ends the conversation, as Ctrl-D does. A question may follow on from the
one before it. [1] in an answer is the first of its sources; a star marks those that it names."""


class Talk:
    """A conversation with a chatbot.

    Args:
        bot: Who answers.
        as_json: One JSON object for each answer instead of text.
        search: How passages are searched.
    """

    def __init__(self, bot: Chatbot, *, as_json: bool, search: SearchKeywords) -> None:
        self._bot = bot
        self._as_json = as_json
        self._search = search
        self._history: list[Answer] = []

    def converse(self) -> int:
        """Asks for questions until the user ends it.

        Returns:
            The exit status.
        """
        _edit_lines()
        while True:
            try:
                print()
                line = input(_PROMPT).strip()
            except EOFError:
                print()
                return 0
            except KeyboardInterrupt:
                print()
                return 130
            if line in ("/quit", "/exit"):
                return 0
            if line.startswith("/"):
                print(self._command(line))
            elif line:
                before = len(self._history)
                try:
                    self._answer(line)
                except KeyboardInterrupt:
                    if len(self._history) == before:  # else it says so itself
                        print("\n(stopped)")
                except KureError as error:
                    print(f"error: {error}", file=sys.stderr)

    def answer_each(self, questions: Iterable[str], *, echo: bool) -> int:
        """Answers questions; one that cannot be answered does not stop those after it, a lost server does.

        Args:
            questions: Of one conversation.
            echo: Show each before its answer.

        Returns:
            The exit status: 1 where an answer is not whole.
        """
        from kure_rag.chat import AnswerCutError, PassageError

        status = 0
        for number, question in enumerate(questions):
            if echo and not self._as_json:
                print(f"{'' if number == 0 else chr(10)}Q. {_plain(question)}")
            before = len(self._history)
            try:
                complete = self._answer(question)
            except (AnswerCutError, PassageError, SearchError) as error:
                if not echo and not self._as_json:
                    raise
                if self._as_json and len(self._history) == before:  # else the answer says it
                    told = {"type": type(error).__name__, "message": str(error)}
                    common.print_json({"question": question, "error": told})
                print(f"kure-rag chat: {error}", file=sys.stderr)
                complete = False
            status = status if complete else 1
            sys.stdout.flush()
        return status

    def _answer(self, question: str) -> bool:
        """Writes an answer and its sources; says whether it is whole. What came of one that broke off is kept."""
        stream = self._bot.stream(question, self._history, **self._search)
        try:
            self._write(stream)
        except (LlmError, KeyboardInterrupt) as error:
            stream.close()
            if stream.answer.text:
                self._keep(stream.answer, why="" if isinstance(error, LlmError) else stream.answer.problem)
            raise
        self._keep(stream.answer, why=stream.answer.problem)
        return stream.answer.complete

    def _write(self, stream: AnswerStream) -> None:
        query = stream.answer.query
        if query != stream.answer.question and not self._as_json:
            print(f"(searched: {_plain(query)})")
        for piece in stream:
            if not self._as_json:
                print(_plain(piece), end="", flush=True)

    def _keep(self, answer: Answer, *, why: str) -> None:
        """Ends an answer's text and lists its sources; why it is not whole is not said where an error will say it."""
        self._history.append(answer)
        if self._as_json:
            common.print_json(answer.to_dict())
            return
        print("" if answer.complete else f" … ({_plain(why)})" if why else " …")
        lines = [_plain(line) for line in answer.source_lines()]
        if lines and (answer.model is not None or not answer.found):  # passages that are shown have theirs above them
            print("", *lines, sep="\n")

    def _command(self, line: str) -> str:
        name = line.split()[0]
        if name == "/help":
            return _HELP
        if name == "/new":
            self._history.clear()
            return "A new conversation."
        if name == "/sources":
            return self._sources()
        return f"There is no {_plain(name)}; /help lists what there is."

    def _sources(self) -> str:
        if not self._history:
            return "Nothing was asked yet."
        blocks = []
        for source in self._history[-1].sources:
            star = "* " if source.cited else "  "
            body = "\n".join(f"    {line}" for line in source.hit.chunk.text.splitlines())
            blocks.append(f"{star}[{source.number}] {source.hit.citation()}\n{body}")
        return _plain("\n\n".join(blocks)) or "The last answer had no sources."


def _edit_lines() -> None:
    """Arrow keys and earlier questions at the prompt, where Python was built with them."""
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")  # half a syllable may be left of one deleted
    with suppress(ImportError):
        import readline  # noqa: F401 - importing it is all


def _plain(text: str) -> str:
    """A text without what a terminal would take as a command."""
    return _CONTROLS.sub("", text)
