"""What every recipe of `kure-rag train` but `static` raises on shared data that it did not see, from small bases.

    python benchmarks/training.py --data DATA [--only NAME ...] [--models DIR] [--curves DIR]

Each line is one command, which is printed below the table; its numbers are those of the model's own `training.json`.
What the commands read beside DATA, BASE, is made first by benchmarks/training_base.py. With `--models` the models are
kept, and an interrupted table goes on; with `--curves` their loss.png are copied there. Bases are made from scratch or
are the bundled model: no weights of a model hub are needed, and none of the numbers says what the recipes do to a large
model. A reranker that orders passages whatever is asked would learn nothing of use: it is scored once more with each
question exchanged for another.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from training_base import make_base
from training_runs import RUNS

from kure_rag.train.readers import Triplet
from kure_rag.train.recipes.reranker import candidate_development
from kure_rag.train.report import decimals, shown

SET: Final = "scored on (not trained on)"
COLUMNS: Final = (
    "run",
    "base",
    SET,
    "measure",
    "before",
    "after",
    "difference (95 %)",
    "p",
    "beside",
    "steps",
    "s",
    "commit",
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train by every recipe and print what that changed.")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds sts, bitext, statutes and sets")
    parser.add_argument("--only", nargs="+", choices=list(RUNS), default=list(RUNS), help="some of the lines")
    parser.add_argument("--models", type=Path, help="keep the models here")
    parser.add_argument("--curves", type=Path, help="copy the loss curves here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        models = options.models or Path(scratch)
        models.mkdir(parents=True, exist_ok=True)
        if any("{base}" in word for name in options.only for word in RUNS[name]):
            make_base(options.data, models / "base")
        libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "sentence-transformers"))
        print(f"commit {commit()}, {libraries}\n")
        print(f"| {' | '.join(COLUMNS)} |")
        print("|---|---|---|---|---:|---:|---:|---:|---|---:|---:|---|")
        for name in options.only:
            found = trained(name, options.data, models)
            for line in rows(name, found):
                print(line, flush=True)
            if name == "reranker":
                print(exchanged(models / name, models / "base/statutes-test.jsonl"), flush=True)
            curve = models / name / "loss.png"
            if options.curves and curve.is_file():
                options.curves.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(curve, options.curves / f"{name}.png")
    print()
    for name in options.only:
        words = " ".join(["kure-rag", *RUNS[name], "--out", name])
        print(f"- {name}: `{words.replace('{data}', 'DATA').replace('{base}', 'BASE')}`")


def trained(name: str, data: Path, models: Path) -> dict[str, Any]:
    """What `training.json` of a run's model says, with when and by what it was made; trained first if need be.

    A model that another command made is trained anew; of one that an older commit made, the table says so.
    """
    out, kept = models / name, models / f"{name}.made.json"
    made = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    if made.get("command") != RUNS[name] or not (out / "training.json").is_file():
        words = [word.replace("{data}", str(data)).replace("{base}", str(models / "base")) for word in RUNS[name]]
        started = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "kure_rag", *words, "--out", str(out)], check=True, stdout=subprocess.DEVNULL
        )
        made = {"command": RUNS[name], "seconds": round(time.monotonic() - started), "commit": commit()}
        kept.write_text(json.dumps(made, ensure_ascii=False), encoding="utf-8")
    found: dict[str, Any] = json.loads((out / "training.json").read_text(encoding="utf-8"))
    return found | {"seconds": made["seconds"], "commit": made["commit"]}


def rows(name: str, found: dict[str, Any]) -> list[str]:
    """Lines of the table, one for each set that the model was scored on."""
    steps = " + ".join(f"{count:,}" for count in found["steps"].values())
    lines = []
    for i, one in enumerate(found["changes"]):
        before, after = one["before"]["mean"], one["after"]["mean"]
        measure, digits = one["measure"], decimals(one["measure"])
        spread = f"{one['difference']:+.{digits}f} [{one['low']:+.{digits}f}, {one['high']:+.{digits}f}]"
        first = f"{name} | {Path(found['base']).name}" if i == 0 else " | "
        last = f"{steps} | {found['seconds']} | {found['commit']}" if i == 0 else " |  | "
        count = f"{one['count']:,}" + (f" in {one['groups']:,}" if one["groups"] != one["count"] else "")
        beside = "; ".join(f"{key} {shown(was, key)} → {shown(now, key)}" for key, (was, now) in one["others"].items())
        lines.append(
            f"| {first} | {one['name']} ({count}) | {measure} | {shown(before, measure)} | {shown(after, measure)} | "
            f"{spread} | {one['p_value']:.2g} | {beside} | {last} |"
        )
    return lines


def exchanged(model: Path, path: Path) -> str:
    """A line for a reranker that is asked each time what another question asks."""
    from sentence_transformers import CrossEncoder

    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    asked = [row["query"] for row in rows]
    # Far along the file: its neighbours may be of the same statute.
    others = [*asked[len(rows) // 2 :], *asked[: len(rows) // 2]]
    moved = [
        Triplet(query=other, positive=row["positive"], negatives=tuple(row["negatives"]))
        for other, row in zip(others, rows, strict=True)
    ]
    found = candidate_development("exchanged", moved).score(CrossEncoder(str(model), local_files_only=True))
    score = shown(found.values["mrr@10"], "mrr@10")
    return f"|  |  | the same, questions exchanged | mrr@10 |  | {score} |  |  |  |  |  |  |"


def commit() -> str:
    """The commit that this is of."""
    asked = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(asked, cwd=Path(__file__).parent, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
