"""``kure-rag app``: what it refuses before it opens anything, and how Streamlit is told to keep quiet."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from commands import call

from kure_rag.app.server import SCRIPT, address, check, streamlit_options
from kure_rag.app.settings import HOST, LANGUAGES, PORT, UPLOAD_MEGABYTES, AppSettings
from kure_rag.cli.main import build_parser
from kure_rag.errors import ConfigError


def test_the_commands_defaults_are_the_settings() -> None:
    options = build_parser().parse_args(["app", "--index", "ix"])
    assert (options.host, options.port, options.upload_limit) == (HOST, PORT, UPLOAD_MEGABYTES)
    assert options.lang == AppSettings().language
    assert HOST == "127.0.0.1"
    for language in LANGUAGES:
        assert build_parser().parse_args(["app", "--index", "ix", "--lang", language]).lang == language


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "qwen3"], "--llm URL"),
        (["--api-key-env", "MY_KEY"], "--llm URL"),
        (["--files", "there-is-no-such-folder"], "no such folder"),
        (["--upload-limit", "0"], "at least 1 megabyte"),
        (["--lang", "fr"], "invalid choice"),
        (["--port", "70000"], "65535"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = call("app", "--index", tmp_path / "ix", *arguments)
    assert done.status == 2
    assert said in done.err
    assert not (tmp_path / "ix").exists()


def test_a_port_in_use_is_said_before_an_index_is_made(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = call("app", "--index", tmp_path / "ix", "--port", str(port))
        assert done.status == 1
        assert f"port {port}" in done.err
        assert "--port" in done.err
        with pytest.raises(ConfigError, match="choose another"):
            check(AppSettings(port=port))
    assert not (tmp_path / "ix").exists()


def test_a_free_port_is_fine() -> None:
    pytest.importorskip("streamlit", reason="the extra app is not installed")
    check(AppSettings(port=free_port()))


def test_without_streamlit_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "streamlit" else real(name, *more)
    )
    done = call("app", "--index", tmp_path / "ix")
    assert done.status == 1
    assert 'pip install "kure-rag[app]"' in done.err
    assert not (tmp_path / "ix").exists()


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:9000"), ("0.0.0.0", "http://localhost:9000"), ("::1", "http://[::1]:9000")],
)
def test_the_address_to_open(host: str, url: str) -> None:
    assert address(AppSettings(host=host, port=9000)) == url


def test_streamlit_takes_these_options_and_sends_nothing_anywhere(tmp_path: Path) -> None:
    pytest.importorskip("streamlit", reason="the extra app is not installed")
    code = (
        "import json; from streamlit import config; from streamlit.web import bootstrap\n"
        "from kure_rag.app.server import streamlit_options; from kure_rag.app.settings import AppSettings\n"
        "options = streamlit_options(AppSettings(upload_megabytes=7))\n"
        "bootstrap.load_config_options(flag_options=options)\n"
        "print(json.dumps({name: config.get_option(name.replace('_', '.', 1)) for name in options}))"
    )
    environment = {**os.environ, "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "true", "STREAMLIT_SERVER_ADDRESS": "0.0.0.0"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path, env=environment
    )
    assert json.loads(done.stdout) == streamlit_options(AppSettings(upload_megabytes=7))
    options = json.loads(done.stdout)
    assert options["browser_gatherUsageStats"] is False
    assert options["server_address"] == "127.0.0.1"
    assert options["server_maxUploadSize"] == 7
    assert options["logger_hideWelcomeMessage"] is True
    assert "localhost" in options["server_allowedHosts"]


def test_other_hosts_names_are_taken_where_others_are_to_reach_it() -> None:
    assert streamlit_options(AppSettings(host="0.0.0.0"))["server_allowedHosts"] == []


def test_streamlit_finds_nothing_to_import_beside_its_script() -> None:
    assert [path.name for path in SCRIPT.parent.glob("*.py")] == [SCRIPT.name]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--llm", "foo"], "no http or https URL"),
        (["--llm", "http://localhost:8000/v1", "--api-key-env", "KURE_TEST_NO_KEY"], "KURE_TEST_NO_KEY is not set"),
        (["--llm", "http://localhost:8000/v1?key=geheim"], "a query or a fragment"),
    ],
)
def test_a_chat_server_that_cannot_be_one_is_refused_before_an_index_is_made(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    pytest.importorskip("streamlit", reason="the extra app is not installed")
    done = call("app", "--index", tmp_path / "ix", "--embeddings", "static-ko", *arguments)
    assert done.status == 1
    assert said in done.err
    assert "geheim" not in done.err
    assert not (tmp_path / "ix").exists()


def test_a_mistyped_index_is_an_error_and_no_new_one(tmp_path: Path) -> None:
    pytest.importorskip("streamlit", reason="the extra app is not installed")
    done = call("app", "--index", tmp_path / "오타", "--port", str(free_port()))
    assert done.status == 1
    assert "no index there" in done.err
    assert "--embeddings NAME" in done.err
    assert not (tmp_path / "오타").exists()


# Whatever connects or asks for an address outside this machine is told and refused.
_WATCHED = """
import sys

def watch(event, given):
    there = given[1] if event == "socket.connect" else given[:2] if event == "socket.getaddrinfo" else None
    if isinstance(there, tuple) and there[0] not in ("127.0.0.1", "localhost", "::1", None):
        print("OUTSIDE", event, there, file=sys.stderr, flush=True)
        raise OSError("no network here")

sys.addaudithook(watch)
from kure_rag.cli import main
raise SystemExit(main(sys.argv[1:]))
"""


def test_another_sites_page_is_turned_away_and_nothing_is_looked_up_for_it(tmp_path: Path) -> None:
    pytest.importorskip("streamlit", reason="the extra app is not installed")
    port = free_port()
    options = ["app", "--index", str(tmp_path / "ix"), "--embeddings", "static-ko", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-c", _WATCHED, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    said = ""
    try:
        for line in process.stdout:
            said += line
            if "server started" in line:
                break
        else:
            raise AssertionError(f"the app did not start: {said}")
        own, foreign = f"http://127.0.0.1:{port}", "http://evil.example"
        assert web_socket(port, origin=own).startswith("HTTP/1.1 101")
        assert web_socket(port, origin=foreign).startswith("HTTP/1.1 403")
    finally:
        process.send_signal(signal.SIGINT)
        said += process.communicate(timeout=60)[0]
    assert process.returncode in (0, 130)
    assert "a new index, with the embedding model static-ko" in said
    assert "OUTSIDE" not in said


def free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        return int(free.getsockname()[1])


def web_socket(port: int, *, origin: str) -> str:
    """What the app answers to a page that opens its web socket: the first line."""
    asked = (
        "GET /_stcore/stream HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        f"Origin: {origin}",
    )
    with socket.create_connection((HOST, port), timeout=30) as connection:
        connection.sendall("\r\n".join([*asked, "", ""]).encode())
        return connection.recv(4096).decode().partition("\r\n")[0]
