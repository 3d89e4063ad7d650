"""The losses of a tuning, each kind of batch for itself: they are not of one size."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kure_rag.errors import MissingExtraError
from kure_rag.train.curves import CSV, PNG

Row = tuple[int, str, float, float]
"""Step from 1 on, kind of batch, loss, learning rate."""


def write_losses(folder: Path, rows: Sequence[Row]) -> None:
    """Writes ``loss.csv``, and ``loss.png`` where the extra ``plots`` is installed."""
    with (folder / CSV).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("step", "kind", "loss", "learning_rate"))
        writer.writerows((step, kind, f"{loss:.6g}", f"{rate:.6g}") for step, kind, loss, rate in rows)
    try:
        figure = draw(rows)
    except MissingExtraError:
        return
    figure.savefig(folder / PNG, dpi=120)


def draw(rows: Sequence[Row]) -> Any:
    """A figure with one panel a kind of batch: losses, and their means over ten at a time.

    Raises:
        MissingExtraError: The extra ``plots`` is not installed.
    """
    from kure_rag.evaluate.plots_fonts import require_matplotlib

    require_matplotlib()
    from matplotlib.figure import Figure

    kinds = list(dict.fromkeys(kind for _, kind, _, _ in rows))
    figure = Figure(figsize=(3.6 * max(len(kinds), 1), 3.2), layout="constrained")
    for axis, kind in zip(figure.subplots(1, max(len(kinds), 1), squeeze=False)[0], kinds, strict=False):
        steps, losses = zip(*((step, loss) for step, its, loss, _ in rows if its == kind), strict=True)
        axis.plot(steps, losses, color="#0072b2", alpha=0.3, linewidth=1)
        tens = range(0, len(steps) - 9, 10)
        axis.plot([steps[i + 5] for i in tens], [sum(losses[i : i + 10]) / 10 for i in tens], color="#0072b2")
        axis.set(title=kind, xlabel="step", ylabel="loss")
        axis.spines[["top", "right"]].set_visible(False)
    return figure
