"""Questions → triplets on disk, batch by batch."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from kure_rag.embed import KureReranker
from kure_rag.errors import ConfigError
from kure_rag.evaluate.journal_file import refuse_other
from kure_rag.evaluate.measure import versions
from kure_rag.evaluate.saved import write_json
from kure_rag.search import Reranker
from kure_rag.search.rerank import loaded
from kure_rag.train.mine.journal import ANEW, INSTEAD, MineJournal, journal_path
from kure_rag.train.mine.questions import Question, digest_of
from kure_rag.train.mine.report import FILTERS, MineReport, Tally
from kure_rag.train.mine.search import MineIndex, find
from kure_rag.train.mine.settings import MineSettings
from kure_rag.train.mine.sift import Pair, choose, sift
from kure_rag.train.mine.write import check_out, digest_of_file, report_path, write_triplets

FORMAT: Final = 1
Progress = Callable[[int, int], None]


def mine(
    index: MineIndex,
    questions: Sequence[Question],
    out: str | Path,
    settings: MineSettings | None = None,
    *,
    reranker: Reranker | None = None,
    id_key: str | None = None,
    engine: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> MineReport:
    """Search for every question, and write each positive with passages that were found and do not answer.

    A run that was interrupted or killed goes on where it was, and writes the same bytes. What is written::

        {"query": …, "positive": …, "negatives": […], "query_id": …, "positive_id": …, "negative_ids": […],
         "scores": {"dense": {"positive": …, "negatives": […]}, "rerank": …, "ranks": […]}}

    ``dense`` are cosines by the index's model, ``null`` where none was measured; ``rerank`` likewise; ``ranks`` those
    of the search. Beside it lies ``OUT.report.json``, and ``OUT.progress`` as long as it is unfinished.

    Args:
        index: What is searched, such as a :class:`kure_rag.KureIndex`. Nothing is added to it.
        questions: With their positives, of which the index may hold all or none.
        out: ``.jsonl`` or ``.parquet``.
        settings: How.
        reranker: The settings' reranker, where it is there already.
        id_key: The key of a passage's metadata that names its document, as of a retrieval set.
        engine: What computes the vectors, as JSON values, where that was chosen: other numbers would be other triplets.
        progress: Called with questions done and questions in all.

    Raises:
        ConfigError: No question; ``out`` holds something else; or nothing is left of all candidates.
        IndexPathError: ``out`` cannot be written.
        SearchError: A question makes no sense.
    """
    began = time.monotonic()
    settings, path = settings or MineSettings(), Path(out).expanduser()
    check_out(path)
    _check(questions)
    if reranker is None and settings.reranker is not None:
        reranker = KureReranker(settings.reranker)
    identity = _identity(index, questions, settings, reranker, engine)
    if (data := _finished(path, identity)) is not None:
        return MineReport(path, data, finished_before=True, seconds=time.monotonic() - began)
    with MineJournal(path, identity) as journal:
        if reranker is not None:
            reranker = loaded(reranker)  # one that cannot be is told before the work
        batches = [questions[i : i + settings.batch] for i in range(0, len(questions), settings.batch)]
        resumed = sum(len(batch) for number, batch in enumerate(batches) if number in journal.batches)
        done = 0
        for number, batch in enumerate(batches):
            if number not in journal.batches:
                rows, sums = _batch(index, batch, settings, reranker, id_key)
                journal.add(number, rows, sums)
            done += len(batch)
            if progress is not None:
                progress(done, len(questions))
        tally = Tally()
        for kept in journal.read():
            tally.add(kept["sums"])
        if not tally.rows:
            journal.close(remove=True)
            raise ConfigError(_nothing(tally, settings))
        digest = write_triplets(path, (row for kept in journal.read() for row in kept["rows"]))
        data = {"identity": identity, "sha256": digest, **tally.to_dict()}
        write_json(report_path(path), data)
        journal.close(remove=True)
    return MineReport(path, data, resumed=resumed, seconds=time.monotonic() - began)


def _batch(
    index: MineIndex,
    questions: Sequence[Question],
    settings: MineSettings,
    reranker: Reranker | None,
    id_key: str | None,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    tally = Tally(questions=len(questions))
    pairs = [pair for found in find(index, questions, settings, id_key) for pair in sift(found, settings, tally.ratios)]
    choose(pairs, settings, reranker)
    rows = list(_rows(pairs, settings, tally))
    return rows, tally.to_dict()


def _rows(pairs: Sequence[Pair], settings: MineSettings, tally: Tally) -> Iterator[dict[str, Any]]:
    for pair in pairs:
        count = len(pair.taken)
        tally.pairs += 1
        tally.candidates += len(pair.found.candidates)
        tally.taken += count
        tally.dropped.update(pair.dropped)
        if not count:
            tally.without += 1
            continue
        if count < settings.negatives:
            tally.short += 1
            if not settings.keep_short:
                continue
        tally.rows += 1
        tally.negatives += count
        yield pair.row()


def _check(questions: Sequence[Question]) -> None:
    if not questions:
        raise ConfigError("no questions to mine for; give some with the passages that answer them")
    seen: set[str] = set()
    for question in questions:
        if question.id in seen:
            raise ConfigError(f"question {question.id!r} is there twice; give each an id of its own")
        if not question.positives:
            raise ConfigError(f"question {question.id!r} has no positive; a triplet needs one")
        seen.add(question.id)


def _identity(
    index: MineIndex,
    questions: Sequence[Question],
    settings: MineSettings,
    reranker: Reranker | None,
    engine: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """All that the triplets depend on, as JSON values."""
    fingerprint = index.info()["fingerprint"]
    if not settings.measures_cosines:
        fingerprint = {key: fingerprint[key] for key in ("tokenizer", "chunker") if key in fingerprint}
    documents = hashlib.sha256("\n".join(sorted(row.id for row in index.documents())).encode()).hexdigest()
    told: dict[str, Any] = {**asdict(settings), "reranker": None, "rerank": None}
    if reranker is not None:
        judge = [getattr(reranker, "name", type(reranker).__name__), getattr(reranker, "revision", None)]
        told.update(reranker=judge, rerank=asdict(settings.rerank))
    identity = {
        "format": FORMAT,
        "kind": "triplets",
        "questions": len(questions),
        "questions_sha256": digest_of(questions),
        "settings": told,
        "index": {"documents_sha256": documents, "fingerprint": fingerprint, "engine": dict(engine or {})},
        "versions": versions(),
    }
    whole: dict[str, Any] = json.loads(json.dumps(identity))  # as a file gives it back
    return whole


def _finished(out: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """The report of triplets that are there and the same.

    Raises:
        ConfigError: There is something else in their place.
    """
    report = report_path(out)
    if not out.exists():
        return None
    if not report.is_file():
        if journal_path(out).is_file():  # a kill came between the two; the journal says whether it is the same
            return None
        raise ConfigError(f"{out}: is there, and has no {report.name} that says what it was mined with. {ANEW}")
    try:
        data: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        there, digest = data["identity"], data["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{report}: cannot be read as a report of `kure-rag mine`. {ANEW}") from error
    refuse_other(out, there, identity, "triplets", instead=INSTEAD)
    if digest_of_file(out) != digest:
        raise ConfigError(f"{out}: was changed since it was mined. {ANEW}")
    journal_path(out).unlink(missing_ok=True)
    return data


def _nothing(tally: Tally, settings: MineSettings) -> str:
    most = sorted(((count, name) for name, count in tally.dropped.items() if count), reverse=True)[:3]
    told = "; ".join(f"{count} {name} ({FILTERS[name]})" for count, name in most) or "none was found at all"
    hint = "look deeper, want fewer, or loosen the bounds"
    if tally.short and not settings.keep_short:
        hint += f", or keep the {tally.short} pairs that have some but not {settings.negatives}"
    return (
        f"no pair has {settings.negatives} negatives, so nothing was written: of {tally.candidates} candidates for "
        f"{tally.pairs} pairs {told}. {hint[0].upper()}{hint[1:]}"
    )
