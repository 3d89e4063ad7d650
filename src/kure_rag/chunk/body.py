"""A section → passages: its text packed, its tables by themselves, its heading with what follows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from kure_rag.chunk.base import ChunkSettings, Passage, Section
from kure_rag.chunk.code_blocks import code_blocks, with_code
from kure_rag.chunk.crumbs import without_repeats
from kure_rag.chunk.forms import form_head
from kure_rag.chunk.headings import find_sections
from kure_rag.chunk.lists import Binding, announces, find_units
from kure_rag.chunk.lone_titles import with_lone_titles
from kure_rag.chunk.markers import find_marker
from kure_rag.chunk.names import NameFinder
from kure_rag.chunk.nested_tables import outer_tables
from kure_rag.chunk.pack import Span, Unit, pack_units, visible
from kure_rag.chunk.printed_headings import marks_headings, printed_headings
from kure_rag.chunk.sentences import Sentences
from kure_rag.chunk.tables import TablePart, notes_end, table_parts
from kure_rag.types import Document, Table

_BRIEF: Final = 100  # characters between a heading and a table that are no text of their own
_ANNOUNCEMENT: Final = 250
_NO_NAMES: Final = NameFinder(())


@dataclass(frozen=True, slots=True)
class Body:
    """What is the same for all sections of a document.

    Attributes:
        document: The document.
        sentences: Of the whole text.
        settings: Lengths.
        binding: What belongs together in documents of this kind.
        describe: Says more about a passage of a table: a profile knows what its columns mean.
    """

    document: Document
    sentences: Sentences
    settings: ChunkSettings
    binding: Binding = field(default_factory=Binding)
    describe: Callable[[Table, TablePart, Passage], Passage] | None = None
    _code: tuple[Span, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_code", code_blocks(self.document))

    def sections(self, names: NameFinder = _NO_NAMES, *, unnumbered: bool = False) -> list[Section]:
        """The document's sections; a heading with nothing under it stands at the head of the section that follows.

        Headings in large type, which the reader of PDFs finds, are among them.

        Args:
            names: Headings known by name.
            unnumbered: Whether short lines above a list are headings too.
        """
        tables = [(self._below_heading(table), table.end) for table in outer_tables(self.document.tables)]
        printed = printed_headings(self.document)
        found = find_sections(
            self.document.text,
            names=names,
            tables=sorted([*tables, *self._code]),
            unnumbered=unnumbered,
            printed=printed,
            marked=marks_headings(self.document, printed),
        )
        return _with_lone_headings(list(found))

    def _below_heading(self, table: Table) -> int:
        """Where the table begins, without a caption that is a numbered heading: 「가. 요약재무정보」."""
        first = self.document.text[table.start : table.end].partition("\n")[0]
        marker = find_marker(first.strip())
        if marker is None or marker.number == 0 or not table.caption.startswith(first.strip()):
            return table.start
        return table.start + len(first)

    def passages(
        self, section: Section, breadcrumb: tuple[str, ...], metadata: Mapping[str, Any] | None = None
    ) -> Iterator[Passage]:
        """The passages of a section, in order."""
        breadcrumb = without_repeats(breadcrumb)
        shared = metadata or {}
        at = section.start
        tables = self._tables(section)
        for table, below in zip(tables, [*(table.start for table in tables[1:]), section.end], strict=False):
            above = self._above_table(at, section, table)
            yield from self._text(at, above, section, breadcrumb, shared)
            parts = list(table_parts(self.document, table, self.sentences, self.settings))
            stop = notes_end(self.document.text, table.end, below)
            for i, part in enumerate(parts):
                start = part.start if i else above
                end = stop if part is parts[-1] else part.end
                lead = _joined(form_head(table, part.rows[0]) if i else "", part.lead)
                passage = Passage(start, end, breadcrumb, "table", lead, {**shared, **part.metadata})
                yield passage if self.describe is None else self.describe(table, part, passage)
            at = max(stop, parts[-1].end)
        yield from self._text(at, section.end, section, breadcrumb, shared)

    def _tables(self, section: Section) -> list[Table]:
        return [table for table in outer_tables(self.document.tables) if section.start <= table.start < section.end]

    def _above_table(self, at: int, section: Section, table: Table) -> int:
        """Where the table's first passage begins: a heading, or the line that announces the table, goes with it."""
        text = self.document.text
        start, end = visible(text, max(at, section.body), table.start)
        if at == section.start < section.body and end - start <= _BRIEF:
            return at
        line = max(start, text.rfind("\n", start, end) + 1)
        if line < end and end - line <= _ANNOUNCEMENT and announces(text, line, end):
            return line
        return table.start

    def _text(
        self, start: int, end: int, section: Section, breadcrumb: tuple[str, ...], shared: Mapping[str, Any]
    ) -> Iterator[Passage]:
        for unit in self.units(start, end, section.body):
            yield Passage(unit.start, unit.end, breadcrumb, unit.kind, unit.lead, shared)

    def units(self, start: int, end: int, body: int) -> Iterator[Unit]:
        """What the text between two offsets is packed into; what begins before ``body`` is a heading."""
        text = self.document.text
        spans = with_code(text, self.sentences.within(start, end), self._code, self.settings)
        head = [span for span in spans if span[1] <= body]
        rest = spans[len(head) :]
        if not head:
            yield from pack_units(text, self._wholes(spans, self.settings), self.settings)
            return
        if not rest:
            yield from pack_units(text, [Unit(*span) for span in head], self.settings)
            return
        # The heading stays with what follows it, so that must leave room for it.
        room = max(1, self.settings.longest - (rest[0][0] - head[0][0]))
        target = max(1, self.settings.target - (rest[0][0] - head[0][0]))
        smaller = replace(self.settings, target=min(target, room), longest=room)
        first, *others = self._wholes(rest, smaller)
        joined = replace(first, start=head[0][0])
        yield from pack_units(text, [joined, *others], self.settings)

    def _wholes(self, spans: Sequence[Span], settings: ChunkSettings) -> list[Unit]:
        units = find_units(self.document.text, spans, settings, self.binding)
        return with_lone_titles(self.document.text, units, settings.target)


def _joined(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _with_lone_headings(sections: Sequence[Section]) -> list[Section]:
    out: list[Section] = []
    lone: int | None = None
    for section in sections:
        start = section.start if lone is None else lone
        alone = section.body >= section.end and bool(section.headings)
        if alone and section is not sections[-1]:
            lone = start
            continue
        out.append(replace(section, start=start))
        lone = None
    return out
