"""MS MARCO's files and BEIR's layout as triplets: ids joined with texts on disk, each fault by its file and line."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from kure_rag.errors import CorpusFormatError, ReadError, SourceNotFoundError
from kure_rag.train.readers import Omissions, Triplet, read_judged_triplets, read_msmarco
from kure_rag.train.readers.texts_on_disk import TextsOnDisk

COLLECTION = "7\t예금자는 보호된다.\n0\t보험료는 매달 낸다.\n12\t비가 온다.\n"
QUERIES = "1\t예금은 보호되나요?\n2\t보험료는 언제 내나요?\n"
FIRST = Triplet(query="예금은 보호되나요?", positive="예금자는 보호된다.")
SECOND = Triplet(query="보험료는 언제 내나요?", positive="보험료는 매달 낸다.")


def files(folder: Path, judgements: str, *, collection: str = COLLECTION) -> tuple[Path, Path, Path]:
    paths = folder / "collection.tsv", folder / "queries.train.tsv", folder / "qrels.train.tsv"
    for path, text in zip(paths, (collection, QUERIES, judgements), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


@pytest.mark.parametrize(
    "judgements",
    [
        "1\t0\t7\t1\n2\t0\t0\t1\n",
        "1 0 7 1\n2 Q0 0 2\n",
        "query-id\tcorpus-id\tscore\n1\t7\t1\n2\t0\t1\n",
    ],
    ids=["msmarco", "trec", "beir"],
)
def test_judgements_of_each_kind_become_triplets(tmp_path: Path, judgements: str) -> None:
    assert list(read_msmarco(*files(tmp_path, judgements))) == [FIRST, SECOND]


def test_triples_of_ids_bring_their_hard_negative(tmp_path: Path) -> None:
    found = list(read_msmarco(*files(tmp_path, "1\t7\t0\n2\t0\t12\n")))
    assert [row.negatives for row in found] == [("보험료는 매달 낸다.",), ("비가 온다.",)]
    assert found[0].positive == FIRST.positive


def test_what_was_judged_not_relevant_is_left_out_and_counted(tmp_path: Path) -> None:
    omissions = Omissions()
    assert list(read_msmarco(*files(tmp_path, "1\t0\t7\t1\n1\t0\t12\t0\n"), omissions=omissions)) == [FIRST]
    assert omissions.lines() == ["qrels.train.tsv: 1 row left out, judged not relevant (the first at line 2)"]


WRONG = [
    ("1\t0\t7\t1\n1\t0\t99\t1\n", "qrels.train.tsv: line 2: passage '99' is not in collection.tsv"),
    ("3\t0\t7\t1\n", "qrels.train.tsv: line 1: query '3' is not in queries.train.tsv"),
    ("1\t7\t1\n2\t0\t1\n", "qrels.train.tsv: line 1: the third column reads as a relevance"),
    ("1\t7\n", "qrels.train.tsv: line 1: 2 columns"),
    ("1\t0\t7\t1\n1\t7\n", "qrels.train.tsv: line 2: 2 columns separated by tabs"),
    ("1\t0\t7\tx\n", "qrels.train.tsv: line 1: relevance 'x' is no whole number"),
    ("", "qrels.train.tsv: empty"),
]


@pytest.mark.parametrize(("judgements", "told"), WRONG, ids=[told for _, told in WRONG])
def test_wrong_judgements_are_named(tmp_path: Path, judgements: str, told: str) -> None:
    with pytest.raises(CorpusFormatError) as caught:
        list(read_msmarco(*files(tmp_path, judgements)))
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    ("collection", "told"),
    [
        ("7\t가\n7\t나\n", "line 2: id '7' was used before"),
        ("7\t가\n8\n", "line 2: 1 columns"),
        ("7\t가\n8\t \n", "line 2: text is empty"),
        ("\t가\n", "line 1: the id is empty"),
    ],
)
def test_a_wrong_collection_is_named(tmp_path: Path, collection: str, told: str) -> None:
    with pytest.raises(CorpusFormatError, match=rf"^collection\.tsv: {told}"):
        list(read_msmarco(*files(tmp_path, "1\t0\t7\t1\n", collection=collection)))


def test_unknown_ids_may_be_left_out_and_missing_files_are_told_at_once(tmp_path: Path) -> None:
    paths = files(tmp_path, "1\t0\t99\t1\n1\t0\t7\t1\n")
    omissions = Omissions()
    assert list(read_msmarco(*paths, skip_faults=True, omissions=omissions)) == [FIRST]
    assert omissions.total == 1
    with pytest.raises(SourceNotFoundError, match="queries"):
        read_msmarco(paths[0], tmp_path / "queries.dev.tsv", paths[2])


def beir(folder: Path, qrels: str) -> Path:
    folder.mkdir(exist_ok=True)
    corpus = [{"_id": "a", "title": "예금", "text": "보호된다."}, {"_id": "b", "title": "", "text": "매달 낸다."}]
    queries = [{"_id": "1", "text": "예금은 보호되나요?"}, {"_id": "2", "text": "보험료는 언제 내나요?"}]
    for name, rows in (("corpus", corpus), ("queries", queries)):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    path = folder / qrels
    path.parent.mkdir(exist_ok=True)
    path.write_text("query-id\tcorpus-id\tscore\n1\ta\t1\n2\tb\t1\n1\tb\t0\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("qrels", ["qrels/train.tsv", "qrels.tsv"])
def test_a_folder_in_beirs_layout_gives_passages_below_their_titles(tmp_path: Path, qrels: str) -> None:
    found = list(read_judged_triplets(beir(tmp_path / "set", qrels)))
    assert found == [
        Triplet(query="예금은 보호되나요?", positive="예금\n보호된다."),
        Triplet(query="보험료는 언제 내나요?", positive="매달 낸다."),
    ]


def test_the_judgements_of_the_test_are_never_trained_on(tmp_path: Path) -> None:
    folder = beir(tmp_path / "set", "qrels/test.tsv")
    with pytest.raises(
        SourceNotFoundError, match=r"no qrels/train\.tsv or qrels\.tsv .*what the model will be measured"
    ):
        read_judged_triplets(folder)
    beir(folder, "qrels/train.tsv").joinpath("qrels/test.tsv").write_text("no judgements", encoding="utf-8")
    assert len(list(read_judged_triplets(folder))) == 2


def test_a_document_that_the_corpus_lacks_is_named(tmp_path: Path) -> None:
    folder = beir(tmp_path / "set", "qrels.tsv")
    with (folder / "qrels.tsv").open("a", encoding="utf-8") as file:
        file.write("2\tz\t1\n")
    with pytest.raises(CorpusFormatError, match=r"^corpus\.jsonl: no document 'z', which is judged for query '2'"):
        list(read_judged_triplets(folder))


def test_texts_on_disk_leave_no_file_behind_even_after_an_error(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    data = tmp_path / "data"
    data.mkdir()
    rows = read_msmarco(*files(data, "1\t0\t7\t1\n9\t0\t7\t1\n"), scratch=scratch)
    next(rows)
    assert any(scratch.iterdir())
    with pytest.raises(CorpusFormatError):
        next(rows)
    assert not any(scratch.iterdir())
    with pytest.raises(ReadError, match="no temporary file can be made here"):
        list(read_msmarco(*files(data, "1\t0\t7\t1\n"), scratch=tmp_path / "missing"))


def test_no_room_for_the_texts_is_told(tmp_path: Path) -> None:
    with TextsOnDisk(tmp_path) as texts:
        texts._sql.execute("PRAGMA max_page_count = 8")
        rows = ((f"line {i}", str(i), "글" * 500) for i in range(1000))
        with pytest.raises(ReadError, match=r"^collection\.tsv: its texts cannot be laid out in .*make room there"):
            texts.fill("passage", "collection.tsv", rows)


def test_a_large_collection_is_not_held_in_memory(tmp_path: Path) -> None:
    collection = "".join(f"{i}\t{f'문단 {i} ' * 40}\n" for i in range(8000))
    paths = files(tmp_path, "1\t0\t7\t1\n2\t0\t7999\t1\n", collection=collection)
    del collection
    tracemalloc.start()
    try:
        found = list(read_msmarco(*paths))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found[1].positive.startswith("문단 7999 문단")
    assert peak < 2_000_000, "the texts are 6 MB as Python's strings"
