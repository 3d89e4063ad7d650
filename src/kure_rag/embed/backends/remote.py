"""An embedding server: Hugging Face's text-embeddings-inference (TEI), or any that speaks OpenAI's protocol.

Sources: OpenAI's API reference, "Create embeddings"; the HTTP API of github.com/huggingface/text-embeddings-inference.
Prefixes are put before texts here, as for a local model; the server's own prompts are never named.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np

from kure_rag.embed.backends.base import Progress, TooLong
from kure_rag.embed.backends.cut_texts import CutTexts
from kure_rag.embed.backends.http_client import API_KEY, HttpClient, RefusedError, RemoteSettings
from kure_rag.embed.backends.protocols import OpenAiProtocol, Protocol, TeiProtocol, tokens_told
from kure_rag.embed.base import Role, Vectors
from kure_rag.embed.cards import ModelCard, find_card
from kure_rag.errors import EndpointError

__all__ = ["API_KEY", "RemoteBackend", "RemoteSettings"]

_PROBE: Final = "가"
# Characters to a token: Korean text has about two, English four to five. A text over the first may be too long, and one
# over the second is.
_MAY_FIT: Final = 1.5
_CANNOT_FIT: Final = 6
_COMMIT: Final = re.compile(r"[0-9a-f]{7,40}")


def refuse_max_tokens(max_tokens: int | None) -> None:
    """No protocol has a word for it, and without the model's tokenizer texts cannot be cut here.

    Raises:
        ValueError: It is asked for.
    """
    if max_tokens is not None:
        raise ValueError(
            f"max_tokens={max_tokens!r} with backend='remote': a server uses as many tokens as its model takes, and "
            "cannot be told to use fewer; leave it out, cut texts into shorter chunks, or start the server with that "
            "limit. An index that was made with max_tokens needs a model on this machine"
        )


@dataclass(slots=True)
class _Job:
    """What the requests of one call share."""

    texts: Sequence[str]
    stop: threading.Event
    cut: bool
    too_long: list[tuple[int, int]]


class _TooLongError(Exception):
    """A text that cannot be, or is not to be, cut."""

    def __init__(self, position: int, tokens: int) -> None:
        super().__init__(position, tokens)
        self.position = position
        self.tokens = tokens


class RemoteBackend:
    """A model on a server. One object serves many threads, and asks nothing before it must.

    The key is read from the environment variable ``KURE_EMBEDDINGS_API_KEY`` at each request and kept nowhere.

    Args:
        endpoint: ``https://host``, of which ``/info`` is asked what it is; or with the protocol in its path:
            ``https://host/embed`` is TEI, ``https://host/v1`` and ``https://host/v1/embeddings`` are OpenAI's.
        card: How the model is used; its name is what the server is asked for.
        revision: The only commit whose vectors will do; a server that says it runs another one is an error.
        too_long: See :class:`~kure_rag.embed.settings.EmbedSettings`. TEI refuses a text over its limit, and is told
            to cut from the first such text on. From then on its ``/tokenize`` is asked for the tokens of texts that
            may be over, so that all are counted; where that does not answer, which is logged, or the limit is not
            known, what is cut from then on is not counted, and a cache keeps it as whole. OpenAI's protocol knows no
            cutting: a server that refuses such a text is an error in any case. Some cut in silence, which can be seen
            where the card has a limit: a text that alone fills it, by the server's ``usage.prompt_tokens``, counts as
            too long, so texts that may fill it are sent on their own; and where the server does not count, a text of
            far more characters than fit. A text that such a server cuts and that has fewer characters is not found.
        settings: See :class:`RemoteSettings`.

    Raises:
        EndpointError: The endpoint is no ``http`` URL, or holds a password.
        MissingExtraError: The extra ``remote`` is not installed.
    """

    def __init__(
        self,
        endpoint: str,
        card: ModelCard,
        *,
        revision: str | None = None,
        too_long: Literal["warn", "raise"] = "warn",
        settings: RemoteSettings | None = None,
    ) -> None:
        self.settings = settings or RemoteSettings()
        self._http = HttpClient(endpoint, self.settings)
        self._card = card
        self._wanted = revision if revision and _COMMIT.fullmatch(revision) else None  # a branch says no commit
        self._raise_too_long = too_long == "raise"
        self._counts = True  # says how many tokens a request has, as far as is known
        self._cut = False  # told to cut from the start, once a text was found that needs it
        self._most = self.settings.batch_size
        self._width: int | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"RemoteBackend({self._http.url!r}, {self._card.name!r})"

    @property
    def dimension(self) -> int:
        """Numbers in a vector, by the card or by asking for one."""
        return self._card.dimension or self._width or self.encode([_PROBE], role="query").shape[1]

    @property
    def max_tokens(self) -> int | None:
        """Tokens of a text that are used, as far as the server or the card says."""
        told = self._protocol.max_tokens
        return self._card.max_tokens if told is None else told

    @property
    def revision(self) -> str | None:
        """The commit of the model that the server says it runs; ``None`` if it does not say."""
        return self._protocol.revision

    @property
    def counts_all(self) -> bool:
        """Whether every text that was cut has been counted: where OpenAI's protocol is spoken, that is not known."""
        return self._protocol.can_cut and self._cut_texts.counts

    def encode(
        self, texts: Sequence[str], *, role: Role, too_long: TooLong | None = None, progress: Progress | None = None
    ) -> Vectors:
        """See :class:`~kure_rag.embed.backends.base.Backend`.

        Raises:
            EndpointError: The server cannot be asked, refuses, or gives no usable answer.
        """
        try:
            return self._encoded(texts, too_long, progress)
        except _TooLongError as error:
            if self._raise_too_long and too_long is not None:
                too_long([(error.position, error.tokens)])
            raise EndpointError(
                f"{self._http.url}: a text of {error.tokens:,} tokens ({texts[error.position][:40]!r}…) is too long "
                "for it, and is not cut there; cut it into chunks, or name TEI's address, …/embed, if it has that"
            ) from error

    def _encoded(self, texts: Sequence[str], too_long: TooLong | None, progress: Progress | None) -> Vectors:
        if not texts:
            raise ValueError("there are no texts to encode")
        job = _Job(texts, threading.Event(), self._cut, [])
        done, out = 0, np.empty((0, 0), dtype=np.float32)
        for positions, vectors in self._answers(job):
            if not done:
                out = np.empty((len(texts), vectors.shape[1]), dtype=np.float32)
            out[positions] = vectors
            done += len(positions)
            if progress is not None:
                progress(done)
        if job.too_long and too_long is not None:
            too_long(sorted(job.too_long))
        return out

    @cached_property
    def _protocol(self) -> Protocol:
        protocol = self._detected()
        self._most = min(self._most, protocol.most_texts or self._most)
        here, there = find_card(self._card.name), find_card(protocol.model or "")
        if here is not None and there is not None and here is not there:
            raise EndpointError(
                f"{self._http.url} runs {there.name}, and {here.name} was asked for; "
                "name the model that runs there, since each has prefixes of its own"
            )
        if self._wanted and protocol.revision and not protocol.revision.startswith(self._wanted):
            raise EndpointError(
                f"{self._http.url} runs revision {protocol.revision} of {self._card.name}, and {self._wanted} is asked "
                "for, by revision= or by the index, which was made with it; start the server with that one, or make "
                "the index anew"
            )
        return protocol

    @property
    def _place(self) -> str:
        """The URL below which TEI answers."""
        return self._http.at(".." if self._last == "embed" else "")

    @property
    def _last(self) -> str:
        return self._http.path.rstrip("/").rpartition("/")[2]

    @cached_property
    def _cut_texts(self) -> CutTexts:
        return CutTexts(self._http, self._http.at("tokenize", self._place))

    def _detected(self) -> Protocol:
        last = self._last
        if last in ("v1", "embeddings"):
            return OpenAiProtocol(self._http.at("" if last == "embeddings" else "embeddings"), self._card.name)
        place = self._place
        info = self._http.get(self._http.at("info", place))
        if isinstance(info, dict) and ("max_client_batch_size" in info or "model_id" in info):
            return TeiProtocol(self._http.at("embed", place), info)
        if last == "embed":
            return TeiProtocol(self._http.at(""), {})
        return OpenAiProtocol(self._http.at("v1/embeddings", place), self._card.name)

    # Requests

    def _answers(self, job: _Job) -> Iterator[tuple[list[int], Vectors]]:
        """Vectors of batches as they come, a few requests at once; an error stops those that wait."""
        groups = self._groups(job.texts)
        first = next(groups)
        if len(first) == len(job.texts):  # a query should not pay for threads
            yield first, self._asked(job, first)
            return
        many = self.settings.requests_at_once
        pool = ThreadPoolExecutor(many, thread_name_prefix="kure-remote")
        begun: deque[tuple[list[int], Future[Vectors]]] = deque([(first, pool.submit(self._asked, job, first))])
        try:
            for group in groups:
                begun.append((group, pool.submit(self._asked, job, group)))
                if len(begun) > 2 * many:
                    positions, answer = begun.popleft()
                    yield positions, answer.result()
            for positions, answer in begun:
                yield positions, answer.result()
        finally:
            job.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)  # an error or Ctrl-C waits for no slow server

    def _groups(self, texts: Sequence[str]) -> Iterator[list[int]]:
        most = self._silent_limit  # the protocol also knows how many texts the server takes at once
        group: list[int] = []
        characters = 0
        for i, text in enumerate(texts):
            if most is not None and self._counts and len(text) > most * _MAY_FIT:
                yield [i]  # its tokens are those of the request
                continue
            if group and (len(group) >= self._most or characters + len(text) > self.settings.batch_characters):
                yield group
                group, characters = [], 0
            group.append(i)
            characters += len(text)
        if group:
            yield group

    def _asked(self, job: _Job, positions: list[int]) -> Vectors:
        """Vectors of the texts at some positions; a batch that is refused for its size is halved."""
        protocol = self._protocol
        cut = job.cut
        body = protocol.body([job.texts[i] for i in positions], cut=cut)
        try:
            answer = self._http.post(protocol.url, body, stop=job.stop)
        except RefusedError as refused:
            if refused.for_size and len(positions) > 1:
                return self._halved(job, positions, refused)
            return self._alone(job, positions, refused, cut=cut)
        vectors = self._checked(protocol.vectors(answer, len(positions), self._http.url), job, positions)
        if cut:
            job.too_long.extend(self._cut_texts.over(job.texts, positions, self.max_tokens, stop=job.stop))
        self._watch(job, positions, protocol.tokens(answer))
        return vectors

    @property
    def _silent_limit(self) -> int | None:
        """Tokens that a server uses which may cut without being told to; ``None`` where that is not known."""
        return None if self._protocol.can_cut else self.max_tokens

    def _watch(self, job: _Job, positions: list[int], tokens: int | None) -> None:
        """Finds texts that a server must have cut, though it did not say so."""
        limit = self._silent_limit
        self._counts = tokens is not None
        if limit is None:
            return
        longest = max(positions, key=lambda i: len(job.texts[i]))
        if tokens is not None and (len(positions) == 1 or tokens >= limit * len(positions)):
            mean = tokens // len(positions)  # the longest text has that many at the least
            over = [(longest, mean)] if mean >= limit else []
        else:
            over = [(i, limit) for i in positions if len(job.texts[i]) > limit * _CANNOT_FIT]
        if over and self._raise_too_long:
            raise _TooLongError(*over[0])
        job.too_long.extend(over)

    def _checked(self, vectors: Vectors, job: _Job, positions: list[int]) -> Vectors:
        """Vectors of the expected width that have a direction."""
        self._check_width(vectors.shape[1])
        if self._card.normalize and not (some := vectors.any(axis=1)).all():
            at = positions[int(np.flatnonzero(~some)[0])]
            raise EndpointError(
                f"{self._http.url}: the vector of text {at} ({job.texts[at][:40]!r}) is zeros alone, which cannot be "
                f"scaled to unit length as {self._card.name} needs; check that the server runs an embedding model, and "
                "leave a text out that has no word in it"
            )
        return vectors

    def _halved(self, job: _Job, positions: list[int], refused: RefusedError) -> Vectors:
        half = len(positions) // 2
        if tokens_told(refused.told) is None:  # too many texts, not one too long: ask for fewer from now on
            self._most = min(self._most, len(positions) - half)
        return np.concatenate([self._asked(job, positions[:half]), self._asked(job, positions[half:])])

    def _alone(self, job: _Job, positions: list[int], refused: RefusedError, *, cut: bool) -> Vectors:
        """A refused text that is on its own: too long, or nothing that halving could help."""
        tokens = tokens_told(refused.told)
        if not refused.for_size or len(positions) > 1 or tokens is None:
            raise EndpointError(str(refused)) from refused
        position = positions[0]
        if not self._protocol.can_cut or self._raise_too_long or cut:
            raise _TooLongError(position, tokens) from refused
        job.too_long.append((position, tokens))
        body = self._protocol.body([job.texts[position]], cut=True)
        self._cut = job.cut = True  # what follows is cut at once
        try:
            answer = self._http.post(self._protocol.url, body, stop=job.stop)
        except RefusedError as again:
            raise EndpointError(str(again)) from again
        return self._checked(self._protocol.vectors(answer, 1, self._http.url), job, positions)

    def _check_width(self, width: int) -> None:
        with self._lock:
            expected = self._card.dimension or self._width or width
            self._width = width
        if width != expected:
            raise EndpointError(
                f"{self._http.url} gave vectors of {width:,} numbers, and {self._card.name} has {expected:,}; "
                "another model runs there: name it, or start the server with this one"
            )
