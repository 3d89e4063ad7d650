"""The names a user may import, and what importing them costs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import kure_rag

PUBLIC = [
    "CARDS",
    "Chunk",
    "ConvexFusion",
    "Document",
    "EmbedSettings",
    "Embedder",
    "Entry",
    "Hit",
    "KureEmbeddings",
    "KureIndex",
    "KureReranker",
    "KureRetriever",
    "Leg",
    "ModelCard",
    "Page",
    "RrfFusion",
    "Table",
    "__version__",
]
LLAMA_INDEX = [
    "KureEmbedding",
    "KureNodeParser",
    "KurePDFReader",
    "KureRerank",
    "KureRetriever",
    "KureVectorStore",
    "to_node",
]
HEAVY = {
    "torch",
    "chromadb",
    "transformers",
    "sentence_transformers",
    "langchain_core",
    "llama_index",
    "kiwipiepy",
    "tantivy",
}


def _imported_by(code: str) -> set[str]:
    program = f"{code}\nimport json, sys\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    return set(json.loads(out.splitlines()[-1]))


def test_the_public_names_are_these() -> None:
    assert kure_rag.__all__ == PUBLIC
    assert dir(kure_rag) == sorted(PUBLIC)
    assert set(kure_rag._HOMES) == set(PUBLIC) - {"__version__"}


@pytest.mark.parametrize("name", PUBLIC)
def test_each_name_is_there(name: str) -> None:
    value = getattr(kure_rag, name)
    if name in kure_rag._HOMES and isinstance(value, type):
        assert value.__name__ == name
        assert value.__doc__


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="KureThing"):
        _ = kure_rag.KureThing
    with pytest.raises(ImportError, match="KureThing"):
        from kure_rag import KureThing  # noqa: F401


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert not HEAVY & _imported_by("import kure_rag")


def test_the_core_imports_no_framework_and_no_model_library() -> None:
    code = "from kure_rag import KureIndex, Embedder, ConvexFusion, CARDS, Chunk; import kure_rag.citation"
    assert not {"torch", "transformers", "sentence_transformers", "langchain_core", "llama_index"} & _imported_by(code)


def test_langchain_does_not_bring_llama_index_nor_a_model() -> None:
    imported = _imported_by("from kure_rag import KureEmbeddings, KureRetriever")
    assert "langchain_core" in imported
    assert not {"llama_index", "torch", "transformers", "sentence_transformers"} & imported


def test_the_names_for_llama_index_are_these() -> None:
    import kure_rag.llama_index as adapters

    assert adapters.__all__ == LLAMA_INDEX
    assert all(getattr(adapters, name).__doc__ for name in LLAMA_INDEX)
