"""What is published of each known model, written here by hand: cards are held to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DENSE = "dense"
E5 = (DENSE, "query: ", "passage: ", "stored", "mean")
BGE = (DENSE, "", "", "stored", "cls")
ARCTIC = (DENSE, "query: ", "", "stored", "cls")
JHGAN = (DENSE, "", "", "stored", "mean")
FIRST_TOKEN = (DENSE, "", "", "cls", None)
KOBERT = (DENSE, "", "", "mean", None)
INSTRUCT = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "

# As the models' own cards have it: kind, prefixes, pooling, how a copy without its stored modules is pooled, dimension,
# longest input in tokens.
TABLE: Final[Mapping[str, tuple[str, str | None, str | None, str, str | None, int | None, int | None]]] = {
    "nlpai-lab/KURE-v1": (*BGE, 1024, 8192),
    "nlpai-lab/KoE5": (*E5, 1024, 512),
    "nlpai-lab/KURE-v3": (DENSE, "query: ", "passage: ", "stored", None, 2048, 8192),
    "kure-rag/static-ko": (DENSE, "", "", "stored", None, 368, None),
    "intfloat/multilingual-e5-small": (*E5, 384, 512),
    "intfloat/multilingual-e5-base": (*E5, 768, 512),
    "intfloat/multilingual-e5-large": (*E5, 1024, 512),
    "intfloat/multilingual-e5-large-instruct": (DENSE, INSTRUCT, "", "mean", None, 1024, 512),
    "BAAI/bge-m3": (*BGE, 1024, 8192),
    "dragonkue/BGE-m3-ko": (*BGE, 1024, 8192),
    "upskyy/bge-m3-korean": (*BGE, 1024, 8192),
    "Snowflake/snowflake-arctic-embed-l-v2.0": (*ARCTIC, 1024, 8192),
    "dragonkue/snowflake-arctic-embed-l-v2.0-ko": (*ARCTIC, 1024, 8192),
    "nomic-ai/nomic-embed-text-v2-moe": (DENSE, "search_query: ", "search_document: ", "stored", "mean", 768, 512),
    "jhgan/ko-sroberta-multitask": (*JHGAN, 768, 128),
    "jhgan/ko-sroberta-nli": (*JHGAN, 768, 128),
    "jhgan/ko-sroberta-sts": (*JHGAN, 768, 128),
    "jhgan/ko-sbert-multitask": (*JHGAN, 768, 128),
    "jhgan/ko-sbert-nli": (*JHGAN, 768, 128),
    "jhgan/ko-sbert-sts": (*JHGAN, 768, 128),
    "jhgan/ko-sroberta-multitask-mrl": (*JHGAN, 768, 128),
    "jhgan/ko-sroberta-nli-mrl": (*JHGAN, 768, 128),
    "jhgan/ko-sroberta-sts-mrl": (*JHGAN, 768, 128),
    "BM-K/KoSimCSE-roberta": (*FIRST_TOKEN, 768, 512),
    "BM-K/KoSimCSE-roberta-multitask": (*FIRST_TOKEN, 768, 512),
    "BM-K/KoSimCSE-bert": (*FIRST_TOKEN, 768, 512),
    "BM-K/KoSimCSE-bert-multitask": (*FIRST_TOKEN, 768, 512),
    "BM-K/KoSimCSE-Unsup-RoBERTa": (*FIRST_TOKEN, 768, 512),
    "BM-K/KoSimCSE-Unsup-BERT": (*FIRST_TOKEN, 768, 512),
    "BM-K/KoDiffCSE-RoBERTa": (*FIRST_TOKEN, 768, 512),
    "monologg/kobert": (*KOBERT, 768, 512),
    "skt/kobert-base-v1": (*KOBERT, 768, 512),
    "nlpai-lab/KURE-Sparse-base": ("sparse", None, None, "stored", None, None, None),
    "nlpai-lab/KURE-Sparse-nano": ("sparse", "[Q] ", "[D] ", "stored", None, 36_282, 8192),
    "nlpai-lab/KURE-v2": ("late-interaction", None, None, "stored", None, 128, 8192),
    "nlpai-lab/KURE-Reranker-base": ("reranker", "", "", "stored", None, None, 8192),
    "nlpai-lab/KURE-Reranker-nano": ("reranker", "", "", "stored", None, None, 8192),
    "dragonkue/bge-reranker-v2-m3-ko": ("reranker", "", "", "stored", None, None, None),
}
