"""Embedding speed on a processor, every engine in one run, against LangChain's HuggingFaceEmbeddings at its defaults.

    python benchmarks/embed_cpu.py --data ../shared/data [--chunks 48] [--engines torch,openvino,openvino-int8]

The default is ``HuggingFaceEmbeddings(model_name=...)`` (pip install langchain-huggingface), or, where it is not
installed, ``SentenceTransformer.encode``, of which it is a thin wrapper: float32, batches of 32 sorted by characters.
The model is random, of XLM-RoBERTa-large's shape (see models.py); the texts are passages of the statutes, of their real
lengths. Repeats are interleaved, and medians printed; what a repeat took is printed as it comes. "First" is the
speed before: OpenVINO prepares each new shape once. The fewer the chunks, the more the default loses to padding, which
its column shows. Weights decide how much of a rounding is left in the vectors, and nothing else: see ``--weights``.

``--layers 6`` is a quarter of the model for a quarter of the time: layers are all alike, so the ratios are nearly
those of the whole. On a busy machine, ``--clock cpu --threads 1`` counts seconds of computing instead of seconds on the
wall.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import models
import numpy as np

from kure_rag import Embedder, EmbedSettings
from kure_rag.embed.batches import padding_waste

ENGINES: dict[str, tuple[dict[str, Any], str | None]] = {
    "torch": ({}, None),
    "torch-fp32": ({"precision": "fp32"}, None),
    "onnx": ({"backend": "onnx"}, "onnxruntime"),
    "onnx-int8": ({"backend": "onnx", "precision": "int8"}, "onnxruntime"),
    "openvino": ({"backend": "openvino"}, "openvino"),
    "openvino-int8": ({"backend": "openvino", "precision": "int8"}, "openvino"),
}
STATIC = """
import sys, time
began = time.perf_counter()
from kure_rag import Embedder
embedder = Embedder("static-ko")
embedder.embed_queries(["연차휴가는 며칠인가요?"])
print(time.perf_counter() - began)
"""


@dataclass(slots=True)
class Engine:
    """One way to embed, and what was measured of it."""

    name: str
    passages: Callable[[Sequence[str]], Any]
    query: Callable[[str], Any]
    waste: float
    note: str = ""
    first_seconds: float = 0.0
    seconds: list[float] = field(default_factory=list)
    query_seconds: list[float] = field(default_factory=list)
    vectors: Any = None


def main() -> int:
    options = arguments()
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    large = models.Shape(positions=options.positions, layers=options.layers, weights=options.weights)
    shape = replace(models.SMALL, weights=options.weights) if options.small else large
    folder = models.build(shape, options.data, options.folder)
    texts = models.statute_passages(options.data)[: options.chunks]
    asked = models.questions(options.data, options.queries)
    os.environ.setdefault("KURE_RAG_EXPORTS", str(options.folder / "exports"))
    stock, tokenizer = default(folder, texts)
    lengths = [len(ids) for ids in tokenizer(texts, truncation=True)["input_ids"]]
    engines = [stock, *(ours(name, folder, lengths) for name in chosen(options.engines))]
    clock = time.process_time if options.clock == "cpu" else time.perf_counter
    for engine in engines:
        engine.first_seconds = seconds(clock, lambda engine=engine: first_pass(engine, texts))
        for question in asked:
            engine.query(question)
    for _ in range(options.repeats):
        for engine in engines:
            engine.seconds.append(seconds(clock, lambda engine=engine: engine.passages(texts)))
            engine.query_seconds += [seconds(clock, lambda e=engine, q=q: e.query(q)) for q in asked]
            print(f"{engine.name}: {sum(lengths) / engine.seconds[-1]:,.0f} tokens/s", file=sys.stderr, flush=True)
    print(f"{shape.name}, {os.cpu_count()} cores, seconds of {options.clock}, {options.repeats} repeats interleaved")
    asked_tokens = statistics.mean(len(ids) for ids in tokenizer(asked)["input_ids"])
    print(f"{len(texts)} passages of {sum(lengths) / len(texts):.0f} tokens, questions of {asked_tokens:.0f} tokens\n")
    table(engines, sum(lengths), len(texts))
    static(models.statute_passages(options.data)[:2000], clock)
    if options.profile:
        profile(folder, texts)
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder that holds statutes/articles.jsonl.gz; none: made-up texts")
    parser.add_argument("--folder", type=Path, default=models.DEFAULT_FOLDER, help="where models are kept")
    parser.add_argument("--chunks", type=int, default=48)
    parser.add_argument("--queries", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--engines", default=",".join(ENGINES), help="comma-separated")
    parser.add_argument("--layers", type=int, default=models.LARGE.layers, help="of the model")
    parser.add_argument("--weights", default="plain", choices=("plain", "spread"), help="of the model; see models.py")
    parser.add_argument("--positions", type=int, default=514, choices=(514, 8194))
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--threads", type=int, help="of torch; by default one for each core")
    parser.add_argument("--small", action="store_true", help="a tiny model: whether this runs, not how fast")
    parser.add_argument("--profile", action="store_true", help="where torch's time goes")
    return parser.parse_args()


def chosen(names: str) -> list[str]:
    found = []
    for name in names.split(","):
        library = ENGINES[name][1]
        if library is None or importlib.util.find_spec(library):
            found.append(name)
        else:
            print(f"{name}: left out, {library} is not installed")
    return found


def default(folder: Path, texts: Sequence[str]) -> tuple[Engine, Any]:
    """LangChain's class, or what it wraps, as they come."""
    from sentence_transformers import SentenceTransformer

    if importlib.util.find_spec("langchain_huggingface"):
        from langchain_huggingface import HuggingFaceEmbeddings

        wrapper = HuggingFaceEmbeddings(model_name=str(folder), model_kwargs={"device": "cpu"})
        model, name, note = wrapper._client, "HuggingFaceEmbeddings", version("langchain-huggingface")
        passages, query = wrapper.embed_documents, wrapper.embed_query
    else:
        model, name, note = SentenceTransformer(str(folder), device="cpu"), "SentenceTransformer.encode", ""
        passages = query = model.encode
    lengths = [len(ids) for ids in model.tokenizer(list(texts), truncation=True)["input_ids"]]
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    groups = [order[at : at + 32] for at in range(0, len(order), 32)]
    engine = Engine(name, lambda some: passages(list(some)), query, padding_waste(lengths, groups), note)
    return engine, model.tokenizer


def ours(name: str, folder: Path, lengths: Sequence[int]) -> Engine:
    embedder = Embedder(str(folder), EmbedSettings(device="cpu", **ENGINES[name][0]))
    backend: Any = embedder.load()
    runner = backend._runner
    is_packed = getattr(runner, "is_packed", False)
    waste = 1.0 if is_packed else padding_waste(lengths, list(backend.groups(lengths)))
    note = getattr(runner, "precision", "")
    return Engine(name, embedder.embed_passages, lambda text: embedder.embed_queries([text]), waste, note)


def first_pass(engine: Engine, texts: Sequence[str]) -> None:
    engine.vectors = np.asarray(engine.passages(texts))


def seconds(clock: Callable[[], float], work: Callable[[], Any]) -> float:
    began = clock()
    work()
    return clock() - began


def table(engines: Sequence[Engine], tokens: int, chunks: int) -> None:
    stock = engines[0]
    exact = stock.vectors / np.linalg.norm(stock.vectors, axis=1, keepdims=True)
    between = exact @ exact.T
    print(
        "| engine | tokens/s | first | chunks/s | x default | cosine mean | min | padding | query p50 ms | x default |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for engine in engines:
        took, query = statistics.median(engine.seconds), statistics.median(engine.query_seconds)
        cosines = (engine.vectors * exact).sum(axis=1)
        print(
            f"| {engine.name}{f' ({engine.note})' if engine.note else ''} | {tokens / took:,.0f} "
            f"| {tokens / engine.first_seconds:,.0f} | {chunks / took:.2f} "
            f"| {statistics.median(stock.seconds) / took:.2f} | {cosines.mean():.5f} | {cosines.min():.5f} "
            f"| {engine.waste:.3f} | {1000 * query:.1f} | {statistics.median(stock.query_seconds) / query:.2f} |"
        )
    apart = between[~np.eye(len(between), dtype=bool)]
    print(f"\nCosine between different passages: {apart.mean():.3f} on average, {apart.min():.3f} at least.")


def static(texts: Sequence[str], clock: Callable[[], float]) -> None:
    loaded = [
        float(subprocess.run([sys.executable, "-c", STATIC], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    embedder = Embedder("static-ko")
    embedder.embed_passages(texts[:100])
    took = statistics.median(seconds(clock, lambda: embedder.embed_passages(texts)) for _ in range(3))
    query = statistics.median(
        seconds(clock, lambda: embedder.embed_queries(["연차휴가는 며칠인가요?"])) for _ in range(99)
    )
    print(
        f"static-ko: {len(texts) / took:,.0f} chunks/s, a query {1e6 * query:.0f} microseconds, "
        f"import, load and first query in a fresh process {statistics.median(loaded):.2f} s"
    )


def profile(folder: Path, texts: Sequence[str]) -> None:
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiled

    embedder = Embedder(str(folder), EmbedSettings(device="cpu"))
    embedder.embed_passages(texts[:4])
    with profiled(activities=[ProfilerActivity.CPU]) as found:
        embedder.embed_passages(texts)
    print(found.key_averages().table(sort_by="self_cpu_time_total", row_limit=12, max_name_column_width=40))


if __name__ == "__main__":
    sys.exit(main())
