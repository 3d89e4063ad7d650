"""The child's side of shared work: it offers tasks to the other children, and works along.

What is shared out: the pages of a large file in ranges, and the analysis of a long text in batches of lines. Neither
depends on what comes before it, so the result is the same whoever does it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final, TypeVar

from kure_rag.ingest.messages import receive_packed, send, to_error, unpack
from kure_rag.ingest.parts import to_sentences, to_sheets
from kure_rag.read import ReadLimits
from kure_rag.read.sheets import Sheet
from kure_rag.tokenize.base import Sentence, Tokenizer

T = TypeVar("T")

SHARED_PAGES: Final = 32
"""Pages of a file: one with more is shared out."""
SHARED_CHARS: Final = 60_000
"""Characters of a text: the analysis of a longer one, some seconds of work, is shared out."""

_RANGE: Final = 8  # pages of a task
_BATCH: Final = 8_000  # characters of a task
_MOST_TASKS: Final = 250  # of one kind for one file; then each is larger


@dataclass(frozen=True, slots=True)
class Lead:
    """The child that has the job.

    Attributes:
        jobs: What the parent writes to.
        out: What the parent reads from.
    """

    jobs: IO[bytes]
    out: IO[bytes]

    def run(
        self,
        tasks: Sequence[Mapping[str, Any]],
        here: Callable[[int], T],
        there: Callable[[Mapping[str, Any]], T],
        full: Callable[[], bool] = lambda: False,
    ) -> list[T]:
        """Has tasks done, here and by the other children.

        Args:
            tasks: Messages for the others.
            here: Does a task in this process, given its number.
            there: What another's answer holds.
            full: Whether the tasks that nobody began are not wanted any more.

        Returns:
            What was done, in the order of the tasks.

        Raises:
            Exception: What the first task in their order that failed raised, here or elsewhere.
        """
        send(self.out, {"share": len(tasks)})
        for task in tasks:
            send(self.out, task)
        found: dict[int, T] = {}
        errors: dict[int, Exception] = {}
        failed: int | None = None
        while True:
            send(self.out, {"next": True, "failed": failed, "enough": full()})
            turn = unpack(self._received())
            # All are taken out of the pipe before any is looked at: nothing must be left there if one is too large.
            packed = [self._received() for _ in turn["done"]]
            for number, answer in zip(turn["done"], map(unpack, packed), strict=True):
                if "error" in answer:
                    errors[number] = to_error(answer)
                else:
                    found[number] = there(answer)
            number, failed = turn["task"], None
            if number is None and not turn["more"]:
                break
            if number is not None:
                try:
                    found[number] = here(number)
                except Exception as error:  # noqa: BLE001 - raised below, unless a task before this one failed too
                    errors[number], failed = error, number
        if errors:
            raise errors[min(errors)]
        return [found[number] for number in sorted(found)]

    def _received(self) -> bytes:
        try:
            message = receive_packed(self.jobs)
        except MemoryError:
            message = None
        if message is None:  # the parent is gone, or the pipe can be read no further
            raise SystemExit(1)
        return message

    def sheets(
        self,
        count: int,
        read: Callable[[int, int], list[Sheet]],
        *,
        path: str,
        name: str,
        data: bytes,
        limits: ReadLimits,
    ) -> list[Sheet]:
        """The sheets of a file, read by several children if it is large.

        Args:
            count: Pages of the file.
            read: Reads a range of pages here.
            path: Where the other children find the file.
            name: Its name, for messages.
            data: Its bytes, which the other children must find there too.
            limits: Ranges after the one that passes the limit on characters are not begun.
        """
        if count <= SHARED_PAGES:
            return read(1, count)
        step = max(_RANGE, -(-count // _MOST_TASKS))
        ranges = [(first, min(first + step - 1, count)) for first in range(1, count + 1, step)]
        task = {"op": "sheets", "path": path, "name": name, "digest": hashlib.sha256(data).hexdigest(), "part": True}
        chars = 0

        def counted(sheets: list[Sheet]) -> list[Sheet]:
            nonlocal chars
            chars += sum(sheet.chars for sheet in sheets)
            return sheets

        parts = self.run(
            [{**task, "first": first, "last": last} for first, last in ranges],
            lambda number: counted(read(*ranges[number])),
            lambda answer: counted(to_sheets(answer["sheets"])),
            lambda: chars > limits.max_chars,
        )
        return [sheet for part in parts for sheet in part]


@dataclass(frozen=True, slots=True)
class SharedTokenizer:
    """A tokenizer that has other children analyse parts of long texts.

    Attributes:
        tokenizer: What does the work here; the other children have the same.
        lead: Offers the work.
        name: Of the file, for messages.
    """

    tokenizer: Tokenizer
    lead: Lead
    name: str

    @property
    def fingerprint(self) -> str:
        """The tokenizer's."""
        return self.tokenizer.fingerprint

    def terms(self, text: str) -> list[str]:
        """Terms of one text."""
        return self.tokenizer.terms(text)

    def terms_batch(self, texts: Sequence[str]) -> list[list[str]]:
        """Terms of many texts."""
        return self._shared("terms", texts, self.tokenizer.terms_batch, lambda values: values)

    def sentences(self, texts: Iterable[str]) -> Iterator[list[Sentence]]:
        """Sentences of each text."""
        yield from self._shared(
            "sentences", list(texts), lambda batch: list(self.tokenizer.sentences(batch)), to_sentences
        )

    def _shared(
        self, op: str, texts: Sequence[str], here: Callable[[Sequence[str]], list[T]], there: Callable[[Any], list[T]]
    ) -> list[T]:
        chars = sum(map(len, texts))
        if chars <= SHARED_CHARS:
            return here(texts)
        batches = list(_batches(texts, max(_BATCH, chars // _MOST_TASKS)))
        tasks = [{"op": op, "texts": batch, "name": self.name, "part": True} for batch in batches]
        parts = self.lead.run(tasks, lambda number: here(batches[number]), lambda answer: there(answer[op]))
        return [found for part in parts for found in part]


def _batches(texts: Sequence[str], chars: int) -> Iterator[list[str]]:
    batch: list[str] = []
    room = chars
    for text in texts:
        batch.append(text)
        room -= len(text)
        if room <= 0:
            yield batch
            batch, room = [], chars
    if batch:
        yield batch
