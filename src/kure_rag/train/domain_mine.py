"""Hard negatives for what of a domain is trained on."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from kure_rag.embed import EmbedderLike
from kure_rag.errors import ConfigError
from kure_rag.index import DocumentRow
from kure_rag.search import SearchOptions
from kure_rag.train.domain_data import MODEL, DomainData, DomainQuestion, opened, sentences_of, without
from kure_rag.train.domain_split import DomainSplit
from kure_rag.train.mine import Margin, MineIndex, MineReport, MineSettings, Passage, Question, mine
from kure_rag.train.mine.questions import digest_of
from kure_rag.train.mine.write import digest_of_file, write_triplets
from kure_rag.train.readers import read_triplets
from kure_rag.train.recipes.triplet_dev import digest
from kure_rag.train.workdir import write_json
from kure_rag.types import Hit

_log = logging.getLogger(__name__)

TRIPLETS: Final = "triplets.jsonl"
CANDIDATES: Final = "held-back.jsonl"
MINED: Final = "mined.jsonl"
_MINED_HELD: Final = "mined-held-back.jsonl"
_STORY: Final = "triplets.json"
_SCORED: Final = 9  # negatives of a question that is scored: ten candidates with its answer, as a search shows
_LOOKED_AT: Final = 50  # ranks at the least that they are taken of


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

    Held-back passages are never among them. A sentence that is asked for is taken out of all passages that have it,
    whether they answer it or another question or are a negative: else it would stand in what a batch calls wrong. An
    interrupted run goes on, and a finished one is not repeated, whatever versions of libraries there are by then. Any
    recipe that takes triplets can be trained on the file.

    ``held-back.jsonl`` has the held-back questions with what the search finds first for these among all passages, nine
    passages that do not answer, or as many as it finds: candidates to score a reranker on. How many negatives are
    trained on, and the margin, do not change them.

    Args:
        data: Passages; its index is searched where it has one, otherwise one is made of the passages.
        split: Whose questions.
        work: A folder.
        settings: Of the search and its margin; without them nothing is searched, and no triplet has negatives.
        model: What embeds the passages of an index that is made; or the model of the index that there is.
        most: Training questions at the most, of all kinds by their share; all where ``None``.
        say: Told what is being done.

    Returns:
        What came of it, in a sentence.

    Raises:
        ConfigError: Nothing is left of all candidates.
        ModelNotAvailableError: The index's model cannot be reached.
    """
    asked = sorted(split.training, key=lambda one: _digest(one.id))[:most]
    left = without_asked(data, [one for one in asked if one.kind == "sentence"])
    questions = [Question(one.id, one.text, tuple(Passage(id_, left[id_]) for id_ in one.passages)) for one in asked]
    work.mkdir(parents=True, exist_ok=True)
    if settings is None:
        rows = [
            {"query": one.text, "positive": passage.text, "negatives": []}
            for one in questions
            for passage in one.positives
        ]
        write_triplets(work / TRIPLETS, rows)
        return f"{len(rows):,} pairs of a question and its passage, without hard negatives"
    key = _key(data, split, questions, settings, model)
    if (told := _done_before(work, key)) is not None:
        return told
    with _searched(data, work / "passages", model, say) as index:
        say(f"searching for {len(questions):,} questions, for passages that are found and do not answer them")
        report = mine(Unheld(index, split.barred), questions, work / MINED, settings)
        write_triplets(work / CANDIDATES, _candidates(index, data, split, work / _MINED_HELD, settings))
    digest_ = write_triplets(work / TRIPLETS, _reduced(work / MINED, data, left))
    told = _told(report, settings)
    write_json(work / _STORY, {"key": key, "sha256": digest_, "told": told})
    return told


def _candidates(
    index: MineIndex, data: DomainData, split: DomainSplit, out: Path, settings: MineSettings
) -> list[dict[str, object]]:
    """Held-back questions with what is found for them, however near to the answer; none where nothing is.

    A margin keeps answers that nobody judged out of what is trained on. Here it would take out what is hard to tell
    apart, for which there are rerankers.
    """
    asked = [
        Question(one.id, one.text, tuple(Passage(id_, data.passages[id_].text) for id_ in one.passages))
        for one in split.scored
    ]
    depth = max(settings.depth, _LOOKED_AT)
    scored = replace(settings, negatives=_SCORED, depth=depth, dense=Margin(), keep_short=True)
    try:
        mine(index, asked, out, scored)
    except ConfigError as error:
        _log.warning("no candidates for the held-back questions: %s", error)
        return []
    return [
        {"query": row.query, "positive": row.positive, "negatives": list(row.negatives)} for row in read_triplets(out)
    ]


def _key(
    data: DomainData, split: DomainSplit, questions: Sequence[Question], settings: MineSettings, model: str | None
) -> str:
    """SHA-256 of all that was asked for: triplets of anything else are not these."""
    parts = [digest_of(questions), json.dumps(asdict(settings), default=str, sort_keys=True), str(model)]
    parts += [str(data.index is not None), *sorted(split.barred), *sorted(question.id for question in split.scored)]
    parts += sorted(f"{id_} {digest(one.text)}" for id_, one in data.passages.items())
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _done_before(work: Path, key: str) -> str | None:
    """What was told of the triplets, if they are there and the same."""
    try:
        story = json.loads((work / _STORY).read_text(encoding="utf-8"))
        if story["key"] == key and story["sha256"] == digest_of_file(work / TRIPLETS) and (work / CANDIDATES).is_file():
            return str(story["told"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


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
def _searched(data: DomainData, folder: Path, model: str | None, say: Callable[[str], None]) -> Iterator[MineIndex]:
    if data.index is not None:
        with opened(data.index, model) as index:
            yield index
        return
    from kure_rag.pipeline import KureIndex
    from kure_rag.pipeline.entries import Entry

    with KureIndex.open(folder, embeddings=model or MODEL) as index:
        say(f"putting {len(data.passages):,} passages into an index with {model or MODEL}")
        index.put(Entry(id=one.id, text=one.text, group=one.document) for one in data.passages.values())
        yield index


def without_asked(data: DomainData, asked: Sequence[DomainQuestion]) -> dict[str, str]:
    """Id → text of each passage, without those of its sentences that are asked for, be it of another passage."""
    texts = {question.text for question in asked}
    found = {}
    for id_, passage in data.passages.items():
        text = passage.text
        for sentence in sentences_of(text):
            if sentence in texts:
                text = without(text, sentence)
        found[id_] = text
    for question in asked:
        for id_ in question.passages:
            found[id_] = without(found[id_], question.text)  # one that a heading was put before
    return found


def _reduced(path: Path, data: DomainData, left: Mapping[str, str]) -> Iterator[dict[str, object]]:
    """Rows with their negatives as they are trained on."""
    changed = {digest(one.text): left[id_] for id_, one in data.passages.items() if left[id_] != one.text}
    for row in read_triplets(path):
        negatives = [changed.get(digest(text), text) for text in row.negatives]
        yield {"query": row.query, "positive": row.positive, "negatives": negatives}


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
