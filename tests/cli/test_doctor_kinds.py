"""``kure-rag doctor --model`` with sparse models, late interaction and rerankers."""

import json
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
import small_other_models

from kure_rag.cli import doctor, main
from kure_rag.embed.model_card import Kind
from kure_rag.embed.selfcheck_kinds import QUESTIONS

Said = tuple[int, str, str]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Any:
    def called(*arguments: str) -> Said:
        status = main(arguments)
        out, err = capsys.readouterr()
        return status, out, err

    return called


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Models of the other kinds that know which passage of the self-check answers which question."""
    at = tmp_path_factory.mktemp("models")
    letters = "".join(part for pair in QUESTIONS for part in pair) + "연차휴가"
    pairs = [(query, passage, own == passage) for query, own in QUESTIONS for _, passage in QUESTIONS]
    return {
        "sparse": small_other_models.sparse(at / "우리-sparse", letters, lexical=True),
        "late-interaction": small_other_models.late(at / "우리-late", letters, lexical=True),
        "reranker": small_other_models.reranker(at / "우리-reranker", letters, pairs=pairs),
        "wrong": small_other_models.reranker(at / "wrong", letters, pairs=[(q, p, not own) for q, p, own in pairs]),
    }


@pytest.mark.parametrize("kind", ["sparse", "late-interaction", "reranker"])
def test_doctor_passes_a_sound_model_of_another_kind(call: Any, others: dict[str, Path], kind: str) -> None:
    status, out, _ = call("doctor", "--model", str(others[kind]), "--device", "cpu")
    assert status == 0
    assert "FAIL" not in out
    assert sum(line.startswith("pass") and "own passage of question" in line for line in out.splitlines()) == 3
    assert f"checked: {others[kind]}, on torch, float32, cpu\n" in out
    assert " 0 failed, " in out.splitlines()[-1]
    told = json.loads(call("doctor", "--model", str(others[kind]), "--json")[1])
    assert (told["kind"], told["passed"]) == (kind, True)


def test_doctor_fails_a_reranker_that_ranks_the_wrong_way_round(
    call: Any, others: dict[str, Path], tmp_path: Path
) -> None:
    status, out, _ = call("doctor", "--model", str(others["wrong"]))
    assert status == 1
    assert sum(line.startswith("FAIL  own passage of question") for line in out.splitlines()) == 3
    shutil.copytree(others["sparse"], tmp_path / "KURE-Sparse-nano")
    status, out, _ = call("doctor", "--model", str(tmp_path / "KURE-Sparse-nano"), "--json")
    told = json.loads(out)
    assert (status, told["model"], told["kind"]) == (1, "nlpai-lab/KURE-Sparse-nano", "sparse")
    failed = {check["name"] for check in told["checks"] if check["passed"] is False}
    assert failed == {"dimension", "max tokens of a passage"}


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("sparse", ["--kind", "reranker"], "holds a sparse model"),
        ("sparse", ["--backend", "onnx"], "a sparse model runs on torch only"),
        ("reranker", ["--query-prefix", "query: "], "means nothing to a reranker model"),
        ("reranker", ["--card", "KoE5"], "is a dense model: use KureEmbeddings, not KureReranker"),
        ("late-interaction", ["--pooling", "cls"], "means nothing to a late-interaction model"),
        ("late-interaction", ["--card", "KoE5", "--kind", "sparse"], "use KureEmbeddings, not SparseEmbedder"),
    ],
)
def test_doctor_refuses_what_means_nothing_to_a_kind(
    call: Any, others: dict[str, Path], kind: str, arguments: list[str], message: str
) -> None:
    status, _, err = call("doctor", "--model", str(others[kind]), *arguments)
    assert status != 0
    assert message in " ".join(err.split())


def test_doctor_knows_every_kind() -> None:
    assert get_args(Kind) == doctor.KINDS
