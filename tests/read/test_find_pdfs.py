import os
import unicodedata
from pathlib import Path

import pytest

from kure_rag.errors import ReadError, SourceNotFoundError, UnsupportedFileError
from kure_rag.read import FileType, find_files, find_pdfs


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"%PDF-1.4")
    return path


def paths(*given: str | Path) -> list[Path]:
    found = list(find_pdfs(given))
    assert not [item.error for item in found if item.error]
    return [item.path for item in found]


def error(given: str | Path) -> ReadError:
    (found,) = find_pdfs([given])
    assert found.error is not None
    return found.error


def test_folder_is_searched_to_the_bottom_in_name_order(tmp_path: Path) -> None:
    names = ["가.pdf", "나.pdf", "규정/2023/여비.pdf", "규정/휴가.pdf"]
    for name in reversed(names):
        touch(tmp_path / name)
    touch(tmp_path / "읽어주세요.txt")
    assert paths(tmp_path) == [tmp_path / name for name in ("가.pdf", "나.pdf", "규정/휴가.pdf", "규정/2023/여비.pdf")]


def test_upper_case_endings_are_found(tmp_path: Path) -> None:
    assert paths(tmp_path, touch(tmp_path / "약관.PDF")) == [tmp_path / "약관.PDF"]


def test_a_file_given_by_name_is_read_whatever_its_ending(tmp_path: Path) -> None:
    file = touch(tmp_path / "약관.bin")
    assert paths(str(file)) == [file]


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path / ".git/규정.pdf")
    touch(tmp_path / "._휴가.pdf")
    kept = touch(tmp_path / "휴가.pdf")
    assert paths(tmp_path) == [kept]
    assert paths(tmp_path / ".git/규정.pdf") == [tmp_path / ".git/규정.pdf"]


def test_each_file_comes_once(tmp_path: Path) -> None:
    file = touch(tmp_path / "규정/휴가.pdf")
    (tmp_path / "규정/다른이름.pdf").symlink_to(file)
    found = paths(tmp_path / "규정", file, tmp_path / "규정/../규정/휴가.pdf", tmp_path)
    assert len(found) == 1
    assert found[0].resolve() == file


def test_links_to_folders_inside_a_folder_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path / "밖/여비.pdf")
    kept = touch(tmp_path / "안/휴가.pdf")
    (tmp_path / "안/고리").symlink_to(tmp_path / "안", target_is_directory=True)
    (tmp_path / "안/밖").symlink_to(tmp_path / "밖", target_is_directory=True)
    assert paths(tmp_path / "안") == [kept]


def test_a_link_to_a_folder_given_by_name_is_searched(tmp_path: Path) -> None:
    touch(tmp_path / "밖/여비.pdf")
    (tmp_path / "연결").symlink_to(tmp_path / "밖", target_is_directory=True)
    assert paths(tmp_path / "연결") == [tmp_path / "연결/여비.pdf"]


def test_missing_path_says_where(tmp_path: Path) -> None:
    caught = error(tmp_path / "없는파일.pdf")
    assert isinstance(caught, SourceNotFoundError)
    assert caught.source == "없는파일.pdf"
    assert str(tmp_path / "없는파일.pdf") in caught.reason


def test_folder_without_pdf_files(tmp_path: Path) -> None:
    caught = error(tmp_path)
    assert isinstance(caught, SourceNotFoundError)
    assert caught.reason == "the folder holds no PDF files; give another folder or file"
    touch(tmp_path / "읽어주세요.txt")
    assert "no PDF files; its txt and md files are read by name, or with a module" in error(tmp_path).reason


def test_folders_give_the_types_asked_for_in_one_order(tmp_path: Path) -> None:
    names = ["가.txt", "나.pdf", "다.MD", "라.txt", "규정/마.md"]
    for name in names:
        touch(tmp_path / name)
    touch(tmp_path / ".숨은.txt")
    touch(tmp_path / "바.docx")

    def found(*file_types: FileType) -> list[str]:
        return [item.path.relative_to(tmp_path).as_posix() for item in find_files([tmp_path], file_types)]

    assert found("txt", "pdf", "md") == names
    assert found("pdf", "md") == ["나.pdf", "다.MD", "규정/마.md"]
    assert found("txt") == ["가.txt", "라.txt"]
    assert found("pdf") == [path.name for path in paths(tmp_path)] == ["나.pdf"]


def test_a_text_file_given_by_name_comes_without_its_type(tmp_path: Path) -> None:
    file = touch(tmp_path / "메모.txt")
    assert paths(file) == [file]


def test_a_folder_without_the_types_asked_for(tmp_path: Path) -> None:
    touch(tmp_path / "바.docx")
    (found,) = find_files([tmp_path], ["md", "pdf"])
    assert found.error is not None
    assert found.error.reason == "the folder holds no PDF or md files; give another folder or file"


def test_an_unknown_type_is_named_with_the_choices(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file type named 'hwp'; choose one of pdf, txt, md"):
        find_files([tmp_path], ["hwp"])  # type: ignore[list-item]


def test_one_bad_path_does_not_stop_those_after_it(tmp_path: Path) -> None:
    file = touch(tmp_path / "휴가.pdf")
    found = list(find_pdfs([tmp_path / "없음", "영\0바이트", file]))
    assert [item.error is None for item in found] == [False, False, True]


def test_a_link_to_itself_is_an_error_and_no_crash(tmp_path: Path) -> None:
    loop = tmp_path / "고리.pdf"
    loop.symlink_to(loop)
    kept = touch(tmp_path / "휴가.pdf")
    assert isinstance(error(loop), SourceNotFoundError)
    assert kept in [item.path for item in find_pdfs([tmp_path])]


def test_pipes_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "관.pdf")
    assert isinstance(error(tmp_path / "관.pdf"), UnsupportedFileError)


def test_decomposed_file_names_are_found(tmp_path: Path) -> None:
    file = touch(tmp_path / unicodedata.normalize("NFD", "휴가.pdf"))
    assert [path.name for path in paths(tmp_path)] == [file.name]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folder_without_rights(tmp_path: Path) -> None:
    closed = tmp_path / "비공개"
    touch(closed / "휴가.pdf")
    closed.chmod(0)
    try:
        assert "rights" in error(closed).reason
    finally:
        closed.chmod(0o755)


def test_a_folder_that_cannot_be_listed_is_named_and_the_rest_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "비공개/여비.pdf")
    kept = touch(tmp_path / "휴가.pdf")
    scandir = os.scandir

    def guarded(path: str) -> object:
        if Path(path).name == "비공개":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    found = list(find_pdfs([tmp_path]))
    assert found[0].path == kept
    assert found[1].error is not None
    assert found[1].error.source == "비공개"
    assert "Permission denied" in found[1].error.reason
    assert "Permission denied" in error(tmp_path / "비공개").reason
