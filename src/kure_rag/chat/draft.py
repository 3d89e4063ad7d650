"""An answer while it is being made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Final, Self

from kure_rag.chat.answer import Answer, Source
from kure_rag.chat.marks import Marks, Thoughts
from kure_rag.chat.wire import Reply
from kure_rag.errors import LlmError

_STOPPED: Final = "stopped before its end"
_TOO_LONG: Final = "the model reached its longest answer; allow a longer one with max_tokens"


class Draft:
    """Pieces of a model's text → what is shown of them, and the answer so far.

    Args:
        begun: The answer without its text.
        reply: What the client fills in.
    """

    def __init__(self, begun: Answer, reply: Reply) -> None:
        self._begun = begun
        self._reply = reply
        self._thoughts = Thoughts()
        self._marks = Marks(len(begun.sources))
        self._shown: list[str] = []
        self._ended = False
        self._problem = ""

    def feed(self, piece: str) -> str:
        """What can be shown of a piece."""
        return self._show(self._marks.feed(self._thoughts.feed(piece)))

    def end(self, problem: str = "") -> str:
        """The rest; the answer is what it will be."""
        if self._ended:
            return ""
        self._ended, self._problem = True, problem
        rest = self._show(self._marks.feed(self._thoughts.end()) + self._marks.end())
        if not problem and self._reply.finish == "length":
            self._problem = _TOO_LONG
        elif not problem and self._reply.finish == "content_filter":
            self._problem = "the server's content filter ended it"
        elif not problem and not self._shown:
            self._problem = "the model gave its thoughts, and no answer"
        return rest

    @property
    def answer(self) -> Answer:
        """What there is so far."""
        cited = self._marks.cited
        sources = tuple(replace(source, cited=source.number in cited) for source in self._begun.sources)
        problem = self._problem if self._ended else _STOPPED
        text = "".join(self._shown).strip()
        return replace(self._begun, text=text, sources=sources, complete=not problem, problem=problem)

    def _show(self, text: str) -> str:
        if text:
            self._shown.append(text)
        return text


class _Stream:
    """What both kinds of streams are besides their pieces.

    Args:
        made: A draft, or an answer that is there already, such as one without a model.
    """

    def __init__(self, made: Draft | Answer) -> None:
        self._made = made

    @property
    def answer(self) -> Answer:
        """The answer so far; its sources are known before its first word."""
        return self._made.answer if isinstance(self._made, Draft) else self._made

    @property
    def sources(self) -> Sequence[Source]:
        """The passages that the answer is made from."""
        return self.answer.sources

    def _stop(self) -> None:
        if isinstance(self._made, Draft):
            self._made.end(_STOPPED)


class AnswerStream(_Stream):
    """Pieces of an answer as they come; :attr:`answer` is what there is so far, whole once the pieces have ended.

    An iterator of texts. Close it to stop the answer; what has come stays.
    """

    def __init__(self, made: Draft | Answer, pieces: Iterator[str]) -> None:
        super().__init__(made)
        self._pieces = written(made, pieces) if isinstance(made, Draft) else pieces

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        return next(self._pieces)

    def close(self) -> None:
        """Hangs up."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()
        self._stop()


class AsyncAnswerStream(_Stream):
    """:class:`AnswerStream` for an event loop: an asynchronous iterator of texts."""

    def __init__(self, made: Draft | Answer, pieces: AsyncIterator[str]) -> None:
        super().__init__(made)
        self._pieces = awritten(made, pieces) if isinstance(made, Draft) else pieces

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        return await anext(self._pieces)

    async def aclose(self) -> None:
        """Hangs up."""
        close = getattr(self._pieces, "aclose", None)
        if close is not None:
            await close()
        self._stop()


def written(draft: Draft, pieces: Iterator[str]) -> Iterator[str]:
    """What is shown of the pieces."""
    try:
        for piece in pieces:
            if shown := draft.feed(piece):
                yield shown
        if rest := draft.end():
            yield rest
    except LlmError as error:
        draft.end(str(error))
        raise
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()


async def awritten(draft: Draft, pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """What is shown of the pieces."""
    try:
        async for piece in pieces:
            if shown := draft.feed(piece):
                yield shown
        if rest := draft.end():
            yield rest
    except LlmError as error:
        draft.end(str(error))
        raise
    finally:
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()
