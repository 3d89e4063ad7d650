"""What stands about the model: whether tokenising and the handling of results keep up with a fast GPU.

    python benchmarks/embed_border.py --data ../shared/data [--chunks 4096] [--out benchmarks/results/embed_border.md]

The aim is 1,750 chunks of 512 tokens a second, .9M tokens/s. Everything but the model is real: texts, tokenizer, token
budgets, the checks and unit length of :mod:`kure_rag.embed.finished`, the lists of floats that LangChain and LlamaIndex
want. ``--clock cpu`` counts seconds of computing, of all cores together, for a busy machine. The model is a stand-in
that hands out vectors of 1,024 numbers that lie ready, at once, each copied as the torch engine copies it out of pinned
memory. Each stage is timed by itself; then all of them, as ``KureEmbeddings.embed_documents`` and
``KureEmbedding.get_text_embedding_batch`` run them. No GPU is needed; the least of several repeats is printed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import models
import numpy as np

from kure_rag import Embedder, EmbedSettings, KureEmbeddings
from kure_rag.embed.backends.local import LocalBackend
from kure_rag.embed.finished import finished
from kure_rag.embed.notices import Notices
from kure_rag.embed.tokens import TextTokenizer

AIM = 1750  # chunks of 512 tokens a second
WIDTH = 1024
CHUNK = 512


class Ready:
    """Stands for a device: vectors lie ready, and are copied as from pinned memory."""

    dimension = WIDTH
    batch_tokens = 32_768  # the torch engine's on a GPU

    def __init__(self) -> None:
        self._vectors = np.random.default_rng(0).standard_normal((self.batch_tokens, WIDTH), dtype=np.float32)

    def start(self, batch: Sequence[Sequence[int]]) -> Callable[[], Any]:
        """See :class:`kure_rag.embed.backends.base.Runner`."""
        return lambda: np.array(self._vectors[: len(batch)])


def main() -> int:
    options = arguments()
    shape = replace(models.SMALL, vocabulary=32_000)
    folder = models.build(shape, options.data, options.folder)
    tokenizer: Any = Embedder(str(folder), EmbedSettings(device="cpu")).load()._tokenizer  # type: ignore[attr-defined]
    passages = models.statute_passages(options.data)
    chunks = long_chunks(passages, tokenizer, options.chunks)
    tokens = sum(map(len, tokenizer.encode(chunks).ids))
    clock = time.process_time if options.clock == "cpu" else time.perf_counter
    rows = [(name, least(work, options.repeats, clock)) for name, work in stages(folder, tokenizer, chunks)]
    report = as_markdown(rows, len(chunks), tokens, options.clock)
    print(report)
    if options.out:
        options.out.write_text(report + "\n", encoding="utf-8")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder that holds statutes/articles.jsonl.gz; none: made-up texts")
    parser.add_argument("--folder", type=Path, default=models.DEFAULT_FOLDER, help="where models are kept")
    parser.add_argument("--chunks", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--out", type=Path, help="file to keep the table in")
    return parser.parse_args()


def long_chunks(passages: Sequence[str], tokenizer: TextTokenizer, count: int) -> list[str]:
    """Passages one after another, of nearly 512 tokens together; they begin anew where they do not suffice."""
    out: list[str] = []
    gathered: list[str] = []
    tokens = 0
    lengths = [len(row) - 1 for row in tokenizer.encode(passages[: 6 * count]).ids]
    for passage, length in zip(passages * 100, lengths * 100, strict=False):
        if len(out) == count:
            break
        gathered.append(passage)
        tokens += length
        if tokens >= CHUNK:
            text = "\n".join(gathered)
            out.append(text[: len(text) * CHUNK // (tokens + 1)])  # nearly so many: tokens differ in length
            gathered, tokens = [], 0
    return out


def stages(folder: Path, tokenizer: TextTokenizer, chunks: list[str]) -> list[tuple[str, Callable[[], Any]]]:
    """Each stage by itself, then all of them."""
    runner = Ready()
    backend = LocalBackend(tokenizer, runner)
    langchain = KureEmbeddings(str(folder), device="cpu")
    card = replace(langchain.kure_embedder.card, dimension=None)
    vectors = np.random.default_rng(1).standard_normal((len(chunks), WIDTH), dtype=np.float32)
    notices = Notices(lambda: "ready")

    def finish() -> Any:
        positions = range(len(chunks))
        return finished(
            vectors, chunks, positions, name="ready", card=card, is_known=True, dimension=None, notices=notices
        )

    def ready(embeddings: Any) -> Any:
        embeddings.kure_embedder._backend = backend
        return embeddings

    found = [
        ("tokenising", lambda: tokenizer.encode(chunks)),
        ("copies into one array, of passes of 32,768 tokens", lambda: copies(runner, len(chunks))),
        ("checks and unit length", finish),
        ("lists of floats (`tolist`)", vectors.tolist),
        ("all: Embedder.embed_passages", lambda: ready(langchain).kure_embedder.embed_passages(chunks)),
        ("all: LangChain's embed_documents", lambda: ready(langchain).embed_documents(chunks)),
    ]
    if importlib.util.find_spec("llama_index"):
        from kure_rag.llama_index import KureEmbedding

        llama = ready(KureEmbedding(str(folder), device="cpu"))
        found.append(("all: LlamaIndex's get_text_embedding_batch", lambda: llama.get_text_embedding_batch(chunks)))
    return found


def copies(runner: Ready, count: int) -> Any:
    """What :class:`~kure_rag.embed.backends.local.LocalBackend` does with what a device hands out."""
    out = np.empty((count, WIDTH), dtype=np.float32)
    texts = runner.batch_tokens // CHUNK
    for at in range(0, count, texts):
        positions = list(range(at, min(at + texts, count)))
        out[positions] = runner.start([[]] * len(positions))()
    return out


def least(work: Callable[[], Any], repeats: int, clock: Callable[[], float]) -> float:
    work()
    took = []
    for _ in range(repeats):
        began = clock()
        work()
        took.append(clock() - began)
    return min(took)


def as_markdown(rows: Sequence[tuple[str, float]], chunks: int, tokens: int, clock: str) -> str:
    lines = [
        f"# What stands about the model, {date.today():%Y-%m-%d}",
        "",
        f"{os.cpu_count()} cores, seconds of {clock}; {chunks:,} chunks of {tokens / chunks:.0f} tokens,",
        f'vectors of {WIDTH:,} numbers that lie ready. "All" is everything but the model.',
        "",
        f"| stage | chunks/s | tokens/s | x {AIM:,} chunks/s |",
        "|---|---:|---:|---:|",
    ]
    for name, seconds in rows:
        rate = chunks / seconds
        lines.append(f"| {name} | {rate:,.0f} | {tokens / seconds:,.0f} | {rate / AIM:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
