from __future__ import annotations

from collections.abc import Iterator

import pytest

from kure_rag import KureIndex
from kure_rag.testing import make_index


@pytest.fixture(scope="session")
def contract_index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KureIndex]:
    """The contracts' index, made once for all."""
    with make_index(tmp_path_factory.mktemp("contract") / "index") as index:
        yield index
