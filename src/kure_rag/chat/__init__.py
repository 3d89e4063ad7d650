r"""Questions to an index in a conversation: standalone questions, passages, a language model's answer, its sources.

Needs the extra ``chat`` for a language model: ``pip install "kure-rag[chat]"``. Without one it shows the passages.

Example:
    >>> from kure_rag import KureIndex
    >>> from kure_rag.chat import Chatbot, ChatModel
    >>> index = KureIndex.open("my-index")  # doctest: +SKIP
    >>> bot = Chatbot(index, ChatModel(url="http://localhost:8000/v1"))  # doctest: +SKIP
    >>> answer = bot.ask("연차휴가는 며칠인가요?")  # doctest: +SKIP
    >>> print(answer.text, *answer.source_lines(), sep="\n")  # doctest: +SKIP
    1년간 80퍼센트 이상 출근한 직원에게 15일을 줍니다 [1].
    * [1] 취업규정.pdf p.2 제15조(연차휴가)
      [2] 취업규정.pdf p.3 제15조의2(연차휴가의 저축)
"""

from kure_rag.chat.answer import Answer, Source
from kure_rag.chat.chatbot import Chatbot, ChatOptions
from kure_rag.chat.client import ChatClient
from kure_rag.chat.draft import AnswerStream, AsyncAnswerStream
from kure_rag.chat.model import ChatModel
from kure_rag.chat.wire import AnswerCutError, PassageError

__all__ = [
    "Answer",
    "AnswerCutError",
    "AnswerStream",
    "AsyncAnswerStream",
    "ChatClient",
    "ChatModel",
    "ChatOptions",
    "Chatbot",
    "PassageError",
    "Source",
]
