"""``kure-rag tune``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kure_rag.cli import common, embedding
from kure_rag.errors import ConfigError, IndexPathError

if TYPE_CHECKING:
    from kure_rag.tune import Trial, TuneReport, TuneSettings

_STAGES = ("chunking", "lexical", "fusion", "reranker")  # as tune/grid.py has them, which brings numpy
_SHOWN = 5

_METHOD = """\

Stage by stage, as AutoRAG does: chunking, keyword engine (k1 and b), fusion and weight, reranker. Each is searched on
one half of the questions; its best is tested once on the other half, against what stood before, at .05 / stages. What
is inside the noise is not preferred: the present settings are kept, and it says how many questions would tell.
An answer stays one when documents are cut otherwise: it is found at the rank where the passages so far hold more than
half of it. Files are not read again. The index stays as it is.

Ctrl-C shows what was tried so far; the same command goes on from there.
"""


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "tune",
        "search settings on your own questions, and confirm them on others",
        """\
  kure-rag qa --index my-index --no-llm --out qa
  kure-rag tune --qa qa/qa.parquet --index my-index
  kure-rag tune --qa qa.parquet --index my-index --plot tune.png --out kure-rag.yaml
  kure-rag tune --qa qa.parquet --index my-index --rerank dragonkue/bge-reranker-v2-m3-ko --budget 30m
  kure-rag tune --qa qa.parquet --corpus corpus.parquet --index my-index --stages fusion --metric mrr@10 --json

then:
  kure-rag search "연차휴가는 며칠인가요?" --index my-index --config kure-rag.yaml
  kure-rag ingest ./documents --index new-index --config kure-rag.yaml     where another chunking was preferred
"""
        + _METHOD,
    )
    common.add_index(parser)
    parser.add_argument("--qa", type=Path, required=True, metavar="FILE", help="AutoRAG's qa.parquet: the questions")
    parser.add_argument(
        "--corpus", type=Path, metavar="FILE", help="the corpus.parquet of --qa, where its ids are not the index's own"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="the present settings (default: the index's own)")
    parser.add_argument(
        "--out", type=Path, default=Path("kure-rag.yaml"), metavar="FILE", help="where to write (kure-rag.yaml)"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw what was tried: .png, .svg or .pdf")
    _add_search(parser)
    common.add_json(parser)
    embedding.add_embedding(parser, "the index's own", engine="the index's own")
    parser.set_defaults(run=run, parser=parser)


def _add_search(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the search")
    group.add_argument(
        "--metric", default="ndcg@10", metavar="M@K", help="what is to be good; K is at most the settings' k (ndcg@10)"
    )
    group.add_argument("--holdout", type=float, default=0.5, metavar="X", help="share that only confirms (0.5)")
    group.add_argument("--seed", type=int, default=0, metavar="N", help="of the split (0)")
    group.add_argument("--budget", metavar="N|Nm", help="at most so many settings, or so many minutes")
    group.add_argument("--stages", metavar="A,B", help=f"only these of {', '.join(_STAGES)}")
    group.add_argument("--targets", metavar="A,B", help="characters of a passage to try (300,400,600,800)")
    group.add_argument("--profiles", metavar="A,B", help="chunk profiles to try (auto,general)")
    group.add_argument("--rerank", action="append", default=[], metavar="MODEL", help="a reranker to try; repeatable")


def run(options: argparse.Namespace) -> int:
    """Searches, prints what was tried, and writes the settings."""
    from kure_rag.tune import tune

    settings = _settings(options)
    _check(options)
    common.log_to_stderr()
    tried: list[Trial] = []
    try:
        with (
            common.mending() as steps,
            embedding.open_index(options, options.index, config=options.config, create=False, progress=steps) as index,
            common.progress("tuning") as advance,
        ):
            report = tune(
                index,
                options.qa,
                corpus=options.corpus,
                settings=settings,
                work=_work(options.out),
                progress=advance,
                on_trial=tried.append,
                on_report=lambda report: _write(report, options),  # what was tried is kept until this returns
            )
    except KeyboardInterrupt:
        return _interrupted(options, tried)
    if options.json:
        common.print_json({**report.to_dict(), "config": str(options.out)})
    else:
        _print(report, options)
    return 0


def _write(report: TuneReport, options: argparse.Namespace) -> None:
    try:
        report.write_config(options.out)
        if options.plot:
            from kure_rag.tune.plot import save

            save(report, options.plot)
    except (IndexPathError, OSError) as error:
        kept = f"{_work(options.out)} holds what was tried, and the same command goes on from there"
        raise IndexPathError(f"{error}. {kept}") from error


def _settings(options: argparse.Namespace) -> TuneSettings:
    from kure_rag.tune import Grid, TuneSettings

    given: dict[str, Any] = {"rerankers": tuple(options.rerank)}
    if options.stages:
        given["stages"] = tuple(part.strip() for part in options.stages.split(","))
    if options.profiles:
        given["profiles"] = tuple(part.strip() for part in options.profiles.split(","))
    try:
        if options.targets:
            given["targets"] = tuple(int(part) for part in options.targets.split(","))
        return TuneSettings(
            metric=options.metric,
            holdout=options.holdout,
            seed=options.seed,
            grid=Grid(**given),
            **_budget(options.budget),
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _budget(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    number = text.removesuffix("m")
    try:
        found = float(number)
    except ValueError:
        found = 0.0
    if found <= 0 or (number == text and found != int(found)):
        raise ConfigError(f"--budget {text}: give a number of settings, such as 40, or minutes, such as 15m")
    return {"most_trials": int(found)} if number == text else {"seconds": 60 * found}


def _check(options: argparse.Namespace) -> None:
    """What would fail at the end is told before the work."""
    for path in filter(None, (options.out, options.plot)):
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise IndexPathError(f"{path}: cannot be written; give a file in a folder that is there")
    if options.plot:
        from kure_rag.evaluate.plots import check_plot

        check_plot(options.plot)


def _work(out: Path) -> Path:
    return out.with_name(f"{out.stem}.tune")


def _interrupted(options: argparse.Namespace, tried: list[Trial]) -> int:
    message = f"interrupted; {_work(options.out)} holds what was tried, and the same command goes on from there"
    if options.json:
        error = {"type": "Interrupted", "message": message}
        common.print_json({"error": error, "trials": [trial.to_dict() for trial in tried]})
    elif tried:
        _print_table(tried, options.metric)
    print(f"kure-rag tune: {message}", file=sys.stderr)
    return 130


def _print(report: TuneReport, options: argparse.Namespace) -> None:
    from kure_rag.tune.plot import shown_trials

    print(
        f"{report.tuning} questions to choose on, {report.held_out} held out to confirm (seed {report.seed}), "
        f"{len(report.trials)} settings tried"
    )
    if report.trials:
        _print_table(shown_trials(report, _SHOWN), report.metric, present=report.scores_present.tuning.mean)
        if len(report.trials) > _SHOWN:
            print(f"(the best {_SHOWN} of each stage; --json has all)")
    print()
    for outcome in report.outcomes:
        print(f"{outcome.stage:<9} {outcome.verdict()}")
    if report.note:
        print(report.note)
    _print_halves(report)
    print(f"\n{_conclusion(report)} -> {options.out}" + (f", {options.plot}" if options.plot else ""))
    if report.needs_new_index:
        print(f"Next: kure-rag ingest DOCUMENTS --index NEW --config {options.out}")
    else:
        print(f'Next: kure-rag search "..." --index {options.index} --config {options.out}')


def _print_halves(report: TuneReport) -> None:
    """What was chosen on a half is flattered by it: the other half says what it is worth."""
    print(f"\n{report.metric:<18}{'tuning half':>24}{'held-out half':>26}")
    rows = [("present settings", report.scores_present)]
    if report.is_changed:
        rows.append(("chosen settings", report.scores_chosen))
    for name, half in rows:
        cells = (f"{one.mean:.4f} [{one.low:.4f}, {one.high:.4f}]" for one in (half.tuning, half.held_out))
        print(f"{name:<18}" + "".join(f"{cell:>25}" for cell in cells))


def _conclusion(report: TuneReport) -> str:
    if report.is_changed:
        return f"Preferred: {report.chosen.differs(report.present)}"
    return "The present settings are kept"


def _print_table(trials: list[Trial], metric: str, *, present: float | None = None) -> None:
    """Of settings on the tuning half."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("stage")
    table.add_column("setting", overflow="fold")
    for name in (metric, "against present", "95 % interval", "characters"):
        table.add_column(name, justify="right")
    if present is not None:
        table.add_row("", "present settings", f"{present:.4f}")
    for trial in trials:
        span = trial.difference
        table.add_row(
            trial.stage,
            trial.label,
            f"{trial.score:.4f}",
            f"{span.mean:+.4f}",
            f"{span.low:+.4f} {span.high:+.4f}",
            "" if trial.characters is None else f"{trial.characters:,.0f}",
        )
    common.console().print(table)
