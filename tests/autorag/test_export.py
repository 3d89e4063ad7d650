"""An index as AutoRAG's files: columns, places, links, dates, and what happens when it cannot be done."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from autorag_support import add_document

from kure_rag import KureIndex
from kure_rag.autorag import export_index
from kure_rag.autorag import files as files_module
from kure_rag.errors import IndexPathError, MissingExtraError


@pytest.fixture(scope="module")
def exported(index: KureIndex, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "새 폴더"
    export_index(index, folder)
    return folder


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(folder / f"{name}.parquet").to_pylist()
    return found


@pytest.fixture
def fresh(tmp_path: Path, tiny_model: Path) -> KureIndex:
    return KureIndex.open(tmp_path / "ix", embeddings=str(tiny_model))


def test_columns_are_those_that_autorag_asks_for(exported: Path) -> None:
    parsed, corpus = (pq.read_schema(exported / f"{name}.parquet") for name in ("parsed", "corpus"))
    assert [(field.name, str(field.type)) for field in parsed] == [
        ("texts", "string"),
        ("path", "string"),
        ("page", "int64"),
        ("last_modified_datetime", "string"),
    ]
    assert corpus.names == ["doc_id", "contents", "path", "start_end_idx", "metadata"]
    assert corpus.field("start_end_idx").type.value_type == pa.int64()
    metadata = corpus.field("metadata").type
    assert metadata.field("page").type == pa.int64()
    assert metadata.field("last_modified_datetime").type == pa.timestamp("us")
    assert {"path", "prev_id", "next_id", "breadcrumb"} <= {field.name for field in metadata}


def test_every_chunk_is_a_row_with_its_place(index: KureIndex, exported: Path) -> None:
    corpus = {row["doc_id"]: row for row in rows(exported, "corpus")}
    chunks = [chunk for document in index.documents() for chunk in index.chunks(document.id)]
    assert list(corpus) == [chunk.id for chunk in chunks]
    pages = {(row["path"], row["page"]): row["texts"] for row in rows(exported, "parsed")}
    for chunk in chunks:
        row = corpus[chunk.id]
        start, end = row["start_end_idx"]
        page = pages[row["path"], row["metadata"]["page"]]
        assert page[start : end + 1] == row["contents"]
        assert row["metadata"]["breadcrumb"] == list(chunk.breadcrumb)
        assert (row["metadata"]["prev_id"], row["metadata"]["next_id"]) == (chunk.prev_id, chunk.next_id)
    assert {row["page"] for row in rows(exported, "parsed") if row["path"] == "기록물_규정.pdf"} == {1, 2}


def test_links_go_over_pages(exported: Path) -> None:
    found = [row for row in rows(exported, "corpus") if row["path"] == "기록물_규정.pdf"]
    assert {row["metadata"]["page"] for row in found} == {1, 2}
    assert [row["metadata"]["next_id"] for row in found] == [*(row["doc_id"] for row in found[1:]), None]
    assert [row["metadata"]["prev_id"] for row in found] == [None, *(row["doc_id"] for row in found[:-1])]


def test_characters_that_autorag_rewrites_leave_as_lookalikes(exported: Path) -> None:
    row = next(row for row in rows(exported, "corpus") if row["path"] == "안내-1")
    assert row["contents"].startswith("► 방문객은")
    assert "☏ 안내대" in row["contents"]
    assert row["metadata"]["kure_rag"].isascii()  # or AutoRAG would rewrite the notes too
    assert [item[2] for item in json.loads(row["metadata"]["kure_rag"])["replaced"]] == ["▶", "☎"]
    assert row["metadata"]["page"] == -1  # AutoRAG's number for a file without pages


def test_a_passage_over_two_pages_ends_where_its_first_page_does(fresh: KureIndex, tmp_path: Path) -> None:
    pages = ["▶ 첫째 쪽의 앞. 넘어가는 문장은", "둘째 쪽에서 끝난다. 나머지 글."]
    with fresh:
        add_document(
            fresh, "보고서.pdf", pages, ["▶ 첫째 쪽의 앞.", "넘어가는 문장은\n둘째 쪽에서 끝난다.", "나머지 글."]
        )
        export_index(fresh, tmp_path / "out")
    parsed = {row["page"]: row["texts"] for row in rows(tmp_path / "out", "parsed")}
    first, over, last = rows(tmp_path / "out", "corpus")
    assert [row["metadata"]["page"] for row in (first, over, last)] == [1, 1, 2]
    assert over["metadata"]["pages"] == [1, 2]
    start, end = over["start_end_idx"]
    assert parsed[1][start : end + 1] == "넘어가는 문장은"
    assert over["contents"] == "넘어가는 문장은\n둘째 쪽에서 끝난다."
    start, end = last["start_end_idx"]
    assert parsed[2][start : end + 1] == "나머지 글."
    place = json.loads(over["metadata"]["kure_rag"])
    assert place["end"] - place["start"] == len(over["contents"])


def test_the_time_of_modification_and_what_stands_for_it(fresh: KureIndex, tmp_path: Path) -> None:
    with fresh:
        add_document(fresh, "가.pdf", ["날짜가 있는 글."], ["날짜가 있는 글."], modified="2025-03-04T23:30:00+09:00")
        add_document(fresh, "나.pdf", ["초로 적힌 글."], ["초로 적힌 글."], modified=1_700_000_000)
        add_document(fresh, "다.pdf", ["날짜를 모르는 글."], ["날짜를 모르는 글."], modified="지난봄")
        report = export_index(fresh, tmp_path / "out", modified=datetime(2026, 11, 20))
    assert report.undated == 1
    dates = [row["metadata"]["last_modified_datetime"] for row in rows(tmp_path / "out", "corpus")]
    assert dates == [datetime(2025, 3, 4, 14, 30), datetime(2023, 11, 14, 22, 13, 20), datetime(2026, 11, 20)]
    texts = [row["last_modified_datetime"] for row in rows(tmp_path / "out", "parsed")]
    assert texts == ["2025-03-04", "2023-11-14", "2026-11-20"]


def test_two_files_of_one_name_have_two_paths(fresh: KureIndex, tmp_path: Path) -> None:
    with fresh:
        add_document(fresh, "규정.pdf", ["첫째 규정의 글."], ["첫째 규정의 글."])
        add_document(fresh, "규정.pdf", ["둘째 규정에 있는 글."], ["둘째 규정에 있는 글."])
        export_index(fresh, tmp_path / "out")
    paths = {row["path"] for row in rows(tmp_path / "out", "corpus")}
    assert len(paths) == 2
    assert all(path.endswith("/규정.pdf") for path in paths)


def test_pages_without_text_have_no_row(fresh: KureIndex, tmp_path: Path) -> None:
    with fresh:
        add_document(fresh, "빈쪽.pdf", ["앞의 글.", " \n ", "뒤의 글."], ["앞의 글.", "뒤의 글."])
        report = export_index(fresh, tmp_path / "out")
    assert [row["page"] for row in rows(tmp_path / "out", "parsed")] == [1, 3]
    assert (report.documents, report.pages, report.passages) == (1, 2, 2)


def test_a_large_corpus_is_written_in_pieces(fresh: KureIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "_GROUP_ROWS", 7)
    seen: list[tuple[int, int | None, str]] = []
    with fresh:
        for i in range(10):
            add_document(fresh, f"{i}.pdf", [f"{i}번째 글."] * 2, [f"{i}번째 글."] * 2)
        report = export_index(fresh, tmp_path / "out", progress=lambda *args: seen.append(args))
    assert report.passages == 20
    assert pq.ParquetFile(tmp_path / "out" / "corpus.parquet").metadata.num_row_groups == 3
    assert seen == [(i + 1, 10, f"{i}.pdf") for i in range(10)]


def test_an_empty_index_is_an_empty_corpus(fresh: KureIndex, tmp_path: Path) -> None:
    with fresh:
        report = export_index(fresh, tmp_path / "out")
    assert (report.documents, report.passages) == (0, 0)
    assert rows(tmp_path / "out", "corpus") == []


def test_an_export_that_fails_leaves_the_files_of_the_one_before(
    index: KureIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_index(index, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_index(index, tmp_path, progress=interrupt)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_made_is_told(index: KureIndex, tmp_path: Path) -> None:
    (tmp_path / "파일").write_text("폴더가 아니다", encoding="utf-8")
    with pytest.raises(IndexPathError, match="choose another folder"):
        export_index(index, tmp_path / "파일" / "아래")


def test_without_the_library_the_extra_is_named(
    index: KureIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r'pip install "kure-rag\[autorag\]"'):
        export_index(index, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_chunks_of_an_unknown_document(index: KureIndex) -> None:
    assert index.chunks("없음") == []
