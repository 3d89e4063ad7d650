import io
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag import errors
from kure_rag.chunk import AnalysedChunk
from kure_rag.errors import KureError, ReadError, ReadLimitError
from kure_rag.ingest.messages import Prepared, from_error, from_prepared, receive, send, to_error, to_prepared
from kure_rag.types import Chunk, Document, Page, Table

TEXT = st.text('가나 다①😀\n"\\\u2028\x00\ud800a', max_size=12)
NUMBER = st.integers(0, 10**9)
SIZE = st.floats(0, 5000, allow_nan=False)
TUPLES = st.lists(TEXT, max_size=3).map(tuple)
METADATA = st.dictionaries(TEXT, st.recursive(st.none() | st.booleans() | NUMBER | SIZE | TEXT, st.lists, max_leaves=3))
PAGES = st.builds(Page, NUMBER, NUMBER, NUMBER, SIZE, SIZE, st.booleans(), TUPLES)
TABLES = st.builds(Table, NUMBER, NUMBER, NUMBER, TEXT, TEXT, TUPLES, st.lists(TUPLES, max_size=2).map(tuple))
DOCUMENTS = st.builds(
    Document,
    TEXT,
    TEXT,
    TEXT,
    st.sampled_from(["general", "finance", "legal", "medical"]),
    TEXT,
    st.lists(PAGES, max_size=2).map(tuple),
    st.lists(TABLES, max_size=2).map(tuple),
    METADATA,
)
CHUNKS = st.builds(
    Chunk,
    TEXT,
    TEXT,
    TEXT,
    NUMBER,
    NUMBER,
    st.lists(NUMBER, max_size=3).map(tuple),
    TUPLES,
    TEXT,
    NUMBER,
    st.none() | TEXT,
    st.none() | TEXT,
    METADATA,
)
PREPARED = st.builds(Prepared, DOCUMENTS, st.lists(st.builds(AnalysedChunk, CHUNKS, TUPLES), max_size=3).map(tuple))


def stream(*messages: dict[str, object]) -> bytes:
    out = io.BytesIO()
    for message in messages:
        send(out, message)
    return out.getvalue()


@given(PREPARED)
def test_a_prepared_document_survives_the_trip(prepared: Prepared) -> None:
    message = receive(io.BytesIO(stream(from_prepared(prepared))))
    assert message is not None
    assert to_prepared(message) == prepared


def test_messages_come_one_after_another() -> None:
    pipe = io.BytesIO(stream({"a": "휴가"}, {"b": [1, None]}, {}))
    assert [receive(pipe) for _ in range(4)] == [{"a": "휴가"}, {"b": [1, None]}, {}, None]


def test_a_torn_stream_is_no_message() -> None:
    data = stream({"본문": "연차휴가는 15일이다."})
    for length in range(len(data)):
        assert receive(io.BytesIO(data[:length])) is None


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[1]", b"null", b"[" * 100_000])
def test_what_is_no_message(body: bytes) -> None:
    assert receive(io.BytesIO(struct.pack("<Q", len(body)) + body)) is None


def test_a_length_beyond_belief_is_not_allocated() -> None:
    class Guarded(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            assert size is not None
            assert 0 <= size <= 8
            return super().read(size)

    assert receive(Guarded(struct.pack("<Q", 2**63))) is None


def test_nothing_is_pickled() -> None:
    data = stream({"op": "pdf", "name": "휴가.pdf"})
    assert json.loads(data[8:]) == {"op": "pdf", "name": "휴가.pdf"}


def kinds(root: type[ReadError]) -> list[type[ReadError]]:
    return [root, *(kind for child in root.__subclasses__() for kind in kinds(child))]


@pytest.mark.parametrize("kind", kinds(ReadError))
def test_every_reading_error_survives_the_trip(kind: type[ReadError]) -> None:
    message = receive(io.BytesIO(stream(from_error(kind("휴가.pdf", "암호가 걸려 있습니다")))))
    assert message is not None
    caught = to_error(message)
    assert type(caught) is kind
    assert (caught.source, caught.reason) == ("휴가.pdf", "암호가 걸려 있습니다")
    assert str(caught) == "휴가.pdf: 암호가 걸려 있습니다"


@pytest.mark.parametrize("name", ["NoSuchError", "KureError", "Path", "Mapping", "__doc__", "FilterError", "", 7, None])
def test_an_unknown_name_becomes_the_root(name: object) -> None:
    caught = to_error({"error": name, "source": "휴가.pdf", "reason": "알 수 없음"})
    assert type(caught) is ReadError
    assert isinstance(caught, KureError)
    assert caught.reason == "알 수 없음"
    assert issubclass(errors.ReadLimitError, ReadLimitError)
