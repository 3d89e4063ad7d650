"""One process writes, others search: no error, and no answer that mixes two generations."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from crash.changes import SeededEmbedder

from kure_rag import KureIndex
from kure_rag.ingest.places import Place
from kure_rag.ingest.target import Ready, Target
from kure_rag.types import Chunk, Document, chunk_id

CHILD = Path(__file__).with_name("reader_child.py")


def put(index: KureIndex, version: int) -> None:
    """A new version of one document, and a new document beside it."""
    rules = [f"출장 규정 제{i}조의 기한은 {version}판" for i in range(1, 4)]
    other = [f"보고서 {version}호의 첫 문장이다."]
    items = []
    for source, lines in (("출장규정", rules), (f"보고서{version}", other)):
        text, document_id = "\n".join(lines), f"{source}-{version}"
        starts = [text.index(line) for line in lines]
        ids = [chunk_id(document_id, at, at + len(line), line, "test") for at, line in zip(starts, lines, strict=True)]
        around = [None, *ids, None]
        chunks = [
            Chunk(
                id_,
                document_id,
                line,
                at,
                at + len(line),
                (1,),
                ordinal=i,
                prev_id=around[i],
                next_id=around[i + 2],
            )
            for i, (id_, line, at) in enumerate(zip(ids, lines, starts, strict=True))
        ]
        document = Document(document_id, source, "", "general", text)
        items.append(Ready(document, chunks, [line.split() for line in lines], Place(source)))
    with index._store.writing():
        Target(index._store, index.embedder, index._claim).add(items)


def run(path: Path, readers: int, seconds: float) -> None:
    with KureIndex.open(path, embeddings=SeededEmbedder()) as index:
        put(index, 0)
        children = [
            subprocess.Popen(
                [sys.executable, str(CHILD), str(path), str(seconds)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(readers)
        ]
        version, pause = 0, np.random.default_rng(1)
        while any(child.poll() is None for child in children):
            version += 1
            put(index, version)
            if version % 3 == 0:
                index.delete(f"보고서{version - 2}")
            time.sleep(float(pause.uniform(0, 0.1)))
        for child in children:
            out, errors = child.communicate()
            assert child.returncode == 0, errors[-3000:]
            searches, versions = map(int, out.split())
            assert searches > 3
            assert versions > 1, "the reader never saw a new generation"
        found = index.verify()
        assert found.ok, found.problems
    assert version > 3


def test_two_readers_and_a_writer(tmp_path: Path) -> None:
    run(tmp_path / "index", readers=2, seconds=6)


@pytest.mark.crash
def test_eight_readers_and_a_writer_for_a_minute(tmp_path: Path) -> None:
    run(tmp_path / "index", readers=8, seconds=60)
