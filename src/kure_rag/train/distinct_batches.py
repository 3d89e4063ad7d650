"""Batches in which no text stands twice, and as many of them in each epoch as the schedule was told.

The library's sampler of this kind promises as many batches as the rows would fill and, where texts repeat, makes the
rest of rows that it had given before, or none at all: the learning rate then ends above 0. Here one pass over the rows
is counted beforehand, and that is an epoch. Where no batch is short, the batches are the library's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import numpy as np
import torch
from sentence_transformers.base.sampler import DefaultBatchSampler

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DIGEST_BYTES: Final = 8

# Data set → (batch size, seed) → batches: the plan, the schedule and each process's sampler ask for the same number.
_COUNTED: WeakKeyDictionary[Any, dict[tuple[int, int], int]] = WeakKeyDictionary()


class DistinctBatchSampler(DefaultBatchSampler):
    """Takes the rows in a new order in each epoch; one that shares a text with its batch waits for the next.

    Args:
        dataset: A ``datasets.Dataset``; its columns of text are looked at.
        batch_size: Rows of each batch; none is smaller.
        drop_last: Always so.
        valid_label_columns: As the library hands them over; labels are no text.
        generator: Not used: each epoch's order is made of ``seed`` and its number alone.
        seed: Of the orders.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        drop_last: bool = True,
        valid_label_columns: list[str] | None = None,
        generator: Any = None,
        seed: int = 0,
    ) -> None:
        super().__init__(dataset, batch_size, True, valid_label_columns, generator, seed)
        self._texts = digests_of(dataset)
        self._count = count_batches(dataset, batch_size, seed)

    def __len__(self) -> int:
        """Batches of each epoch: those of the first one."""
        return self._count

    def __iter__(self) -> Iterator[list[int]]:
        """The rows of each batch, by their numbers.

        Another order may fill a batch more or fewer. One more is left out; one fewer is made up for by the first
        epoch's.
        """
        given = 0
        for epoch in (self.epoch, 0):
            for rows in _one_pass(self._texts, self.batch_size, self.seed + epoch):
                if given == len(self):
                    return
                given += 1
                yield rows


def count_batches(dataset: Any, batch_size: int, seed: int) -> int:
    """Batches of an epoch without a text that stands in one twice; at most ``len(dataset) // batch_size``.

    Args:
        dataset: A ``datasets.Dataset``.
        batch_size: Rows of a batch.
        seed: Of the order that is counted, the first epoch's.
    """
    counted = _COUNTED.setdefault(dataset, {})
    if (batch_size, seed) not in counted:
        counted[batch_size, seed] = sum(1 for _ in _one_pass(digests_of(dataset), batch_size, seed))
    return counted[batch_size, seed]


def digests_of(dataset: Any) -> NDArray[np.int64]:
    """Digests of each row's texts, shape (rows, columns of text): eight bytes each."""
    names = [name for name, feature in dataset.features.items() if getattr(feature, "dtype", None) == "string"]
    found = np.empty((len(dataset), len(names)), dtype=np.int64)
    start = 0
    for batch in dataset.with_format("arrow").iter(batch_size=1_000):
        for column, name in enumerate(names):
            texts = batch.column(name).to_pylist()
            found[start : start + len(texts), column] = [_digest(text) for text in texts]
        start += batch.num_rows
    return found


def _digest(text: str) -> int:
    data = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest(), signed=True)


def _one_pass(texts: NDArray[np.int64], size: int, seed: int) -> Iterator[list[int]]:
    """Whole batches of one order of the rows; what fills none is left out."""
    chance = torch.Generator()
    chance.manual_seed(seed)
    order = torch.randperm(len(texts), generator=chance, dtype=torch.int32).tolist()
    # Text → places in the order whose rows wait until it is not in the batch. Of many rows with one text only the first
    # is looked at for a batch, for the others cannot be in it either.
    waiting: dict[int, list[int]] = {}
    firsts: list[tuple[int, int]] = []  # of each of these, and the text: those of rows that waited come first
    following = 0
    while following < len(order) or waiting:
        taken: list[int] = []
        seen: set[int] = set()
        refused: set[int] = set()
        while len(taken) < size:
            if firsts:
                place, text = heappop(firsts)
                queue = waiting.get(text, [])
                if not queue or queue[0] != place:  # another row of that text is the first by now
                    continue
                if text in seen:
                    refused.add(text)
                    continue
                heappop(queue)
                if queue:
                    heappush(firsts, (queue[0], text))
                else:
                    del waiting[text]
            elif following < len(order):
                place = following
                following += 1
            else:
                break
            own = texts[order[place]].tolist()
            if (held := next((text for text in own if text in seen), None)) is None:
                seen.update(own)
                taken.append(order[place])
            else:
                heappush(waiting.setdefault(held, []), place)
                refused.add(held)
        if len(taken) == size:
            yield taken
        elif not _may_fill(texts, [order[place] for queue in waiting.values() for place in queue], size):
            return
        for text in refused:
            heappush(firsts, (waiting[text][0], text))


def _may_fill(texts: NDArray[np.int64], rows: list[int], size: int) -> bool:
    """Whether rows have as many different texts, in each column, as a batch has rows."""
    return all(len(np.unique(column)) >= size for column in texts[rows].T)
