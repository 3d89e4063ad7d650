"""``kure-rag leaderboard``: what it refuses, what it warns of, how Streamlit is told to keep quiet."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from commands import call

from kure_rag.cli.main import build_parser
from kure_rag.leaderboard import board as board_module
from kure_rag.leaderboard.server import SCRIPT, address, streamlit_options
from kure_rag.leaderboard.settings import HOST, PORT, LeaderboardSettings


def test_the_commands_defaults_are_the_settings() -> None:
    from kure_rag.cli import leaderboard

    assert (leaderboard._HOST, leaderboard._PORT) == (HOST, PORT)
    options = build_parser().parse_args(["leaderboard", "--runs", "a", "b", "--runs", "c"])
    assert options.runs == [Path("a"), Path("b"), Path("c")]
    assert options.lang == LeaderboardSettings().language
    assert address(LeaderboardSettings()) == f"http://127.0.0.1:{PORT}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "70000"], "65535"),
        (["--lang", "fr"], "invalid choice"),
        (["--html", "a.html", "--port", "9000"], "--port belongs to the page in the browser"),
        (["--html", "a.html", "--host", "0.0.0.0"], "--host belongs to the page in the browser"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(arguments: list[str], said: str) -> None:
    done = call("leaderboard", *arguments)
    assert done.status == 2
    assert said in done.err


def test_a_port_in_use_is_said() -> None:
    pytest.importorskip("streamlit", reason="the extra leaderboard is not installed")
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = call("leaderboard", "--port", str(port))
    assert done.status == 1
    assert f"port {port}" in done.err


def test_a_file_in_no_folder_is_refused_and_bad_runs_are_named_first(tmp_path: Path) -> None:
    done = call("leaderboard", "--runs", tmp_path / "없음", "--html", tmp_path / "없는 폴더" / "a.html")
    assert done.status == 1
    assert f"kure-rag leaderboard: {tmp_path / '없음'}: no such folder" in done.err
    assert "there is no folder" in done.err


@pytest.mark.parametrize(
    ("missing", "arguments"),
    [("streamlit", []), ("vl_convert", ["--html", "a.html"]), ("altair", ["--html", "a.html"])],
)
def test_without_a_package_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, arguments: list[str]
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *at: None if name == missing else found(name, *at))
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.chdir(tmp_path)
    done = call("leaderboard", *arguments)
    assert done.status == 1
    assert 'pip install "kure-rag[leaderboard]"' in done.err
    assert not list(tmp_path.iterdir())


def test_the_help_and_the_module_import_nothing_heavy() -> None:
    code = (
        "import sys; from kure_rag.cli.main import build_parser; build_parser(); import kure_rag.leaderboard\n"
        "heavy = {'streamlit', 'altair', 'pandas', 'vl_convert', 'torch', 'scipy', 'numpy'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_streamlit_knows_these_options_and_is_told_to_send_nothing_anywhere() -> None:
    config = pytest.importorskip("streamlit.config", reason="the extra leaderboard is not installed")
    options = streamlit_options(LeaderboardSettings(port=9000))
    for name in options:
        config.get_option(name.replace("_", "."))  # raises for a name that it does not know
    assert options["browser_gatherUsageStats"] is False
    assert (options["server_address"], options["server_port"]) == (HOST, 9000)
    assert "theme_base" not in options, "light or dark is the browser's choice"


def test_streamlit_finds_nothing_to_import_beside_its_script() -> None:
    assert [path.name for path in SCRIPT.parent.glob("*.py")] == [SCRIPT.name]
    assert Path(board_module.__file__).parent == SCRIPT.parents[1]
