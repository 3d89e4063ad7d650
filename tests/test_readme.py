"""What the READMEs show is run, parsed and compared: code, commands, links, and the Korean one against the English."""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
import tokenize
from dataclasses import dataclass
from pathlib import Path

import pytest

from kure_rag.cli.main import build_parser

ROOT = Path(__file__).resolve().parents[1]
ENGLISH, KOREAN = ROOT / "README.md", ROOT / "README.ko.md"
PAGES = [ENGLISH, KOREAN]
DOCS = [
    *PAGES,
    *(ROOT / name for name in ("CHANGELOG.md", "examples/README.md", "integrations/README.md")),
    *sorted((ROOT / ".github").glob("*.md")),
]
RUNNABLE = "<!-- runnable -->"
NUMBERS = "<!-- numbers -->"
_BLOCK = re.compile(r"(?ms)^(?P<before>[^\n]*)\n```(?P<language>\w+)\n(?P<code>.*?)^```$")
_LINK = re.compile(r"\]\((?!https?://|mailto:|#)(?P<target>[^)\s#]+)")


@dataclass(frozen=True)
class Block:
    language: str
    code: str
    runnable: bool


def blocks(page: Path) -> list[Block]:
    found = _BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [Block(m["language"], m["code"], m["before"] == RUNNABLE) for m in found]


def prose(page: Path) -> str:
    return re.sub(r"(?ms)^```.*?^```$", "", page.read_text(encoding="utf-8"))


def commands(page: Path) -> list[list[str]]:
    """The arguments of every kure-rag command in shell blocks, up to a pipe or a redirection."""
    out = []
    for block in blocks(page):
        if block.language in ("bash", "console", "sh"):
            for line in block.code.splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                if words[:1] == ["kure-rag"]:
                    end = next((i for i, word in enumerate(words) if word in ("|", ">", "&&")), len(words))
                    out.append(words[1:end])
    return out


def without_comments(block: Block) -> object:
    if block.language == "python":
        skipped = (tokenize.COMMENT, tokenize.NL)
        tokens = tokenize.generate_tokens(io.StringIO(block.code).readline)
        return [(token.type, token.string) for token in tokens if token.type not in skipped]
    if block.language in ("bash", "console", "sh"):
        return [words for line in block.code.splitlines() if (words := shlex.split(line, comments=True))]
    return block.code


def numbers(page: Path) -> list[str]:
    """The rows of the tables of measurements, without their headers."""
    tables = page.read_text(encoding="utf-8").split(NUMBERS + "\n")[1:]
    return [row for table in tables for row in table.split("\n\n")[0].splitlines()[1:]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_compile(page: Path) -> None:
    python = [block.code for block in blocks(page) if block.language == "python"]
    assert python
    for code in python:
        compile(code, page.name, "exec")


def test_every_fence_is_a_block_we_see() -> None:
    for page in PAGES:
        fences = sum(line.startswith("```") for line in page.read_text(encoding="utf-8").splitlines())
        assert fences == 2 * len(blocks(page)), f"{page.name}: give each block a language and a line before it"
        assert page.read_text(encoding="utf-8").count(RUNNABLE) == sum(block.runnable for block in blocks(page))


def test_runnable_blocks_run_in_order_without_a_network(tmp_path: Path) -> None:
    code = "\n".join(block.code for block in blocks(ENGLISH) if block.runnable)  # the Korean page has the same
    script = tmp_path / "readme.py"
    script.write_text(code, encoding="utf-8")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=environment, capture_output=True, timeout=300, check=False
    )
    out = done.stdout.decode("utf-8")
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    assert "added 새여울재단_취업규정.pdf" in out
    assert "새여울재단_취업규정.pdf p.2" in out
    assert "특별한 해독제는 알려져 있지 않다" in out
    assert "급여는 매월 25일에 지급한다." in out
    assert "368" in out.splitlines()  # the dimension that the LlamaIndex block prints
    assert "유로 (EUR)" in out.splitlines()[-1]  # the last row of the table found last


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_parse(page: Path) -> None:
    found = commands(page)
    assert len(found) >= 5
    wrong = []
    for arguments in found:
        try:
            build_parser().parse_args(arguments)
        except SystemExit as stopped:
            if stopped.code != 0:  # --help and --version end with 0
                wrong.append(" ".join(["kure-rag", *arguments]))
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_named_in_the_text_exist(page: Path) -> None:
    known = build_parser().format_help()
    for name in re.findall(r"`kure-rag ([a-z]+)", prose(page)):
        assert re.search(rf"(?m)^    {name}\s", known), f"{page.name}: kure-rag {name}"


@pytest.mark.parametrize("doc", DOCS, ids=lambda doc: doc.relative_to(ROOT).as_posix())
def test_relative_links_lead_somewhere(doc: Path) -> None:
    for target in _LINK.findall(prose(doc)):
        assert (doc.parent / target).exists(), f"{doc.name}: {target}"


def test_each_page_links_the_other_at_its_top() -> None:
    assert f"]({KOREAN.name})" in "".join(ENGLISH.read_text(encoding="utf-8").splitlines()[:5])
    assert f"]({ENGLISH.name})" in "".join(KOREAN.read_text(encoding="utf-8").splitlines()[:5])


def test_both_pages_have_the_same_headings() -> None:
    english, korean = ([len(m) for m in re.findall(r"(?m)^(#+) ", prose(page))] for page in PAGES)
    assert len(english) > 10
    assert english == korean


def test_both_pages_have_the_same_code() -> None:
    english, korean = (blocks(page) for page in PAGES)
    assert [(b.language, b.runnable) for b in english] == [(b.language, b.runnable) for b in korean]
    for ours, theirs in zip(english, korean, strict=True):
        assert without_comments(ours) == without_comments(theirs)


def test_both_pages_have_the_same_numbers() -> None:
    assert len(numbers(ENGLISH)) >= 4
    values = [[line.split("|")[2:] for line in numbers(page)] for page in PAGES]  # what was measured is in its language
    assert values[0] == values[1]
