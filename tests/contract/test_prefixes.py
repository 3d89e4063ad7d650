"""A model that was trained with prefixes gets exactly those: a stand-in of KoE5's shape, with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from kure_rag import Embedder, KureEmbeddings
from kure_rag.llama_index import KureEmbedding

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

QUERY = "연차휴가는 며칠인가요?"
PASSAGE = "연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다."


@pytest.fixture(scope="module")
def koe5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder named ``KoE5``: an XLM-RoBERTa of two layers with mean pooling and normalised vectors."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

    letters = sorted({*QUERY, *PASSAGE, *map(chr, range(0x21, 0x7F)), "▁"} - {" "})
    vocabulary = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((letter, -3.0) for letter in letters)]
    vocabulary += [("▁query", -2.0), ("▁passage", -2.0), ("연차", -2.0), ("휴가", -2.0), ("<mask>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    base, folder = tmp_path_factory.mktemp("base"), tmp_path_factory.mktemp("models") / "KoE5"
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        model_max_length=512,
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
    ).save_pretrained(base)
    torch.manual_seed(20261120)
    XLMRobertaModel(
        XLMRobertaConfig(
            vocab_size=len(vocabulary),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=514,
            type_vocab_size=1,
            pad_token_id=1,
            initializer_range=0.5,  # with the usual 0.02, two random layers tell no texts apart
        )
    ).save_pretrained(base)
    transformer = Transformer(str(base))
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
    SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu").save(str(folder))
    return folder


@pytest.fixture(scope="module")
def plain(koe5: Path) -> SentenceTransformer:
    """The same model without any of our code."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(koe5), device="cpu")


class _Door:
    """LangChain's and LlamaIndex's names for the same two things."""

    def __init__(self, kind: str, folder: Path, **settings: Any) -> None:
        self._chain = KureEmbeddings(str(folder), device="cpu", **settings) if kind == "langchain" else None
        self._llama = KureEmbedding(str(folder), device="cpu", **settings) if kind == "llama_index" else None
        self._core = Embedder(str(folder)) if kind == "core" and not settings else None

    def query(self, text: str) -> Any:
        if self._chain is not None:
            return np.asarray(self._chain.embed_query(text))
        if self._llama is not None:
            return np.asarray(self._llama.get_query_embedding(text))
        assert self._core is not None
        return self._core.embed_queries([text])[0]

    def passage(self, text: str) -> Any:
        if self._chain is not None:
            return np.asarray(self._chain.embed_documents([text])[0])
        if self._llama is not None:
            return np.asarray(self._llama.get_text_embedding(text))
        assert self._core is not None
        return self._core.embed_passages([text])[0]


def _encode(plain: SentenceTransformer, text: str) -> Any:
    return plain.encode([text], normalize_embeddings=True)[0]


@pytest.mark.parametrize("kind", ["core", "langchain", "llama_index"])
@pytest.mark.parametrize("text", [QUERY, PASSAGE])
def test_vectors_differ_by_exactly_the_prefixes(koe5: Path, plain: SentenceTransformer, kind: str, text: str) -> None:
    door = _Door(kind, koe5)
    assert np.allclose(door.query(text), _encode(plain, f"query: {text}"), atol=1e-6)
    assert np.allclose(door.passage(text), _encode(plain, f"passage: {text}"), atol=1e-6)
    assert not np.allclose(door.query(text), door.passage(text), atol=1e-2)
    for vector in (door.query(text), door.passage(text)):  # the check would find an adapter that forgets prefixes
        assert not np.allclose(vector, _encode(plain, text), atol=1e-2)


@pytest.mark.parametrize("kind", ["langchain", "llama_index"])
def test_without_prefixes_both_roles_are_one(koe5: Path, plain: SentenceTransformer, kind: str) -> None:
    door = _Door(kind, koe5, query_prefix="", passage_prefix="")
    assert np.allclose(door.query(PASSAGE), _encode(plain, PASSAGE), atol=1e-6)
    assert np.allclose(door.passage(PASSAGE), _encode(plain, PASSAGE), atol=1e-6)


@pytest.mark.parametrize("kind", ["langchain", "llama_index"])
def test_other_prefixes_are_put_as_given(koe5: Path, plain: SentenceTransformer, kind: str) -> None:
    door = _Door(kind, koe5, query_prefix="Q> ")
    assert np.allclose(door.query(QUERY), _encode(plain, f"Q> {QUERY}"), atol=1e-6)
    assert np.allclose(door.passage(QUERY), _encode(plain, f"passage: {QUERY}"), atol=1e-6)


@pytest.mark.parametrize("kind", ["core", "langchain", "llama_index"])
def test_a_prefix_is_not_put_twice(koe5: Path, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    door = _Door(kind, koe5)
    assert np.array_equal(door.query(f"query: {QUERY}"), door.query(QUERY))
    assert np.array_equal(door.passage(f"passage: {PASSAGE}"), door.passage(PASSAGE))
    assert "already begin with 'query: '" in caplog.text
    # The other role's prefix is a part of the text, and stays.
    assert not np.allclose(door.query(f"passage: {QUERY}"), door.query(QUERY), atol=1e-2)


async def test_async_keeps_the_roles_apart(koe5: Path, plain: SentenceTransformer) -> None:
    chain, llama = KureEmbeddings(str(koe5), device="cpu"), KureEmbedding(str(koe5), device="cpu")
    query, passage = _encode(plain, f"query: {PASSAGE}"), _encode(plain, f"passage: {PASSAGE}")
    assert np.allclose(await chain.aembed_query(PASSAGE), query, atol=1e-6)
    assert np.allclose((await chain.aembed_documents([PASSAGE]))[0], passage, atol=1e-6)
    assert np.allclose(await llama.aget_query_embedding(PASSAGE), query, atol=1e-6)
    assert np.allclose((await llama.aget_text_embedding_batch([PASSAGE]))[0], passage, atol=1e-6)


async def test_many_batches_at_once_are_not_mixed_up(koe5: Path) -> None:
    texts = [f"{PASSAGE} " * (1 + i % 5) + f"{i}번째 조항" for i in range(48)]
    llama = KureEmbedding(str(koe5), device="cpu", embed_batch_size=3)
    together = np.asarray(await llama.aget_text_embedding_batch(texts))
    assert np.allclose(together, llama.get_text_embedding_batch(texts), atol=1e-5)
