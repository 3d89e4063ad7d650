"""Plots: a map of clusters with Korean labels, and what a Matryoshka sweep found. Needs the extra ``plots``.

Nothing here touches matplotlib's global state: no ``pyplot``, no window, no settings changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag.errors import ConfigError
from kure_rag.evaluate.clustering import NOISE, Clustering
from kure_rag.evaluate.plots_fonts import korean_font, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from numpy.typing import NDArray

    from kure_rag.evaluate.sts import StsScores

ENDINGS: Final = (".png", ".svg", ".pdf")

_DPI: Final = 150
_INK: Final = "#222222"
_GREY: Final = "#b5b5b5"
# Okabe and Ito's colours, which people with colour blindness tell apart, without their black; each marker goes through
# them once, so that 28 clusters look different.
_COLOURS: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#b8a800")
_MARKERS: Final = "os^D"
_IN_LEGEND: Final = 24  # clusters; more would run out of the picture, and the rest is small


def check_plot(path: Path) -> None:
    """Raises before any work, where a plot cannot be drawn or written.

    Raises:
        ConfigError: The name ends otherwise than in ``.png``, ``.svg`` or ``.pdf``.
        MissingExtraError: The extra ``plots`` is not installed.
    """
    if path.suffix.lower() not in ENDINGS:
        raise ConfigError(f"{path.name}: a plot is written as {', '.join(ENDINGS)}; give it one of these endings")
    require_matplotlib()


def save_plot(figure: Figure, path: Path | IO[bytes], *, ending: str | None = None) -> None:
    """Writes a figure, the same bytes for the same figure.

    Args:
        figure: From a function of this module.
        path: Where to; its folder must exist.
        ending: The format, where the name does not end in it.
    """
    from matplotlib import rc_context

    kind = (ending or Path(str(path)).suffix).lower().lstrip(".")
    # Dates of creation would differ between two runs of one thing.
    dates = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with rc_context({"svg.hashsalt": "kure-rag"}):  # ids in an SVG are drawn by chance otherwise
        figure.savefig(path, format=kind, dpi=_DPI, metadata=dates[kind])


def draw_clusters(
    places: NDArray[np.float64], clustering: Clustering, *, title: str = "", font: Path | None = None
) -> Figure:
    """Texts on a map, coloured by cluster; the clusters' numbers stand on it, their terms in a legend.

    Args:
        places: Shape (n, 2), from :func:`kure_rag.evaluate.clustering_projection.project`.
        clustering: Of the same n texts.
        title: Above the map.
        font: A font file with Hangul; by default one that is installed.

    Raises:
        ConfigError: No font with Hangul is installed; says what to install.
        MissingExtraError: The extra ``plots`` is not installed.
    """
    letters = _letters(font)
    figure = _figure(11, 6.5)
    axes = figure.add_subplot()
    if clustering.noise:
        lost = places[clustering.labels == NOISE]
        label = f"no cluster ({len(lost)})"
        axes.scatter(lost[:, 0], lost[:, 1], s=12, c=_GREY, marker="x", linewidths=0.8, label=label)
    for cluster in clustering.clusters:
        own = places[clustering.labels == cluster.number]
        colour = _COLOURS[cluster.number % len(_COLOURS)]
        marker = _MARKERS[cluster.number // len(_COLOURS) % len(_MARKERS)]
        label = f"{cluster.number}  {', '.join(cluster.terms)} ({cluster.size})"
        axes.scatter(own[:, 0], own[:, 1], s=26, c=colour, marker=marker, linewidths=0, alpha=0.75, label=label)
        _write_number(axes, str(cluster.number), np.median(own, axis=0), colour)
    axes.set(xticks=[], yticks=[])  # coordinates of such maps have no unit
    axes.margins(0.06)
    for side in axes.spines.values():
        side.set_color(_GREY)
    if title:
        axes.set_title(title, fontproperties=letters, fontsize=13, loc="left", color=_INK, parse_math=False)
    _add_legend(axes, letters)
    return figure


def draw_sweep(sweep: Sequence[StsScores], *, name: str = "cosine_spearman", title: str = "") -> Figure:
    """A correlation over the length that vectors are cut to, with its interval.

    Args:
        sweep: One or more lengths.
        name: Of the correlation, from :data:`kure_rag.evaluate.sts.NAMES`.
        title: Above the plot.

    Raises:
        ConfigError: No font with Hangul is installed, and the title needs one.
        MissingExtraError: The extra ``plots`` is not installed.
    """
    require_matplotlib()
    rows = sorted(sweep, key=lambda scores: scores.dimension)
    dims = [scores.dimension for scores in rows]
    found = [scores.correlations[name] for scores in rows]
    figure = _figure(7.5, 4.5)
    axes = figure.add_subplot()
    axes.fill_between(
        dims, [one.low for one in found], [one.high for one in found], color=_COLOURS[0], alpha=0.18, lw=0
    )
    axes.plot(dims, [one.value for one in found], color=_COLOURS[0], marker="o", lw=1.8)
    for dimension, one in zip(dims, found, strict=True):
        axes.annotate(
            f"{one.value:.1f}", (dimension, one.value), (0, 8), textcoords="offset points", ha="center", color=_INK
        )
    axes.set_xscale("log", base=2)
    axes.set_xticks(dims, [str(dimension) for dimension in dims])
    axes.minorticks_off()
    similarity, _, method = name.partition("_")
    axes.set_xlabel("numbers kept of each vector")
    axes.set_ylabel(f"{method.capitalize()} of {similarity} x 100, 95 % interval")
    axes.grid(axis="y", color="#e5e5e5")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if title:
        letters = None if title.isascii() else _letters(None)
        axes.set_title(title, fontproperties=letters, fontsize=12, loc="left", color=_INK, parse_math=False)
    return figure


def _figure(width: float, height: float) -> Figure:
    """A figure that draws into memory, inches wide and high."""
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _letters(font: Path | None) -> FontProperties:
    require_matplotlib()
    from matplotlib.font_manager import FontProperties

    return FontProperties(fname=str(font or korean_font()))


def _write_number(axes: Any, number: str, place: NDArray[np.float64], colour: str) -> None:
    box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": colour, "linewidth": 1.2}
    axes.text(place[0], place[1], number, ha="center", va="center", fontsize=10, color=_INK, bbox=box, zorder=5)


def _add_legend(axes: Any, letters: FontProperties) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if labels and labels[0].startswith("no cluster"):  # drawn first, so as to lie below; named last
        handles, labels = [*handles[1:], handles[0]], [*labels[1:], labels[0]]
    if len(labels) > _IN_LEGEND:
        more = f"… and {len(labels) - _IN_LEGEND} smaller ones"
        handles, labels = handles[:_IN_LEGEND], [*labels[: _IN_LEGEND - 1], f"{labels[_IN_LEGEND - 1]}\n{more}"]
    small = letters.copy()
    small.set_size(10)
    legend = axes.legend(
        handles, labels, prop=small, loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, frameon=False
    )
    for text in legend.get_texts():
        text.set_parse_math(False)  # a dollar sign is a dollar sign
