"""Files and texts as LlamaIndex documents and nodes."""

from __future__ import annotations

from pathlib import Path

import pytest
from llama_index.core import SimpleDirectoryReader
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import Document, MetadataMode, NodeRelationship
from support import write_pdf

from kure_rag.errors import ReadError
from kure_rag.llama_index import KureNodeParser, KurePDFReader

LAW = (
    "제1조(목적) 이 규정은 휴가를 정한다.\n제2조(연차휴가) 직원에게는 해마다 15일을 준다.\n"
    "제3조(병가) 병가는 60일까지로 한다."
)


@pytest.fixture
def notice(tmp_path: Path) -> Path:
    return write_pdf(tmp_path / "공지.pdf", [["첫째 쪽의 공지 사항입니다."], ["둘째 쪽의 공지 사항입니다."]])


def test_files_whole_or_by_page(notice: Path) -> None:
    (whole,) = KurePDFReader(workers=1).load_data(notice)
    pages = KurePDFReader(unit="page", workers=1).load_data([notice])
    assert [page.metadata["page"] for page in pages] == [1, 2]
    assert " ".join(page.text.strip() for page in pages) == whole.text.strip()  # a sentence may go on over the page
    assert "공지.pdf" in pages[0].get_content(metadata_mode=MetadataMode.LLM)
    assert pages[0].get_content(metadata_mode=MetadataMode.EMBED).strip() == "첫째 쪽의 공지 사항입니다."


def test_llama_index_reads_a_folder_with_it(notice: Path) -> None:
    reader = SimpleDirectoryReader(str(notice.parent), file_extractor={".pdf": KurePDFReader(unit="page", workers=1)})
    assert [one.metadata["page"] for one in reader.load_data()] == [1, 2]


def test_a_file_that_cannot_be_read_is_raised_or_left_out(notice: Path) -> None:
    broken = notice.with_name("망가진.pdf")
    broken.write_bytes(b"%PDF-1.7 nothing")
    with pytest.raises(ReadError, match=r"망가진\.pdf"):
        KurePDFReader(workers=1).load_data([broken, notice])
    assert len(KurePDFReader(workers=1, skip_errors=True).load_data([broken, notice])) == 1


def test_articles_are_nodes_that_know_their_place() -> None:
    document = Document(id_="law", text=LAW, metadata={"source": "규정.txt"})
    nodes = KureNodeParser(profile="legal", domain="legal").get_nodes_from_documents([document])
    assert [node.get_content(metadata_mode=MetadataMode.NONE) for node in nodes] == LAW.split("\n")
    for node in nodes:
        assert LAW[node.start_char_idx : node.end_char_idx] == node.get_content(metadata_mode=MetadataMode.NONE)
        assert (node.ref_doc_id, node.metadata["source"]) == ("law", "규정.txt")
    assert nodes[1].metadata["article"] == "제2조"
    assert nodes[0].relationships[NodeRelationship.NEXT].node_id == nodes[1].node_id
    assert nodes[2].relationships[NodeRelationship.PREVIOUS].node_id == nodes[1].node_id


def test_the_same_sentence_twice_stands_in_two_places() -> None:
    text = "\n".join(["제1조(휴가) 휴가는 15일이다."] * 3)
    nodes = KureNodeParser(profile="legal", domain="legal").get_nodes_from_documents([Document(text=text)])
    assert len({node.start_char_idx for node in nodes}) == len({node.node_id for node in nodes}) == len(nodes) == 3


def test_a_node_of_markdown_stands_where_it_is_written_or_nowhere() -> None:
    text = "# 휴가\n\n* 휴가는 15일이다.\n\n# 병가\n\n휴가는 15일이다.\n"
    nodes = KureNodeParser(markdown=True, profile="general").get_nodes_from_documents([Document(text=text)])
    at = text.index("병가")
    assert [(node.start_char_idx, node.end_char_idx) for node in nodes] == [(None, None), (at, len(text) - 1)]
    assert nodes[0].get_content(metadata_mode=MetadataMode.NONE) == "휴가\n\n- 휴가는 15일이다."


def test_the_same_document_gives_the_same_ids_and_two_documents_never_do() -> None:
    parser = KureNodeParser()
    one, two = Document(id_="1", text=LAW), Document(id_="2", text=LAW)
    ids = [node.node_id for node in parser.get_nodes_from_documents([one, two])]
    assert ids == [node.node_id for node in parser.get_nodes_from_documents([one, two])]
    assert len(set(ids)) == len(ids)


async def test_it_goes_through_dictionaries_and_pipelines() -> None:
    parser = KureNodeParser.from_dict(KureNodeParser(profile="legal", domain="legal", target=100).to_dict())
    assert (parser.profile, parser.domain, parser.target) == ("legal", "legal", 100)
    nodes = await IngestionPipeline(transformations=[parser]).arun(documents=[Document(text=LAW)])
    assert len(nodes) == 3


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="profile"):
        KureNodeParser(profile="laws")
    with pytest.raises(ValueError, match="choose one of"):
        KurePDFReader(unit="line")  # type: ignore[arg-type]
