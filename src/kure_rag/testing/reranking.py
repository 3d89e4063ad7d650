"""What a reranker over ours has to give, whatever its framework: the core's order and scores."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from kure_rag.embed import KureReranker
from kure_rag.testing.material import TEXTS, same
from kure_rag.testing.needs_pytest import pytest
from kure_rag.types import Chunk, Hit

_QUESTION: Final = "급여는 언제 지급하나요?"
_PLACES: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    ((), ""),
    (("제4장 보수", "제30조(급여의 지급)"), ""),
    (("주의사항", "신장애 환자"), "다음 환자에게는 신중히 투여할 것."),
)
"""Headings and lead of each of the texts."""
_LETTERS: Final = "".join(sorted(set("".join((*TEXTS, _QUESTION, ">", str(_PLACES))))))

Scored = Sequence[tuple[int, float]]


class RerankerContract:
    """Order and scores of a reranker are those of a search that is told to ``rerank=``, over the same hits.

    Inherit it under a name that begins with ``Test``, and write :meth:`rerank`. The model is a cross-encoder of two
    small layers with random weights, made on the spot: its order means nothing, and is the same at every run.
    """

    def rerank(self, model: str, query: str, hits: Sequence[Hit], top_n: int | None) -> Scored:
        """Gives the adapter documents of those hits, made as its retriever makes them, and says which it kept.

        Args:
            model: The folder of a cross-encoder.
            query: The question.
            hits: One document each, in this order; with its metadata, since headings and lead are read too.
            top_n: How many to keep; all when ``None``.

        Returns:
            The 0-based position in ``hits`` and the score of each document kept, best first.
        """
        raise NotImplementedError(f"{type(self).__name__}: write `rerank(self, model, query, hits, top_n)`")

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, tmp_path_factory: pytest.TempPathFactory) -> str:
        """The folder of the cross-encoder."""
        return str(make_cross_encoder(tmp_path_factory.mktemp("contract") / "cross-encoder"))

    def test_order_and_scores_are_the_core_s(self, model: str) -> None:
        """For all, and for fewer than there are."""
        for top_n in (None, 1, 2, 50):
            given = self.rerank(model, _QUESTION, _hits(TEXTS), top_n)
            same(f"positions and scores with top_n={top_n}", list(given), _core(model, _hits(TEXTS), top_n))

    def test_headings_and_lead_are_read_with_the_text(self, model: str) -> None:
        """As they are embedded: a passage says little without the article that it stands in."""
        hits = _hits(TEXTS, _PLACES)
        given = self.rerank(model, _QUESTION, hits, None)
        same("positions and scores below headings", list(given), _core(model, hits, None))

    def test_equal_texts_keep_the_order_given(self, model: str) -> None:
        """They have the same score; whoever retrieved them had a reason for their order."""
        hits = _hits([TEXTS[1], TEXTS[0], TEXTS[1], TEXTS[0]])
        same("positions and scores", list(self.rerank(model, _QUESTION, hits, None)), _core(model, hits, None))

    def test_no_documents_stay_none(self, model: str) -> None:
        """Nothing found is nothing to rank."""
        same("documents", list(self.rerank(model, _QUESTION, [], None)), [])


class AsyncRerankerContract(RerankerContract):
    """:class:`RerankerContract`, for a reranker that is also asked from an event loop."""

    async def arerank(self, model: str, query: str, hits: Sequence[Hit], top_n: int | None) -> Scored:
        """As :meth:`RerankerContract.rerank`, by the framework's asynchronous way."""
        raise NotImplementedError(f"{type(self).__name__}: write `async arerank(self, model, query, hits, top_n)`")

    def test_an_event_loop_gets_the_same(self, model: str) -> None:
        """All, some, and none."""

        async def ask(hits: Sequence[Hit], top_n: int | None) -> Scored:
            return await self.arerank(model, _QUESTION, hits, top_n)

        hits = _hits(TEXTS, _PLACES)
        for some, top_n in ((hits, None), (hits, 2), ((), None)):
            same(
                f"positions and scores of {len(some)} with top_n={top_n}",
                list(asyncio.run(ask(some, top_n))),
                _core(model, some, top_n),
            )


def make_cross_encoder(folder: Path) -> Path:
    """Saves a cross-encoder of two small layers, with a token for each letter of the contract's texts."""
    from sentence_transformers import CrossEncoder
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast, set_seed

    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *_LETTERS.replace(" ", "")])}
    letters = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106  # a token of text
    letters.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex("."), "isolated")]
    )
    letters.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)]
    )
    names: dict[str, Any] = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    set_seed(0)
    sizes: Any = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        initializer_range=0.3,  # with the usual 0.02, random layers tell no texts apart
    )
    sizes.num_labels = 1
    plain = folder.with_name(f"{folder.name}-plain")
    network: Any = BertForSequenceClassification(sizes)
    network.eval().save_pretrained(plain)
    PreTrainedTokenizerFast(tokenizer_object=letters, **names).save_pretrained(plain)  # type: ignore[no-untyped-call]
    CrossEncoder(str(plain), device="cpu").save_pretrained(str(folder))
    return folder


def _hits(texts: Sequence[str], places: Sequence[tuple[tuple[str, ...], str]] | None = None) -> list[Hit]:
    return [
        Hit(
            chunk=Chunk(
                id=f"passage-{i}",
                document_id="bylaws",
                text=text,
                start=0,
                end=len(text),
                pages=(1,),
                breadcrumb=breadcrumb,
                lead=lead,
            ),
            source="규정.pdf",
            title="규정",
            domain="general",
            score=0.5,
            rank=i + 1,
            legs={},
        )
        for i, (text, (breadcrumb, lead)) in enumerate(zip(texts, places or [((), "")] * len(texts), strict=True))
    ]


def _core(model: str, hits: Sequence[Hit], top_n: int | None) -> list[tuple[int, float]]:
    passages = [hit.chunk.contextualized() for hit in hits]  # what a search's own stage reads
    return [(item.position, item.score) for item in KureReranker(model).rank(_QUESTION, passages, top_k=top_n)]
