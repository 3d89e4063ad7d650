"""Runs langchain-chroma's own tests with our store in Chroma's place, and compares with docs/langchain-chroma-cases.md.

    python tests/langchain_chroma_suite.py                     # `make test-chroma`: once dense, once hybrid
    python tests/langchain_chroma_suite.py --version 1.0.0     # those of another version; nothing is compared
    python tests/langchain_chroma_suite.py --sdist FILE.tar.gz # an archive that is here already

Its source archive is fetched with pip and unpacked into a temporary folder: none of its code is part of this project.
``tests/langchain_chroma_shim.py`` has what is translated. A run takes about a minute. What else is said is pytest's:
``-k mmr --tb=short`` runs some and shows why they fail.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "langchain-chroma-cases.md"
MODES = ("dense", "hybrid")
_ROW = re.compile(r"^\| (?P<tests>(?:`\w+`(?:, )?)+)[^|]* \| (?P<outcome>passes|fails|skipped)\b", re.MULTILINE)
_VERSION = re.compile(r"langchain-chroma (\d+(?:\.\d+)+)")
_OUTCOMES = {"skipped": "skipped", "failure": "fails", "error": "fails"}


def said(page: Path = PAGE) -> tuple[str, dict[str, str]]:
    """The version that the page is about, and what it says of each test: ``{"test_chroma": "passes", ...}``.

    Tests of a class go by the class's name.
    """
    text = page.read_text(encoding="utf-8")
    version = _VERSION.search(text)
    if version is None:
        raise SystemExit(f"{page} does not say which version of langchain-chroma it is about")
    rows = _ROW.finditer(text)
    return version[1], {name: row["outcome"] for row in rows for name in re.findall(r"`(\w+)`", row["tests"])}


def unpacked(sdist: Path, folder: Path) -> Path:
    """Where the archive's tests lie."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (tests,) = folder.glob("langchain_chroma-*/tests")
    return tests.parent


def fetched(version: str, folder: Path) -> Path:
    """The source archive from the package index."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-q", "--no-deps"]
    source = ["--no-binary", ":all:", "--no-build-isolation", "--dest", str(folder), f"langchain-chroma=={version}"]
    if subprocess.run([*pip, *source], check=False).returncode:
        raise SystemExit(f"pip could not fetch langchain-chroma {version}; give an archive with --sdist")
    (found,) = folder.glob("langchain_chroma-*.tar.gz")
    return found


def outcomes(report: Path) -> list[tuple[str, str]]:
    """Each test with its outcome, from pytest's JUnit report: ``[("test_chroma", "passes"), ...]``."""
    found = []
    for case in ElementTree.parse(report).iter("testcase"):
        outcome = next((_OUTCOMES[part.tag] for part in case if part.tag in _OUTCOMES), "passes")
        owner = case.attrib["classname"].rpartition(".")[2]
        found.append((owner if owner.startswith("Test") else case.attrib["name"].partition("[")[0], outcome))
    return found


def run(source: Path, mode: str, arguments: list[str]) -> list[tuple[str, str]]:
    """The outcomes of its tests with our store in that mode."""
    report = source / f"{mode}.xml"
    path = os.pathsep.join([str(ROOT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "KURE_MODE": mode, "HF_HUB_OFFLINE": "1"}
    options = [
        "-q",
        "--tb=no",
        "--no-summary",
        "-p",
        "langchain_chroma_shim",
        "-p",
        "no:cacheprovider",
        f"--junitxml={report}",
    ]
    command = [sys.executable, "-m", "pytest", *options, *arguments, "tests"]
    subprocess.run(command, cwd=source, env=environment, check=False)
    if not report.exists():
        raise SystemExit(f"pytest wrote no report of the {mode} run")
    return outcomes(report)


def differences(found: list[tuple[str, str]], page: dict[str, str]) -> list[str]:
    """Where the outcomes are not those of the page."""
    seen = {name for name, _ in found}
    lines = [f"{name}: {outcome}, and the page says {page.get(name, 'nothing')}" for name, outcome in found]
    kept = [line for line, (name, outcome) in zip(lines, found, strict=True) if page.get(name) != outcome]
    return kept + [f"{name}: the page names it, and there is no such test" for name in page if name not in seen]


def main() -> int:
    """0 where the outcomes are those of the page, in both modes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", help="of langchain-chroma (default: the page's)")
    parser.add_argument("--sdist", type=Path, metavar="FILE", help="its source archive (default: fetched with pip)")
    parser.add_argument("--mode", choices=MODES, action="append", help="one mode only")
    given, pytest_arguments = parser.parse_known_args()
    version, page = said()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="kure-rag-chroma-") as name:
        folder = Path(name).resolve()
        source = unpacked(given.sdist or fetched(given.version or version, folder), folder)
        for mode in given.mode or MODES:
            found = run(source, mode, pytest_arguments)
            counts = Counter(outcome for _, outcome in found)
            print(f"== {source.name}, mode={mode!r}: {len(found)} tests, {dict(sorted(counts.items()))}", flush=True)
            if given.version in (None, version) and not given.sdist and not pytest_arguments:
                changed = differences(found, page)
                print("\n".join(changed) if changed else f"as {PAGE.name} says")
                wrong += len(changed)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
