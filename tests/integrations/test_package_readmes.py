"""The pages of the packages: what they show runs with the installed wheels, and a catalogue could take them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from package_support import PACKAGES, Built, Package
from test_readme import RUNNABLE, blocks, prose

# What the snippets of a page print, somewhere.
PRINTED = {
    "langchain-kure": [
        "새여울재단_취업규정.pdf p.2 취업규정 > 제3장 근무 > 제11조(재택근무)",
        "급여는 매월 25일에 지급한다.",
        "leave {'year': 2026} ",
        "pay\n",
        "1 0\n0 1\n연차휴가는 15일로 한다.\n",
        "모아렌정_설명서.pdf p.1 ",
        "제2조(연차휴가) 해마다 15일을 준다.",
        "[1]\n<passage>\n출처: 새여울재단_취업규정.pdf",
    ],
    "llama-index-embeddings-kure": ["368\n", "급여는 매월 25일에 지급한다."],
    "llama-index-node-parser-kure": ["제2조 23 제2조(연차휴가) 직원에게는 해마다 15일을 준다.", "2 0\n"],
    "llama-index-postprocessor-kure-rerank": ["dragonkue/bge-reranker-v2-m3-ko 3\n"],
    "llama-index-readers-kure": ["모아렌정_설명서.pdf p.4 ", "한빛정밀_분기보고서.pdf finance 5\n"],
    "llama-index-retrievers-kure": [
        "새여울재단_취업규정.pdf p.2 취업규정 > 제3장 근무 > 제11조(재택근무)",
        "['새여울재단_취업규정.pdf', '새여울재단_취업규정.pdf']",
        "신장",
    ],
    "llama-index-vector-stores-kure": ["급여는 매월 25일에 지급한다.\n", "['연차휴가는 15일로 한다.']\n"],
}
each_package = pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)


def _page(package: Package) -> Path:
    return package.folder / "README.md"


@each_package
def test_a_page_says_what_to_install_and_what_to_import(package: Package) -> None:
    page = _page(package).read_text(encoding="utf-8")
    assert page.startswith("# ")
    assert f"pip install {package.name}\n" in page
    for name in (*_exported_in(package),):
        assert f"`{name}" in prose(_page(package)), f"{package.name}: {name}"
    assert any(f"from {package.module} import" in block.code for block in blocks(_page(package)) if block.runnable)


def _exported_in(package: Package) -> list[str]:
    listed = re.search(r"__all__ = \[(.*?)\]", (package.code / "__init__.py").read_text(encoding="utf-8"), re.DOTALL)
    assert listed is not None
    return re.findall(r'"(\w+)"', listed[1])


@each_package
def test_a_page_stands_alone(package: Package) -> None:
    """On a catalogue's site there is nothing beside it for a link to lead to."""
    page = _page(package).read_text(encoding="utf-8")
    assert re.findall(r"\]\(([^)]*)\)", prose(_page(package))) == []
    assert sum(line.startswith("```") for line in page.splitlines()) == 2 * len(blocks(_page(package)))
    assert page.count(RUNNABLE) == sum(block.runnable for block in blocks(_page(package))) >= 1


@each_package
def test_every_python_block_compiles(package: Package) -> None:
    for block in blocks(_page(package)):
        if block.language == "python":
            compile(block.code, package.name, "exec")


@each_package
def test_runnable_blocks_run_in_order_without_a_network(package: Package, built: Built, tmp_path: Path) -> None:
    script = tmp_path / "page.py"
    script.write_text("\n".join(b.code for b in blocks(_page(package)) if b.runnable), encoding="utf-8")
    command = [sys.executable, str(script)]
    done = subprocess.run(command, cwd=tmp_path, env=built.environment, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    out = done.stdout.decode("utf-8")
    assert [wanted for wanted in PRINTED[package.name] if wanted not in out] == [], out
