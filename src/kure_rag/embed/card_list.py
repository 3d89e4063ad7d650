"""The facts of every known model.

Sources, read in November 2026: each model's own card on huggingface.co. For scores: means over Korean tasks from the
README of github.com/nlpai-lab/KURE (December 2024: 8 tasks; August 2026: 9) and the cards of KURE-Sparse and
KURE-Reranker; KorSTS from the READMEs of github.com/jhgan00/ko-sentence-transformers and
github.com/BM-K/Sentence-Embedding-Is-All-You-Need; the set of PDFs from github.com/BAEM1N/RAG-Evaluation.

What nobody could be seen to state is left out: revisions, licences, dimensions and limits that are missing here are
unknown, not absent. KoSentenceT5 (BM-K) was published without a place on the hub, so it has no card; its kind of model,
the encoder of a T5 with mean pooling, loads from a folder without one.

Default dense weights: ``static-ko``'s .15 is measured (see :mod:`kure_rag.search.fusion`), all others are unmeasured.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kure_rag.embed import card_references
from kure_rag.embed.model_card import ModelCard

DEFAULT_MODEL: Final = "nlpai-lab/KURE-v1"
STATIC_KO: Final = "kure-rag/static-ko"

_KO_8: Final = ("KURE's MTEB-ko-retrieval of 2024, mean of 8 tasks", "nDCG@10")
_KO_9: Final = ("MTEB(kor, v2) retrieval, mean of 9 tasks", "nDCG@10")
_KO_9_RERANKED: Final = ("nine Korean retrieval tasks, reranked", "nDCG@10")
_PDFS: Final = ("allganize Korean RAG set by BAEM1N/RAG-Evaluation", "MRR")
_STS: Final = ("KorSTS test", "Spearman of cosines")

E5_TASK: Final = "Given a web search query, retrieve relevant passages that answer the query"
"""What instruct models are told by default: the sentence of their authors' own example."""


# Weights beside keyword scores, from legs of such a strength that were simulated: benchmarks/results/fusion.md. None of
# these models was measured itself, but static-ko, whose own is in its card.
_RETRIEVAL: Final = 0.7  # models trained to find passages, whose vectors alone rank about as well as keywords or better
_SENTENCES: Final = 0.12  # models trained to compare sentences, or not trained for similarity


def _kure() -> Iterator[ModelCard]:
    yield ModelCard(
        name=DEFAULT_MODEL,
        aliases=("KURE-v1", "kure"),
        revision="d14c8a9423946e268a0c9952fecf3a7aabd73bd9",
        plain_pooling="cls",
        dimension=1024,
        dense_weight=_RETRIEVAL,
        max_tokens=8192,
        licence="MIT",
        published=((*_KO_8, 0.6947), (*_KO_9, 0.7616), (*_PDFS, 0.6267)),
        reference=card_references.KURE_V1,
        note="The default. No prefixes.",
    )
    yield ModelCard(
        name="nlpai-lab/KoE5",
        aliases=("KoE5",),
        revision="bc6d284c60fe5a973e74c1751b92594c9f581213",
        query_prefix="query: ",
        passage_prefix="passage: ",
        plain_pooling="mean",
        dimension=1024,
        dense_weight=_RETRIEVAL,
        max_tokens=512,
        licence="MIT",
        published=((*_KO_8, 0.6601), (*_KO_9, 0.7337), (*_PDFS, 0.6871)),
        reference=card_references.KOE5,
        note="Without its prefixes its similarities are others.",
    )
    yield ModelCard(
        name="nlpai-lab/KURE-v3",
        aliases=("KURE-v3",),
        query_prefix="query: ",
        passage_prefix="passage: ",
        dimension=2048,
        dense_weight=_RETRIEVAL,
        max_tokens=8192,
        licence="Apache-2.0",
        note="On Nemotron-3-Embed-1B.",
    )
    yield ModelCard(
        name=STATIC_KO,
        aliases=("static-ko",),
        dimension=368,
        licence="CC-BY-SA-4.0",
        dense_weight=0.15,
        note="Bundled: works offline, weak on paraphrase.",
    )


def _e5(size: str, dimension: int, *scores: tuple[str, str, float]) -> ModelCard:
    return ModelCard(
        name=f"intfloat/multilingual-e5-{size}",
        aliases=(f"multilingual-e5-{size}",),
        query_prefix="query: ",
        passage_prefix="passage: ",
        plain_pooling="mean",
        dimension=dimension,
        dense_weight=_RETRIEVAL,
        max_tokens=512,
        licence="MIT",
        published=scores,
    )


def _multilingual() -> Iterator[ModelCard]:
    yield _e5("small", 384)
    yield _e5("base", 768, (*_KO_8, 0.6322))
    yield _e5("large", 1024, (*_KO_8, 0.6637))
    yield ModelCard(
        name="intfloat/multilingual-e5-large-instruct",
        aliases=("multilingual-e5-large-instruct",),
        query_prefix=f"Instruct: {E5_TASK}\nQuery: ",
        pooling="mean",
        dimension=1024,
        dense_weight=_RETRIEVAL,
        max_tokens=512,
        licence="MIT",
        published=((*_KO_8, 0.6445),),
        note="For another task, give query_prefix='Instruct: …\\nQuery: '. Passages have no prefix.",
    )
    yield ModelCard(
        name="BAAI/bge-m3",
        aliases=("bge-m3",),
        plain_pooling="cls",
        dimension=1024,
        dense_weight=_RETRIEVAL,
        max_tokens=8192,
        licence="MIT",
        published=((*_KO_8, 0.6872), (*_KO_9, 0.7509), (*_PDFS, 0.5630)),
    )
    yield ModelCard(
        name="dragonkue/BGE-m3-ko",
        aliases=("BGE-m3-ko",),
        plain_pooling="cls",
        dimension=1024,
        dense_weight=_RETRIEVAL,
        max_tokens=8192,
        licence="Apache-2.0",
        published=((*_KO_8, 0.6875), (*_KO_9, 0.7547)),
    )
    yield ModelCard(
        name="upskyy/bge-m3-korean",
        aliases=("bge-m3-korean",),
        plain_pooling="cls",
        dimension=1024,
        dense_weight=_RETRIEVAL,
        max_tokens=8192,
        published=((*_KO_8, 0.6026),),
    )
    yield ModelCard(
        name="Snowflake/snowflake-arctic-embed-l-v2.0",
        aliases=("snowflake-arctic-embed-l-v2.0", "arctic-l-v2.0"),
        query_prefix="query: ",
        plain_pooling="cls",
        dimension=1024,
        dense_weight=_RETRIEVAL,
        dimensions=(1024, 256),
        max_tokens=8192,
        licence="Apache-2.0",
        published=((*_KO_8, 0.6819),),
    )
    yield ModelCard(
        name="dragonkue/snowflake-arctic-embed-l-v2.0-ko",
        aliases=("snowflake-arctic-embed-l-v2.0-ko", "arctic-l-v2.0-ko"),
        query_prefix="query: ",
        plain_pooling="cls",
        dimension=1024,
        dense_weight=_RETRIEVAL,
        max_tokens=8192,
        published=((*_KO_9, 0.7653),),
    )
    yield ModelCard(
        name="nomic-ai/nomic-embed-text-v2-moe",
        aliases=("nomic-embed-text-v2-moe",),
        query_prefix="search_query: ",
        passage_prefix="search_document: ",
        plain_pooling="mean",
        dimension=768,
        dense_weight=_RETRIEVAL,
        dimensions=(768, 256),
        max_tokens=512,
        needs_remote_code=True,
        licence="Apache-2.0",
        published=((*_KO_8, 0.6410),),
    )


_JHGAN_STS: Final = {
    "ko-sroberta-multitask": 0.8560,
    "ko-sroberta-nli": 0.8385,
    "ko-sroberta-sts": 0.8182,
    "ko-sbert-multitask": 0.8471,
    "ko-sbert-nli": 0.8316,
    "ko-sbert-sts": 0.8123,
}


def _jhgan() -> Iterator[ModelCard]:
    for name, spearman in _JHGAN_STS.items():
        best = name == "ko-sroberta-multitask"
        yield ModelCard(
            name=f"jhgan/{name}",
            aliases=(name,),
            plain_pooling="mean",
            dimension=768,
            dense_weight=_SENTENCES,
            max_tokens=128,
            published=((*_STS, spearman), *(((*_KO_8, 0.4869),) if best else ())),
            reference=card_references.KO_SROBERTA_MULTITASK if best else None,
            note="Cuts texts at 128 tokens; made for sentences.",
        )
    for task in ("multitask", "nli", "sts"):
        yield ModelCard(
            name=f"jhgan/ko-sroberta-{task}-mrl",
            aliases=(f"ko-sroberta-{task}-mrl",),
            plain_pooling="mean",
            dimension=768,
            dense_weight=_SENTENCES,
            dimensions=(768, 512, 256, 128, 64, 32),
            max_tokens=128,
            note="Cuts texts at 128 tokens; vectors can be cut with dimension=.",
        )


_BM_K_STS: Final = {
    "KoSimCSE-roberta": 0.8377,
    "KoSimCSE-roberta-multitask": 0.8612,
    "KoSimCSE-bert": 0.8358,
    "KoSimCSE-bert-multitask": 0.8602,
    "KoSimCSE-Unsup-RoBERTa": 0.7500,
    "KoSimCSE-Unsup-BERT": 0.7398,
    "KoDiffCSE-RoBERTa": 0.7696,
}


def _bm_k() -> Iterator[ModelCard]:
    for name, spearman in _BM_K_STS.items():
        yield ModelCard(
            name=f"BM-K/{name}",
            aliases=(name,),
            pooling="cls",
            dimension=768,
            dense_weight=_SENTENCES,
            max_tokens=512,
            published=((*_STS, spearman),),
            reference=card_references.KOSIMCSE_ROBERTA_MULTITASK if name == "KoSimCSE-roberta-multitask" else None,
            note="A plain checkpoint: the first token of the last layer, without the pooler.",
        )


def _kobert() -> Iterator[ModelCard]:
    for name in ("monologg/kobert", "skt/kobert-base-v1"):
        yield ModelCard(
            name=name,
            aliases=(name.split("/")[1],),
            pooling="mean",
            dimension=768,
            dense_weight=_SENTENCES,
            max_tokens=512,
            tokenizer="kobert",
            note="An encoder to train on: not trained for similarity.",
        )


def _sparse() -> Iterator[ModelCard]:
    yield ModelCard(
        name="nlpai-lab/KURE-Sparse-base",
        aliases=("KURE-Sparse-base",),
        kind="sparse",
        query_prefix=None,
        passage_prefix=None,
        normalize=False,
        needs_remote_code=True,
        licence="Apache-2.0",
        published=((*_KO_9, 0.7984),),
    )
    yield ModelCard(
        name="nlpai-lab/KURE-Sparse-nano",
        aliases=("KURE-Sparse-nano",),
        kind="sparse",
        query_prefix="[Q] ",
        passage_prefix="[D] ",
        dimension=36_282,
        max_tokens=8192,
        normalize=False,
        licence="Apache-2.0",
        published=((*_KO_9, 0.7716),),
    )


def _late_interaction() -> Iterator[ModelCard]:
    yield ModelCard(
        name="nlpai-lab/KURE-v2",
        aliases=("KURE-v2",),
        kind="late-interaction",
        # No instructions, says its card; a model of this kind may store markers of its own for the two roles.
        query_prefix=None,
        passage_prefix=None,
        dimension=128,
        max_tokens=8192,
        licence="Apache-2.0",
        published=((*_KO_9, 0.8160),),
        note="A vector for each token; 154M parameters. No instructions before texts.",
    )


def _rerankers() -> Iterator[ModelCard]:
    for size, score in (("base", 0.8849), ("nano", 0.8808)):
        yield ModelCard(
            name=f"nlpai-lab/KURE-Reranker-{size}",
            aliases=(f"KURE-Reranker-{size}",),
            kind="reranker",
            max_tokens=8192,
            normalize=False,
            licence="Apache-2.0",
            published=((*_KO_9_RERANKED, score),),
        )
    yield ModelCard(
        name="dragonkue/bge-reranker-v2-m3-ko",
        aliases=("bge-reranker-v2-m3-ko",),
        kind="reranker",
        normalize=False,
        licence="Apache-2.0",
        published=((*_PDFS, 0.7697),),
        note="The best of 25 on that set, where 11 of them made the ranking worse.",
    )


ALL_CARDS: Final[tuple[ModelCard, ...]] = (
    *_kure(),
    *_multilingual(),
    *_jhgan(),
    *_bm_k(),
    *_kobert(),
    *_sparse(),
    *_late_interaction(),
    *_rerankers(),
)
