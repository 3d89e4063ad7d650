"""The code that ``kure-rag models`` prints is run as it is printed, with small models of each kind."""

from __future__ import annotations

import importlib.util
import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_models
import small_other_models
from support import write_pdf

from kure_rag.cli import main, model_snippets
from kure_rag.embed import CARDS, Embedder, EmbedSettings

QUERY, PASSAGE = "연차휴가는 며칠인가요?", "연차휴가는 15일로 한다."
LETTERS = "연차휴가는며칠인가요15일로한다"


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Any:
    def called(*arguments: object) -> str:
        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == 0
        return capsys.readouterr().out

    return called


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("모델들")


def _run(printed: str) -> dict[str, Any]:
    """The names that the code makes. Its comments stay in: they are printed with it, and so are pasted with it."""
    names: dict[str, Any] = {}
    exec(printed.rpartition("\n\n")[2], names)
    return names


@pytest.mark.parametrize("name", ['따옴표 " 하나', "역 \\ 사선", "빈칸 있는 모델", "plain"])
def test_a_dense_folder_of_any_name(call: Any, home: Path, name: str) -> None:
    folder = home / name
    if not folder.exists():
        small_models.transformer(folder, small_models.bert)
    embeddings = _run(call("models", folder))["embeddings"]
    np.testing.assert_allclose(embeddings.embed_query(QUERY), Embedder(str(folder)).embed_queries([QUERY])[0])
    assert json.loads(call("models", folder, "--json"))["kind"] == "dense"


@pytest.mark.parametrize(
    "make", [small_models.bert, small_models.xlm_roberta, small_models.t5], ids=["bert", "xlm-roberta", "t5"]
)
def test_a_copy_of_a_known_model(call: Any, tmp_path: Path, make: Any) -> None:
    folder = small_models.transformer(tmp_path / "KoE5", make)
    embeddings = _run(call("models", folder))["embeddings"]
    assert embeddings.kure_embedder.prefixes == ("query: ", "passage: ")
    assert len(embeddings.embed_documents([PASSAGE])[0]) == small_models.SIZE


def test_the_bundled_model(call: Any) -> None:
    assert len(_run(call("models", "static-ko"))["embeddings"].embed_query(QUERY)) == 368


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
@pytest.mark.parametrize("name", ["export", "KoE5"])
def test_an_export_is_used_with_its_own_engine(call: Any, tmp_path: Path, backend: str, name: str) -> None:
    for library in ("onnx", "onnxruntime") if backend == "onnx" else ("openvino",):
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"the extra for {library} is not installed")
    original = small_models.transformer(tmp_path / "원본" / name, small_models.bert)
    folder = tmp_path / name
    call("export-model", original, "--backend", backend, "--out", folder)
    printed = call("models", folder)
    embeddings = _run(printed)["embeddings"]
    expected = Embedder(str(original), EmbedSettings(precision="fp32")).embed_passages([PASSAGE])[0]
    assert np.dot(embeddings.embed_documents([PASSAGE])[0], expected) >= 0.999
    # The commands that are printed with it.
    [doctor] = [line for line in printed.splitlines() if "kure-rag doctor" in line]
    assert shlex.split(doctor.partition("kure-rag ")[2]) == ["doctor", "--model", str(folder), "--backend", backend]
    if name == "export":  # as KoE5 it would fail, whose similarities it has not
        call(*shlex.split(doctor.partition("kure-rag ")[2]))


def test_a_sparse_folder(call: Any, home: Path) -> None:
    folder = small_other_models.sparse(home / "희소", LETTERS)
    embedder = _run(call("models", folder))["embedder"]
    assert type(embedder).__name__ == "SparseEmbedder"
    assert len(embedder.embed_queries([QUERY])) == 1


def test_a_late_interaction_folder(call: Any, home: Path) -> None:
    folder = small_other_models.late(home / "토큰별", LETTERS)
    embedder = _run(call("models", folder))["embedder"]
    assert type(embedder).__name__ == "LateInteractionEmbedder"
    assert embedder.embed_queries([QUERY])[0].ndim == 2


def test_a_rerankers_folder(call: Any, home: Path) -> None:
    folder = small_other_models.reranker(home / "순위", LETTERS)
    reranker = _run(call("models", folder))["reranker"]
    assert type(reranker).__name__ == "KureReranker"
    assert len(reranker.rank(QUERY, [PASSAGE, "휴가"])) == 2
    [check] = [line for line in call("models", folder).splitlines() if "kure-rag doctor" in line]
    assert shlex.split(check.partition("kure-rag ")[2]) == ["doctor", "--model", str(folder)]


@pytest.mark.parametrize("name", ["KURE-Sparse-nano", "KURE-v2", "KURE-Reranker-nano"])
def test_a_copy_of_a_known_model_of_another_kind(call: Any, tmp_path: Path, name: str) -> None:
    make = {
        "sparse": small_other_models.sparse,
        "late-interaction": small_other_models.late,
        "reranker": small_other_models.reranker,
    }[next(card.kind for card in CARDS.values() if name in card.aliases)]
    folder = make(tmp_path / name, LETTERS)
    made = _run(call("models", folder))
    assert str(folder) in json.loads(call("models", folder, "--json"))["snippet"]
    assert (made.get("embedder") or made["reranker"]).name == f"nlpai-lab/{name}"


def test_the_commands_that_are_printed_can_be_typed(call: Any, home: Path, tmp_path: Path) -> None:
    folder = home / "빈칸 있는 모델"
    if not folder.exists():
        small_models.transformer(folder, small_models.bert)
    [ingest] = [line for line in call("models", folder).splitlines() if "kure-rag ingest" in line]
    arguments = shlex.split(ingest.partition("kure-rag ")[2])
    documents = tmp_path / "documents"
    documents.mkdir()
    write_pdf(documents / "취업규칙.pdf", [["제1조(휴가)", PASSAGE]])
    at = {"./documents": str(documents), "my-index": str(tmp_path / "my-index")}
    call(*(at.get(argument, argument) for argument in arguments))
    assert PASSAGE in call("search", QUERY, "--index", tmp_path / "my-index", "--model", folder)


def test_strings_are_pythons() -> None:
    for text in ("가나다", 'a"b', "C:\\모델\\n", "탭\t줄\n"):
        assert eval(model_snippets.quoted(text)) == text
