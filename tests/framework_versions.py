"""Runs the adapters' tests with the oldest and the newest supported versions of both frameworks.

    python tests/framework_versions.py                   # all of the adapters' tests, at both ends (make test-versions)
    python tests/framework_versions.py --oldest --quick  # the standard suites and contracts, with the oldest: `.ci/run`
    python tests/framework_versions.py --oldest -k tool  # what else is said is pytest's

CI runs every test with the versions of requirements.lock, near the newest, and the quick ones with the oldest.

The frameworks alone are put into a folder that comes first on the path, so that torch and everything else are not
installed a second time; pip's resolver is left out for the same reason, and what a version needs beside it is named in
:data:`OLDEST`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
SUITES = (
    "tests/langchain",
    "tests/llama_index",
    "tests/testing/test_contracts_hold.py",
    "tests/contract/test_same_results.py",
)
# With --quick: of these, the tests that are inherited from LangChain's standard suites or from kure_rag.testing, except
# the readers' contract, which mostly waits for processes that read PDFs and know nothing of a framework ...
INHERITING = ("tests/langchain", "tests/testing/test_contracts_hold.py")
# ... and these whole. LlamaIndex has no suites to inherit: its Chroma store and its engines are the measure.
WHOLE = (
    "tests/contract/test_same_results.py",
    "tests/llama_index/test_engines.py",
    "tests/llama_index/test_vector_store_modes.py",
    "tests/llama_index/test_vector_store_swap.py",
)
FRAMEWORKS = ("langchain-core", "llama-index-core")
OLDEST = ("langchain-core==1.4.0", "llama-index-core==0.14.0")
_SHOW = (
    "import langchain_core, llama_index.core\n"
    "from importlib.metadata import version\n"
    "for name in ('langchain-core', 'llama-index-core'): print(name, version(name))\n"
    "print(langchain_core.__file__, llama_index.core.__file__, sep='\\n')\n"
)
_QUICK = """
import sys
import pytest

class Inherited:
    def pytest_collection_modifyitems(self, config, items):
        kept = [item for item in items if self.wanted(item)]
        config.hook.pytest_deselected(items=[item for item in items if not self.wanted(item)])
        items[:] = kept

    def wanted(self, item):
        home = getattr(item.function, "__module__", "")
        inherited = home.startswith(("langchain_tests.", "kure_rag.testing."))
        read = item.function.__qualname__.startswith("ReaderContract.")
        return item.nodeid.startswith(WHOLE) or (inherited and not read)

WHOLE = tuple(sys.argv.pop(1).split())
sys.exit(pytest.main(sys.argv[1:], plugins=[Inherited()]))
"""


def supported() -> dict[str, str]:
    """What pyproject.toml allows, by framework: ``{"langchain-core": "langchain-core>=1.4,<2", ...}``."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["llama-index"]]
    return {name: line for line in lines if (name := Requirement(line).name) in FRAMEWORKS}


def run(wanted: list[str], folder: Path, arguments: list[str], *, quick: bool = False) -> int:
    """Installs those versions over the others and runs the tests with them; the tests' exit status."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *wanted]
    if subprocess.run(pip, check=False).returncode:
        raise SystemExit(f"pip could not install {' and '.join(wanted)}: is a package index within reach?")
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    shown = subprocess.run([sys.executable, "-c", _SHOW], env=environment, check=True, capture_output=True, text=True)
    *versions, chain, llama = shown.stdout.splitlines()
    for file in (chain, llama):
        if not Path(file).is_relative_to(folder):
            raise SystemExit(f"{file} was imported, not the version in {folder}")
    print("==", ", ".join(versions), flush=True)
    options = ["-q", "-p", "no:cacheprovider", *arguments]
    if quick:
        tests = [sys.executable, "-c", _QUICK, " ".join(WHOLE), *options, *INHERITING, *WHOLE]
    else:
        tests = [sys.executable, "-m", "pytest", *options, *SUITES]
    return subprocess.run(tests, env=environment, cwd=ROOT, check=False).returncode


def main() -> int:
    """0 where the tests pass."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oldest", action="append_const", dest="only", const="oldest", help="this end only")
    parser.add_argument("--newest", action="append_const", dest="only", const="newest", help="this end only")
    parser.add_argument("--quick", action="store_true", help="the standard suites and contracts only")
    given, pytest_arguments = parser.parse_known_args()
    ends = {"oldest": list(OLDEST), "newest": list(supported().values())}
    failed = []
    for end, wanted in ends.items():
        if end in (given.only or ends):
            with tempfile.TemporaryDirectory() as folder:
                if run(wanted, Path(folder).resolve(), pytest_arguments, quick=given.quick):
                    failed.append(end)
    if failed:
        print(f"the adapters' tests fail with the {' and the '.join(failed)} versions")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
