"""Models on the model hub: which commit is meant, and its files on this machine, safetensors only.

The copy that is loaded is always one commit, and always a folder here: the library that loads it never asks the hub.
"""

from __future__ import annotations

import errno
import logging
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from kure_rag.embed.files import MODULES, check_folder, names_in, needed, parts_of, refuse_pickled, refuse_unsafe
from kure_rag.embed.settings import EmbedSettings
from kure_rag.errors import EmbeddingError, ModelNotAvailableError

_log = logging.getLogger(__name__)

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_MARKERS: Final = ("config.json", MODULES, "config_sentence_transformers.json")  # every model has one of them
_TIMEOUT: Final = 20.0  # seconds for the list of files; downloads have the hub library's own limits


def no_telemetry() -> None:
    """Turns it off; the Hugging Face libraries read this once, when they are imported."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def commit_of(name: str, revision: str | None, settings: EmbedSettings) -> str:
    """The commit that a model is loaded from. No weights are downloaded for it.

    A branch or tag that was downloaded before stays at the commit it had then, so that an index and its model stay
    together whatever is uploaded meanwhile; ``hf download`` brings it up to date.

    Args:
        name: ``owner/name``.
        revision: Commit, branch or tag; ``None`` for the newest.
        settings: Where the cache is, and whether the network may be used.

    Raises:
        ModelNotAvailableError: Neither the cache nor the hub knows it.
        EmbeddingError: The repository holds no model.
    """
    if revision is not None and _COMMIT.fullmatch(revision):
        return revision
    if (folder := cached_folder(name, revision, settings)) is not None:
        return folder.name
    for marker in _MARKERS:
        if (file := file_of(name, marker, revision, settings)) is not None:
            return file.parent.name
    raise EmbeddingError(f"{name}: no model in this repository, neither config.json nor modules.json; check the name")


def file_of(name: str, file: str, revision: str | None, settings: EmbedSettings) -> Path | None:
    """One small file of a model, downloaded where it is not here yet; ``None`` where the model has no such file.

    Raises:
        ModelNotAvailableError: It cannot be known or fetched.
    """
    no_telemetry()
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        path = hf_hub_download(
            name,
            file,
            revision=revision,
            cache_dir=settings.cache_folder,
            local_files_only=settings.local_files_only,
        )
    except LocalEntryNotFoundError as error:
        if _absent(name, file, revision, settings):
            return None
        raise not_available(name, error, revision) from error
    except EntryNotFoundError:
        return None
    except Exception as error:  # the hub library raises the errors of its own http library, too
        raise not_available(name, error, revision) from error
    return Path(path)


def model_folder(name: str, revision: str | None, settings: EmbedSettings) -> Path:
    """The folder of a model from the hub, with all files that loading reads and no others.

    Args:
        name: ``owner/name``.
        revision: Commit, branch or tag; ``None`` for the newest.
        settings: Where the cache is, whether the network may be used, and whether the model's own code is wanted.

    Raises:
        ModelNotAvailableError: It cannot be fetched and is not in the cache.
        EmbeddingError: Its weights are pickled, or there is no model.
    """
    commit = commit_of(name, revision, settings)
    try:
        names = None if settings.local_files_only else _listed(name, commit)
    except Exception as error:  # noqa: BLE001 - whatever the hub library's http library raises: the cache may do
        folder = _complete(name, commit, settings, error)
        if not _is_offline(error):
            _log.warning(
                "%s: the model hub cannot be asked (%s); the copy of commit %s in the cache is used",
                name,
                first_line(error),
                commit[:8],
            )
        return folder
    if names is None:
        return _complete(name, commit, settings, None)
    return _downloaded(name, commit, names, settings)


def _listed(name: str, commit: str) -> frozenset[str]:
    no_telemetry()
    from huggingface_hub import HfApi

    return frozenset(
        file.rfilename for file in HfApi().model_info(name, revision=commit, timeout=_TIMEOUT).siblings or ()
    )


def _downloaded(name: str, commit: str, names: frozenset[str], settings: EmbedSettings) -> Path:
    modules = file_of(name, MODULES, commit, settings) if MODULES in names else None
    parts = parts_of(modules)
    refuse_unsafe(name, names, parts)  # before gigabytes are downloaded for nothing
    folder: Path | None = None
    for file in needed(names, parts, code=settings.trust_remote_code):
        if (path := file_of(name, file, commit, settings)) is not None:
            folder = path.parents[file.count("/")]
    if folder is None:
        raise EmbeddingError(f"{name}: no model in this repository; check the name")
    return folder


def _complete(name: str, commit: str, settings: EmbedSettings, error: BaseException | None) -> Path:
    """The copy in the cache, once it is known that nothing it needs is missing."""
    folder = cached_folder(name, commit, settings)
    if folder is None:
        raise not_available(name, error or f"commit {commit} is not in the cache", commit) from error
    refuse_pickled(name, names_in(folder), parts_of(folder / MODULES))
    try:
        check_folder(folder, code=True)
    except EmbeddingError as missing:
        raise not_available(name, missing, commit) from (error or missing)
    return folder


def cached_folder(name: str, revision: str | None, settings: EmbedSettings) -> Path | None:
    """The folder of a revision in the cache, complete or not; ``None`` where there is none.

    Args:
        name: ``owner/name``.
        revision: Commit, branch or tag; ``None`` for the newest.
        settings: Where the cache is.

    Raises:
        ModelNotAvailableError: The cache cannot be read.
    """
    no_telemetry()
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        for marker in _MARKERS:
            found = try_to_load_from_cache(name, marker, cache_dir=settings.cache_folder, revision=revision)
            if isinstance(found, str):
                return Path(found).parent
    except (OSError, HFValidationError) as error:
        raise not_available(name, error, revision) from error
    return None


def _absent(name: str, file: str, revision: str | None, settings: EmbedSettings) -> bool:
    """Whether the model has no such file, as far as the cache tells; it may just not have been fetched."""
    from huggingface_hub import _CACHED_NO_EXIST, try_to_load_from_cache

    found = try_to_load_from_cache(name, file, cache_dir=settings.cache_folder, revision=revision)
    if found is _CACHED_NO_EXIST:
        return True
    folder = cached_folder(name, revision, settings)
    if folder is None:
        return False
    try:  # a copy that is complete without the file, such as `hf download` makes
        check_folder(folder, code=True)
    except EmbeddingError:
        return False
    return True


def not_available(name: str, why: BaseException | str, revision: str | None = None) -> ModelNotAvailableError:
    """The error for weights that cannot be had, with what happened and the ways on."""
    return ModelNotAvailableError(
        f"{_what_happened(name, why, revision)}. Three ways on: "
        f"(1) download them once on a machine with a connection: `hf download {name}`; "
        "(2) give the folder of a local copy instead of the name, for example model='/models/KURE-v1'; "
        "(3) use the small model that comes with kure-rag: model='static-ko'."
    )


def _what_happened(name: str, why: BaseException | str, revision: str | None) -> str:
    if isinstance(why, str):
        return f"The weights of {name} cannot be reached ({why})"
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    log_in = "log in with `hf auth login` or the variable HF_TOKEN"
    for error in _chain(why):
        if isinstance(error, GatedRepoError):
            return f"{name} is gated: accept its terms at {constants.ENDPOINT}/{name}, and {log_in}"
        if isinstance(error, RepositoryNotFoundError):
            return f"The model hub has no {name}, or it is private: check the spelling, or {log_in}"
        if isinstance(error, RevisionNotFoundError):
            return f"{name} has no revision {revision!r}: leave it out for the newest"
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return f"The weights of {name} cannot be kept, the disk is full: free some space, or set cache_folder"
        if isinstance(error, PermissionError):
            return f"The weights of {name} cannot be kept ({error}): set cache_folder to a folder you may write"
    return f"The weights of {name} cannot be reached ({first_line(why)})"


def _is_offline(error: BaseException) -> bool:
    return any(type(e).__name__ == "OfflineModeIsEnabled" for e in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__


def first_line(error: Any) -> str:
    """An error's first line, or its type where it says nothing."""
    lines: Iterable[str] = str(error).strip().splitlines()
    return next(iter(lines), type(error).__name__)[:300]
