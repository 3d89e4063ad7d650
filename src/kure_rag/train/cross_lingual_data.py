"""What ``clir`` learns from: English passages with Korean questions, and sentences in both languages.

Questions are rows of named values (JSON lines, a JSON array, a table with a header line, all three also gzip, or
parquet), such as those of MS MARCO with a translation of each query::

    {"query_ko": "물의 끓는점은 몇 도인가요?", "query_en": "At how many degrees does water boil?", "passage_en": "…"}

``query_en`` may be missing. Bitext is what :func:`kure_rag.train.readers.read_bitext` reads.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.errors import CorpusFormatError, ReadError, SourceNotFoundError
from kure_rag.train.development import Development, Measured
from kure_rag.train.development_sets import embed
from kure_rag.train.readers import Omissions, find_training_files, read_bitext
from kure_rag.train.readers.bitext import hangul_share
from kure_rag.train.readers.detect import is_held_out
from kure_rag.train.readers.records import Record, fault, parsed, read_records, text_of, whole
from kure_rag.train.recipes.triplet_dev import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

QUESTION_EXAMPLE: Final = '{"query_ko": "…", "query_en": "…", "passage_en": "…"}'
ACCEPTED: Final = (
    f"questions in Korean with English passages, rows such as {QUESTION_EXAMPLE}; or bitext, ko and en between tabs"
)

_log = logging.getLogger(__name__)

_NEEDED: Final = ("query_ko", "passage_en")
_ENDINGS: Final = (".tsv", ".json", ".jsonl", ".parquet")
_MOST_HELD: Final = 10  # one in so many
_DEPTH: Final = 10
_ROWS: Final = 512  # queries at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Texts in both languages that belong together: sentences of bitext, or a question and its passage.

    Attributes:
        korean: The Korean text.
        english: The English one.
        question: The Korean text in English, where it is a question whose translation is known; empty otherwise.
    """

    korean: str
    english: str
    question: str = ""

    def texts(self) -> tuple[str, ...]:
        """All of them."""
        return (self.korean, self.english, self.question) if self.question else (self.korean, self.english)


Reader = Callable[[Path, Omissions], Iterator[Pair]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Files by what they hold.

    Attributes:
        questions: Of Korean questions and English passages.
        bitext: Of sentences in both languages.
    """

    questions: tuple[Path, ...]
    bitext: tuple[Path, ...]

    def parts(self) -> dict[str, tuple[Sequence[Path], Reader]]:
        """Kind → files and their reader, of the kinds that are there."""
        both: dict[str, tuple[Sequence[Path], Reader]] = {
            "questions": (self.questions, read_questions),
            "bitext": (self.bitext, read_pairs),
        }
        return {kind: part for kind, part in both.items() if part[0]}


def read_questions(path: Path, omissions: Omissions | None = None) -> Iterator[Pair]:
    """Stream the questions of a file, each with its passage.

    Raises:
        SourceNotFoundError: Nothing lies at that path.
        CorpusFormatError: A row breaks the format, or its question has no Hangul; raised when it is reached.
    """
    records = read_records(path, example=QUESTION_EXAMPLE, columns=(*_NEEDED, "query_en"))
    return parsed(path.name, records, _questions, skip_faults=False, omissions=omissions)


def read_pairs(path: Path, omissions: Omissions | None = None) -> Iterator[Pair]:
    """Stream the sentences of a bitext."""
    return (Pair(korean=row.korean, english=row.english) for row in read_bitext(path, omissions=omissions))


def find_pairs(places: Iterable[Path]) -> Found:
    """Which files there are at some places, and what each holds.

    Of a folder its files are taken, but none whose name says that it is held out.

    Raises:
        SourceNotFoundError: Nothing lies at a place, or nothing in a folder can be used.
        CorpusFormatError: A file holds something else.
    """
    questions: dict[Path, None] = {}
    bitext: dict[Path, None] = {}
    for place in places:
        own = [path for path in _files(place) if is_questions(path)]
        questions.update(dict.fromkeys(own))
        if own and not place.is_dir():
            continue
        try:
            found = find_training_files(place, "bitext")
            bitext.update({path: None for path, _ in found.files})
            for name, reason in found.left_out.items():
                if place / name not in questions:
                    _log.warning("%s: %s is not read: %s", place.name or place, name, reason)
        except SourceNotFoundError:
            if not own:
                raise
        except CorpusFormatError as error:
            raise CorpusFormatError(error.source, f"{error.reason.partition('; accepted')[0]}; {ACCEPTED}") from error
    return Found(questions=tuple(questions), bitext=tuple(bitext))


def is_questions(path: Path) -> bool:
    """Whether the first row of a file has a Korean question and an English passage."""
    try:
        _, record = next(read_records(path, example=QUESTION_EXAMPLE), ("", {}))
    except ReadError:  # another format, or none: who reads it as one will say so
        return False
    return all(key in record for key in _NEEDED)


def _files(place: Path) -> list[Path]:
    if not place.is_dir():
        return [place]
    return [
        path
        for path in sorted(place.iterdir())
        if path.is_file() and path.name.lower().removesuffix(".gz").endswith(_ENDINGS) and not is_held_out(path.name)
    ]


def _questions(name: str, place: str, record: Record) -> tuple[Pair]:
    whole(name, place, record)
    korean, english = (text_of(name, place, key, record.get(key)) for key in _NEEDED)
    if hangul_share([korean]) == 0 and hangul_share([english]) == 1:
        fault(name, place, "query_ko is not Korean and passage_en is; the columns seem swapped")
    translated = record.get("query_en")
    question = text_of(name, place, "query_en", translated) if translated not in (None, "") else ""
    return (Pair(korean=korean, english=english, question=question),)


class CrossLingualDev(Development):
    """Finding the English partner of each Korean text among all English ones, by exact cosine search.

    Equal English texts count as one. ``accuracy@1``, the share whose partner is nearest, is what should rise. Texts
    with one partner, such as questions about one passage, are alike: they count as one draw in intervals and tests.

    Args:
        name: In tables.
        pairs: Texts that belong together.
        query_prefix: Put before the Korean ones.
        passage_prefix: Put before the English ones.

    Raises:
        CorpusFormatError: There are none.
    """

    main = "accuracy@1"

    def __init__(self, name: str, pairs: Sequence[Pair], query_prefix: str = "", passage_prefix: str = "") -> None:
        if not pairs:
            raise CorpusFormatError(name, "no pairs to score the model on")
        self.name = name
        passages: dict[str, int] = {}
        self._partners = [passages.setdefault(pair.english, len(passages)) for pair in pairs]
        self._groups: dict[str, str] | None = None
        if len(passages) < len(pairs):
            self._groups = {str(i): str(partner) for i, partner in enumerate(self._partners)}
        self._queries = [query_prefix + pair.korean for pair in pairs]
        self._passages = [passage_prefix + text for text in passages]

    def score(self, model: Any) -> Measured:
        """See the base class; ``accuracy@10`` and ``mrr@10`` stand beside ``accuracy@1``."""
        import numpy as np

        ranks = partner_ranks(embed(model, self._queries), embed(model, self._passages), self._partners)
        found = (ranks == 1).astype(float)
        values = {
            "accuracy@1": float(found.mean()),
            f"accuracy@{_DEPTH}": float((ranks <= _DEPTH).mean()),
            f"mrr@{_DEPTH}": float(np.where(ranks <= _DEPTH, 1 / ranks, 0.0).mean()),
        }
        each = {str(i): value for i, value in enumerate(found.tolist())}
        return Measured(values=values, each=each, groups=self._groups)


def partner_ranks(
    queries: NDArray[np.floating[Any]], passages: NDArray[np.floating[Any]], partners: Sequence[int]
) -> NDArray[np.int64]:
    """The rank, from 1, at which each query finds its partner by dot product.

    A passage as near as the partner counts as found before it, so that a model which gives every text one vector finds
    nothing.

    Args:
        queries: Shape (n, dimension).
        passages: Shape (m, dimension).
        partners: Of each query its passage's row.
    """
    import numpy as np

    ranks = np.empty(len(queries), dtype=np.int64)
    wanted = np.asarray(partners)
    for start in range(0, len(queries), _ROWS):
        near = queries[start : start + _ROWS] @ passages.T
        own = near[np.arange(len(near)), wanted[start : start + _ROWS]]
        ranks[start : start + _ROWS] = (near >= own[:, None]).sum(axis=1)
    return ranks


@dataclass(slots=True)
class Split:
    """Pairs to train on, and those that are scored on, of which no text is trained on.

    Attributes:
        found: The files to train on.
        known: Digests of the texts that are scored on.
        held: Kind → pairs that were held back.
        omissions: Kind → what its readers left out.
        left_out: Kind → pairs that were left out because a text of theirs is scored on; those held back among them.
    """

    found: Found
    known: frozenset[int]
    held: Mapping[str, list[Pair]]
    omissions: dict[str, Omissions] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)

    def training(self, kind: str) -> Iterator[Pair]:
        """The pairs of a kind that may be trained on. What is left out is counted anew each time."""
        files, reader = self.found.parts()[kind]
        omissions = self.omissions[kind] = Omissions()
        self.left_out[kind] = 0
        for path in files:
            for pair in reader(path, omissions):
                if self.known.isdisjoint(map(digest, pair.texts())):
                    yield pair
                else:
                    self.left_out[kind] += 1


def split_pairs(found: Found, known: frozenset[int], held_back: int) -> Split:
    """Decides what is held back: of each kind the pairs whose Korean texts have the smallest digests.

    Args:
        found: Files to train on.
        known: Digests of the texts of development data; where there are some, nothing is held back.
        held_back: Pairs of each kind, a tenth at the most.
    """
    held: dict[str, list[Pair]] = {}
    if not known:
        for kind, (files, reader) in found.parts().items():

            def read(files: Sequence[Path] = files, reader: Reader = reader) -> Iterator[Pair]:
                for path in files:
                    yield from reader(path, Omissions())  # counted when it is read to be trained on

            texts = {digest(pair.korean) for pair in read()}
            chosen = frozenset(heapq.nsmallest(min(held_back, len(texts) // _MOST_HELD), texts))
            if chosen:
                held[kind] = [pair for pair in read() if digest(pair.korean) in chosen]
    known |= digests(pair for pairs in held.values() for pair in pairs)
    return Split(found, known, held)


def digests(pairs: Iterable[Pair]) -> frozenset[int]:
    """Digests of all texts of pairs."""
    return frozenset(digest(text) for pair in pairs for text in pair.texts())
