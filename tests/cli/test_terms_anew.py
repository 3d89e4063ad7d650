"""The commands for an index of another version of the analyser, as a user types them."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from commands import Said, call
from support import HashEmbedder

from kure_rag import KureIndex
from kure_rag.read import Record

OLDER = "kiwi/0.20.0/model-0.20.0/content-3"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a model that only its maker has, and terms of an older analyser."""
    path = tmp_path_factory.mktemp("made") / "index"
    with KureIndex.open(path, embeddings=HashEmbedder()) as index:
        index.add_records(
            [Record("r0", "", "돌봄크레딧적금의 만기는 3년이다."), Record("r1", "", "연차휴가는 15일이다.")]
        )
        catalog = index._store.catalog
        index._store.reanalyse(
            lambda document, chunks: [chunk.text.split() for chunk in chunks],
            fingerprint={**catalog.get("fingerprint"), "tokenizer": OLDER},
        )
    return path


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "index"))


def failure(said: Said) -> tuple[str, str]:
    assert said.status != 0
    error = said.json()["error"]
    return error["type"], error["message"]


def test_a_search_is_told_the_command_that_helps_and_the_command_helps(path: Path) -> None:
    kind, message = failure(call("search", "연차휴가", "--mode", "lexical", "--index", path, "--json"))
    assert kind == "FingerprintMismatchError"
    assert f"kure-rag rebuild --terms --index {path}" in message
    assert call("rebuild", "--terms", "--index", path, "--json").json()["rebuilt"] == ["terms", "lexical"]
    hits = call("search", "연차휴가", "--mode", "lexical", "--index", path, "--json").json()["hits"]
    assert [hit["source"] for hit in hits] == ["r1"]
    assert call("rebuild", "--terms", "--index", path).out == f"{path}: has these terms already\n"
    assert call("verify", "--index", path).status == 0


def test_a_dictionary_comes_with_new_terms(path: Path, tmp_path: Path) -> None:
    words = tmp_path / "용어.txt"
    words.write_text("돌봄크레딧적금\n", encoding="utf-8")
    assert call("rebuild", "--terms", "--user-dictionary", words, "--index", path).out.endswith("made all terms anew\n")
    assert call("info", "--index", path, "--json").json()["user_words"] == 1
    kind, message = failure(call("rebuild", "--user-dictionary", words, "--index", path, "--json"))
    assert (kind, "--terms" in message) == ("ConfigError", True)
    assert call("rebuild", "--terms", "--view", "dense", "--index", path).status == 2


def test_what_looks_after_an_index_asks_neither_for_its_model_nor_for_its_terms(path: Path, tmp_path: Path) -> None:
    told = call("info", "--index", path, "--json").json()
    assert told["fingerprint"]["tokenizer"] == OLDER
    assert [row["source"] for row in told["documents_list"]] == ["r0", "r1"]
    assert call("verify", "--index", path, "--json").json()["ok"]
    assert call("backup", tmp_path / "copy.kure", "--index", path).status == 0
    assert call("delete", "r0", "--index", path).status == 0
    assert call("compact", "--index", path).status == 0
    assert call("rebuild", "--view", "lexical", "--index", path).status == 0
    assert call("info", "--index", path, "--json").json()["documents"] == 1

    kind, message = failure(call("restore", tmp_path / "copy.kure", "--index", tmp_path / "new", "--json"))
    assert kind == "FingerprintMismatchError"
    assert "kure-rag restore --terms" in message
    assert not (tmp_path / "new").exists()
    said = call("restore", tmp_path / "copy.kure", "--terms", "--index", tmp_path / "new", "--json").json()
    assert said["documents"] == 2
    assert call("search", "적금", "--mode", "lexical", "--index", tmp_path / "new", "--json").json()["hits"]


def test_an_index_without_documents_says_that_there_was_nothing_to_analyse(tmp_path: Path) -> None:
    path, words = tmp_path / "index", tmp_path / "용어.txt"
    words.write_text("돌봄크레딧적금\n", encoding="utf-8")
    KureIndex.open(path, embeddings=HashEmbedder()).close()
    said = call("rebuild", "--terms", "--user-dictionary", words, "--index", path)
    assert said.out.startswith(f"{path}: holds no documents, so there was nothing to analyse")
    assert "1 words" in said.out
    assert call("rebuild", "--terms", "--index", path, "--json").json()["rebuilt"] == []
    assert call("info", "--index", path, "--json").json()["user_words"] == 1


def test_a_damaged_catalog_is_not_to_be_mended_by_a_rebuild(path: Path) -> None:
    with sqlite3.connect(path / "catalog.sqlite3") as db:
        db.execute("UPDATE chunks SET text = text || ' ' WHERE row = 1")
    said = call("verify", "--index", path)
    assert said.status == 1
    assert "catalog: " in said.out
    assert "kure-rag restore" in said.out
    assert "ingest the files into a new folder" in said.out
    assert "kure-rag rebuild" not in said.out


SEARCH = """
import sys
from kure_rag.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo-terminals")
@pytest.mark.parametrize("lost", [False, True])
def test_a_terminal_shows_a_bar_only_while_a_view_is_rebuilt(path: Path, lost: bool) -> None:
    import pty

    assert call("rebuild", "--terms", "--index", path).status == 0
    if lost:
        shutil.rmtree(next(path.glob("lexical-*")))
    ours, theirs = pty.openpty()
    arguments = ["search", "연차휴가", "--mode", "lexical", "--index", str(path)]
    done = subprocess.Popen([sys.executable, "-c", SEARCH, *arguments], stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # what the end of a terminal is on Linux
        while part := os.read(ours, 1 << 16):
            shown += part
    os.close(ours)
    out, _ = done.communicate(timeout=60)
    assert (done.returncode, "연차휴가" in out.decode()) == (0, True), shown.decode()
    assert (b"rebuilding lexical" in shown) is lost
    assert (b"\x1b[?25l" in shown) is (b"\x1b[?25h" in shown) is lost  # the cursor is hidden, and comes back
