"""What LlamaIndex asks of every component: written down and made again, and asynchronous without stopping the loop."""

from __future__ import annotations

import asyncio
import json
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.bridge.pydantic import BaseModel
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.readers.base import ReaderConfig
from llama_index.core.schema import BaseComponent, Document, MetadataMode, NodeWithScore, TextNode

from kure_rag import CARDS
from kure_rag.chunk import ChunkSettings
from kure_rag.llama_index import KureEmbedding, KureNodeParser, KurePDFReader, KureRerank
from kure_rag.read import ReadLimits, ReadSettings
from kure_rag.tokenize.user_dictionary import UserWord

RULE = "제15조(연차휴가) 직원은 1년간 8할 이상 출근하면 15일의 연차휴가를 쓴다."

COMPONENTS: list[BaseComponent] = [
    KureEmbedding("static-ko", max_tokens=100, query_prefix="질문: ", too_long="raise", cache=Path("vectors")),
    KureEmbedding("static-ko", card=CARDS["nlpai-lab/KoE5"])
    if "nlpai-lab/KoE5" in CARDS
    else KureEmbedding("static-ko"),
    KureNodeParser(profile="legal", domain="legal", target=100, markdown=True, user_words=["연차휴가"]),
    KurePDFReader(),
    KurePDFReader(
        unit="page",
        skip_errors=True,
        domain="medical",
        chunks=ChunkSettings(target=123, profile="medical"),
        read=ReadSettings(tables=False, ocr="never"),
        limits=ReadLimits(),
        workers=1,
        file_types=("pdf", "txt"),
        user_dictionary=["연차휴가", UserWord("안식월")],
    ),
    KureRerank(top_n=2, score_threshold=0.1, keep_retrieval_score=True, settings={"device": "cpu"}),
]


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: type(component).__name__)
def test_a_component_is_written_down_and_made_again(component: BaseComponent) -> None:
    kept = json.loads(component.to_json())
    assert kept["class_name"] == type(component).class_name() == type(component).__name__
    again = type(component).from_dict(kept)
    assert json.loads(again.to_json()) == kept
    for name, value in _settings(component).items():
        assert _settings(again)[name] == value
    assert json.loads(pickle.loads(pickle.dumps(component)).to_json()) == kept


def _settings(component: BaseComponent) -> dict[str, Any]:
    """What the component really works with, beside its fields."""
    if isinstance(component, KurePDFReader):
        return {"settings": component._settings}
    if isinstance(component, KureNodeParser):
        return {"cut": component._cut, "words": component._tokenizer.user_words}
    if isinstance(component, KureEmbedding):
        return {"settings": component.kure_embedder.settings, "card": component.kure_embedder.card}
    assert isinstance(component, BaseModel)
    return {}


def test_a_reader_made_again_reads_the_same(tmp_path: Path) -> None:
    (tmp_path / "규정.txt").write_text(RULE, encoding="utf-8")
    reader = KurePDFReader(unit="page", domain="legal", file_types=["txt"], workers=1)
    found = reader.load_data(tmp_path)
    assert [one.metadata["source"] for one in found] == ["규정.txt"]
    assert KurePDFReader.from_dict(reader.to_dict()).load_data(tmp_path) == found


def test_a_pipeline_reads_with_our_reader(tmp_path: Path) -> None:
    (tmp_path / "규정.txt").write_text(RULE, encoding="utf-8")
    config = ReaderConfig(reader=KurePDFReader(workers=1), reader_args=[str(tmp_path / "규정.txt")])
    nodes = IngestionPipeline(readers=[config], transformations=[KureNodeParser(domain="legal")]).run()
    assert [node.get_content() for node in nodes] == [RULE]


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"unit": "line"}, ValueError, "choose one of page, file"),
        ({"domain": "science"}, ValueError, "domain"),
        ({"worker": 1}, TypeError, "no keyword 'worker'"),
        ({"file_types": ["docx"]}, ValueError, "file_types"),
    ],
)
def test_a_reader_s_wrong_settings_are_refused(given: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        KurePDFReader(**given)


class Watched(KureNodeParser):
    def _pieces(self, node: Any) -> Any:
        assert threading.current_thread() is not threading.main_thread(), "cut on the event loop"
        return super()._pieces(node)


class WatchedReader(KurePDFReader):
    def lazy_load_data(self, *args: Any, **given: Any) -> Any:
        for document in super().lazy_load_data(*args, **given):
            assert threading.current_thread() is not threading.main_thread(), "read on the event loop"
            yield document


class WatchedEmbedding(KureEmbedding):
    def _get_query_embedding(self, query: str) -> list[float]:
        assert threading.current_thread() is not threading.main_thread(), "embedded on the event loop"
        return super()._get_query_embedding(query)

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        assert threading.current_thread() is not threading.main_thread(), "embedded on the event loop"
        return super()._get_text_embeddings(texts)


async def test_readers_parsers_and_models_leave_the_event_loop_alone(tmp_path: Path) -> None:
    (tmp_path / "규정.txt").write_text(RULE, encoding="utf-8")
    reader = WatchedReader(workers=1)
    for load in (reader.aload_data, reader.alazy_load_data):
        (found,) = await load(tmp_path / "규정.txt")
        assert found.text == RULE
    parser, model = Watched(domain="legal"), WatchedEmbedding("static-ko")
    nodes = await parser.acall([Document(id_="규정", text=RULE)])
    assert nodes == KureNodeParser(domain="legal")([Document(id_="규정", text=RULE)])
    pipeline = IngestionPipeline(transformations=[parser, model], disable_cache=True)
    (node,) = await pipeline.arun(documents=[Document(id_="규정", text=RULE)])
    plain = KureEmbedding("static-ko")
    assert node.embedding == plain.get_text_embedding(nodes[0].get_content(MetadataMode.EMBED))
    assert await model.aget_query_embedding("휴가") == plain.get_query_embedding("휴가")
    assert await model.aget_text_embedding("휴가") == plain.get_text_embedding("휴가")
    first, second = await asyncio.gather(*(model.aget_text_embedding_batch([text]) for text in (RULE, "급여")))
    assert [*first, *second] == plain.get_text_embedding_batch([RULE, "급여"])


async def test_an_empty_list_is_reranked_without_the_model() -> None:
    reranker = KureRerank()
    assert await reranker.apostprocess_nodes([], query_str="휴가") == []
    with pytest.raises(ValueError, match="needs the question"):
        await reranker.apostprocess_nodes([NodeWithScore(node=TextNode(text=RULE))])
