"""Questions with their positives, from sets and from pairs of texts."""

import gzip
import json
import unicodedata
from pathlib import Path

import pytest
from mine_support import DOCUMENTS, QUESTIONS, write_lines, write_set

from kure_rag.errors import CorpusFormatError, SourceNotFoundError
from kure_rag.evaluate import read_set
from kure_rag.read import Record
from kure_rag.read.corpus import Place
from kure_rag.train.mine import Question, questions_of_set, read_pairs, records_of_pairs
from kure_rag.train.mine.questions import Passage, digest_of, record_text

NAP = "점심시간은 열두 시부터 한 시까지이다."


def test_a_set_gives_its_judged_questions_with_the_texts_of_their_documents(tmp_path: Path) -> None:
    questions = questions_of_set(read_set(write_set(tmp_path / "set")))
    assert [question.id for question in questions] == list(QUESTIONS)
    fourth = questions[3]
    assert fourth.text == QUESTIONS["q4"][0]
    assert [passage.text for passage in fourth.positives] == [DOCUMENTS[name] for name in ("병가", "출산", "경조")]
    assert fourth.judged == {"병가", "출산", "경조"}


def test_a_positive_has_its_title_as_an_index_embeds_it(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set")
    write_lines(folder / "corpus.jsonl", [{"_id": "연차", "title": "취업규정 제15조", "text": DOCUMENTS["연차"]}])
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\t연차\t1\n", encoding="utf-8")
    (question,) = questions_of_set(read_set(folder))
    assert question.positives[0].text == f"취업규정 제15조\n{DOCUMENTS['연차']}"
    assert record_text(Record("t", "제목뿐", "")) == "제목뿐"
    place = Place(source="규정.pdf", breadcrumb=("제3장", "제15조"), lead="다음과 같다.")
    assert record_text(Record("p", "규정", "15일", place=place)) == "제3장 > 제15조\n다음과 같다.\n15일"


def test_documents_of_one_text_are_one_positive_and_both_are_judged(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set")
    rows = [{"_id": "a", "text": NAP}, {"_id": "b", "text": NAP.replace(" ", "  ")}]
    write_lines(folder / "corpus.jsonl", rows)
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\ta\t1\nq1\tb\t1\n", encoding="utf-8")
    (question,) = questions_of_set(read_set(folder))
    assert [passage.id for passage in question.positives] == ["a"]
    assert question.judged == {"a", "b"}


def test_a_judged_document_that_is_not_in_the_corpus_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set")
    with (folder / "qrels.tsv").open("a", encoding="utf-8") as file:
        file.write("\nq1\t없음\t1\n")
    with pytest.raises(CorpusFormatError, match="'없음' for query 'q1'"):
        questions_of_set(read_set(folder))


def test_pairs_of_one_question_are_one_question(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "연차는 며칠인가요?")
    path = write_lines(
        tmp_path / "pairs.jsonl",
        [
            {"query": "연차는 며칠인가요?", "positive": DOCUMENTS["연차"], "negatives": ["다른 말"]},
            {"query": "급여일은?", "positive": [DOCUMENTS["급여"], NAP], "query_id": 7},
            {"query": decomposed, "positive": NAP, "positive_id": "점심"},
            {"query": decomposed, "positive": f" {DOCUMENTS['연차']}"},
        ],
    )
    leave, pay = read_pairs(path)
    assert (leave.id, leave.text) == ("line-1", "연차는 며칠인가요?")
    assert [passage.text for passage in leave.positives] == [DOCUMENTS["연차"], NAP]
    assert leave.positives[1].id == "점심"
    assert (pay.id, len(pay.positives)) == ("7", 2)
    packed = tmp_path / "pairs.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_pairs(packed) == [leave, pay]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: not JSON"),
        ("[1]", "line 2: no JSON object"),
        ('{"query": "가나"}', 'line 2: no "positive"'),
        ('{"positive": "가나"}', 'line 2: no "query"'),
        ('{"query": " ", "positive": "가나"}', "line 2: query is empty"),
        ('{"query": "가나", "positive": 3}', "line 2: positive is 3; write a string"),
        ('{"query": "가나", "positive": []}', "line 2: positive is an empty list"),
        ('{"query": "가나", "positive": "\\ud800"}', r"line 2: lone surrogate U\+D800 in positive"),
        (
            '{"query": "가나", "positive": "다", "query_id": "q"}',
            "line 2: query_id 'q' names another question on line 1",
        ),
        ('{"query": "가나", "positive": ["다", "라"], "positive_id": "p"}', "line 2: one positive_id for several"),
        ('{"query": "가나", "positive": "다", "query_id": true}', "line 2: query_id is True"),
    ],
)
def test_a_fault_is_named_by_its_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(f'{{"query": "첫째", "positive": "둘째", "query_id": "q"}}\n{line}\n', encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=message):
        read_pairs(path)


def test_an_empty_file_and_none_at_all(tmp_path: Path) -> None:
    empty = tmp_path / "pairs.jsonl"
    empty.write_text("\n", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match="no pairs"):
        read_pairs(empty)
    with pytest.raises(SourceNotFoundError, match="no such file"):
        read_pairs(tmp_path / "none.jsonl")


def test_what_is_searched_holds_each_positive_once(tmp_path: Path) -> None:
    corpus = write_lines(
        tmp_path / "corpus.jsonl",
        [{"_id": "연차", "title": "취업규정", "text": DOCUMENTS["연차"]}, {"_id": "병가", "text": DOCUMENTS["병가"]}],
    )
    questions = [
        Question("q1", "연차는?", (Passage("text-1", DOCUMENTS["연차"]), Passage("점심", NAP))),
        Question("q2", "점심은?", (Passage("점심", NAP), Passage("다른 이름", f"{NAP} "))),
        Question("q3", "병가는?", (Passage("병가", "다르게 쓴 병가"),)),
    ]
    assert [record.id for record in records_of_pairs(questions, corpus)] == ["연차", "병가", "점심"]
    assert [record.id for record in records_of_pairs(questions)] == ["text-1", "점심", "병가"]


def test_the_digest_changes_with_all_that_counts() -> None:
    def made(**other: object) -> str:
        given = {"id": "q", "text": "물음", "positives": (Passage("p", "답"),), "judged": frozenset({"x"}), **other}
        return digest_of([Question(**given)])  # type: ignore[arg-type]

    whole = {
        made(),
        made(id="r"),
        made(text="다른 물음"),
        made(positives=(Passage("p", "다른 답"),)),
        made(judged=frozenset()),
    }
    assert len(whole) == 5
    assert made() == made()
    assert json.dumps(made())
