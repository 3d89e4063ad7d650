"""``kure-rag train static``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from kure_rag.cli import common
from kure_rag.errors import ConfigError


def add(recipes: common.Commands) -> None:
    """Adds the recipe."""
    static = common.command(
        recipes,
        "static",
        "the small bundled model, kure-rag/static-ko, from statutes and sentence pairs; minutes on two cores",
        """\
  kure-rag train static --data data --out my-static-ko
  kure-rag train static --data data --dev my-set --smallest --out try
  kure-rag ingest ./documents --index my-index --model ./my-static-ko""",
    )
    static.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder with statutes/, sts/ and bitext/ (default: $KURE_RAG_DATA, or ../shared/data)",
    )
    static.add_argument(
        "--dev",
        type=Path,
        nargs="+",
        default=[],
        metavar="PATH",
        help="STS sets, triplets or folders in BEIR's layout to score it on before tuning, during it and after "
        "(default: sts/kornlu/KorSTS/sts-dev.tsv and sets/ko_strategyqa_facts_dev, if the data have them)",
    )
    static.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the model is written")
    static.add_argument(
        "--smallest",
        action="store_true",
        help="few pieces, short vectors, few steps: a try, not for use",
    )
    static.add_argument("--seed", type=int, metavar="N", help="another start for the random numbers")
    common.add_json(static)
    static.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Trains the static model."""
    from kure_rag.cli.train_table import print_changes
    from kure_rag.train import StaticSettings, train_static

    data = options.data or Path(os.environ.get("KURE_RAG_DATA", "../shared/data"))
    try:
        settings = StaticSettings() if options.seed is None else StaticSettings(seed=options.seed)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    report = train_static(
        data,
        options.out,
        dev=options.dev,
        settings=settings.smallest() if options.smallest else settings,
        progress=lambda line: print(line, file=sys.stderr),
    )
    if options.json:
        common.print_json({"out": str(options.out), **report.to_dict()})
        return 0
    for name in ("rows", "vocabulary", "seconds", "size"):
        print(f"{name}: {getattr(report, name)}")
    print_changes(report.training)
    print(f"wrote {options.out}: the model, README.md, loss.csv, training.json")
    print(f'Next: kure-rag ingest ./documents --index my-index --model "{options.out}"')
    return 0
