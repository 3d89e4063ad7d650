"""An index whose best settings are known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tuning_support import COUNT, THINGS, KnowingEmbedder, marks, passage, question, write_questions

from kure_rag import KureIndex


@pytest.fixture(scope="package")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KureIndex]:
    with KureIndex.open(tmp_path_factory.mktemp("tune") / "ix", embeddings=KnowingEmbedder()) as made:
        made.add_records([passage(number) for number in range(COUNT)], workers=1)
        yield made


@pytest.fixture(scope="package")
def ids(index: KureIndex) -> dict[str, str]:
    """Record → the id of its chunk, which questions name."""
    return {row.source: index.chunks(row.id)[0].id for row in index.documents()}


@pytest.fixture(scope="package")
def qa(tmp_path_factory: pytest.TempPathFactory, ids: dict[str, str]) -> Path:
    """Questions that the vectors answer and the keywords do not."""
    rows = [(f"q{number}", question(number), [[ids[f"글-{number}"]]]) for number in range(COUNT)]
    return write_questions(tmp_path_factory.mktemp("qa") / "qa.parquet", rows)


@pytest.fixture(scope="package")
def noise(tmp_path_factory: pytest.TempPathFactory, ids: dict[str, str]) -> Path:
    """Questions whose answers were drawn by lot: no setting can be better."""
    chance = np.random.default_rng(11)
    rows = []
    for number in range(COUNT):
        text = f"{THINGS[number % 8]} 업무 {marks(int(chance.integers(200, 20_000)))}"
        rows.append((f"q{number}", text, [[ids[f"글-{chance.integers(0, COUNT)}"]]]))
    return write_questions(tmp_path_factory.mktemp("noise") / "qa.parquet", rows)
