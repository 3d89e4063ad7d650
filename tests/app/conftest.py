"""An index of the three sample PDFs, made once, not to be changed by a test; and whether a browser must be there.

Tests that need a browser skip where none is installed. Where ``KURE_RAG_REQUIRE_BROWSER=1`` is set, as `.ci/run` does,
they fail instead, so that a browser which could not be installed does not pass for a green run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import browsing
import pytest
from sample_indexes import samples_in

from kure_rag import KureIndex
from kure_rag.samples import sample_paths


@pytest.hookimpl(tryfirst=True)  # before pytest looks at the marks that skip
def pytest_runtest_setup(item: pytest.Item) -> None:
    """See :func:`browsing.fail_where_required`."""
    browsing.fail_where_required(item)


@pytest.fixture(scope="session")
def sample_index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KureIndex]:
    """Nobody told the app where its files are."""
    with KureIndex.open(samples_in(tmp_path_factory.mktemp("app") / "견본", tmp_path_factory), create=False) as index:
        yield index


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of the sample PDFs."""
    return sample_paths()[0].parent
