"""``qa.parquet`` → questions whose answers are places in the documents of an index."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.autorag import read_autorag, read_questions
from kure_rag.autorag.files import arrow
from kure_rag.autorag.imported import find_imported
from kure_rag.errors import ConfigError, CorpusFormatError
from kure_rag.read import Record
from kure_rag.read.corpus import short
from kure_rag.tune.gold import Groups, Question, Span

if TYPE_CHECKING:
    from kure_rag.pipeline import KureIndex

LEAST: Final = 30
"""Questions below which nothing is tried: a half of 15 tells differences of a quarter at the best."""
_NAMED: Final = 3  # ids in a message


def read_gold(index: KureIndex, qa: str | Path, corpus: str | Path | None = None) -> list[Question]:
    """Questions about an index.

    Args:
        index: Whose documents answer them.
        qa: AutoRAG's ``qa.parquet``, also from ``kure-rag qa``.
        corpus: The ``corpus.parquet`` whose ids ``qa`` names, where the index was cut or imported otherwise since.
            One that ``kure-rag export`` wrote says of each passage where in its document it stands; a passage of any
            other one is looked for by its words.

    Raises:
        MissingExtraError: The extra ``autorag`` is not installed.
        SourceNotFoundError: Nothing lies at one of the paths.
        CorpusFormatError: A file breaks its format, or names passages that are nowhere in the index.
        ConfigError: Fewer than :data:`LEAST` questions.
    """
    queries, groups = read_questions(qa)
    wanted = {id_ for some in groups.values() for group in some for id_ in group}
    spans = _of_index(index, wanted)
    if corpus is not None and (left := wanted - spans.keys()):
        spans.update(_of_corpus(index, Path(corpus).expanduser(), left))
    if lost := sorted(wanted - spans.keys()):
        raise _lost(Path(qa), index, lost, groups, corpus)
    if len(queries) < LEAST:
        raise ConfigError(
            f"{Path(qa).name}: {len(queries)} questions; tuning needs {LEAST} or more, and some 500 to tell a "
            "difference of .05. Add questions, for instance with `kure-rag qa`"
        )
    return [Question(id=name, text=text, groups=_grouped(groups[name], spans)) for name, text in queries.items()]


def _grouped(groups: tuple[frozenset[str], ...], spans: Mapping[str, Span]) -> Groups:
    return tuple(dict.fromkeys(frozenset(spans[id_] for id_ in group) for group in groups))


def _of_index(index: KureIndex, wanted: set[str]) -> dict[str, Span]:
    """Where the passages stand that the index has under these ids."""
    imported = find_imported(index)
    found: dict[str, Span] = {}
    for row in index.documents():
        for chunk in index.chunks(row.id):
            for name in (chunk.id, imported.id_of(chunk)):
                if name in wanted:
                    found[name] = Span(chunk.document_id, chunk.start, chunk.end)
    return found


def _of_corpus(index: KureIndex, path: Path, wanted: set[str]) -> dict[str, Span]:
    """Where the passages of another chunking stand in the index's documents."""
    noted = _noted(path, wanted)
    by_source: dict[str, list[str]] = {}
    for listed in index.documents():
        by_source.setdefault(listed.source, []).append(listed.id)
    found: dict[str, Span] = {}
    for row in read_autorag(path):
        if not isinstance(row, Record):
            raise CorpusFormatError(path.name, f"row {row.number}: {row.reason}")
        if row.id not in wanted:
            continue
        place = noted.get(row.id)
        if place is not None and _stands_there(index, place, row.text):
            found[row.id] = place
        elif (by_words := _by_words(index, row, by_source)) is not None:
            found[row.id] = by_words
    return found


def _noted(path: Path, wanted: set[str]) -> dict[str, Span]:
    """What an export of ours noted of its passages' places."""
    places: dict[str, Span] = {}
    with arrow().parquet.ParquetFile(path) as opened:
        if not {"doc_id", "metadata"} <= set(opened.schema_arrow.names):
            return {}
        for batch in opened.iter_batches(batch_size=500, columns=["doc_id", "metadata"]):
            for row in batch.to_pylist():
                if row["doc_id"] in wanted and (place := _place(row["metadata"])) is not None:
                    places[row["doc_id"]] = place
    return places


def _place(metadata: Any) -> Span | None:
    noted = metadata.get("kure_rag") if isinstance(metadata, dict) else None
    if not isinstance(noted, str):
        return None
    try:
        value = json.loads(noted)
        return Span(str(value["document_id"]), int(value["start"]), int(value["end"]))
    except (ValueError, KeyError, TypeError):
        return None


def _stands_there(index: KureIndex, place: Span, text: str) -> bool:
    document = index.document(place.document_id)
    return document is not None and document.text[place.start : place.end] == text


def _by_words(index: KureIndex, row: Record, by_source: Mapping[str, list[str]]) -> Span | None:
    """The one place in the file of that name where the passage's words stand, however they are spaced."""
    source = row.place.source if row.place is not None else ""
    found: list[Span] = []
    for document_id in by_source.get(source, ()):
        document = index.document(document_id)
        if document is not None:
            found += [Span(document_id, start, end) for start, end in _places(document.text, row.text)]
    return found[0] if len(found) == 1 else None


def _places(text: str, part: str) -> list[tuple[int, int]]:
    offsets = [i for i, letter in enumerate(text) if not letter.isspace()]
    dense = "".join(text[i] for i in offsets)
    wanted = "".join(part.split())
    found: list[tuple[int, int]] = []
    at = dense.find(wanted) if wanted else -1
    while at >= 0:
        found.append((offsets[at], offsets[at + len(wanted) - 1] + 1))
        at = dense.find(wanted, at + 1)
    return found


def _lost(
    qa: Path,
    index: KureIndex,
    lost: list[str],
    groups: Mapping[str, tuple[frozenset[str], ...]],
    corpus: str | Path | None,
) -> CorpusFormatError:
    questions = sum(any(id_ in group for group in some for id_ in lost) for some in groups.values())
    named = ", ".join(short(id_) for id_ in lost[:_NAMED]) + (", …" if len(lost) > _NAMED else "")
    advice = (
        "give the corpus.parquet that they are from with --corpus"
        if corpus is None
        else "neither has the corpus them where it stands alone; tune the index that holds its documents"
    )
    return CorpusFormatError(
        qa.name,
        f"{len(lost)} passages that {questions} of {len(groups)} questions need are not in {index.path} ({named}); "
        f"{advice}",
    )
