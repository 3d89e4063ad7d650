"""Triplets of tables whose rows have unequally many negatives."""

from __future__ import annotations

from pathlib import Path

import pytest

from kure_rag.errors import CorpusFormatError
from kure_rag.train.readers import Triplet, read_triplets


def table(folder: Path, *rows: str) -> Path:
    path = folder / "triplets.tsv"
    path.write_text("\n".join(["query\tpositive\tnegative_1\tnegative_2\tnegative_3", *rows]) + "\n", encoding="utf-8")
    return path


def test_an_empty_numbered_negative_is_none(tmp_path: Path) -> None:
    path = table(tmp_path, "가\t나\t다\t라\t마", "가\t나\t다\t\t마", "가\t나\t다\t \t", "가\t나\t\t\t")
    assert list(read_triplets(path)) == [
        Triplet(query="가", positive="나", negatives=negatives)
        for negatives in (("다", "라", "마"), ("다", "마"), ("다",), ())
    ]
    with pytest.raises(CorpusFormatError, match="line 4: 1 hard negatives where 2 are wanted"):
        list(read_triplets(path, negatives=2))


def test_an_empty_query_or_positive_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(CorpusFormatError, match="line 2: positive is empty"):
        list(read_triplets(table(tmp_path, "가\t\t다\t라\t마")))
