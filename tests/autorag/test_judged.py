"""AutoRAG's ``qa.parquet`` as a set of judged questions."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from kure_rag.autorag import read_judged
from kure_rag.errors import CorpusFormatError, SourceNotFoundError
from kure_rag.evaluate import check_corpus

CORPUS = {"doc_id": ["d1", "d2", "d3"], "contents": ["연차휴가는 15일이다.", "병가는 60일이다.", "급여일은 25일이다."]}
GOLD = [[["d1"], ["d2", "d3"]], [["d3"]]]


def write(folder: Path, corpus: dict[str, list[Any]] | None = None, **columns: list[Any]) -> Path:
    qa = {"qid": ["q1", "q2"], "query": ["휴가와 급여는?", "급여는 언제?"], "retrieval_gt": GOLD, **columns}
    pyarrow.parquet.write_table(pa.table(corpus or CORPUS), folder / "corpus.parquet")
    pyarrow.parquet.write_table(pa.table(qa), folder / "qa.parquet")
    return folder / "qa.parquet"


def test_questions_come_with_their_groups(tmp_path: Path) -> None:
    found = read_judged(write(tmp_path))
    assert found.name == tmp_path.name
    assert found.queries == {"q1": "휴가와 급여는?", "q2": "급여는 언제?"}
    assert found.groups == {"q1": (frozenset({"d1"}), frozenset({"d2", "d3"})), "q2": (frozenset({"d3"}),)}
    assert found.qrels == {"q1": {"d1": 1.0, "d2": 1.0, "d3": 1.0}, "q2": {"d3": 1.0}}
    assert [record.id for record in found.records()] == ["d1", "d2", "d3"]
    assert [path.name for path in found.files] == ["corpus.parquet", "qa.parquet"]
    assert check_corpus(found) == {"q1": "general", "q2": "general"}


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"qid": ["q1", "q1"]}, "row 2: qid 'q1' is already in row 1"),
        ({"qid": ["q1", ""]}, "row 2: a qid is empty or no string"),
        ({"query": ["질문", " "]}, "row 2: query is empty or no string"),
        ({"retrieval_gt": [[["d1"]], []]}, "row 2: retrieval_gt is empty; name the passages"),
        ({"retrieval_gt": [[["d1"]], [[]]]}, "row 2: retrieval_gt is empty; name the passages"),
        ({"retrieval_gt": [["d1"], ["d2"]]}, "row 1: retrieval_gt is ['d1']; write a list of lists"),
        ({"retrieval_gt": [[["d1"]], [[""]]]}, "row 2: a doc_id of retrieval_gt is empty"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, columns: dict[str, list[Any]], told: str) -> None:
    with pytest.raises(CorpusFormatError) as caught:
        read_judged(write(tmp_path, **columns))
    assert caught.value.source == "qa.parquet"
    assert told in caught.value.reason


def test_a_broken_corpus_is_named(tmp_path: Path) -> None:
    twice = {"doc_id": ["d1", "d1"], "contents": ["연차휴가", "병가"]}
    with pytest.raises(CorpusFormatError, match=r"corpus\.parquet: row 2: doc_id 'd1' is already in row 1"):
        check_corpus(read_judged(write(tmp_path, twice)))
    with pytest.raises(CorpusFormatError, match="2 of 4 judgements name a document not in"):
        check_corpus(read_judged(write(tmp_path, {name: values[:2] for name, values in CORPUS.items()})))


def test_missing_files_and_columns_are_named(tmp_path: Path) -> None:
    file = write(tmp_path)
    with pytest.raises(SourceNotFoundError, match=r"다른\.parquet: no such file"):
        read_judged(file, tmp_path / "다른.parquet")
    with pytest.raises(CorpusFormatError, match=r"corpus\.parquet: no column qid and query and retrieval_gt"):
        read_judged(tmp_path / "corpus.parquet", tmp_path / "corpus.parquet")
    (tmp_path / "corpus.parquet").unlink()
    with pytest.raises(SourceNotFoundError, match="beside it; name the corpus with --corpus"):
        read_judged(file)
    file.write_bytes(b"qid,query\n")
    with pytest.raises(CorpusFormatError, match="not a parquet file"):
        read_judged(file, file)
