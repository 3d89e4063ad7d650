"""A user dictionary for `kure-rag chunks` and in an ingest.yaml: chunks are cut where the index's own analysis cuts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import call

from kure_rag import KureIndex

NAME = "가자!여행적금"  # without the dictionary a sentence ends behind its second letter
TEXT = "\n".join(
    f"제{i}조 {NAME}은 매월 같은 금액을 {i}년 동안 넣는 상품이며, {NAME}의 이자는 만기에 한꺼번에 준다."
    for i in range(1, 9)
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "상품.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "용어.txt").write_text(f"# 상품 이름\n{NAME}\tNNP\t5\n", encoding="utf-8")
    return tmp_path


def chunks(folder: Path, *more: str | Path) -> list[str]:
    said = call("chunks", folder / "상품.txt", "--workers", "1", "--domain", "general", "--out", "-", *more)
    assert said.status == 0, said.err
    return [json.loads(line)["text"] for line in said.out.splitlines()]


def test_chunks_end_where_sentences_end_by_the_dictionary(folder: Path) -> None:
    given = ("--target", "20", "--longest", "60")
    without = chunks(folder, *given)
    with_it = chunks(folder, *given, "--user-dictionary", folder / "용어.txt")
    assert any(text.endswith("가자!") for text in without)
    assert not any(text.endswith("가자!") for text in with_it)


def test_chunks_are_those_of_an_index_with_the_same_dictionary(folder: Path, tiny_model: Path) -> None:
    recipe = (
        "paths: [상품.txt]\nuser_dictionary: 용어.txt\nchunk: {modules: [{module_type: auto, target: 20, longest: 60}]}"
    )
    (folder / "ingest.yaml").write_text(recipe, encoding="utf-8")
    made = ("ingest", "--config", folder / "ingest.yaml", "--index", folder / "ix", "--model", tiny_model)
    said = call(*made, "--workers", "1", "--domain", "general")
    assert said.status == 0, said.err
    with KureIndex.open(folder / "ix", embeddings=str(tiny_model)) as index:
        stored = [chunk.text for document in index.documents() for chunk in index.chunks(document.id)]
        assert index.search(NAME, mode="lexical", highlight=True, k=1)[0].highlights
    assert stored == chunks(folder, "--target", "20", "--longest", "60", "--user-dictionary", folder / "용어.txt")
    assert call("info", "--index", folder / "ix", "--json").json()["user_words"] == 1


def test_the_dictionary_of_the_command_line_wins_and_another_one_is_refused(folder: Path, tiny_model: Path) -> None:
    (folder / "ingest.yaml").write_text("paths: [상품.txt]\nuser_dictionary: 용어.txt", encoding="utf-8")
    (folder / "다른.txt").write_text("여행적금\n매월금액\n", encoding="utf-8")
    made = ("ingest", "--config", folder / "ingest.yaml", "--index", folder / "ix", "--model", tiny_model)
    assert call(*made, "--workers", "1", "--user-dictionary", folder / "다른.txt").status == 0
    assert call("info", "--index", folder / "ix", "--json").json()["user_words"] == 2
    refused = call(*made, "--workers", "1")
    assert (refused.status, "tokenizer" in refused.err) == (1, True)


def test_a_bad_dictionary_is_named_before_anything_is_read(folder: Path) -> None:
    (folder / "용어.txt").write_text("중도해지이율\tNOUN\n", encoding="utf-8")
    said = call("chunks", folder / "상품.txt", "--user-dictionary", folder / "용어.txt", "--out", folder / "out.jsonl")
    assert said.status == 1
    assert "line 1: no tag named 'NOUN'" in said.err
    assert not (folder / "out.jsonl").exists()


@pytest.mark.parametrize("command", ["chunks", "ingest"])
def test_help_shows_a_dictionary(command: str) -> None:
    said = call(command, "--help").out
    assert "--user-dictionary 용어.txt" in said
    assert "\n  중도해지이율\n" in said
