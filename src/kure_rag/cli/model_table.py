"""The table of ``kure-rag models``: as much of each card as the terminal's width has room for."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from kure_rag.embed.model_card import Kind, ModelCard

WIDE: Final = 120
MIDDLE: Final = 100
_HEADINGS: Final[dict[Kind, str]] = {
    "dense": "dense: a vector for each text",
    "sparse": "sparse: weighted terms",
    "late-interaction": "late interaction: a vector for each token",
    "reranker": "rerankers: score a question with a passage",
}
_MIDDLE_COLUMNS: Final = ("model", "dims", "limit", "query prefix", "passage prefix", "pooling")
_COLUMNS: Final = {
    WIDE: (*_MIDDLE_COLUMNS, "licence", "score"),
    MIDDLE: _MIDDLE_COLUMNS,
    0: ("model", "dims", "limit", "prefixes", "pooling"),
}
_RIGHT: Final = frozenset({"dims", "limit"})
# What "search_query: " and "search_document: " need in quotes, and the longer of them without.
_QUERY_WIDTH: Final = 16
_PASSAGE_WIDTH: Final = 19
_PREFIX_WIDTH: Final = 16
_TEXT_WIDTH: Final = 100
_NAMES: Final = (
    "The part of a name after '/' is an alias of it; others, and the commit that is loaded (elsewhere the newest), "
    "stand in a second line. The default is nlpai-lab/KURE-v1; static-ko comes with kure-rag and works offline."
)
_CELLS: Final = (
    "dims: numbers in a vector. limit: tokens of a text that are used. Cells are empty where nothing is known. "
    "'stored' prefixes and pooling come with the weights. * needs trust_remote_code=True."
)
_MORE: Final = (
    "`kure-rag models NAME` shows all that is known of one, whether vectors are scaled and their default weight beside "
    "keyword scores among it, and the code that uses it. Others work too, with the prompts they store."
)


def model_table(width: int) -> Table:
    """All cards by their kind.

    Args:
        width: Columns of the terminal. From 120 on nothing is left out, from 100 on licences and scores, and below that
            the two prefixes stand in one column, one above the other. Less than 80 cuts cells.
    """
    from rich.table import Table

    from kure_rag.embed.cards import CARDS

    columns = _columns(width)
    marks = benchmark_marks()
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    for column in columns:
        table.add_column(column, no_wrap=True, justify="right" if column in _RIGHT else "left")
    for kind, heading in _HEADINGS.items():
        table.add_row()
        table.add_row(f"[bold]{heading}[/]")
        for card in CARDS.values():
            if card.kind == kind:
                cells = _cells(card, marks)
                table.add_row(*(cells[column] for column in columns))
    return table


def legend(width: int) -> str:
    """What the table's words mean, in lines of the terminal's width.

    Args:
        width: As :func:`model_table` takes it.
    """
    columns = _columns(width)
    said = [_NAMES, _CELLS]
    if "prefixes" in columns:
        said.append("prefixes: the queries' above the passages'; each ends in a space.")
    if "score" in columns:
        marked = "; ".join(f"{mark}: {metric}, {name}" for (name, metric), mark in benchmark_marks().items())
        said.append(f"score: the first that was published. {marked}.")
    else:
        said.append(f"Licences and scores need {WIDE} columns.")
    said.append(_MORE)
    return "\n".join(textwrap.fill(line, min(width, _TEXT_WIDTH), break_on_hyphens=False) for line in said)


def benchmark_marks() -> Mapping[tuple[str, str], str]:
    """A letter for each benchmark and metric whose score the table shows, in the cards' order."""
    from kure_rag.embed.cards import CARDS

    first = dict.fromkeys(card.published[0][:2] for card in CARDS.values() if card.published)
    return {key: chr(ord("a") + i) for i, key in enumerate(first)}


def pooling_of(card: ModelCard) -> str:
    """How a card's model is pooled, also where its own modules say so."""
    return card.plain_pooling or card.pooling if card.pooling == "stored" else card.pooling


def _columns(width: int) -> tuple[str, ...]:
    return next(columns for least, columns in _COLUMNS.items() if width >= least)


def _cells(card: ModelCard, marks: Mapping[tuple[str, str], str]) -> Mapping[str, str]:
    from rich.markup import escape

    no_prefix = card.kind == "reranker"
    query, passage = ("", "") if no_prefix else (card.query_prefix, card.passage_prefix)
    return {
        "model": "\n".join([card.name + ("*" if card.needs_remote_code else ""), *_second_line(card)]),
        "dims": str(card.dimension or ""),
        "limit": str(card.max_tokens or ""),
        "query prefix": escape(_quoted(query, _QUERY_WIDTH)),
        "passage prefix": escape(_quoted(passage, _PASSAGE_WIDTH)),
        "prefixes": escape(_both(query, passage)),
        "pooling": "" if no_prefix else pooling_of(card),
        "licence": card.licence or "",
        "score": _score(card, marks),
    }


def _score(card: ModelCard, marks: Mapping[tuple[str, str], str]) -> str:
    if not card.published:
        return ""
    benchmark, metric, value = card.published[0]
    return f"{marks[benchmark, metric]} {value:.4f}".replace(" 0.", " .")


def _second_line(card: ModelCard) -> list[str]:
    more = [alias for alias in card.aliases if alias != card.name.rpartition("/")[2]]
    if card.revision:
        more.append(f"at {card.revision[:12]}")
    return [f"  {', '.join(more)}"] if more else []


def _quoted(prefix: str | None, width: int) -> str:
    if prefix is None:
        return "stored"
    return _short(repr(prefix), width) if prefix else ""


def _both(query: str | None, passage: str | None) -> str:
    if query is None and passage is None:
        return "stored"
    shown = ["stored" if prefix is None else _short(prefix.strip(), _PREFIX_WIDTH) for prefix in (query, passage)]
    return "\n".join(line or "-" for line in shown) if any(shown) else ""


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
