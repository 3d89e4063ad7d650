"""Both languages on a map, before and after: parallel texts joined by lines, which get short where languages merge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag.errors import ConfigError
from kure_rag.evaluate.clustering_projection import Projection, project
from kure_rag.evaluate.pairs import unit
from kure_rag.evaluate.plots_fonts import korean_font, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from kure_rag.embed import EmbedderLike
    from kure_rag.train.cross_lingual_data import Pair

_NEIGHBOURS: Final = 10
# Okabe and Ito's blue and vermilion, which people with colour blindness tell apart; the shapes differ too.
_KOREAN: Final = ("#0072b2", "o", "Korean")
_ENGLISH: Final = ("#d55e00", "^", "English")
_LINE: Final = "#8a8a8a"
_INK: Final = "#222222"


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageMap:
    """How one model places parallel texts.

    Attributes:
        model: Its name.
        korean: Places of the Korean texts, shape (n, 2).
        english: Places of their English partners.
        mixing: Share of each text's ten nearest neighbours, by the vectors, that are of the other language; a half
            where the model does not tell the languages apart, 0 where they lie apart.
        partners: Mean cosine of partners less that of others of the other language, from the vectors.
    """

    model: str
    korean: NDArray[np.float64]
    english: NDArray[np.float64]
    mixing: float
    partners: float


def map_languages(
    embedder: EmbedderLike, pairs: Sequence[Pair], *, projection: Projection = "tsne", seed: int = 0, title: str = ""
) -> LanguageMap:
    """Embeds both sides as passages and places them together.

    Args:
        embedder: The model.
        pairs: Parallel texts, three at the least.
        projection: See :func:`kure_rag.evaluate.clustering_projection.project`.
        seed: The same seed gives the same map.
        title: What the model is called; its name by default.

    Raises:
        ConfigError: There are fewer than three pairs.
    """
    if len(pairs) < 3:
        raise ConfigError(f"{len(pairs)} pairs are too few for a map; give 3 or more")
    count = len(pairs)
    vectors = unit(embedder.embed_passages([*(pair.korean for pair in pairs), *(pair.english for pair in pairs)]))
    places = _scaled(project(vectors, projection, seed=seed))
    return LanguageMap(
        model=title or embedder.name,
        korean=places[:count],
        english=places[count:],
        mixing=mixing(vectors[:count], vectors[count:]),
        partners=partner_gap(vectors[:count], vectors[count:]),
    )


def mixing(korean: NDArray[np.float64], english: NDArray[np.float64]) -> float:
    """Share of the ten nearest neighbours that are of the other language, from 0 to 1.

    Args:
        korean: Unit vectors, shape (n, dimension).
        english: Likewise.
    """
    vectors = np.concatenate([korean, english])
    near = vectors @ vectors.T
    np.fill_diagonal(near, -np.inf)
    found = np.argsort(-near, axis=1, kind="stable")[:, : min(_NEIGHBOURS, len(vectors) - 1)]
    is_korean = np.arange(len(vectors)) < len(korean)
    return float((is_korean[found] != is_korean[:, None]).mean())


def partner_gap(korean: NDArray[np.float64], english: NDArray[np.float64]) -> float:
    """Mean cosine of partners less the mean cosine of texts that are none."""
    near = korean @ english.T
    count = len(near)
    own = float(np.trace(near)) / count
    others = (float(near.sum()) - float(np.trace(near))) / (count * (count - 1))
    return own - others


def _scaled(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centred, and as wide as any other map: the root mean square distance from the middle is 1."""
    middle = places - places.mean(axis=0)
    spread = float(np.sqrt((middle**2).sum(axis=1).mean()))
    return np.asarray(middle / spread if spread else middle)


def draw_languages(maps: Sequence[LanguageMap], *, title: str = "", font: Path | None = None) -> Figure:
    """A panel for each map, all at one scale.

    Args:
        maps: Of the same pairs, such as before and after.
        title: Above them.
        font: A font file with Hangul; by default one that is installed.

    Raises:
        ConfigError: No font with Hangul is installed; says what to install.
        MissingExtraError: The extra ``plots`` is not installed.
    """
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

    letters = FontProperties(fname=str(font or korean_font()))
    figure = Figure(figsize=(6.2 * len(maps), 6.4), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    reach = 1.05 * max(float(np.abs([*one.korean, *one.english]).max()) for one in maps)
    panels: Any = figure.subplots(1, len(maps), squeeze=False)[0]
    for axes, one in zip(panels, maps, strict=True):
        lines = list(np.stack([one.korean, one.english], axis=1))
        axes.add_collection(LineCollection(lines, colors=_LINE, linewidths=0.5, alpha=0.55, zorder=1))
        for places, (colour, marker, label) in ((one.korean, _KOREAN), (one.english, _ENGLISH)):
            axes.scatter(*places.T, s=22, c=colour, marker=marker, linewidths=0, alpha=0.8, label=label, zorder=2)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
        said = f"{one.model}\nneighbours of the other language {one.mixing:.0%}"
        axes.set_title(said, fontproperties=letters, fontsize=11, loc="left", color=_INK, parse_math=False)
        for side in axes.spines.values():
            side.set_color("#b5b5b5")
    panels[0].legend(loc="lower left", frameon=True, framealpha=0.9, edgecolor="none", fontsize=9)
    if title:
        figure.suptitle(title, fontproperties=letters, fontsize=13, color=_INK, parse_math=False)
    return figure
