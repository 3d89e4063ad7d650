"""Ingests a folder and says so file by file; the test kills it.

usage: ingest_child.py INDEX_FOLDER PDF_FOLDER
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import HashEmbedder

import kure_rag.pipeline.adding as adding
from kure_rag import KureIndex

adding._CATCH_UP = 12  # so that kills fall into the views' work too

if __name__ == "__main__":
    with KureIndex.open(sys.argv[1], embeddings=HashEmbedder()) as index:
        print("open", flush=True)
        index.add_paths(sys.argv[2], workers=1, on_row=lambda row: print(row.document_id, flush=True))
    print("done", flush=True)
