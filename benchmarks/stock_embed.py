"""LangChain's HuggingFaceEmbeddings at its defaults. Run by embed_cpu.py; needs nothing of kure-rag."""

import json
import sys
import time
from importlib.metadata import version

from langchain_huggingface import HuggingFaceEmbeddings


def main() -> None:
    message = json.load(sys.stdin)
    embeddings = HuggingFaceEmbeddings(model_name=message["folder"])
    embeddings.embed_documents(message["texts"][:2])
    took = []
    for _ in range(3):
        began = time.perf_counter()
        embeddings.embed_documents(message["texts"])
        took.append(time.perf_counter() - began)
    print(json.dumps({"seconds": sorted(took)[1], "version": version("langchain-huggingface")}))


if __name__ == "__main__":
    main()
