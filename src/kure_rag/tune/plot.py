"""A plot of what was tried. Needs the extra ``plots``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from kure_rag.errors import MissingExtraError
from kure_rag.tune.grid import Stage
from kure_rag.tune.report import Trial, TuneReport

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN: Final = 12  # settings of a stage
_COLOURS: Final[dict[Stage, str]] = {
    "chunking": "#0072b2",
    "lexical": "#e69f00",
    "fusion": "#009e73",
    "reranker": "#d55e00",
}


def draw(report: TuneReport) -> Figure:
    """The best settings of each stage against the present ones, with 95 % intervals; a filled dot was preferred.

    Raises:
        MissingExtraError: The extra ``plots`` is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("a plot", "plots") from error
    shown = shown_trials(report, _SHOWN)
    figure = Figure(figsize=(8, 1.4 + 0.24 * max(len(shown), 4)), layout="constrained")
    axes = figure.subplots()
    preferred = {outcome.best.setting.key for outcome in report.outcomes if outcome.is_preferred and outcome.best}
    for place, trial in enumerate(reversed(shown)):
        colour, span = _COLOURS[trial.stage], trial.difference
        axes.plot([span.low, span.high], [place, place], color=colour, linewidth=1.5)
        filled = colour if trial.setting.key in preferred else "white"
        axes.plot([span.mean], [place], "o", color=colour, markerfacecolor=filled, markersize=5)
    axes.axvline(0, color="#222222", linewidth=0.8)
    labels = [f"{trial.stage}: {trial.label}" for trial in reversed(shown)]
    axes.set_yticks(range(len(shown)), labels, fontsize=7)
    axes.set_xlabel(f"difference in {report.metric} from the present settings, {report.tuning} tuning questions (95 %)")
    axes.set_title("Filled: confirmed on the held-out questions" if preferred else "Nothing was confirmed", fontsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


def shown_trials(report: TuneReport, most: int) -> list[Trial]:
    """The best of each stage, so many, in the order of the stages."""
    shown: list[Trial] = []
    for outcome in report.outcomes:
        mine = [trial for trial in report.trials if trial.stage == outcome.stage]
        shown += sorted(mine, key=lambda trial: -trial.score)[:most]
    return shown


def save(report: TuneReport, path: Path) -> None:
    """Draws and writes, as PNG, SVG or PDF by the name.

    Raises:
        MissingExtraError: The extra ``plots`` is not installed.
    """
    from kure_rag.evaluate.plots import save_plot

    save_plot(draw(report), path)
