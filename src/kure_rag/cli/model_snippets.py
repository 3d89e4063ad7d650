"""The code that uses a model, as ``kure-rag models NAME`` prints it: to be pasted and run as it is."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kure_rag.embed.model_card import Kind


def snippet(name: str, kind: Kind, settings: Mapping[str, str | bool] | None = None) -> str:
    """Python that makes the object which uses a model.

    Args:
        name: Of the model, or its folder.
        kind: Which class uses it.
        settings: What it cannot be used without, such as an export's ``backend``.
    """
    from kure_rag.embed.cards import USED_BY

    used_by, given = USED_BY[kind], call_arguments(settings or {})
    if kind == "dense":
        return f"from kure_rag import {used_by}\nembeddings = {used_by}({', '.join([quoted(name), *given])})"
    variable = "reranker" if kind == "reranker" else "embedder"
    if not given:
        return f"from kure_rag.embed import {used_by}\n{variable} = {used_by}({quoted(name)})"
    return (
        f"from kure_rag.embed import {used_by}, EmbedSettings\n"
        f"{variable} = {used_by}({quoted(name)}, EmbedSettings({', '.join(given)}))"
    )


def commands(name: str, kind: Kind, settings: Mapping[str, str | bool] | None = None) -> str:
    """The same on the command line, as comments: an index that is made with a dense model, and the check of any.

    Args:
        name: Of the model, or its folder.
        kind: Which class uses it.
        settings: As :func:`snippet` takes them.
    """
    options = "".join(
        f" --{key.replace('_', '-')}" + ("" if value is True else f" {shlex.quote(str(value))}")
        for key, value in (settings or {}).items()
    )
    model = shlex.quote(name)
    ingest = f"# or: kure-rag ingest ./documents --index my-index --model {model}{options}\n"
    check = f"# to check it on this machine: kure-rag doctor --model {model}{options}"
    return ingest + check if kind == "dense" else check


def needed(folder: Path | None, *, remote_code: bool = False) -> dict[str, str | bool]:
    """Settings that a model cannot be used without.

    Args:
        folder: Of a local one; an export names the only engine that runs it.
        remote_code: Whether it brings code along that must run.

    Raises:
        EmbeddingError: The export is broken.
    """
    from kure_rag.embed.backends.manifest import is_export, read_manifest

    found: dict[str, str | bool] = {}
    if folder is not None and is_export(folder):
        found["backend"] = read_manifest(folder).backend
    elif remote_code:
        found["trust_remote_code"] = True
    return found


def call_arguments(settings: Mapping[str, str | bool]) -> list[str]:
    """``name=value`` as Python writes it."""
    return [f"{key}={quoted(value) if isinstance(value, str) else value}" for key, value in settings.items()]


def quoted(text: str) -> str:
    """A Python string in double quotes; back-slashes of a path and quotes in it are escaped, Hangul is not."""
    return json.dumps(text, ensure_ascii=False)
