"""A plot of how near the candidates come to the positives. Needs the extra ``plots``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from kure_rag.errors import MissingExtraError
from kure_rag.evaluate.plots import save_plot
from kure_rag.train.mine.report import MineReport

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_KEPT: Final = "#0072b2"
_REFUSED: Final = "#d55e00"
_INK: Final = "#222222"


def draw(report: MineReport) -> Figure:
    """Candidates by the share of the positive's cosine that theirs is; those that the bounds refused in another colour.

    Raises:
        MissingExtraError: The extra ``plots`` is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("a plot", "plots") from error
    ratios = report.data["ratios"]
    width, kept, refused = ratios["width"], ratios["kept"], ratios["refused"]
    starts = [width * i for i in range(len(kept))]
    figure = Figure(figsize=(7.5, 4.5), layout="constrained", facecolor="white")
    axes = figure.subplots()
    axes.bar(starts, kept, width, align="edge", color=_KEPT, label=f"left by the bounds ({sum(kept):,})")
    axes.bar(starts, refused, width, bottom=kept, align="edge", color=_REFUSED, label=f"refused ({sum(refused):,})")
    if (relative := report.data["identity"]["settings"]["dense"]["relative"]) is not None:
        axes.axvline(relative, color=_INK, linewidth=1, linestyle="--", label=f"margin {relative:g}")
    axes.set_xlim(0, width * len(kept))
    axes.set_xlabel("cosine of a candidate / cosine of the positive (the outer bars hold all beyond)")
    axes.set_ylabel("candidates")
    axes.set_title(f"{report.data['questions']:,} questions, {report.data['pairs']:,} pairs", loc="left", fontsize=11)
    axes.legend(frameon=False, loc="upper center")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


def save(report: MineReport, path: Path) -> None:
    """Draws and writes, the same bytes for the same report.

    Args:
        report: What was mined.
        path: ``.png``, ``.svg`` or ``.pdf``; see :func:`kure_rag.evaluate.plots.check_plot`.
    """
    save_plot(draw(report), path)
