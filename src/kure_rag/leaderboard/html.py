"""The board as one HTML file that needs no network: its tables, its plots and all their code are inside.

The plots are drawn by Vega, which the package vl-convert-python carries (both BSD-3-Clause); a policy in the page keeps
it from asking for anything.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from kure_rag.errors import ConfigError, MissingExtraError
from kure_rag.leaderboard import charts, plot_rows
from kure_rag.leaderboard.board import Board
from kure_rag.leaderboard.entry import AVERAGE, KS, METRICS, Entry
from kure_rag.leaderboard.tables import Cell, Column, Table, main_table, other_table, other_tasks, sts_sets, sts_table
from kure_rag.leaderboard.words import WORDS, Language

Words = Mapping[str, str]
METRIC: Final = "ndcg"
K: Final = 10
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'; img-src data: blob:"
)
_PARTS: Final = {"value": 0, "low": 1, "high": 2}


def write_html(board: Board, path: Path, *, language: Language = "ko") -> None:
    """Writes the page; it appears whole or not at all.

    Args:
        board: What it shows.
        path: The file. One that is there is replaced.
        language: Of the page.

    Raises:
        MissingExtraError: Altair or vl-convert-python is not installed.
        ConfigError: The file's folder is not there.
        OSError: The file cannot be written.
    """
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}; make it, or name another file")
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; name a file in it, such as {path / 'leaderboard.html'}")
    text = page_html(board, language=language)
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, path)  # noqa: PTH105 - Path.replace would do the same
    finally:
        temporary.unlink(missing_ok=True)


def page_html(board: Board, *, language: Language = "ko") -> str:
    """The page's text; see :func:`write_html`."""
    words = WORDS[language]
    data = _data(board, words)
    drawing = _vega()
    body = "\n".join(_body(board, words))
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(words['title'])}</title>\n<style>\n{_file('page.css')}</style>\n</head>\n<body>\n{body}\n"
        f'<script type="application/json" id="board">{_inside_html(data)}</script>\n'
        f"<script>\n{drawing}\n</script>\n<script>\n{_file('page.js')}</script>\n</body>\n</html>\n"
    )


def _body(board: Board, words: Words) -> Iterator[str]:
    yield f"<header><h1>{escape(words['title'])}</h1><p>{escape(words['subtitle'])}</p></header>"
    yield '<nav class="controls">'
    yield _select("metric", words["metric"], {name: words[name] for name in METRICS}, METRIC)
    yield _select("k", words["k"], {str(k): str(k) for k in KS}, str(K))
    yield f'<button type="button" id="theme">{escape(words["theme"])}</button></nav>'
    if board.problems:
        items = "".join(f"<li>{escape(problem)}</li>" for problem in board.problems)
        yield f'<section class="problems"><h2>{escape(words["problems"])}</h2><ul>{items}</ul></section>'
    yield _section(words, "main", f"{words['main_help']} {words['compared_as']}")
    yield _table(main_table(board.entries, METRIC, K), words, ticks=plot_rows.shown_first(board.entries, METRIC, K))
    yield "</section>"
    yield from _own_tables(board, words)
    yield from _plots(board, words)
    yield f"<footer>{escape(words['source'])}</footer>"


def _own_tables(board: Board, words: Words) -> Iterator[str]:
    if tasks := other_tasks(board.entries):
        yield _section(words, "other", words["other_help"])
        for task in tasks:
            yield f"<h3>{escape(task)}</h3>{_table(other_table(board.entries, task, METRIC, K), words)}"
        yield "</section>"
    if sets := sts_sets(board.entries):
        yield _section(words, "sts", "")
        for name in sets:
            yield f"<h3>{escape(name)}</h3>{_table(sts_table(board.entries, name), words)}"
        yield "</section>"


def _plots(board: Board, words: Words) -> Iterator[str]:
    yield _section(words, "charts", "")
    unknown = ", ".join(plot_rows.of_unknown_size(board.entries))
    notes = {
        "size": f"{words['size_unknown']}: {unknown}" if unknown else "",
        "speed": words["by_speed_help" if plot_rows.scopes_with("speed", board.entries) else "no_speed"],
    }
    yield '<div class="plots">'
    for axis, note in notes.items():
        yield f"<div><h3>{escape(words[f'by_{axis}'])}</h3><p>{escape(note)}</p>"
        if scopes := plot_rows.scopes_with(axis, board.entries):
            choices = {scope: scope_name(scope, words) for scope in scopes}
            yield _select(f"{axis}-scope", words["scope"], choices, scopes[0])
            yield f'<div id="{axis}" class="plot"></div>'
        yield "</div>"
    yield f"<div><h3>{escape(words['radar'])}</h3><p>{escape(words['radar_help'])}</p>"
    yield '<div id="radar" class="plot"></div></div></div></section>'


def _section(words: Words, name: str, explained: str) -> str:
    return f'<section id="{name}-section"><h2>{escape(words[name])}</h2><p>{escape(explained)}</p>'


def _select(name: str, label: str, choices: Mapping[str, str], chosen: str) -> str:
    options = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(text)}</option>'
        for value, text in choices.items()
    )
    return f'<label>{escape(label)} <select id="{name}">{options}</select></label>'


def _table(table: Table, words: Words, *, ticks: Iterable[str] | None = None) -> str:
    """A table whose scores ``page.js`` can exchange. With ``ticks``, a box before each row."""
    ordered_by = next((column for column in table.columns if column.scope), None)
    heads = "".join(_head(column, words, ordered_by=column is ordered_by) for column in table.columns)
    box = "" if ticks is None else '<th scope="col" class="tick"></th>'
    ticked = None if ticks is None else set(ticks)
    rows = "".join(_row(table, entry, row, words, ticked) for entry, row in zip(table.entries, table.rows, strict=True))
    download = f'<button type="button" class="download">{escape(words["download"])}</button>'
    return (
        f'{download}<div class="scroll"><table data-name="{escape(table.name)}"><thead><tr>{box}{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _head(column: Column, words: Words, *, ordered_by: bool) -> str:
    order = ' aria-sort="descending"' if ordered_by else ""
    return (
        f'<th scope="col" data-name="{escape(column.name)}" data-kind="{column.kind}"{order}>'
        f'<button type="button" title="{escape(column.name)}">{escape(heading(column, words))}</button></th>'
    )


def _row(table: Table, entry: Entry, row: tuple[Cell, ...], words: Words, ticked: set[str] | None) -> str:
    cells = "".join(_cell(table, column, cell, words) for column, cell in zip(table.columns, row, strict=True))
    box = ""
    if ticked is not None:
        checked = " checked" if entry.label in ticked else ""
        label = escape(f"{words['radar']}: {entry.label}")
        box = f'<td class="tick"><input type="checkbox" aria-label="{label}"{checked}></td>'
    return f'<tr data-model="{escape(entry.label)}" data-origin="{entry.origin}">{box}{cells}</tr>'


def _cell(table: Table, column: Column, cell: Cell, words: Words) -> str:
    marks = f' class="{column.kind}"'
    if column.kind == "score":
        scope = column.scope or table.name
        marks += f' data-scope="{escape(scope)}" data-part="{_PARTS.get(column.name, 0)}"'
    if cell is None:
        return f'<td{marks} data-value="">{"" if column.name == "rank" else "–"}</td>'
    return f'<td{marks} data-value="{escape(str(cell))}">{escape(shown(column, cell, words))}</td>'


def heading(column: Column, words: Words) -> str:
    """A column's heading; all eight tasks are of retrieval, which their headings need not say."""
    return words.get(column.name) or (column.name.removesuffix("Retrieval") if column.scope else column.name)


def scope_name(scope: str, words: Words) -> str:
    """What a plot's quality is called: a set by its own name, whatever that is."""
    return words["average"] if scope == AVERAGE else scope


def shown(column: Column, cell: Cell, words: Words) -> str:
    """A cell as the page shows it."""
    if column.kind == "score":
        return f"{cell:.5f}"
    if column.kind == "number":
        return f"{cell:,}" if isinstance(cell, int) else f"{cell:,.2f}".removesuffix("0").removesuffix(".0")
    return words["own" if cell == "own" else "published"] if column.name == "origin" else str(cell)


def _data(board: Board, words: Words) -> dict[str, Any]:
    """What ``page.js`` needs to show another metric: values of the tables, and what the plots draw."""
    entries = board.entries
    cuts = [(metric, k) for metric in METRICS for k in KS]
    chosen = plot_rows.shown_first(entries, METRIC, K)
    specs = {
        "radar": charts.radar(plot_rows.corners([one for one in entries if one.label in chosen], METRIC, K), words)
    }
    for axis in plot_rows.AXES:
        if scopes := plot_rows.scopes_with(axis, entries):
            specs[axis] = charts.scatter(plot_rows.points(entries, scopes[0], METRIC, K), axis, words)
    return {
        "values": {entry.label: _values(entry, cuts) for entry in entries},
        "points": {
            scope: {f"{metric}@{k}": _compact(entries, scope, metric, k) for metric, k in cuts}
            for scope in plot_rows.scopes(entries)
        },
        "models": {
            entry.label: {**_facts(entry), "short": plot_rows.short(entry.label), "whole": entry.whole}
            for entry in entries
        },
        "specs": {name: chart.to_dict() for name, chart in specs.items()},
        "unknown": "–",
    }


def _values(entry: Entry, cuts: Iterable[tuple[str, int]]) -> dict[str, dict[str, list[float | None]]]:
    values: dict[str, dict[str, list[float | None]]] = {}
    for (task, metric, k), score in entry.scores.items():
        cut = values.setdefault(task, {})
        cut[f"{metric}@{k}"] = [score.value] if score.low is None else [score.value, score.low, score.high]
    for metric, k in cuts:
        if (mean := entry.value(AVERAGE, metric, k)) is not None:
            values.setdefault(AVERAGE, {})[f"{metric}@{k}"] = [mean]
    return values


def _facts(entry: Entry) -> dict[str, Any]:
    size = None if entry.parameters is None else entry.parameters / 1e6
    return {"model": entry.label, "origin": entry.origin, "size": size, "hardware": entry.hardware}


def _compact(entries: Iterable[Entry], scope: str, metric: str, k: int) -> list[list[Any]]:
    """Label, value, speed, and for both axes whether a point is on the front and whether it is named."""
    return [
        [row["model"], row["value"], row["speed"]]
        + [int(bool(row[f"{axis}_{what}"])) for axis in plot_rows.AXES for what in ("front", "label")]
        for row in plot_rows.points(tuple(entries), scope, metric, k)
    ]


def _vega() -> str:
    try:
        import vl_convert
    except ImportError:
        raise MissingExtraError("The leaderboard as an HTML file", "leaderboard") from None
    # Without a snippet of ours the bundle puts vegaEmbed on the window; the type stub knows no default.
    return str(vl_convert.javascript_bundle())  # type: ignore[call-arg]


def _inside_html(value: object) -> str:
    """JSON that cannot end the element it stands in, whatever a run is called."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _file(name: str) -> str:
    return files("kure_rag.leaderboard").joinpath("page", name).read_text(encoding="utf-8")
