"""Mining with a reranker, and what mining refuses."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mine_support import DOCUMENTS, PARAPHRASES, QUESTIONS, records

from kure_rag import KureIndex
from kure_rag.errors import ConfigError, IndexPathError, SearchError
from kure_rag.train.mine import Margin, MineSettings, Passage, Question, mine, read_triplets

OPEN = MineSettings(negatives=3, depth=23, dense=Margin(), keep_short=True)
PLANTED = {document: name for document, (name, _) in PARAPHRASES.items()}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KureIndex]:
    with KureIndex.open(tmp_path_factory.mktemp("mine") / "ix", embeddings="static-ko") as opened:
        opened.add_records(records(), workers=1)
        yield opened


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    return [
        Question(name, text, tuple(Passage(one, DOCUMENTS[one]) for one in documents))
        for name, (text, documents) in QUESTIONS.items()
    ]


# What is refused


def test_a_file_of_other_settings_is_not_written_over(
    index: KureIndex, questions: list[Question], tmp_path: Path
) -> None:
    out = tmp_path / "t.jsonl"
    first = mine(index, questions, out, OPEN)
    data = out.read_bytes()
    again = mine(index, questions, out, OPEN)
    assert again.finished_before
    assert again.data == first.data
    with pytest.raises(ConfigError, match=r"settings\.negatives: 3 there, 4 now"):
        mine(index, questions, out, replace(OPEN, negatives=4))
    with pytest.raises(ConfigError, match="questions: 6 there, 5 now"):
        mine(index, questions[:5], out, OPEN)
    assert out.read_bytes() == data
    out.write_bytes(data + b"\n")
    with pytest.raises(ConfigError, match="was changed since it was mined"):
        mine(index, questions, out, OPEN)
    foreign = tmp_path / "foreign.jsonl"
    foreign.write_text("mine\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"is there, and has no foreign\.jsonl\.report\.json"):
        mine(index, questions, foreign, OPEN)
    assert foreign.read_text(encoding="utf-8") == "mine\n"


def test_questions_and_places_that_make_no_sense(index: KureIndex, questions: list[Question], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no questions"):
        mine(index, [], tmp_path / "t.jsonl")
    with pytest.raises(ConfigError, match="'q1' is there twice"):
        mine(index, [questions[0], questions[0]], tmp_path / "t.jsonl")
    with pytest.raises(ConfigError, match="'q' has no positive"):
        mine(index, [Question("q", "물음", ())], tmp_path / "t.jsonl")
    with pytest.raises(ConfigError, match=r"written as \.jsonl or \.parquet"):
        mine(index, questions, tmp_path / "t.csv")
    with pytest.raises(IndexPathError, match="give a file in a folder that is there"):
        mine(index, questions, tmp_path / "none" / "t.jsonl")
    assert not list(tmp_path.iterdir())


def test_where_nothing_is_left_it_says_why_and_leaves_nothing_behind(
    index: KureIndex, questions: list[Question], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"no pair has 3 negatives.*most \(cosine too high\)"):
        mine(index, questions, tmp_path / "t.jsonl", replace(OPEN, dense=Margin(most=-0.9)))
    assert not list(tmp_path.iterdir())


# The reranker


class Judge:
    """Scores by a table, .1 for whatever it does not name; notes what it was asked."""

    name = "judge"

    def __init__(self, scores: dict[str, float]) -> None:
        self.scores_of = scores
        self.asked: list[list[tuple[str, str]]] = []

    def scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        self.asked.append(list(pairs))
        return np.array([self.scores_of.get(passage, 0.1) for _, passage in pairs], dtype=np.float32)


def test_a_reranker_judges_what_is_left_and_is_asked_for_no_more_than_is_wanted(
    index: KureIndex, questions: list[Question], tmp_path: Path
) -> None:
    planted = PARAPHRASES["연차"][1]
    judge = Judge({DOCUMENTS["연차"]: 0.9, planted: 0.88, DOCUMENTS["출산"]: 0.7, DOCUMENTS["경조"]: 0.05})
    settings = replace(OPEN, negatives=2, rerank=Margin(relative=0.95, most=0.6, least=0.08))
    report = mine(index, questions[:1], tmp_path / "t.jsonl", settings, reranker=judge)
    (row,) = read_triplets(tmp_path / "t.jsonl")
    assert not {PLANTED["연차"], "출산", "경조"} & set(row["negative_ids"])
    assert row["scores"]["rerank"]["positive"] == pytest.approx(0.9)
    assert row["scores"]["rerank"]["negatives"] == pytest.approx([0.1, 0.1])
    told = {name: count for name, count in report.dropped.items() if name.startswith("rerank")}
    assert told == {"rerank_margin": 1, "rerank_most": 1, "rerank_least": 1}
    # The positive; two; as many as were refused of those; and so on.
    assert [len(pairs) for pairs in judge.asked] == [1, 2, 2, 1]
    pairs = [pair for asked in judge.asked for pair in asked]
    assert len(set(pairs)) == len(pairs), "nothing is asked twice"


def test_pairs_of_one_question_share_what_a_reranker_said(
    index: KureIndex, questions: list[Question], tmp_path: Path
) -> None:
    judge = Judge({})
    mine(index, questions[3:4], tmp_path / "t.jsonl", replace(OPEN, rerank=Margin()), reranker=judge)
    assert len(list(read_triplets(tmp_path / "t.jsonl"))) == 3
    assert [len(set(pairs)) for pairs in judge.asked] == [len(pairs) for pairs in judge.asked] == [3, 3]


def test_another_reranker_is_another_file(index: KureIndex, questions: list[Question], tmp_path: Path) -> None:
    out = tmp_path / "t.jsonl"
    mine(index, questions[:1], out, OPEN, reranker=Judge({DOCUMENTS["연차"]: 0.9}))
    with pytest.raises(ConfigError, match=r"settings.reranker: \[\"judge\", null\] there, null now"):
        mine(index, questions[:1], out, OPEN)


def test_a_reranker_that_loses_scores_is_found_out(index: KureIndex, questions: list[Question], tmp_path: Path) -> None:
    class Short(Judge):
        def scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
            return super().scores(pairs)[1:]

    class Lost(Judge):
        def scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
            return super().scores(pairs) * np.nan

    for judge in (Short({}), Lost({})):
        with pytest.raises(SearchError, match="or one that is no number"):
            mine(index, questions[:2], tmp_path / "t.jsonl", OPEN, reranker=judge)
