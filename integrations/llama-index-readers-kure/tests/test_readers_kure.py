"""What LlamaIndex asks of a reader."""

from llama_index.core.readers.base import BaseReader
from llama_index.readers.kure import KurePDFReader

from kure_rag.samples import sample_paths


def test_it_reads_pages() -> None:
    reader = KurePDFReader(unit="page", workers=1)
    assert isinstance(reader, BaseReader)
    pages = reader.load_data(sample_paths()[0])
    assert [page.metadata["page"] for page in pages] == [1, 2, 3, 4]
    assert pages[0].metadata["citation"].endswith("p.1")
