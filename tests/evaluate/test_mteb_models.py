"""Our models and pipelines as mteb runs them: what reaches the encoder, and that mteb scores our ranking."""

import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mteb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mteb_local import DOCUMENTS, QRELS, QUERIES, LocalPartsRetrieval, LocalRetrieval

from kure_rag import KureEmbeddings
from kure_rag.embed import Embedder, EmbedSettings
from kure_rag.errors import ConfigError, SearchError
from kure_rag.evaluate import score_queries
from kure_rag.evaluate.mteb_encoder import KureEncoder
from kure_rag.evaluate.mteb_results import task_values
from kure_rag.evaluate.mteb_search import KureSearch, SearchSettings, decreasing
from kure_rag.search import RrfFusion

PLACE: dict[str, Any] = {"task_metadata": LocalRetrieval.metadata, "hf_split": "test", "hf_subset": "default"}


def whole(title: str, text: str) -> str:
    return f"{title} {text}" if title else text


TEXTS = [whole(*parts) for parts in DOCUMENTS.values()]


def evaluated(model: Any, task: Any = None, predictions: Path | None = None) -> dict[tuple[str, int | None], float]:
    results = mteb.evaluate(
        model,
        task or LocalRetrieval(),
        cache=None,
        show_progress_bar=False,
        encode_kwargs={"batch_size": 4},
        prediction_folder=predictions,
    )
    return task_values(results.task_results[0].model_dump()["scores"])


def ranking(queries: np.ndarray, documents: np.ndarray) -> dict[str, list[str]]:
    order = np.argsort(-(queries @ documents.T), axis=1, kind="stable")
    return {query: [list(DOCUMENTS)[i] for i in order[n]] for n, query in enumerate(QUERIES)}


def scored(run: dict[str, list[str]]) -> dict[tuple[str, int | None], float]:
    """Our own scores, under mteb's names."""
    per_query = score_queries(run, QRELS, ks=(1, 3, 5, 10))
    names = {name: name.partition("@") for name in per_query}
    return {(names[n][0], int(names[n][2])): sum(values.values()) / len(values) for n, values in per_query.items()}


def assert_same(found: dict[tuple[str, int | None], float], expected: dict[tuple[str, int | None], float]) -> None:
    assert len(expected) >= 20
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-5), name


@pytest.fixture(scope="module")
def prefixed_model(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """The small model, which now says itself that queries and passages have prefixes."""
    folder = tmp_path_factory.mktemp("prefixed") / "tiny-prefixed"
    shutil.copytree(tiny_model, folder)
    file = folder / "config_sentence_transformers.json"
    known = json.loads(file.read_text(encoding="utf-8"))
    prompts = {"query": "query: ", "document": "passage: "}
    file.write_text(json.dumps({**known, "prompts": prompts}), encoding="utf-8")
    return folder


class Overlap:
    """A reranker: the share of a question's letters that a passage has."""

    name = "tests/overlap"

    def __init__(self) -> None:
        self.pairs = 0

    def scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        self.pairs += len(pairs)
        return np.array([len(set(q) & set(p)) / len(set(q)) for q, p in pairs], dtype=np.float32)


@pytest.mark.parametrize("model", ["static-ko", "tiny"])
def test_mteb_scores_the_ranking_that_the_vectors_make(model: str, tiny_model: Path) -> None:
    name = str(tiny_model) if model == "tiny" else model
    plain = Embedder(name)
    expected = ranking(plain.embed_queries(list(QUERIES.values())), plain.embed_passages(TEXTS))
    assert_same(evaluated(KureEncoder(name)), scored(expected))


def test_the_prefixes_reach_the_encoder_each_in_its_role(prefixed_model: Path, tiny_model: Path) -> None:
    plain = Embedder(str(tiny_model))  # puts none, so that they can be put by hand
    asked = list(QUERIES.values())
    right = ranking(
        plain.embed_queries([f"query: {text}" for text in asked]),
        plain.embed_passages([f"passage: {text}" for text in TEXTS]),
    )
    found = evaluated(KureEncoder(str(prefixed_model)))
    assert_same(found, scored(right))
    swapped = ranking(
        plain.embed_queries([f"passage: {text}" for text in asked]),
        plain.embed_passages([f"query: {text}" for text in TEXTS]),
    )
    none = ranking(plain.embed_queries(asked), plain.embed_passages(TEXTS))
    for wrong in (swapped, none):  # the test would be worth nothing if these scored the same
        assert abs(scored(wrong)["ndcg", 10] - found["ndcg", 10]) > 1e-3


def test_settings_and_embedding_objects_are_used_as_they_are(tiny_model: Path, prefixed_model: Path) -> None:
    settings = EmbedSettings(query_prefix="query: ", passage_prefix="passage: ")
    by_settings = KureEncoder(str(tiny_model), settings=settings)
    by_object = KureEncoder(KureEmbeddings(str(prefixed_model)))
    assert evaluated(by_settings) == evaluated(by_object)
    assert by_settings.mteb_model_meta.experiment_kwargs == {"query_prefix": "query: ", "passage_prefix": "passage: "}
    with pytest.raises(ValueError, match="given by its name"):
        KureEncoder(KureEmbeddings("static-ko"), device="cpu")


def test_the_metadata_say_name_revision_and_what_is_not_the_card_s(tiny_model: Path) -> None:
    bundled = KureEncoder("static-ko").mteb_model_meta
    assert (bundled.name, bundled.experiment_kwargs) == ("kure-rag/static-ko", None)
    assert bundled.revision
    local = KureEncoder(str(tiny_model)).mteb_model_meta
    assert local.name == "local/tiny-syllables"
    cut = KureEncoder(str(tiny_model), settings=EmbedSettings(dimension=16)).mteb_model_meta
    assert cut.experiment_name != local.experiment_name
    known = KureEncoder("nlpai-lab/KURE-v1").mteb_model_meta  # the card pins a commit, so the hub is not asked
    assert (known.revision, known.max_tokens) == ("d14c8a9423946e268a0c9952fecf3a7aabd73bd9", 8192)


def test_symmetric_texts_are_queries_and_an_empty_one_is_near_nothing(
    prefixed_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = KureEncoder(str(prefixed_model))
    with caplog.at_level(logging.WARNING, "kure_rag"):
        vectors = encoder.encode([{"text": ["연차휴가", " "]}, {"text": ["급여"]}], **PLACE)
    expected = Embedder(str(prefixed_model)).embed_queries(["연차휴가", "급여"])
    np.testing.assert_allclose(vectors[[0, 2]], expected, atol=1e-6)
    assert not vectors[1].any()
    assert "1 of 3 texts are empty" in caplog.text


@pytest.mark.parametrize("kind", ["lexical", "dense", "hybrid+rerank"])
def test_mteb_scores_the_ranking_of_a_pipeline(kind: str, tmp_path: Path) -> None:
    mode, _, rerank = kind.partition("+")
    reranker = Overlap() if rerank else None
    settings = SearchSettings(mode=mode, reranker=reranker, rerank_candidates=3, head=5, workers=1)
    engine = KureSearch(None if mode == "lexical" else "static-ko", settings)
    found = evaluated(engine, predictions=tmp_path)
    (file,) = tmp_path.glob("*.json")
    answers = json.loads(file.read_text(encoding="utf-8"))["default"]["test"]
    assert answers.keys() == QUERIES.keys()
    run = {}
    for query, scores in answers.items():
        assert scores.keys() <= DOCUMENTS.keys()
        run[query] = sorted(scores, key=lambda id_: -scores[id_])
        values = np.sort(np.array(list(scores.values()), dtype=np.float32))
        assert (np.diff(values) > 0).all(), "trec_eval orders equal scores by their ids"
    assert_same(found, scored(run))
    assert found["ndcg", 10] > 0.5
    if mode == "dense":  # titles stand before texts as mteb has them: its own search over the vectors finds the same
        by_mteb = evaluated(KureEncoder("static-ko"))
        assert [found["ndcg", k] for k in (1, 3)] == [by_mteb["ndcg", k] for k in (1, 3)]
    if reranker is not None:
        assert reranker.pairs == 3 * len(QUERIES)
        for query, ids in run.items():
            values = reranker.scores([(QUERIES[query], whole(*DOCUMENTS[id_])) for id_ in ids[:3]])
            assert list(values) == sorted(values, reverse=True)


@given(st.lists(st.floats(-1e6, 1e6), max_size=30), st.integers(1, 40))
def test_scores_of_a_ranking_fall_also_in_single_precision_and_keep_its_order(scores: list[float], count: int) -> None:
    pairs = [(str(i), score) for i, score in enumerate(scores)]
    found = list(decreasing(pairs, count))
    assert [id_ for id_, _ in found] == [id_ for id_, _ in pairs[:count]]
    values = np.array([score for _, score in found], dtype=np.float32)
    assert (values[1:] < values[:-1]).all()
    if all(a > b for a, b in zip(np.float32(scores), np.float32(scores)[1:], strict=False)):
        assert values.tolist() == np.float32(scores[:count]).tolist()  # what falls already is left as it is


def test_the_metadata_of_a_pipeline_say_what_makes_its_ranking() -> None:
    settings = SearchSettings(mode="lexical", reranker=Overlap(), rerank_candidates=3)
    meta = KureSearch(None, settings).mteb_model_meta
    assert (meta.name, meta.experiment_kwargs) == (
        "kure-rag/bm25-kiwi",
        {"pipeline": "lexical+rerank", "reranker": "tests/overlap", "rerank_candidates": 3},
    )
    meta = KureSearch("static-ko", SearchSettings(fusion=RrfFusion(weight=0.25))).mteb_model_meta
    assert (meta.name, meta.experiment_kwargs) == (
        "kure-rag/static-ko",
        {"pipeline": "hybrid", "fusion": "rrf", "weight": 0.25, "k": 60},
    )
    assert meta.revision is not None
    assert meta.revision.startswith(f"{KureEncoder('static-ko').mteb_model_meta.revision}+kure-rag-")
    assert "kiwipiepy-" in meta.revision


@pytest.mark.parametrize(
    ("given", "described"),
    [
        ({"head": 5}, {"pipeline": "hybrid", "head": 5}),
        ({"head": 10}, {"pipeline": "hybrid"}),
        ({"head": 5, "mode": "dense"}, {"pipeline": "dense"}),  # where it changes no rank it makes no other result
    ],
)
def test_how_many_first_ranks_are_searched_for_is_part_of_what_results_are_kept_under(
    given: dict[str, Any], described: dict[str, Any]
) -> None:
    kept = KureSearch("static-ko", SearchSettings(**given)).mteb_model_meta.experiment_kwargs
    assert kept is not None
    assert {name: value for name, value in kept.items() if name != "weight"} == described


def test_what_killed_runs_of_other_settings_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    from datasets import Dataset

    rows = Dataset.from_list([{"id": "1", "title": "", "text": "연차휴가는 15일이다."}])
    work = tmp_path / "work"
    others = [KureSearch("static-ko", SearchSettings(head=head, workers=1), work=work) for head in (5, 6)]
    for other in others:
        other.index(rows, **PLACE)
    killed, busy = sorted(work.iterdir(), key=lambda folder: folder.stat().st_ctime_ns)
    copy = shutil.copytree(killed, tmp_path / "copy")
    others[0].close()
    assert not killed.exists()
    shutil.move(copy, killed)  # as a kill leaves it: there, and locked by nobody
    (work / "mine-0123456789ab").mkdir()
    (work / "mine-0123456789ab" / "notes.txt").write_text("내 것", encoding="utf-8")

    again = KureSearch("static-ko", SearchSettings(head=7, workers=1), work=work)
    again.index(rows, **PLACE)
    assert not killed.exists()
    assert (busy / "index").is_dir(), "another process is at work with it"
    with pytest.raises(ConfigError, match="another process is running this task with the same settings"):
        KureSearch("static-ko", SearchSettings(head=7, workers=1), work=work).index(rows, **PLACE)
    again.close()
    others[1].close()
    assert [path.name for path in work.iterdir()] == ["mine-0123456789ab"]


def test_an_interrupted_index_goes_on_and_odd_documents_do_not_disturb(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from datasets import Dataset

    def interrupt(done: int, total: int | None, name: str) -> None:
        raise KeyboardInterrupt

    rows = [{"id": id_, "title": title, "text": text} for id_, (title, text) in DOCUMENTS.items()]
    settings = SearchSettings(mode="lexical", workers=1)
    engine = KureSearch(None, settings, work=tmp_path / "work", progress=interrupt)
    with pytest.raises(KeyboardInterrupt):
        engine.index(Dataset.from_list(rows), **PLACE)
    (left,) = (tmp_path / "work").iterdir()

    rows += [dict(rows[0]), {"id": "empty", "title": "", "text": " "}]  # an id that is there twice, and no text
    queries = [*({"id": query, "text": text} for query, text in QUERIES.items()), {"id": "none", "text": " "}]
    named = {query: ["doc/1", "doc/2", "empty", "10"] for query in QUERIES}  # as tasks of reranking have them
    again = KureSearch(None, settings, work=tmp_path / "work")
    with caplog.at_level(logging.WARNING, "kure_rag"):
        again.index(Dataset.from_list(rows), **PLACE)
        answers = again.search(Dataset.from_list(queries), top_k=2, top_ranked=named, **PLACE)
    assert next(iter(answers["q1"])) == "doc/1"
    assert next(iter(answers["q3"])) == "10"
    assert all(found.keys() <= {"doc/1", "doc/2", "10"} and len(found) <= 2 for found in answers.values())
    assert answers["none"] == {}
    assert "1 of 14 documents are empty" in caplog.text
    assert "1 of 7 queries are empty" in caplog.text
    assert not left.exists()
    with pytest.raises(SearchError, match="nothing was indexed"):
        again.search(Dataset.from_list(queries), top_k=5, **PLACE)


def test_splits_are_averaged_over_korean_questions_on_korean_documents() -> None:
    task = LocalPartsRetrieval().filter_languages(["kor"], exclusive_language_filter=True)
    assert list(task.hf_subsets) == ["kor-kor"]
    found = evaluated(KureEncoder("static-ko"), task)
    vectors = Embedder("static-ko")
    run = ranking(vectors.embed_queries(list(QUERIES.values())), vectors.embed_passages(TEXTS))
    dev = score_queries(run, {query: QRELS[query] for query in ("q2", "q3")}, ks=(10,))["ndcg@10"]
    expected = (sum(dev.values()) / 2 + scored(run)["ndcg", 10]) / 2
    assert found["ndcg", 10] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        ("static-ko", {"mode": "lexical"}, "leave the model out"),
        (None, {"mode": "hybrid"}, "needs a model"),
        (None, {"mode": "words"}, "mode is 'words'"),
        ("static-ko", {"mode": "dense", "fusion": RrfFusion()}, "a fusion is for mode='hybrid'"),
        ("static-ko", {"rerank_candidates": 0}, "rerank_candidates is 0"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_loaded(
    model: str | None, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(SearchError, match=message):
        KureSearch(model, SearchSettings(**given))
