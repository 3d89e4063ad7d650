"""The losses of a training, as a table and as a picture."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from kure_rag.errors import ConfigError

CSV: Final = "loss.csv"
PNG: Final = "loss.png"

_FIRST: Final = ("stage", "step", "epoch", "loss", "learning_rate", "gradient_norm")
_NAMES: Final = {"grad_norm": "gradient_norm"}
_EVAL: Final = "eval_"
_BLUE: Final = "#0072b2"
_COLORS: Final = ("#d55e00", "#009e73", "#cc79a7", "#e69f00")  # of Okabe and Ito, which the colour-blind tell apart
_WINDOW: Final = 25  # points of a running mean
_PLAIN: Final = 0x250  # the letters below are in matplotlib's own font


def rows_of(histories: Mapping[str, Sequence[Mapping[str, Any]]], measures: Sequence[str]) -> list[dict[str, Any]]:
    """One row for each step that something was written down at.

    Args:
        histories: Stage → what the trainer logged.
        measures: ``set_measure`` of each development set.
    """
    rows: list[dict[str, Any]] = []
    for stage, history in histories.items():
        at: dict[int, dict[str, Any]] = {}
        for entry in history:
            kept = {_NAMES.get(key, key): entry[key] for key in (*_FIRST, *_NAMES) if key in entry and key != "step"}
            kept.update({name: entry[f"{_EVAL}{name}"] for name in measures if f"{_EVAL}{name}" in entry})
            if set(kept) - {"epoch"}:  # not the summary at the end
                at.setdefault(int(entry["step"]), {"stage": stage, "step": int(entry["step"])}).update(kept)
        rows.extend(at[step] for step in sorted(at))
    return rows


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], measures: Sequence[str]) -> None:
    """Writes the table; what was not measured at a step is empty."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*_FIRST, *measures])
        writer.writeheader()
        writer.writerows(rows)


def draw(rows: Sequence[Mapping[str, Any]], measures: Sequence[str], *, title: str) -> Any:
    """A figure: the loss with its running mean for each stage, and beside it a panel for each measure of the sets.

    Where a name needs a font with Hangul and none is installed, the stages and sets are numbered instead, in the order
    of ``loss.csv``.

    Raises:
        MissingExtraError: The extra ``plots`` is not installed.
    """
    from kure_rag.evaluate.plots_fonts import require_matplotlib

    require_matplotlib()
    from matplotlib.figure import Figure

    stages = list(dict.fromkeys(row["stage"] for row in rows))
    scored = [name for name in measures if any(name in row for row in rows)]
    # A panel for each: an nDCG below 1 would be a flat line beside a correlation times 100.
    panels = {measure: place for place, measure in enumerate(dict.fromkeys(map(_measure, scored)), 1)}
    figure = Figure(figsize=(5 * (1 + len(panels)), 3.6), layout="constrained")
    axes = figure.subplots(1, 1 + len(panels), squeeze=False)[0]
    letters, titles, labels = written(title, stages, [name.rpartition("_")[0].replace("_", " ") for name in scored])
    named: set[int] = set()
    start = 0
    for number, stage in enumerate(stages):
        mine = [row for row in rows if row["stage"] == stage]
        losses = [(start + row["step"], row["loss"]) for row in mine if "loss" in row]
        if losses:
            steps, values = zip(*losses, strict=True)
            axes[0].plot(steps, values, color=_BLUE, alpha=0.3, linewidth=1)
            axes[0].plot(steps, _running(values), color=_BLUE, linewidth=2)
        for place, name in enumerate(scored):
            points = [(start + row["step"], row[name]) for row in mine if name in row]
            if points:
                label = labels[place] if place not in named else None
                named.add(place)
                axes[panels[_measure(name)]].plot(
                    *zip(*points, strict=True),
                    marker="os^D"[place % 4],
                    markersize=4,
                    color=_COLORS[place % len(_COLORS)],
                    label=label,
                )
        if number:
            for axis in axes:
                axis.axvline(start, color="#b5b5b5", linewidth=1, linestyle="--")
        if len(stages) > 1:
            middle = start + mine[-1]["step"] / 2
            across = axes[0].get_xaxis_transform()
            axes[0].text(middle, 0.98, titles[number], transform=across, ha="center", va="top", fontproperties=letters)
        start += int(mine[-1]["step"])
    axes[0].set(xlabel="step", ylabel="loss")
    axes[0].set_title(title if letters is not None or _is_plain(title) else "loss", fontproperties=letters)
    for measure, place in panels.items():
        axes[place].set(xlabel="step", ylabel=measure, title="on data that is not trained on")
        axes[place].legend(frameon=False, prop=letters)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def _measure(name: str) -> str:
    """Of ``set_measure``; no measure has an underscore."""
    return name.rpartition("_")[2]


def written(title: str, stages: Sequence[str], sets: Sequence[str]) -> tuple[Any, Sequence[str], Sequence[str]]:
    """The font of names, or ``None`` for matplotlib's own, and the names of stages and sets as they can be drawn.

    Args:
        title: Of the figure.
        stages: Names of stages.
        sets: Names of sets. Both are numbered where they need a font with Hangul and there is none.
    """
    from matplotlib.font_manager import FontProperties

    from kure_rag.evaluate.plots_fonts import korean_font

    if all(map(_is_plain, (title, *stages, *sets))):
        return None, stages, sets
    try:
        return FontProperties(fname=str(korean_font())), stages, sets
    except ConfigError:  # a training does not end in an error for want of a font
        numbered = [f"set {i}" for i, _ in enumerate(sets, 1)]
        return None, [f"stage {i}" for i, _ in enumerate(stages, 1)], numbered


def _is_plain(text: str) -> bool:
    return all(ord(letter) < _PLAIN for letter in text)


def _running(values: Sequence[float]) -> list[float]:
    """Means of up to 25 points up to each."""
    window = min(_WINDOW, max(1, len(values) // 8))
    return [sum(values[max(0, i + 1 - window) : i + 1]) / min(i + 1, window) for i in range(len(values))]
