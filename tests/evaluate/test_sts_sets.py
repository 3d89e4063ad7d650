"""Sets of sentence pairs: what comes out of the two formats, and each fault named by its file and line."""

from __future__ import annotations

import gzip
import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sts_files import HEADER, PAIRS, klue, korsts

from kure_rag.errors import CorpusFormatError, SourceNotFoundError
from kure_rag.evaluate.sts_sets import read_sts

KORSTS_TEST = 1_379  # pairs
DATA = Path(os.environ.get("KURE_RAG_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data") / "sts"


@pytest.mark.parametrize(("write", "name"), [(korsts, "sts-mine.tsv"), (klue, "klue-sts.json")])
def test_both_formats_give_the_same_pairs(tmp_path: Path, write: Callable[[Path], Path], name: str) -> None:
    found = read_sts(write(tmp_path / name))
    assert [(pair.first, pair.second, pair.score) for pair in found.pairs] == list(PAIRS)
    assert found.name == name.rpartition(".")[0]
    assert len({pair.id for pair in found.pairs}) == len(PAIRS)


def test_ids_are_the_records_own_or_the_numbers_of_the_lines(tmp_path: Path) -> None:
    assert read_sts(korsts(tmp_path / "a.tsv")).pairs[0].id == "2"
    assert read_sts(klue(tmp_path / "a.json")).pairs[1].id == "klue-sts-v1_dev_00001"


def test_korsts_is_named_so_and_other_sets_with_its_file_names_are_not(tmp_path: Path) -> None:
    rows = [PAIRS[i % len(PAIRS)] for i in range(KORSTS_TEST)]
    assert read_sts(korsts(tmp_path / "sts-test.tsv", rows)).name == "KorSTS-test"
    assert read_sts(korsts(tmp_path / "sts-dev.tsv", rows)).name == "sts-dev"
    assert read_sts(korsts(tmp_path / "sts-test.tsv")).name == "sts-test"  # somebody's own
    english = [("A man is dancing.", "A man dances.", 5.0), ("A dog runs.", "It rains.", 0.0), ("One.", "Two.", 1.0)]
    rows = [english[i % len(english)] for i in range(KORSTS_TEST)]
    assert read_sts(korsts(tmp_path / "sts-test.tsv", rows)).name == "sts-test"


def test_quotation_marks_are_text_and_columns_may_stand_in_another_order(tmp_path: Path) -> None:
    path = tmp_path / "own.tsv"
    rows = ['"인용은 그대로\t말 "안" 인용\t1.5', "둘\t셋\t2", "넷\t다섯\t3"]
    path.write_text("sentence2\tsentence1\tscore\n" + "\n".join(rows), encoding="utf-8")
    first = read_sts(path).pairs[0]
    assert (first.first, first.second) == ('말 "안" 인용', '"인용은 그대로')


def test_a_gzip_file_a_mark_at_the_beginning_and_decomposed_letters_are_read_as_what_they_are(tmp_path: Path) -> None:
    rows = [PAIRS[i % len(PAIRS)] for i in range(KORSTS_TEST)]
    text = korsts(tmp_path / "plain.tsv", rows).read_text(encoding="utf-8")
    packed = tmp_path / "sts-test.tsv.gz"
    packed.write_bytes(gzip.compress(("\ufeff" + unicodedata.normalize("NFD", text)).encode()))
    found = read_sts(packed)
    assert found.name == "KorSTS-test"
    assert found.pairs[0].first == "연차휴가는 15일이다."


def _table(*lines: str) -> str:
    return "\n".join([HEADER, *lines])


def _row(score: str = "3.0", first: str = "가", second: str = "나") -> str:
    return f"g\tf\ty\t1\t{score}\t{first}\t{second}"


WRONG_TABLES = [
    (_row(), "line 1: no column score or sentence1 or sentence2"),
    (_table(_row(), "g\tf\ty\t1\t3.0\t가"), "line 3: 6 columns separated by tabs, and the header names 7"),
    (_table(_row(), _row(score="셋")), "line 3: score '셋' is no number from 0 to 5"),
    (_table(_row(score="5.01")), "line 2: score '5.01' is no number"),
    (_table(_row(score="nan")), "line 2: score 'nan' is no number"),
    (_table("", _row(second=" ")), "line 3: sentence2 is empty"),
    (_table(_row(), _row()), "2 pairs; a correlation needs 3"),
    (_table(_row(), _row(), _row()), "every pair has the score 3"),
    ("", "line 1: no column score"),
]


@pytest.mark.parametrize(("text", "told"), WRONG_TABLES, ids=[told for _, told in WRONG_TABLES])
def test_a_wrong_table_is_named_by_file_and_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "bad.tsv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=r"^bad\.tsv: ") as caught:
        read_sts(path)
    assert told in str(caught.value)


def _record(**changes: Any) -> dict[str, Any]:
    return {"sentence1": "가", "sentence2": "나", "labels": {"label": 2.5}} | changes


WRONG_JSON = [
    ('{"sentence1": "가"}', "line 1: not a JSON array"),
    ("", "line 1: not a JSON array"),
    ('[\n{"sentence1": "가",\n]', "line 3: not JSON (Illegal trailing comma"),
    ("[\n 3\n]", "line 2: not an object"),
    (json.dumps([_record(), _record(sentence2=None)], indent=0), "sentence2 is missing or no string"),
    (json.dumps([_record(labels=2.5)]), 'line 1: no "labels" with a "label"'),
    (json.dumps([_record(labels={"label": True})]), "line 1: score True is no number"),
    (f"[{json.dumps(_record(guid='a'))},\n\n{json.dumps(_record(guid='a'))}]", "line 3: guid 'a' is already on line 1"),
    (f"[{json.dumps(_record())},\n{json.dumps(_record())}", "line 2: the array breaks off"),
    (f"[{json.dumps(_record())}]\n{{}}", "something follows the array"),
    ('[{"sentence1": "\\ud800", "sentence2": "나", "labels": {"label": 1}}]', "line 1: sentence1 has a lone surrogate"),
    ("[" * 100_000, "nested too deeply"),
]


@pytest.mark.parametrize(("text", "told"), WRONG_JSON, ids=[told for _, told in WRONG_JSON])
def test_wrong_json_is_named_by_file_and_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=r"^bad\.json: ") as caught:
        read_sts(path)
    # Which words Python's parser has for a trailing comma differs between its versions.
    assert told.partition(" (")[0] in str(caught.value)


@given(line_breaks=st.lists(st.integers(0, 4), min_size=4, max_size=4))
def test_the_line_of_a_record_is_counted_through_any_white_space(
    line_breaks: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    before, between, after, inside = ("\n" * count for count in line_breaks)
    good = json.dumps(_record())
    text = f"{before}[{inside}{good}{between},{after}{json.dumps(_record(sentence1=''))}]"
    path = tmp_path_factory.mktemp("json") / "any.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=f"line {1 + text.count(chr(10))}: sentence1 is empty"):
        read_sts(path)


def test_bytes_that_are_no_utf8_are_told_with_their_line(tmp_path: Path) -> None:
    for name in ("old.json", "old.tsv"):
        (tmp_path / name).write_bytes(f"{HEADER}\n".encode() + _row().encode("cp949"))
        with pytest.raises(CorpusFormatError, match="line 2: not UTF-8"):
            read_sts(tmp_path / name)


def test_a_folder_and_a_missing_file_say_what_to_name(tmp_path: Path) -> None:
    korsts(tmp_path / "sts-test.tsv")
    with pytest.raises(
        SourceNotFoundError, match=r"is a folder; name a file of sentence pairs \(it holds sts-test\.tsv"
    ):
        read_sts(tmp_path)
    with pytest.raises(SourceNotFoundError, match="no such file"):
        read_sts(tmp_path / "sts-dev.tsv")


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="the shared evaluation data is not here")
@pytest.mark.parametrize(
    ("file", "name", "pairs"),
    [
        ("kornlu/KorSTS/sts-test.tsv", "KorSTS-test", 1379),
        ("kornlu/KorSTS/sts-dev.tsv", "KorSTS-dev", 1500),
        ("kornlu/KorSTS/sts-train.tsv", "KorSTS-train", 5749),
        ("klue/klue-sts-v1.1_dev.json", "klue-sts-v1.1_dev", 519),
    ],
)
def test_the_published_sets_are_read_whole(file: str, name: str, pairs: int) -> None:
    found = read_sts(DATA / file)
    assert (found.name, len(found.pairs)) == (name, pairs)
