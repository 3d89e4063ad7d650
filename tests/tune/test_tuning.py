"""Searches on small indexes: what is better is found, what is not is left, and nothing is lost on the way."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_other_models import reranker
from tuning_support import COUNT, KnowingEmbedder, passage, question, write_questions

from kure_rag import ConvexFusion, KureIndex
from kure_rag.config import Config, read_config
from kure_rag.errors import ConfigError, CorpusFormatError
from kure_rag.search import Bm25Settings, SearchOptions
from kure_rag.tune import Grid, Span, Trial, TuneReport, TuneSettings, present_setting, read_gold, split, tune
from kure_rag.tune.gold import Groups

SMALL = Grid(stages=("fusion",), weights=(0.05, 0.3, 0.9))


def test_a_setting_that_is_better_is_found_confirmed_and_written(index: KureIndex, qa: Path, tmp_path: Path) -> None:
    report = tune(index, qa, settings=TuneSettings(grid=Grid(k1=(0.6,), b=(0.5,), weights=(0.3, 0.9))))
    by_stage = {outcome.stage: outcome for outcome in report.outcomes}
    assert by_stage["chunking"].note.startswith("not tried: the index holds ready passages")
    assert by_stage["reranker"].note == "not tried: name models with --rerank"
    assert not by_stage["lexical"].is_preferred
    assert by_stage["fusion"].is_preferred
    assert by_stage["fusion"].confirmation is not None
    assert by_stage["fusion"].confirmation.alpha == 0.05 / 2  # two stages had something to try
    assert report.is_changed
    assert not report.needs_new_index
    assert report.scores_chosen.held_out.low > report.scores_present.held_out.high
    assert (report.tuning, report.held_out) == (COUNT // 2, COUNT // 2)

    file = tmp_path / "kure-rag.yaml"
    report.write_config(file)
    assert read_config(file) == report.config
    asked = question(5)
    with KureIndex.open(index.path, embeddings=KnowingEmbedder(), config=file) as tuned:
        assert tuned.search_options == report.chosen.options
        assert tuned.search(asked)[0].source == "글-5"
    assert index.search(asked)[0].source != "글-5"


def test_the_present_settings_are_where_a_search_begins(index: KureIndex, qa: Path) -> None:
    good = Config(search=SearchOptions(fusion=ConvexFusion(weight=0.9, normaliser="spread")))
    with KureIndex.open(index.path, embeddings=KnowingEmbedder(), config=good) as tuned:
        report = tune(tuned, qa, settings=TuneSettings(grid=SMALL))
    assert report.present.options == good.search
    assert not report.is_changed
    assert report.note.startswith("every question of the tuning half is answered as well as can be")
    assert not report.trials


@pytest.mark.parametrize("seed", range(4))
def test_where_answers_are_drawn_by_lot_nothing_is_preferred(index: KureIndex, noise: Path, seed: int) -> None:
    report = tune(index, noise, settings=TuneSettings(seed=seed, grid=Grid(stages=("fusion",))))
    assert not report.is_changed
    assert report.config.search == report.present.options
    (outcome,) = report.outcomes
    assert outcome.tried > 40
    if outcome.best is not None:
        assert "kept as it is" in outcome.verdict()


def test_the_keyword_engine_is_tried_with_a_scale_of_its_own(index: KureIndex, qa: Path) -> None:
    report = tune(index, qa, settings=TuneSettings(grid=Grid(stages=("lexical",), k1=(0.6, 1.6), b=(0.5,))))
    options = [trial.setting.options for trial in report.trials]
    assert [one.bm25 for one in options] == [Bm25Settings(k1=0.6, b=0.5), Bm25Settings(k1=1.6, b=0.5)]
    scales = [one.fusion.scale for one in options if isinstance(one.fusion, ConvexFusion)]
    assert len(scales) == 2
    assert all(0 < scale < 100 for scale in scales)  # each morpheme counts once there, and no pairs do
    assert [trial.label for trial in report.trials] == ["rank-bm25 k1 0.6 b 0.5", "rank-bm25 k1 1.6 b 0.5"]


def test_each_value_is_what_a_real_search_scores(index: KureIndex, qa: Path) -> None:
    report = tune(index, qa, settings=TuneSettings(metric="mrr@3", grid=SMALL))
    questions = {one.id: one for one in read_gold(index, qa)}
    for trial in report.trials:
        found = 0.0
        asked = [questions[name] for name in questions if name in _tuning(report.seed, list(questions))]
        hits = index.search_batch([one.text for one in asked], options=trial.setting.options, k=3)
        for one, some in zip(asked, hits, strict=True):
            (gold,) = one.groups[0]
            ranks = [hit.rank for hit in some if hit.chunk.document_id == gold.document_id]
            found += 1 / ranks[0] if ranks else 0.0
        assert trial.score == pytest.approx(found / len(asked), abs=1e-6)


def _tuning(seed: int, ids: list[str]) -> set[str]:
    return set(split(ids, 0.5, seed)[0])


def test_a_reranker_is_tried_as_a_search_uses_it_and_reads_each_passage_once(
    index: KureIndex, ids: dict[str, str], tmp_path: Path
) -> None:
    qa = write_questions(tmp_path / "qa.parquet", [(f"q{i}", question(i), [[ids[f"글-{i}"]]]) for i in range(30)])
    letters = "".join(sorted({letter for number in range(COUNT) for letter in passage(number).text if letter.strip()}))
    model = str(reranker(tmp_path / "reranker", letters))
    settings = TuneSettings(metric="ndcg@3", grid=Grid(stages=("reranker",), rerankers=(model,), candidates=(3, 12)))
    work = tmp_path / "kure-rag.tune"

    def stop_at_the_second(trial: Trial) -> None:
        if trial.setting.options.rerank is not None and trial.setting.options.rerank.candidates == 12:
            raise _StopError

    with pytest.raises(_StopError):
        tune(index, qa, settings=settings, work=work, on_trial=stop_at_the_second)
    rows = [json.loads(line) for line in (work / "progress.jsonl").read_text(encoding="utf-8").splitlines()[1:]]
    read = {row["key"]: len(row["value"]) for row in rows if row["key"].startswith(model)}
    assert set(read.values()) == {12}  # at first ten, since so many hits are asked for
    assert len(read) == 15
    trials = tune(index, qa, settings=settings, work=work).trials
    assert [trial.label for trial in trials] == [f"{model} reads 3", f"{model} reads 12"]
    questions = read_gold(index, qa)
    asked = [one for one in questions if one.id in _tuning(0, [other.id for other in questions])]
    found = index.search_batch([one.text for one in asked], options=trials[1].setting.options)
    gains = [
        sum(1 / math.log2(hit.rank + 1) for hit in hits[:3] if hit.chunk.document_id == one_of(one.groups).document_id)
        for one, hits in zip(asked, found, strict=True)
    ]
    assert trials[1].score == pytest.approx(sum(gains) / len(gains), abs=1e-6)


def one_of(groups: Groups) -> Span:
    ((span,),) = groups
    return span


# Interruptions


class _StopError(KeyboardInterrupt):
    pass


def test_an_interrupted_search_goes_on_where_it_was(index: KureIndex, qa: Path, tmp_path: Path) -> None:
    settings = TuneSettings(grid=Grid(stages=("lexical", "fusion"), k1=(0.6,), b=(0.5,), weights=(0.3, 0.9)))
    whole = tune(index, qa, settings=settings)
    work = tmp_path / "kure-rag.tune"
    seen: list[Trial] = []

    def stop_at_the_third(trial: Trial) -> None:
        seen.append(trial)
        if len(seen) == 3:
            raise _StopError

    with pytest.raises(_StopError):
        tune(index, qa, settings=settings, work=work, on_trial=stop_at_the_third)
    kept = (work / "progress.jsonl").read_bytes()
    assert sum("tuning " in json.loads(line).get("key", "") for line in kept.splitlines()[1:]) >= 3
    (work / "progress.jsonl").write_bytes(kept + b'{"key": "torn')  # a kill in the middle of a line
    with pytest.raises(ConfigError, match=r"holds an unfinished search of something else \(seed: 0 there, 1 now\)"):
        tune(index, qa, settings=TuneSettings(seed=1, grid=settings.grid), work=work)
    again = tune(index, qa, settings=settings, work=work)
    assert again.to_dict() == whole.to_dict()
    assert not work.exists()


def test_what_was_kept_is_not_computed_again(index: KureIndex, qa: Path, tmp_path: Path) -> None:
    work = tmp_path / "kure-rag.tune"

    def stop(trial: Trial) -> None:
        raise _StopError

    with pytest.raises(_StopError):
        tune(index, qa, settings=TuneSettings(grid=SMALL), work=work, on_trial=stop)
    lines = (work / "progress.jsonl").read_text(encoding="utf-8").splitlines()
    row = json.loads(lines[-1])
    row["value"] = [1.0] * len(row["value"])
    (work / "progress.jsonl").write_text("\n".join([*lines[:-1], json.dumps(row)]) + "\n", encoding="utf-8")
    assert tune(index, qa, settings=TuneSettings(grid=SMALL), work=work).trials[0].score == 1.0


def test_the_same_questions_with_other_answers_are_another_search(
    index: KureIndex, ids: dict[str, str], tmp_path: Path
) -> None:
    rows = [(f"q{i}", question(i), [[f"남의-{i}"]]) for i in range(30)]
    qa = write_questions(tmp_path / "qa.parquet", rows)
    corpora = []
    for shift in (0, 1):  # one file of questions; what their answers are is what the other file says
        texts = [
            {"doc_id": f"남의-{i}", "contents": passage(i + shift).text, "path": f"글-{i + shift}"} for i in range(30)
        ]
        corpora.append(tmp_path / f"corpus-{shift}.parquet")
        pq.write_table(pa.Table.from_pylist(texts), corpora[-1])
    settings, work = TuneSettings(grid=SMALL), tmp_path / "kure-rag.tune"

    def stop(trial: Trial) -> None:
        raise _StopError

    with pytest.raises(_StopError):
        tune(index, qa, corpus=corpora[0], settings=settings, work=work, on_trial=stop)
    with pytest.raises(ConfigError, match=r"holds an unfinished search of something else \(questions: "):
        tune(index, qa, corpus=corpora[1], settings=settings, work=work)
    named = [(f"q{i}", question(i), [[ids[f"글-{i}"]]]) for i in reversed(range(30))]
    same = write_questions(tmp_path / "same.parquet", named)  # the same answers by another name
    assert tune(index, same, settings=settings, work=work).tuning == 15
    assert not work.exists()


def test_what_was_tried_is_kept_until_the_result_is_written(index: KureIndex, qa: Path, tmp_path: Path) -> None:
    work = tmp_path / "kure-rag.tune"

    def full(report: TuneReport) -> None:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        tune(index, qa, settings=TuneSettings(grid=SMALL), work=work, on_report=full)
    kept = (work / "progress.jsonl").read_bytes()
    assert kept.count(b"held-out ") == 2, "the present settings and the chosen ones"
    grown: list[bool] = []

    def write(report: TuneReport) -> None:
        grown.append((work / "progress.jsonl").read_bytes() != kept)
        report.write_config(tmp_path / "kure-rag.yaml")

    report = tune(index, qa, settings=TuneSettings(grid=SMALL), work=work, on_report=write)
    assert grown == [False], "nothing was computed again"
    assert read_config(tmp_path / "kure-rag.yaml") == report.config
    assert not work.exists()


def test_a_metric_of_more_hits_than_are_returned_is_refused(index: KureIndex, qa: Path) -> None:
    with pytest.raises(ConfigError, match=r"ndcg@20 looks at 20 hits, and the present settings return 10: .* ndcg@10"):
        tune(index, qa, settings=TuneSettings(metric="ndcg@20", grid=SMALL))
    with KureIndex.open(index.path, embeddings=KnowingEmbedder(), config=Config(search=SearchOptions(k=20))) as other:
        report = tune(other, qa, settings=TuneSettings(metric="ndcg@20", grid=SMALL, most_trials=1))
    assert report.metric == "ndcg@20"


def test_a_budget_ends_the_search_and_what_was_found_until_then_counts(index: KureIndex, qa: Path) -> None:
    report = tune(index, qa, settings=TuneSettings(most_trials=2, grid=Grid(stages=("fusion",), weights=(0.9, 0.3))))
    assert len(report.trials) == 2
    assert report.is_changed
    none = tune(index, qa, settings=TuneSettings(seconds=1e-9, grid=SMALL))
    assert not none.trials
    assert none.outcomes[0].verdict().startswith("stopped after")


# What cannot be tuned


def test_passages_that_are_not_in_the_index_are_named(index: KureIndex, tmp_path: Path, ids: dict[str, str]) -> None:
    rows = [(f"q{i}", "질문", [[ids["글-1"]], [f"없는-{i % 2}"]]) for i in range(5)]
    qa = write_questions(tmp_path / "qa.parquet", rows)
    with pytest.raises(CorpusFormatError, match=r"2 passages that 5 of 5 questions need are not in .*없는-0.*--corpus"):
        tune(index, qa)


def test_too_few_questions_are_refused_with_how_many_are_needed(
    index: KureIndex, tmp_path: Path, ids: dict[str, str]
) -> None:
    qa = write_questions(tmp_path / "qa.parquet", [(f"q{i}", question(i), [[ids[f"글-{i}"]]]) for i in range(29)])
    with pytest.raises(ConfigError, match="29 questions; tuning needs 30 or more"):
        tune(index, qa)


def test_a_file_that_is_no_parquet_is_named(index: KureIndex, tmp_path: Path) -> None:
    (tmp_path / "qa.parquet").write_text("질문", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match="not a parquet file"):
        tune(index, tmp_path / "qa.parquet")


def test_without_a_model_keywords_alone_are_tuned(index: KureIndex, qa: Path) -> None:
    with KureIndex.open(index.path, config=Config(search=SearchOptions(mode="lexical"))) as other:
        report = tune(other, qa, settings=TuneSettings(grid=Grid(stages=("lexical", "fusion"), k1=(0.6,), b=(0.5,))))
    by_stage = {outcome.stage: outcome for outcome in report.outcomes}
    assert by_stage["lexical"].tried == 1
    assert by_stage["fusion"].note == "not tried: the index is searched by one leg (lexical)"


def test_settings_that_make_no_sense_are_refused() -> None:
    for given in ({"metric": "f1@10"}, {"metric": "ndcg"}, {"metric": "ndcg@0"}, {"holdout": 1.0}, {"alpha": 0}):
        with pytest.raises(ValueError, match=r"metric|held-out|alpha"):
            TuneSettings(**given)
    with pytest.raises(ValueError, match="no stage named"):
        Grid(stages=("chunks",))  # type: ignore[arg-type]


def test_the_fusion_of_the_present_settings_is_always_said(index: KureIndex) -> None:
    setting = present_setting(index)
    assert setting.chunks is None
    assert setting.fusion == ConvexFusion(weight=0.05, normaliser="spread")
