"""What a process and its children say to each other: JSON and raw bytes, each behind its length. No pickle."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import IO, Any, Final

_LENGTHS: Final = struct.Struct("<QQ")
_LONGEST: Final = 1 << 34  # bytes; who claims more is not to be believed


def send(stream: IO[bytes], message: Mapping[str, Any], payload: bytes | memoryview = b"") -> None:
    """Writes one message and what belongs to it."""
    head = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    stream.write(_LENGTHS.pack(len(head), len(payload)))
    stream.write(head)
    stream.write(payload)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """Reads one message; ``None`` at the end of the stream, whole or torn, and for what is no message."""
    lengths = stream.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    head_length, payload_length = _LENGTHS.unpack(lengths)
    if max(head_length, payload_length) > _LONGEST:
        return None
    head, payload = stream.read(head_length), stream.read(payload_length)
    if len(head) < head_length or len(payload) < payload_length:
        return None
    try:
        message = json.loads(head)
    except (ValueError, RecursionError):
        return None
    return (message, payload) if isinstance(message, dict) else None
