import time
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from kure_rag.errors import SearchError
from kure_rag.evaluate import RetrievalSet, evaluate, read_run, write_run
from kure_rag.types import Chunk, Hit, Leg, Mode

PASSAGES = {
    "휴가": ["연차휴가는 입사일을 기준으로 계산한다.", "병가는 진단서를 내야 쓸 수 있다."],
    "대출": ["대출 금리는 기준금리에 가산금리를 더한다."],
    "진료": ["초진 환자는 신분증을 보여 주어야 한다."],
}
SET = RetrievalSet(
    name="작은 모음",
    corpus_path=Path("corpus.jsonl"),
    queries={"q1": "연차휴가는 어떻게 계산하나요?", "q2": "대출 금리는?", "q3": "주차 요금은?"},
    qrels={"q1": {"휴가": 1.0}, "q2": {"대출": 1.0}, "q3": {"주차": 1.0}},
)


def hit(source: str, rank: int, score: float, text: str = "본문") -> Hit:
    chunk = Chunk(id=f"{source}-{rank}", document_id=source, text=text, start=0, end=len(text), pages=())
    return Hit(chunk, source, source, "general", score, rank, {"lexical": Leg(rank, score)})


class WordSearcher:
    """Ranks passages by how many words of the query they begin a word with."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int, str]] = []

    def search_batch(
        self, queries: Sequence[str], *, k: int, mode: Mode, where: Mapping[str, Any] | None = None
    ) -> list[list[Hit]]:
        self.calls.append((len(queries), k, mode))
        return [self._search(query)[:k] for query in queries]

    def _search(self, query: str) -> list[Hit]:
        words = [word[:2] for word in query.split()]
        found = [
            (sum(word in text for word in words), source, text) for source, texts in PASSAGES.items() for text in texts
        ]
        best = sorted((row for row in found if row[0]), key=lambda row: -row[0])
        return [hit(source, rank, score, text) for rank, (score, source, text) in enumerate(best, start=1)]


class FixedSearcher:
    def __init__(self, answers: list[list[Hit]]) -> None:
        self.answers = answers

    def search_batch(
        self, queries: Sequence[str], *, k: int, mode: Mode, where: Mapping[str, Any] | None = None
    ) -> list[list[Hit]]:
        return self.answers


def one_query(*hits: Hit) -> tuple[FixedSearcher, RetrievalSet]:
    return FixedSearcher([list(hits)]), RetrievalSet("하나", Path("corpus.jsonl"), {"q": "질문"}, {"q": {"a": 1.0}})


def test_an_index_is_scored(tmp_path: Path) -> None:
    evaluation = evaluate(WordSearcher(), SET)
    assert evaluation.scores.queries == 3
    assert evaluation.scores.unanswered == 1
    assert evaluation.scores.recall_at_1 == pytest.approx(2 / 3)
    assert evaluation.run["q1"][0] == ("휴가", 2)
    assert evaluation.run["q3"] == []
    assert evaluation.mode == "hybrid"
    write_run(tmp_path / "run.tsv", evaluation.run)
    assert read_run(tmp_path / "run.tsv") == {query: found for query, found in evaluation.run.items() if found}


def test_queries_go_in_batches_and_progress_is_told() -> None:
    searcher, told = WordSearcher(), []
    evaluation = evaluate(
        searcher, SET, k=5, mode="lexical", batch_size=2, progress=lambda done, total: told.append((done, total))
    )
    assert searcher.calls == [(2, 5, "lexical"), (1, 5, "lexical")]
    assert told == [(2, 3), (3, 3)]
    assert evaluation.mode == "lexical"
    assert evaluation.run == evaluate(WordSearcher(), SET, k=5, mode="lexical").run


def test_the_best_chunk_of_a_document_counts() -> None:
    searcher, retrieval_set = one_query(hit("b", 1, 9.0), hit("a", 2, 5.0), hit("b", 3, 4.0), hit("a", 4, 1.0))
    evaluation = evaluate(searcher, retrieval_set)
    assert evaluation.run == {"q": [("b", 9.0), ("a", 5.0)]}
    assert evaluation.scores.mrr_at_10 == 0.5


def test_ranks_decide_not_the_order_of_the_list() -> None:
    searcher, retrieval_set = one_query(hit("b", 2, 0.1), hit("a", 1, 0.2))
    assert evaluate(searcher, retrieval_set).run == {"q": [("a", 0.2), ("b", 0.1)]}


def test_no_more_than_k_documents_count() -> None:
    searcher, retrieval_set = one_query(hit("b", 1, 3.0), hit("c", 2, 2.0), hit("a", 3, 1.0))
    evaluation = evaluate(searcher, retrieval_set, k=2)
    assert [document for document, _ in evaluation.run["q"]] == ["b", "c"]
    assert evaluation.scores.recall_at_10 == 0


def test_sources_meet_ids_in_nfc() -> None:
    source = unicodedata.normalize("NFD", "은행법 제3조")
    retrieval_set = RetrievalSet("법", Path("corpus.jsonl"), {"q": "은행법 적용 법규"}, {"q": {"은행법 제3조": 1.0}})
    assert evaluate(FixedSearcher([[hit(source, 1, 1.0)]]), retrieval_set).scores.ndcg_at_10 == 1.0


def test_only_the_search_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        now = 0.0

    class SlowSearcher(WordSearcher):
        def _search(self, query: str) -> list[Hit]:
            Clock.now += 0.5
            return super()._search(query)

    def dawdle(done: int, total: int) -> None:
        Clock.now += 100

    monkeypatch.setattr(time, "perf_counter", lambda: Clock.now)
    evaluation = evaluate(SlowSearcher(), SET, batch_size=1, progress=dawdle)
    assert evaluation.seconds == 1.5
    assert evaluation.queries_per_second == 2.0


def test_a_clock_too_coarse_to_tell_gives_no_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "perf_counter", lambda: 1.0)
    evaluation = evaluate(WordSearcher(), SET)
    assert (evaluation.seconds, evaluation.queries_per_second) == (0.0, 0.0)


def test_an_index_that_loses_a_query_is_an_error() -> None:
    with pytest.raises(SearchError, match="answered 1 of 3 queries"):
        evaluate(FixedSearcher([[]]), SET)


@pytest.mark.parametrize("setting", [{"k": 0}, {"batch_size": 0}, {"mode": "sparse"}])
def test_settings_that_make_no_sense(setting: dict[str, Any]) -> None:
    with pytest.raises(SearchError, match=f"{next(iter(setting))} is"):
        evaluate(WordSearcher(), SET, **setting)
