"""The kit as a further framework's package uses it: inherited in a folder of its own, and imported without pytest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import kure_rag.testing

ADAPTER = '''
from kure_rag.testing import EmbeddingsContract
from kure_rag import Embedder, EmbedSettings


class Embeddings:
    """Of a framework that calls the two roles `ask` and `store`."""

    def __init__(self, model, **settings):
        self.kure_embedder = Embedder(model, EmbedSettings(**settings))

    def ask(self, text):
        return self.kure_embedder.{query}([text])[0].tolist()

    def store(self, texts):
        return self.kure_embedder.embed_passages(texts).tolist() if texts else []


class TestEmbeddings(EmbeddingsContract):
    def make(self, model, **settings):
        return Embeddings(model, **settings)

    def embed_query(self, embeddings, text):
        return embeddings.ask(text)

    def embed_passages(self, embeddings, texts):
        return embeddings.store(list(texts))
'''


def _run(folder: Path, query: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_ours.py").write_text(ADAPTER.replace("{query}", query), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={folder}", "--noconftest"]
    return subprocess.run([*command, str(folder)], cwd=folder, capture_output=True, text=True, check=False)


def test_a_right_adapter_passes(tmp_path: Path) -> None:
    done = _run(tmp_path, "embed_queries")
    assert done.returncode == 0, done.stdout
    assert "9 passed" in done.stdout


def test_a_wrong_adapter_fails_where_it_is_wrong(tmp_path: Path) -> None:
    done = _run(tmp_path, "embed_passages")
    assert done.returncode == 1, done.stdout
    assert "test_roles_are_not_mixed_up" in done.stdout
    assert "as a query: the vectors of texts [0] are not the core's" in done.stdout
    assert "test_passages_have_the_core_s_vectors" not in done.stdout.partition("short test summary")[2]


def test_without_pytest_the_stand_ins_are_there_and_a_contract_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "import kure_rag.testing, kure_rag.testing.chat_server\n"
        "from kure_rag.errors import MissingExtraError\n"
        "try:\n    kure_rag.testing.RetrieverContract\n"
        "except MissingExtraError as error:\n    print(error.extra, error)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.startswith("testing A contract of kure_rag.testing needs")
    assert 'pip install "kure-rag[testing]"' in out


def test_importing_the_kit_imports_nothing_heavy() -> None:
    code = "import sys, kure_rag.testing; print(sorted({m.partition('.')[0] for m in sys.modules}))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for name in ("pytest", "torch", "langchain_core", "llama_index", "chromadb", "numpy"):
        assert f"'{name}'" not in out


@pytest.mark.parametrize("name", kure_rag.testing.__all__)
def test_each_name_is_there_and_documented(name: str) -> None:
    value = getattr(kure_rag.testing, name)
    assert value.__name__ == name
    assert value.__doc__
    assert set(kure_rag.testing._HOMES) == set(kure_rag.testing.__all__)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="RetrieverContrat"):
        _ = kure_rag.testing.RetrieverContrat
