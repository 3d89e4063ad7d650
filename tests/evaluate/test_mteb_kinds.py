"""Learned sparse models and late interaction on mteb's tasks, and what is told where mteb is not installed."""

import sys
from pathlib import Path
from typing import Any

import mteb
import numpy as np
import pytest
from mteb_local import DOCUMENTS, QRELS, QUERIES, LocalRetrieval
from small_other_models import late, sparse

from kure_rag.cli import main
from kure_rag.embed import Embedder, LateInteractionEmbedder, SparseEmbedder, maxsim
from kure_rag.errors import EmbeddingError, MissingExtraError
from kure_rag.evaluate import score_queries
from kure_rag.evaluate.mteb_encoder import KureEncoder
from kure_rag.evaluate.mteb_kinds import KureSparseEncoder, KureTokenEncoder, encoder_for
from kure_rag.evaluate.mteb_results import task_values
from kure_rag.evaluate.mteb_tasks import find_tasks

TEXTS = [f"{title} {text}" if title else text for title, text in DOCUMENTS.values()]
LETTERS = "".join([*TEXTS, *QUERIES.values()])
PLACE: dict[str, Any] = {"task_metadata": LocalRetrieval.metadata, "hf_split": "test", "hf_subset": "default"}
CARDS = {"sparse": "nlpai-lab/KURE-Sparse-nano", "late-interaction": "nlpai-lab/KURE-v2"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = tmp_path_factory.mktemp("kinds")
    return {"sparse": sparse(made / "sparse", LETTERS), "late-interaction": late(made / "late", LETTERS)}


@pytest.mark.parametrize("kind", CARDS)
def test_mteb_scores_the_ranking_of_other_kinds_of_models(kind: str, folders: dict[str, Path]) -> None:
    model = encoder_for(str(folders[kind]), card=CARDS[kind])
    results = mteb.evaluate(model, LocalRetrieval(), cache=None, show_progress_bar=False)
    found = task_values(results.task_results[0].model_dump()["scores"])
    queries = list(QUERIES.values())
    if kind == "sparse":
        plain = SparseEmbedder(str(folders[kind]), card=CARDS[kind])
        scores = plain.embed_queries(queries).dot(plain.embed_passages(TEXTS))
    else:
        by_token = LateInteractionEmbedder(str(folders[kind]), card=CARDS[kind])
        scores = maxsim(by_token.embed_queries(queries), by_token.embed_passages(TEXTS))
    ids = list(DOCUMENTS)
    run = {query: [ids[i] for i in np.argsort(-scores[n])] for n, query in enumerate(QUERIES)}
    for name, values in score_queries(run, QRELS, ks=(1, 3, 5, 10)).items():
        metric, _, k = name.partition("@")
        assert found[metric, int(k)] == pytest.approx(sum(values.values()) / len(values), abs=1e-5), name
    assert model.mteb_model_meta.model_type == [kind]


def test_their_empty_texts_are_near_nothing(folders: dict[str, Path]) -> None:
    texts = [{"text": ["연차휴가", " ", "급여"]}]
    by_word = KureSparseEncoder(SparseEmbedder(str(folders["sparse"]), card=CARDS["sparse"]))
    vectors = by_word.encode(texts, **PLACE)
    assert len(vectors.row(1)[0]) == 0
    scores = by_word.similarity(vectors, vectors)
    assert not scores[1].any()
    assert scores[0, 0] > 0
    late_model = LateInteractionEmbedder(str(folders["late-interaction"]), card=CARDS["late-interaction"])
    by_token = KureTokenEncoder(late_model)
    scores = np.asarray(by_token.similarity(*[by_token.encode(texts, **PLACE)] * 2))
    assert not scores[:, 1].any()
    assert scores[2, 2] > 0


def test_each_card_has_its_class(folders: dict[str, Path]) -> None:
    assert type(encoder_for("nlpai-lab/KURE-Sparse-nano")) is KureSparseEncoder
    by_token = encoder_for(str(folders["late-interaction"]), card=CARDS["late-interaction"])
    assert type(by_token.model) is KureTokenEncoder  # type: ignore[union-attr]
    dense = encoder_for("nlpai-lab/KoE5")
    assert type(dense) is KureEncoder
    assert isinstance(dense.embedder, Embedder)
    assert dense.embedder.prefixes == ("query: ", "passage: ")
    with pytest.raises(EmbeddingError, match="KureReranker"):
        encoder_for("nlpai-lab/KURE-Reranker-base")


def test_without_mteb_the_command_that_installs_it_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mteb", None)
    with pytest.raises(MissingExtraError, match=r'pip install "kure-rag\[mteb\]"'):
        find_tasks()
    with pytest.raises(MissingExtraError):
        KureEncoder("static-ko")
    assert main(["eval", "mteb", "--model", "static-ko"]) == 1
    assert 'pip install "kure-rag[mteb]"' in capsys.readouterr().err
