"""What projects put together by hand: PyPDFLoader, RecursiveCharacterTextSplitter, pdfplumber's tables.

Prints pages a second. Run by read_speed.py; needs nothing of kure-rag.
"""

import sys
import time
from pathlib import Path

import pdfplumber
from langchain_community.document_loaders import PyPDFLoader
from langchain_text_splitters import RecursiveCharacterTextSplitter


def main() -> None:
    began = time.perf_counter()
    pages = 0
    splitter = RecursiveCharacterTextSplitter(chunk_size=400, chunk_overlap=0)
    for path in map(Path, sys.argv[1:]):
        pages += len(documents := PyPDFLoader(str(path)).load())
        splitter.split_documents(documents)
        with pdfplumber.open(path) as pdf:
            for page in pdf.pages:
                page.extract_tables()
                page.close()
    print(pages / (time.perf_counter() - began))


if __name__ == "__main__":
    main()
