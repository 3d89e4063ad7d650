"""What parent and child say to each other: JSON behind a length, never pickle, since the child reads hostile files."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import IO, Any, Final

from kure_rag import errors
from kure_rag.chunk import AnalysedChunk
from kure_rag.codec import to_chunk, to_page, to_table
from kure_rag.types import Document

_LENGTH: Final = struct.Struct("<Q")
_LONGEST: Final = 2**31  # bytes; a child that claims more is not to be believed


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document ready for the index."""

    document: Document
    chunks: tuple[AnalysedChunk, ...]


def pack(message: Mapping[str, Any]) -> bytes:
    """A message as bytes, without its length."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def unpack(data: bytes) -> dict[str, Any]:
    """The other way.

    Raises:
        ValueError: It is no message.
        RecursionError: It is nested too deeply for one.
    """
    message = json.loads(data.decode("utf-8", "surrogatepass"))
    if not isinstance(message, dict):
        raise ValueError("not a message: no JSON object")  # noqa: TRY004 - like what is no JSON at all
    return message


def send(stream: IO[bytes], message: Mapping[str, Any]) -> None:
    """Writes one message."""
    send_packed(stream, pack(message))


def send_packed(stream: IO[bytes], data: bytes) -> None:
    """Writes one message that is packed already."""
    stream.write(_LENGTH.pack(len(data)))
    stream.write(data)
    stream.flush()


def receive(stream: IO[bytes]) -> dict[str, Any] | None:
    """Reads one message; ``None`` at the end of the stream, whole or torn, and for what is no message."""
    data = receive_packed(stream)
    if data is None:
        return None
    try:
        return unpack(data)
    except (ValueError, RecursionError):
        return None


def receive_packed(stream: IO[bytes]) -> bytes | None:
    """Reads one message as it is, to be passed on; ``None`` at the end of the stream, whole or torn."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > _LONGEST:
        return None
    data = stream.read(length)
    return data if len(data) == length else None


def from_prepared(prepared: Prepared) -> dict[str, Any]:
    """A prepared document as JSON values."""
    return {
        "document": asdict(prepared.document),
        "chunks": [{"chunk": asdict(item.chunk), "terms": item.terms} for item in prepared.chunks],
    }


def to_prepared(message: Mapping[str, Any]) -> Prepared:
    """The other way."""
    given = dict(message["document"])
    given["pages"] = tuple(to_page(page) for page in given["pages"])
    given["tables"] = tuple(to_table(table) for table in given["tables"])
    chunks = tuple(AnalysedChunk(to_chunk(item["chunk"]), tuple(item["terms"])) for item in message["chunks"])
    return Prepared(Document(**given), chunks)


def from_error(error: errors.ReadError) -> dict[str, Any]:
    """A reading error as JSON values."""
    return {"error": type(error).__name__, "source": error.source, "reason": error.reason}


def to_error(message: Mapping[str, Any]) -> errors.ReadError:
    """The other way; an unknown name becomes the root of the reading errors."""
    kind = getattr(errors, str(message["error"]), errors.ReadError)
    if not (isinstance(kind, type) and issubclass(kind, errors.ReadError)):
        kind = errors.ReadError
    return kind(str(message["source"]), str(message["reason"]))
