"""What of a domain is trained on and what it is scored on; hard negatives for the first."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from kure_rag.embed import EmbedderLike
from kure_rag.errors import ConfigError
from kure_rag.index import DocumentRow
from kure_rag.search import SearchOptions
from kure_rag.train.development import Development
from kure_rag.train.development_sets import RetrievalDev
from kure_rag.train.domain_data import MODEL, DomainData, DomainQuestion, Kind, opened, without
from kure_rag.train.mine import MineIndex, MineReport, MineSettings, Passage, Question, mine
from kure_rag.train.mine.write import write_triplets
from kure_rag.types import Hit

if TYPE_CHECKING:
    from collections.abc import Iterator

By = Literal["document", "passage", "question"]
BYS: Final[tuple[By, ...]] = get_args(By)

SCORED: Final[tuple[Kind, ...]] = ("heading", "given")
"""Kinds of questions that a model is scored on: those that somebody could have asked."""
NAMES: Final[dict[Kind, str]] = {"heading": "headings", "given": "questions"}
TRIPLETS: Final = "triplets.jsonl"

_LEAST_SCORED: Final = 10


@dataclass(slots=True)
class DomainSplit:
    """Questions to train on, and questions to score on.

    Attributes:
        by: What is held back: documents with all that is asked about them, passages, or questions alone.
        training: Questions to train on.
        scored: Questions to score on; every passage of the domain is searched for them.
        held: Ids of passages that nothing may be trained on; empty where questions alone are held back.
        documents: How many documents there are, and how many of them are held back.
        dropped: Questions that passages of both sides answer.
    """

    by: By
    training: list[DomainQuestion] = field(default_factory=list)
    scored: list[DomainQuestion] = field(default_factory=list)
    held: frozenset[str] = frozenset()
    documents: tuple[int, int] = (0, 0)
    dropped: int = 0

    def notes(self, data: DomainData) -> list[str]:
        """How it was split, for the card."""
        asked = Counter(question.kind for question in self.training)
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in asked.most_common())
        what = {
            "document": f"{self.documents[1]:,} of {self.documents[0]:,} documents were held back whole: scored are "
            "unseen questions about unseen passages of unseen documents",
            "passage": f"{len(self.held):,} of {len(data.passages):,} passages were held back: scored are unseen "
            "questions about unseen passages, of documents of which others were trained on",
            "question": "questions were held back: scored are unseen questions, about passages that others asked for",
        }[self.by]
        said = [f"{what}. All {len(data.passages):,} passages are searched", f"trained on: {kinds}"]
        if self.dropped:
            said.append(f"{self.dropped:,} questions were left out: trained and held-back passages answer them")
        return said


def split_domain(data: DomainData, *, by: By, share: float) -> DomainSplit:
    """Holds back those whose digests are the smallest: the same ones whatever their order.

    Args:
        data: Passages and questions.
        by: See :class:`DomainSplit`.
        share: Of the questions that can be scored, from 0 to 1.

    Raises:
        ConfigError: Too few are left on one of the two sides.
    """
    places = {id_: {"document": one.document, "passage": id_}.get(by, "") for id_, one in data.passages.items()}
    scorable = [question for question in data.questions if question.kind in SCORED]
    if by == "question":
        wanted = round(share * len(scorable))
        chosen = {question.id for question in sorted(scorable, key=lambda one: _digest(one.id))[:wanted]}
        split = DomainSplit(by)
        texts = {question.text for question in scorable if question.id in chosen}
        split.scored = [question for question in scorable if question.id in chosen]
        # The same words as keywords or as a sentence would not be unseen.
        split.training = [one for one in data.questions if one.id not in chosen and one.text not in texts]
    else:
        held_places = _held_places(scorable, places, share)
        split = DomainSplit(by, held=frozenset(id_ for id_, place in places.items() if place in held_places))
        for question in data.questions:
            sides = {id_ in split.held for id_ in question.passages}
            if len(sides) > 1:
                split.dropped += 1
            elif sides == {True}:
                if question.kind in SCORED:
                    split.scored.append(question)
            else:
                split.training.append(question)
        asked = {question.text for question in split.scored}
        split.training = [question for question in split.training if question.text not in asked]
    documents = {one.document for one in data.passages.values()}
    split.documents = (len(documents), len({data.passages[id_].document for id_ in split.held}))
    if len(split.scored) < _LEAST_SCORED or not split.training:
        hint = f"; it was split by {by}: try another way, or a larger share" if by != "question" else ""
        raise ConfigError(
            f"{len(split.scored)} questions to score on and {len(split.training)} to train on are too few{hint}. "
            "`kure-rag qa` makes more"
        )
    return split


def developments(data: DomainData, split: DomainSplit, query_prefix: str, passage_prefix: str) -> list[Development]:
    """A set for each kind of question, over all passages; kinds with very few questions are left out."""
    passages = {id_: one.text for id_, one in data.passages.items()}
    found: list[Development] = []
    for kind in SCORED:
        own = [question for question in split.scored if question.kind == kind]
        if len(own) >= _LEAST_SCORED:
            queries = {question.id: question.text for question in own}
            relevant = {question.id: dict.fromkeys(question.passages, 1.0) for question in own}
            name = f"unseen-{NAMES[kind]}"
            found.append(RetrievalDev(name, queries, passages, relevant, query_prefix, passage_prefix))
    if not found:
        raise ConfigError(f"no kind of question has {_LEAST_SCORED} to score on; hold a larger share back")
    return found


def mine_domain(
    data: DomainData,
    split: DomainSplit,
    work: Path,
    settings: MineSettings | None,
    *,
    model: str | None,
    most: int | None,
    say: Callable[[str], None],
) -> str:
    """Writes ``triplets.jsonl`` below ``work``: training questions with passages that a search takes for their answers.

    Held-back passages are never among them. An interrupted run goes on. Any recipe that takes triplets can be trained
    on the file.

    Args:
        data: Passages; its index is searched where it has one, otherwise one is made of the passages.
        split: Whose training questions.
        work: A folder.
        settings: Of the search and its margin; without them nothing is searched, and no triplet has negatives.
        model: What embeds the passages of an index that is made; or the model of the index that there is.
        most: Questions at the most, of all kinds by their share; all where ``None``.
        say: Told what is being done.

    Returns:
        What came of it, in a sentence.

    Raises:
        ConfigError: Nothing is left of all candidates.
        ModelNotAvailableError: The index's model cannot be reached.
    """
    questions = [_question(one, data) for one in sorted(split.training, key=lambda one: _digest(one.id))[:most]]
    work.mkdir(parents=True, exist_ok=True)
    if settings is None:
        rows = [
            {"query": one.text, "positive": passage.text, "negatives": []}
            for one in questions
            for passage in one.positives
        ]
        write_triplets(work / TRIPLETS, rows)
        return f"{len(rows):,} pairs of a question and its passage, without hard negatives"
    with _searched(data, split, work / "passages", model, say) as index:
        say(f"searching for {len(questions):,} questions, for passages that are found and do not answer them")
        report = mine(index, questions, work / TRIPLETS, settings)
    return _told(report, settings)


def _told(report: MineReport, settings: MineSettings) -> str:
    near = report.dropped["margin"]
    return (
        f"{report.rows:,} of {report.data['pairs']:,} pairs of a question and its passage have {settings.negatives} "
        f"hard negatives, the others were left out; {near:,} of {report.data['candidates']:,} candidates were too near "
        "to the answer to be sure that they are none"
    )


class Unheld:
    """An index without the passages that are held back, as mining sees it.

    Args:
        index: All of it.
        held: Ids of those passages.
    """

    def __init__(self, index: MineIndex, held: frozenset[str]) -> None:
        self._index, self._held = index, held
        self._digest = hashlib.sha256("\n".join(sorted(held)).encode()).hexdigest()

    @property
    def embedder(self) -> EmbedderLike:
        """The index's."""
        return self._index.embedder

    def search_batch(self, queries: Sequence[str], *, options: SearchOptions | None = None) -> list[list[Hit]]:
        """For each query the passages that are found and not held back, in their order."""
        found = self._index.search_batch(queries, options=options)
        return [[hit for hit in hits if hit.chunk.id not in self._held] for hits in found]

    def entries(self, ids: Sequence[str], *, vectors: bool = False) -> Sequence[Any]:
        """The index's."""
        return self._index.entries(ids, vectors=vectors)

    def documents(self) -> Sequence[DocumentRow]:
        """The index's."""
        return self._index.documents()

    def info(self) -> dict[str, Any]:
        """The index's, and which passages are held back: other ones give other negatives."""
        said = self._index.info()
        return {**said, "fingerprint": {**said["fingerprint"], "held_back": self._digest}}


@contextmanager
def _searched(
    data: DomainData, split: DomainSplit, folder: Path, model: str | None, say: Callable[[str], None]
) -> Iterator[MineIndex]:
    if data.index is not None:
        with opened(data.index, model) as index:
            yield Unheld(index, split.held)
        return
    from kure_rag.pipeline import KureIndex
    from kure_rag.pipeline.entries import Entry

    own = [one for one in data.passages.values() if one.id not in split.held]
    with KureIndex.open(folder, embeddings=model or MODEL) as index:
        say(f"putting {len(own):,} passages into an index with {model or MODEL}")
        index.put(Entry(id=one.id, text=one.text, group=one.document) for one in own)
        yield index


def _question(question: DomainQuestion, data: DomainData) -> Question:
    texts = {id_: data.passages[id_].text for id_ in question.passages}
    if question.kind == "sentence":
        texts = {id_: without(text, question.text) for id_, text in texts.items()}
    return Question(question.id, question.text, tuple(Passage(id_, text) for id_, text in texts.items()))


def _held_places(scorable: Iterable[DomainQuestion], places: dict[str, str], share: float) -> set[str]:
    """Documents or passages, by their digests, until they have so large a share of the questions."""
    counts = Counter(place for question in scorable for place in {places[id_] for id_ in question.passages})
    wanted = share * sum(counts.values())
    held: set[str] = set()
    have = 0
    for place in sorted(counts, key=_digest):
        # Half of a large document too many is nearer than all of it too few.
        if have + counts[place] / 2 > wanted and held:
            continue
        held.add(place)
        have += counts[place]
        if have >= wanted:
            break
    return held


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
