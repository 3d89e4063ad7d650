"""Every recipe of `kure-rag train` on the shared data, from small bases: what it raises on data it did not see.

    python benchmarks/training.py --data DATA [--only NAME ...] [--models DIR] [--curves DIR]

Each line is one command, which is printed below the table; its numbers are those of the model's own `training.json`.
With `--models` the models are kept, and an interrupted table goes on; with `--curves` their loss.png are copied there.
Bases are made from scratch or are the bundled model: no weights of a model hub are needed, and none of the numbers says
what the recipes do to a large model.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from training_runs import RUNS

from kure_rag.train.report import shown


def main() -> None:
    parser = argparse.ArgumentParser(description="Train by every recipe and print what that changed.")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds sts, bitext, statutes and sets")
    parser.add_argument("--only", nargs="+", choices=list(RUNS), default=list(RUNS), help="some of the lines")
    parser.add_argument("--models", type=Path, help="keep the models here")
    parser.add_argument("--curves", type=Path, help="copy the loss curves here")
    options = parser.parse_args()
    print("| run | base | scored on (not trained on) | measure | before | after | difference (95 %) | p | steps | s |")
    print("|---|---|---|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as scratch:
        models = options.models or Path(scratch)
        models.mkdir(parents=True, exist_ok=True)
        for name in options.only:
            found = trained(name, options.data, models)
            for line in rows(name, found):
                print(line, flush=True)
            curve = models / name / "loss.png"
            if options.curves and curve.is_file():
                options.curves.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(curve, options.curves / f"{name}.png")
    print()
    for name in options.only:
        print(f"- {name}: `{' '.join(['kure-rag', *RUNS[name]]).replace('{data}', 'DATA')} --out {name}`")


def trained(name: str, data: Path, models: Path) -> dict[str, Any]:
    """What `training.json` of a run's model says, with the seconds of this machine; trained first if need be."""
    out, clock = models / name, models / f"{name}.seconds"
    if not (out / "training.json").is_file():
        words = [word.replace("{data}", str(data)).replace("{models}", str(models)) for word in RUNS[name]]
        started = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "kure_rag", *words, "--out", str(out)], check=True, stdout=subprocess.DEVNULL
        )
        clock.write_text(f"{time.monotonic() - started:.0f}")
    found: dict[str, Any] = json.loads((out / "training.json").read_text(encoding="utf-8"))
    return found | {"seconds": clock.read_text() if clock.is_file() else ""}


def rows(name: str, found: dict[str, Any]) -> list[str]:
    """Lines of the table, one for each set that the model was scored on."""
    steps = " + ".join(f"{count:,}" for count in found["steps"].values())
    lines = []
    for i, one in enumerate(found["changes"]):
        before, after = one["before"]["mean"], one["after"]["mean"]
        digits = 2 if max(abs(before), abs(after)) > 1 else 4
        spread = f"{one['difference']:+.{digits}f} [{one['low']:+.{digits}f}, {one['high']:+.{digits}f}]"
        first = f"{name} | {found['base']}" if i == 0 else " | "
        last = f"{steps} | {found['seconds']}" if i == 0 else " | "
        lines.append(
            f"| {first} | {one['name']} ({one['count']:,}) | {one['measure']} | {shown(before)} | {shown(after)} | "
            f"{spread} | {one['p_value']:.2g} | {last} |"
        )
    return lines


if __name__ == "__main__":
    main()
