"""Uploads are kept by the digest of their bytes; other files are found by name and bytes."""

from __future__ import annotations

import hashlib
import io
import os
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.app.files import FOLDER, KnownFiles, safe_name

RULES = "%PDF-1.7 취업규정".encode()
RULES_ID = hashlib.sha256(RULES).hexdigest()


def test_an_upload_is_kept_whole_under_its_document_id(tmp_path: Path) -> None:
    files = KnownFiles(tmp_path)
    kept = files.keep("취업규정.pdf", io.BytesIO(RULES))
    assert kept.is_new
    assert kept.document_id == RULES_ID
    assert kept.path == tmp_path / FOLDER / RULES_ID / "취업규정.pdf"
    assert kept.path.read_bytes() == RULES
    assert files.find(RULES_ID, "whatever") == kept.path
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [RULES_ID]


def test_the_same_bytes_under_another_name_are_the_same_file(tmp_path: Path) -> None:
    files = KnownFiles(tmp_path)
    first, second = files.keep("가.pdf", io.BytesIO(RULES)), files.keep("나.pdf", io.BytesIO(RULES))
    assert second.path == first.path
    assert not second.is_new


def test_a_rejected_upload_leaves_nothing(tmp_path: Path) -> None:
    files = KnownFiles(tmp_path)
    files.drop(files.keep("가.pdf", io.BytesIO(RULES)))
    assert files.find(RULES_ID, "가.pdf") is None
    assert not list((tmp_path / FOLDER).iterdir())


def test_what_a_process_that_died_left_half_written_is_removed_once_it_is_old(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    old, written = tmp_path / FOLDER / "0123.part", tmp_path / FOLDER / "4567.part"
    for part in (old, written):
        part.write_bytes(b"%PDF-")
    yesterday = time.time() - 24 * 3600
    os.utime(old, (yesterday, yesterday))
    KnownFiles(tmp_path)
    assert list((tmp_path / FOLDER).iterdir()) == [written], "another process may be writing it"


def test_a_second_app_on_the_index_leaves_an_upload_of_the_first_alone(tmp_path: Path) -> None:
    class Opening(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            KnownFiles(tmp_path)
            return super().read(size)

    kept = KnownFiles(tmp_path).keep("가.pdf", Opening(RULES))
    assert kept.path.read_bytes() == RULES


def test_an_upload_that_breaks_off_is_not_kept(tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        KnownFiles(tmp_path).keep("가.pdf", Broken())
    assert not list((tmp_path / FOLDER).iterdir())


def test_a_file_in_a_given_folder_is_found_by_name_and_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "문서"
    (folder / "인사").mkdir(parents=True)
    (folder / "취업규정.pdf").write_bytes(b"%PDF-1.7 another file of that name")
    place = folder / "인사" / unicodedata.normalize("NFD", "취업규정.pdf")  # as macOS names it
    place.write_bytes(RULES)
    files = KnownFiles(tmp_path / "ix", [folder])
    assert files.find(RULES_ID, "취업규정.pdf") == place
    assert files.find(RULES_ID, "다른이름.pdf") == place, "once found it is remembered by its id"
    assert files.find("0" * 64, "취업규정.pdf") is None


def test_a_file_that_was_changed_is_no_longer_that_documents_file(tmp_path: Path) -> None:
    place = tmp_path / "취업규정.pdf"
    place.write_bytes(RULES)
    files = KnownFiles(tmp_path / "ix", [tmp_path])
    assert files.find(RULES_ID, "취업규정.pdf") == place
    place.write_bytes(RULES + b" 2")
    files.forget(RULES_ID)
    assert files.find(RULES_ID, "취업규정.pdf") is None


def test_a_document_id_is_never_a_way_out_of_the_folder(tmp_path: Path) -> None:
    files = KnownFiles(tmp_path / "ix")
    files.kept.mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").write_text("x")
    assert files.find("../../secret", "file") is None


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("취업규정.pdf", "취업규정.pdf"),
        (unicodedata.normalize("NFD", "취업규정.pdf"), "취업규정.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\문서\\규정.PDF", "규정.PDF"),
        ("규정\n둘\x00.pdf", "규정둘.pdf"),
        ("...", "document"),
        ("", "document"),
    ],
)
def test_names_of_uploads(given_name: str, kept: str) -> None:
    assert safe_name(given_name) == kept


@given(st.text(max_size=300))
def test_any_name_becomes_one_that_a_file_may_have(name: str) -> None:
    made = safe_name(name)
    assert made not in ("", ".", "..")
    assert len(made.encode()) <= 180
    assert not set(made) & {"/", "\\", "\x00"}
    assert Path(made).name == made
    assert safe_name(made) == made
