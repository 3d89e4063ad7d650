"""Which reader fits a file, told by its content; and a folder's development and test files are never trained on."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kure_rag.errors import ConfigError, CorpusFormatError, SourceNotFoundError
from kure_rag.train.readers import (
    Article,
    LabelledPair,
    NliRow,
    Omissions,
    Parallel,
    StsPair,
    Triplet,
    detect_kind,
    find_training_files,
    read_training_data,
    read_training_file,
)
from kure_rag.train.readers.detect import is_held_out

NLI = "sentence1\tsentence2\tgold_label\n가\t나\tneutral\n"
STS = "genre\tfilename\tyear\tid\tscore\tsentence1\tsentence2\ng\tf\ty\t1\t3.0\t가\t나\n"


def _json(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False)


KINDS = [
    ("KorNLI.tsv", NLI, "nli", NliRow),
    ("klue.json", "[" + _json({"premise": "가", "hypothesis": "나", "gold_label": "neutral"}) + "]", "nli", NliRow),
    ("KorSTS.tsv", STS, "sts", StsPair),
    ("klue.json", "[" + _json({"sentence1": "가", "sentence2": "나", "labels": {"label": 1}}) + "]", "sts", StsPair),
    ("t.jsonl", _json({"query": "가", "positive": "나"}), "triplets", Triplet),
    ("t.jsonl", _json({"query": "가", "document": "나", "hard_negative": "다"}), "triplets", Triplet),
    ("t.jsonl", _json({"query": "가", "document": "나", "score": 1, "negative_1": "다"}), "triplets", Triplet),
    ("t.tsv", "anchor\tpositive\n가\t나\n", "triplets", Triplet),
    ("p.jsonl", _json({"query": "가", "passage": "나", "label": 1}), "pairs", LabelledPair),
    ("p.jsonl", _json({"query": "가", "document": "나", "score": 1}), "pairs", LabelledPair),
    ("b.tsv", "ko\ten\n비\train\n", "bitext", Parallel),
    ("b.tsv", "비\train\n눈\tsnow\n", "bitext", Parallel),
    ("a.jsonl", _json({"law": "은행법", "title": "목적", "text": "이 법은"}), "articles", Article),
]


@pytest.mark.parametrize(
    ("name", "text", "kind", "row"), KINDS, ids=[f"{k[0]}-{k[2]}-{i}" for i, k in enumerate(KINDS)]
)
def test_a_file_is_read_by_what_is_in_it(tmp_path: Path, name: str, text: str, kind: str, row: type) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert detect_kind(path) == kind
    rows = list(read_training_file(path, kind))  # type: ignore[arg-type]
    assert rows
    assert all(isinstance(one, row) for one in rows)


def test_parquet_is_told_by_its_columns_whatever_its_name(tmp_path: Path) -> None:
    pq.write_table(pa.table({"query": ["가"], "document": ["나"], "hard_negative": ["다"]}), tmp_path / "train-00000")
    assert detect_kind(tmp_path / "train-00000") == "triplets"
    assert list(read_training_file(tmp_path / "train-00000", "triplets", negatives=1)) == [
        Triplet(query="가", positive="나", negatives=("다",))
    ]


UNKNOWN = [
    ("a\tb\n1\t2\n", "no format that training reads: its columns are 'a', 'b'; accepted: NLI: "),
    (_json({"query": "가"}), "not enough is known of it by its columns, 'query'"),
    (_json({"sentence1": "가", "sentence2": "나"}), "not enough is known"),
    ("", "empty"),
    ("[]", "no rows"),
    ("그냥 글", "no format that training reads"),
    ("비\tRegen\n", "no format that training reads"),
]


@pytest.mark.parametrize(("text", "told"), UNKNOWN, ids=[told for _, told in UNKNOWN])
def test_an_unknown_file_is_refused_with_what_is_accepted(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "x.tsv"
    path.write_text(text, encoding="utf-8")
    if text.startswith("비"):
        path.write_text("Es regnet\tIl pleut\n", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=r"^x\.tsv: ") as caught:
        detect_kind(path)
    assert told in str(caught.value)
    if "columns" in told:
        assert all(word in str(caught.value) for word in ("STS", "triplets", "bitext", "articles"))


def test_another_kind_than_the_recipe_takes_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(NLI, encoding="utf-8")
    with pytest.raises(CorpusFormatError, match="holds NLI, which this recipe does not take; accepted: triplets"):
        read_training_file(tmp_path / "a.tsv", "triplets")
    with pytest.raises(ConfigError, match="want='nil'"):
        read_training_file(tmp_path / "a.tsv", "nil")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "held_out"),
    [
        ("xnli.dev.ko.tsv", True),
        ("park_news_test.tsv", True),
        ("klue-nli-v1.1_dev.json", True),
        ("jhe_eval.tsv", True),
        ("validation-00000-of-00001.parquet", True),
        ("multinli.train.ko.tsv", False),
        ("train_test_split.jsonl", False),
        ("contest.tsv", False),
        ("ntrex128_ko_en.tsv", False),
    ],
)
def test_held_out_files_are_known_by_their_names(name: str, held_out: bool) -> None:
    assert is_held_out(name) is held_out


def test_of_a_folder_the_training_files_are_read_and_the_others_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("snli_1.0_train.ko.tsv", "multinli.train.ko.tsv", "xnli.dev.ko.tsv", "xnli.test.ko.tsv"):
        (tmp_path / name).write_text(NLI, encoding="utf-8")
    (tmp_path / "sts-train.tsv").write_text(STS, encoding="utf-8")
    (tmp_path / "stats.json").write_text("{}", encoding="utf-8")
    (tmp_path / "LICENSE").write_text("free", encoding="utf-8")
    found = find_training_files(tmp_path, "nli")
    assert [(path.name, kind) for path, kind in found.files] == [
        ("multinli.train.ko.tsv", "nli"),
        ("snli_1.0_train.ko.tsv", "nli"),
    ]
    assert sorted(found.left_out) == ["stats.json", "sts-train.tsv", "xnli.dev.ko.tsv", "xnli.test.ko.tsv"]
    with caplog.at_level(logging.WARNING):
        rows = list(read_training_data([tmp_path, tmp_path / "multinli.train.ko.tsv"], "nli"))
    assert len(rows) == 2, "a file that is named twice is read once"
    assert sum("held out" in record.getMessage() for record in caplog.records) == 2
    assert {type(row) for row in read_training_data([tmp_path], ("nli", "sts"))} == {NliRow, StsPair}


def test_a_folder_with_nothing_to_train_on_says_why(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"nothing to train on in this folder \(no \.tsv"):
        find_training_files(tmp_path, "nli")
    (tmp_path / "xnli.dev.ko.tsv").write_text(NLI, encoding="utf-8")
    with pytest.raises(SourceNotFoundError, match=r"xnli\.dev\.ko\.tsv: its name says that it is held out"):
        find_training_files(tmp_path, "nli")
    assert len(list(read_training_file(tmp_path / "xnli.dev.ko.tsv", "nli"))) == 1, "unless it is named itself"
    with pytest.raises(SourceNotFoundError, match="no such file"):
        find_training_files(tmp_path / "missing", "nli")
    with pytest.raises(SourceNotFoundError, match="a folder of several files"):
        detect_kind(tmp_path)


def test_a_folder_of_ms_marcos_files_is_one_set_and_its_development_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "collection.tsv").write_text("7\t나\n8\t다\n", encoding="utf-8")
    (tmp_path / "queries.train.tsv").write_text("1\t가\n", encoding="utf-8")
    for name in ("queries.dev.tsv", "qrels.dev.small.tsv"):
        (tmp_path / name).write_text("nothing", encoding="utf-8")
    with pytest.raises(SourceNotFoundError, match=r"no triples\.train\.tsv or qrels\.train\.tsv"):
        read_training_file(tmp_path, "triplets")
    (tmp_path / "qrels.train.tsv").write_text("1\t0\t7\t1\n", encoding="utf-8")
    assert list(read_training_file(tmp_path, "triplets")) == [Triplet(query="가", positive="나")]
    (tmp_path / "qidpidtriples.train.tsv").write_text("1\t7\t8\n", encoding="utf-8")
    assert list(read_training_data([tmp_path], "triplets")) == [Triplet(query="가", positive="나", negatives=("다",))]
    (tmp_path / "qidpidtriples.train.full.tsv").write_text("1\t7\t8\n", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match="several files could be meant"):
        read_training_file(tmp_path, "triplets")


def test_faults_may_be_left_out_through_every_door(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(NLI + "다\t라\n", encoding="utf-8")
    omissions = Omissions()
    rows = read_training_data([tmp_path], "nli", skip_faults=True, omissions=omissions)
    assert (len(list(rows)), omissions.total) == (1, 1)
