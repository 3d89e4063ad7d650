"""Bytes → :class:`~kure_rag.types.Document`: PDF files, and BEIR-style corpora of ready passages."""

from kure_rag.read.corpus import Record, read_corpus
from kure_rag.read.files import Found, find_pdfs
from kure_rag.read.pdf import read_pdf
from kure_rag.read.settings import ReadLimits, ReadSettings

__all__ = ["Found", "ReadLimits", "ReadSettings", "Record", "find_pdfs", "read_corpus", "read_pdf"]
