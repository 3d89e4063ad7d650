"""What the user says of a file's document follows the file, and no other."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import HashEmbedder

from kure_rag import KureIndex
from kure_rag.ingest import IngestReport

RULES = (
    "취업규정\n\n제1장 총칙\n\n제1조(목적) 이 규정은 직원의 근로조건을 정한다.\n\n"
    "제2조(휴가) ① 직원은 연 15일의 휴가를 쓴다.\n② 휴가는 미리 신청한다.\n"
)
MORE = f"{RULES}\n제3조(급여) 급여는 25일에 지급한다.\n"


@pytest.fixture
def index(tmp_path: Path) -> Iterator[KureIndex]:
    with KureIndex.open(tmp_path / "index", embeddings=HashEmbedder()) as index:
        yield index


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "글").mkdir()
    return tmp_path / "글"


def sync(index: KureIndex, folder: Path) -> IngestReport:
    report = index.sync(folder, file_types=("txt",), workers=1)
    assert index._store.catalog.integrity() == []
    return report


def departments(index: KureIndex) -> dict[str, object]:
    """What is said of each document's department, by its first word."""
    found = [index.document(row.id) for row in index.documents()]
    return {document.text.split()[0]: document.metadata.get("부서") for document in found if document}


def test_words_stay_when_a_file_becomes_a_copy_of_another(index: KureIndex, folder: Path) -> None:
    (folder / "규정.txt").write_text("첫째 문서이다. 연차휴가는 15일이다.", encoding="utf-8")
    (folder / "초안.txt").write_text("둘째 문서이다. 연차휴가는 16일이다.", encoding="utf-8")
    sync(index, folder)
    index.set_metadata(index.find("규정.txt")[0].id, {"부서": "인사팀"})
    shutil.copy(folder / "초안.txt", folder / "규정.txt")
    assert {row.status for row in sync(index, folder).rows} == {"unchanged"}
    assert departments(index) == {"둘째": "인사팀"}
    assert len(index.search("연차휴가", where={"부서": "인사팀"})) == 1


def test_words_go_with_a_renamed_file_and_not_to_the_new_one(index: KureIndex, folder: Path) -> None:
    (folder / "규정.txt").write_text("첫째 문서이다. 연차휴가는 15일이다.", encoding="utf-8")
    sync(index, folder)
    index.set_metadata(index.documents()[0].id, {"부서": "인사팀"}, title="규정 2024년판")
    (folder / "규정.txt").rename(folder / "규정_2024.txt")
    (folder / "규정.txt").write_text("셋째 문서이다. 급여는 25일에 준다.", encoding="utf-8")
    sync(index, folder)
    assert departments(index) == {"첫째": "인사팀", "셋째": None}
    assert [row.title for row in index.documents() if row.source == "규정.txt"] != ["규정 2024년판"]


def test_the_next_version_is_cut_by_the_domain_that_the_user_said(index: KureIndex, folder: Path) -> None:
    file = folder / "취업규정.txt"
    file.write_text(RULES, encoding="utf-8")
    sync(index, folder)
    [row] = index.documents()
    index.set_metadata(row.id, domain="general" if row.domain == "legal" else "legal")
    file.write_text(MORE, encoding="utf-8")
    sync(index, folder)
    [now] = index.documents()
    with KureIndex.open(folder.parent / "other", embeddings=HashEmbedder()) as other:
        other.add_paths(file, workers=1, domain=now.domain)
        assert now.domain != row.domain
        assert index.chunks(now.id) == other.chunks(now.id)
    with KureIndex.open(folder.parent / "own", embeddings=HashEmbedder()) as own:
        own.add_paths(file, workers=1)
        assert index.chunks(now.id) != own.chunks(now.id)  # the domain does make a difference
