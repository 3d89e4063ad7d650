"""Text files beside PDF files, from the command line into an index."""

import json
import re
from pathlib import Path

import pytest
from commands import call
from support import numbered_pdf

from kure_rag import KureIndex
from kure_rag.autorag import read_recipe

NOTES = "\n\n".join(f"## {i}월 소식\n\n도서관은 {i}월 {i + 3}일에 새 책 {i * 7}권을 들였다." * 2 for i in range(1, 10))
RULES = (
    "자료 이용 규정\n\n제1조(목적) 이 규정은 도서관 자료의 이용을 정한다.\n제2조(대출) 책은 두 주 동안 빌릴 수 있다.\n"
)
RECIPE = """\
paths: [자료]
workers: 1
parse:
  modules:
    - module_type: pdf
      file_type: pdf
      tables: false
    - module_type: text
      file_type: all_files
      limits: {max_chars: 2000}
chunk:
  modules:
    - module_type: auto
    - module_type: general
      file_type: md
      target: 90
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = tmp_path / "자료"
    files.mkdir()
    numbered_pdf(files, 1)
    (files / "소식.md").write_text(f"# 도서관 소식\n\n{NOTES}\n", encoding="utf-8")
    (files / "이용규정.txt").write_bytes(RULES.encode("cp949"))
    (files / "깨진.txt").write_bytes(RULES.encode("utf-8")[:-3] + b"\n")
    (files / "긴글.txt").write_text("책을 빌린다. " * 300, encoding="utf-8")
    (files / "사진.md").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
    (files / "빈글.md").write_bytes(b"")
    (tmp_path / "ingest.yaml").write_text(RECIPE, encoding="utf-8")
    return tmp_path


def test_a_folder_of_pdf_and_text_files_by_recipe(folder: Path, tiny_model: Path) -> None:
    arguments = ("ingest", "--config", folder / "ingest.yaml", "--index", folder / "ix", "--model", tiny_model)
    told = call(*arguments, "--json").json()
    rows = {row["source"]: row for row in told["rows"]}
    assert list(rows) == sorted(rows)
    assert {name for name, row in rows.items() if row["status"] == "added"} == {
        "보험_규정_001.pdf",
        "소식.md",
        "이용규정.txt",
    }
    assert "UTF-8 with a byte that belongs to no character (byte " in rows["깨진.txt"]["reason"]
    assert "2,400 characters, over the limit of 2,000" in rows["긴글.txt"]["reason"]
    assert "a NUL at byte 9" in rows["사진.md"]["reason"]
    assert "without any text" in rows["빈글.md"]["reason"]
    with KureIndex.open(folder / "ix", embeddings=str(tiny_model)) as index:
        by_source = {row.source: index.document(row.id) for row in index.documents()}
        rules, notes = by_source["이용규정.txt"], by_source["소식.md"]
        assert rules is not None
        assert notes is not None
        assert (rules.title, rules.domain, rules.text) == ("자료 이용 규정", "legal", RULES)
        assert rules.metadata["modified"]
        assert (notes.title, notes.domain) == ("도서관 소식", "general")
        for document in (rules, notes):
            chunks = index.chunks(document.id)
            assert all(document.text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
            assert all(chunk.pages == (1,) for chunk in chunks)
        assert max(len(chunk.text) for chunk in index.chunks(notes.id)) <= 180
        assert [chunk.metadata["article"] for chunk in index.chunks(rules.id)[1:]] == ["제1조", "제2조"]
        hit = index.search("책은 며칠 동안 빌릴 수 있나요?", k=1, mode="lexical")[0]
        assert hit.citation().startswith("이용규정.txt p.1 ")

    again = call(*arguments, "--json").json()
    assert (again["added"], again["unchanged"]) == (0, 3)
    exported = call("export", "--format", "autorag", "--index", folder / "ix", "--out", folder / "out", "--json")
    assert exported.status == 0, exported.err
    assert exported.json()["documents"] == 3


def test_without_a_recipe_folders_give_pdf_files_and_text_files_come_by_name(folder: Path, tiny_model: Path) -> None:
    files = folder / "자료"
    arguments = ("ingest", files, files / "소식.md", "--index", folder / "ix", "--model", tiny_model, "--json")
    told = call(*arguments).json()
    assert [(row["source"], row["status"]) for row in told["rows"]] == [
        ("보험_규정_001.pdf", "added"),
        ("소식.md", "added"),
    ]


def test_chunks_of_a_text_file(folder: Path) -> None:
    said = call("chunks", folder / "자료/이용규정.txt", "--out", "-")
    assert said.status == 0, said.err
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert {line["source"] for line in lines} == {"이용규정.txt"}
    assert all(RULES[line["start"] : line["end"]] == line["text"] for line in lines)
    said = call("chunks", folder / "자료/사진.md", "--out", "-")
    assert said.status == 1
    assert "rejected   사진.md: no text file" in said.err


def test_a_recipe_that_makes_no_sense_is_told_before_the_work(folder: Path) -> None:
    path = folder / "ingest.yaml"
    path.write_text(RECIPE.replace("all_files", "pdf"), encoding="utf-8")
    said = call("ingest", "--config", path, "--index", folder / "ix")
    assert (said.status, said.out) == (1, "")
    assert said.err == (
        "kure-rag ingest: ingest.yaml line 9: parse.modules[1].file_type has pdf, but module text cannot read pdf "
        "files; choose txt or md here, and module pdf for pdf\n"
    )
    assert not (folder / "ix").exists()


def test_the_recipe_that_help_shows_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shown = call("ingest", "--help").out
    block = re.search(r"(?ms)^an ingest\.yaml.*?:\n(.*?)\n\n", shown)
    assert block is not None
    path = tmp_path / "ingest.yaml"
    path.write_text(block[1], encoding="utf-8")
    (tmp_path / "용어.txt").write_text("중도해지이율\n", encoding="utf-8")
    recipe = read_recipe(path)
    assert recipe.user_dictionary == tmp_path / "용어.txt"
    assert recipe.file_types == ("pdf", "md")
    assert recipe.limits.of("md").max_chars == 300_000
    assert recipe.limits.of("pdf").max_pages == 2_000
    assert recipe.chunks is not None
    assert recipe.chunks.profile.endswith("*=auto,400,800;finance=finance,600,1200;md/*=general,400,800")
