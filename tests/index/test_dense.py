"""The vector view on files of its own, and on a real Chroma server."""

import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.errors import (
    DenseServerError,
    FingerprintMismatchError,
    IndexCorruptError,
    IndexLockedError,
    KureIndexError,
)
from kure_rag.index.dense import DenseSettings, DenseView, drop
from kure_rag.index.dense_metadata import collection_name, flat_metadata, flatten
from kure_rag.index.dense_seal import LOCK, log_length
from kure_rag.types import Chunk

D = 16


def vectors(count: int, seed: int = 0, dimension: int = D) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)


def ids(count: int) -> list[str]:
    return [f"조각-{i}" for i in range(count)]


class Server:
    """`chroma run`, the Rust server that comes with chromadb."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        run = Path(sys.executable).with_name("chroma")
        program = [str(run)] if run.exists() else [shutil.which("chroma") or "chroma"]
        arguments = ["run", "--path", str(self.folder), "--host", "127.0.0.1", "--port", str(self.port)]
        self.process = subprocess.Popen([*program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError("the Chroma server did not start")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def client(self) -> Any:
        return chromadb.HttpClient("127.0.0.1", self.port, settings=Settings(anonymized_telemetry=False))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("server"))
    made.start()
    yield made
    made.stop()


@pytest.fixture(params=["embedded", "server"])
def settings(request: pytest.FixtureRequest) -> DenseSettings:
    if request.param == "embedded":
        return DenseSettings()
    return DenseSettings(url=request.getfixturevalue("server").url, collection=f"색인 {time.monotonic_ns()}")


def test_vectors_are_added_found_replaced_and_deleted(tmp_path: Path, settings: DenseSettings) -> None:
    view = DenseView(tmp_path / "dense", settings)
    assert view.search(vectors(1)[0], 5) == []
    view.add(ids(50), vectors(50))
    assert len(view) == 50
    assert view.ids() == sorted(ids(50))
    assert [found[0] for found in view.search_many(vectors(50), 3)] == ids(50)
    view.add(ids(2), vectors(50)[[1, 0]])
    assert view.search(vectors(50)[0], 1) == ["조각-1"]
    view.delete(["조각-1", "没有", "없음"])
    assert "조각-1" not in view.search(vectors(50)[0], 50)
    assert len(view.search(vectors(50)[0], 500)) == 49
    view.close()
    view.close()
    again = DenseView(tmp_path / "dense", settings)
    assert len(again) == 49
    again.close()
    drop(tmp_path / "dense", settings)


def test_more_than_one_batch_is_added_and_deleted(tmp_path: Path, settings: DenseSettings) -> None:
    view = DenseView(tmp_path / "dense", settings)
    view.add(ids(6_000), vectors(6_000, dimension=4))
    assert len(view) == len(set(view.ids())) == 6_000
    view.delete(ids(5_900))
    assert view.ids() == sorted(ids(6_000)[5_900:])
    view.close()
    drop(tmp_path / "dense", settings)


def test_vectors_of_another_length_are_refused_with_both_lengths(tmp_path: Path, settings: DenseSettings) -> None:
    view = DenseView(tmp_path / "dense", settings)
    view.add(ids(3), vectors(3))
    for call in (
        lambda: view.add(["다른 것"], vectors(1, dimension=8)),
        lambda: view.search(np.ones(8, np.float32), 1),
    ):
        with pytest.raises(FingerprintMismatchError) as caught:
            call()
        assert caught.value.differences == {"dimension": (D, 8)}
    view.close()
    drop(tmp_path / "dense", settings)


def test_with_chroma_text_any_client_reads_texts_and_metadata(tmp_path: Path, settings: DenseSettings) -> None:
    with_text = DenseSettings(**{**settings.to_dict(), "chroma_text": True, "collection": "취업규정 모음"})
    chunk = Chunk(
        "c1", "d1", "연차휴가는 15일이다.", 0, 12, (3, 4), ("제3장 휴가", "제15조"), metadata={"조": "제15조"}
    )
    flat = flat_metadata(chunk, source="규정.pdf", title="취업규정", domain="legal")
    view = DenseView(tmp_path / "dense", with_text)
    view.add(["c1"], vectors(1), texts=[chunk.text], metadatas=[{**flat, "낡은 것": 1}])
    view.add(["c1"], vectors(1), texts=[chunk.text], metadatas=[flat])
    name = view._collection.name
    view.close()
    if with_text.url:
        port = int(with_text.url.rpartition(":")[2])
        client = chromadb.HttpClient("127.0.0.1", port, settings=Settings(anonymized_telemetry=False))
    else:
        client = chromadb.PersistentClient(str(tmp_path / "dense"), settings=Settings(anonymized_telemetry=False))
    collection = client.get_collection(name, embedding_function=None)
    [held] = collection.get(where={"source": "규정.pdf"}, include=["metadatas"])["metadatas"] or ()
    assert held == flat  # the old key is gone
    assert held["pages"] == [3, 4]
    assert held["breadcrumb"] == "제3장 휴가 > 제15조"
    assert collection.get(include=["documents"])["documents"] == [chunk.text]
    assert (collection.metadata or {})["kure_rag.name"] == "취업규정 모음"
    assert name.isascii()
    client.close()
    drop(tmp_path / "dense", with_text)


def test_without_chroma_text_no_text_leaves_the_catalog(tmp_path: Path) -> None:
    view = DenseView(tmp_path / "dense")
    view.add(["c1"], vectors(1), texts=["비밀 조항"], metadatas=[{"source": "규정.pdf"}])
    held = view._collection.get(include=["documents", "metadatas"])
    assert (held["documents"], held["metadatas"]) == ([None], [None])
    view.close()


# Embedded


@pytest.mark.parametrize("count", [999, 1_000, 2_500])
def test_flushing_leaves_nothing_to_replay_and_loses_nothing(tmp_path: Path, count: int) -> None:
    view = DenseView(tmp_path / "dense", DenseSettings(sync_threshold=1_000))
    view.add(ids(count), vectors(count))
    view.flush()
    view.close()
    again = DenseView(tmp_path / "dense", DenseSettings(sync_threshold=1_000))
    if count >= 1_000:
        assert log_length(tmp_path / "dense") <= 1_000  # and these delete ids that never were
        assert len(list((tmp_path / "dense").glob("*/index_metadata.pickle"))) == 1
    assert [found[0] for found in again.search_many(vectors(count), 1)] == ids(count)
    assert len(again) == count
    again.close()


def test_a_reader_that_closes_writes_nothing(tmp_path: Path) -> None:
    settings = DenseSettings(sync_threshold=100_000)
    view = DenseView(tmp_path / "dense", settings)
    view.add(ids(1_500), vectors(1_500))
    view._wrote = False  # as one that was killed
    view.close()
    before = log_length(tmp_path / "dense")
    assert before >= 1_500
    DenseView(tmp_path / "dense", settings).close()
    assert log_length(tmp_path / "dense") == before


def test_two_views_in_one_process_do_not_share_what_they_once_read(tmp_path: Path) -> None:
    view = DenseView(tmp_path / "dense")
    view.add(ids(10), vectors(10))
    other = DenseView(tmp_path / "dense")
    view.delete(ids(5))
    assert len(view) == 5
    other.close()
    again = DenseView(tmp_path / "dense")
    assert set(again.search(vectors(10)[0], 10)) == set(ids(10)[5:])
    again.close()
    view.close()


def test_opening_waits_for_whoever_is_at_the_files_and_then_says_so(tmp_path: Path) -> None:
    view = DenseView(tmp_path / "dense", wait=0.1)
    with FileLock(tmp_path / "dense" / LOCK):
        with pytest.raises(IndexLockedError):
            DenseView(tmp_path / "dense", wait=0.1)
        with pytest.raises(IndexLockedError):
            view.add(ids(1), vectors(1))
    view.add(ids(1), vectors(1))
    view.close()


def test_a_file_that_is_no_database_is_said_to_be_corrupt(tmp_path: Path) -> None:
    (tmp_path / "dense").mkdir()
    (tmp_path / "dense" / "chroma.sqlite3").write_bytes("이것은 데이터베이스가 아니다".encode() * 100)
    with pytest.raises(IndexCorruptError, match="rebuild"):
        DenseView(tmp_path / "dense")


def test_settings_from_the_environment_cannot_send_an_embedded_view_to_a_server(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path; from kure_rag.index.dense import DenseView\n"
        "view = DenseView(Path(sys.argv[1])); view.add(['a'], np.ones((1, 4), np.float32)); print(len(view))\n"
        "view.close()"
    )
    away = {
        "CHROMA_API_IMPL": "chromadb.api.fastapi.FastAPI",
        "CHROMA_SERVER_HOST": "192.0.2.1",
        "CHROMA_OTEL_COLLECTION_ENDPOINT": "http://192.0.2.1:4317",
        "ANONYMIZED_TELEMETRY": "True",
    }
    env = {**os.environ, **away, "PYTHONPATH": str(Path(sys.modules["kure_rag"].__file__ or "").parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "dense")], env=env, cwd=tmp_path, capture_output=True, timeout=120
    )
    assert done.stdout.strip() == b"1", done.stderr.decode()[-500:]


# On a server


def test_a_server_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(DenseServerError, match=r"does not answer.*chroma run") as caught:
        DenseView(tmp_path / "dense", DenseSettings(url=url, token="abc-secret"))
    assert "secret" not in str(caught.value)
    assert caught.value.url == url


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"<h1>Not Found</h1>" * 100),
        (200, b"<h1>It works</h1>"),
        (200, b"{}"),
        (200, b"[]"),
        (401, b'{"error": "Unauthorized"}'),
        (500, b"oops"),
    ],
)
def test_another_server_at_that_address_is_told_from_chroma(tmp_path: Path, status: int, body: bytes) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Nothing on standard error."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(
            DenseServerError, match=r"no Chroma server answers.*check the address and the token"
        ) as caught:
            DenseView(tmp_path / "dense", DenseSettings(url=url))
        server.shutdown()
    assert caught.value.url == url
    assert len(str(caught.value)) < 500


def test_a_server_that_restarts_keeps_the_vectors_and_one_that_stops_is_an_error(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    server.start()
    try:
        view = DenseView(tmp_path / "dense", DenseSettings(url=server.url))
        view.add(ids(20), vectors(20))
        server.stop()
        with pytest.raises(DenseServerError, match="does not answer"):
            view.search(vectors(1)[0], 1)
        server.start()
        assert view.search(vectors(20)[7], 1) == ["조각-7"]
        view.close()
    finally:
        server.stop()


def test_a_collection_that_is_gone_is_not_made_anew_in_silence(tmp_path: Path, server: Server) -> None:
    settings = DenseSettings(url=server.url, collection="사라질 것")
    view = DenseView(tmp_path / "dense", settings)
    view.add(ids(3), vectors(3))
    client = server.client()
    client.delete_collection(view._collection.name)
    for call in (lambda: view.search(vectors(1)[0], 1), lambda: DenseView(tmp_path / "dense", settings)):
        with pytest.raises(IndexCorruptError, match=r"gone from the server.*rebuild"):
            call()
    view.close()


def test_two_indexes_cannot_take_the_same_collection(tmp_path: Path, server: Server) -> None:
    settings = DenseSettings(url=server.url, collection="shared")
    DenseView(tmp_path / "one" / "dense", settings).close()
    with pytest.raises(KureIndexError, match=r"belongs to another index.*another name"):
        DenseView(tmp_path / "two" / "dense", settings)
    DenseView(tmp_path / "one" / "dense", settings).close()
    drop(tmp_path / "one" / "dense", settings)
    DenseView(tmp_path / "three" / "dense", settings).close()


def test_a_rebuilt_view_has_a_collection_of_its_own(tmp_path: Path, server: Server) -> None:
    settings = DenseSettings(url=server.url, collection="rebuilt")
    old, new = DenseView(tmp_path / "dense", settings), DenseView(tmp_path / "dense-1", settings)
    old.add(ids(3), vectors(3))
    assert len(new) == 0
    old.close()
    new.close()
    drop(tmp_path / "dense", settings)
    assert {found.name for found in server.client().list_collections()} >= {"rebuilt-1"}
    assert "rebuilt" not in {found.name for found in server.client().list_collections()}


def test_a_view_is_not_looked_for_where_it_is_not_kept(tmp_path: Path, server: Server) -> None:
    away = DenseSettings(url=server.url, collection="away")
    DenseView(tmp_path / "here").close()
    DenseView(tmp_path / "there", away).close()
    elsewhere = DenseSettings(url="http://127.0.0.1:1", collection="away")
    with pytest.raises(IndexCorruptError, match=r"are at http.*the settings say http://127\.0\.0\.1:1;"):
        DenseView(tmp_path / "there", elsewhere)
    for folder, settings in ((tmp_path / "here", away), (tmp_path / "there", DenseSettings())):
        with pytest.raises(IndexCorruptError, match=r"not kept where the settings say.*rebuild"):
            DenseView(folder, settings)


def test_token_and_headers_are_sent_and_never_shown_logged_or_stored(
    tmp_path: Path, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = DenseSettings(url=server.url, collection="token", token="abc-secret", headers={"X-Team": "def-secret"})
    view = DenseView(tmp_path / "dense", settings)
    sent = view._client._server._session.headers  # type: ignore[attr-defined]
    assert (sent["Authorization"], sent["X-Team"]) == ("Bearer abc-secret", "def-secret")
    view.add(ids(1), vectors(1))
    view.close()
    shown = repr(settings) + str(settings.to_dict()) + caplog.text
    stored = "".join(file.read_text("utf-8", "replace") for file in tmp_path.rglob("*") if file.is_file())
    assert "secret" not in shown + stored


# Names and metadata


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"url": "localhost:8000"}, "http://host:8000"),
        ({"url": "http://user:pass@host:8000"}, "user name or password"),
        ({"ef_search": 0}, "ef_search"),
        ({"sync_threshold": 1}, "sync_threshold"),
        ({"collection": " "}, "empty"),
        ({"token": "비밀표"}, "ASCII"),
        ({"headers": {"X-Team": "a\r\nX-Other: b"}}, "ASCII"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        DenseSettings(**changed)
    assert not any(secret in str(caught.value) for secret in ("pass@", "비밀표", "X-Other"))


@given(st.text(min_size=1).filter(str.strip), st.text(min_size=1).filter(str.strip))
def test_collection_names_are_what_chroma_allows_and_differ_where_names_do(one: str, other: str) -> None:
    import re
    import unicodedata

    first, second = collection_name(one), collection_name(other)
    assert re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,510}[a-zA-Z0-9]", first)
    assert (first == second) == (unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other))


def test_a_name_that_chroma_allows_stays_itself() -> None:
    assert collection_name("kure_rag") == "kure_rag"
    assert collection_name("법령집").startswith("kure-rag-")
    assert collection_name("law 법령").startswith("law-")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), values, max_size=4))
def test_flat_metadata_is_what_chroma_accepts(metadata: dict[str, Any]) -> None:
    from chromadb.api.types import validate_metadata

    flat = flatten(metadata)
    if flat:
        validate_metadata(flat)
    assert flatten(flat) == flat
