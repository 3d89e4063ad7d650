import gzip
import stat
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.errors import CorpusFormatError, SourceNotFoundError
from kure_rag.evaluate import read_run, write_run

RUN = {"퇴직금 질문": [("규정.pdf", 12.5), ("은행법 제3조", 1 / 3)], "q2": [("d2", -0.25)]}


def test_the_file_is_what_the_format_says(tmp_path: Path) -> None:
    write_run(tmp_path / "run.tsv", RUN)
    expected = "퇴직금 질문\t규정.pdf\t1\t12.5\n퇴직금 질문\t은행법 제3조\t2\t0.3333333333333333\nq2\td2\t1\t-0.25\n"
    assert (tmp_path / "run.tsv").read_bytes() == expected.encode()
    assert [path.name for path in tmp_path.iterdir()] == ["run.tsv"]


def test_a_query_without_results_leaves_no_line(tmp_path: Path) -> None:
    write_run(tmp_path / "run.tsv", {"q1": [], "q2": [("d2", 1.0)]})
    assert read_run(tmp_path / "run.tsv") == {"q2": [("d2", 1.0)]}


ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r"), min_size=1).map(
    lambda text: unicodedata.normalize("NFC", text)
)
written = ids.filter(lambda text: bool(text.strip()))
results = st.lists(
    st.tuples(written, st.floats(allow_nan=False, allow_infinity=False)),
    min_size=1,
    max_size=5,
    unique_by=lambda result: result[0],
)


@given(st.dictionaries(written, results, max_size=5))
def test_what_is_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, run: dict[str, list[tuple[str, float]]]
) -> None:
    path = tmp_path_factory.mktemp("round") / "run.tsv"
    write_run(path, run)
    assert read_run(path) == run


def test_ids_are_written_and_read_in_nfc(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "약관")
    write_run(tmp_path / "run.tsv", {decomposed: [(decomposed, 1.0)]})
    assert read_run(tmp_path / "run.tsv") == {"약관": [("약관", 1.0)]}
    (tmp_path / "other.tsv").write_text(f"{decomposed}\t{decomposed}\t1\t1\n", encoding="utf-8")
    assert read_run(tmp_path / "other.tsv") == {"약관": [("약관", 1.0)]}


@pytest.mark.parametrize(
    ("run", "complaint"),
    [
        ({"q\t1": [("d", 1.0)]}, "query id 'q\\\\t1' has a tab"),
        ({"q": [("d\n", 1.0)]}, "document id 'd\\\\n' has a tab, a line break"),
        ({"q": [("d\r", 1.0)]}, "line break"),
        ({"q": [("\ud800", 1.0)]}, "lone surrogate"),
        ({"": [("d", 1.0)]}, "a query id is empty"),
        ({"q": [("", 1.0)]}, "a document id is empty"),
        ({"q": [("d", float("nan"))]}, "the score of document 'd' is nan"),
        ({"q": [("d", float("inf"))]}, "the score of document 'd' is inf"),
        ({"q": [("d", 2.0), ("d", 1.0)]}, "document 'd' is ranked twice"),
        ({"가": [("d", 1.0)], "\u1100\u1161": [("d", 1.0)]}, "two Unicode forms"),
    ],
)
def test_what_a_run_cannot_hold_leaves_the_old_file(
    tmp_path: Path, run: dict[str, list[tuple[str, float]]], complaint: str
) -> None:
    path = tmp_path / "run.tsv"
    write_run(path, RUN)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=complaint):
        write_run(path, {"앞선 질문": [("d", 1.0)], **run})
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["run.tsv"]


def test_a_failed_replacement_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "run.tsv").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_run(tmp_path / "run.tsv", RUN)
    assert [found.name for found in tmp_path.iterdir()] == ["run.tsv"]


def test_a_missing_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_run(tmp_path / "없는 폴더" / "run.tsv", RUN)


def test_the_longest_file_name_works_and_permissions_are_the_usual(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 255)
    write_run(path, RUN)
    (tmp_path / "usual").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_lines_in_any_order_are_ranked(tmp_path: Path) -> None:
    (tmp_path / "run.tsv").write_bytes(b"q\tb\t2\t0.5\r\np\tx\t7\t1\r\n\r\nq\ta\t1\t0.9\r\nq\tc\t10\t0.1")
    assert read_run(tmp_path / "run.tsv") == {"q": [("a", 0.9), ("b", 0.5), ("c", 0.1)], "p": [("x", 1.0)]}


def test_a_compressed_run(tmp_path: Path) -> None:
    (tmp_path / "run.tsv.gz").write_bytes(gzip.compress(b"q\td\t1\t0.5\n"))
    assert read_run(tmp_path / "run.tsv.gz") == {"q": [("d", 0.5)]}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("q\td\t1", "3 columns"),
        ("q Q0 d 1 0.5 bm25", "1 columns"),
        ("\td\t1\t0.5", "an id is empty"),
        ("q\t\t1\t0.5", "an id is empty"),
        ("q\td\tx\t0.5", "rank 'x' is not a whole number"),
        ("q\td\t1.5\t0.5", "rank '1.5' is not a whole number"),
        ("q\td\t0\t0.5", "rank 0 is below 1"),
        ("q\td\t2\tx", "score 'x' is not a number"),
        ("q\td\t2\tnan", "score 'nan' is not finite"),
        ("q\ta\t2\t0.5", "document 'a' is already ranked on line 1"),
        ("q\td\t1\t0.5", "rank 1 of query 'q' is already taken"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    (tmp_path / "run.tsv").write_text(f"q\ta\t1\t0.9\n{line}\n", encoding="utf-8")
    with pytest.raises(CorpusFormatError) as caught:
        read_run(tmp_path / "run.tsv")
    assert caught.value.source == "run.tsv"
    assert caught.value.reason.startswith("line 2: ")
    assert complaint in caught.value.reason


def test_a_missing_run(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"run\.tsv: no such file"):
        read_run(tmp_path / "run.tsv")
