"""Readers of NLI, triplets, labelled pairs, bitext, articles: what comes out, and each fault by its file and line."""

from __future__ import annotations

import gzip
import json
import logging
import tracemalloc
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kure_rag.errors import ConfigError, CorpusFormatError, SourceNotFoundError
from kure_rag.train.readers import (
    Article,
    LabelledPair,
    NliRow,
    Omissions,
    Parallel,
    Triplet,
    pairs_of_triplets,
    read_articles,
    read_bitext,
    read_labelled_pairs,
    read_nli,
    read_sts,
    read_triplets,
    texts_of,
)

NLI_HEADER = "sentence1\tsentence2\tgold_label"
NLI = [
    NliRow(premise='"네," 그가 말했다.', hypothesis="그는 대답했다.", label="entailment"),
    NliRow(premise="비가 온다.", hypothesis="해가 난다.", label="contradiction"),
    NliRow(premise="그는 의사다.", hypothesis="N/A", label="neutral"),
]
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(str.strip)


def nli_table(path: Path, *extra: str) -> Path:
    rows = [f"{row.premise}\t{row.hypothesis}\t{row.label}" for row in NLI]
    path.write_text("\n".join([NLI_HEADER, *rows, *extra]) + "\n", encoding="utf-8")
    return path


def klue(path: Path) -> Path:
    rows = [
        {"guid": str(i), "premise": row.premise, "hypothesis": row.hypothesis, "gold_label": row.label, "label2": "x"}
        for i, row in enumerate(NLI)
    ]
    path.write_text(json.dumps(rows, indent=4, ensure_ascii=False), encoding="utf-8")
    return path


def json_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def packed(path: Path) -> Path:
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    return path.with_name(f"{path.name}.gz")


def test_nli_is_the_same_from_every_format(tmp_path: Path) -> None:
    rows = [{"premise": row.premise, "hypothesis": row.hypothesis, "label": row.label} for row in NLI]
    files = [
        nli_table(tmp_path / "a.tsv"),
        packed(tmp_path / "a.tsv"),
        klue(tmp_path / "a.json"),
        packed(tmp_path / "a.json"),
        json_lines(tmp_path / "a.jsonl", rows),
        parquet(tmp_path / "a.parquet", rows),
    ]
    for path in files:
        assert list(read_nli(path)) == NLI, path.name


def test_a_byte_order_mark_windows_line_ends_and_decomposed_letters_do_no_harm(tmp_path: Path) -> None:
    text = nli_table(tmp_path / "a.tsv").read_text(encoding="utf-8")
    text = "\ufeff" + unicodedata.normalize("NFD", text).replace("\n", "\r\n")
    (tmp_path / "a.tsv").write_bytes(text.encode())
    assert list(read_nli(tmp_path / "a.tsv")) == NLI


def test_rows_without_a_gold_label_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = nli_table(tmp_path / "snli.tsv", "가\t나\t-", "다\t라\t-")
    omissions = Omissions()
    assert list(read_nli(path, omissions=omissions)) == NLI
    assert omissions.total == 2
    assert omissions.lines() == ["snli.tsv: 2 rows left out, no gold label ('-') (the first at line 5)"]
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        assert list(read_nli(path)) == NLI
    assert [record.getMessage() for record in caplog.records] == omissions.lines()


WRONG_NLI = [
    ("가\t나", "line 5: 2 columns separated by tabs, and the header names 3"),
    ("가\t나\t다\tneutral", "line 5: 4 columns"),
    ("가\t \tneutral", "line 5: sentence2 is empty"),
    ("\t나\tneutral", "line 5: sentence1 is empty"),
    ("가\t나\tmaybe", "line 5: gold label 'maybe' is none of entailment, neutral, contradiction"),
    ("가\t나\t", "line 5: gold label '' is none of"),
    ("가\x00\t나\tneutral", "line 5: sentence1 has a NUL"),
]


@pytest.mark.parametrize(("line", "told"), WRONG_NLI, ids=[told for _, told in WRONG_NLI])
def test_a_faulty_nli_row_is_named_or_left_out_when_asked(tmp_path: Path, line: str, told: str) -> None:
    path = nli_table(tmp_path / "bad.tsv", line, "마\t바\tneutral")
    rows = read_nli(path)
    assert [next(rows), next(rows), next(rows)] == NLI, "what came before is given"
    with pytest.raises(CorpusFormatError, match=r"^bad\.tsv: ") as caught:
        next(rows)
    assert told in str(caught.value)
    omissions = Omissions()
    found = list(read_nli(path, skip_faults=True, omissions=omissions))
    assert found == [*NLI, NliRow(premise="마", hypothesis="바", label="neutral")]
    assert omissions.total == 1
    assert omissions.lines()[0].endswith("(the first at line 5)")


def test_labels_that_are_numbers_are_refused_since_sets_number_them_differently(tmp_path: Path) -> None:
    path = json_lines(tmp_path / "a.jsonl", [{"premise": "가", "hypothesis": "나", "label": 0}])
    with pytest.raises(CorpusFormatError, match=r"line 1: gold label 0 is none .*write the names"):
        list(read_nli(path))


def test_faulty_pairs_are_refused_or_left_out_and_counted(tmp_path: Path) -> None:
    table = tmp_path / "a.tsv"
    rows = ["score\tsentence1\tsentence2", "3.5\t가\t나", "9\t가\t나", "2\t가", "nan\t다\t라", '1\t"다\t라', "0\t\t라"]
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=r"^a\.tsv: line 3: score '9' is no number"):
        list(read_sts(table))
    omissions = Omissions()
    found = list(read_sts(table, skip_faults=True, omissions=omissions))
    assert [(pair.id, pair.first, pair.second, pair.score) for pair in found] == [
        ("2", "가", "나", 3.5),
        ("6", '"다', "라", 1.0),
    ]
    assert omissions.lines() == [
        "a.tsv: 2 rows left out, its score is no number from 0 to 5 (the first at line 3)",
        "a.tsv: 1 row left out, 2 columns separated by tabs, and the header names 3 (the first at line 4)",
        "a.tsv: 1 row left out, sentence1 is empty; write a text or remove the row (the first at line 7)",
    ]
    pairs = [
        {"guid": guid, "sentence1": "가", "sentence2": second, "labels": labels}
        for guid, second, labels in (
            ("x", "나", {"label": 1.5}),
            ("x", "나", {"label": 1.5}),
            ("y", None, {"label": 2}),
            ("z", "나", 3),
            ("w", "나", {"label": True}),
            ("v", "다", {"label": 5}),
        )
    ]
    array = tmp_path / "b.json"
    array.write_text(json.dumps(pairs, indent=1), encoding="utf-8")
    omissions = Omissions()
    kept = list(read_sts(array, skip_faults=True, omissions=omissions))
    assert [(pair.id, pair.score) for pair in kept] == [("x", 1.5), ("v", 5.0)]
    assert omissions.total == 4
    array.write_text(json.dumps([pairs[0], pairs[5]]), encoding="utf-8")
    assert list(read_sts(array, skip_faults=True)) == list(read_sts(array)) == kept
    (tmp_path / "c.tsv").write_text("sentence1\tsentence2\tlabels\n가\t나\t1\n", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=r"^c\.tsv: not one row could be read; line 2: its score is no number"):
        list(read_sts(tmp_path / "c.tsv", skip_faults=True))


READERS: list[Callable[..., Iterator[Any]]] = [
    read_nli,
    read_sts,
    read_triplets,
    read_labelled_pairs,
    read_bitext,
    read_articles,
]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_hostile_files_are_errors_that_name_them(tmp_path: Path, reader: Callable[..., Iterator[Any]]) -> None:
    good = "\n".join(json.dumps({"query": "가" * 2000, "positive": str(i)}) for i in range(300)).encode()
    hostile = {
        "torn.jsonl.gz": gzip.compress(good)[:-60],
        "latin.tsv": "sentence1\tsentence2\tgold_label\n가나\n".encode("cp949"),
        "wide.tsv": "sentence1\tsentence2\tgold_label\n".encode("utf-16"),
        "nul.tsv": b"\0\0\0\0\0\n\0\0\0",
        "list.jsonl": b"[1, 2]\n[3]\n",
        "torn.jsonl": b'{"query": "a", "pos',
        "surrogate.jsonl": b'{"query": "\\ud800", "positive": "b", "premise": "\\ud800"}',
        "columns.tsv": b"a\tb\tc\td\n1\t2\t3\t4\n",
        "fake.parquet": b"PAR1 no more",
        "zeros.parquet": b"",
        "nothing.jsonl.gz": b"",
        "prose.txt": "한 문장뿐인 글".encode(),
    }
    for name, data in hostile.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(CorpusFormatError) as caught:
            list(reader(tmp_path / name))
        assert str(caught.value).startswith(f"{name}: "), name
    with pytest.raises(SourceNotFoundError, match="no such file"):
        reader(tmp_path / "missing.tsv")
    with pytest.raises(SourceNotFoundError, match="is a folder"):
        reader(tmp_path)


@pytest.mark.parametrize("reader", [read_nli, read_triplets, read_labelled_pairs], ids=lambda reader: reader.__name__)
def test_an_empty_file_is_an_error_and_one_without_rows_gives_none(tmp_path: Path, reader: Any) -> None:
    for name, data in {"a.jsonl": b"", "b.jsonl": b"\n\n", "c.jsonl": "\ufeff".encode()}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(CorpusFormatError, match="empty"):
            list(reader(tmp_path / name))
    (tmp_path / "d.tsv").write_text(NLI_HEADER)
    (tmp_path / "e.json").write_text("[]")
    assert list(reader(tmp_path / "d.tsv")) == list(reader(tmp_path / "e.json")) == []


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.tuples(TEXTS, TEXTS, st.lists(TEXTS, max_size=3)), min_size=1, max_size=8))
def test_triplets_come_back_from_json_lines_gzip_and_parquet(
    rows: list[tuple[str, str, list[str]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("triplets")
    normal = [[unicodedata.normalize("NFC", text) for text in (q, p, *n)] for q, p, n in rows]
    expected = [Triplet(query=q, positive=p, negatives=tuple(n for n in ns if n != p)) for q, p, *ns in normal]
    records = [{"query": t.query, "positive": t.positive, "negatives": list(t.negatives)} for t in expected]
    plain = json_lines(folder / "a.jsonl", records)
    assert list(read_triplets(plain)) == expected
    assert list(read_triplets(packed(plain))) == expected
    table = pa.Table.from_pylist(
        records,
        schema=pa.schema([("query", pa.string()), ("positive", pa.string()), ("negatives", pa.list_(pa.string()))]),
    )
    pq.write_table(table, folder / "a.parquet")
    assert list(read_triplets(folder / "a.parquet")) == expected


SPELLINGS = [
    {"query": "가", "positive": "나", "negatives": ["다", "라"]},
    {"anchor": "가", "positive": "나", "negative_1": "다", "negative_2": "라"},
    {"anchor": "가", "positive": "나", "negative_2": "라", "negative_1": "다", "negative_10": None},
    {"query": "가", "document": "나", "hard_negative_1": "다", "hard_negative_2": "라"},
    {"query": "가", "pos": ["나"], "neg": ["다", "라"], "pos_scores": [0.9], "id": 3},
]


@pytest.mark.parametrize("record", SPELLINGS, ids=lambda record: ",".join(record))
def test_the_usual_names_of_columns_mean_the_same(tmp_path: Path, record: dict[str, Any]) -> None:
    expected = Triplet(query="가", positive="나", negatives=("다", "라"))
    assert list(read_triplets(json_lines(tmp_path / "a.jsonl", [record]))) == [expected]
    assert list(read_triplets(parquet(tmp_path / "a.parquet", [record]))) == [expected]


def test_numbered_negatives_are_ordered_by_their_numbers(tmp_path: Path) -> None:
    record = {"query": "가", "positive": "나"} | {f"negative_{i}": f"오답 {i}" for i in (10, 2, 1, 11)}
    (found,) = read_triplets(json_lines(tmp_path / "a.jsonl", [record]), negatives=3)
    assert found.negatives == ("오답 1", "오답 2", "오답 10")


def test_ko_triplets_columns_a_table_and_several_positives(tmp_path: Path) -> None:
    one = {"query": "가", "document": "나", "hard_negative": "다"}
    expected = [Triplet(query="가", positive="나", negatives=("다",))]
    assert list(read_triplets(parquet(tmp_path / "a.parquet", [one]))) == expected
    (tmp_path / "a.tsv").write_text("Query\tPositive\tNegative\n가\t나\t다\n", encoding="utf-8")
    assert list(read_triplets(tmp_path / "a.tsv")) == expected
    several = json_lines(tmp_path / "b.jsonl", [{"query": "가", "pos": ["나", "다"], "neg": []}])
    assert list(read_triplets(several)) == [Triplet(query="가", positive="나"), Triplet(query="가", positive="다")]


WRONG_TRIPLETS = [
    ({"query": "가"}, "positive is missing"),
    ({"positive": "가"}, "query is missing"),
    ({"query": "가", "anchor": "가", "positive": "나"}, "both 'query' and 'anchor'"),
    ({"query": "가", "positive": "나", "negatives": ["다"], "negative_1": "라"}, "both 'negatives' and 'negative_1'"),
    ({"query": "가", "positive": "나", "negative_1": "다", "hard_negative_1": "라"}, "both negative_… and hard_"),
    ({"query": "가", "positive": "나", "negatives": ["나"]}, "negative 1 is a positive of the same row"),
    ({"query": "가", "positive": ["나"], "negatives": ["다", 3]}, "negatives[1] is no string"),
    ({"query": "가", "positive": []}, "positive is an empty list"),
    ({"query": " ", "positive": "나"}, "query is empty"),
]


@pytest.mark.parametrize(("record", "told"), WRONG_TRIPLETS, ids=[told for _, told in WRONG_TRIPLETS])
def test_a_faulty_triplet_is_named_by_its_line(tmp_path: Path, record: dict[str, Any], told: str) -> None:
    path = json_lines(tmp_path / "bad.jsonl", [{"query": "가", "positive": "나"}, record])
    with pytest.raises(CorpusFormatError, match=r"^bad\.jsonl: line 2: ") as caught:
        list(read_triplets(path))
    assert told in str(caught.value)
    assert len(list(read_triplets(path, skip_faults=True, omissions=Omissions()))) == 1


def test_a_faulty_row_of_parquet_is_named_by_its_number(tmp_path: Path) -> None:
    path = parquet(tmp_path / "bad.parquet", [{"query": "가", "positive": "나"}] * 700 + [{"query": "가"}])
    with pytest.raises(CorpusFormatError, match=r"^bad\.parquet: row 701: positive is missing"):
        list(read_triplets(path))


def test_a_torn_parquet_file_is_named(tmp_path: Path) -> None:
    path = parquet(tmp_path / "torn.parquet", [{"query": f"가{i}", "positive": f"나{i}"} for i in range(5000)])
    data = bytearray(path.read_bytes())
    data[100:4000] = b"\xff" * 3900
    path.write_bytes(data)
    with pytest.raises(CorpusFormatError, match=r"^torn\.parquet: not parquet, or damaged"):
        list(read_triplets(path))


def test_the_number_of_hard_negatives_is_held_to(tmp_path: Path) -> None:
    rows = [{"query": "가", "positive": "나", "negatives": ["다", "라", "마"]}, {"query": "바", "positive": "사"}]
    path = json_lines(tmp_path / "a.jsonl", rows)
    found = read_triplets(path, negatives=2)
    assert next(found).negatives == ("다", "라")
    with pytest.raises(CorpusFormatError, match="line 2: 0 hard negatives where 2 are wanted"):
        next(found)
    assert [len(row.negatives) for row in read_triplets(path, negatives=0)] == [0, 0]
    with pytest.raises(ConfigError, match="negatives is -1"):
        read_triplets(path, negatives=-1)


def test_labelled_pairs_and_those_of_triplets(tmp_path: Path) -> None:
    rows = [
        {"query": "가", "passage": "나", "label": 1},
        {"query": "가", "document": "다", "score": 0.25},
        {"query": "가", "text": "라", "label": False},
    ]
    expected = [LabelledPair(query="가", passage=p, label=s) for p, s in (("나", 1.0), ("다", 0.25), ("라", 0.0))]
    assert list(read_labelled_pairs(json_lines(tmp_path / "a.jsonl", rows))) == expected
    (tmp_path / "a.tsv").write_text("query\tpassage\tlabel\n가\t나\t1\n", encoding="utf-8")
    assert list(read_labelled_pairs(tmp_path / "a.tsv")) == expected[:1]
    triplets = [Triplet(query="가", positive="나", negatives=("다", "라"))]
    assert [(pair.passage, pair.label) for pair in pairs_of_triplets(triplets)] == [("나", 1), ("다", 0), ("라", 0)]


@pytest.mark.parametrize("label", [-1, 1.5, "nan", "좋음", None, [1], 10**400])
def test_a_label_out_of_range_is_refused(tmp_path: Path, label: object) -> None:
    path = json_lines(tmp_path / "a.jsonl", [{"query": "가", "passage": "나", "label": label}])
    with pytest.raises(CorpusFormatError, match=r"line 1: .*(no number from 0|thousands|digits)"):
        list(read_labelled_pairs(path))


def test_bitext_with_and_without_names_and_in_either_order(tmp_path: Path) -> None:
    named = "ko\ten\n비가 온다.\tIt rains.\n\n해가 난다.\tThe sun shines.\n"
    (tmp_path / "a.tsv").write_text(named, encoding="utf-8")
    expected = [
        Parallel(korean="비가 온다.", english="It rains.", id="a:2"),
        Parallel(korean="해가 난다.", english="The sun shines.", id="a:4"),
    ]
    assert list(read_bitext(tmp_path / "a.tsv")) == expected
    (tmp_path / "b.tsv").write_text(named.partition("\n")[2], encoding="utf-8")
    assert [(pair.korean, pair.id) for pair in read_bitext(tmp_path / "b.tsv")] == [
        ("비가 온다.", "b:1"),
        ("해가 난다.", "b:3"),
    ]
    (tmp_path / "c.tsv").write_text("id\tEnglish\tKorean\n7\tIt rains.\t비가 온다.\n", encoding="utf-8")
    assert list(read_bitext(tmp_path / "c.tsv")) == [Parallel(korean="비가 온다.", english="It rains.", id="c:2")]


WRONG_BITEXT = [
    ("It rains.\t비가 온다.\n", "the columns seem swapped: of the first 1 pairs, 0% of the Korean column and 100%"),
    ("ko\ten\nIt rains.\t비가 온다.\n", "the columns seem swapped"),
    ("ko\ten\nIt rains.\tEs regnet.\n", "no Korean-English pairs"),
    ("ko\ten\n비가 온다.\t눈이 온다.\n", "no Korean-English pairs"),
    ("ko\tde\n비가 온다.\tEs regnet.\n", "line 1: only one of two languages is named"),
    ("비가 온다.\tIt rains.\tx\n", "line 1: 3 columns separated by tabs"),
    ("ko\ten\n비가 온다.\t\n", "line 2: en is empty"),
]


@pytest.mark.parametrize(("text", "told"), WRONG_BITEXT, ids=[told for _, told in WRONG_BITEXT])
def test_wrong_bitext_is_refused_before_a_pair_is_given(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "bad.tsv").write_text(text, encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=r"^bad\.tsv: ") as caught:
        next(read_bitext(tmp_path / "bad.tsv"))
    assert told in str(caught.value)


def test_articles_with_their_passages_and_without_a_text(tmp_path: Path) -> None:
    rows = [
        {"law": "은행법", "article": "제1조", "title": "목적", "text": "이 법은 …", "domain": "finance", "file": "x"},
        {"law": "은행법", "title": "삭제", "text": "  "},
        {"law": "은행법", "title": "부칙", "text": "시행한다."},
    ]
    path = json_lines(tmp_path / "a.jsonl", rows)
    omissions = Omissions()
    found = list(read_articles(path, omissions=omissions))
    assert found == [
        Article(law="은행법", article="제1조", title="목적", text="이 법은 …", domain="finance"),
        Article(law="은행법", title="부칙", text="시행한다."),
    ]
    assert [article.passage() for article in found] == ["은행법 > 제1조(목적)\n이 법은 …", "은행법 > 부칙\n시행한다."]
    assert omissions.lines() == [
        "a.jsonl: 1 row left out, without a text, as repealed articles are (the first at line 2)"
    ]


def test_all_texts_of_a_row(tmp_path: Path) -> None:
    assert texts_of(NLI[1]) == ("비가 온다.", "해가 난다.")
    assert texts_of(Triplet(query="가", positive="나", negatives=("다",))) == ("가", "나", "다")
    (tmp_path / "sts.tsv").write_text("score\tsentence1\tsentence2\n3.5\t가\t나\n", encoding="utf-8")
    (pair,) = read_sts(tmp_path / "sts.tsv")
    assert (texts_of(pair), pair.score) == (("가", "나"), 3.5)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.parquet"])
def test_a_large_file_is_not_held_in_memory(tmp_path: Path, name: str) -> None:
    rows = [{"query": f"질문 {i}", "positive": f"답 {i} " * 50} for i in range(6_000)]
    if name == "a.parquet":
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / name, row_group_size=1000)
    else:
        path = json_lines(tmp_path / "a.jsonl", rows)
        if name.endswith(".gz"):
            packed(path)
    del rows
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_triplets(tmp_path / name))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 6_000
    assert peak < 2_000_000, "the texts are 3 MB and more as Python's strings"
