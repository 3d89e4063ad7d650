"""``kure-rag eval compare``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.cli import common
from kure_rag.errors import ConfigError

if TYPE_CHECKING:
    from kure_rag.evaluate import SavedRun

_METRICS: Final = ("ndcg@10", "mrr@10", "recall@10")


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "compare",
        "tell whether two saved runs of the same set differ by more than chance",
        """\
  kure-rag eval sets/korquad_dev --model static-ko --mode all --save runs
  kure-rag eval compare runs/korquad_dev-lexical runs/korquad_dev-static-ko-hybrid
  kure-rag eval compare runs/a runs/b --metric ndcg@10 --json

The test swaps the two runs' values of each query at random: p is how often chance alone gives a difference as large.
The intervals are 95 % bootstraps over the queries. Comparing many runs, one in twenty differs by chance at p < .05.""",
    )
    parser.add_argument("first", type=Path, metavar="RUN_A", help="folder of a saved run")
    parser.add_argument("second", type=Path, metavar="RUN_B", help="folder of another one")
    parser.add_argument(
        "--metric",
        action="append",
        metavar="M",
        help=f"a measure whose values of single queries are saved; may be repeated ({', '.join(_METRICS)})",
    )
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Reads both runs and prints the tests."""
    from kure_rag.evaluate import read_saved_run

    first, second = read_saved_run(options.first), read_saved_run(options.second)
    _check(first, second)
    compared = [_compared(first, second, metric) for metric in options.metric or _METRICS]
    if options.json:
        runs = [{"name": one.name, "model": one.model, "pipeline": one.pipeline} for one in (first, second)]
        common.print_json({"task": first.task, "first": runs[0], "second": runs[1], "metrics": compared})
        return 0
    print(f"{first.task}, {first.queries} queries")
    print(f"  A  {_named(first)}\n  B  {_named(second)}")
    for row in compared:
        print(f"\n{row['metric']}")
        for letter, values in (("A", row["first"]), ("B", row["second"])):
            print(f"  {letter}      {values['mean']:.4f}  [{values['low']:.4f}, {values['high']:.4f}]")
        effect = "infinite" if row["effect_size"] is None else f"{row['effect_size']:+.2f}"
        print(
            f"  B - A {row['difference']:+.4f}  [{row['low']:+.4f}, {row['high']:+.4f}]  p = {row['p_value']:.3g}, "
            f"effect size {effect}, B better on {row['better']}, worse on {row['worse']}"
        )
        print(f"  {row['verdict']}")
    return 0


def _check(first: SavedRun, second: SavedRun) -> None:
    for run_ in (first, second):
        if run_.kind != "retrieval":
            raise ConfigError(f"{run_.folder}: a run of kind {run_.kind!r}; compare takes two of kind 'retrieval'")
    if first.task_sha256 != second.task_sha256:
        other = "the same name, but other files" if first.task == second.task else f"{first.task} and {second.task}"
        raise ConfigError(
            f"{first.name} and {second.name} are runs of different sets ({other}); evaluate both on the same one"
        )


def _compared(first: SavedRun, second: SavedRun, metric: str) -> dict[str, Any]:
    from kure_rag.evaluate import bootstrap_interval, paired_test

    a, b = first.per_query(metric), second.per_query(metric)
    found = paired_test(a, b)
    return {
        "metric": metric,
        "first": bootstrap_interval(list(a.values())).to_dict(),
        "second": bootstrap_interval(list(b.values())).to_dict(),
        **found.to_dict(),
        "verdict": found.verdict(first="A", second="B"),
    }


def _named(run_: SavedRun) -> str:
    return f"{run_.name}: {run_.model}, {run_.pipeline}"
