"""Draw the sample PDFs that ship with kure-rag from the texts in ``sample_texts/``.

Usage::

    python examples/make_samples.py [--font-dir DIR] [--out DIR]

The texts are written for this purpose and everything in them is fictional. Each starts with ``key: value`` settings,
then has one paragraph a line; a prefix gives a line its form:

==============  =====================================================================================
``= ``          the title on the first page
``== ``         a chapter; ``=== `` and ``==== `` are the levels below it
``> ``          a centred line; ``right: `` a line at the right margin
``@table …``    a table: ``widths`` in mm, ``align`` by column, ``caption``, ``unit``, number of ``head`` rows,
                names of ``bold`` rows, ``split=1`` for one that may run on to the next page, its head repeated
``| a | b``     a row of that table; ``<`` joins a cell to the one on its left, ``^`` to the one above
``note: ``      a footnote in small print; ``box: `` a framed note
``@contents``   the chapters and sections with their pages
``---``         a new page
==============  =====================================================================================

Lines that begin as Korean regulations do (``①``, ``1.``, ``가.``, ``1)``) are indented by their level.

The same fonts and the same reportlab give the same bytes (``invariant=1``): a new run changes nothing in the tree.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY, TA_RIGHT
from reportlab.lib.fonts import addMapping
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

HERE: Final = Path(__file__).resolve().parent
TEXTS: Final = HERE / "sample_texts"
OUT: Final = HERE.parent / "src" / "kure_rag" / "samples"

FONT_FILES: Final = ("NanumGothic.ttf", "NanumGothicBold.ttf", "NanumMyeongjo.ttf", "NanumMyeongjoBold.ttf")
FONT_DIRS: Final = (
    Path("/usr/share/fonts/truetype/nanum"),  # Debian, Ubuntu
    Path("/usr/share/fonts/nanum"),  # Fedora, Arch
    Path("/Library/Fonts"),  # macOS, for all users
    Path.home() / "Library" / "Fonts",  # macOS, for one user
    Path.home() / ".local" / "share" / "fonts",
)

MARGIN: Final = 25 * mm
GRID: Final = colors.Color(0.35, 0.35, 0.35)
SHADE: Final = colors.Color(0.92, 0.93, 0.95)


class FontsMissingError(Exception):
    """The Nanum fonts are not where they were looked for."""


def find_fonts(font_dir: Path | None = None) -> Path:
    """The folder that holds the four Nanum fonts: ``font_dir`` if given, otherwise the first usual place that has them.

    Raises:
        FontsMissingError: If a font is missing; the message says where was looked and how to install them.
    """
    folders = (font_dir,) if font_dir else FONT_DIRS
    for folder in folders:
        if all((folder / name).is_file() for name in FONT_FILES):
            return folder
    raise FontsMissingError(
        f"the Nanum fonts ({', '.join(FONT_FILES)}) are not in {', '.join(map(str, folders))}. "
        "Install them with `apt-get install fonts-nanum`, or name their folder with --font-dir."
    )


def register_fonts(folder: Path) -> None:
    """Tell reportlab about the families ``gothic`` and ``myeongjo``, bold included."""
    for family, stem in (("gothic", "NanumGothic"), ("myeongjo", "NanumMyeongjo")):
        pdfmetrics.registerFont(TTFont(family, str(folder / f"{stem}.ttf")))
        pdfmetrics.registerFont(TTFont(f"{family}-bold", str(folder / f"{stem}Bold.ttf")))
        for bold in (0, 1):
            for italic in (0, 1):  # Hangul has no italics
                addMapping(family, bold, italic, f"{family}-bold" if bold else family)


@dataclass(frozen=True, slots=True)
class Look:
    """How one document is set.

    Attributes:
        title: In the file's metadata.
        subject: In the file's metadata.
        header: Left and right running head, split at ``|``.
        footer: A format string that may use ``page`` and ``pages``.
        font: ``gothic`` or ``myeongjo``.
        wrap: ``words`` breaks lines at spaces as Word does; ``anywhere`` also inside words, as Hancom documents do.
    """

    title: str
    subject: str
    header: str
    footer: str
    font: str
    wrap: str

    def style(self, **changes: Any) -> ParagraphStyle:
        """A paragraph style of this document, body text unless changed."""
        settings: dict[str, Any] = {
            "fontName": self.font,
            "fontSize": 10,
            "leading": 15.5 if self.font == "gothic" else 16.5,
            "alignment": TA_JUSTIFY,
            "spaceAfter": 3,
            "allowWidows": 0,
            "allowOrphans": 0,
            "wordWrap": "CJK" if self.wrap == "anywhere" else None,
        }
        settings.update(changes)
        return ParagraphStyle("kure", **settings)


@dataclass(slots=True)
class Outline:
    """What a first pass learns for the second: the page of every heading, and how many pages there are."""

    headings: list[tuple[int, str, int]] = field(default_factory=list)
    pages: int = 0


class Text(Paragraph):  # type: ignore[misc]  # reportlab ships no type information
    """A paragraph that may break inside words, as Korean documents do, and still fills its lines.

    reportlab breaks such text anywhere but cannot justify it, and leaves a space at the head of the last line.
    """

    def breakLinesCJK(self, maxWidths: Any) -> Any:  # noqa: N802, N803  # reportlab's names
        """Break as reportlab does, then hand each line over as words, whose gaps it knows how to stretch."""
        broken = super().breakLinesCJK(maxWidths)
        if broken.kind != 0:
            return broken
        lines = []
        for at, (_, parts) in enumerate(broken.lines):
            words = " ".join(parts).split()
            used = pdfmetrics.stringWidth(" ".join(words), broken.fontName, broken.fontSize)
            lines.append((maxWidths[min(at, len(maxWidths) - 1)] - used, words))
        broken.lines = lines
        return broken


class Heading(Text):
    """A heading that reports the page it was drawn on."""

    def __init__(self, text: str, style: ParagraphStyle, level: int, outline: Outline) -> None:
        super().__init__(escape(text), style)
        self.entry = (level, text)
        self.outline = outline

    def draw(self) -> None:
        """Draw it, and note its page and a bookmark."""
        level, text = self.entry
        self.outline.headings.append((level, text, self.canv.getPageNumber()))
        key = f"h{len(self.outline.headings)}"
        self.canv.bookmarkPage(key)
        self.canv.addOutlineEntry(text, key, level=level)
        super().draw()


# Level of indentation by how a line begins, and whether a hanging indent suits it.
ITEM_LEVELS: Final = (
    (re.compile(r"[①-⑳]\s"), 1),
    (re.compile(r"\d+\.\s"), 2),
    (re.compile(r"\d+\)\s"), 1),
    (re.compile(r"[가-하]\.\s"), 3),
)
ARTICLE: Final = re.compile(r"(제\d+조(?:의\d+)?(?:\([^)]*\))?)(.*)")


def body(line: str, look: Look) -> Text:
    """A paragraph of running text, indented by how it begins; an article's number and title stand in bold."""
    level = next((level for pattern, level in ITEM_LEVELS if pattern.match(line)), 0)
    text = escape(line)
    if article := ARTICLE.fullmatch(text):
        return Text(f"<b>{article[1]}</b>{article[2]}", look.style(spaceBefore=5))
    return Text(
        text, look.style(leftIndent=(level * 4.5 + 3.5) * mm if level else 0, firstLineIndent=-3.5 * mm if level else 0)
    )


def heading(line: str, look: Look, outline: Outline) -> Heading:
    """A chapter, section or subsection, by its number of equals signs."""
    marks, text = line.split(" ", 1)
    level = len(marks) - 2
    size, before = ((13, 14), (11, 9), (10, 6))[level]
    style = look.style(
        fontName=f"{look.font}-bold",
        fontSize=size,
        leading=size * 1.5,
        spaceBefore=before,
        spaceAfter=4,
        alignment=TA_CENTER if re.match(r"제\d+장|부칙", text) else 0,
        keepWithNext=1,
    )
    return Heading(text, style, level, outline)


def contents(title: str, look: Look, known: Outline) -> list[Flowable]:
    """The table of contents, from the headings of the first pass; empty in that pass."""
    entries = [(level, text, page) for level, text, page in known.headings if level < 2]
    rows = [[("      " * level) + text, str(page)] for level, text, page in entries] or [["", ""]]
    drawing = Table(rows, colWidths=[120 * mm, 20 * mm], rowHeights=15)
    drawing.setStyle(
        TableStyle(
            [
                ("FONT", (0, 0), (-1, -1), look.font, 9.5),
                ("ALIGN", (1, 0), (1, -1), "RIGHT"),
                ("LINEBELOW", (0, 0), (-1, -1), 0.3, colors.lightgrey),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
            ]
        )
    )
    head = Text(title, look.style(fontName=f"{look.font}-bold", fontSize=12, alignment=TA_CENTER, spaceBefore=14))
    return [head, Spacer(1, 4), drawing]


def merged(rows: list[list[str]]) -> list[tuple[str, tuple[int, int], tuple[int, int]]]:
    """The SPAN commands that ``<`` and ``^`` cells ask for."""
    spans = []
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            if cell in {"<", "^"}:
                continue
            right, down = x, y
            while right + 1 < len(row) and row[right + 1] == "<":
                right += 1
            while down + 1 < len(rows) and rows[down + 1][x] == "^":
                down += 1
            if (right, down) != (x, y):
                spans.append(("SPAN", (x, y), (right, down)))
    return spans


def table(settings: dict[str, str], lines: list[str], look: Look) -> list[Flowable]:
    """A ruled table after its caption and unit, all on one page unless ``split=1`` lets it run on to the next.

    Without head rows its first column is the head.
    """
    rows = [[cell.rstrip() for cell in line[2:].split(" | ")] for line in lines]
    head = int(settings.get("head", "1"))
    align = settings["align"]
    strong = set(settings.get("bold", "").split(","))  # names of rows
    sides = {"l": 0, "c": TA_CENTER, "r": TA_RIGHT}
    cells: list[list[Text | str]] = []
    for y, row in enumerate(rows):
        bold = y < head or row[0].strip() in strong
        drawn: list[Text | str] = []
        for x, cell in enumerate(row):
            if cell in {"<", "^"}:
                drawn.append("")
                continue
            style = look.style(
                fontName=f"{look.font}-bold" if bold or (x == 0 and not head) else look.font,
                fontSize=9,
                leading=12.5,
                spaceAfter=0,
                alignment=TA_CENTER if y < head else sides[align[x]],
                leftIndent=3 * mm if cell.startswith("  ") else 0,
            )
            drawn.append(Text(escape(cell.strip()), style))
        cells.append(drawn)
    drawing = Table(
        cells, colWidths=[float(width) * mm for width in settings["widths"].split(",")], repeatRows=head, spaceAfter=5
    )
    drawing.setStyle(
        TableStyle(
            [
                ("GRID", (0, 0), (-1, -1), 0.5, GRID),
                ("LINEABOVE", (0, 0), (-1, 0), 1.1, colors.black),
                ("LINEBELOW", (0, -1), (-1, -1), 1.1, colors.black),
                ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3.5),
                *(
                    [("BACKGROUND", (0, 0), (-1, head - 1), SHADE)]
                    if head
                    else [("BACKGROUND", (0, 0), (0, -1), SHADE)]
                ),
                *merged(rows),
            ]
        )
    )
    parts: list[Flowable] = [Spacer(1, 4)]
    if caption := settings.get("caption"):
        style = look.style(fontName=f"{look.font}-bold", fontSize=9.5, spaceAfter=1, alignment=TA_CENTER)
        parts.append(Text(escape(caption), style))
    if unit := settings.get("unit"):
        parts.append(Text(escape(unit), look.style(fontSize=8.5, leading=12, spaceAfter=2, alignment=TA_RIGHT)))
    for part in parts:
        part.keepWithNext = settings.get("split") != "1"
    return [*parts, drawing]


def story(lines: list[str], look: Look, outline: Outline, known: Outline) -> list[Flowable]:
    """The whole text as flowables; ``outline`` is filled while they are drawn, ``known`` is that of the pass before."""
    flow: list[Flowable] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        mark, _, rest = line.partition(" ")
        if not line:
            continue
        if mark == "@table":
            rows = []
            while at < len(lines) and lines[at].startswith("| "):
                rows.append(lines[at])
                at += 1
            flow.extend(table(dict(part.split("=", 1) for part in shlex.split(rest)), rows, look))
            flow[-1].keepWithNext = at < len(lines) and lines[at].startswith("note: ")
        elif mark == "=":
            style = look.style(
                fontName=f"{look.font}-bold", fontSize=20, leading=30, alignment=TA_CENTER, spaceBefore=10, spaceAfter=6
            )
            flow.append(Text(escape(rest), style))
        elif mark in {"==", "===", "===="}:
            flow.append(heading(line, look, outline))
        elif mark == "@contents":
            flow.extend(contents(rest, look, known))
        elif mark == "---":
            flow.append(PageBreak())
        elif mark == ">":
            flow.append(Text(escape(rest), look.style(alignment=TA_CENTER)))
        elif mark == "right:":
            flow.append(Text(escape(rest), look.style(alignment=TA_RIGHT, fontSize=9, leading=13, spaceAfter=0)))
        elif mark == "note:":
            flow.append(Text(escape(rest), look.style(fontSize=8.5, leading=12.5, spaceAfter=4)))
        elif mark == "box:":
            style = look.style(
                fontSize=8.5,
                leading=13,
                borderColor=GRID,
                borderWidth=0.5,
                borderPadding=(5, 6, 6, 6),
                leftIndent=6,
                rightIndent=6,
                spaceBefore=14,
                spaceAfter=12,
            )
            flow.append(Text(escape(rest), style))
        else:
            flow.append(body(line, look))
    return flow


def build(lines: list[str], look: Look, path: Path, known: Outline) -> Outline:
    """Write the PDF once and return what this pass learnt."""
    outline = Outline()

    def furniture(canvas: Any, document: Any) -> None:
        left, right = (part.strip() for part in look.header.split("|"))
        width, height = A4
        canvas.setFont(look.font, 8.5)
        canvas.drawString(MARGIN, height - 15 * mm, left)
        canvas.drawRightString(width - MARGIN, height - 15 * mm, right)
        canvas.setLineWidth(0.5)
        canvas.line(MARGIN, height - 17 * mm, width - MARGIN, height - 17 * mm)
        canvas.drawCentredString(width / 2, 12 * mm, look.footer.format(page=document.page, pages=known.pages))
        outline.pages = document.page

    document = BaseDocTemplate(
        str(path),
        pagesize=A4,
        title=look.title,
        subject=look.subject,
        author="kure-rag",
        creator="kure-rag examples/make_samples.py",
        lang="ko-KR",
        invariant=1,
    )
    frame = Frame(MARGIN, 18 * mm, A4[0] - 2 * MARGIN, A4[1] - 39 * mm, leftPadding=0, rightPadding=0)
    document.addPageTemplates(PageTemplate("page", [frame], onPage=furniture))
    document.build(story(lines, look, outline, known))
    return outline


def make(source: Path, path: Path) -> int:
    """Draw one text; returns its number of pages.

    It is drawn until a pass confirms what the pass before learnt: contents and page counts are part of the pages.
    """
    settings, text = source.read_text(encoding="utf-8").split("\n\n", 1)
    look = Look(**dict(line.split(": ", 1) for line in settings.splitlines()))
    lines = text.splitlines()
    known = Outline()
    for _ in range(5):
        outline = build(lines, look, path, known)
        if outline == known:
            return outline.pages
        known = outline
    raise RuntimeError(f"{source.name}: the page numbers do not settle")


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments, draw every text and print what was written; 1 if the fonts are missing."""
    parser = argparse.ArgumentParser(description="Draw the sample PDFs of kure-rag.")
    parser.add_argument("--font-dir", type=Path, help="folder that holds the Nanum fonts (TrueType)")
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write to (default: src/kure_rag/samples)")
    options = parser.parse_args(arguments)
    try:
        register_fonts(find_fonts(options.font_dir))
    except FontsMissingError as error:
        print(f"make_samples: {error}", file=sys.stderr)
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    for source in sorted(TEXTS.glob("*.txt")):
        path = options.out / f"{source.stem}.pdf"
        pages = make(source, path)
        print(f"{path.name}: {pages} pages, {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
