"""Catalog → views: what is pending, what is gone for good, and whole views made anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from kure_rag.index.catalog import Catalog, Pending
from kure_rag.index.dense import DenseSettings, DenseView
from kure_rag.index.dense_metadata import flat_metadata
from kure_rag.index.lexical import LexicalView
from kure_rag.index.matrix import MatrixView

STEP: Final = 5_000  # operations a view does between two marks in the catalog
_NEWEST: Final = 2**62  # a generation later than all
Progress = Callable[[str, int, int], None]


def add_to(view: LexicalView | DenseView | MatrixView, catalog: Catalog, rows: dict[int, str]) -> None:
    """Adds rows to a view; those that were purged meanwhile are no longer in the catalog and are left out.

    Args:
        view: One of the three.
        catalog: Where terms and vectors come from.
        rows: Chunk ids by row number.
    """
    if not rows:
        return
    if isinstance(view, LexicalView):
        view.apply(catalog.keywords(list(rows)), [])
        return
    found, vectors = catalog.vectors(list(rows))
    if not found:
        return
    if isinstance(view, MatrixView):
        view.apply((found, vectors))
    elif not view.settings.chroma_text:
        newest = list({rows[row]: i for i, row in enumerate(found)}.values())  # an id may have been put again
        view.add([rows[found[i]] for i in newest], vectors[newest])
    else:
        _add_with_texts(view, catalog, rows, found, vectors)


def _add_with_texts(
    view: DenseView, catalog: Catalog, rows: dict[int, str], found: Sequence[int], vectors: npt.NDArray[np.float32]
) -> None:
    chunks = catalog.fetch(found, catalog.state().generation)
    seen = [i for i, row in enumerate(found) if row in chunks]  # what is gone already needs no text
    items = [chunks[found[i]] for i in seen]
    view.add(
        [rows[found[i]] for i in seen],
        vectors[seen],
        texts=[item.chunk.text for item in items],
        metadatas=[
            flat_metadata(item.chunk, source=item.source, title=item.title, domain=item.domain) for item in items
        ],
    )


def delete_from(view: LexicalView | DenseView | MatrixView, catalog: Catalog, rows: dict[int, str]) -> None:
    """Deletes rows from a view. A chunk that was added again since has the same id, and the vector view keeps it."""
    if isinstance(view, LexicalView | MatrixView):
        view.apply({}, list(rows))
    else:
        back = catalog.rows_of(list(rows.values()))
        view.delete([id_ for id_ in rows.values() if id_ not in back])


def added(batch: Sequence[Pending]) -> dict[int, str]:
    """Chunk ids by row of what a batch of operations adds."""
    return {operation.row: operation.chunk_id for operation in batch if operation.op == "add"}


def gone(catalog: Catalog, generation: int = _NEWEST) -> dict[int, str]:
    """Chunk ids by row of what went in a generation or before it and is still stored."""
    return dict(catalog._rows("SELECT row, id FROM chunks WHERE gone <= ? ORDER BY row", (generation,)))


def stored(catalog: Catalog) -> dict[int, str]:
    """Chunk ids by row of all that is stored, gone or not, ascending. Views hold no more, and no less than is alive."""
    return dict(sorted({**dict(catalog.all_rows()), **gone(catalog)}.items()))


def fill(view: str, folder: Path, catalog: Catalog, settings: DenseSettings, progress: Progress | None) -> None:
    """Makes a view anew in an empty folder.

    Rows that are gone and not yet purged are in it too: searches at an older generation still show them.
    """
    opened = _new(view, folder, settings)
    try:
        for rows, done, total in _steps(stored(catalog)):
            add_to(opened, catalog, rows)
            if progress is not None:
                progress(f"rebuilding {view}", done, total)
    finally:
        opened.close()


def _new(view: str, folder: Path, settings: DenseSettings) -> LexicalView | DenseView | MatrixView:
    if view == "dense":
        return DenseView(folder, settings)
    return LexicalView(folder) if view == "lexical" else MatrixView(folder)


def _steps(rows: dict[int, str]) -> Iterator[tuple[dict[int, str], int, int]]:
    pairs = list(rows.items())
    for i in range(0, len(pairs), STEP):
        part = pairs[i : i + STEP]
        yield dict(part), i + len(part), len(pairs)
