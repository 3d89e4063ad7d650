"""An index of the sample documents, and a stand-in for a chat model beside it."""

from collections.abc import Iterator

import pytest
from sample_indexes import samples_in

from kure_rag import KureIndex
from kure_rag.testing.chat_server import ChatServer, chat_server


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KureIndex]:
    """Not to be changed by a test."""
    folder = samples_in(tmp_path_factory.mktemp("samples") / "ix", tmp_path_factory)
    with KureIndex.open(folder, create=False) as index:
        yield index


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as running:
        yield running
