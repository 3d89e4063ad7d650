"""Searches settings stage by stage, as AutoRAG does node by node, and believes only what other questions confirm.

A grid of a hundred settings needs no optimiser. Each stage (chunking, keyword engine, fusion, reranker) tries its
alternatives to the settings so far on one half of the questions, the tuning half. Its best is then tested once on the
other, held-out half against what stood before it, by a paired randomisation test at ``alpha`` divided by the number of
stages (Bonferroni): where no setting is better than the present ones, the chance to change anything is at most
``alpha``. How many settings were tried does not matter to that, since none of them was chosen by the held-out half.
Only what is preferred there goes on to the next stage.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag._version import __version__
from kure_rag.chunk import ChunkSettings
from kure_rag.embed import Embedder
from kure_rag.errors import ConfigError
from kure_rag.evaluate import bootstrap_interval
from kure_rag.evaluate.metrics import PER_QUERY
from kure_rag.pipeline.recut import holds_uncut, recut
from kure_rag.search import ConvexFusion, convex
from kure_rag.tune.confirm import confirm
from kure_rag.tune.gold import Question
from kure_rag.tune.grid import STAGES, Grid, Setting, Stage, chunkings, engines, fusions, rerankers
from kure_rag.tune.progress import Progress
from kure_rag.tune.questions import read_gold
from kure_rag.tune.ranker import Ranker, Scores
from kure_rag.tune.report import Half, Outcome, Trial, TuneReport

if TYPE_CHECKING:
    from kure_rag.pipeline import KureIndex

Advance = Callable[[int, int | None, str], None]
_INDEX: Final = "cut-"  # what the folders of indexes that were made begin with
_ALTERNATIVES: Final = {"chunking": chunkings, "lexical": engines, "fusion": fusions, "reranker": rerankers}


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneSettings:
    """How settings are searched.

    Attributes:
        metric: What is to be good: ``ndcg``, ``recall``, ``precision``, ``mrr`` or ``map`` at some rank.
        holdout: Share of the questions that only confirm.
        seed: Of the split, and of the tests.
        alpha: The chance to prefer anything where nothing is better.
        grid: What is tried.
        most_trials: Settings after which nothing new is tried; no limit when ``None``.
        seconds: Likewise.
    """

    metric: str = "ndcg@10"
    holdout: float = 0.5
    seed: int = 0
    alpha: float = 0.05
    grid: Grid = field(default_factory=Grid)
    most_trials: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        name, _, rank = self.metric.partition("@")
        if name not in PER_QUERY or not rank.isdigit() or int(rank) < 1:
            raise ValueError(f"no metric named {self.metric!r}; choose {', '.join(PER_QUERY)}, such as ndcg@10")
        if not 0.1 <= self.holdout <= 0.9:
            raise ValueError(f"the held-out share lies between .1 and .9, not at {self.holdout}")
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha lies between 0 and 1, not at {self.alpha}")


def tune(
    index: KureIndex,
    qa: str | Path,
    *,
    corpus: str | Path | None = None,
    settings: TuneSettings | None = None,
    work: str | Path | None = None,
    progress: Advance | None = None,
    on_trial: Callable[[Trial], None] | None = None,
    on_report: Callable[[TuneReport], None] | None = None,
) -> TuneReport:
    """Searches settings on one's own questions.

    The index stays as it is: other chunkings are made in indexes of their own, without reading a file again.

    Args:
        index: Opened as it is searched now: with its ``config``, if any.
        qa: AutoRAG's ``qa.parquet``, also from ``kure-rag qa``.
        corpus: See :func:`~kure_rag.tune.questions.read_gold`.
        settings: How to search.
        work: A folder for what was tried, from which an interrupted search goes on, and for the other indexes; removed
            at the end. A temporary one by default.
        progress: Called with what is done, of how much, and what it is.
        on_trial: Called with each setting that was tried.
        on_report: Called with the result while ``work`` still holds what was tried: the place to write files. Where it
            raises, ``work`` stays, and the next search comes to the same result without computing it again.

    Raises:
        MissingExtraError: The extra ``autorag`` or ``eval`` is not installed.
        CorpusFormatError: The questions cannot be read, or ask for passages that the index does not have.
        ConfigError: Too few questions, a metric that looks at more hits than the present settings return, or ``work``
            holds another search.
        EmbeddingError: The index's model cannot be used.
    """
    settings = settings or TuneSettings()
    present = present_setting(index)
    _check_depth(settings.metric, present.options.k)
    questions = read_gold(index, qa, corpus)
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="kure-rag-tune-"))
        folder = Path(scratch if work is None else work)
        with Progress(folder, _identity(index, questions, settings, present)) as state:
            with _searching(index, questions, settings, present, folder, state, progress, on_trial) as search:
                report = search.report()
            if on_report is not None:
                on_report(report)
            for made in folder.glob(f"{_INDEX}*"):
                shutil.rmtree(made, ignore_errors=True)
        with suppress(OSError):  # something else is in it
            folder.rmdir()
    return report


def _check_depth(metric: str, k: int) -> None:
    """A search returns ``k`` hits: what stands below them is no answer, and a reranker does not even read it."""
    name, _, cut = metric.partition("@")
    if int(cut) > k:
        raise ConfigError(
            f"{metric} looks at {cut} hits, and the present settings return {k}: give a metric of {k} hits or fewer, "
            f"such as {name}@{k}, or settings with `k: {cut}` under `search:`"
        )


def present_setting(index: KureIndex) -> Setting:
    """How an index is cut and searched now."""
    options = index.search_options
    if options.fusion is None:
        options = replace(options, fusion=convex(index.embedder.dense_weight))
    return Setting(chunks=index.chunk_settings if holds_uncut(index) else None, options=options)


def split(ids: Sequence[str], holdout: float, seed: int) -> tuple[list[str], list[str]]:
    """Question ids → those to choose on, and those to confirm on; at least one each.

    Args:
        ids: In any order.
        holdout: Share of the second.
        seed: The same seed splits the same ids alike.
    """
    mixed = sorted(ids)
    np.random.default_rng(seed).shuffle(mixed)
    count = min(max(round(holdout * len(mixed)), 1), len(mixed) - 1)
    return sorted(mixed[count:]), sorted(mixed[:count])


@contextmanager
def _searching(*arguments: Any) -> Iterator[_Search]:
    search = _Search(*arguments)
    try:
        yield search
    finally:
        search.close()


class _Search:
    """One search, from the split to the report."""

    def __init__(
        self,
        index: KureIndex,
        questions: Sequence[Question],
        settings: TuneSettings,
        present: Setting,
        folder: Path,
        state: Progress,
        progress: Advance | None,
        on_trial: Callable[[Trial], None] | None,
    ) -> None:
        self._index = index
        self._questions = questions
        self._settings = settings
        self._present = present
        self._folder = folder
        self._state = state
        self._advance: Advance = progress or (lambda done, total, name: None)
        self._on_trial = on_trial or (lambda trial: None)
        self._began = time.monotonic()
        self._tuning, self._held_out = split([one.id for one in questions], settings.holdout, settings.seed)
        self._trials: list[Trial] = []
        self._means: dict[str, dict[str, float]] = {}
        self._vectors = self._embedded() if self._embeds else None
        self._rankers = {present.chunks: self._ranker(index)}

    @property
    def _embeds(self) -> bool:
        return self._present.options.mode != "lexical"

    def _embedded(self) -> Any:
        self._advance(0, len(self._questions), "embedding the questions")
        return np.asarray(self._index.embedder.embed_queries([one.text for one in self._questions]), dtype=np.float32)

    def _ranker(self, index: KureIndex) -> Ranker:
        return Ranker(index, self._questions, self._vectors, self._settings.metric, self._advance)

    def close(self) -> None:
        """Closes the indexes that were made."""
        for ranker in self._rankers.values():
            if ranker.index is not self._index:
                ranker.index.close()

    # The stages

    def report(self) -> TuneReport:
        """Searches."""
        before = self._values(self._present, self._tuning)
        current, outcomes, note = self._present, [], ""
        if min(before.values()) == 1.0:
            note = "every question of the tuning half is answered as well as can be: there is nothing to improve"
        else:
            stages = {stage: self._why_not(stage) for stage in STAGES if stage in self._settings.grid.stages}
            alpha = self._settings.alpha / max(1, sum(not reason for reason in stages.values()))
            for stage, reason in stages.items():
                outcome = Outcome(stage=stage, note=reason) if reason else self._stage(stage, current, alpha)
                outcomes.append(outcome)
                if outcome.is_preferred and outcome.best is not None:
                    current = outcome.best.setting
        return TuneReport(
            metric=self._settings.metric,
            seed=self._settings.seed,
            tuning=len(self._tuning),
            held_out=len(self._held_out),
            present=self._present,
            chosen=current,
            scores_present=self._both(self._present),
            scores_chosen=self._both(current),
            outcomes=tuple(outcomes),
            trials=tuple(self._trials),
            note=note,
        )

    def _why_not(self, stage: Stage) -> str:
        """Why a stage has nothing to try; empty where it has."""
        grid, mode = self._settings.grid, self._present.options.mode
        if stage == "chunking" and self._present.chunks is None:
            return "not tried: the index holds ready passages, which are not cut again"
        if stage == "lexical" and mode == "dense":
            return "not tried: keywords are not searched"
        if stage == "lexical" and (count := self._index.info()["chunks"]) > grid.most_passages:
            return f"not tried: rank-bm25 would be made of {count:,} passages in every process"
        if stage == "fusion" and mode != "hybrid":
            return f"not tried: the index is searched by one leg ({mode})"
        if next(iter(_ALTERNATIVES[stage](self._present, grid)), None) is None:
            return "not tried: name models with --rerank" if stage == "reranker" else "not tried: nothing else is given"
        return ""

    def _stage(self, stage: Stage, current: Setting, alpha: float) -> Outcome:
        before = self._values(current, self._tuning)
        best, values, tried, note = None, before, 0, ""
        alternatives = list(_ALTERNATIVES[stage](current, self._settings.grid))
        for number, setting in enumerate(alternatives):
            if note := self._spent():
                break
            self._advance(number, len(alternatives), f"{stage}: {setting.differs(current)}")
            trial, found = self._try(stage, setting, current)
            tried += 1
            if sum(found.values()) > sum(values.values()):
                best, values = trial, found
        if best is None:
            return Outcome(stage=stage, tried=tried, note=note)
        gain = (sum(values.values()) - sum(before.values())) / len(values)
        told = confirm(
            self._values(current, self._held_out),
            self._values(best.setting, self._held_out),
            alpha=alpha,
            seed=self._settings.seed,
        )
        return Outcome(stage=stage, tried=tried, best=best, gain=gain, confirmation=told, note=note)

    def _spent(self) -> str:
        settings = self._settings
        if settings.most_trials is not None and len(self._trials) >= settings.most_trials:
            return f"stopped after {settings.most_trials} settings, as was asked"
        if settings.seconds is not None and time.monotonic() - self._began > settings.seconds:
            return f"stopped after {settings.seconds / 60:g} minutes, as was asked"
        return ""

    def _try(self, stage: Stage, setting: Setting, current: Setting) -> tuple[Trial, dict[str, float]]:
        if stage == "lexical":
            setting = self._scaled(setting, current)
        values = self._values(setting, self._tuning)
        before = self._values(self._present, self._tuning)
        difference = bootstrap_interval([values[i] - before[i] for i in self._tuning], seed=self._settings.seed)
        trial = Trial(
            stage=stage,
            setting=setting,
            label=setting.differs(current),
            score=sum(values.values()) / len(values),
            difference=difference,
            characters=self._characters(setting) if stage == "chunking" else None,
        )
        self._trials.append(trial)
        self._on_trial(trial)
        return trial, values

    def _scaled(self, setting: Setting, current: Setting) -> Setting:
        """The fusion with a scale that fits the keyword engine's scores."""
        fusion = current.fusion
        if not isinstance(fusion, ConvexFusion) or setting.options.mode != "hybrid":
            return setting
        key = f"scale {setting.key}"
        if (scale := self._state.get(key)) is None:
            ranker = self._ranker_of(current)
            scale = ranker.scale(fusion, current.options, setting.options, self._tuning)
            self._state.keep(key, scale)
        return replace(setting, options=replace(setting.options, fusion=replace(fusion, scale=scale)))

    # Values

    def _values(self, setting: Setting, ids: Sequence[str]) -> dict[str, float]:
        """Question → value, computed once, in whichever run."""
        key = f"{'tuning' if ids is self._tuning else 'held-out'} {setting.key}"
        if key not in self._means:
            known = self._state.get(key)
            if known is None:
                ranker = self._ranker_of(setting)
                values = ranker.values(setting, ids, self._reranked(ranker, setting, ids))
                known = [values[id_] for id_ in ids]
                self._state.keep(key, known)
            self._means[key] = dict(zip(ids, known, strict=True))
        return self._means[key]

    def _reranked(self, ranker: Ranker, setting: Setting, ids: Sequence[str]) -> Scores | None:
        """What a reranker says; it reads each passage once, for whichever number of candidates."""
        rerank = setting.options.rerank
        if rerank is None:
            return None
        ranker.pools(setting.options, ids)
        scores: Scores = {}
        for done, id_ in enumerate(ids):
            key = f"{rerank.model} for {id_} of {setting.chunks}"
            before = self._state.get(key) or {}
            scores[id_] = ranker.reranked(setting, rerank, id_, before)
            if len(scores[id_]) > len(before):
                self._state.keep(key, scores[id_])
                self._advance(done, len(ids), f"reranking with {rerank.model}")
        return scores

    def _characters(self, setting: Setting) -> float:
        key = f"characters {setting.key}"
        if (known := self._state.get(key)) is None:
            known = self._ranker_of(setting).characters(setting, self._tuning)
            self._state.keep(key, known)
        return float(known)

    def _ranker_of(self, setting: Setting) -> Ranker:
        chunks = setting.chunks
        if chunks not in self._rankers:  # the present ones are, and so is None
            self._rankers[chunks] = self._ranker(self._cut(chunks or ChunkSettings()))
        return self._rankers[chunks]

    def _cut(self, chunks: ChunkSettings) -> KureIndex:
        label = f"cutting {chunks.profile} {chunks.target}/{chunks.longest}"
        name = hashlib.sha256(repr(chunks).encode()).hexdigest()[:8]
        return recut(
            self._index,
            self._folder / f"{_INDEX}{name}",
            chunks,
            embeds=self._embeds,
            progress=lambda done, total, source: self._advance(done, total, f"{label}: {source}"),
        )

    def _both(self, setting: Setting) -> Half:
        found = {
            name: [self._values(setting, ids)[i] for i in ids]
            for name, ids in (("tuning", self._tuning), ("held_out", self._held_out))
        }
        return Half(**{name: bootstrap_interval(values, seed=self._settings.seed) for name, values in found.items()})


def _identity(
    index: KureIndex, questions: Sequence[Question], settings: TuneSettings, present: Setting
) -> dict[str, Any]:
    """All that a value depends on, of what may be another at the next start."""
    info = index.info()
    embedder = index.embedder if present.options.mode != "lexical" else None
    return {
        "format": 1,
        "kure_rag": __version__,
        "questions": _digest(questions),
        "index": {name: info[name] for name in ("generation", "documents", "chunks", "fingerprint")},
        "engine": dict(embedder.engine) if isinstance(embedder, Embedder) else None,
        "metric": settings.metric,
        "holdout": settings.holdout,
        "seed": settings.seed,
        "present": present.to_dict(),
    }


def _digest(questions: Sequence[Question]) -> str:
    """Of the questions and the places of their answers, whichever files said them."""
    rows = [
        [one.id, one.text, sorted(sorted(astuple(span) for span in group) for group in one.groups)]
        for one in sorted(questions, key=lambda one: one.id)
    ]
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()
