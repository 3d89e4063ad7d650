"""``kure-rag eval sts``."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.cli import common, embedding
from kure_rag.errors import ConfigError, IndexPathError

if TYPE_CHECKING:
    from rich.table import Table

    from kure_rag.embed import Embedder
    from kure_rag.evaluate.sts import Correlation, StsEvaluation, StsScores
    from kure_rag.evaluate.sts_sets import StsSet

_INTERVALS: Final = "Correlations times 100 over all pairs at once, with 95 % bootstrap intervals."


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "sts",
        "score how a model's similarities follow people's, on KorSTS or KLUE-STS",
        """\
  kure-rag eval sts KorSTS/sts-test.tsv --model static-ko
  kure-rag eval sts KorSTS/sts-dev.tsv KorSTS/sts-test.tsv klue-sts-v1.1_dev.json --model KURE-v1 --json
  kure-rag eval sts KorSTS/sts-test.tsv --model static-ko --dims 256,128,64,32 --plot dims.png
  kure-rag eval sts KorSTS/sts-test.tsv --model static-ko --save runs

Pearson's and Spearman's correlation of cosine, Euclidean, Manhattan (both negative) and dot product with the scores,
over all pairs of a file at once. Tables that average correlations of batches have other numbers. Where a model's
vectors have unit length, cosine and dot product are the same.""",
    )
    parser.add_argument("sets", type=Path, nargs="+", metavar="SET", help="KorSTS's .tsv or KLUE-STS's .json")
    parser.add_argument(
        "--dims", type=_dims, default=(), metavar="N,N", help="cut vectors to these lengths too (Matryoshka models)"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the sweep of --dims (.png, .svg or .pdf)")
    parser.add_argument(
        "--role", choices=("query", "passage"), default="query", help="which prefix both sentences get (query)"
    )
    parser.add_argument("--raw", action="store_true", help="vectors as the model gives them, not scaled to unit length")
    parser.add_argument("--resamples", type=int, default=2000, metavar="N", help="of the bootstrap (2000)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the bootstrap (0)")
    parser.add_argument("--save", type=Path, metavar="DIR", help="keep the run in a folder here")
    parser.add_argument("--name", metavar="NAME", help="of that folder (made of set and model)")
    common.add_json(parser)
    embedding.add_embedding(parser, "nlpai-lab/KURE-v1", engine="torch")
    parser.set_defaults(run=run, parser=parser, interrupted="interrupted; runs that were saved are whole")


def _dims(text: str) -> tuple[int, ...]:
    try:
        return tuple(dict.fromkeys(int(part) for part in text.split(",") if part.strip()))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers such as 512,256,128") from None


def run(options: argparse.Namespace) -> int:
    """Embeds the sentences and prints the correlations."""
    from kure_rag.evaluate.sts import check_dims
    from kure_rag.evaluate.sts_sets import read_sts

    _check(options)
    check_dims(options.dims, None)
    common.log_to_stderr()
    sets = [read_sts(path) for path in options.sets]  # all of them before any work: the last one may be broken
    embedder = _embedder(options)
    results = [_one(options, embedder, sts_set) for sts_set in sets]
    if options.plot:
        _draw(options.plot, results[0][1], f"{sets[0].name}, {embedder.name}")
    if options.json:
        shown = [_as_dict(embedder.name, sts_set, found, saved) for sts_set, found, saved in results]
        common.print_json({"results": shown})
        return 0
    for number, (sts_set, found, saved) in enumerate(results):
        if number:
            print()
        _print(embedder.name, sts_set, found)
        if saved:
            print(f"saved in {saved}")
    return 0


def _check(options: argparse.Namespace) -> None:
    """What can be told before the work."""
    refuse = options.parser.error
    if options.plot and not options.dims:
        refuse("--plot draws the lengths of --dims; give --dims 256,128,64 with it")
    if options.plot and len(options.sets) > 1:
        refuse("--plot draws one set: give one SET with it")
    if options.name is not None and not options.save:
        refuse("--name names a saved run: give --save DIR with it")
    if options.name is not None and len(options.sets) > 1:
        refuse("--name names one run: give one SET with it")
    if options.name is not None and Path(options.name).name != options.name:
        refuse("--name is the name of one folder, without others before it")
    if options.resamples < 1:
        refuse("--resamples is 1 or more")
    if options.seed < 0:
        refuse("--seed is 0 or more")
    if options.plot:
        from kure_rag.evaluate.plots import check_plot

        check_plot(options.plot)
        if options.plot.is_dir() or not options.plot.parent.is_dir():
            raise IndexPathError(f"{options.plot}: cannot be written; give --plot a file in a folder that is there")


def _embedder(options: argparse.Namespace) -> Embedder:
    from kure_rag.embed import Embedder

    if options.card is not None and options.model is None:
        raise ConfigError("--card says what --model is a copy of; give both")
    options.model = options.model or embedding.default_model()
    embedder = embedding.embedder(options)
    if not options.raw:
        return embedder
    return Embedder(options.model, replace(embedder.settings, normalize=False), card=options.card)


def _one(options: argparse.Namespace, embedder: Embedder, sts_set: StsSet) -> tuple[StsSet, StsEvaluation, Path | None]:
    from kure_rag.evaluate.saved import folder_name
    from kure_rag.evaluate.sts import evaluate_sts
    from kure_rag.evaluate.sts_runs import StsTimes, check_sts_folder, now, save_sts_run, sts_identity

    folder: Path | None = None
    if options.save:
        embedder.load()  # what a model of the hub is can be told once it is here
        folder = options.save / (options.name or folder_name(sts_set.name, embedder.name.rpartition("/")[2]))
        settings = _settings(options)
        identity = sts_identity(sts_set, model=embedder.name, settings=settings, fingerprint=embedder.fingerprint)
        check_sts_folder(folder, identity)
    started, clock = now(), time.perf_counter()
    with common.progress(f"embedding {sts_set.name}") as advance:
        found = evaluate_sts(
            embedder,
            sts_set,
            dims=options.dims,
            role=options.role,
            resamples=options.resamples,
            seed=options.seed,
            progress=lambda done: advance(done, 2 * len(sts_set.pairs), ""),
        )
    if folder is not None:
        times = StsTimes(started=started, seconds=time.perf_counter() - clock)
        save_sts_run(folder, identity, sts_set, found, times)
    return sts_set, found, folder


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    engine = {key: value for key, value in embedding.chosen(options).items() if key in ("backend", "precision")}
    chosen = {"role": options.role, "dims": list(options.dims), "resamples": options.resamples, "seed": options.seed}
    return chosen | ({"engine": engine} if engine else {})


def _draw(path: Path, found: StsEvaluation, title: str) -> None:
    from kure_rag.autorag.files import whole_files
    from kure_rag.evaluate.plots import draw_sweep, save_plot

    with whole_files(path) as (part,):
        save_plot(draw_sweep(found.sweep, title=title), part, ending=path.suffix)


def _as_dict(model: str, sts_set: StsSet, found: StsEvaluation, saved: Path | None) -> dict[str, Any]:
    from kure_rag.evaluate.sts_runs import as_metrics

    return {
        "set": sts_set.name,
        "model": model,
        "pairs": len(sts_set.pairs),
        "dimension": found.scores.dimension,
        "metrics": as_metrics(found.scores),
        "sweep": [{"dimension": scores.dimension, "metrics": as_metrics(scores)} for scores in found.sweep],
        **({"saved": str(saved)} if saved else {}),
    }


def _print(model: str, sts_set: StsSet, found: StsEvaluation) -> None:
    shown = common.console()
    shown.print(
        f"{sts_set.name}, {model}, {len(sts_set.pairs):,} pairs, {found.scores.dimension} dimensions", markup=False
    )
    shown.print(_eight(found.scores))
    if found.sweep:
        shown.print("\ncut to the first numbers of each vector, scaled to unit length", markup=False)
        shown.print(_sweep(found.sweep))
    shown.print(f"\n{_INTERVALS}", markup=False)


def _eight(scores: StsScores) -> Table:
    from kure_rag.evaluate.pairs import SIMILARITIES

    table = _table("similarity", "Pearson", "Spearman")
    for similarity in SIMILARITIES:
        both = (scores.correlations[f"{similarity}_{method}"] for method in ("pearson", "spearman"))
        table.add_row(similarity, *map(_interval, both))
    return table


def _sweep(sweep: tuple[StsScores, ...]) -> Table:
    table = _table("dims", "cosine Pearson", "cosine Spearman", "Euclid. Spearman", "Manh. Spearman")
    names = ("cosine_pearson", "cosine_spearman", "euclidean_spearman", "manhattan_spearman")
    for scores in sweep:
        found = [scores.correlations[name] for name in names]
        cells = [_interval(one) for one in found[:2]] + [f"{one.value:.2f}" for one in found[2:]]
        table.add_row(str(scores.dimension), *cells)
    return table


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 else "right", no_wrap=True)
    return table


def _interval(one: Correlation) -> str:
    return f"{one.value:.2f} ({one.low:.2f}-{one.high:.2f})"
