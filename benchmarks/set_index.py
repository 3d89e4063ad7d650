"""The index of a retrieval set, made once and kept where that is asked for; what several scripts here search."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kure_rag import KureIndex
from kure_rag.evaluate import read_set


@contextmanager
def set_index(folder: Path, model: str, keep: Path | None) -> Iterator[KureIndex]:
    with tempfile.TemporaryDirectory() as scratch:
        place = (keep or Path(scratch)) / folder.name
        fresh = not place.exists()
        with KureIndex.open(place, embeddings=model) as index:
            if fresh:
                index.add_corpus(read_set(folder).corpus_path)
            yield index
