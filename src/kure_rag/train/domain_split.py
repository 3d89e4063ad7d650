"""What of a domain is trained on and what it is scored on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from kure_rag.errors import ConfigError
from kure_rag.train.development import Development
from kure_rag.train.development_sets import RetrievalDev
from kure_rag.train.domain_data import DomainData, DomainQuestion, Kind
from kure_rag.train.domain_family import families
from kure_rag.train.recipes.triplet_dev import Known, digest

By = Literal["document", "passage", "question"]
BYS: Final[tuple[By, ...]] = get_args(By)

SCORED: Final[tuple[Kind, ...]] = ("heading", "given")
"""Kinds of questions that a model is scored on: those that somebody could have asked."""
NAMES: Final[dict[Kind, str]] = {"heading": "headings", "given": "questions"}

_LEAST_SCORED: Final = 10
_FEW: Final = 6  # of n documents the scores can be swapped in 2**n ways, of which two are as extreme as all one way


@dataclass(slots=True)
class DomainSplit:
    """Questions to train on, and questions to score on.

    Attributes:
        by: What is held back: documents with all that is asked about them, passages, or questions alone.
        training: Questions to train on.
        scored: Questions to score on; every passage of the domain is searched for them.
        held: Ids of passages that are held back; empty where questions alone are.
        barred: Ids that nothing is trained on: those, and others with a text of theirs or of the development data.
        documents: How many documents there are, and how many of them are held back.
        dropped: Questions that passages of both sides answer.
        copies: Questions that would have been trained on, if their text or their passage's were not scored on.
    """

    by: By
    training: list[DomainQuestion] = field(default_factory=list)
    scored: list[DomainQuestion] = field(default_factory=list)
    held: frozenset[str] = frozenset()
    barred: frozenset[str] = frozenset()
    documents: tuple[int, int] = (0, 0)
    dropped: int = 0
    copies: int = 0

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
        if self.copies:
            said.append(f"{self.copies:,} questions were left out: they, or a passage's text, are in what is scored on")
        family = families(data)
        for kind in SCORED:
            own = [question for question in self.scored if question.kind == kind]
            count = len({family[question.passages[0]] for question in own})
            if len(own) >= _LEAST_SCORED and count < _FEW:
                documents = "document" if count == 1 else "documents"
                said.append(
                    f"unseen-{NAMES[kind]} are about {count} {documents} (a statute and its decrees are one), which "
                    f"are what is compared: no p-value can be below {2 / 2**count:.3g}, whatever the rise, and {_FEW} "
                    "documents are the fewest that allow one below .05. Give more documents, or hold a larger share "
                    "back"
                )
        return said


def split_domain(data: DomainData, *, by: By, share: float, known: Known | None = None) -> DomainSplit:
    """Holds back those whose digests are the smallest: the same ones whatever their order.

    A statute and its decrees are one document here: they say the same in other words.

    Args:
        data: Passages and questions.
        by: See :class:`DomainSplit`.
        share: Of the questions that can be scored, from 0 to 1.
        known: What else is scored on.

    Raises:
        ConfigError: Too few are left on one of the two sides.
    """
    known = known or Known()
    family = families(data)
    places = {id_: {"document": family[id_], "passage": id_}.get(by, "") for id_ in data.passages}
    scorable = [question for question in data.questions if question.kind in SCORED]
    if by == "question":
        wanted = round(share * len(scorable))
        chosen = {question.id for question in sorted(scorable, key=lambda one: _digest(one.id))[:wanted]}
        split = DomainSplit(by)
        held: frozenset[str] = frozenset()
    else:
        held_places = _held_places(scorable, places, share)
        held, chosen = frozenset(id_ for id_, place in places.items() if place in held_places), set()
        split = DomainSplit(by, held=held)
    texts = {digest(data.passages[id_].text) for id_ in held} | known.positives
    split.barred = held | {id_ for id_, one in data.passages.items() if digest(one.text) in texts}
    for question in data.questions:
        own = set(question.passages)
        if question.id in chosen:
            split.scored.append(question)
        elif not own & held:
            split.training.append(question)
        elif not own <= split.barred:
            split.dropped += 1
        elif question.kind in SCORED:
            split.scored.append(question)
    # The same words as keywords or as a sentence would not be unseen.
    asked = known.queries | {digest(question.text) for question in split.scored}
    before = len(split.training)
    split.training = [
        one for one in split.training if digest(one.text) not in asked and not split.barred.intersection(one.passages)
    ]
    split.copies = before - len(split.training)
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
    family = families(data)
    found: list[Development] = []
    for kind in SCORED:
        own = [question for question in split.scored if question.kind == kind]
        if len(own) >= _LEAST_SCORED:
            queries = {question.id: question.text for question in own}
            relevant = {question.id: dict.fromkeys(question.passages, 1.0) for question in own}
            name = f"unseen-{NAMES[kind]}"
            groups = {question.id: family[question.passages[0]] for question in own}
            alike = groups if len(set(groups.values())) < len(groups) else None
            found.append(RetrievalDev(name, queries, passages, relevant, query_prefix, passage_prefix, groups=alike))
    if not found:
        raise ConfigError(f"no kind of question has {_LEAST_SCORED} to score on; hold a larger share back")
    return found


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
