"""The plots, as Altair charts: the same ones in the browser app and in the exported page.

Their data have names (``size``, ``speed``, ``radar``), under which the exported page gives them other rows when another
metric is chosen there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from kure_rag.errors import MissingExtraError
from kure_rag.leaderboard.entry import TASKS

if TYPE_CHECKING:
    import altair

Row = Mapping[str, Any]
Words = Mapping[str, str]
# Seen on white and on black alike.
_COLOURS: Final = {"published": "#7b8794", "own": "#e8710a"}
_SHAPES: Final = {"published": "circle", "own": "diamond"}
_HEIGHT: Final = 360
_RADAR: Final = 440  # pixels: a square, or the circle is none
_RINGS: Final = (0.25, 0.5, 0.75, 1.0)
_TURN: Final = 6.283185307179586
_ROOM: Final = 1.35  # of the radar's radius, for the tasks' names


def scatter(rows: Sequence[Row], axis: str, words: Words) -> altair.LayerChart:
    """Quality against size or speed.

    Args:
        rows: Of :func:`kure_rag.leaderboard.plot_rows.points`, for what is shown.
        axis: ``size`` or ``speed``: the row's field on the horizontal axis, which is logarithmic.
        words: Of the page's language.

    Raises:
        MissingExtraError: Altair is not installed.
    """
    alt = _altair()
    base = alt.Chart(alt.Data(name=axis, values=[row for row in rows if row[axis]])).encode(
        x=alt.X(
            f"{axis}:Q",
            title=words[f"{axis}_axis"],
            scale=alt.Scale(type="log", nice=False, padding=24),
            axis=alt.Axis(format=",.3~r" if axis == "speed" else ",d", labelOverlap="greedy"),
        ),
        y=alt.Y("value:Q", title=words["value"], scale=alt.Scale(zero=False, padding=18), axis=alt.Axis(format=".2f")),
    )
    tooltip = [
        alt.Tooltip("model:N", title=words["model"]),
        alt.Tooltip("value:Q", title=words["value"], format=".5f"),
        alt.Tooltip("size:Q", title=words["parameters"], format=",.0f"),
    ]
    if axis == "speed":
        tooltip.append(alt.Tooltip("speed:Q", title=words["latency_ms"], format=",.2f"))
        tooltip.append(alt.Tooltip("hardware:N", title=words["hardware"]))
    marks = base.mark_point(filled=True, size=90, opacity=0.9).encode(
        color=_by_origin(alt.Color, words, _COLOURS), shape=_by_origin(alt.Shape, words, _SHAPES), tooltip=tooltip
    )
    front = base.transform_filter(f"datum.{axis}_front").mark_line(strokeDash=[4, 4], opacity=0.5, color="#7b8794")
    names = base.mark_text(align="left", dx=8, dy=-10, fontSize=11).encode(
        text=f"{axis}_label:N", color=_by_origin(alt.Color, words, _COLOURS)
    )
    chart: altair.LayerChart = alt.layer(front, marks, names).properties(width="container", height=_HEIGHT)
    return chart


def radar(rows: Sequence[Row], words: Words) -> altair.LayerChart:
    """The eight tasks as corners, each entry as a line around.

    Args:
        rows: Of :func:`kure_rag.leaderboard.plot_rows.corners`, for what is shown.
        words: Of the page's language.

    Raises:
        MissingExtraError: Altair is not installed.
    """
    alt = _altair()
    side = alt.Scale(domain=[-_ROOM, _ROOM])
    x = alt.X("x:Q", axis=None, scale=side)
    y = alt.Y("y:Q", axis=None, scale=side)
    turn = f"datum.number * {_TURN} / {len(TASKS)}"
    place = {"x": f"datum.value * sin({turn})", "y": f"datum.value * cos({turn})"}
    legend = alt.Legend(orient="bottom", columns=2, labelLimit=360, symbolType="stroke")
    lines = (
        alt.Chart(alt.Data(name="radar", values=list(rows)))
        .transform_calculate(**place)
        .encode(
            x=x,
            y=y,
            order="number:O",
            color=alt.Color("model:N", title=None, legend=legend, scale=alt.Scale(scheme="tableau10")),
        )
    )
    tooltip = [
        alt.Tooltip("model:N", title=words["model"]),
        alt.Tooltip("task:N"),
        alt.Tooltip("value:Q", title=words["value"], format=".5f"),
    ]
    around = lines.transform_filter("datum.whole").mark_line(interpolate="linear-closed", strokeWidth=2)
    corners = lines.mark_point(filled=True, size=45).encode(tooltip=tooltip)
    grid = alt.Chart(alt.Data(values=_rings())).transform_calculate(**place).encode(x=x, y=y)
    rings = grid.mark_line(interpolate="linear-closed", color="#7b8794", opacity=0.45, strokeWidth=1).encode(
        order="number:O", detail="value:N"
    )
    marks = grid.transform_filter("datum.number == 0").mark_text(dx=-16, fontSize=10, color="#7b8794", text="")
    marks = marks.encode(text=alt.Text("value:Q", format=".2f"))
    names = (
        alt.Chart(alt.Data(values=[{"task": task, "number": at, "value": 1.12} for at, task in enumerate(TASKS)]))
        .transform_calculate(**place)
        .mark_text(fontSize=11, color="#7b8794")
        .encode(x=x, y=y, text="task:N")
    )
    chart: altair.LayerChart = (
        alt.layer(rings, marks, names, around, corners)
        .properties(width=_RADAR, height=_RADAR)
        .configure_view(stroke=None)
    )
    return chart


def _rings() -> list[dict[str, float]]:
    return [{"number": number, "value": ring} for ring in _RINGS for number in range(len(TASKS))]


def _by_origin(channel: Any, words: Words, values: Mapping[str, str]) -> Any:
    import altair as alt

    scale = alt.Scale(domain=list(values), range=list(values.values()))
    expression = f"datum.label == 'own' ? '{words['own']}' : '{words['published']}'"
    return channel("origin:N", title=None, scale=scale, legend=alt.Legend(orient="top", labelExpr=expression))


def _altair() -> Any:
    try:
        import altair
    except ImportError:
        raise MissingExtraError("The leaderboard", "leaderboard") from None
    return altair
