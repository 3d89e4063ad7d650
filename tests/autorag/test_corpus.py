"""A corpus.parquet, ours or AutoRAG's own, comes in with its places; a bad row costs no other."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from autorag_support import add_document

from kure_rag import KureIndex
from kure_rag.autorag import BadRow, add_autorag, export_index, make_questions, read_autorag
from kure_rag.errors import CorpusFormatError, SourceNotFoundError
from kure_rag.ingest import IngestRow
from kure_rag.read import Record


def write(path: Path, rows: Sequence[dict[str, Any]], schema: pa.Schema | None = None) -> Path:
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)
    return path


def autorag_row(doc_id: str, contents: str, page: int = 3) -> dict[str, Any]:
    """As AutoRAG's own chunker writes them."""
    return {
        "doc_id": doc_id,
        "contents": contents,
        "path": "/home/사용자/자료/여비규정.pdf",
        "start_end_idx": [0, len(contents) - 1],
        "metadata": {
            "page": page,
            "last_modified_datetime": datetime(2026, 1, 2),
            "path": "/home/사용자/자료/여비규정.pdf",
            "prev_id": None,
            "next_id": "둘째",
        },
    }


def records(path: Path) -> list[Record]:
    found = list(read_autorag(path))
    assert all(isinstance(row, Record) for row in found)
    return [row for row in found if isinstance(row, Record)]


@pytest.fixture
def fresh(tmp_path: Path, tiny_model: Path) -> KureIndex:
    return KureIndex.open(tmp_path / "fresh", embeddings=str(tiny_model))


def test_an_export_comes_back_as_it_was(index: KureIndex, fresh: KureIndex, tmp_path: Path) -> None:
    export_index(index, tmp_path)
    before = {chunk.id: (row, chunk) for row in index.documents() for chunk in index.chunks(row.id)}
    with fresh:
        report = add_autorag(fresh, tmp_path / "corpus.parquet", workers=1)
        assert report.counts()["added"] == len(report.rows) == len(before)
        after = {chunk.metadata["doc_id"]: (row, chunk) for row in fresh.documents() for chunk in fresh.chunks(row.id)}
        assert after.keys() == before.keys()
        for id_, (row, chunk) in before.items():
            there, back = after[id_]
            assert (back.text, back.pages, back.breadcrumb, back.lead) == (
                chunk.text,
                chunk.pages,
                chunk.breadcrumb,
                chunk.lead,
            )
            assert back.contextualized() == chunk.contextualized()
            assert (there.source, there.title, there.domain) == (row.source, row.title, row.domain)
            assert chunk.metadata.items() <= back.metadata.items()
        query = "기록물을 열람하려면 무엇을 내야 하나요?"
        assert fresh.search(query, k=1)[0].citation() == index.search(query, k=1)[0].citation()
        assert add_autorag(fresh, tmp_path / "corpus.parquet", workers=1).counts()["unchanged"] == len(before)


def places_fit(folder: Path) -> bool:
    parsed, corpus = (pq.read_table(folder / f"{name}.parquet").to_pylist() for name in ("parsed", "corpus"))
    pages = {(row["path"], row["page"]): row["texts"] for row in parsed}
    assert len(pages) == len(parsed), "two rows of one page"
    return all(
        pages[row["path"], row["metadata"]["page"]][row["start_end_idx"][0] : row["start_end_idx"][1] + 1]
        == row["contents"]
        for row in corpus
    )


def test_an_export_of_an_import_is_the_same_corpus(index: KureIndex, fresh: KureIndex, tmp_path: Path) -> None:
    export_index(index, tmp_path / "first")
    with fresh:
        add_autorag(fresh, tmp_path / "first" / "corpus.parquet", workers=1)
        report = export_index(fresh, tmp_path / "second")
        make_questions(fresh, tmp_path / "qa")
    first, second = (pq.read_table(tmp_path / name / "corpus.parquet").to_pylist() for name in ("first", "second"))

    def shown(row: dict[str, Any]) -> dict[str, Any]:
        metadata = {key: value for key, value in row["metadata"].items() if key != "kure_rag"}
        return {key: row[key] for key in ("doc_id", "contents", "path")} | metadata

    assert list(map(shown, first)) == list(map(shown, second))
    assert any(row["metadata"]["prev_id"] for row in second)
    assert (report.rebuilt, report.renamed) == (4, 0)
    assert places_fit(tmp_path / "second")
    asked = pq.read_table(tmp_path / "qa" / "qa.parquet").to_pylist()
    wanted = {id_ for row in asked for ids in row["retrieval_gt"] for id_ in ids}
    assert wanted
    assert wanted <= {row["doc_id"] for row in first}


def test_doc_ids_that_cannot_be_kept_are_counted(fresh: KureIndex, tmp_path: Path) -> None:
    summer = [autorag_row("둘째", "여름에는 한 시간 일찍 문을 연다."), autorag_row("셋째", "쉬는 시간은 같다.")]
    path = write(tmp_path / "summer.parquet", summer)
    winter = autorag_row("둘째", "겨울에는 한 시간 늦게 문을 연다.")
    with fresh:
        document = add_document(fresh, "규정.pdf", ["낮에는 창구를 연다."], ["낮에는 창구를 연다."])
        taken = fresh.chunks(document.id)[0].id
        add_autorag(fresh, path, workers=1)
        add_autorag(
            fresh, write(tmp_path / "winter.parquet", [winter, autorag_row(taken, "저녁에는 닫는다.")]), workers=1
        )
        # Not an import: a record of another corpus, whatever its metadata say.
        fresh.add_records([Record("안내", "안내", "안내대는 일 층에 있다.", {"doc_id": "남의 것"})], workers=1)
        report = export_index(fresh, tmp_path / "out")
    corpus = {row["contents"]: row for row in pq.read_table(tmp_path / "out" / "corpus.parquet").to_pylist()}
    ids = [row["doc_id"] for row in corpus.values()]
    assert len(ids) == len(set(ids)) == 6
    assert report.renamed == 3
    assert corpus["낮에는 창구를 연다."]["doc_id"] == taken
    assert corpus["쉬는 시간은 같다."]["doc_id"] == "셋째"
    assert not {"둘째", "남의 것"} & set(ids)
    # A link to an id that two passages have would be a guess.
    assert corpus["쉬는 시간은 같다."]["metadata"]["next_id"] is None
    assert places_fit(tmp_path / "out")


def test_links_that_form_a_ring_or_lead_nowhere_do_no_harm(fresh: KureIndex, tmp_path: Path) -> None:
    rows = [autorag_row(name, f"{name} 조항의 글이다.") for name in ("하나", "둘", "셋")]
    for row, following in zip(rows, ("둘", "하나", "없음"), strict=True):
        row["metadata"]["next_id"] = following
    with fresh:
        add_autorag(fresh, write(tmp_path / "c.parquet", rows), workers=1)
        export_index(fresh, tmp_path / "out")
    found = {row["doc_id"]: row for row in pq.read_table(tmp_path / "out" / "corpus.parquet").to_pylist()}
    assert {name: row["metadata"]["next_id"] for name, row in found.items()} == {"하나": "둘", "둘": "하나", "셋": None}
    assert places_fit(tmp_path / "out")


def test_a_file_of_autorags_own(fresh: KureIndex, tmp_path: Path) -> None:
    path = write(
        tmp_path / "corpus.parquet",
        [
            autorag_row("첫째", "출장을 마친 직원은 이레 안에 여비를 정산한다."),
            autorag_row("둘째", "숙박비는 영수증에 적힌 금액을 준다.", page=-1),
        ],
    )
    first, second = records(path)
    assert (first.id, first.title, first.text) == ("첫째", "여비규정", "출장을 마친 직원은 이레 안에 여비를 정산한다.")
    assert first.place is not None
    assert (first.place.source, first.place.pages, first.place.breadcrumb) == ("여비규정.pdf", (3,), ())
    assert second.place is not None
    assert second.place.pages == ()
    assert first.metadata == {
        "doc_id": "첫째",
        "path": "/home/사용자/자료/여비규정.pdf",
        "page": 3,
        "last_modified_datetime": "2026-01-02T00:00:00",
        "next_doc_id": "둘째",
    }
    with fresh:
        assert add_autorag(fresh, path, workers=1).counts()["added"] == 2
        hit = fresh.search("출장 여비 정산", k=1)[0]
        assert hit.citation() == "여비규정.pdf p.3"
        assert [found.chunk.metadata["doc_id"] for found in fresh.search("여비", where={"page": 3})] == ["첫째"]


def test_the_least_that_a_row_needs(tmp_path: Path) -> None:
    path = write(tmp_path / "c.parquet", [{"doc_id": 7, "contents": "본문만 있는 글."}])
    (record,) = records(path)
    assert (record.id, record.text) == ("7", "본문만 있는 글.")
    assert record.place is not None
    assert record.place.source == "7"
    assert record.metadata == {"doc_id": "7"}


def test_bad_rows_are_rejected_with_their_number_and_reason(fresh: KureIndex, tmp_path: Path) -> None:
    good = [autorag_row(f"좋은-{i}", f"{i}번째로 좋은 문단이다.") for i in range(3)]
    rows = [
        good[0],
        {**good[0], "doc_id": None},
        {**good[0], "doc_id": "빈 글", "contents": " \n"},
        good[1],
        {**good[0], "doc_id": "없는 글", "contents": None},
        {**good[0], "contents": "같은 번호를 다시 쓴 글."},
        good[2],
    ]
    path = write(tmp_path / "corpus.parquet", rows)
    said: list[IngestRow] = []
    with fresh:
        report = add_autorag(fresh, path, workers=1, on_row=said.append)
        assert len(fresh.documents()) == 3
    assert (report.counts()["added"], report.counts()["rejected"], len(report.rows)) == (3, 4, 7)
    rejected = [(row.source, row.reason) for row in report.rows if row.status == "rejected"]
    assert rejected == [
        ("row 2", "doc_id is empty or no string; give the row a doc_id"),
        ("row 3 (빈 글)", "contents is empty or no string; give the row its text, or remove it"),
        ("row 5 (없는 글)", "contents is empty or no string; give the row its text, or remove it"),
        ("row 6 (좋은-0)", "doc_id '좋은-0' is already in row 1; give each row its own"),
    ]
    assert sorted(row.source for row in said) == sorted(row.source for row in report.rows)


def test_text_that_is_not_utf8_rejects_its_row_only(tmp_path: Path) -> None:
    contents = pa.Array.from_buffers(
        pa.string(),
        2,
        [
            None,
            pa.py_buffer(b"\x00\x00\x00\x00\x06\x00\x00\x00\x08\x00\x00\x00"),
            pa.py_buffer("가나".encode() + b"\xff\xfe"),
        ],
    )
    pq.write_table(pa.table({"doc_id": ["ㄱ", "ㄴ"], "contents": contents}), tmp_path / "c.parquet")
    good, bad = read_autorag(tmp_path / "c.parquet")
    assert isinstance(good, Record)
    assert good.text == "가나"
    assert isinstance(bad, BadRow)
    assert bad.number == 2
    assert "not UTF-8" in bad.reason


def test_metadata_of_any_kind_become_values_that_json_holds(tmp_path: Path) -> None:
    metadata = {
        "page": 1,
        "score": float("nan"),
        "parts": [{"글": "가", "바이트": b"\x00"}],
        "breadcrumb": "제1장",
        "kure_rag": '{"replaced": [[0, 1, "x"]], "lead": 3, "domain": "?", "metadata": []}',
        "seen": date(2026, 5, 5),
    }
    path = write(tmp_path / "c.parquet", [{"doc_id": "ㄱ", "contents": "글이 있다.", "metadata": metadata}])
    (record,) = records(path)
    assert record.text == "글이 있다."
    assert record.place is not None
    assert (record.place.breadcrumb, record.place.lead, record.place.domain) == (("제1장",), "", "general")
    parts = [{"글": "가", "바이트": None}]
    assert record.metadata == {"page": 1, "parts": parts, "seen": "2026-05-05", "doc_id": "ㄱ"}


def test_lookalikes_that_were_edited_since_stay_as_they_are(fresh: KureIndex, tmp_path: Path) -> None:
    with fresh:
        add_document(fresh, "안내.pdf", ["▶ 신청은 누리집에서 한다."], ["▶ 신청은 누리집에서 한다."])
        export_index(fresh, tmp_path)
    rows = pq.read_table(tmp_path / "corpus.parquet").to_pylist()
    rows[0]["contents"] = "알림: " + rows[0]["contents"]
    (record,) = records(write(tmp_path / "edited.parquet", rows))
    assert record.text == "알림: ► 신청은 누리집에서 한다."


def test_a_file_that_is_no_corpus_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError):
        read_autorag(tmp_path / "없음.parquet")
    with pytest.raises(SourceNotFoundError, match="is a folder"):
        read_autorag(tmp_path)
    (tmp_path / "글.parquet").write_text("parquet이 아닌 글", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match="not a parquet file"):
        read_autorag(tmp_path / "글.parquet")
    other = write(tmp_path / "qa.parquet", [{"qid": "1", "query": "질문"}])
    with pytest.raises(CorpusFormatError, match=r"no column doc_id and contents \(it has qid, query\)"):
        read_autorag(other)
    whole = write(tmp_path / "c.parquet", [autorag_row("ㄱ", "글")]).read_bytes()
    (tmp_path / "잘림.parquet").write_bytes(whole[:-20])
    with pytest.raises(CorpusFormatError, match="breaks off"):
        read_autorag(tmp_path / "잘림.parquet")


def test_a_file_that_is_damaged_inside_keeps_the_rows_before(tmp_path: Path) -> None:
    rows = [autorag_row(f"{i}", f"{i}번째 글이 여기에 있다. " * 20) for i in range(2_000)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet", row_group_size=500, compression="zstd")
    data = bytearray((tmp_path / "c.parquet").read_bytes())
    at = pq.ParquetFile(tmp_path / "c.parquet").metadata.row_group(2).column(1).data_page_offset
    data[at : at + 400] = bytes(400)
    (tmp_path / "c.parquet").write_bytes(data)
    good: list[Record | BadRow] = []

    def read() -> None:
        for row in read_autorag(tmp_path / "c.parquet"):
            good.append(row)

    with pytest.raises(CorpusFormatError, match="row 1001: the file is damaged from here on"):
        read()
    assert len(good) == 1_000
