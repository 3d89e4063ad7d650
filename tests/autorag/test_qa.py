"""Questions about an index's own passages: by a model, and from headings."""

import json
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from autorag_support import add_document
from stand_in_llm import Reply, about, passage_of, said, stand_in

from kure_rag import KureIndex
from kure_rag.autorag import ChatSettings, QaReport, export_index, make_questions
from kure_rag.autorag.qa import MOST_ALTERNATIVES
from kure_rag.errors import ConfigError, KureIndexError, LlmError
from kure_rag.evaluate import evaluate, read_set

TEXTS = [
    f"제{i}호 {topic} 담당자는 해마다 {i + 2}월 안에 {topic} 계획을 세우고 그 결과를 위원회에 보고하여야 하며 "
    "이를 다섯 해 동안 보관한다."
    for i, topic in enumerate(("예산", "인사", "시설", "보안", "교육", "홍보", "구매", "감사"), start=1)
]


def chat(url: str, **more: Any) -> ChatSettings:
    return ChatSettings(url=url, first_wait=0.001, longest_wait=0.01, attempts=3, **more)


def questions(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(folder / "qa.parquet").to_pylist()
    return found


@pytest.fixture
def eight(tmp_path: Path, tiny_model: Path) -> KureIndex:
    """Eight passages in two files, and a scrap nobody should be asked about."""
    index = KureIndex.open(tmp_path / "ix", embeddings=str(tiny_model))
    add_document(index, "가.pdf", TEXTS[:4], [*TEXTS[:4]])
    add_document(index, "나.pdf", [*TEXTS[4:], "끝."], [*TEXTS[4:], "끝."])
    return index


def ids(index: KureIndex) -> dict[str, str]:
    return {chunk.text: chunk.id for row in index.documents() for chunk in index.chunks(row.id)}


def test_a_model_is_asked_about_every_passage(eight: KureIndex, tmp_path: Path) -> None:
    out = tmp_path / "질문"
    seen: list[tuple[int, int | None, str]] = []
    with eight, stand_in() as server:
        report = make_questions(eight, out, chat=chat(server.url), progress=lambda *args: seen.append(args))
        export_index(eight, out)
        by_text = ids(eight)
        assert sorted(map(passage_of, server.requests)) == sorted(TEXTS)
    assert report == QaReport(folder=out, questions=8, passages=8)
    assert seen[0] == (0, 8, "")
    assert seen[-1][:2] == (8, 8)
    assert pq.read_schema(out / "qa.parquet").field("retrieval_gt").type == pa.list_(pa.list_(pa.string()))
    rows = questions(out)
    assert {row["generation_gt"][0]: row["retrieval_gt"] for row in rows} == {text: [[by_text[text]]] for text in TEXTS}
    assert len({row["qid"] for row in rows}) == 8
    assert {row["retrieval_gt"][0][0] for row in rows} <= set(
        pq.read_table(out / "corpus.parquet")["doc_id"].to_pylist()
    )


def test_the_set_beside_it_can_be_evaluated(eight: KureIndex, tmp_path: Path, tiny_model: Path) -> None:
    with eight, stand_in() as server:
        make_questions(eight, tmp_path / "qa", chat=chat(server.url))
    retrieval_set = read_set(tmp_path / "qa")
    assert len(retrieval_set.queries) == 8
    with KureIndex.open(tmp_path / "other", embeddings=str(tiny_model)) as other:
        other.add_corpus(retrieval_set.corpus_path, workers=1)
        assert evaluate(other, retrieval_set).scores.to_dict()["recall@10"] == 1.0


def test_an_interrupted_run_goes_on_where_it_stopped(eight: KureIndex, tmp_path: Path) -> None:
    out = tmp_path / "qa"

    def interrupt(done: int, total: int | None, name: str) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with eight, stand_in() as server:
        with pytest.raises(KeyboardInterrupt):
            make_questions(eight, out, chat=chat(server.url), concurrency=1, progress=interrupt)
        assert len(questions(out)) == 3  # a whole file, of what was answered
        assert not list(out.glob("*.part"))
        with (out / "qa.progress.jsonl").open("ab") as file:
            file.write('7\n{"doc_id": "남의 줄"}\n{"doc_id": "찢어진 줄'.encode()[:-2])
        before = {passage_of(request) for request in server.requests}
        server.requests.clear()
        report = make_questions(eight, out, chat=chat(server.url))
        assert (report.kept, report.questions, report.passages) == (3, 8, 8)
        again = {passage_of(request) for request in server.requests}
        assert len(again) == 5
        assert len(before - again) == 3
        server.requests.clear()
        assert make_questions(eight, out, chat=chat(server.url)).kept == 8
        assert server.requests == []


def test_a_larger_limit_asks_about_the_further_passages_only(eight: KureIndex, tmp_path: Path) -> None:
    with eight, stand_in() as server:
        assert make_questions(eight, tmp_path / "qa", chat=chat(server.url), limit=3).questions == 3
        report = make_questions(eight, tmp_path / "qa", chat=chat(server.url), limit=5)
        assert (report.questions, report.kept, len(server.requests)) == (5, 3, 5)


def test_a_smaller_limit_gives_the_questions_of_its_own_passages(eight: KureIndex, tmp_path: Path) -> None:
    with eight, stand_in() as server:
        make_questions(eight, tmp_path, chat=chat(server.url), limit=6)
        report = make_questions(eight, tmp_path, chat=chat(server.url), limit=2)
        assert (report.questions, report.passages, report.kept) == (2, 2, 2)
        assert make_questions(eight, tmp_path, chat=chat(server.url), limit=6).questions == 6
        assert len(server.requests) == 6


def test_a_model_that_had_no_question_makes_way_for_another(eight: KureIndex, tmp_path: Path) -> None:
    with eight, stand_in(lambda request, number: said({"questions": []})) as server:
        with pytest.raises(LlmError, match="gave no question for any of 8 passages; try another model"):
            make_questions(eight, tmp_path, chat=chat(server.url))
        server.requests.clear()
        server.behave = about
        assert make_questions(eight, tmp_path, chat=chat(server.url, model="다른 모형")).questions == 8
        assert len(server.requests) == 8


def test_answers_to_other_settings_are_not_mixed_in(eight: KureIndex, tmp_path: Path) -> None:
    with eight, stand_in() as server:
        make_questions(eight, tmp_path, chat=chat(server.url), limit=2)
        with pytest.raises(ConfigError, match=r"model: '시험-모형', now '다른 모형'.*choose another --out"):
            make_questions(eight, tmp_path, chat=chat(server.url, model="다른 모형"))
        with pytest.raises(ConfigError, match="per_chunk: 1, now 2"):
            make_questions(eight, tmp_path, chat=chat(server.url), per_chunk=2)


def test_passages_that_fail_are_counted_and_asked_again_by_the_next_run(eight: KureIndex, tmp_path: Path) -> None:
    def strict(request: dict[str, Any], number: int) -> Reply:
        passage = passage_of(request)
        if "보안" in passage:
            return Reply(400, {"error": {"message": "거절한 글"}})
        if "교육" in passage:
            return said("질문을 만들 수 없습니다.")
        if "홍보" in passage:
            return said({"questions": []})
        return about(request, number)

    with eight, stand_in(strict) as server:
        report = make_questions(eight, tmp_path, chat=chat(server.url), concurrency=2)
        assert (report.questions, report.passages, report.failed) == (5, 8, 2)
        assert "거절한 글" in report.reason or "held no JSON list of questions" in report.reason
        assert sum("교육" in passage_of(request) for request in server.requests) == 3
        server.requests.clear()
        server.behave = about
        assert make_questions(eight, tmp_path, chat=chat(server.url)).questions == 7
        assert len(server.requests) == 2


def test_answers_that_are_broken_or_late_are_asked_for_again(eight: KureIndex, tmp_path: Path) -> None:
    asked: dict[str, int] = {}
    lock = threading.Lock()

    def moody(request: dict[str, Any], number: int) -> Reply:
        passage = passage_of(request)
        with lock:
            asked[passage] = asked.get(passage, 0) + 1
        first = asked[passage] == 1
        moods = (
            Reply(429, {}, {"Retry-After": "0"}),
            Reply(500, "탈"),
            said('{"questions": [{"que'),
            Reply(seconds=0.4),
        )
        return moods[number % 4] if first else about(request, number)

    with eight, stand_in(moody) as server:
        settings = ChatSettings(url=server.url, first_wait=0.001, attempts=3, timeout=0.2)
        assert make_questions(eight, tmp_path, chat=settings).questions == 8
    assert set(asked.values()) == {2}


def test_a_server_that_dies_keeps_what_was_answered(eight: KureIndex, tmp_path: Path) -> None:
    def dying(request: dict[str, Any], number: int) -> Reply:
        return about(request, number) if number <= 3 else Reply(503, {"error": {"message": "꺼지는 중"}})

    with eight, stand_in(dying) as server:
        with pytest.raises(LlmError, match=r"꺼지는 중.*run the same command again"):
            make_questions(eight, tmp_path, chat=chat(server.url), concurrency=1)
        assert len(questions(tmp_path)) == 3


def test_a_model_that_never_answers_in_form_is_given_up_early(tmp_path: Path, tiny_model: Path) -> None:
    texts = [f"{i}번째 {TEXTS[i % 8]}" for i in range(30)]
    with KureIndex.open(tmp_path / "ix", embeddings=str(tiny_model)) as index, stand_in() as server:
        add_document(index, "많음.pdf", texts, texts)
        server.behave = lambda request, number: said("모르겠습니다.")
        with pytest.raises(LlmError, match="the first 10 passages all failed, the last one: 3 answers of 시험-모형"):
            make_questions(index, tmp_path / "qa", chat=chat(server.url), concurrency=2)
        assert not (tmp_path / "qa" / "qa.parquet").exists()


def test_a_question_that_several_passages_answer_lists_them_and_one_for_all_is_dropped(
    eight: KureIndex, tmp_path: Path
) -> None:
    def vague(request: dict[str, Any], number: int) -> Reply:
        passage = passage_of(request)
        shared = "예산과 인사 계획은 언제 세우나요?" if "예산" in passage or "인사" in passage else "누가 보고하나요?"
        return said([{"question": shared, "answer": passage[:5]}, *json.loads(said_about(request))])

    def said_about(request: dict[str, Any]) -> str:
        content: str = about(request, 0).body["choices"][0]["message"]["content"]
        return json.dumps(json.loads(content)["questions"])

    with eight, stand_in(vague) as server:
        report = make_questions(eight, tmp_path, chat=chat(server.url), per_chunk=2)
        by_text = ids(eight)
    assert (report.questions, report.dropped) == (9, 1)
    shared = next(row for row in questions(tmp_path) if row["query"].startswith("예산과"))
    assert {frozenset(group) for group in shared["retrieval_gt"]} == {frozenset(by_text[text] for text in TEXTS[:2])}
    assert sorted(shared["generation_gt"]) == ["제1호 예", "제2호 인"]


def test_passages_that_were_deleted_since_are_left_out(eight: KureIndex, tmp_path: Path) -> None:
    with eight, stand_in() as server:
        make_questions(eight, tmp_path, chat=chat(server.url))
        eight.delete("나.pdf")
        assert make_questions(eight, tmp_path, chat=chat(server.url)).questions == 4


def test_questions_from_headings_are_always_the_same(index: KureIndex, tmp_path: Path) -> None:
    report = make_questions(index, tmp_path / "a")
    make_questions(index, tmp_path / "b")
    files = ("qa.parquet", "queries.jsonl", "qrels.tsv", "corpus.jsonl")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(files)
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)
    rows = questions(tmp_path / "a")
    assert len(rows) == report.questions
    texts = {chunk.id: chunk.text for row in index.documents() for chunk in index.chunks(row.id)}
    storage = next(row for row in rows if "보존 장소에 관한" in row["query"])
    assert "보존 장소" in texts[storage["retrieval_gt"][0][0]]
    assert storage["generation_gt"] == [texts[id_] for id_ in storage["retrieval_gt"][0]]
    few = make_questions(index, tmp_path / "c", limit=2)
    assert few.questions == 2
    assert {row["qid"] for row in questions(tmp_path / "c")} <= {row["qid"] for row in rows}


def test_a_heading_that_too_many_passages_have_asks_for_nothing(tmp_path: Path, tiny_model: Path) -> None:
    from kure_rag.read import Record

    def records(name: str, count: int) -> list[Record]:
        return [Record(f"{name}-{i}", name, f"{i}번째 {name} 글이다.") for i in range(count)]

    with KureIndex.open(tmp_path / "ix", embeddings=str(tiny_model)) as index:
        index.add_records([*records("공지", MOST_ALTERNATIVES + 1), *records("안내", MOST_ALTERNATIVES)], workers=1)
        report = make_questions(index, tmp_path / "qa")
    assert (report.questions, report.dropped) == (1, 1)
    (row,) = questions(tmp_path / "qa")
    assert row["query"] == "안내에 관한 내용은 무엇인가요?"
    assert len(row["retrieval_gt"][0]) == MOST_ALTERNATIVES


def test_an_index_that_gives_no_question(eight: KureIndex, tmp_path: Path, tiny_model: Path) -> None:
    with eight, pytest.raises(KureIndexError, match="make questions with --llm URL"):
        make_questions(eight, tmp_path / "qa")
    assert list((tmp_path / "qa").iterdir()) == []
    with KureIndex.open(tmp_path / "empty", embeddings=str(tiny_model)) as empty:
        with pytest.raises(KureIndexError, match="to ask about; add documents"):
            make_questions(empty, tmp_path / "qa", chat=chat("http://localhost:1/v1"))
        with pytest.raises(ValueError, match="per_chunk is 0"):
            make_questions(empty, tmp_path / "qa", per_chunk=0)
