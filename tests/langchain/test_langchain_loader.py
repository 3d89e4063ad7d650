"""Files as LangChain documents."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from langchain_core.document_loaders import Blob
from support import write_pdf

from kure_rag.errors import ReadError, SourceNotFoundError
from kure_rag.langchain import KurePDFLoader, KurePDFParser
from kure_rag.llama_index import KurePDFReader
from kure_rag.samples import sample_paths

RULES = sample_paths()[0]


def test_chunks_carry_their_place_and_the_text_of_it() -> None:
    chunks = KurePDFLoader(RULES, workers=1).load()
    (whole,) = KurePDFLoader(RULES, unit="file", workers=1).load()
    assert len(chunks) > 3
    for document in chunks:
        about = document.metadata
        assert whole.page_content[about["start"] : about["end"]] == document.page_content
        assert about["citation"].startswith(f"{RULES.name} p.{about['page']}")
        assert (about["source"], about["document_id"], about["chunk_id"]) == (RULES.name, whole.id, document.id)
    assert [one.metadata["next_id"] for one in chunks[:-1]] == [one.id for one in chunks[1:]]


def test_one_document_a_page(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "공지.pdf", [["첫째 쪽의 공지 사항입니다."], ["둘째 쪽의 공지 사항입니다."]])
    pages = KurePDFLoader(path, unit="page", workers=1).load()
    assert [(page.metadata["page"], page.page_content.strip()) for page in pages] == [
        (1, "첫째 쪽의 공지 사항입니다."),
        (2, "둘째 쪽의 공지 사항입니다."),
    ]
    assert {page.metadata["total_pages"] for page in pages} == {2}


def test_pages_and_files_have_the_ids_that_llama_index_gives_them() -> None:
    for unit in ("page", "file"):
        ours = KurePDFLoader(RULES, unit=unit, workers=1).load()
        theirs = KurePDFReader(unit=unit, workers=1).load_data(RULES)
        assert [(one.id, one.page_content) for one in ours] == [(one.node_id, one.text) for one in theirs]
        assert len({one.id for one in ours}) == len(ours)


async def test_the_loop_gets_the_same() -> None:
    loader = KurePDFLoader([RULES], workers=1)
    assert [one async for one in loader.alazy_load()] == loader.load()


def test_a_file_that_cannot_be_read_is_raised_or_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = tmp_path / "망가진.pdf"
    broken.write_bytes(b"%PDF-1.7 nothing")
    with pytest.raises(ReadError, match=r"망가진\.pdf"):
        KurePDFLoader([broken, RULES], workers=1).load()
    with caplog.at_level(logging.WARNING):
        found = KurePDFLoader([broken, RULES], skip_errors=True, workers=1).load()
    assert {one.metadata["source"] for one in found} == {RULES.name}
    assert "left out: 망가진.pdf" in caplog.text
    with pytest.raises(SourceNotFoundError):
        KurePDFLoader(tmp_path / "없음.pdf").load()


@pytest.mark.parametrize("wrong", [{"unit": "line"}, {"domain": "laws"}])
def test_settings_that_do_not_exist_are_refused_at_once(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="choose one of"):
        KurePDFLoader(RULES, **wrong)  # type: ignore[arg-type]


def test_a_blob_in_memory_is_read_like_its_file() -> None:
    parser = KurePDFParser(workers=1)
    in_memory = Blob(data=RULES.read_bytes(), mimetype="application/pdf", path=f"../../{RULES.name}")
    from_file = [one.page_content for one in parser.lazy_parse(Blob.from_path(RULES))]
    read = list(parser.lazy_parse(in_memory))
    assert [one.page_content for one in read] == from_file
    assert {one.metadata["source"] for one in read} == {RULES.name}


def test_a_nameless_text_blob_is_text() -> None:
    blob = Blob.from_data("제1조(목적) 이 규정은 휴가를 정한다.", mime_type="text/plain")
    (read,) = KurePDFParser(workers=1).lazy_parse(blob)
    assert read.page_content == "제1조(목적) 이 규정은 휴가를 정한다."
