"""Questions to an index, one after the other, answered from its passages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, Unpack

from kure_rag.chat.answer import Answer, Source
from kure_rag.chat.client import ChatClient
from kure_rag.chat.draft import AnswerStream, AsyncAnswerStream, Draft
from kure_rag.chat.follow_up import joined
from kure_rag.chat.model import ChatModel
from kure_rag.chat.prompt import (
    NOTHING_FOUND,
    Messages,
    answer_messages,
    fitting,
    passage_text,
    recent,
    standalone_in,
    standalone_messages,
)
from kure_rag.chat.wire import Reply
from kure_rag.search import SearchKeywords, SearchOptions
from kure_rag.types import Hit

if TYPE_CHECKING:
    from kure_rag.pipeline import KureIndex

NO_MODEL: Final = "언어 모델이 연결되어 있지 않아, 찾은 문단을 그대로 보여 드립니다."
_FEW: Final = 16  # passages, see kure_rag.search.relevance.Background
_NEAREST: Final = " 가장 가까운 문단은 다음과 같습니다."


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatOptions:
    """How questions are answered.

    Attributes:
        k: Passages for each answer, at most.
        min_relevance: What the best passage's relevance must reach, see :mod:`kure_rag.search.relevance`. Otherwise the
            answer is that the documents do not tell, no model is asked, and the nearest passages are its sources. With
            the bundled model .02 refused 1 of 636 questions that were told (the samples, KorQuAD, Ko-StrategyQA) and 73
            of 620 about other things: all else is left to the model. .05 refused 17 and 419.
        passage_characters: Of all passages that the model reads for one answer; a Korean character is about .6 tokens.
        history_characters: Of the earlier turns that it reads; older ones are left out.
    """

    k: int = 5
    min_relevance: float = 0.02
    passage_characters: int = 12_000
    history_characters: int = 6_000

    def __post_init__(self) -> None:
        for name, least in (("k", 1), ("passage_characters", 100), ("history_characters", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}={getattr(self, name)!r}: choose {least} or more")
        if not 0 <= self.min_relevance <= 1:
            raise ValueError(f"min_relevance={self.min_relevance!r}: a relevance lies between 0 and 1")


class Chatbot:
    """Answers questions from an index, with a language model or by showing passages. Threads may share it.

    It remembers nothing: a conversation is the list of its answers, given with each question.

    Example:
        >>> bot = Chatbot(index, ChatModel(url="http://localhost:8000/v1"))  # doctest: +SKIP
        >>> first = bot.ask("연차휴가는 며칠인가요?")  # doctest: +SKIP
        >>> bot.ask("다음 해로 넘길 수 있나요?", history=[first]).query  # doctest: +SKIP
        '연차휴가를 다음 해로 넘길 수 있나요?'

    Args:
        index: Where passages are found. It stays open.
        model: The language model, or a client that is shared; without one, answers show the passages.
        options: How questions are answered.
        search: How passages are searched; its ``k`` stands in the place of that of ``options``.

    Attributes:
        model: The language model's name, if there is one.

    Raises:
        MissingExtraError: There is a model, and the extra ``chat`` is not installed.
        LlmError: The model's URL or API key makes no sense, or the server cannot name its model.
    """

    def __init__(
        self,
        index: KureIndex,
        model: ChatModel | ChatClient | None = None,
        *,
        options: ChatOptions | None = None,
        search: SearchOptions | None = None,
    ) -> None:
        self._index = index
        self._options = options or ChatOptions()
        self._search = search
        self._own = isinstance(model, ChatModel)
        self._client = ChatClient(model) if isinstance(model, ChatModel) else model
        self.model = self._client.model if self._client is not None else None

    def ask(self, question: str, history: Sequence[Answer] = (), **search: Unpack[SearchKeywords]) -> Answer:
        """The answer to a question.

        Args:
            question: As the user asks it.
            history: The conversation so far, oldest first.
            **search: As :meth:`kure_rag.KureIndex.search` takes them, such as ``where={"domain": "legal"}``.

        Raises:
            AnswerCutError: The model's answer broke off; the error has what came.
            LlmError: The model cannot be asked.
            SearchError: The question is empty, or a keyword makes no sense.
        """
        stream = self.stream(question, history, **search)
        for _ in stream:
            pass
        return stream.answer

    def stream(self, question: str, history: Sequence[Answer] = (), **search: Unpack[SearchKeywords]) -> AnswerStream:
        """:meth:`ask`, with the answer's text as it comes. The search is done when this returns.

        An error while it comes leaves what came in the stream's ``answer``.
        """
        query = question
        turns = self._turns(history)
        if turns and self._client is not None and question.strip():
            query = standalone_in(self._client.ask(standalone_messages(question, turns)))
        query = self._query(question, query, history)
        hits = self._index.search(query, options=self._search, **self._keywords(search))
        made, messages = self._begin(question, query, hits, turns)
        if self._client is None or messages is None:
            return AnswerStream(made, iter((made.text,)))
        reply = Reply()
        return AnswerStream(Draft(made, reply), self._client.stream(messages, reply))

    async def aask(self, question: str, history: Sequence[Answer] = (), **search: Unpack[SearchKeywords]) -> Answer:
        """:meth:`ask`, so that an event loop goes on."""
        stream = await self.astream(question, history, **search)
        async for _ in stream:
            pass
        return stream.answer

    async def astream(
        self, question: str, history: Sequence[Answer] = (), **search: Unpack[SearchKeywords]
    ) -> AsyncAnswerStream:
        """:meth:`stream`, so that an event loop goes on; cancelling it hangs up."""
        query = question
        turns = self._turns(history)
        if turns and self._client is not None and question.strip():
            query = standalone_in(await self._client.aask(standalone_messages(question, turns)))
        query = await asyncio.to_thread(self._query, question, query, history)
        hits = await self._index.asearch(query, options=self._search, **self._keywords(search))
        made, messages = self._begin(question, query, hits, turns)
        if self._client is None or messages is None:
            return AsyncAnswerStream(made, _once(made.text))
        reply = Reply()
        return AsyncAnswerStream(Draft(made, reply), self._client.astream(messages, reply))

    def close(self) -> None:
        """Lets go of the connections to the model, but for a client that was given. The index stays open."""
        if self._own and self._client is not None:
            self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _turns(self, history: Sequence[Answer]) -> list[Answer]:
        return recent(history, self._options.history_characters)

    def _query(self, question: str, rewritten: str, history: Sequence[Answer]) -> str:
        """The model's question where it made one, else what the rule for follow-ups makes."""
        if rewritten and self._client is not None:
            return rewritten
        return joined(question, history)

    def _keywords(self, given: SearchKeywords) -> SearchKeywords:
        own: SearchKeywords = {} if self._search is not None else {"k": self._options.k}
        return {**own, **given, "relevance": True}

    def _found(self, hits: Sequence[Hit]) -> bool:
        if any((hit.relevance or 0.0) >= self._options.min_relevance for hit in hits):
            return True
        # In a very small index relevances know no cosines, and are too low.
        return bool(hits) and self._index.info()["chunks"] < _FEW

    def _begin(
        self, question: str, query: str, hits: Sequence[Hit], turns: Sequence[Answer]
    ) -> tuple[Answer, Messages | None]:
        """The answer before its text with what to ask the model, or a whole one where it is not to be asked."""
        found = self._found(hits)
        asked = found and self._client is not None
        passages = (
            fitting(hits, self._options.passage_characters) if asked else [(hit, passage_text(hit)) for hit in hits]
        )
        sources = tuple(Source(number=number, hit=hit) for number, (hit, _) in enumerate(passages, 1))
        begun = Answer(question=question, query=query, text="", sources=sources, found=found)
        if asked:
            return replace(begun, model=self.model), answer_messages(question, query, passages, turns)
        if not found:
            near = _NEAREST if sources else ""
            return replace(begun, text=NOTHING_FOUND + near), None
        blocks = [f"{source.citation()}\n{text}" for source, (_, text) in zip(sources, passages, strict=True)]
        return replace(begun, text="\n\n".join([NO_MODEL, *blocks])), None


async def _once(text: str) -> AsyncIterator[str]:
    yield text
