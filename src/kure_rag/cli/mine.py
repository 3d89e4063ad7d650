"""``kure-rag mine``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.cli import common, embedding
from kure_rag.errors import ConfigError

if TYPE_CHECKING:
    from kure_rag.train.mine import MineReport, MineSettings

# As train/mine/settings.py has them; importing that brings the searching modules, which help should not wait for.
SAMPLINGS: Final = ("top", "random")
_OFFLINE: Final = "static-ko"
_SHOWN: Final = 100  # characters of a passage
_METHOD: Final = """\

what comes out, a line or a row for each positive of each question:
  {"query", "positive", "negatives": [...], "query_id", "positive_id", "negative_ids": [...],
   "scores": {"dense": {"positive", "negatives"}, "rerank": the same or null, "ranks"}}

A candidate is dropped if it is judged relevant; equal or nearly equal to a positive, or to a candidate before it; or if
its cosine is above --margin times the positive's (NV-Retriever's TopK-PercPos, arXiv 2407.15831): it may answer too,
and nobody has judged it. With --reranker a cross-encoder judges those that are left.

Ctrl-C and a kill leave OUT.progress, and the same command goes on from there; OUT.report.json says what OUT was mined
with, and another command does not write over it.
"""


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "mine",
        "hard negatives for training: passages that a search takes for the answer, and that are none",
        """\
  kure-rag mine sets/my-set --model static-ko --out triplets.jsonl
  kure-rag mine pairs.jsonl --corpus corpus.jsonl --model KURE-v1 --negatives 7 --out triplets.parquet
  kure-rag mine qa --index my-index --out triplets.jsonl --plot ratios.png --show 3      # after `kure-rag qa --out qa`
  kure-rag mine sets/my-set --mode lexical --margin off --reranker dragonkue/bge-reranker-v2-m3-ko --out triplets.jsonl
  kure-rag mine sets/my-set --keep-index set-index --depth 100 --skip 5 --sampling random --seed 1 --out t.jsonl --json
"""
        + _METHOD,
    )
    parser.add_argument(
        "questions",
        type=Path,
        metavar="QUESTIONS",
        help="a folder with corpus.jsonl, queries.jsonl and qrels.tsv (BEIR's layout), AutoRAG's qa.parquet, or JSON "
        'lines of {"query": ..., "positive": ...}',
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="triplets, .jsonl or .parquet")
    where = parser.add_argument_group("what is searched")
    where.add_argument("--index", type=Path, metavar="DIR", help="an index that is there; it is not changed")
    where.add_argument(
        "--keep-index",
        type=Path,
        metavar="DIR",
        help="make the index of the questions' own corpus here and keep it; without it and --index one is made and "
        "thrown away",
    )
    where.add_argument(
        "--corpus", type=Path, metavar="FILE", help="corpus.jsonl beside the positives of pairs; or of a qa.parquet"
    )
    _add_looking(parser)
    _add_bounds(parser)
    parser.add_argument("--limit", type=int, metavar="N", help="only N questions, from all over the file")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw the shares of the positives' cosines: .png, ..."
    )
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N of the triplets")
    common.add_json(parser)
    embedding.add_embedding(
        parser, f"nlpai-lab/KURE-v1, or the --index's own; {_OFFLINE} where no vector has a say", engine="torch"
    )
    parser.set_defaults(run=run, parser=parser)


def _add_looking(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("looking for negatives")
    common.add_mode(group)
    group.add_argument("--negatives", type=int, default=5, metavar="N", help="for each positive (5)")
    group.add_argument("--depth", type=int, default=50, metavar="N", help="ranks looked at (50)")
    group.add_argument("--skip", type=int, default=0, metavar="N", help="first ranks passed over (0)")
    group.add_argument(
        "--sampling", choices=SAMPLINGS, default="top", help="the highest ranks that are left, or any of them (top)"
    )
    group.add_argument("--seed", type=int, default=0, metavar="N", help="of --sampling random (0)")
    group.add_argument("--keep-short", action="store_true", help="also write pairs with fewer negatives than wanted")
    group.add_argument("--no-fold", action="store_true", help="drop equal texts only, not near-duplicates")
    group.add_argument("--batch", type=int, default=64, metavar="N", help="questions at once (64)")


def _add_bounds(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("against false negatives", "Cosines are by the index's model.")
    group.add_argument(
        "--margin", default="0.95", metavar="X", help="cosine at most X times the positive's; 'off' for none (0.95)"
    )
    group.add_argument("--absolute-margin", type=float, metavar="X", help="cosine at least X below the positive's")
    group.add_argument("--max-score", type=float, metavar="X", help="cosine at most X")
    group.add_argument("--min-score", type=float, metavar="X", help="cosine at least X: others are too easy")
    group.add_argument(
        "--reranker", metavar="MODEL", help="a cross-encoder that judges what is left, by name or folder"
    )
    group.add_argument(
        "--rerank-margin", default="0.95", metavar="X", help="its score at most X times the positive's; 'off' (0.95)"
    )
    group.add_argument("--rerank-absolute-margin", type=float, metavar="X", help="at least X below the positive's")
    group.add_argument("--rerank-max", type=float, metavar="X", help="at most X")
    group.add_argument("--rerank-min", type=float, metavar="X", help="at least X")


def run(options: argparse.Namespace) -> int:
    """Mines, and says what became of the candidates."""
    from kure_rag.cli.mine_index import asked, searched
    from kure_rag.train.mine import mine, read_triplets
    from kure_rag.train.mine.write import check_out

    settings = _settings(options)
    _check(options, settings)
    check_out(options.out)
    common.log_to_stderr()
    options.interrupted = f"interrupted; the same command goes on with what {options.out.name}.progress holds, if any"
    with common.progress("reading") as _:
        given = asked(options)
    with searched(options, given) as index, common.progress("mining") as advance:
        report = mine(
            index,
            given.questions,
            options.out,
            settings,
            id_key=given.id_key,
            engine={key: value for key, value in embedding.chosen(options).items() if key in ("backend", "precision")},
            progress=lambda done, total: advance(done, total, ""),
        )
    if options.plot:
        from kure_rag.train.mine.plot import save

        save(report, options.plot)
    shown = [row for row, _ in zip(read_triplets(report.out), range(options.show), strict=False)]
    if options.json:
        common.print_json({**report.to_dict(), **({"shown": shown} if options.show else {})})
    else:
        _print(report, options)
        for row in shown:
            _print_triplet(row)
    return 0


def _settings(options: argparse.Namespace) -> MineSettings:
    from kure_rag.search import FoldSettings
    from kure_rag.train.mine import Margin, MineSettings

    try:
        return MineSettings(
            mode=options.mode,
            negatives=options.negatives,
            depth=options.depth,
            skip=options.skip,
            dense=Margin(
                relative=_share("--margin", options.margin),
                absolute=options.absolute_margin,
                most=options.max_score,
                least=options.min_score,
            ),
            reranker=options.reranker,
            rerank=Margin(
                relative=_share("--rerank-margin", options.rerank_margin),
                absolute=options.rerank_absolute_margin,
                most=options.rerank_max,
                least=options.rerank_min,
            ),
            sampling=options.sampling,
            seed=options.seed,
            keep_short=options.keep_short,
            fold=None if options.no_fold else FoldSettings(),
            batch=options.batch,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _share(name: str, text: str) -> float | None:
    if text == "off":
        return None
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{name} {text}: give a share of the positive's score, such as 0.95, or off") from None


def _check(options: argparse.Namespace, settings: MineSettings) -> None:
    """What can be told before the work."""
    refuse = options.parser.error
    if options.index is not None and options.keep_index is not None:
        refuse("--keep-index makes an index of the questions' own corpus; --index is searched as it is: give one")
    if options.index is not None and options.corpus is not None and options.questions.suffix != ".parquet":
        refuse("--corpus goes into a new index; --index is not changed")
    if options.corpus is not None and options.questions.is_dir():
        refuse("--corpus belongs to pairs and to a qa.parquet; a folder brings its own corpus")
    if options.reranker is None and any(
        getattr(options, name) is not None for name in ("rerank_absolute_margin", "rerank_max", "rerank_min")
    ):
        refuse("bounds of the reranker's score need one: give --reranker MODEL")
    for name in ("limit", "show"):
        value = getattr(options, name)
        if value is not None and value < (1 if name == "limit" else 0):
            refuse(f"--{name} counts; give {1 if name == 'limit' else 0} or more")
    if options.plot:
        from kure_rag.evaluate.plots import check_plot

        check_plot(options.plot)
        if not options.plot.absolute().parent.is_dir():
            refuse(f"--plot {options.plot}: give a file in a folder that is there")
    if options.model is None and options.index is None and not settings.measures_cosines:
        options.model = _OFFLINE


def _print(report: MineReport, options: argparse.Namespace) -> None:
    from rich import box
    from rich.table import Table

    from kure_rag.train.mine.report import FILTERS

    data: dict[str, Any] = dict(report.data)
    if report.finished_before:
        print(f"{report.out} was mined before, with the same settings; nothing was done")
    elif report.resumed:
        print(f"went on after {report.resumed} questions that were mined before")
    print(
        f"{data['questions']:,} questions, {data['pairs']:,} pairs -> {report.out}: {data['rows']:,} rows with "
        f"{data['negatives']:,} negatives"
    )
    lost = "written with fewer" if options.keep_short else "not written (--keep-short writes them)"
    if data["short"]:
        print(f"pairs with fewer than {options.negatives} negatives: {data['short']:,}, {lost}")
    if data["without"]:
        print(f"pairs with none: {data['without']:,}, never written")
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("candidates")
    table.add_column("", justify="right")
    table.add_column("", justify="right")
    table.add_column("why", overflow="fold")
    total = max(1, data["candidates"])
    for name, count, why in (
        ("looked at", data["candidates"], ""),
        *((name, data["dropped"][name], why) for name, why in FILTERS.items() if data["dropped"][name]),
        ("taken", data["taken"], "negatives"),
    ):
        table.add_row(name.replace("_", " "), f"{count:,}", f"{100 * count / total:.1f} %", why)
    common.console().print(table)
    print(f"{report.seconds:.1f} s" + (f" -> {options.plot}" if options.plot else ""))


def _print_triplet(row: dict[str, Any]) -> None:
    scores = row["scores"]
    print(f"\n? {_line(row['query'])}")
    print(f"+ {_said(scores, None)}{_line(row['positive'])}")
    for place, text in enumerate(row["negatives"]):
        print(f"- {_said(scores, place)}{_line(text)}")


def _said(scores: dict[str, Any], place: int | None) -> str:
    """The scores of the positive, or of a negative."""
    told = []
    for name, mark in (("dense", ""), ("rerank", "rerank ")):
        if (said := scores[name]) is not None:
            told.append(f"{mark}{said['positive'] if place is None else said['negatives'][place]:.3f}")
    if place is not None:
        told.append(f"rank {scores['ranks'][place]}")
    return f"[{', '.join(told)}] " if told else ""


def _line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN else f"{flat[: _SHOWN - 1]}…"
