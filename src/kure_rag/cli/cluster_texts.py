"""The texts that ``kure-rag cluster`` groups, with their vectors, and the file it writes."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kure_rag.cli import common, embedding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kure_rag.evaluate.clustering import Clustering


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """What is grouped.

    Attributes:
        name: Of the file or the index's folder.
        model: What made the vectors.
        texts: In their order.
        vectors: Shape (len(texts), dimension).
        columns: What the file's rows begin with.
        places: For each text its values of these columns.
    """

    name: str
    model: str
    texts: Sequence[str]
    vectors: NDArray[np.float32]
    columns: tuple[str, ...]
    places: Sequence[tuple[Any, ...]]


def of_file(options: argparse.Namespace, lines: Sequence[tuple[int, str]]) -> Texts:
    """The lines of a file, embedded as passages.

    Args:
        options: The command's.
        lines: Line numbers and texts.
    """
    options.model = options.model or embedding.default_model()
    embedder = embedding.embedder(options)
    kept = [lines[i] for i in _drawn(len(lines), options)]
    texts = [text for _, text in kept]
    with common.progress("embedding") as advance:
        vectors = embedder.embed_passages(texts, progress=lambda done: advance(done, len(texts), ""))
    return Texts(
        name=options.texts.name,
        model=embedder.name,
        texts=texts,
        vectors=vectors,
        columns=("line",),
        places=[(number,) for number, _ in kept],
    )


def of_index(options: argparse.Namespace) -> Texts:
    """The passages of an index by source and place, with the vectors it has."""
    with (
        common.mending() as steps,
        embedding.open_index(options, options.index, create=False, progress=steps) as index,
    ):
        documents = index.documents()
        found = []
        with common.progress("reading the index") as advance:
            for done, document in enumerate(documents, start=1):
                found += [(document.source, chunk) for chunk in index.chunks(document.id)]
                advance(done, len(documents), document.source)
        found = [found[i] for i in _drawn(len(found), options)]
        entries = index.entries([chunk.id for _, chunk in found], vectors=True)
        vectors = [entry.vector for entry in entries if entry.vector is not None]
        model = index.embedder.name
    return Texts(
        name=options.index.resolve().name,
        model=model,
        texts=[chunk.text for _, chunk in found],
        vectors=np.stack(vectors) if vectors else np.zeros((0, 1), np.float32),
        columns=("source", "pages", "section", "chunk"),
        places=[
            (source, " ".join(map(str, chunk.pages)), " > ".join(chunk.breadcrumb), chunk.id) for source, chunk in found
        ],
    )


def write_csv(path: Path, texts: Texts, clustering: Clustering, places: NDArray[np.float64] | None) -> None:
    """Writes a row for each text: where it stands, its cluster and that one's terms, its place on the map, the text.

    Args:
        path: Where to.
        texts: What was grouped.
        clustering: How; a text in no cluster has -1 and no terms.
        places: Shape (n, 2); ``None`` where no map was drawn.
    """
    terms = {cluster.number: " ".join(cluster.terms) for cluster in clustering.clusters}
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        on_map = () if places is None else ("x", "y")
        writer.writerow((*texts.columns, "cluster", "terms", *on_map, "text"))
        for i, text in enumerate(texts.texts):
            label = int(clustering.labels[i])
            place = () if places is None else (f"{places[i, 0]:.4f}", f"{places[i, 1]:.4f}")
            writer.writerow((*texts.places[i], label, terms.get(label, ""), *place, text))


def _drawn(count: int, options: argparse.Namespace) -> list[int]:
    """Positions of the texts that are taken, ascending."""
    if options.sample is None or options.sample >= count:
        return list(range(count))
    chosen = np.random.default_rng(options.seed).choice(count, options.sample, replace=False)
    return sorted(int(i) for i in chosen)
