"""An event loop goes on while texts are embedded: each test's work waits for what only the running loop can do."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stand_in_embeddings import Answer, Request, StandIn, serving, vector_of

from kure_rag import KureEmbeddings
from kure_rag.embed import Embedder, EmbedSettings, ModelCard

TEXTS = ["연차휴가는 며칠인가요?", "보험금을 청구한다."]
CARD = ModelCard(name="someone/model", normalize=False)
LIMIT = 20.0  # seconds until a blocked loop is a failed test


class Gate:
    """Work that goes on only after the event loop has seen it begin."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.free = threading.Event()

    def wait(self) -> bool:
        self.begun.set()
        return self.free.wait(LIMIT)

    async def opened_by_the_loop(self, work: Awaitable[Any]) -> Any:
        task = asyncio.ensure_future(work)
        for _ in range(int(LIMIT / 0.01)):
            await asyncio.sleep(0.01)
            if self.begun.is_set() or task.done():
                break
        assert self.begun.is_set()
        assert not task.done()
        self.free.set()
        return await task


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def slow_server(gate: Gate) -> Iterator[StandIn]:
    def before(request: Request) -> Answer | None:
        return None if gate.wait() else Answer(400, {"error": "the event loop was blocked"})

    with serving(before=before) as server:
        yield server


def llama(endpoint: str) -> Any:
    pytest.importorskip("llama_index.core", reason="the extra `llama-index` is not installed")
    from kure_rag.llama_index import KureEmbedding

    return KureEmbedding("someone/model", card=CARD, backend="remote", endpoint=endpoint)


def chain(endpoint: str) -> KureEmbeddings:
    return KureEmbeddings("someone/model", card=CARD, backend="remote", endpoint=endpoint)


def core(endpoint: str) -> Embedder:
    return Embedder("someone/model", EmbedSettings(backend="remote", endpoint=endpoint), card=CARD)


CALLS: dict[str, Callable[[str], Awaitable[Any]]] = {
    "langchain query": lambda url: chain(url).aembed_query(TEXTS[0]),
    "langchain documents": lambda url: chain(url).aembed_documents(TEXTS),
    "core queries": lambda url: core(url).aembed_queries(TEXTS),
    "core passages": lambda url: core(url).aembed_passages(TEXTS),
    "llama_index query": lambda url: llama(url).aget_query_embedding(TEXTS[0]),
    "llama_index text": lambda url: llama(url).aget_text_embedding(TEXTS[0]),
    "llama_index texts": lambda url: llama(url).aget_text_embedding_batch(TEXTS),
}


@pytest.mark.parametrize("call", CALLS)
async def test_while_a_server_is_slow(slow_server: StandIn, gate: Gate, call: str) -> None:
    pytest.importorskip("httpx", reason="the extra `remote` is not installed")
    found = await gate.opened_by_the_loop(CALLS[call](slow_server.url))
    first = found[0] if call.endswith(("documents", "queries", "passages", "texts")) else found
    np.testing.assert_allclose(first, vector_of(TEXTS[0]), rtol=1e-6)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("model")
    vocab = {token: i for i, token in enumerate(["[PAD]", "[UNK]", "휴가", "보험금"])}
    made = Tokenizer(models.WordLevel(vocab, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=4, max_position_embeddings=16, **sizes)).save_pretrained(folder / "plain")
    PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(
        folder / "plain"
    )
    modules = [Transformer(str(folder / "plain")), Pooling(8, pooling_mode="mean")]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder / "model"))
    return folder / "model"


@pytest.mark.parametrize("texts", [False, True])
async def test_while_a_local_model_computes(model: Path, gate: Gate, texts: bool) -> None:
    from torch.nn.modules.module import register_module_forward_pre_hook

    embeddings = KureEmbeddings(str(model), device="cpu")
    expected = embeddings.embed_documents(TEXTS)
    in_time: list[bool] = []

    def hook(module: Any, args: Any) -> None:
        in_time.append(gate.wait())

    handle = register_module_forward_pre_hook(hook)
    try:
        work = embeddings.aembed_documents(TEXTS) if texts else embeddings.aembed_query(TEXTS[0])
        found = await gate.opened_by_the_loop(work)
    finally:
        handle.remove()
    assert all(in_time)
    np.testing.assert_allclose(found if texts else [found], expected if texts else expected[:1], atol=1e-6)


@pytest.mark.parametrize("role", ["queries", "passages"])
async def test_while_the_core_computes(model: Path, gate: Gate, role: str) -> None:
    from torch.nn.modules.module import register_module_forward_pre_hook

    embedder = Embedder(str(model), EmbedSettings(device="cpu", query_prefix="휴가 ", passage_prefix="보험금 "))
    expected = {"queries": embedder.embed_queries(TEXTS), "passages": embedder.embed_passages(TEXTS)}
    assert not np.allclose(expected["queries"], expected["passages"], atol=1e-3)
    in_time: list[bool] = []
    told: list[int] = []
    handle = register_module_forward_pre_hook(lambda module, args: in_time.append(gate.wait()))
    try:
        work = {"queries": embedder.aembed_queries, "passages": embedder.aembed_passages}[role]
        found = await gate.opened_by_the_loop(work(TEXTS, progress=told.append))
    finally:
        handle.remove()
    assert in_time
    assert all(in_time)
    assert told[-1] == len(TEXTS)
    np.testing.assert_allclose(found, expected[role], atol=1e-6)


async def test_the_gate_finds_a_blocked_loop(slow_server: StandIn, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests are worth: an adapter that computes on the loop fails them."""
    monkeypatch.setitem(globals(), "LIMIT", 0.3)

    async def blocking() -> list[float]:
        return chain(slow_server.url).embed_query(TEXTS[0])

    with pytest.raises(Exception, match=r"blocked|assert"):
        await gate.opened_by_the_loop(blocking())
