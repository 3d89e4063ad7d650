"""The self-check of the other kinds: sound models pass; each test breaks one thing and names the check that tells."""

import itertools
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_other_models as small

from kure_rag.embed import CARDS, EmbedSettings, KureReranker, LateInteractionEmbedder, SparseEmbedder
from kure_rag.embed.kinds import kind_of
from kure_rag.embed.model_card import ModelCard
from kure_rag.embed.selfcheck import Check
from kure_rag.embed.selfcheck_kinds import QUESTIONS, check_library_model
from kure_rag.errors import EmbeddingError

LETTERS = "".join(itertools.chain.from_iterable(QUESTIONS)) + "연차휴가"
PAIRS = [(query, passage, own == passage) for query, own in QUESTIONS for _, passage in QUESTIONS]
CPU = EmbedSettings(device="cpu")
SPARSE = ModelCard(
    name="우리/sparse", kind="sparse", query_prefix="[Q] ", passage_prefix="[D] ", normalize=False, max_tokens=64
)
LATE = ModelCard(name="우리/late", kind="late-interaction", dimension=32, max_tokens=64)
RERANKER = ModelCard(name="우리/reranker", kind="reranker", max_tokens=64, normalize=False)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    at = tmp_path_factory.mktemp("모델")
    return {
        "sparse": small.sparse(at / "sparse", LETTERS, lexical=True),
        "late": small.late(at / "late", LETTERS, lexical=True),
        "reranker": small.reranker(at / "reranker", LETTERS, pairs=PAIRS),
        "swapped": small.reranker(at / "swapped", LETTERS, pairs=[(q, p, not own) for q, p, own in PAIRS]),
    }


def failed(model: Any) -> list[str]:
    return [check.name for check in check_library_model(model).checks if check.passed is False]


def named(model: Any, name: str) -> Check:
    return next(check for check in check_library_model(model).checks if check.name == name)


def test_sound_models_pass_and_their_warnings_are_not_said(
    folders: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="kure_rag"):
        for model in (
            SparseEmbedder(str(folders["sparse"]), CPU, card=SPARSE),
            LateInteractionEmbedder(str(folders["late"]), CPU, card=LATE),
            KureReranker(str(folders["reranker"]), CPU, card=RERANKER),
        ):
            found = check_library_model(model)
            assert [check for check in found.checks if check.passed is False] == []
            assert [check.name for check in found.checks][-3:] == [f"own passage of question {i}" for i in (1, 2, 3)]
            assert all(check.passed for check in found.checks[-3:])
    assert caplog.records == []


def test_a_reranker_that_prefers_what_is_irrelevant_is_found(folders: dict[str, Path]) -> None:
    assert failed(KureReranker(str(folders["swapped"]), CPU, card=RERANKER)) == [
        f"own passage of question {i}" for i in (1, 2, 3)
    ]


def test_the_numbers_of_the_card_are_checked(folders: dict[str, Path]) -> None:
    card = replace(LATE, dimension=128, max_tokens=8192)
    assert failed(LateInteractionEmbedder(str(folders["late"]), CPU, card=card)) == [
        "max tokens of a passage",
        "dimension",
    ]
    assert failed(SparseEmbedder(str(folders["sparse"]), CPU, card=replace(SPARSE, dimension=30_522))) == ["dimension"]
    check = named(
        KureReranker(str(folders["reranker"]), CPU, card=replace(RERANKER, max_tokens=8192)), "max tokens of a pair"
    )
    assert (check.expected, check.got, check.passed) == ("8,192", "64", False)
    settings = EmbedSettings(device="cpu", max_tokens=60)
    assert failed(KureReranker(str(folders["reranker"]), settings, card=RERANKER)) == []


def test_a_card_whose_prefixes_are_not_the_weights_is_found(folders: dict[str, Path]) -> None:
    card = replace(SPARSE, query_prefix="[D] ", passage_prefix="[Q] ")
    assert failed(SparseEmbedder(str(folders["sparse"]), CPU, card=card)) == [
        "query prompt in the weights",
        "passage prompt in the weights",
    ]


class SwappedRoles(SparseEmbedder):
    def embed_queries(self, texts: Sequence[str]) -> Any:
        return super().embed_passages(texts)


class NotTogether(LateInteractionEmbedder):
    def embed_passages(self, texts: Sequence[str]) -> Any:
        return super().embed_passages(texts)[::-1]


class NotScaled(LateInteractionEmbedder):
    def embed_passages(self, texts: Sequence[str]) -> Any:
        return [vectors * np.float32(1.01) for vectors in super().embed_passages(texts)]


class OneScore(KureReranker):
    def scores(self, pairs: Sequence[tuple[str, str]]) -> Any:
        return np.full(len(pairs), 0.5, np.float32)


def test_broken_classes_are_found(folders: dict[str, Path]) -> None:
    told = failed(SwappedRoles(str(folders["sparse"]), CPU, card=SPARSE))
    assert {"query prefix", "a text as query and passage"} <= set(told)
    assert "texts together and alone" in failed(NotTogether(str(folders["late"]), CPU, card=LATE))
    assert failed(NotScaled(str(folders["late"]), CPU, card=LATE)) == ["length of vectors"]
    assert "scores" in failed(OneScore(str(folders["reranker"]), CPU, card=RERANKER))


def test_a_number_that_is_not_finite_is_told_as_a_failed_check(folders: dict[str, Path], tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    folder = tmp_path / "broken"
    shutil.copytree(folders["reranker"], folder)
    weights = load_file(folder / "model.safetensors")
    weights["classifier.weight"].fill_(float("nan"))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    check = named(KureReranker(str(folder), CPU, card=RERANKER), "error")
    assert "not finite" in check.got
    assert check.passed is False
    with pytest.raises(EmbeddingError, match="not finite for '퇴직금'"):
        KureReranker(str(folder), CPU).scores([("휴가", "퇴직금")])


def test_the_kind_of_a_folder_is_read_from_its_files(folders: dict[str, Path], tmp_path: Path) -> None:
    found = {name: kind_of(folder) for name, folder in folders.items()}
    assert found == {"sparse": "sparse", "late": "late-interaction", "reranker": "reranker", "swapped": "reranker"}
    assert kind_of(small.xlm_roberta_reranker(tmp_path / "plain", LETTERS)) == "reranker"
    assert kind_of(tmp_path) == "dense"


# With real weights: pytest -m weights


@pytest.mark.weights
@pytest.mark.parametrize("name", [card.name for card in CARDS.values() if card.kind != "dense"])
def test_the_models_of_the_cards_pass(name: str) -> None:
    card = CARDS[name]
    classes = {made.kind: made for made in (SparseEmbedder, LateInteractionEmbedder, KureReranker)}
    found = check_library_model(classes[card.kind](name, EmbedSettings(trust_remote_code=card.needs_remote_code)))
    assert [check for check in found.checks if check.passed is False] == []
