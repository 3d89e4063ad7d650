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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own_profiles_here.py").write_text(PROFILE, encoding="utf-8")
    (tmp_path / "broken_profiles_here.py").write_text("WHOLE = whole", encoding="utf-8")
    numbered_pdf(tmp_path, 1)
    return tmp_path


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


def test_an_index_by_a_profile_in_the_working_folder(folder: Path, tiny_model: Path) -> None:
    text = "paths: [.]\nchunk: {modules: [{module_type: 'own_profiles_here:WHOLE'}]}"
    (folder / "ingest.yaml").write_text(text, encoding="utf-8")
    done = installed(folder, "ingest", "--config", "ingest.yaml", "--index", "ix", "--model", tiny_model)
    assert done.returncode == 0, done.stdout + done.stderr
    done = installed(folder, "export", "--index", "ix", "--out", "out")
    assert done.returncode == 0, done.stderr
    (folder / "elsewhere").mkdir()
    done = installed(folder / "elsewhere", "export", "--index", "../ix", "--out", "out")
    assert done.returncode == 1
    assert "there is no module own_profiles_here in" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("own_profiles_here:Whole", "Whole is a class; give an instance"),
        ("own_profiles_here:HALF", "has no attribute 'HALF'"),
        ("own_profiles_here:Passage.x", "check the NAME"),
        ("own_profiles_here:__name__", "is no Profile: it needs name, version and passages()"),
        ("broken_profiles_here:WHOLE", "the module broken_profiles_here cannot be imported (NameError: name 'whole'"),
        ("nowhere.profiles:WHOLE", "there is no module nowhere in"),
    ],
)
def test_what_is_wrong_with_a_profile_is_said(folder: Path, name: str, said: str) -> None:
    done = installed(folder, "chunks", ".", "--profile", name, "--out", "-")
    assert done.returncode == 2
    assert said in done.stderr
    (folder / "ingest.yaml").write_text(f"chunk:\n  modules:\n    - module_type: {name}", encoding="utf-8")
    done = installed(folder, "ingest", ".", "--config", "ingest.yaml", "--index", "ix")
    assert done.returncode == 1
    assert f"ingest.yaml line 3: chunk.modules[0].module_type chunk profile '{name}'" in done.stderr
    assert said in done.stderr
