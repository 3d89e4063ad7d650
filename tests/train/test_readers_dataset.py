"""Rows on disk as a ``datasets.Dataset``: the values, the order, the fingerprint, the faults, and little memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kure_rag.errors import CorpusFormatError, TrainingError
from kure_rag.train.readers import NliRow, StsPair, as_dataset, read_nli

datasets = pytest.importorskip("datasets")

ROWS = [
    NliRow(premise="가", hypothesis="나", label="neutral"),
    NliRow(premise="다", hypothesis="라", label="entailment"),
]


def test_rows_and_mappings_become_columns_in_the_order_that_was_asked_for(tmp_path: Path) -> None:
    found = as_dataset(ROWS, ("hypothesis", "premise"), tmp_path / "nli")
    assert found.column_names == ["hypothesis", "premise"]
    assert found[1] == {"hypothesis": "라", "premise": "다"}
    pairs = ({"sentence1": p.first, "score": p.score / 5} for p in [StsPair(id="1", first="가", second="나", score=2)])
    assert as_dataset(pairs, {"sentence1": "text", "score": "float"}, tmp_path / "sts")[0] == {
        "sentence1": "가",
        "score": 0.4,
    }
    row = {"label": 2, "passages": ("가", "나"), "labels": (1.0, 0.1)}
    wide = as_dataset([row], {"label": "int", "passages": "texts", "labels": "floats"}, tmp_path / "w")
    assert wide[0] == {"label": 2, "passages": ["가", "나"], "labels": [1.0, 0.1]}


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=30))
def test_every_text_comes_back(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    found = as_dataset(({"text": text} for text in texts), ("text",), tmp_path_factory.mktemp("data"))
    assert found["text"][:] == texts


def test_the_same_rows_have_the_same_fingerprint_and_others_another(tmp_path: Path) -> None:
    first = as_dataset(ROWS, ("premise",), tmp_path / "a")
    again = as_dataset(iter(ROWS), ("premise",), tmp_path / "b")
    other = as_dataset(ROWS[:1], ("premise",), tmp_path / "c")
    assert first._fingerprint == again._fingerprint != other._fingerprint


def test_it_is_read_from_disk_and_written_anew(tmp_path: Path) -> None:
    first = as_dataset(ROWS, ("premise",), tmp_path)
    assert Path(first.cache_files[0]["filename"]).parent == tmp_path
    assert len(as_dataset(ROWS[:1], ("premise",), tmp_path)) == 1
    assert first[1] == {"premise": "다"}, "who has the old one keeps it"
    assert [path.name for path in tmp_path.iterdir()] == ["rows.arrow"]


def test_no_rows_is_an_error_that_names_their_source(tmp_path: Path) -> None:
    as_dataset(ROWS, ("premise",), tmp_path)
    with pytest.raises(CorpusFormatError, match=r"^my\.tsv: no rows"):
        as_dataset(iter(()), ("premise",), tmp_path, source="my.tsv")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.arrow"], "what was there stays, and nothing else"


def test_a_fault_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("sentence1\tsentence2\tgold_label\n가\t나\tneutral\n다\t라\n", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match="line 3"):
        as_dataset(read_nli(path), ("premise",), tmp_path / "cache")
    assert not any((tmp_path / "cache").iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is Linux's")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    (tmp_path / "rows.arrow.part").symlink_to("/dev/full")
    with pytest.raises(TrainingError, match=r"cannot be written \(No space left on device\); make room"):
        as_dataset(({"text": "글" * 500} for _ in range(5000)), ("text",), tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match="cannot be written"):
        as_dataset(ROWS, ("premise",), tmp_path / "file" / "cache")


def test_rows_are_not_held_in_memory(tmp_path: Path) -> None:
    def many() -> Iterator[dict[str, str]]:
        for i in range(30_000):
            yield {"text": f"문장 {i} " * 20}

    as_dataset(ROWS, ("premise",), tmp_path / "warm")  # imports are not what is measured
    tracemalloc.start()
    try:
        found = as_dataset(many(), ("text",), tmp_path / "many")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == 30_000
    assert (tmp_path / "many" / "rows.arrow").stat().st_size > 7_000_000
    assert peak < 4_000_000
