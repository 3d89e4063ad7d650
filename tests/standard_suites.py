"""Counts the tests of LangChain's standard suites, and of our contracts, that the adapters inherit and pass.

``python tests/standard_suites.py`` prints them; ``tests/test_standard_suites.py`` compares the pages with them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("tests/langchain", "tests/testing")  # LlamaIndex has no standard suites
MODULES = ("langchain_tests.", "kure_rag.testing.")
_COLLECT = """
import json, sys, pytest
from collections import Counter

class Counting:
    def pytest_collection_modifyitems(self, items):
        found = Counter()
        for item in items:
            home = getattr(item.function, "__module__", "")
            if home.startswith(tuple(sys.argv[1].split())):
                found[home.partition(".")[0] + " " + item.function.__qualname__.partition(".")[0]] += 1
        print("\\n" + json.dumps(found))

sys.exit(pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *sys.argv[2:]], plugins=[Counting()]))
"""


def counts() -> dict[str, int]:
    """Inherited tests by the class that they are inherited from: ``{"langchain_tests EmbeddingsUnitTests": 5, ...}``.

    A test that runs with several parameters, or in several classes of ours, counts as often as it runs.
    """
    folders = [folder for folder in FOLDERS if (ROOT / folder).exists()]
    command = [sys.executable, "-c", _COLLECT, " ".join(MODULES), *folders]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return dict(sorted(json.loads(line).items()))


def totals(found: dict[str, int]) -> Counter[str]:
    """Sums by package: ``langchain_tests`` and ``kure_rag``."""
    sums: Counter[str] = Counter()
    for name, count in found.items():
        sums[name.partition(" ")[0]] += count
    return sums


if __name__ == "__main__":
    each = counts()
    for name, count in each.items():
        print(f"{count:5}  {name}")
    print(dict(totals(each)))
