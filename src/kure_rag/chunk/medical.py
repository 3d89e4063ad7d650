"""The medical profile: drug labels, reimbursement criteria, guidelines, questions and answers.

A dose never stands without its drug, nor a criterion without the act it is for: both are in the breadcrumb and in the
metadata of every chunk. A product that is not named for sure is left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from kure_rag.chunk.base import ChunkSettings, Passage, Section
from kure_rag.chunk.body import Body
from kure_rag.chunk.code_blocks import code_blocks, code_within
from kure_rag.chunk.general import COMMON
from kure_rag.chunk.lists import Binding
from kure_rag.chunk.markers import QUESTION, find_marker
from kure_rag.chunk.medical_criteria import addenda_in, cleaned, criterion_in, known_lines, without_addenda
from kure_rag.chunk.medical_grades import RATED, RECOMMENDATION, graded
from kure_rag.chunk.medical_names import CRITERIA, LABEL, PRECAUTIONS, KnownLines, product_in, product_name
from kure_rag.chunk.medical_products import Part, find_parts, label_names, named_alone
from kure_rag.chunk.medical_rows import Rows
from kure_rag.chunk.names import NameFinder
from kure_rag.chunk.nested_tables import outer_tables
from kure_rag.chunk.printed_headings import within
from kure_rag.chunk.sentences import Sentences
from kure_rag.chunk.titles import split_lines
from kure_rag.types import Document

_NAMES: Final = NameFinder((LABEL, PRECAUTIONS))
_LABEL: Final = NameFinder((LABEL,))
_HEAD: Final = "제품명"  # what stands on top of a label
_BINDING: Final = Binding(
    opens=QUESTION,
    kind="qa",
    states=RECOMMENDATION,
    rated=RATED,
    clings=re.compile(
        r"[\[(<*※\-·\s]*(?:권고\s?(?:등급|강도|수준)|근거\s?수준|근거의?\s?(?:수준|질|강도)|추천\s?등급"
        r"|(?:Class|Grade|Level)\s+(?:of\s+\w+|[A-DIVX\d]))"
    ),
)
_LABEL_NAMES: Final = 2  # a drug label has more than one of its sections
_ABOUT: Final = re.compile(r"(?P<about>\S.{2,}?)\s?(?:에\s)?(?:관련)?\s?질의\s?[·ㆍ․・‧∙,/]?\s?응답(?:집)?")


@dataclass(frozen=True, slots=True)
class Medical:
    """Drug labels, reimbursement criteria, guidelines, questions and answers.

    Metadata: ``product``, the drug that a label or a criterion (품명) names, where it does for sure; ``section``: of a
    label the innermost section known by name (``용법·용량``, ``이상반응``), of criteria the entry or the 제목 of the
    row, elsewhere the innermost heading; for a row of criteria ``item``, ``title`` and ``code`` (``자651-2``, or a list
    of several); for a pair of question and answer ``question``; for what a guideline recommends ``recommendation``
    (``권고 1``, or ``권고안`` where they have no number), ``grade`` and ``evidence``.
    A pair has ``kind`` ``qa`` and is
    one passage unless it is over the limit.
    """

    name: str = "medical"
    version: str = "7"

    def passages(self, document: Document, sentences: Sentences, settings: ChunkSettings) -> list[Passage]:
        """See :class:`~kure_rag.chunk.base.Profile`."""
        rows = Rows(document)
        tables = [(table.start, table.end) for table in outer_tables(document.tables)]
        lines = split_lines(document.text, sorted([*tables, *code_blocks(document)]))  # neither names a product
        label = len(label_names(lines)) >= _LABEL_NAMES
        finder = KnownLines((*((LABEL, PRECAUTIONS) if label else COMMON), *CRITERIA), known_lines(lines))
        body = Body(document, sentences, settings, _BINDING, rows.describe)
        parts = find_parts(lines, document.text, document.title) if label else [Part(0, len(document.text), "")]
        out: list[Passage] = []
        for part in parts:
            sections = list(without_addenda(_sections(body, part, finder), document))
            for section in sections:
                headings = cleaned(section.headings, finder)
                if label:
                    crumb, about = _of_label(document.title, part, headings, finder)
                else:
                    crumb, about = _of_criteria(document.title, headings, finder)
                out.extend(graded(body.passages(section, crumb, about), document.text))
        out = [_with_question(passage, document.text) for passage in out]
        asked = (
            _ABOUT.fullmatch(document.title) if not label and (rows.ask or any(p.kind == "qa" for p in out)) else None
        )
        return [_with_section(passage, asked["about"]) for passage in out] if asked else out


def _sections(body: Body, part: Part, finder: NameFinder) -> list[Section]:
    """The sections of a part, found as if nothing else were there, so that its numbers count by themselves."""
    document = body.document
    start, end = part.start, part.end
    if (start, end) == (0, len(document.text)):
        found = body.sections(finder)
    else:
        tables = tuple(
            replace(table, start=table.start - start, end=min(table.end, end) - start)
            for table in document.tables
            if start <= table.start < end
        )
        part_text = document.text[start:end]
        said = {**within(document, start, end), "code": code_within(document, start, end)}
        alone = replace(body, document=replace(document, text=part_text, tables=tables, metadata=said))
        found = [
            replace(section, start=section.start + start, body=section.body + start, end=section.end + start)
            for section in alone.sections(finder)
        ]
    # The line that names the product stands at the head of the first section.
    if len(found) > 1 and not found[0].headings and named_alone(part, document.text, found[0].end):
        found[:2] = [replace(found[1], start=found[0].start)]
    return found


def _of_label(
    title: str, part: Part, headings: Sequence[str], finder: NameFinder
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Breadcrumb and metadata of a label's section."""
    product = part.product
    if criterion := criterion_in(headings, finder):
        product = product_in(criterion)
    name = criterion or next(filter(None, map(_NAMES.name_of, reversed(headings))), "")
    if not name:
        name = _bare(headings[-1]) if headings else _HEAD if product else ""
    about = {key: value for key, value in (("product", product), ("section", name)) if value}
    # What the line 제품명 said, or 「1. 가람정」, stands in its place.
    rest = [h for h in headings if not product or (_LABEL.name_of(h) != _HEAD and _is_not(_bare(h), product))]
    said = product or (part.lone if not any(part.lone in heading for heading in headings) else "")
    crumb = (said,) if said and said != title and not criterion else ()
    above = (title,) if part.titled else ()
    return (*above, *crumb, *rest), about


def _of_criteria(title: str, headings: Sequence[str], finder: NameFinder) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Breadcrumb and metadata of a section of criteria or of a guideline."""
    section = criterion_in(headings, finder) or addenda_in(headings) or (headings[-1] if headings else "")
    product = next(filter(None, map(product_in, reversed(headings))), "")
    about = {key: value for key, value in (("product", product), ("section", section)) if value}
    return (title, *(heading for heading in headings if heading != title)), about


def _is_not(heading: str, product: str) -> bool:
    return product not in (heading, product_name(heading))


def _bare(heading: str) -> str:
    marker = find_marker(heading)
    return heading[marker.length :] if marker else heading


def _with_question(passage: Passage, text: str) -> Passage:
    """A pair with the question that it asks, or that its lead does where the pair was cut."""
    if passage.kind != "qa" or "question" in passage.metadata:
        return passage
    lines = [*text[passage.start : passage.end].split("\n"), *passage.lead.split("\n")]
    asked = next((line.strip() for line in lines if QUESTION.match(line.strip())), "")
    words = QUESTION.sub("", asked, count=1).strip()
    return replace(passage, metadata={**passage.metadata, "question": words}) if words else passage


def _with_section(passage: Passage, about: str) -> Passage:
    """Questions and answers are about what the document's title says, where no heading says more."""
    if "section" in passage.metadata:
        return passage
    return replace(passage, metadata={**passage.metadata, "section": about})
