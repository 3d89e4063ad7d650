"""What is said to an embedding server and what it answers: OpenAI's protocol and TEI's."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from typing import Protocol as Interface

import numpy as np

from kure_rag.embed.base import Vectors
from kure_rag.errors import EndpointError

# "must have less than 512 tokens. Given: 702", "you requested 9000 tokens", "your request has 600 input tokens"
_TOKENS: Final = (
    re.compile(r"token.*?given:?\s*([\d,]+)", re.IGNORECASE | re.DOTALL),
    re.compile(r"(?:requested|resulted in|has|got)\s+([\d,]+)\s+(?:input\s+)?tokens", re.IGNORECASE),
)


_MOST_DIGITS: Final = 12
_MOST: Final = 10**_MOST_DIGITS  # no count of tokens or texts


class Protocol(Interface):
    """One way of asking for vectors.

    Attributes:
        url: Where texts are posted to.
        model: What runs there, as far as the server says.
        revision: Its commit, likewise.
        max_tokens: Tokens of a text that it takes, likewise.
        most_texts: Texts of one request, likewise.
        can_cut: Whether it can be told to cut long texts.
    """

    url: str
    model: str | None
    revision: str | None
    max_tokens: int | None
    most_texts: int | None
    can_cut: bool

    def body(self, texts: Sequence[str], *, cut: bool) -> dict[str, Any]:
        """The request for some texts."""
        ...

    def tokens(self, answer: Any) -> int | None:
        """The tokens of all texts of a request together, as far as its answer says."""
        ...

    def vectors(self, answer: Any, count: int, url: str) -> Vectors:
        """The vectors of an answer, shape (count, dimension), float32.

        Raises:
            EndpointError: The answer is not that.
        """
        ...


class OpenAiProtocol:
    """``POST /v1/embeddings``."""

    revision: str | None = None
    max_tokens: int | None = None
    most_texts: int | None = 2048
    can_cut = False

    def __init__(self, url: str, model: str) -> None:
        self.url = url
        self.model: str | None = None
        self._asked_for = model

    def body(self, texts: Sequence[str], *, cut: bool) -> dict[str, Any]:
        """See :class:`Protocol`."""
        return {"model": self._asked_for, "input": list(texts), "encoding_format": "float"}

    def tokens(self, answer: Any) -> int | None:
        """See :class:`Protocol`: ``usage.prompt_tokens``."""
        usage = answer.get("usage") if isinstance(answer, dict) else None
        return _positive(usage.get("prompt_tokens")) if isinstance(usage, dict) else None

    def vectors(self, answer: Any, count: int, url: str) -> Vectors:
        """See :class:`Protocol`; rows are put in the order of their ``index``. Base64 is understood, too."""
        rows = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise _unusable(url, "there is no list 'data' in it")
        order = [row.get("index", i) for i, row in enumerate(rows)]
        if any(type(at) is not int for at in order) or sorted(order) != list(range(count)):
            raise _unusable(
                url, f"it has {len(rows):,} vectors with indexes {str(order[:5])[:60]}… for {count:,} texts"
            )
        ordered: list[Any] = [None] * count
        for i, row in zip(order, rows, strict=True):
            ordered[i] = _numbers(row.get("embedding"), url)
        return _matrix(ordered, count, url)


class TeiProtocol:
    """``POST /embed`` of Hugging Face's text-embeddings-inference.

    Args:
        url: Of ``/embed``.
        info: What ``/info`` answered.
    """

    can_cut = True

    def __init__(self, url: str, info: Mapping[str, Any]) -> None:
        self.url = url
        self.model: str | None = _text(info.get("model_id"))
        self.revision: str | None = _text(info.get("model_sha"))
        self.max_tokens: int | None = _positive(info.get("max_input_length"))
        self.most_texts: int | None = _positive(info.get("max_client_batch_size"))

    def body(self, texts: Sequence[str], *, cut: bool) -> dict[str, Any]:
        """See :class:`Protocol`. Vectors are asked for as pooled: scaling is the embedder's, as the card says."""
        return {"inputs": list(texts), "normalize": False, "truncate": cut}

    def tokens(self, answer: Any) -> int | None:
        """See :class:`Protocol`: TEI says none."""
        return None

    def vectors(self, answer: Any, count: int, url: str) -> Vectors:
        """See :class:`Protocol`."""
        if not isinstance(answer, list):
            raise _unusable(url, "it is no list of vectors")
        return _matrix(answer, count, url)


def tokens_told(message: str) -> int | None:
    """The tokens of a text that was too long, from a server's complaint about it; ``None`` for any other complaint."""
    for pattern in _TOKENS:
        if found := pattern.search(message):
            digits = found[1].replace(",", "")
            return int(digits) if 0 < len(digits) <= _MOST_DIGITS else None
    return None


def _numbers(embedding: Any, url: str) -> Any:
    if not isinstance(embedding, str):
        return embedding
    try:
        return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
    except (binascii.Error, ValueError) as error:
        raise _unusable(url, f"a vector is no base64 of float32 numbers ({error})") from error


def _matrix(rows: Sequence[Any], count: int, url: str) -> Vectors:
    if len(rows) != count:
        raise _unusable(url, f"it has {len(rows):,} vectors for {count:,} texts")
    try:
        matrix = np.array(rows, dtype=np.float32)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _unusable(url, "its vectors are not all numbers of one dimension") from error
    if matrix.ndim != 2 or not matrix.shape[1]:
        raise _unusable(url, "its vectors are not all numbers of one dimension")
    finite = np.isfinite(matrix).all(axis=1)
    if not finite.all():
        raise _unusable(url, f"vector {int(np.flatnonzero(~finite)[0])} of a batch is not finite")
    return matrix


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MOST else None


def _unusable(url: str, what: str) -> EndpointError:
    return EndpointError(
        f"{url}: its answer cannot be used: {what}. Check that an embedding server of OpenAI's or TEI's protocol runs "
        "there, and name the protocol by the URL: …/v1 or …/embed"
    )
