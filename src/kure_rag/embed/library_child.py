"""A child process with a sparse model, a late-interaction model or a reranker on one device.

python -m kure_rag.embed.library_child
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from kure_rag.embed.backends.frames import send
from kure_rag.embed.backends.process_child import error_message, serve, take_device
from kure_rag.embed.library_engine import Engine, LibraryEngine
from kure_rag.embed.library_processes import packed
from kure_rag.embed.machine import check_device
from kure_rag.embed.model_card import ModelCard
from kure_rag.embed.settings import EmbedSettings


def main() -> int:
    """Serves until the parent closes the pipe."""
    return serve(_made, _answer)


def _made(message: Mapping[str, Any], out: IO[bytes]) -> Engine | None:
    from kure_rag.embed.library_kinds import LIBRARIES

    try:
        check_device(message["settings"]["device"])
        take_device(message["settings"]["device"], message["threads"])
        card = ModelCard(**message["card"])
        engine = LibraryEngine(
            LIBRARIES[card.kind], Path(message["folder"]), card, EmbedSettings(**message["settings"])
        )
        send(out, asdict(engine.facts))
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent's user must read it
        send(out, error_message(error))
        return None
    return engine


def _answer(engine: Engine, job: Mapping[str, Any], out: IO[bytes]) -> None:
    cut: list[tuple[int, int]] = []
    try:
        if "names" in job:
            send(out, {"names": engine.names(job["names"])})
            return
        items = [item if isinstance(item, str) else (item[0], item[1]) for item in job["items"]]
        rows, payload = packed(engine.encode(items, job["role"], cut.extend))
    except Exception as error:  # noqa: BLE001 - as above; the next job may well succeed
        send(out, error_message(error))
        return
    send(out, {"rows": rows, "too_long": cut}, payload)


if __name__ == "__main__":
    sys.exit(main())
