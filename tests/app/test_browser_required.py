"""Without a browser its tests skip; where the environment says that one must be there, they fail."""

from __future__ import annotations

from pathlib import Path

import browsing
import pytest

pytest_plugins = ["pytester"]
TESTS = """
import browsing
import pytest

@pytest.mark.skipif(bool(browsing.missing()), reason=browsing.missing())
def test_with_a_browser():
    pass

@pytest.mark.skipif(True, reason="for another reason")
def test_that_skips_for_another_reason():
    pass

def test_without_a_browser():
    pass
"""


@pytest.mark.parametrize(
    ("required", "chromium", "wanted"),
    [
        ("", None, {"passed": 1, "skipped": 2}),
        ("0", None, {"passed": 1, "skipped": 2}),
        ("1", None, {"passed": 1, "skipped": 1, "errors": 1}),
        ("1", "/usr/bin/true", {"passed": 2, "skipped": 1}),
    ],
)
def test_a_missing_browser_skips_or_fails_as_the_environment_says(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    required: str,
    chromium: str | None,
    wanted: dict[str, int],
) -> None:
    pytest.importorskip("selenium", reason="selenium is not installed")
    pytest.importorskip("streamlit", reason="the extra app is not installed")
    monkeypatch.setattr(browsing, "CHROMIUM", chromium)
    monkeypatch.setattr(browsing, "DRIVER", chromium)
    monkeypatch.setenv("KURE_RAG_REQUIRE_BROWSER", required)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # seconds of imports
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile(TESTS)

    found = pytester.runpytest_inprocess("-rs", "-p", "no:cacheprovider")

    found.assert_outcomes(**wanted)
    if "errors" in wanted:
        found.stdout.fnmatch_lines(["*apt-get install chromium chromium-driver; KURE_RAG_REQUIRE_BROWSER says*"])
