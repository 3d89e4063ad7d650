"""How well questions of one language find passages of another: accuracy and reciprocal ranks within the first k.

A set to score is one of

- bitext: each Korean sentence is a question, and its English partner what should be found among all;
- questions with passages (``query_ko`` and ``passage_en``, see :mod:`kure_rag.train.cross_lingual_data`): likewise;
- a folder in BEIR's layout (``corpus.jsonl``, ``queries.jsonl``, ``qrels.tsv``), of any two languages;
- questions beside a corpus: JSON lines with ``question`` and ``answers``, a list. As in open-domain question answering
  (Karpukhin et al. 2020), a passage counts as found if an answer stands in it, as whole words and numbers; but words in
  Hangul, kana or Chinese characters may stand in longer ones, since particles and compounds are written together.
"""

from __future__ import annotations

import re
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag.errors import ConfigError, CorpusFormatError
from kure_rag.evaluate.sets import check_qrels, read_set
from kure_rag.evaluate.statistics import Interval, bootstrap_intervals
from kure_rag.read.corpus import fail, read_corpus, read_objects
from kure_rag.train.cross_lingual_data import find_pairs
from kure_rag.train.exact_search import best_rows, embed_to_file, texts_digest
from kure_rag.train.mine.questions import record_text
from kure_rag.train.readers import Omissions

if TYPE_CHECKING:
    from kure_rag.embed import EmbedderLike

KS: Final = (1, 5, 10, 20, 50, 100)
"""The depths of the original's tables."""

ANSWERS_EXAMPLE: Final = '{"question": "…", "answers": ["…"]}'

# Letters and digits between which words are told apart by white space or marks: all that are none of these scripts'.
_SPACED: Final = r"[^\W_ᄀ-ᇿ\u3040-\u30ff㄰-㆏㐀-䶿一-鿿가-힣]"
_MARK_IN_NUMBER: Final = "[.,]"  # 1,200 and 3.5 are one number each

Texts = Callable[[], Iterator[str]]
Found = Callable[[int, Sequence[int]], int]
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSet:
    """Questions, passages, and which passages answer which question.

    Attributes:
        name: In tables.
        questions: Their texts.
        passages: Gives the passages' texts anew at each call; a corpus of any size is streamed.
        relevant: Of each question the positions of passages that answer it. ``None`` where ``answers`` tell.
        answers: Of each question the texts of which one must stand in a passage, as :func:`plain` puts them.
    """

    name: str
    questions: Sequence[str]
    passages: Texts
    relevant: Sequence[frozenset[int]] | None = None
    answers: Sequence[tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """What a model found.

    Attributes:
        name: Of the set.
        model: Of the model.
        passages: How many there were.
        ranks: Of each question the rank of the first passage that answers it, from 1; 0 where none of the first
            ``depth`` does.
        depth: How many were looked at.
        ks: The depths to report.
    """

    name: str
    model: str
    passages: int
    ranks: tuple[int, ...]
    depth: int
    ks: tuple[int, ...] = field(default=KS)

    def each(self, measure: str) -> dict[str, float]:
        """Number of a question → its value of ``accuracy@k`` or ``mrr@k``."""
        kind, _, cut = measure.partition("@")
        k = int(cut)
        return {
            str(i): 0.0 if not 0 < rank <= k else 1.0 if kind == "accuracy" else 1 / rank
            for i, rank in enumerate(self.ranks)
        }

    def measures(self) -> list[str]:
        """Their names, in the order of tables."""
        return [f"{kind}@{k}" for kind in ("accuracy", "mrr") for k in self.ks]

    def intervals(self) -> dict[str, Interval]:
        """Measure → its mean over the questions with a 95 % interval."""
        return bootstrap_intervals({name: list(self.each(name).values()) for name in self.measures()})


def read_score_set(place: Path, corpus: Path | None = None) -> ScoreSet:
    """Reads a set; the corpus of a large one is not held in memory.

    Args:
        place: See the module.
        corpus: ``corpus.jsonl``, where ``place`` has questions with answers only.

    Raises:
        SourceNotFoundError: Nothing lies at a place.
        CorpusFormatError: It is none of the formats, or breaks its own.
        ConfigError: A corpus is missing, or there is one too many.
    """
    if corpus is not None:
        return _with_answers(place, corpus)
    if place.is_dir():
        return _of_folder(place)
    found = find_pairs([place])
    ((_, reader),) = found.parts().values()
    pairs = list(reader(place, Omissions()))
    if not pairs:
        raise CorpusFormatError(place.name, "no pairs in it")
    passages: dict[str, int] = {}
    relevant = [frozenset({passages.setdefault(pair.english, len(passages))}) for pair in pairs]
    texts = tuple(passages)
    name = place.name.partition(".")[0]
    return ScoreSet(
        name=name, questions=[pair.korean for pair in pairs], passages=lambda: iter(texts), relevant=relevant
    )


def _of_folder(folder: Path) -> ScoreSet:
    found = read_set(folder)
    places = {record.id: i for i, record in enumerate(found.records())}
    check_qrels(found, places)
    return ScoreSet(
        name=found.name,
        questions=list(found.queries.values()),
        passages=lambda: (record_text(record) for record in found.records()),
        relevant=[frozenset(places[document] for document in found.qrels[query]) for query in found.queries],
    )


def _with_answers(place: Path, corpus: Path) -> ScoreSet:
    if place.is_dir():
        raise ConfigError(f"{place.name}: a folder has its own corpus; leave --corpus out, or give questions in a file")
    questions: list[str] = []
    answers: list[tuple[str, ...]] = []
    for number, row in read_objects(place, example=ANSWERS_EXAMPLE):
        question, given = row.get("question"), row.get("answers")
        if not isinstance(question, str) or not question.strip():
            fail(place.name, number, f"no question; write {ANSWERS_EXAMPLE}")
        if not isinstance(given, list) or not given or not all(isinstance(one, str) and plain(one) for one in given):
            fail(place.name, number, f"answers is no list of texts; write {ANSWERS_EXAMPLE}")
        questions.append(question)
        answers.append(tuple(plain(one) for one in given))
    if not questions:
        raise CorpusFormatError(place.name, f"no questions in it; write {ANSWERS_EXAMPLE}")
    name = f"{place.name.partition('.')[0]} in {corpus.name.partition('.')[0]}"
    return ScoreSet(
        name=name,
        questions=questions,
        passages=lambda: (record_text(record) for record in read_corpus(corpus)),
        answers=answers,
    )


def plain(text: str) -> str:
    """A text as answers are looked for in: NFKC, lower case, white space as one space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def stands_as(answer: str) -> re.Pattern[str]:
    """What finds an answer in a passage, both as :func:`plain` puts them.

    ``2`` is not found in ``1200만 명``, nor ``ran`` in ``france``; ``서울`` is in ``서울에서``, and ``2`` in ``2명``.
    """
    before = f"(?<!{_SPACED})" if re.match(_SPACED, answer[0]) else ""
    after = f"(?!{_SPACED})" if re.match(_SPACED, answer[-1]) else ""
    if answer[0].isdecimal():
        before += rf"(?<!\d{_MARK_IN_NUMBER})"
    if answer[-1].isdecimal():
        after += rf"(?!{_MARK_IN_NUMBER}\d)"
    return re.compile(f"{before}{re.escape(answer)}{after}")


def rank(
    embedder: EmbedderLike,
    score_set: ScoreSet,
    *,
    ks: Sequence[int] = KS,
    vectors: Path | None = None,
    progress: Progress | None = None,
) -> Ranked:
    """Embeds and searches, exactly.

    Args:
        embedder: The model, with its prefixes for queries and passages.
        score_set: What to score on.
        ks: Depths to report.
        vectors: Folder that the passages' vectors are kept in for another time; a temporary one by default.
        progress: Told the number of passages that are embedded.
    """
    cuts = tuple(sorted(set(ks)))
    if not cuts or cuts[0] < 1:
        raise ConfigError("depths are whole numbers of 1 or more, such as 1,5,10")
    with tempfile.TemporaryDirectory(prefix="kure-rag-vectors-") as temporary:
        folder = vectors or Path(temporary)
        digest = texts_digest(score_set.passages())
        file = embed_to_file(embedder, score_set.passages(), folder, corpus=digest, progress=progress)
        rows = best_rows(file.open(), embedder.embed_queries(list(score_set.questions)), cuts[-1])
    return Ranked(
        name=score_set.name,
        model=embedder.name,
        passages=file.count,
        ranks=_ranks(score_set, rows),
        depth=cuts[-1],
        ks=cuts,
    )


def _ranks(score_set: ScoreSet, rows: np.ndarray[Any, np.dtype[np.int64]]) -> tuple[int, ...]:
    if score_set.relevant is not None:
        return tuple(
            next((i for i, row in enumerate(found, 1) if row in relevant), 0)
            for found, relevant in zip(rows.tolist(), score_set.relevant, strict=True)
        )
    if score_set.answers is None:
        raise ConfigError(f"{score_set.name}: neither relevant passages nor answers say what should be found")
    # One pass over the corpus: what is found of it is little beside the rest.
    wanted = set(rows.ravel().tolist())
    texts: Mapping[int, str] = {i: plain(text) for i, text in enumerate(score_set.passages()) if i in wanted}
    wanted_in = [tuple(map(stands_as, answers)) for answers in score_set.answers]
    return tuple(
        next((i for i, row in enumerate(found, 1) if any(answer.search(texts[row]) for answer in answers)), 0)
        for found, answers in zip(rows.tolist(), wanted_in, strict=True)
    )
