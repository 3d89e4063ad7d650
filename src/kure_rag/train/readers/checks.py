"""Looks at training data before hours are spent on them. Nothing here changes a row."""

from __future__ import annotations

import hashlib
import itertools
import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from kure_rag.errors import ConfigError, CorpusFormatError

_log = logging.getLogger(__name__)
_BATCH: Final = 256
_DIGEST_BYTES: Final = 8  # two of a hundred million rows are taken for one with a chance of .0003


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """How long texts are.

    Attributes:
        texts: How many were counted.
        over: How many have more tokens than the limit.
        longest: Tokens of the longest.
        limit: The limit, in tokens.
    """

    texts: int
    over: int
    longest: int
    limit: int

    @property
    def share(self) -> float:
        """Share of the texts that are over the limit, from 0 to 1."""
        return self.over / self.texts if self.texts else 0.0

    def __str__(self) -> str:
        if not self.over:
            return f"all {self.texts} texts have at most {self.limit} tokens (the longest {self.longest})"
        return (
            f"{self.over} of {self.texts} texts ({self.share:.1%}) have more than {self.limit} tokens (the longest "
            f"{self.longest})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """Rows that are there more than once.

    Attributes:
        rows: All rows.
        repeated: Rows that are equal to one before them.
    """

    rows: int
    repeated: int

    @property
    def share(self) -> float:
        """Share of the rows that repeat an earlier one, from 0 to 1."""
        return self.repeated / self.rows if self.rows else 0.0


def check_rows(rows: int, source: str) -> None:
    """Raises CorpusFormatError if there are no rows.

    Args:
        rows: Their number.
        source: What messages call the data, such as a file's name.
    """
    if rows < 1:
        raise CorpusFormatError(source, "no rows; give a file with at least one, or look at what was left out of it")


def check_batch(batch_size: int, rows: int, source: str) -> None:
    """Raises ConfigError if a batch is larger than the data, so that not one would ever be full.

    Args:
        batch_size: Rows of a batch, over all devices and accumulated steps.
        rows: Rows of the data.
        source: What messages call the data.
    """
    if batch_size < 1:
        raise ConfigError(f"batch size {batch_size}; choose 1 or more")
    if batch_size > rows:
        raise ConfigError(
            f"a batch of {batch_size} is larger than {source}, which has {rows} rows; choose a smaller one"
        )


def check_labels(labels: Iterable[object], source: str, *, expected: Sequence[object] = ()) -> Counter[object]:
    """Counts labels, and refuses data from which no difference between labels can be learnt.

    Args:
        labels: Of all rows.
        source: What messages call the data.
        expected: Labels of which each must be there; by default any two do.

    Returns:
        Label → rows.

    Raises:
        CorpusFormatError: There are no rows, only one label, or an expected one is missing.
    """
    counts = Counter(labels)
    check_rows(counts.total(), source)
    if len(counts) == 1:
        only = next(iter(counts))
        raise CorpusFormatError(source, f"every row has the label {only}; add rows of other labels")
    if missing := [label for label in expected if label not in counts]:
        raise CorpusFormatError(source, f"no row has the label {missing[0]}; add rows with it")
    return counts


def check_scores(scores: Iterable[float], source: str) -> tuple[float, float]:
    """Finds the lowest and the highest score, and refuses data that all have one.

    Args:
        scores: Of all rows: similarities of sentence pairs, labels of a reranker's pairs.
        source: What messages call the data.

    Returns:
        The lowest and the highest.

    Raises:
        CorpusFormatError: There are no rows, or all have the same score.
    """
    lowest, highest = math.inf, -math.inf
    for score in scores:
        lowest, highest = min(lowest, score), max(highest, score)
    check_rows(int(lowest <= highest), source)
    if lowest == highest:
        raise CorpusFormatError(source, f"every row has the score {lowest:g}; add rows with other scores")
    return lowest, highest


def check_lengths(
    texts: Iterable[str],
    count_tokens: Callable[[Sequence[str]], Sequence[int]],
    limit: int,
    source: str,
    *,
    refuse: bool = False,
) -> Lengths:
    """Counts the tokens of texts. Those over the limit are cut in training: that is logged as a warning.

    Args:
        texts: Taken some at a time.
        count_tokens: Texts → the number of tokens of each, special ones included, without cutting.
        limit: What the model takes, in tokens.
        source: What messages call the data.
        refuse: Whether texts over the limit are an error.

    Raises:
        ConfigError: ``limit`` is below 1, or a text is over it and ``refuse`` is set.
    """
    if limit < 1:
        raise ConfigError(f"a limit of {limit} tokens; choose 1 or more")
    counted = over = longest = 0
    rest = iter(texts)
    while some := list(itertools.islice(rest, _BATCH)):
        for tokens in count_tokens(some):
            counted, over, longest = counted + 1, over + (tokens > limit), max(longest, tokens)
    found = Lengths(texts=counted, over=over, longest=longest, limit=limit)
    if over and refuse:
        raise ConfigError(f"{source}: {found}; shorten them, raise the limit, or let them be cut")
    if over:
        _log.warning("%s: %s; only their beginnings are trained on", source, found)
    return found


def count_duplicates(rows: Iterable[Sequence[str]]) -> Duplicates:
    """Counts rows whose texts are all equal to those of an earlier row.

    In a batch such rows are each other's negatives. About 100 bytes a row are held in memory.

    Args:
        rows: The texts of each.
    """
    seen: set[bytes] = set()
    total = 0
    for texts in rows:
        total += 1
        digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        for text in texts:
            data = text.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "big"))
            digest.update(data)
        seen.add(digest.digest())
    return Duplicates(rows=total, repeated=total - len(seen))
