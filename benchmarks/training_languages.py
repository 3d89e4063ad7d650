"""How near the two languages of `clir` are before and after training: top-k accuracy and MRR, and a map of both.

    python benchmarks/training_languages.py --data DATA --models DIR [--picture FILE]

DIR is that of `benchmarks/training.py --models`, with the model `clir` in it. Its start, a table of random vectors, is
made again: a base named `scratch:…` is nothing that could be loaded.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from training_runs import RUNS

from kure_rag.train.recipe import Sources
from kure_rag.train.recipes.clir import ClirRecipe
from kure_rag.train.scratch import Scratch, make_encoder

SEED = 42  # of the run, which gives none


def main() -> None:
    parser = argparse.ArgumentParser(description="Score and draw what clir learnt.")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds bitext")
    parser.add_argument("--models", type=Path, required=True, help="folder that holds clir and base")
    parser.add_argument("--picture", type=Path, default=Path("languages.png"), help="where the map is drawn")
    options = parser.parse_args()
    held_back = str(options.data / "bitext/park_news_test.tsv")
    models = ["--model", str(options.models / "clir")]
    with tempfile.TemporaryDirectory() as scratch:
        start = Path(scratch, "start")
        make_start(options.data, options.models / "base", start, Path(scratch, "work"))
        models += ["--before", str(start)]
        for words in (["score", held_back], ["plot", held_back, "--pairs", "150", "--out", str(options.picture)]):
            subprocess.run([sys.executable, "-m", "kure_rag", "clir", *words, *models], check=True)


def make_start(data: Path, base: Path, start: Path, work: Path) -> None:
    """Writes what the run `clir` began with: the vocabulary of its texts, and its seed's vectors."""
    words = [word.replace("{data}", str(data)).replace("{base}", str(base)) for word in RUNS["clir"]]
    first, second, third = (words.index(word) for word in ("--data", "--dev", "--base"))
    train = tuple(Path(word) for word in words[first + 1 : second])
    dev = tuple(Path(word) for word in words[second + 1 : third])
    recipe = ClirRecipe()
    plan = recipe.plan(Sources(train=train, dev=dev, work=work), recipe.settings, lambda _: None)
    start.mkdir()
    make_encoder(Scratch.named(words[third + 1]), plan.texts(), start, seed=SEED)


if __name__ == "__main__":
    main()
