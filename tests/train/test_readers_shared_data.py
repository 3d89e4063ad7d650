"""The real files, whole: how many rows each has, and a few of their texts."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from kure_rag.train.readers import (
    NliRow,
    Omissions,
    Parallel,
    count_duplicates,
    detect_kind,
    find_training_files,
    read_articles,
    read_bitext,
    read_nli,
    read_training_file,
    texts_of,
)

DATA = Path(os.environ.get("KURE_RAG_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not (DATA / "sts").is_dir(), reason="the shared data is absent"),
]

COUNTS = [
    ("sts/kornlu/KorNLI/xnli.dev.ko.tsv", "nli", 2490),
    ("sts/kornlu/KorNLI/xnli.test.ko.tsv", "nli", 5010),
    ("sts/klue/klue-nli-v1.1_dev.json", "nli", 3000),
    ("sts/kornlu/KorSTS/sts-train.tsv", "sts", 5749),
    ("sts/klue/klue-sts-v1.1_dev.json", "sts", 519),
    ("bitext/ntrex128_ko_en.tsv", "bitext", 1997),
    ("bitext/tatoeba_ko_en.tsv", "bitext", 1000),
    ("bitext/park_news_test.tsv", "bitext", 2000),
    ("bitext/finance_phrasebank_ko_en.tsv", "bitext", 4846),
    ("statutes/articles.jsonl.gz", "articles", 22621),
    ("sets/ko_strategyqa_facts_dev", "triplets", 1305),
]


@pytest.mark.parametrize(("name", "kind", "count"), COUNTS, ids=[name for name, _, _ in COUNTS])
def test_every_row_of_a_file_is_read(name: str, kind: str, count: int) -> None:
    assert detect_kind(DATA / name) == kind
    rows = list(read_training_file(DATA / name, omissions=Omissions()))
    assert len(rows) == count
    assert all(unicodedata.is_normalized("NFC", text) and text.strip() for row in rows for text in texts_of(row))


def test_xnli_has_its_labels_in_equal_parts() -> None:
    counts = Counter(row.label for row in read_nli(DATA / "sts/kornlu/KorNLI/xnli.dev.ko.tsv"))
    assert counts == {"entailment": 830, "neutral": 830, "contradiction": 830}


def test_the_first_rows_are_as_they_stand_in_the_files() -> None:
    first = next(read_nli(DATA / "sts/kornlu/KorNLI/xnli.dev.ko.tsv"))
    assert first == NliRow(
        premise='그리고 그가 말했다, "엄마, 저 왔어요."',
        hypothesis="그는 학교 버스가 그를 내려주자마자 엄마에게 전화를 걸었다.",
        label="neutral",
    )
    assert next(read_bitext(DATA / "bitext/tatoeba_ko_en.tsv")) == Parallel(
        korean="나는 그의 모자가 싫다.", english="I hate her hat.", id="tatoeba_ko_en:2"
    )


def test_repealed_articles_are_counted() -> None:
    omissions = Omissions()
    first = next(read_articles(DATA / "statutes/articles.jsonl.gz", omissions=omissions))
    assert first.passage().startswith("은행법 > 제1조(목적)\n이 법은 은행의 건전한 운영을")
    assert sum(1 for _ in read_articles(DATA / "statutes/articles.jsonl.gz", omissions=omissions)) == 22621
    assert omissions.total == 21


def test_development_and_test_files_stay_out_of_the_training() -> None:
    files = find_training_files(DATA / "bitext", "bitext").files
    assert [path.name for path, _ in files] == [
        "finance_phrasebank_ko_en.tsv",
        "ntrex128_ko_en.tsv",
        "tatoeba_ko_en.tsv",
    ]


def test_duplicates_of_a_real_file() -> None:
    pairs = (texts_of(row) for row in read_training_file(DATA / "sts/kornlu/KorSTS/sts-train.tsv"))
    found = count_duplicates(pairs)
    assert found.rows == 5749
    assert 0 < found.share < 0.02
