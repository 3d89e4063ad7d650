"""The rooms of the house: who may know whom, and which file alone may know an outside library."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

import kure_rag

ROOT = Path(kure_rag.__file__).parent
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))

_GROUND = {"types", "errors", "codec", "_version"}
_BELOW_PIPELINE = _GROUND | {"read", "tokenize", "chunk", "embed", "index", "search", "ingest"}
_ADAPTERS = _BELOW_PIPELINE | {"pipeline", "citation", "fence", "config"}
MAY_KNOW: dict[str, set[str]] = {
    "types": set(),
    "errors": set(),
    "_version": set(),
    "codec": {"types"},
    "fence": set(),
    "embed": _GROUND,
    "read": _GROUND,
    "tokenize": _GROUND,
    "chunk": _GROUND | {"tokenize"},
    "index": _GROUND | {"embed", "tokenize"},
    "search": _GROUND | {"embed", "tokenize", "index"},
    "ingest": _GROUND | {"embed", "tokenize", "index", "read", "chunk"},
    "config": _BELOW_PIPELINE,
    "citation": _GROUND,
    "evaluate": _BELOW_PIPELINE | {"pipeline"},  # a pipeline is measured as an index is searched
    "train": _ADAPTERS | {"autorag", "evaluate"},  # one's own documents are asked about and searched
    "samples": _GROUND,
    "tune": _ADAPTERS | {"autorag", "evaluate"},
    "pipeline": _BELOW_PIPELINE | {"citation", "config"},
    "langchain": _ADAPTERS,
    "llama_index": _ADAPTERS,
    "autorag": _ADAPTERS | {"chat", "evaluate"},
    "chat": _ADAPTERS,
    "app": _ADAPTERS | {"chat"},
    "leaderboard": _GROUND | {"embed", "evaluate", "app"},
    "cli": _ADAPTERS | {"evaluate", "train", "samples", "autorag", "chat", "app", "tune", "leaderboard"},
    "testing": _ADAPTERS | {"samples"},
    "__init__": _ADAPTERS | {"langchain"},
    "__main__": {"cli"},
}

ONLY_IN: dict[str, tuple[str, ...]] = {
    "chromadb": ("index/dense.py",),
    "tantivy": ("index/lexical.py",),
    "faiss": ("index/codes.py",),
    "pypdfium2": ("read/pdfium.py",),
    "pypdfium2_raw": ("read/pdfium.py",),
    "pypdf": ("read/outline.py",),
    "pdfminer": ("read/fallback.py",),
    "tesserocr": ("read/ocr.py",),
    "kiwipiepy": ("tokenize/kiwi.py",),
    "sqlite3": ("index/", "embed/cache_file.py", "train/readers/texts_on_disk.py"),
    "langchain_core": ("langchain/",),
    "llama_index": ("llama_index/",),
    "torch": ("embed/", "train/", "index/on_device.py"),
    "transformers": ("embed/", "train/", "testing/reranking.py"),
    "sentence_transformers": ("embed/", "train/", "testing/reranking.py"),
    "pytest": ("testing/needs_pytest.py",),
    "onnxruntime": ("embed/backends/onnx_runner.py", "embed/backends/graphs.py"),
    "onnx": ("embed/backends/graphs.py",),
    "openvino": ("embed/backends/openvino_runner.py",),
    "nncf": ("embed/backends/graphs.py",),
    "argparse": ("cli/",),
    "streamlit": ("app/ui/", "app/server.py", "leaderboard/ui/", "leaderboard/server.py"),
    "altair": ("leaderboard/charts.py",),
    "vl_convert": ("leaderboard/html.py",),
    "pyarrow": ("autorag/", "train/readers/records.py", "train/mine/write.py"),
    "yaml": ("config/",),
    "httpx": ("chat/", "embed/backends/http_client.py"),
    "mteb": ("evaluate/", "cli/eval_mteb.py", "cli/eval_mteb_workers.py"),
    "datasets": ("evaluate/mteb_folder.py", "train/readers/dataset.py"),
    "pytrec_eval": ("evaluate/metrics.py",),
    "matplotlib": (
        "train/curves.py",
        "train/cross_lingual_plot.py",
        "evaluate/plots.py",
        "evaluate/plots_fonts.py",
        "train/mine/plot.py",
        "train/static_losses.py",
        "tune/plot.py",
    ),
}
NOWHERE = {"langchain", "langchain_community", "langchain_huggingface", "pickle", "fitz", "pymupdf"}


@functools.cache
def imports_of(file: str) -> tuple[tuple[str, int], ...]:
    """Every module that a file names in an import, wherever in the file it stands, with its line."""
    return tuple(_imports(ast.parse((ROOT / file).read_text(encoding="utf-8")), file))


def _imports(tree: ast.Module, file: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: a relative import; write the whole name"
            assert node.module is not None
            for alias in node.names:  # `from kure_rag import errors` names a room, `from kure_rag import Hit` the root
                whole = f"{node.module}.{alias.name}"
                yield (whole if node.module == "kure_rag" else node.module), node.lineno


def _room(file: str) -> str:
    return file.partition("/")[0].removesuffix(".py")


def _rooms_named(file: str) -> Iterator[tuple[str, int]]:
    for module, line in imports_of(file):
        head, _, rest = module.partition(".")
        if head == "kure_rag":
            name = rest.partition(".")[0]
            yield (name if name in MAY_KNOW else "__init__"), line


def _is_in(file: str, homes: tuple[str, ...]) -> bool:
    return any(file == home or (home.endswith("/") and file.startswith(home)) for home in homes)


def test_every_room_is_in_the_plan() -> None:
    unknown = {_room(file) for file in FILES} - MAY_KNOW.keys()
    assert not unknown, f"say in MAY_KNOW which rooms {unknown} may know"


def test_the_plan_has_no_circle() -> None:
    done: set[str] = set()
    while rest := MAY_KNOW.keys() - done:
        ready = {room for room in rest if MAY_KNOW[room] <= done}
        assert ready, f"these know each other: {rest}"
        done |= ready


@pytest.mark.parametrize("file", FILES)
def test_imports_run_one_way(file: str) -> None:
    room = _room(file)
    allowed = MAY_KNOW.get(room, set()) | {room}
    wrong = [f"{file}:{line} knows {name}" for name, line in _rooms_named(file) if name not in allowed]
    assert not wrong


@pytest.mark.parametrize("file", FILES)
def test_an_outside_library_has_one_home(file: str) -> None:
    wrong = []
    for module, line in imports_of(file):
        head = module.partition(".")[0]
        if head in NOWHERE or (head in ONLY_IN and not _is_in(file, ONLY_IN[head])):
            wrong.append(f"{file}:{line} imports {head}")
    assert not wrong


def test_the_check_sees_imports_in_functions_and_under_type_checking() -> None:
    tree = ast.parse("def f():\n    import tantivy.x\nif TYPE_CHECKING:\n    from kure_rag import errors, Hit\n")
    assert set(_imports(tree, "x.py")) == {("tantivy.x", 2), ("kure_rag.errors", 4), ("kure_rag.Hit", 4)}
