"""Retrieval with the bundled model on the shared sets: keywords, vectors and both, each with its 95 % interval.

    python benchmarks/eval_table.py --data DATA [--runs DIR] [--sets NAME ...] [--models NAME ...]

Every number comes out of `kure-rag eval SET --model NAME --mode all --save DIR`. With `--runs` its runs are kept: an
interrupted table goes on, and they can be looked at and compared. Prints Markdown: the table, and for each set whether
hybrid differs from keywords by more than chance (a paired randomisation test). Nothing is tuned here.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from kure_rag.evaluate import SavedRun, paired_test, read_saved_run

SETS = ("korquad_dev", "ko_strategyqa_facts_dev", "law_title_knownitem")
METRICS = ("ndcg@10", "mrr@10", "recall@1", "recall@10")
ORDER = ("lexical", "dense", "hybrid")


def main() -> None:
    parser = argparse.ArgumentParser(description="Print one table of the shared retrieval sets.")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds sets")
    parser.add_argument("--runs", type=Path, help="keep the runs here")
    parser.add_argument("--sets", nargs="+", default=SETS, help="names of folders in sets")
    parser.add_argument("--models", nargs="+", default=["static-ko"], help="embedding models")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        runs = options.runs or Path(scratch)
        found = {
            (name, model): evaluated(options.data / "sets" / name, model, runs)
            for name in options.sets
            for model in options.models
        }
    print("| set | questions | model | mode | nDCG@10 | MRR@10 | recall@1 | recall@10 | questions/s | one, p50 ms |")
    print("|---|---:|---|---|---:|---:|---:|---:|---:|---:|")
    for (name, _), modes in found.items():
        for mode in ORDER:
            print(row(name, modes[mode]))
    print()
    for (name, model), modes in found.items():
        test = paired_test(modes["lexical"].per_query("ndcg@10"), modes["hybrid"].per_query("ndcg@10"))
        verdict = test.verdict(first="lexical", second="hybrid")
        print(
            f"- {name}, {model}: hybrid - lexical {test.difference:+.4f} [{test.low:+.4f}, {test.high:+.4f}] "
            f"nDCG@10, better on {test.better} questions, worse on {test.worse}: {verdict}."
        )


def evaluated(folder: Path, model: str, runs: Path) -> dict[str, SavedRun]:
    """The runs of all modes, in a process of their own, so that peak memory is of one set only."""
    command = [sys.executable, "-m", "kure_rag", "eval", str(folder), "--model", model, "--mode", "all"]
    done = subprocess.run([*command, "--save", str(runs), "--json"], stdout=subprocess.PIPE, check=True)
    results: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    return {result["mode"]: read_saved_run(result["saved"]) for result in results}


def row(name: str, run: SavedRun) -> str:
    cells = [f"{i.mean:.4f} ({i.low:.3f}-{i.high:.3f})" for i in (run.metrics[metric] for metric in METRICS)]
    speed = f"{run.measured['queries_per_second']:.0f} | {run.measured['latency_ms']['p50']:.1f}"
    return f"| {name} | {run.queries:,} | {run.model} | {run.pipeline} | {' | '.join(cells)} | {speed} |"


if __name__ == "__main__":
    main()
