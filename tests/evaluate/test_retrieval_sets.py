import gzip
import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from kure_rag.errors import CorpusFormatError, SourceNotFoundError
from kure_rag.evaluate import RetrievalSet, check_corpus, check_qrels, read_set
from kure_rag.evaluate.sets import one_of_each_group
from kure_rag.read.corpus import read_corpus

CORPUS = {"d1": "퇴직금은 퇴직한 날부터 14일 이내에 지급한다.", "d2": "실손보험은 입원 의료비를 보장한다."}
QUERIES = {"q1": "퇴직금은 언제까지 받나요?", "q2": "입원비도 보장되나요?", "q3": "주차장은 어디에 있나요?"}
HEADER = "query-id\tcorpus-id\tscore\n"
QRELS = HEADER + "q1\td1\t1\nq2\td2\t2\nq2\td1\t0\n"


def jsonl(rows: dict[str, str]) -> bytes:
    return "".join(json.dumps({"_id": i, "text": text}, ensure_ascii=False) + "\n" for i, text in rows.items()).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "사내규정"
    path.mkdir()
    (path / "corpus.jsonl").write_bytes(jsonl(CORPUS))
    (path / "queries.jsonl").write_bytes(jsonl(QUERIES))
    (path / "qrels.tsv").write_text(QRELS, encoding="utf-8")
    return path


def test_a_set_is_read(folder: Path) -> None:
    assert read_set(folder) == RetrievalSet(
        name="사내규정",
        corpus_path=folder / "corpus.jsonl",
        queries={"q1": QUERIES["q1"], "q2": QUERIES["q2"]},
        qrels={"q1": {"d1": 1.0}, "q2": {"d2": 2.0}},
    )


def test_beirs_own_layout_and_gzip(folder: Path) -> None:
    for name in ("corpus.jsonl", "queries.jsonl"):
        (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
        (folder / name).unlink()
    (folder / "qrels").mkdir()
    (folder / "qrels.tsv").rename(folder / "qrels" / "test.tsv")
    found = read_set(folder)
    assert found.corpus_path == folder / "corpus.jsonl.gz"
    assert list(found.queries) == ["q1", "q2"]


def test_the_current_folder_has_a_name_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert read_set(Path()).name == "사내규정"


def test_queries_without_a_positive_judgement_are_dropped(folder: Path) -> None:
    (folder / "qrels.tsv").write_text(HEADER + "q3\td1\t0\nq1\td1\t1\nq2\td2\t-1\n", encoding="utf-8")
    found = read_set(folder)
    assert list(found.queries) == ["q1"]
    assert found.qrels == {"q1": {"d1": 1.0}}


def test_windows_files_and_blank_lines(folder: Path) -> None:
    text = QRELS.replace("\n", "\r\n") + "\r\n"
    (folder / "qrels.tsv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_set(folder).qrels == {"q1": {"d1": 1.0}, "q2": {"d2": 2.0}}


def test_ids_meet_in_nfc(folder: Path) -> None:
    (folder / "corpus.jsonl").write_bytes(jsonl({unicodedata.normalize("NFD", "은행법 제3조"): "이 법의 적용 범위."}))
    (folder / "queries.jsonl").write_bytes(jsonl({"질문": "은행법은 어디에 적용되나요?"}))
    rows = unicodedata.normalize("NFD", "질문") + "\t은행법 제3조\t1\n"
    (folder / "qrels.tsv").write_text(HEADER + rows, encoding="utf-8")
    found = read_set(folder)
    assert found.qrels == {"질문": {"은행법 제3조": 1.0}}
    check_qrels(found, (record.id for record in read_corpus(found.corpus_path)))


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels.tsv"])
def test_a_missing_file_is_told_with_the_whole_layout(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(SourceNotFoundError) as caught:
        read_set(folder)
    assert caught.value.source == "사내규정"
    assert caught.value.reason.startswith(f"no {name}; ")
    for expected in ("corpus.jsonl", "queries.jsonl", "qrels.tsv", "qrels/test.tsv"):
        assert expected in caught.value.reason


def test_a_missing_folder_and_a_file_in_its_place(folder: Path) -> None:
    for path in (folder / "없는 폴더", folder / "qrels.tsv"):
        with pytest.raises(SourceNotFoundError, match="no such folder"):
            read_set(path)


def test_an_unknown_corpus_format(folder: Path) -> None:
    (folder / "corpus.jsonl").rename(folder / "corpus.csv")
    with pytest.raises(CorpusFormatError, match=r"corpus\.csv: unknown corpus format"):
        read_set(folder)


@pytest.mark.parametrize("content", [b"", b"id,text\n1,a\n"])
def test_a_corpus_that_is_none_is_told_before_the_rest(folder: Path, content: bytes) -> None:
    (folder / "corpus.jsonl").write_bytes(content)
    with pytest.raises(CorpusFormatError, match=r"corpus\.jsonl"):
        read_set(folder)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ("q1\td1\t1\nq9\td1\t1\n", "line 3: query 'q9' is not in queries.jsonl"),
        ("q1\td1\t1\nq9\td1\t0\n", "line 3: query 'q9' is not in queries.jsonl"),
        ("q1\td1\t관련\n", "line 2: score '관련' is not a number"),
        ("q1\td1\tnan\n", "line 2: score 'nan' is not a number"),
        ("q1\td1\tinf\n", "line 2: score 'inf' is not a number"),
        ("q1\td1\t\n", "line 2: score '' is not a number"),
        ("q1 d1 1\n", "line 2: 1 columns"),
        ("q1\t0\td1\t1\n", "line 2: 4 columns"),
        ("q1\t\t1\n", "line 2: corpus-id is empty"),
        ("q1\td1\t1\nq1\td1\t2\n", "line 3: query 'q1' with document 'd1' was judged 1 on line 2"),
        ("", "no judgement above 0"),
        ("q1\td1\t0\n", "no judgement above 0"),
    ],
)
def test_broken_judgements_are_named(folder: Path, rows: str, complaint: str) -> None:
    (folder / "qrels.tsv").write_text(HEADER + rows, encoding="utf-8")
    with pytest.raises(CorpusFormatError) as caught:
        read_set(folder)
    assert caught.value.source == "qrels.tsv"
    assert complaint in caught.value.reason


def test_the_first_judgement_is_not_lost_as_a_header(folder: Path) -> None:
    (folder / "qrels.tsv").write_text("q1\td1\t1\nq2\td2\t1\n", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match="line 1: a judgement where the header should be"):
        read_set(folder)


def test_the_same_judgement_twice_does_no_harm(folder: Path) -> None:
    (folder / "qrels.tsv").write_text(HEADER + "q1\td1\t1\nq1\td1\t1.0\n", encoding="utf-8")
    assert read_set(folder).qrels == {"q1": {"d1": 1.0}}


def test_a_qrels_file_in_its_folder_is_named_with_it(folder: Path) -> None:
    (folder / "qrels").mkdir()
    (folder / "qrels" / "test.tsv").write_text(HEADER + "q1\td1\tx\n", encoding="utf-8")
    (folder / "qrels.tsv").unlink()
    with pytest.raises(CorpusFormatError, match=r"qrels/test\.tsv: line 2"):
        read_set(folder)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ('{"_id": "q1", "text": "두 번째 질문"}', "line 4: _id 'q1' is already on line 1"),
        ('{"_id": "q4", "text": ""}', "line 4: text is empty"),
        ('{"_id": "q4", "text": ["질문"]}', "line 4: text is not a string"),
        ('{"_id": "q4"}', 'line 4: no "text"'),
        ("q4\t질문", "line 4: not JSON"),
    ],
)
def test_broken_queries_are_named(folder: Path, row: str, complaint: str) -> None:
    with (folder / "queries.jsonl").open("a", encoding="utf-8") as file:
        file.write(row)
    with pytest.raises(CorpusFormatError) as caught:
        read_set(folder)
    assert caught.value.source == "queries.jsonl"
    assert complaint in caught.value.reason


def test_check_qrels_names_a_document_that_is_not_there(folder: Path) -> None:
    found = read_set(folder)
    check_qrels(found, {"d1", "d2", "d3"})
    with pytest.raises(CorpusFormatError) as caught:
        check_qrels(found, iter(["d1"]))
    assert caught.value.source == "사내규정"
    assert "1 of 2 judgements" in caught.value.reason
    assert "'d2' for query 'q2'" in caught.value.reason


def test_check_qrels_names_the_line(folder: Path) -> None:
    with pytest.raises(CorpusFormatError, match=r"'d2' for query 'q2' \(qrels\.tsv line \d\); use the corpus"):
        check_qrels(read_set(folder), {"d1"})


def test_check_corpus_reads_it_whole_and_finds_what_queries_are_about(tmp_path: Path) -> None:
    rows = [
        {"_id": "은행법 제3조", "text": "은행에 적용할 법규를 정한다.", "domain": "금융"},
        {"_id": "의료법 제5조", "text": "의사는 면허를 받아야 한다.", "metadata": {"domain": "의료"}},
        {"_id": "민법 제2조", "text": "권리의 행사는 신의에 좇아 성실히 하여야 한다."},
    ]
    judged = {
        "q1": ["은행법 제3조"],
        "q2": ["의료법 제5조"],
        "q3": ["민법 제2조"],
        "q4": ["은행법 제3조", "의료법 제5조"],
    }
    (tmp_path / "corpus.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    asked = [json.dumps({"_id": query, "text": "질문"}) for query in judged]
    (tmp_path / "queries.jsonl").write_text("\n".join(asked), encoding="utf-8")
    lines = [f"{query}\t{document}\t1\n" for query, documents in judged.items() for document in documents]
    (tmp_path / "qrels.tsv").write_text(HEADER + "".join(lines), encoding="utf-8")
    found = read_set(tmp_path)
    assert check_corpus(found) == {"q1": "금융", "q2": "의료"}, "what says no domain, or two, has none"

    before = found.digest()
    assert read_set(tmp_path).digest() == before
    with (tmp_path / "corpus.jsonl").open("a", encoding="utf-8") as file:
        file.write('\n{"_id": "민법 제2조", "text": "두 번째"}')
    assert read_set(tmp_path).digest() != before
    with pytest.raises(CorpusFormatError, match="line 4: _id '민법 제2조' is already on line 3"):
        check_corpus(found)


def test_one_of_each_group_counts_once() -> None:
    groups = [frozenset("ab"), frozenset("bc")]
    assert one_of_each_group(["x", "a", "b", "c"], groups) == ["other x", "group 0", "group 1", "other c"]
    assert one_of_each_group(["b", "a", "c"], groups) == ["group 0", "other a", "group 1"]


@pytest.mark.parametrize("score", ["0.3333", "1e9", "101"])
def test_relevances_that_are_no_levels_are_named(folder: Path, score: str) -> None:
    (folder / "qrels.tsv").write_text(f"{HEADER}q1\td1\t{score}\n", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=r"line 2: score .* write a whole number"):
        read_set(folder)


def test_importing_the_room_loads_nothing_heavy() -> None:
    heavy = ("numpy", "torch", "chromadb", "tantivy", "kiwipiepy", "langchain_core", "llama_index", "transformers")
    code = f"import sys, kure_rag.evaluate; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def shared_sets() -> list[Path]:
    default = Path(__file__).parents[2].parent / "shared" / "data"
    data = Path(os.environ.get("KURE_RAG_DATA", default))
    return sorted(path for path in (data / "sets").glob("*") if path.is_dir())


@pytest.mark.data
@pytest.mark.skipif(not shared_sets(), reason="the shared evaluation data is absent")
def test_the_shared_sets_are_read_whole() -> None:
    for path in shared_sets():
        found = read_set(path)
        meta = json.loads((path / "meta.json").read_text(encoding="utf-8"))
        ids = [record.id for record in read_corpus(found.corpus_path)]
        check_qrels(found, ids)
        assert len(ids) == meta["corpus"]
        assert len(found.queries) == meta["queries"]
        assert sum(map(len, found.qrels.values())) == meta["qrels"]
