"""What is shown of hits, pages and uploads: values and HTML, without the framework that shows them."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from kure_rag.app.pages import PageView
from kure_rag.types import Chunk, Document, Hit

_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&])")
_AUTOLINK: Final = re.compile(r"(?<=www)(?=\.)|(?=://)|(?<=@)", re.IGNORECASE)
_JOINER: Final = "\u2060"  # of no width
_ROW: Final = re.compile(r"\| .*(?<=\s)\|\s*$")
_RULE: Final = re.compile(r"[|:\s-]+")
_BAR: Final = re.compile(r"(?:^|(?<=\s))\|(?=\s|$)")
_BOLD: Final = re.compile(r"\*\*(.+?)\*\*")
_CITED: Final = re.compile(r"\[(\d{1,3})\]")
_AROUND: Final = 1_500  # characters of text around a passage whose page cannot be shown
Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LegView:
    """What one leg said of a hit.

    Attributes:
        name: ``lexical``, ``dense`` or ``rerank``.
        rank: 1-based, or ``None`` where the leg only scored it.
        score: As the leg gives it.
        part: Its part of the fused score, where there is one.
    """

    name: str
    rank: int | None
    score: float
    part: float | None


def legs_of(hit: Hit) -> tuple[LegView, ...]:
    """Both legs of a hit, and the reranker where there was one."""
    return tuple(
        LegView(name=name, rank=leg.rank, score=leg.score, part=hit.parts.get(name)) for name, leg in hit.legs.items()
    )


def where_of(domains: Sequence[str], sources: Sequence[str]) -> Mapping[str, Any] | None:
    """A filter by domain and file; ``None`` where neither was chosen."""
    where: dict[str, Any] = {}
    if domains:
        where["domain"] = {"$in": list(domains)}
    if sources:
        where["source"] = {"$in": list(sources)}
    return where or None


def escape_markdown(text: str) -> str:
    """A text as a Markdown label that looks exactly like it: a file's name may hold any sign.

    Addresses such as ``www.`` become links after Markdown's escapes are undone, so a sign of no width parts them. Where
    HTML can stand, :func:`place_html` and the like need no such thing.
    """
    parted = _AUTOLINK.sub(_JOINER, " ".join(text.split()))
    return _MARKDOWN.sub(r"\\\1", parted)


def place_html(source: str, more: Sequence[str] = ()) -> str:
    """A file's name and what is said beside it, such as the page: nothing in it becomes a link.

    Args:
        source: The file's name.
        more: Further words, each set off.
    """
    said = "".join(f" · {html.escape(words)}" for words in more if words)
    return f'<div class="kure-place"><b>{html.escape(source)}</b>{said}</div>'


def step_html(state: str, name: str = "") -> str:
    """What is being done to an upload, and to which of its files."""
    said = " · ".join(html.escape(part) for part in (state, name) if part)
    return f'<div class="kure-step">{said}</div>'


def title_html(name: str) -> str:
    """The index's name as a heading."""
    return f'<div class="kure-title" role="heading" aria-level="3">{html.escape(name)}</div>'


def problem_html(problem: str) -> str:
    """The words of whoever found a problem, beneath what the page says of it: nothing in them becomes a link."""
    return f'<div class="kure-detail">{html.escape(problem)}</div>'


def marked_html(text: str, spans: Iterable[Span] | None) -> str:
    """A text as HTML, its spans in ``<mark>``.

    Args:
        text: Anything.
        spans: (start, end), ascending, not overlapping.
    """
    out, at = [], 0
    for start, end in spans or ():
        out += [html.escape(text[at:start]), "<mark>", html.escape(text[start:end]), "</mark>"]
        at = end
    out.append(html.escape(text[at:]))
    return "".join(out)


def body_html(text: str, spans: Iterable[Span] | None) -> str:
    """A passage as HTML: its rows between ``|`` as tables, all else as it is; spans as in :func:`marked_html`."""
    spans = tuple(spans or ())
    out: list[str] = []
    at, in_table = 0, False
    for line in text.splitlines(keepends=True):
        is_row = bool(_ROW.match(line))
        if is_row != in_table:
            out.append("<table>" if is_row else "</table>")
            in_table = is_row
        if not is_row:
            out.append(marked_html(line, _within(spans, at, at + len(line))))
        elif not _RULE.fullmatch(line):
            cells = (marked_html(text[a:b], _within(spans, a, b)) for a, b in _cells(line, at))
            out.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        at += len(line)
    return "".join(out) + ("</table>" if in_table else "")


def _within(spans: Iterable[Span], start: int, end: int) -> list[Span]:
    """The parts of spans in a stretch, counted from its start."""
    return [(max(a, start) - start, min(b, end) - start) for a, b in spans if a < end and b > start]


def _cells(line: str, at: int) -> Iterator[Span]:
    """Where the cells of a row stand, without the bars between them."""
    row = line.rstrip()
    ends = [match.start() for match in _BAR.finditer(row)]
    for start, end in pairwise(ends):
        yield at + start + 1, at + end


def passage_html(hit: Hit, words: Mapping[str, str], *, chosen: bool = False) -> str:
    """A hit's passage and what both legs said of it."""
    state = " kure-chosen" if chosen else ""
    chips = [f'<span class="kure-chip kure-score">{words["score"]} <b>{hit.score:.3f}</b></span>']
    chips += [_leg_html(leg, words) for leg in legs_of(hit)]
    return (
        f'<div class="kure-passage{state}" data-chunk="{html.escape(hit.chunk.id)}">'
        f'<div class="kure-text">{body_html(hit.chunk.text, hit.highlights)}</div>'
        f'<div class="kure-chips">{"".join(chips)}</div></div>'
    )


def _leg_html(leg: LegView, words: Mapping[str, str]) -> str:
    rank = f"#{leg.rank}" if leg.rank is not None else words["not_ranked"]
    return (
        f'<span class="kure-chip kure-{html.escape(leg.name)}">{words.get(leg.name, html.escape(leg.name))} '
        f"<b>{rank}</b> {leg.score:.2f}</span>"
    )


def answer_html(text: str) -> str:
    """A language model's answer: its words, bold ones bold, its ``[1]`` set off. Nothing else of it is obeyed.

    A document may have told the model to write a link or a picture, which would carry off what the reader asked.
    """
    shown = _BOLD.sub(r"<b>\1</b>", html.escape(text))
    shown = _CITED.sub(r'<span class="kure-cited">[\1]</span>', shown)
    return f'<div class="kure-answer">{shown}</div>'


def page_html(view: PageView, label: str) -> str:
    """A page's picture with boxes over the passage.

    Args:
        view: The page.
        label: What the picture shows, for those who cannot see it.
    """
    picture = base64.b64encode(view.png).decode()
    boxes = "".join(
        f'<div class="kure-mark" style="left:{100 * left:.3f}%;top:{100 * top:.3f}%;'
        f'width:{100 * width:.3f}%;height:{100 * height:.3f}%"></div>'
        for left, top, width, height in view.marks
    )
    return (
        f'<div class="kure-page" data-page="{view.number}">'
        f'<img alt="{html.escape(label)}" width="{view.width}" height="{view.height}" '
        f'src="data:image/png;base64,{picture}">{boxes}</div>'
    )


def text_html(document: Document, chunk: Chunk) -> str:
    """A passage in the text around it, for a document without a page to show."""
    start = max(0, chunk.start - _AROUND)
    text = document.text[start : chunk.end + _AROUND]
    body = marked_html(text, [(chunk.start - start, chunk.end - start)])
    before, after = "…" if start else "", "…" if chunk.end + _AROUND < len(document.text) else ""
    return f'<div class="kure-source">{before}{body}{after}</div>'
