"""``kure-rag eval mteb``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.cli import common, embedding
from kure_rag.cli.eval_mteb_workers import Parent, run_workers
from kure_rag.errors import ConfigError

if TYPE_CHECKING:
    from mteb.abstasks import AbsTaskRetrieval

    from kure_rag.evaluate.mteb_encoder import Progress
    from kure_rag.evaluate.mteb_run import Model, Outcome
    from kure_rag.search.fusion import Fusion

_WORK: Final = ".work"
_SHOWN: Final = (("ndcg", 1), ("ndcg", 10), ("recall", 1), ("recall", 10), ("precision", 1), ("f1", 1))


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "mteb",
        "run mteb's Korean retrieval tasks on a model or a pipeline, and print KURE-style tables of the results",
        """\
  kure-rag eval mteb --model KURE-v1
  kure-rag eval mteb --model KoE5 --tasks Ko-StrategyQA,AutoRAGRetrieval
  kure-rag eval mteb --mode lexical
  kure-rag eval mteb --model KURE-v1 --mode hybrid --reranker dragonkue/bge-reranker-v2-m3-ko
  kure-rag eval mteb --model static-ko --tasks ./my-set
  kure-rag eval mteb --tables mteb-results

  Results are mteb's own files, DIR/results/MODEL/REVISION/TASK.json. A finished task is not run again. With several
  graphics cards the tasks are split over them, one process each. Data sets come from the model hub; a folder with
  corpus.jsonl, queries.jsonl and qrels.tsv is a task, too.""",
    )
    parser.add_argument("--tasks", metavar="A,B", help="names of mteb's retrieval tasks, or folders (ten Korean ones)")
    parser.add_argument(
        "--mode",
        choices=("dense", "lexical", "hybrid"),
        default="dense",
        help="dense: the model's vectors, as mteb ranks them; lexical: BM25 on Kiwi's morphemes, without a model; "
        "hybrid: both, as an index searches (default: dense)",
    )
    parser.add_argument("--fusion", choices=("convex", "rrf"), help="of both legs, for hybrid (convex)")
    parser.add_argument("--weight", type=float, metavar="W", help="of the vectors in the fusion, 0 to 1 (the card's)")
    parser.add_argument("--reranker", metavar="NAME", help="a cross-encoder that reads the first candidates")
    parser.add_argument(
        "--rerank-candidates", type=int, metavar="N", help="how many it reads for each query (default: 20)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("mteb-results"), metavar="DIR", help="where results go (mteb-results)"
    )
    parser.add_argument("--tables", type=Path, metavar="DIR", help="run nothing; print tables of the results in DIR")
    parser.add_argument("--csv", action="store_true", help="with --tables: CSV, not Markdown")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)  # the process that shares its tasks with this one
    common.add_json(parser)
    embedding.add_embedding(parser, "nlpai-lab/KURE-v1", engine="torch")
    parser.set_defaults(
        run=run, parser=parser, interrupted="interrupted; finished tasks are kept, and the same command runs the others"
    )


def run(options: argparse.Namespace) -> int:
    """Runs the tasks, or prints the tables."""
    if options.tables is not None:
        return _print_tables(options)
    _check(options)
    parent = None if options.worker is None else Parent(options.worker)
    common.log_to_stderr()
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")  # they would write over ours
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from kure_rag.evaluate.mteb_tasks import DEFAULT_TASKS, find_tasks

    names = DEFAULT_TASKS if options.tasks is None else [name.strip() for name in options.tasks.split(",")]
    tasks = find_tasks([name for name in names if name])
    outcomes = _shared(options, tasks) if options.worker is None else None
    if outcomes is None:
        outcomes = _run_here(options, tasks, parent)
    if options.worker is None:
        _report(options, outcomes)
    return 1 if any(outcome.status == "failed" for outcome in outcomes) else 0


def _check(options: argparse.Namespace) -> None:
    """Refuses options that do not go together, before seconds of imports."""
    wrong = None
    if options.csv:
        wrong = "--csv is for --tables DIR"
    elif options.mode == "lexical" and (options.model is not None or embedding.is_asked(options)):
        wrong = "--mode lexical ranks by words alone: leave out --model, and what says how a model is run"
    elif options.mode != "hybrid" and (options.fusion is not None or options.weight is not None):
        wrong = "--fusion and --weight are for --mode hybrid"
    elif options.rerank_candidates is not None and options.reranker is None:
        wrong = "--rerank-candidates says how many --reranker reads; give both"
    elif options.rerank_candidates is not None and options.rerank_candidates < 1:
        wrong = f"--rerank-candidates {options.rerank_candidates}: give a whole number of at least 1"
    elif options.weight is not None and not 0 <= options.weight <= 1:
        wrong = f"--weight {options.weight}: a dense weight lies between 0 and 1"
    if wrong is not None:
        options.parser.error(wrong)


def _shared(options: argparse.Namespace, tasks: Sequence[AbsTaskRetrieval]) -> list[Outcome] | None:
    """The tasks in one process for each device; ``None`` where there is one device, or none to choose from."""
    if options.mode == "lexical" or options.backend not in (None, "torch"):
        return None
    from kure_rag.evaluate.mteb_devices import chosen_devices

    devices = chosen_devices(options.device)
    return run_workers(options, devices, tasks) if devices and len(tasks) > 1 else None


def _run_here(options: argparse.Namespace, tasks: Sequence[AbsTaskRetrieval], parent: Parent | None) -> list[Outcome]:
    from kure_rag.evaluate.mteb_run import run_tasks

    work = options.out / _WORK
    with _Progress(options, len(tasks), parent) as (advance, told):
        model = model_of(options, advance, work)
        try:
            return run_tasks(model, tasks, options.out, on_outcome=told)
        finally:
            with suppress(OSError):  # indexes of an interrupted run stay there for the next
                work.rmdir()


def model_of(options: argparse.Namespace, progress: Progress | None = None, work: Path | None = None) -> Model:
    """What was asked for as mteb takes it; nothing is loaded yet."""
    from kure_rag.evaluate.mteb_search import KureSearch, SearchSettings

    if options.model is None and options.mode != "lexical":
        options.model = "nlpai-lab/KURE-v1"
    if options.mode == "dense" and options.reranker is None:
        return _encoder(options, progress)
    embedder = None if options.mode == "lexical" else embedding.embedder(options)
    settings = SearchSettings(
        mode=options.mode,
        fusion=_fusion(options),
        reranker=_reranker(options),
        rerank_candidates=options.rerank_candidates or 20,
    )
    return KureSearch(embedder, settings, work=work, progress=progress)


def _encoder(options: argparse.Namespace, progress: Progress | None) -> Model:
    from kure_rag.embed import EmbedSettings, find_card
    from kure_rag.evaluate.mteb_encoder import KureEncoder
    from kure_rag.evaluate.mteb_kinds import encoder_for

    card = find_card(options.card or options.model)
    if card is None or card.kind not in {"sparse", "late-interaction"}:
        return KureEncoder(embedding.embedder(options), progress=progress)
    given = embedding.chosen(options)
    name = given.pop("card", None)
    try:
        return encoder_for(options.model, EmbedSettings(**given), card=name, progress=progress)
    except ValueError as error:
        raise ConfigError(f"{options.model}: {error}") from error


def _fusion(options: argparse.Namespace) -> Fusion | None:
    from kure_rag.search import RrfFusion
    from kure_rag.search.fusion import convex

    if options.fusion == "rrf":
        return RrfFusion() if options.weight is None else RrfFusion(weight=options.weight)
    return None if options.weight is None else convex(options.weight)


def _reranker(options: argparse.Namespace) -> Any:
    from kure_rag.embed import EmbedSettings, KureReranker

    if options.reranker is None:
        return None
    try:
        return KureReranker(options.reranker, EmbedSettings(device=options.device))
    except ValueError as error:
        raise ConfigError(f"--reranker {options.reranker}: {error}") from error


class _Progress:
    """A bar for the task at hand, and a line for each that is through; lines alone for a worker."""

    def __init__(self, options: argparse.Namespace, total: int, parent: Parent | None) -> None:
        self._options, self._total, self._done, self._parent = options, total, 0, parent
        self._bar = common.progress("tasks", at_once=False) if parent is None else None

    def __enter__(self) -> tuple[Progress, Callable[[Outcome], None]]:
        self._advance = self._bar.__enter__() if self._bar is not None else None
        return self._step, self._told

    def __exit__(self, *error: Any) -> None:
        if self._bar is not None:
            self._bar.__exit__(*error)

    def _step(self, done: int, total: int | None, name: str) -> None:
        if self._parent is not None:
            self._parent.check()
        if self._advance is not None:
            self._advance(done, total, name)

    def _told(self, outcome: Outcome) -> None:
        self._done += 1
        place = self._options.device if self._parent is not None else f"{self._done}/{self._total}"
        print(f"{place}  {_line(outcome)}", file=sys.stderr, flush=True)


def _line(outcome: Outcome) -> str:
    if outcome.status == "failed":
        return f"{outcome.task}  failed: {outcome.reason}"
    when = "kept from an earlier run" if outcome.status == "kept" else f"{outcome.seconds:,.0f} s"
    return f"{outcome.task}  nDCG@10 {outcome.values['ndcg', 10]:.5f}  ({when})"


def _report(options: argparse.Namespace, outcomes: Sequence[Outcome]) -> None:
    if options.json:
        common.print_json({"out": str(options.out), "tasks": [_as_dict(outcome) for outcome in outcomes]})
        return
    width = max([len("mean"), *(len(outcome.task) for outcome in outcomes)])
    good = [outcome for outcome in outcomes if outcome.status != "failed"]
    print("  ".join([" " * width, *(f"{f'{metric}@{k}':>12}" for metric, k in _SHOWN)]))
    for outcome in outcomes:
        cells = [f"{outcome.values[name]:12.5f}" if name in outcome.values else f"{'–':>12}" for name in _SHOWN]
        print("  ".join([f"{outcome.task:<{width}}", *cells]))
    if len(good) > 1 and len(good) == len(outcomes):  # a mean of some of them would pass for one of all
        means = (sum(outcome.values[name] for outcome in good) / len(good) for name in _SHOWN)
        print("  ".join([f"{'mean':<{width}}", *(f"{mean:12.5f}" for mean in means)]))
    print(f"results: {options.out}; all tables: kure-rag eval mteb --tables {options.out}")


def _as_dict(outcome: Outcome) -> dict[str, Any]:
    values = {metric if k is None else f"{metric}@{k}": value for (metric, k), value in outcome.values.items()}
    shown: dict[str, Any] = {"task": outcome.task, "status": outcome.status, "seconds": round(outcome.seconds, 1)}
    return shown | ({"reason": outcome.reason} if outcome.reason else {"metrics": values})


def _print_tables(options: argparse.Namespace) -> int:
    from kure_rag.evaluate.mteb_results import read_mteb_results
    from kure_rag.evaluate.mteb_tables import csv_text, markdown

    problems: list[str] = []
    rows = read_mteb_results(options.tables, on_problem=problems.append)
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    if options.json:
        common.print_json({"rows": [{name: getattr(row, name) for name in row.__slots__} for row in rows]})
    else:
        print(csv_text(rows) if options.csv else markdown(rows), end="")
    return 1 if problems else 0
