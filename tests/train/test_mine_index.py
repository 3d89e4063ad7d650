"""Mining a real index with the bundled model: what is taken, what is dropped, and why."""

import hashlib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mine_support import DOCUMENTS, PARAPHRASES, QUESTIONS, records

from kure_rag import KureIndex
from kure_rag.errors import ConfigError
from kure_rag.read import Record
from kure_rag.train.mine import Margin, MineSettings, Passage, Question, mine, read_triplets
from kure_rag.train.mine.report import BINS, FILTERS, Ratios
from kure_rag.types import Mode

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


def mined(index: KureIndex, questions: Sequence[Question], out: Path, settings: MineSettings) -> list[dict[str, Any]]:
    mine(index, questions, out, settings)
    return list(read_triplets(out))


def negatives_of(rows: Sequence[dict[str, Any]], query: str) -> set[str]:
    return {name for row in rows if row["query_id"] == query for name in row["negative_ids"]}


def test_the_margin_drops_paraphrases_of_the_answer_that_nobody_has_judged(
    index: KureIndex, questions: list[Question], tmp_path: Path
) -> None:
    without = mined(index, questions, tmp_path / "without.jsonl", OPEN)
    bound = mined(index, questions, tmp_path / "bound.jsonl", replace(OPEN, dense=Margin(relative=0.95)))
    for query, document in (("q1", "연차"), ("q2", "예금"), ("q3", "철회")):
        assert PLANTED[document] in negatives_of(without, query), "a search does find it"
        assert PLANTED[document] not in negatives_of(bound, query)
        assert negatives_of(bound, query)
    for row in bound:
        scores = row["scores"]["dense"]
        assert all(score <= 0.95 * scores["positive"] for score in scores["negatives"])


def test_the_absolute_bounds_do_too(index: KureIndex, questions: list[Question], tmp_path: Path) -> None:
    below = replace(OPEN, dense=Margin(absolute=0.1, least=0.1))
    unbound = mined(index, questions[:3], tmp_path / "u.jsonl", below)
    highest = max(score for row in unbound for score in row["scores"]["dense"]["negatives"])
    most = highest - 0.01  # so that one at least is above it, whatever the model's cosines are
    settings = replace(OPEN, dense=Margin(absolute=0.1, most=most, least=0.1))
    rows = mined(index, questions[:3], tmp_path / "t.jsonl", settings)
    found = [score for row in rows for score in row["scores"]["dense"]["negatives"]]
    assert found
    assert all(0.1 <= score <= most for score in found)
    assert not {name for row in rows for name in row["negative_ids"]} & set(PLANTED.values())
    dropped = mine(index, questions[:3], tmp_path / "t.jsonl", settings).dropped
    assert dropped["margin"] >= 3
    assert dropped["most"] >= 1
    assert dropped["least"] > 10


@pytest.mark.parametrize("mode", ["hybrid", "lexical", "dense"])
def test_no_judged_document_is_a_negative_of_any_of_its_pairs(
    index: KureIndex, questions: list[Question], tmp_path: Path, mode: Mode
) -> None:
    rows = mined(index, questions, tmp_path / "t.jsonl", replace(OPEN, mode=mode, negatives=5))
    assert {row["query_id"] for row in rows} >= {"q1", "q2", "q4"}
    assert len([row for row in rows if row["query_id"] == "q4"]) == 3
    for row in rows:
        judged = QUESTIONS[row["query_id"]][1]
        assert not set(row["negative_ids"]) & set(judged)
        assert not set(row["negatives"]) & {DOCUMENTS[name] for name in judged}
        assert len(set(row["negatives"])) == len(row["negatives"])
        assert row["scores"]["ranks"] == sorted(row["scores"]["ranks"])


@pytest.mark.parametrize("mode", ["hybrid", "lexical", "dense"])
def test_cosines_are_those_of_the_model_whoever_found_the_passage(
    index: KureIndex, questions: list[Question], tmp_path: Path, mode: Mode
) -> None:
    settings = replace(OPEN, mode=mode, dense=Margin(most=0.99))
    for row in mined(index, questions, tmp_path / "t.jsonl", settings):
        query = index.embedder.embed_queries([row["query"]])[0]
        passages = index.embedder.embed_passages([row["positive"], *row["negatives"]])
        cosines = passages @ query / np.linalg.norm(passages, axis=1) / np.linalg.norm(query)
        scores = row["scores"]["dense"]
        np.testing.assert_allclose(cosines, [scores["positive"], *scores["negatives"]], atol=2e-6)


def test_a_keyword_search_without_bounds_measures_none(
    index: KureIndex, questions: list[Question], tmp_path: Path
) -> None:
    rows = mined(index, questions, tmp_path / "t.jsonl", replace(OPEN, mode="lexical"))
    assert all(row["scores"]["dense"] is None for row in rows)


def test_texts_equal_or_nearly_equal_to_a_positive_or_to_each_other_are_dropped(tmp_path: Path) -> None:
    # Long enough for one added word to leave nine tenths of the shingles.
    text = (
        "회사는 직원이 업무를 수행하다가 부상을 입거나 질병에 걸린 때에는 요양에 필요한 비용을 부담하고 "
        "요양으로 일하지 못한 기간에는 평균임금의 일부를 휴업보상으로 지급하여야 하며 이를 이유로 해고하지 못한다."
    )
    other = (
        "회사는 직원의 업무상 부상과 질병을 막기 위하여 안전 보건 교육을 실시하고 보호구를 지급하며 위험한 기계에는 "
        "덮개를 달아야 하고 이를 어긴 부서장은 징계위원회의 심의를 거쳐 감봉하거나 정직할 수 있다."
    )
    given = [
        Record("요양", "", text),
        Record("같음", "", unicodedata.normalize("NFD", text).replace(" ", "  ")),
        Record("거의", "", text.replace("지급하여야 하며", "지급하여야 하며,").replace("못한다.", "못한다")),
        Record("예방", "", other),
        Record("예방-다시", "", f"{other} "),
        Record("점심", "", "직원의 점심시간은 열두 시부터 한 시까지로 한다."),
    ]
    question = Question("q", "업무 중 부상을 입은 직원의 요양비는 누가 부담하나요?", (Passage("다른 곳의 답", text),))
    with KureIndex.open(tmp_path / "ix", embeddings="static-ko") as index:
        index.add_records(given, workers=1)
        out = tmp_path / "t.jsonl"
        settings = MineSettings(negatives=2, depth=6, dense=Margin(), mode="lexical")
        report = mine(index, [question], out, settings)
        (row,) = read_triplets(out)
        assert set(row["negative_ids"]) == {"예방", "점심"} or set(row["negative_ids"]) == {"예방-다시", "점심"}
        assert report.dropped == {**dict.fromkeys(FILTERS, 0), "equal": 2, "near": 1, "repeated": 1}
        only_equal = tmp_path / "equal.jsonl"
        report = mine(index, [question], only_equal, replace(settings, negatives=3, fold=None))
        assert "거의" in next(read_triplets(only_equal))["negative_ids"]
        assert (report.dropped["equal"], report.dropped["near"], report.dropped["repeated"]) == (2, 0, 1)


def test_a_passage_of_a_file_is_known_by_its_own_id_and_by_its_document(tmp_path: Path) -> None:
    text = tmp_path / "취업규정.md"
    articles = [f"## 제{i}조({name})\n\n{body}\n" for i, (name, body) in enumerate(DOCUMENTS.items(), 1)]
    text.write_text("# 취업규정\n\n" + "\n".join(articles), encoding="utf-8")
    with KureIndex.open(tmp_path / "ix", embeddings="static-ko") as index:
        index.add_paths(text, file_types=("md",), domain="general", workers=1)
        hits = index.search("연차휴가는 며칠을 주나요?", k=5)
        assert len(hits) > 3
        first, second, *_ = hits
        by_chunk = Question("q", "연차휴가는 며칠을 주나요?", (Passage(first.chunk.id, "다른 말로 쓴 답"),))
        rows = mined(index, [by_chunk], tmp_path / "chunk.jsonl", replace(OPEN, depth=5))
        assert first.chunk.id not in rows[0]["negative_ids"]
        assert second.chunk.id in rows[0]["negative_ids"]
        assert second.chunk.contextualized() in rows[0]["negatives"], "with its headings, as it is searched"
        by_file = replace(by_chunk, judged=frozenset({"취업규정.md"}))
        with pytest.raises(ConfigError, match="nothing was written"):
            mine(index, [by_file], tmp_path / "file.jsonl", replace(OPEN, depth=5))


def test_every_candidate_is_accounted_for(index: KureIndex, questions: list[Question], tmp_path: Path) -> None:
    for number, settings in enumerate(
        (
            replace(OPEN, dense=Margin(relative=0.95), skip=2),
            replace(OPEN, dense=Margin(relative=0.8, least=0.05), sampling="random", keep_short=False),
            replace(OPEN, negatives=12, keep_short=False, mode="dense"),
        )
    ):
        out = tmp_path / f"{number}.jsonl"
        report = mine(index, questions, out, settings)
        data, rows = report.data, list(read_triplets(out))
        assert data["candidates"] == data["taken"] + sum(report.dropped.values())
        assert (data["questions"], data["pairs"]) == (6, 8)
        assert data["rows"] == len(rows) == report.rows
        lost = data["without"] + (0 if settings.keep_short else data["short"])
        assert data["rows"] == data["pairs"] - lost
        assert data["negatives"] == sum(len(row["negatives"]) for row in rows)
        assert lost or settings.keep_short, "the case is one in which some pairs are short"
        seen = sum(data["ratios"]["kept"]) + sum(data["ratios"]["refused"]) + data["ratios"]["unsaid"]
        judged_alike = sum(report.dropped[name] for name in ("judged", "equal", "near", "skipped", "repeated"))
        assert seen == data["candidates"] - judged_alike
        assert sum(data["ratios"]["refused"]) <= report.dropped["margin"] + report.dropped["least"]


def test_pairs_with_too_few_are_dropped_or_kept_and_those_with_none_never_written(
    index: KureIndex, questions: list[Question], tmp_path: Path
) -> None:
    # The cosine of 병가 is below zero: nothing that is found is further off than that.
    settings = replace(OPEN, dense=Margin(relative=0.95), negatives=8, depth=10)
    strict = mine(index, questions, tmp_path / "strict.jsonl", replace(settings, keep_short=False, negatives=2))
    assert strict.data["without"] >= 1
    assert all(len(row["negatives"]) == 2 for row in read_triplets(strict.out))
    kept = mine(index, questions, tmp_path / "kept.jsonl", settings)
    lengths = [len(row["negatives"]) for row in read_triplets(kept.out)]
    assert kept.data["short"] == sum(length < 8 for length in lengths) > 0
    assert min(lengths) >= 1
    assert len(lengths) == 8 - kept.data["without"]


def test_ranks_that_are_skipped_or_too_deep_are_not_taken(
    index: KureIndex, questions: list[Question], tmp_path: Path
) -> None:
    rows = mined(index, questions, tmp_path / "t.jsonl", replace(OPEN, skip=3, depth=8, negatives=5))
    ranks = [rank for row in rows for rank in row["scores"]["ranks"]]
    assert ranks
    assert min(ranks) > 3
    assert max(ranks) <= 8


def test_the_same_again_gives_the_same_bytes(index: KureIndex, questions: list[Question], tmp_path: Path) -> None:
    for settings in (OPEN, replace(OPEN, sampling="random", seed=3)):
        for name in ("one", "two"):
            mine(index, questions, tmp_path / f"{settings.sampling}-{name}.jsonl", settings)
        one, two = (tmp_path / f"{settings.sampling}-{name}.jsonl" for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_random_draws_by_the_seed_and_for_each_pair_by_itself(
    index: KureIndex, questions: list[Question], tmp_path: Path
) -> None:
    settings = replace(OPEN, sampling="random", negatives=4)
    rows = mined(index, questions, tmp_path / "all.jsonl", settings)
    fewer = mined(index, questions[2:4], tmp_path / "fewer.jsonl", settings)
    assert fewer == [row for row in rows if row["query_id"] in ("q3", "q4")]
    other = mined(index, questions, tmp_path / "other.jsonl", replace(settings, seed=1))
    assert [row["negative_ids"] for row in rows] != [row["negative_ids"] for row in other]
    top = mined(index, questions, tmp_path / "top.jsonl", replace(settings, sampling="top"))
    assert np.mean([row["scores"]["ranks"] for row in top]) < np.mean([row["scores"]["ranks"] for row in rows])
    own = {tuple(row["negative_ids"]) for row in rows if row["query_id"] == "q4"}
    assert len(own) > 1, "positives of one question draw apart"


def test_parquet_holds_the_same_rows(index: KureIndex, questions: list[Question], tmp_path: Path) -> None:
    from kure_rag.train.readers import read_triplets as read_for_training

    for mode in ("hybrid", "lexical"):  # with cosines and without
        settings = replace(OPEN, mode=mode)  # type: ignore[arg-type]
        json_rows = mined(index, questions, tmp_path / f"{mode}.jsonl", settings)
        assert mined(index, questions, tmp_path / f"{mode}.parquet", settings) == json_rows
        mine(index, questions, tmp_path / f"{mode}-again.parquet", settings)
        again, first = (tmp_path / f"{mode}{name}.parquet" for name in ("-again", ""))
        assert again.read_bytes() == first.read_bytes()
        for ending in ("jsonl", "parquet"):
            found = [
                (one.query, one.positive, list(one.negatives))
                for one in read_for_training(tmp_path / f"{mode}.{ending}")
            ]
            assert found == [(row["query"], row["positive"], row["negatives"]) for row in json_rows]


def test_the_index_stays_as_it_is(index: KureIndex, questions: list[Question], tmp_path: Path) -> None:
    def state() -> tuple[Any, ...]:
        info = index.info()
        catalog = hashlib.sha256((index.path / "catalog.sqlite3").read_bytes()).hexdigest()
        return info["generation"], info["documents"], info["chunks"], catalog

    before = state()
    mine(index, questions, tmp_path / "t.jsonl", replace(OPEN, mode="lexical", dense=Margin(relative=0.9)))
    assert state() == before


def test_ratios_below_and_above_the_bins_are_in_the_outer_ones() -> None:
    ratios = Ratios()
    for cosine in (-0.3, 0.0, 0.21, 0.9):
        ratios.add(cosine, 0.4, kept=True)
    ratios.add(0.3, -0.1, kept=False)
    assert ratios.kept[0] == 2
    assert ratios.kept[10] == 1
    assert ratios.kept[BINS - 1] == 1
    assert (sum(ratios.kept), sum(ratios.refused), ratios.unsaid) == (4, 0, 1)
