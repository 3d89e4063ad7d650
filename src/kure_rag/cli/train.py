"""``kure-rag train``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.cli import common, train_options, train_static

if TYPE_CHECKING:
    from kure_rag.train.report import TrainReport

_EXAMPLES: Final = {
    "kure": "--data triplets.jsonl --out my-kure --base BAAI/bge-m3",
    "koe5": "--data triplets.jsonl --out my-koe5",
    "kosbert": "--data KorNLI KorSTS/sts-train.tsv --dev KorSTS/sts-dev.tsv --out my-kosbert",
    "ko-sbert": "--task multitask --data KorNLI KorSTS/sts-train.tsv --dev KorSTS/sts-dev.tsv --out my-ko-sbert",
    "kosimcse": "--data KorNLI --dev KorSTS/sts-dev.tsv --out my-kosimcse --base klue/roberta-base",
    "kodiffcse": "--data wiki.txt --dev KorSTS/sts-dev.tsv --out my-kodiffcse",
    "kosentence-t5": "--data KorNLI --dev KorSTS/sts-dev.tsv --out my-kosentence-t5",
    "clir": "--data ko_en.tsv --dev held_back.tsv --out my-clir",
    "reranker": "--data mined.jsonl --out my-reranker --base klue/roberta-base",
    "domain": "--data my-index --base static-ko --out my-model",
}


def add(commands: common.Commands) -> None:
    """Adds the command and its recipes."""
    parser = common.command(
        commands,
        "train",
        "train a model by a recipe",
        """\
  kure-rag train domain --data my-index --base static-ko --out my-model
  kure-rag train koe5 --data triplets.jsonl --smallest --base scratch:bert --out try
  kure-rag train kosimcse --data KorNLI --dev KorSTS/sts-dev.tsv --out my-kosimcse
  torchrun --nproc-per-node 4 -m kure_rag train kure --data triplets.jsonl --out my-kure

A training that was interrupted goes on from its last checkpoint when the same command is given again.""",
    )
    parse = parser.parse_known_args
    filled = False

    def parse_filled(*arguments: Any, **named: Any) -> Any:
        # The recipes' options come from their settings: their modules are loaded when this command is used, not with
        # every other one.
        nonlocal filled
        if not filled:
            filled = True
            _add_recipes(parser)
        return parse(*arguments, **named)

    parser.parse_known_args = parse_filled  # type: ignore[method-assign]


def _add_recipes(parser: argparse.ArgumentParser) -> None:
    from kure_rag.train.recipes import RECIPES, find_recipe

    recipes = parser.add_subparsers(dest="recipe", metavar="RECIPE", required=True)
    for name in RECIPES:
        recipe = find_recipe(name)
        one = common.command(recipes, name, recipe.summary, f"  kure-rag train {name} {_EXAMPLES[name]}")
        one.description = f"{recipe.summary[0].upper()}{recipe.summary[1:]}.\n\nSource: {recipe.source}"
        one.add_argument("--data", type=Path, nargs="+", required=True, metavar="PATH", help=recipe.data)
        one.add_argument("--dev", type=Path, nargs="+", default=[], metavar="PATH", help=recipe.dev)
        one.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the model is written")
        one.add_argument(
            "--base",
            metavar="NAME",
            help="what to start from: a name from `kure-rag models`, owner/name on the model hub, a folder, or "
            f"scratch:bert, scratch:roberta, scratch:t5, scratch:static (default: {recipe.base})",
        )
        one.add_argument(
            "--smallest",
            action="store_true",
            help="a try of the data in minutes: few steps, short texts, a learning rate for bases from scratch"
            + _of_tables(recipe.smallest(recipe.settings)),
        )
        train_options.add_settings(one, recipe.settings)
        common.add_json(one)
        one.set_defaults(run=run)
    train_static.add(recipes)


def _of_tables(settings: Any) -> str:
    """Of a recipe with a learning rate for tables of vectors: what that is."""
    rate = getattr(settings, "static_learning_rate", None)
    return "" if rate is None else f", and {rate:g} for a table of vectors such as static-ko"


def run(options: argparse.Namespace) -> int:
    """Trains, and prints what that changed."""
    from kure_rag.train.recipes import find_recipe
    from kure_rag.train.run import train
    from kure_rag.train.workdir import place_among

    common.log_to_stderr()
    recipe = find_recipe(options.recipe)
    settings = recipe.smallest(recipe.settings) if options.smallest else recipe.settings
    settings = train_options.chosen_settings(options, settings)
    with common.progress("training", at_once=False) as advance:
        report = train(
            recipe,
            options.data,
            out=options.out,
            base=options.base,
            dev=options.dev,
            settings=settings,
            say=lambda line: print(line, file=sys.stderr),
            progress=advance,
        )
    if place_among()[0]:
        return 0  # the first of several processes tells
    if options.json:
        common.print_json(report.to_dict())
    else:
        _print(report, reranker=recipe.kind == "reranker")
    return 0


def _print(report: TrainReport, *, reranker: bool) -> None:
    from kure_rag.cli.train_table import print_changes

    steps = ", ".join(f"{count:,} {stage}" for stage, count in report.steps.items())
    print(f"{report.recipe} from {report.base}: steps {steps}; last loss {report.loss:.4f}; {report.seconds:,.0f} s")
    print_changes(report)
    print(f"wrote {report.out}: the model, README.md, loss.csv, training.json")
    if reranker:
        print(f'Next: kure-rag search "질문" --index my-index --rerank "{report.out}"')
    else:
        print(f'Next: kure-rag ingest ./documents --index my-index --model "{report.out}"')
    if (report.out / "held-back.jsonl").is_file():  # of a domain
        kept = f'--data "{report.out / "triplets.jsonl"}" --dev "{report.out / "held-back.jsonl"}"'
        print(f"A reranker on the same: kure-rag train reranker {kept} --out my-reranker")
