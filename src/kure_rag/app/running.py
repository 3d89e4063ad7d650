"""What all sessions of a running app share: one index, its files, the queue of uploads."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from kure_rag.app.files import KnownFiles
from kure_rag.app.pages import Pages
from kure_rag.app.settings import AppSettings
from kure_rag.app.uploads import Uploads
from kure_rag.chat import Chatbot, ChatModel
from kure_rag.chat.model import root_of
from kure_rag.pipeline import KureIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The app's parts. Threads may share them.

    Attributes:
        index: Opened by whoever starts the app, and closed by it.
        settings: How it is run.
        files: Where the files of documents are.
        pages: Draws them.
        uploads: Adds to the index.
    """

    index: KureIndex
    settings: AppSettings
    files: KnownFiles
    pages: Pages
    uploads: Uploads
    _bots: list[Chatbot] = field(default_factory=list, repr=False)
    _adding: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def chats(self) -> bool:
        """Whether there is a language model to chat with."""
        return self.settings.llm is not None

    def bot(self) -> Chatbot:
        """What answers questions; made when it is first asked, for its server may come up later than the app.

        A server that does not answer keeps nobody else waiting: each asks on their own, and the first one's stays.

        Raises:
            LlmError: The server cannot say which model it has, or its address makes no sense.
        """
        if self._bots:
            return self._bots[0]
        made = Chatbot(self.index, chat_model(self.settings))
        with self._adding:
            if not self._bots:
                self._bots.append(made)
        if self._bots[0] is not made:
            made.close()
        return self._bots[0]

    def close(self) -> None:
        """Ends what runs in the background; the index stays open."""
        self.uploads.close()
        for bot in self._bots:
            bot.close()


def chat_model(settings: AppSettings) -> ChatModel:
    """The language model that the settings name.

    Raises:
        LlmError: Its address makes no sense, or there is none.
    """
    model = ChatModel(url=settings.llm or "", model=settings.model, api_key_env=settings.api_key_env)
    root_of(model.url)
    return model


_now: list[Running] = []  # Streamlit runs the page anew for each click and hands it nothing


def start(index: KureIndex, settings: AppSettings | None = None) -> Running:
    """Makes the app's parts, of which a process has one set at a time."""
    settings = settings or AppSettings()
    files = KnownFiles(index.path, settings.files)
    running = Running(index=index, settings=settings, files=files, pages=Pages(files), uploads=Uploads(index, files))
    _now[:] = [running]
    return running


def current() -> Running:
    """What :func:`start` made last."""
    return _now[-1]
