"""A profile of one's own in the folder that a command is given in, as the installed program finds it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support import numbered_pdf

PROFILE = """
from kure_rag.chunk import Passage

class Whole:
    name = "whole"
    version = "1"

    def passages(self, document, sentences, settings):
        return [Passage(0, len(document.text.rstrip()), (document.title,), "whole")]

WHOLE = Whole()
"""


def prepared(folder: Path) -> Path:
    (folder / "own_profiles_here.py").write_text(PROFILE, encoding="utf-8")
    (folder / "broken_profiles_here.py").write_text("WHOLE = whole", encoding="utf-8")
    numbered_pdf(folder, 1)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return prepared(tmp_path)


def installed(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """As the console script runs it: the working folder is not in ``sys.path``."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "kure_rag", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_chunks_by_a_profile_in_the_working_folder(folder: Path) -> None:
    done = installed(folder, "chunks", ".", "--profile", "own_profiles_here:WHOLE", "--workers", 1, "--out", "-")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["kind"] for line in done.stdout.splitlines()] == ["whole"]


def test_an_index_by_a_profile_in_the_working_folder(folder: Path) -> None:
    text = "paths: [.]\nchunk: {modules: [{module_type: 'own_profiles_here:WHOLE'}]}"
    (folder / "ingest.yaml").write_text(text, encoding="utf-8")
    made = ("--config", "ingest.yaml", "--index", "ix", "--model", "static-ko", "--workers", 1)
    done = installed(folder, "ingest", *made)
    assert done.returncode == 0, done.stdout + done.stderr
    done = installed(folder, "export", "--index", "ix", "--out", "out")
    assert done.returncode == 0, done.stderr
    (folder / "elsewhere").mkdir()
    done = installed(folder / "elsewhere", "export", "--index", "../ix", "--out", "out")
    assert done.returncode == 1
    assert "there is no module own_profiles_here in" in done.stderr
    assert "Traceback" not in done.stderr


WRONG = {
    "own_profiles_here:Whole": "Whole is a class; give an instance",
    "own_profiles_here:HALF": "has no attribute 'HALF'",
    "own_profiles_here:Passage.x": "check the NAME",
    "own_profiles_here:__name__": "is no Profile: it needs name, version and passages()",
    "broken_profiles_here:WHOLE": "the module broken_profiles_here cannot be imported (NameError: name 'whole'",
    "nowhere.profiles:WHOLE": "there is no module nowhere in",
}
# All of them in one process, each command as the console script runs it.
ALL = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from kure_rag.cli import main

def told(*arguments):
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as err:
        try:
            status = main(arguments)
        except SystemExit as stopped:
            status = stopped.code
    return status, err.getvalue()

for name in sys.argv[1:]:
    chunks = told("chunks", ".", "--profile", name, "--out", "-")
    Path("ingest.yaml").write_text(f"chunk:\\n  modules:\\n    - module_type: {name}", encoding="utf-8")
    print(json.dumps([name, chunks, told("ingest", ".", "--config", "ingest.yaml", "--index", "ix")]))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[int, str]]]:
    """How ``chunks`` and ``ingest`` end with each wrong name, and what they print."""
    folder = prepared(tmp_path_factory.mktemp("wrong"))
    done = subprocess.run(
        [sys.executable, "-P", "-c", ALL, *WRONG], cwd=folder, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return {name: said for name, *said in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize(("name", "said"), WRONG.items())
def test_what_is_wrong_with_a_profile_is_said(told: dict[str, list[tuple[int, str]]], name: str, said: str) -> None:
    (of_chunks, printed), (of_ingest, printed_too) = told[name]
    assert of_chunks == 2
    assert said in printed
    assert of_ingest == 1
    assert f"ingest.yaml line 3: chunk.modules[0].module_type chunk profile '{name}'" in printed_too
    assert said in printed_too


def test_a_wrong_profile_ends_the_installed_program(folder: Path) -> None:
    done = installed(folder, "chunks", ".", "--profile", "own_profiles_here:Whole", "--out", "-")
    assert done.returncode == 2
    assert WRONG["own_profiles_here:Whole"] in done.stderr
    assert "Traceback" not in done.stderr
