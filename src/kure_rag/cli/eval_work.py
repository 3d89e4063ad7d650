"""The evaluations of one ``kure-rag eval``: an index for all of them, and what is kept of each."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kure_rag.cli import common, embedding
from kure_rag.cli.eval_index import own_index, remove_finished
from kure_rag.embed.rerank import KureReranker
from kure_rag.errors import ConfigError, IndexPathError, ReadError
from kure_rag.evaluate import SavedRun, read_run, write_run
from kure_rag.evaluate.journal import Journal
from kure_rag.evaluate.measure import LatencySettings
from kure_rag.evaluate.saved import RANKING, folder_name
from kure_rag.evaluate.saving import finished_run, identity_of, measured_run, model_of, save_run
from kure_rag.ingest.places import corpus_name
from kure_rag.read.corpus import record_id

if TYPE_CHECKING:
    from kure_rag.evaluate import EvaluationSettings, RetrievalSet
    from kure_rag.evaluate.saving import MeasuredRun
    from kure_rag.pipeline import KureIndex


class Work:
    """The evaluations of one command, which share an index.

    Args:
        options: The command's.
        retrieval_set: What is asked.
        domains: Query id → domain.
    """

    def __init__(self, options: argparse.Namespace, retrieval_set: RetrievalSet, domains: Mapping[str, str]) -> None:
        self._options = options
        self._set = retrieval_set
        self._domains = domains
        self._reranker = None if options.rerank is None else KureReranker(options.rerank)

    def passing(self, asked: Sequence[EvaluationSettings]) -> list[dict[str, Any]]:
        """Evaluates, and keeps nothing but what ``--index`` and ``--run`` say."""
        options, results = self._options, []
        with tempfile.TemporaryDirectory(prefix="kure-rag-eval-") as scratch:
            folder = options.index or Path(scratch, "index")
            with common.mending() as steps, embedding.open_index(options, folder, progress=steps) as index:
                self._refuse_others(index)
                noted = self._fill(index)
                for settings in asked:
                    done = self._ask(index, settings)
                    model = model_of(settings, index.embedder.name)
                    results.append(self._result(settings, model, done.summary.to_dict(), {**noted, **done.measured}))
                    if options.run_file:
                        write_run(options.run_file, done.evaluation.run)
        return results

    def kept(self, asked: Sequence[EvaluationSettings]) -> list[dict[str, Any]]:
        """Evaluates what is not finished yet, and keeps it; an index of its own is removed when all of it is."""
        runs: dict[int, SavedRun] = {}
        with ExitStack() as stack:
            opened = self._given_index(stack)
            identities, folders, made_with = self._plan(asked, opened)
            for number, (folder, identity) in enumerate(zip(folders, identities, strict=True)):
                if (found := finished_run(folder, identity)) is not None:
                    runs[number] = found
            todo = [number for number in range(len(asked)) if number not in runs]
            journals = {
                number: stack.enter_context(self._journal(folders[number], identities[number])) for number in todo
            }
            if todo:
                index = opened or self._own_index(stack, folders, made_with)
                noted = {key: value for key, value in self._fill(index).items() if value is not None}
                for journal in journals.values():  # in all of them now: a later process does not index again
                    journal.note(**{key: value for key, value in noted.items() if key not in journal.noted})
                for number in todo:
                    done = self._ask(index, asked[number], journals[number])
                    runs[number] = save_run(folders[number], identities[number], done, journals[number])
        if not todo:
            remove_finished(folders[0])
        if self._options.run_file:
            write_run(self._options.run_file, read_run(folders[0] / RANKING))
        return [self._of_saved(asked[number], runs[number], fresh=number in todo) for number in sorted(runs)]

    def _given_index(self, stack: ExitStack) -> KureIndex | None:
        options = self._options
        if options.index is None:
            return None
        steps = stack.enter_context(common.mending())
        index = stack.enter_context(embedding.open_index(options, options.index, progress=steps))
        self._refuse_others(index)
        return index

    def _own_index(self, stack: ExitStack, folders: Sequence[Path], made_with: Mapping[str, Any]) -> KureIndex:
        folder = stack.enter_context(own_index(folders, made_with))
        return stack.enter_context(embedding.open_index(self._options, folder))

    def _plan(
        self, asked: Sequence[EvaluationSettings], index: KureIndex | None
    ) -> tuple[list[dict[str, Any]], list[Path], dict[str, Any]]:
        """For each evaluation what it depends on, and the folder it is kept in; and what their index is made with."""
        options = self._options
        if index is None:
            options.model = options.model or embedding.default_model()
            embedder: Any = embedding.embedder(options)
            fingerprint = embedding.fingerprint(embedder)
        else:
            embedder, fingerprint = index.embedder, index.info()["fingerprint"]
        engine = {key: value for key, value in embedding.chosen(options).items() if key in ("backend", "precision")}
        made_with = {"fingerprint": fingerprint, "engine": engine}
        if self._reranker is not None:
            fingerprint = {**fingerprint, "reranker": [self._reranker.name, self._reranker.revision]}
        identities = [
            identity_of(
                self._set,
                settings,
                model=embedder.name,
                dense_weight=embedder.dense_weight,
                fingerprint=fingerprint,
                engine=engine,
            )
            for settings in asked
        ]
        folders = [options.save / self._name(settings, embedder.name) for settings in asked]
        return identities, folders, {"set": identities[0]["task_sha256"], **made_with}

    def _name(self, settings: EvaluationSettings, model: str) -> str:
        options = self._options
        if options.name is not None:
            return f"{options.name}-{settings.mode}" if options.mode == "all" else str(options.name)
        parts = [self._set.name, *([] if settings.mode == "lexical" else [model.rpartition("/")[2]]), settings.mode]
        return folder_name(*parts, *([settings.reranker.rpartition("/")[2]] if settings.reranker else []))

    def _journal(self, folder: Path, identity: Mapping[str, Any]) -> Journal:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise IndexPathError(f"{folder}: cannot be made ({error.strerror}); give --save another folder") from error
        journal = Journal(folder, identity)
        if journal.answered:
            told = f"{len(journal.answered)} of {len(self._set.queries)} questions were answered before"
            print(f"going on with {folder}: {told}", file=sys.stderr)
        return journal

    def _fill(self, index: KureIndex) -> dict[str, Any]:
        """Puts the corpus into the index; what is there already is left alone."""
        if self._reranker is not None:
            self._reranker.load()  # one that cannot be loaded is told before the corpus is embedded
        corpus = self._set.corpus_path
        with common.progress("indexing") as advance:
            report = index.add_records(self._set.records(), corpus=corpus_name(corpus), progress=advance)
        if lost := [row for row in report.rows if row.status == "rejected"]:
            raise ReadError(
                lost[0].source,
                f"{lost[0].reason} ({len(lost)} records could not be indexed: no score would be right)",
            )
        told = index.info()
        if told["documents"] > len(report.rows):
            raise ConfigError(
                f"{index.path}: now holds {told['documents']} documents, more than the {len(report.rows)} of "
                f"{corpus.name}: another process has added some. Give --index a folder of the set's own"
            )
        whole = all(row.status == "added" for row in report.rows)  # not partly there before
        return {
            "index_seconds": round(report.seconds, 3) if whole else None,
            "index_bytes": sum(told["bytes"].values()),
        }

    def _refuse_others(self, index: KureIndex) -> None:
        """Refuses an index with anything besides the set, before anything is written to it: it is somebody's own."""
        others = {row.id: row.source for row in index.documents()}
        if not others:
            return
        for record in self._set.records():
            others.pop(record_id(record), None)
        if others:
            raise ConfigError(
                f"{index.path}: holds {len(others)} documents that are not in {self._set.corpus_path.name}, first "
                f"{next(iter(others.values()))!r}, and a search would find those too. Nothing was added to it; give "
                "--index a folder of the set's own"
            )

    def _ask(self, index: KureIndex, settings: EvaluationSettings, journal: Journal | None = None) -> MeasuredRun:
        with common.progress(f"asking ({settings.pipeline})") as advance:
            return measured_run(
                index,
                self._set,
                settings,
                dense_weight=index.embedder.dense_weight,
                reranker=self._reranker,
                domains=self._domains,
                sample=LatencySettings(sample=self._options.latency),
                batch_size=self._options.batch,
                progress=_counted(advance),
                journal=journal,
            )

    def _result(
        self, settings: EvaluationSettings, model: str, scores: Mapping[str, Any], measured: Mapping[str, Any]
    ) -> dict[str, Any]:
        headline = ("ndcg@10", "mrr@10", "recall@1", "recall@5", "recall@10")
        return {
            "set": self._set.name,
            "model": model,
            "mode": settings.mode,
            "pipeline": settings.pipeline,
            **{name: scores["metrics"][name]["mean"] for name in headline if name in scores["metrics"]},
            "queries": scores["queries"],
            "unanswered": scores["unanswered"],
            "queries_per_second": measured.get("queries_per_second"),
            "metrics": scores["metrics"],
            "domains": scores["domains"],
            "measured": dict(measured),
        }

    def _of_saved(self, settings: EvaluationSettings, saved: SavedRun, *, fresh: bool) -> dict[str, Any]:
        told = self._result(settings, saved.model, saved.data, saved.measured)
        return {**told, "saved": str(saved.folder), "finished_before": not fresh}


def _counted(advance: common.Advance) -> Callable[[int, int], None]:
    return lambda done, total: advance(done, total, "")
