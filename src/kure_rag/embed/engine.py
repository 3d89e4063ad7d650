"""How the model of an index was run: what is kept of it, and whether queries from another engine still fit.

A fingerprint says which model made the vectors, with which prefixes and pooling; queries of another model never fit.
The engine is beside that. Floating-point numbers on torch, ONNX Runtime and OpenVINO give the same vectors but for
rounding (cosine >= .999), so any of them may search. 8-bit weights move vectors further, and what a server computes in
cannot be seen: a change from or to these is allowed and said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from kure_rag.embed.settings import EmbedSettings

Engine = Mapping[str, str]
"""Backend, precision and, of a server, its address."""

_OF_ITS_BACKEND: Final = ("precision", "endpoint")  # mean nothing to another one


def engine_record(settings: EmbedSettings, *, weights: str | None = None) -> dict[str, str]:
    """What an index keeps of how its model is run.

    No device and no folder, which another machine has not; of a server's URL no query string, which may hold a key.

    Args:
        settings: As the embedder has them.
        weights: Of an exported model's folder, which says itself whether they are ``int8``.
    """
    kept = {"backend": str(settings.backend), "precision": "int8" if weights == "int8" else str(settings.precision)}
    if settings.endpoint is not None:
        kept["endpoint"] = urlsplit(settings.endpoint.strip())._replace(query="", fragment="").geturl()
    return kept


def settings_like(engine: Engine | None, given: Mapping[str, Any], **others: Any) -> EmbedSettings:
    """Settings with an index's engine, where nothing else is asked for.

    Args:
        engine: What the index keeps; ``None`` for a new index, or one made before this was kept.
        given: Settings by name that win. Another backend takes neither precision nor address over.
        others: Settings between the two.

    Raises:
        ValueError: A setting that there is not, or a value that makes no sense.
    """
    taken = dict(engine or {})
    if "backend" in given and given["backend"] != taken.get("backend"):
        taken = {}
    if unknown := sorted(given.keys() - set(EmbedSettings.__dataclass_fields__)):
        raise ValueError(f"no setting named {', '.join(unknown)}; choose from {', '.join(_names())}")
    return EmbedSettings(**{**taken, **others, **given})


def moved(engine: Engine | None, now: Engine) -> str | None:
    """What to say of vectors from one engine beside those of another; ``None`` where they are equal but for rounding.

    Args:
        engine: What the index keeps.
        now: As :func:`engine_record` gives it.
    """
    if not engine or _arithmetic(engine) == _arithmetic(now):
        return None
    return (
        f"this index was made with {_arithmetic(engine)} and is used with {_arithmetic(now)}: the same model, but its "
        "vectors may differ by more than rounding, and passages of nearly one score may change places; leave backend, "
        "precision and endpoint out to use the index's own"
    )


def _arithmetic(engine: Engine) -> str:
    if engine.get("backend") == "remote":
        return f"the server {engine.get('endpoint', 'of another address')}"
    if engine.get("precision") == "int8":
        return f"8-bit weights on {engine.get('backend')}"
    return "floating-point weights"


def _names() -> list[str]:
    return sorted(EmbedSettings.__dataclass_fields__)
