"""Which texts a server cuts that was told to: TEI embeds their beginnings and does not say so.

Source: ``POST /tokenize`` in the HTTP API of github.com/huggingface/text-embeddings-inference, which cuts nothing and
answers with a list of tokens for each text, special tokens among them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final

from kure_rag.embed.backends.http_client import HttpClient, RefusedError
from kure_rag.errors import EndpointError

_log = logging.getLogger(__name__)

# A text has at most as many tokens as bytes in UTF-8, and the special ones around it: a shorter one is never asked for.
_SPECIAL: Final = 8


class CutTexts:
    """Counts the tokens of texts by asking the server.

    Args:
        http: The server.
        url: Of ``/tokenize``.

    Attributes:
        counts: Whether the server has answered, as far as it was asked. Once it has not, that is logged and it is
            asked no more: what it cuts from then on is not known.
    """

    def __init__(self, http: HttpClient, url: str) -> None:
        self.counts = True
        self._http = http
        self._url = url
        self._lock = threading.Lock()

    def over(
        self, texts: Sequence[str], positions: Sequence[int], limit: int | None, *, stop: threading.Event
    ) -> list[tuple[int, int]]:
        """(position, tokens) of the texts that have more tokens than are used.

        Args:
            texts: All of a call.
            positions: Of those that the server was told to cut.
            limit: Tokens that it uses; ``None`` where it does not say and no card knows it.
            stop: Once set, a busy server is not asked again.
        """
        if not self.counts:
            return []
        if limit is None:
            self._give_up("neither it nor a card says how many tokens it uses")
            return []
        may_be = [i for i in positions if len(texts[i].encode()) + _SPECIAL > limit]
        try:
            counted = list(self._counted([texts[i] for i in may_be], stop)) if may_be else []
        except (RefusedError, EndpointError) as error:
            self._give_up(str(error))
            return []
        return [(i, tokens) for i, tokens in zip(may_be, counted, strict=True) if tokens > limit]

    def _counted(self, texts: list[str], stop: threading.Event) -> Iterator[int]:
        """Tokens of each text; a request that is refused for its size is halved."""
        try:
            answer = self._http.post(self._url, {"inputs": texts, "add_special_tokens": True}, stop=stop)
        except RefusedError as refused:
            if not refused.for_size or len(texts) == 1:
                raise
            half = len(texts) // 2
            yield from self._counted(texts[:half], stop)
            yield from self._counted(texts[half:], stop)
            return
        yield from _lengths(answer, len(texts), self._url)

    def _give_up(self, why: str) -> None:
        with self._lock:
            if not self.counts:
                return
            self.counts = False
        _log.warning(
            "%s: it was told to cut texts over its limit, and cannot be asked which they are (%s): what it cuts from "
            "here on is not counted; keep chunks within the limit, or set too_long='raise' (said once)",
            self._http.url,
            why,
        )


def _lengths(answer: Any, count: int, url: str) -> list[int]:
    if not isinstance(answer, list) or len(answer) != count or not all(isinstance(row, list) for row in answer):
        raise EndpointError(f"{url}: its answer is no list of tokens for each of {count:,} texts")
    return [len(row) for row in answer]
