"""How patiently a language model is asked in a run over many passages."""

from __future__ import annotations

from dataclasses import dataclass

from kure_rag.chat.model import ChatModel


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings(ChatModel):
    """Which server is asked; see :class:`kure_rag.chat.ChatModel`. Nobody waits at a prompt: it may take its time."""

    attempts: int = 6
    first_wait: float = 1.0
    longest_wait: float = 120.0
