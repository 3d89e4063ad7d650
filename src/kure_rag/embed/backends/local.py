"""A local model fed with tokens: batches of one length under a token budget, many of them tokenised meanwhile."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Final

import numpy as np

from kure_rag.embed.backends.base import Progress, Runner, TooLong
from kure_rag.embed.base import Role, Vectors
from kure_rag.embed.batches import batches
from kure_rag.embed.tokens import TextTokenizer, Tokens

# Texts sorted together: enough of every length, and little memory; fewer at first, so that the device starts early.
_WINDOWS: Final = (512, 2048, 4096)
_AHEAD: Final = 2  # passes begun before the first is waited for


class LocalBackend:
    """Tokenizer and runner together.

    Texts are tokenised in windows, each while the one before is computed. The first has 512 texts: up to 768 in one
    call are a single window, which is tokenised before anything is computed.

    Args:
        tokenizer: See :class:`~kure_rag.embed.tokens.TextTokenizer`.
        runner: The model on its device.
        batch_tokens: Tokens in one forward pass; by default the runner's, which may lower it.
        pass_tokens: What a pass costs beside its tokens, where the runner pads; see
            :func:`~kure_rag.embed.batches.batches`.
    """

    def __init__(
        self,
        tokenizer: TextTokenizer,
        runner: Runner,
        *,
        batch_tokens: int | None = None,
        pass_tokens: int | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self._runner = runner
        self._most = batch_tokens
        self._pass_tokens = pass_tokens

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self._runner.dimension

    @property
    def max_tokens(self) -> int | None:
        """Tokens of a text that are used."""
        return self._tokenizer.max_tokens

    def encode(
        self, texts: Sequence[str], *, role: Role, too_long: TooLong | None = None, progress: Progress | None = None
    ) -> Vectors:
        """See :class:`~kure_rag.embed.backends.base.Backend`."""
        out = np.empty((len(texts), self.dimension), dtype=np.float32)
        begun: deque[tuple[list[int], Callable[[], Vectors]]] = deque()
        done = 0

        def finish_first() -> None:
            nonlocal done
            positions, wait = begun.popleft()
            out[positions] = wait()
            done += len(positions)
            if progress is not None:
                progress(done)

        # Passes of one window are still computed while those of the next are begun: a GPU is never idle in between.
        for begins in self._passes(texts, too_long):
            begun.append(begins)
            if len(begun) > _AHEAD:
                finish_first()
        while begun:
            finish_first()
        return out

    def _passes(
        self, texts: Sequence[str], too_long: TooLong | None
    ) -> Iterator[tuple[list[int], Callable[[], Vectors]]]:
        """Passes, each begun when it is asked for: the positions of its texts, and what waits for their vectors."""
        for first, tokens in self._tokenised(texts):
            if tokens.too_long and too_long is not None:
                too_long([(first + i, count) for i, count in tokens.too_long])
            for group in self.groups([len(row) for row in tokens.ids]):
                yield [first + i for i in group], self._runner.start([tokens.ids[i] for i in group])

    def groups(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Which texts of a window go through the model together.

        Args:
            lengths: Tokens of each text.

        Yields:
            Their positions, longest first.
        """
        budget = self._most or self._runner.batch_tokens
        return batches(lengths, budget, pass_tokens=self._pass_tokens)

    def _tokenised(self, texts: Sequence[str]) -> Iterator[tuple[int, Tokens]]:
        """Windows of texts in order, the next one tokenised while the caller computes."""
        edges = _edges(len(texts))
        if len(edges) == 2:  # a query should not pay for a thread
            yield 0, self._tokenizer.encode(texts)
            return
        with ThreadPoolExecutor(1, thread_name_prefix="kure-tokenize") as pool:
            coming = deque((a, pool.submit(self._tokenizer.encode, texts[a:b])) for a, b in [(edges[0], edges[1])])
            for a, b in [*pairwise(edges[1:]), (0, 0)]:
                first, tokens = coming.popleft()
                if b:
                    coming.append((a, pool.submit(self._tokenizer.encode, texts[a:b])))
                yield first, tokens.result()


def _edges(texts: int) -> list[int]:
    """Where windows begin, and the end of the last one."""
    edges = [0]
    for window in itertools.chain(_WINDOWS, itertools.repeat(_WINDOWS[-1])):
        if edges[-1] + window * 3 // 2 >= texts:  # no small one at the end
            return [*edges, texts]
        edges.append(edges[-1] + window)
    raise AssertionError("the windows never end")
