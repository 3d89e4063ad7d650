"""The losses of a tuning, each kind of batch for itself, since they are not of one size; and the scores on its way."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kure_rag.errors import MissingExtraError
from kure_rag.train.curves import CSV, PNG, written

Row = tuple[int, str, float, float]
"""Step from 1 on, kind of batch, loss, learning rate."""

Scored = tuple[int, Mapping[str, float]]
"""Step, and ``set_measure`` → value after it."""


def write_losses(folder: Path, rows: Sequence[Row], scored: Sequence[Scored] = ()) -> None:
    """Writes ``loss.csv``, and ``loss.png`` where the extra ``plots`` is installed."""
    measures = list(dict.fromkeys(name for _, values in scored for name in values))
    at = dict(scored)
    with (folder / CSV).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("step", "kind", "loss", "learning_rate", *measures))
        for step, kind, loss, rate in rows:
            values = (at[step][name] if step in at else None for name in measures)
            told = ("" if value is None else f"{value:.6g}" for value in values)
            writer.writerow((step, kind, f"{loss:.6g}", f"{rate:.6g}", *told))
    try:
        figure = draw(rows, scored)
    except MissingExtraError:
        return
    figure.savefig(folder / PNG, dpi=120)


def draw(rows: Sequence[Row], scored: Sequence[Scored] = ()) -> Any:
    """A figure with one panel a kind of batch: losses, and their means over ten at a time; then one for each measure.

    Sets whose names need a font with Hangul are numbered where none is installed, in the order of ``loss.csv``.

    Raises:
        MissingExtraError: The extra ``plots`` is not installed.
    """
    from kure_rag.evaluate.plots_fonts import require_matplotlib

    require_matplotlib()
    from matplotlib.figure import Figure

    kinds = list(dict.fromkeys(kind for _, kind, _, _ in rows))
    measures = list(dict.fromkeys(name for _, values in scored for name in values))
    panels = max(len(kinds) + len(measures), 1)
    figure = Figure(figsize=(3.6 * panels, 3.2), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for axis, kind in zip(axes, kinds, strict=False):
        steps, losses = zip(*((step, loss) for step, its, loss, _ in rows if its == kind), strict=True)
        axis.plot(steps, losses, color="#0072b2", alpha=0.3, linewidth=1)
        tens = range(0, len(steps) - 9, 10)
        axis.plot([steps[i + 5] for i in tens], [sum(losses[i : i + 10]) / 10 for i in tens], color="#0072b2")
        axis.set(title=kind, xlabel="step", ylabel="loss")
    letters, _, labels = written("", (), [name.rpartition("_")[0] for name in measures])
    for axis, name, label in zip(axes[len(kinds) :], measures, labels, strict=False):
        axis.plot([step for step, _ in scored], [values[name] for _, values in scored], color="#d55e00", marker="o")
        axis.set(xlabel="step", ylabel=name.rpartition("_")[2])
        axis.set_title(label, fontproperties=letters)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure
