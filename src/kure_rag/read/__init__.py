"""Bytes → :class:`~kure_rag.types.Document`: PDF and text files, and BEIR-style corpora of ready passages."""

from kure_rag.read.corpus import Record, read_corpus
from kure_rag.read.file_types import FILE_TYPES, FileType, file_type
from kure_rag.read.files import Found, find_files, find_pdfs, read_file
from kure_rag.read.pdf import read_pdf
from kure_rag.read.settings import ReadLimits, ReadSettings
from kure_rag.read.text_file import read_text

__all__ = [
    "FILE_TYPES",
    "FileType",
    "Found",
    "ReadLimits",
    "ReadSettings",
    "Record",
    "file_type",
    "find_files",
    "find_pdfs",
    "read_corpus",
    "read_file",
    "read_pdf",
    "read_text",
]
