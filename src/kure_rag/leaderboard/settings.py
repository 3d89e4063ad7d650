"""How the leaderboard is shown in a browser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kure_rag.leaderboard.words import Language

HOST: Final = "127.0.0.1"
PORT: Final = 8502


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderboardSettings:
    """What ``kure-rag leaderboard`` takes.

    Attributes:
        runs: Folders of saved runs or of mteb's results.
        host: Address to listen on; only this machine can reach the default one.
        port: TCP port. One more than the app's, so that both run side by side.
        language: Of the page: ``ko`` or ``en``.
    """

    runs: tuple[Path, ...] = ()
    host: str = HOST
    port: int = PORT
    language: Language = "ko"
