"""Chroma's errors in our words. Its embedded engine raises what its Rust core says, without a common base."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kure_rag.errors import (
    DenseServerError,
    FingerprintMismatchError,
    IndexCorruptError,
    KureError,
    KureIndexError,
)

_DIMENSION: Final = re.compile(r"dimension of (\d+), got (\d+)")
_LONGEST: Final = 200  # characters of an answer that are shown
_LOST: Final = re.compile(r"could not connect|server disconnected", re.IGNORECASE)


@contextmanager
def explained(folder: Path, url: str | None) -> Iterator[None]:
    """Raises what Chroma raises as one of our errors.

    Args:
        folder: The view's folder.
        url: Of the server, if it is on one.
    """
    try:
        yield
    except KureError:
        raise
    except BaseException as error:
        # A panic in Chroma's Rust core is no Exception: pyo3 wants it to end the program, which it must not.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise _in_our_words(error, folder, url) from error


def is_connection_lost(error: BaseException) -> bool:
    """Whether a server did not answer at all; httpx is Chroma's, and not imported for this."""
    network = {"ConnectError", "ReadError", "WriteError", "RemoteProtocolError", "ConnectTimeout"}
    return type(error).__name__ in network or bool(_LOST.search(str(error)))


def _in_our_words(error: BaseException, folder: Path, url: str | None) -> KureIndexError:
    if found := _DIMENSION.search(str(error)):
        return FingerprintMismatchError(folder, {"dimension": (int(found[1]), int(found[2]))})
    if url is None:
        return IndexCorruptError(f"{folder}: the vector view failed ({error}); make it anew with `kure-rag rebuild`")
    if type(error).__name__ == "NotFoundError":
        return IndexCorruptError(
            f"{url}: the collection of {folder} is gone from the server; make it anew with `kure-rag rebuild`"
        )
    if is_connection_lost(error) or "Timeout" in type(error).__name__:
        return DenseServerError(
            url,
            f"the Chroma server does not answer ({type(error).__name__}); "
            "start it with `chroma run --path FOLDER`, or check the address",
        )
    if type(error).__module__.startswith("chromadb"):
        return DenseServerError(url, f"the Chroma server refused ({type(error).__name__}: {_short(error)})")
    # Chroma's client takes any answer for one of its server's, and fails on it in ways of its own.
    return DenseServerError(
        url,
        f"answers what no Chroma server answers ({_short(error)}); check the address and the token, and that a Chroma "
        "server of version 1 runs there",
    )


def _short(error: BaseException) -> str:
    """What was said, on one line: an answer may be a whole web page."""
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
