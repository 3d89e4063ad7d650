"""How the app is run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Language = Literal["ko", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("ko", "en")
PORT: Final = 8501
HOST: Final = "127.0.0.1"
UPLOAD_MEGABYTES: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSettings:
    """What ``kure-rag app`` takes beside the index.

    Attributes:
        host: Address to listen on; only this machine can reach the default one.
        port: TCP port.
        files: Folders in which the files of documents are looked for that were not uploaded.
        upload_megabytes: Of one file, at most.
        language: Of the page: ``ko`` or ``en``.
        llm: Base address of an OpenAI-compatible server, for the chat; none without it.
        model: The chat model's name there; when ``None``, the only one that it lists.
        api_key_env: The environment variable that holds its API key; see :class:`kure_rag.chat.ChatModel`.
    """

    host: str = HOST
    port: int = PORT
    files: tuple[Path, ...] = ()
    upload_megabytes: int = UPLOAD_MEGABYTES
    language: Language = "ko"
    llm: str | None = None
    model: str | None = None
    api_key_env: str | None = None
