"""Groups of texts: that topics are found, how they are named, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
import pytest
from cluster_sentences import TOPICS, sentences
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from kure_rag.embed import Embedder
from kure_rag.errors import ConfigError, MissingExtraError
from kure_rag.evaluate.clustering import NOISE, Clustering, ClusterSettings, cluster_texts, cluster_vectors
from kure_rag.evaluate.clustering_projection import check_projection, project
from kure_rag.evaluate.clustering_terms import nouns, typical_terms

TEXTS, TRUTH = sentences()


def words(texts: Sequence[str]) -> list[list[str]]:
    return [text.split() for text in texts]


@pytest.fixture(scope="module")
def vectors() -> NDArray[np.float32]:
    return Embedder("static-ko").embed_passages(TEXTS)


@pytest.fixture(scope="module")
def three(vectors: NDArray[np.float32]) -> Clustering:
    return cluster_vectors(vectors, TEXTS, ClusterSettings(clusters=3))


def blobs(sizes: Sequence[int], spread: float = 0.05, seed: int = 0) -> NDArray[np.float64]:
    """Clouds around directions at right angles, and their vectors in a row."""
    generator = np.random.default_rng(seed)
    centres = np.eye(max(len(sizes), 8))
    rows = [centres[i] + generator.normal(0, spread, (size, len(centres))) for i, size in enumerate(sizes)]
    return np.concatenate(rows)


def test_sentences_of_three_topics_are_grouped_by_topic_and_named_after_it(three: Clustering) -> None:
    assert adjusted_rand_score(TRUTH, three.labels) > 0.85
    assert three.silhouette is not None
    named = {TOPICS[TRUTH[cluster.example]]: cluster.terms for cluster in three.clusters}
    assert "휴가" in named["leave"]
    assert "금리" in named["bank"]
    assert "복용" in named["medicine"]


def test_clusters_are_numbered_from_the_largest_and_hold_every_text() -> None:
    found = cluster_vectors(blobs([5, 12, 8, 5]), ["글"] * 30, ClusterSettings(clusters=4), terms_of=words)
    assert [cluster.size for cluster in found.clusters] == [12, 8, 5, 5]
    assert [cluster.number for cluster in found.clusters] == [0, 1, 2, 3]
    assert found.labels.tolist() == [2] * 5 + [0] * 12 + [1] * 8 + [3] * 5  # of two of a size the earlier first
    for cluster in found.clusters:
        assert found.labels[cluster.example] == cluster.number


def test_the_same_seed_gives_the_same_clusters_and_the_same_map(
    vectors: NDArray[np.float32], three: Clustering
) -> None:
    again = cluster_vectors(vectors, TEXTS, ClusterSettings(clusters=3))
    assert np.array_equal(again.labels, three.labels)
    assert again.clusters == three.clusters
    assert np.array_equal(project(vectors, "tsne", seed=4), project(vectors, "tsne", seed=4))


def test_texts_are_embedded_as_passages_and_progress_is_told() -> None:
    seen: list[int] = []
    found = cluster_texts("static-ko", TEXTS, ClusterSettings(clusters=2), terms_of=words, progress=seen.append)
    assert seen[-1] == len(TEXTS)
    assert len(found.clusters) == 2


@pytest.mark.parametrize("count", [2, 4, 6])
def test_without_a_number_the_clouds_that_are_there_are_found(count: int) -> None:
    matrix = blobs([12] * count)
    found = cluster_vectors(matrix, ["글"] * len(matrix), terms_of=words)
    assert len(found.clusters) == count
    assert found.silhouette == pytest.approx(1, abs=0.1)


def test_hdbscan_finds_how_many_there_are_and_leaves_out_what_lies_between() -> None:
    stray = -np.eye(8)[[5, 6]]
    matrix = np.concatenate([blobs([20, 14, 9]), stray])
    found = cluster_vectors(matrix, ["글"] * len(matrix), ClusterSettings(method="hdbscan"), terms_of=words)
    assert [cluster.size for cluster in found.clusters] == [20, 14, 9]
    assert found.labels[-2:].tolist() == [NOISE, NOISE]
    assert found.noise == 2


def test_hdbscan_may_find_nothing_and_says_so() -> None:
    matrix = np.random.default_rng(0).normal(size=(12, 8))
    found = cluster_vectors(matrix, ["글"] * 12, ClusterSettings(method="hdbscan", min_cluster_size=10), terms_of=words)
    assert (found.clusters, found.noise, found.silhouette) == ((), 12, None)


def test_length_of_vectors_does_not_count(three: Clustering, vectors: NDArray[np.float32]) -> None:
    longer = vectors * np.linspace(1, 9, len(vectors))[:, None]
    assert np.array_equal(cluster_vectors(longer, TEXTS, ClusterSettings(clusters=3)).labels, three.labels)


# What is refused


def test_too_few_texts_are_refused_before_a_model_is_loaded() -> None:
    with pytest.raises(ConfigError, match="1 text: groups need two texts or more"):
        cluster_texts("static-ko", ["하나뿐인 글"])
    with pytest.raises(ConfigError, match="0 texts: groups need"):
        cluster_texts("static-ko", [])
    with pytest.raises(ConfigError, match="3 texts cannot make 4 clusters"):
        cluster_texts("static-ko", ["가", "나", "다"], ClusterSettings(clusters=4))
    with pytest.raises(ConfigError, match="3 texts cannot make a cluster of 5"):
        cluster_vectors(np.eye(3), ["가", "나", "다"], ClusterSettings(method="hdbscan"), terms_of=words)


def test_texts_that_are_one_to_the_model_have_no_groups() -> None:
    with pytest.raises(ConfigError, match="all 4 texts have the same vector"):
        cluster_vectors(np.ones((4, 3)), ["같은 글"] * 4)
    twice = np.repeat(np.eye(2), 3, axis=0)
    with pytest.raises(ConfigError, match="only 2 texts differ: 3 clusters cannot be made"):
        cluster_vectors(twice, ["글"] * 6, ClusterSettings(clusters=3), terms_of=words)
    assert len(cluster_vectors(twice, ["글"] * 6, terms_of=words).clusters) == 2


@pytest.mark.parametrize(
    ("settings_of", "told"),
    [
        ({"method": "agglomerative"}, "choose one of kmeans, hdbscan"),
        ({"clusters": 0}, "the number of clusters is 0"),
        ({"method": "hdbscan", "clusters": 3}, "HDBSCAN finds the number of clusters itself"),
        ({"min_cluster_size": 3}, "is for HDBSCAN"),
        ({"method": "hdbscan", "min_cluster_size": 1}, "the minimum cluster size is 1"),
        ({"terms": 0}, "the number of terms is 0"),
        ({"seed": -1}, "the seed is -1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings_of: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        ClusterSettings(**settings_of)  # type: ignore[arg-type]


# Names


def test_a_cluster_is_named_by_what_stands_in_it_and_not_elsewhere() -> None:
    texts = ["제도 휴가 연차", "제도 휴가 병가", "제도 금리 예금", "제도 금리 대출"]
    found = typical_terms(texts, np.array([0, 0, 1, 1]), most=1, terms_of=words)
    assert found == {0: ("휴가",), 1: ("금리",)}


def test_terms_of_one_syllable_are_a_last_resort_and_texts_without_a_cluster_do_not_count() -> None:
    texts = ["약 복용", "약", "집 집", "잡음 복용 복용"]
    found = typical_terms(texts, np.array([0, 0, 1, NOISE]), terms_of=words)
    assert found == {0: ("복용",), 1: ("집",)}


def test_a_text_without_terms_gives_no_name_and_one_cluster_is_named_by_what_is_common() -> None:
    assert typical_terms(["!!!", "???"], np.array([0, 0]), terms_of=lambda texts: [[] for _ in texts]) == {0: ()}
    assert typical_terms(["휴가 연차", "휴가"], np.array([0, 0]), most=1, terms_of=words) == {0: ("휴가",)}


def test_nouns_leave_out_verbs_numbers_and_endings() -> None:
    [found] = nouns(["직원은 AI 교육을 매년 2회 받아야 한다."])
    assert found == ["직원", "ai", "교육"]


# Maps


@pytest.mark.parametrize("projection", ["tsne", "pca"])
def test_clouds_stay_together_on_the_map(projection: str) -> None:
    matrix = blobs([10, 10, 10])
    places = project(matrix, projection)  # type: ignore[arg-type]
    assert places.shape == (30, 2)
    centres = np.array([places[i : i + 10].mean(axis=0) for i in (0, 10, 20)])
    for i, place in enumerate(places):
        assert np.argmin(np.linalg.norm(centres - place, axis=1)) == i // 10


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 7), st.sampled_from(["tsne", "pca"]), st.booleans())
def test_any_few_texts_get_finite_places(count: int, projection: str, equal: bool) -> None:
    matrix = np.ones((count, 5)) if equal else np.random.default_rng(count).normal(size=(count, 5))
    places = project(matrix, projection)  # type: ignore[arg-type]
    assert places.shape == (count, 2)
    assert np.isfinite(places).all()


def test_umap_needs_its_extra_or_enough_texts() -> None:
    if find_spec("umap") is None:
        with pytest.raises(MissingExtraError, match=re.escape('pip install "kure-rag[umap]"')):
            check_projection("umap")
    else:
        with pytest.raises(ConfigError, match="UMAP needs 5 texts or more, not 4"):
            project(np.eye(4), "umap")
        places = project(blobs([10, 10]), "umap")
        assert np.array_equal(places, project(blobs([10, 10]), "umap"))
        assert np.linalg.norm(places[:10].mean(0) - places[10:].mean(0)) > 1
    with pytest.raises(ConfigError, match="choose one of tsne, umap, pca"):
        check_projection("lda")
