"""Which of LangChain's standard suites are inherited, unmodified, and what the pages say of how many tests that is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from standard_suites import FOLDERS, ROOT, counts, totals

SAID = {
    "README.md": re.compile(
        r"(\d+) of LangChain's own standard\s+tests.*?(\d+)\s+tests of `kure_rag\.testing`", re.DOTALL
    ),
    "README.ko.md": re.compile(
        r"LangChain 표준 테스트\s+(\d+)개.*?`kure_rag\.testing`의?\s+테스트\s+(\d+)개", re.DOTALL
    ),
}


@pytest.fixture(scope="module")
def found() -> dict[str, int]:
    return counts()


def test_every_suite_that_applies_is_inherited(found: dict[str, int]) -> None:
    suites = {name.partition(" ")[2] for name in found if name.startswith("langchain_tests ")}
    assert suites >= {
        "AsyncDocumentIndexTestSuite",
        "DocumentIndexerTestSuite",
        "EmbeddingsIntegrationTests",
        "EmbeddingsUnitTests",
        "RetrieversIntegrationTests",
        "ToolsIntegrationTests",
        "ToolsUnitTests",
        "VectorStoreIntegrationTests",
    }


@pytest.mark.parametrize("page", SAID)
def test_the_pages_count_them_right(found: dict[str, int], page: str) -> None:
    said = SAID[page].findall((ROOT / page).read_text(encoding="utf-8"))
    sums = totals(found)
    right = (str(sums["langchain_tests"]), str(sums["kure_rag"]))
    assert said == [right], f"{page}: there are {right}"


SUITES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("test_*.py"))
CHANGED = {
    "an overridden test": "class TestOurs(ToolsUnitTests):\n    def test_init(self):\n        pass\n",
    "an overridden asynchronous test": "class TestOurs(Suite):\n    async def test_init(self):\n        pass\n",
    "a test that is none": "class TestOurs(Suite):\n    test_init = None\n",
    "a test that is none, typed": "class TestOurs(Suite):\n    test_init: Any = None\n",
    "through a class between": "class Base(Suite):\n    pass\nclass TestOurs(Base):\n    def test_init(self): ...\n",
    "a mark on the class": "@pytest.mark.skip\nclass TestOurs(Suite):\n    pass\n",
    "a mark in the class": "class TestOurs(Suite):\n    pytestmark = [pytest.mark.skipif(True, reason='')]\n",
    "a skip in a fixture": "class TestOurs(Suite):\n    def ours(self):\n        pytest.skip('not here')\n",
    "a skip by its own name": "class TestOurs(Suite):\n    def ours(self):\n        skip('not here')\n",
    "an expected failure": "class TestOurs(Suite):\n    def ours(self):\n        pytest.xfail('not here')\n",
    "a test taken away": "class TestOurs(Suite):\n    pass\ndel Suite.test_init\n",
    "a test set from outside": "class TestOurs(Suite):\n    pass\nTestOurs.test_init = None\n",
    "a whole file": "pytestmark = pytest.mark.skip\nclass TestOurs(Suite):\n    pass\n",
    "a suite that is not collected": "class TestOurs(Suite):\n    __test__ = False\n",
}
SKIPS = {"skip", "skipif", "xfail", "importorskip"}


def changes(source: str) -> list[str]:
    """What a file does to tests that its classes inherit, with its lines."""
    tree = ast.parse(source)
    inheriting = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.bases]
    if not inheriting:
        return []
    found = [found for one in inheriting for found in _changed_in(one)]
    at_top = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign | ast.Delete | ast.Expr)]
    for node in at_top:
        targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else [getattr(node, "target", None)]
        if any(isinstance(one, ast.Attribute) and one.attr.startswith("test_") for one in targets):
            found.append(f"line {node.lineno}: a test is set or taken away from outside")
        found += _skips(node)
    return found


def _changed_in(one: ast.ClassDef) -> list[str]:
    names = [(node.name, node.lineno) for node in one.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in one.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [(target.id, node.lineno) for target in targets if isinstance(target, ast.Name)]
    tests = [f"line {line}: {one.name}.{name}" for name, line in names if name.startswith(("test_", "__test__"))]
    return tests + _skips(one)


def _skips(tree: ast.AST) -> list[str]:
    named = [(node, node.attr) for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    called = [(node, node.id) for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return [f"line {node.lineno}: {name}" for node, name in (*named, *called) if name in SKIPS]


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_standard_test_is_overridden_left_out_or_expected_to_fail(path: Path) -> None:
    """A suite's own way to say "not here" is to override the test, with a mark or without."""
    assert not changes(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("source", CHANGED.values(), ids=CHANGED)
def test_the_check_sees_every_way_to_leave_one_out(source: str) -> None:
    assert changes(source)


def test_the_check_lets_fixtures_and_settings_be() -> None:
    ours = "class TestOurs(Suite):\n    mode = 'dense'\n    @pytest.fixture\n    def store(self): ...\n"
    assert not changes(ours + "@pytest.mark.skipif(True, reason='a')\ndef test_of_ours(): ...\n")
