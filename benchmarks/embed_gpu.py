"""Embedding speed on a CUDA GPU, against sentence-transformers and against the GPU's own limit, in one run.

    python benchmarks/embed_gpu.py --data ../shared/data [--out benchmarks/results]

Two sets of texts: passages of the statutes, of their real lengths, and chunks of 512 tokens. The limit is a product of
large bf16 matrices, measured here: an engine's share of it is the floating-point operations of its tokens (no padding
counted) over its seconds. The defaults are ``SentenceTransformer.encode`` with batches of 32 in fp32, and in fp16; its
larger batches in fp16 are measured as well, and kure-rag is also compared with the best of them. It is measured as it
comes, in fp16 on a GPU, and in bf16.
``--device cpu --small`` runs it on a tiny model, to see that it runs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import models
import numpy as np

from kure_rag import Embedder, EmbedSettings
from kure_rag.embed.batches import batches, padding_waste
from kure_rag.embed.settings import Precision

CHUNK = 512
FIGURES = (
    *("tokens/s", "chunks/s", "x fp32", "x fp16", "x best fp16"),
    *("of matmul", "padding", "cosine mean", "min", "query"),
)
BATCHES = (32, 128, 512)  # texts; the first is sentence-transformers' default


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Texts and their lengths in tokens."""

    name: str
    texts: list[str]
    lengths: list[int]

    @property
    def tokens(self) -> int:
        """Of all texts."""
        return sum(self.lengths)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What was measured of one engine on one set of texts; None where it was not."""

    texts: str
    engine: str
    tokens_per_second: float
    chunks_per_second: float
    share: float
    waste: float
    cosine: tuple[float, float]
    query: float


def main() -> int:
    options = arguments()
    import torch

    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print(
            "embed_gpu.py: torch sees no CUDA device here. Install a CUDA build of torch on a machine with an NVIDIA "
            "GPU, or see that it runs with: --device cpu --small",
            file=sys.stderr,
        )
        return 2
    shape = models.SMALL if options.small else models.Shape(positions=options.positions)
    folder = models.build(shape, options.data, options.folder)
    ceiling = matmul_ceiling(options.device, 512 if options.small else 8192)
    engines = all_engines(folder, options.device)
    tokenizer = engines[0].tokenizer
    passages = models.statute_passages(options.data)
    sets = [
        measured_texts("passages", passages[: options.chunks], tokenizer),
        measured_texts(f"chunks of {CHUNK}", long_chunks(passages, tokenizer, options.chunks // 2), tokenizer),
    ]
    asked = models.questions(options.data, options.queries)
    rows = [row for texts in sets for row in measured(engines, texts, asked, shape, ceiling, options)]
    asked_tokens = statistics.mean(len(ids) for ids in tokenizer(asked)["input_ids"])
    report = as_markdown(rows, sets, shape, ceiling, device_name(options.device))
    report += f"\n\nQueries: {len(asked)} of {asked_tokens:.0f} tokens, one by one, median."
    report += f"\nTokenising alone, {os.cpu_count()} cores: {engines[-1].tokenising(sets[0]):,.0f} tokens/s."
    report += f"\nLists of floats for LangChain, from vectors that lie ready: {lists(shape.hidden):,.0f} chunks/s."
    print(report)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        slug = "-".join(device_name(options.device).lower().split()).replace("/", "-")
        (options.out / f"embed_gpu-{slug}-{date.today():%Y-%m-%d}.md").write_text(report + "\n", encoding="utf-8")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder that holds statutes/articles.jsonl.gz; none: made-up texts")
    parser.add_argument("--folder", type=Path, default=models.DEFAULT_FOLDER, help="where models are kept")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--chunks", type=int, default=8192, help="passages; half as many chunks of 512 tokens")
    parser.add_argument("--stock-chunks", type=int, default=1024, help="of them, for the default in fp32")
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--positions", type=int, default=514, choices=(514, 8194))
    parser.add_argument("--small", action="store_true", help="a tiny model: whether this runs, not how fast")
    parser.add_argument("--out", type=Path, help="folder to keep the table in, with the GPU's name and the date")
    return parser.parse_args()


class Stock:
    """sentence-transformers in one precision, with batches of so many texts."""

    def __init__(self, model: Any, precision: str, batch: int) -> None:
        self.name = f"SentenceTransformer.encode {precision}, batches of {batch}"
        self.tokenizer = model.tokenizer
        self._model = model
        self._batch = batch

    def passages(self, texts: Sequence[str]) -> Any:
        return self._model.encode(list(texts), batch_size=self._batch, show_progress_bar=False)

    query = passages

    def waste(self, texts: Texts) -> float:
        order = sorted(range(len(texts.texts)), key=lambda i: -len(texts.texts[i]))
        groups = [order[at : at + self._batch] for at in range(0, len(order), self._batch)]
        return padding_waste(texts.lengths, groups)


class Ours:
    """kure-rag as it comes, which is fp16 on a GPU, or in another precision."""

    def __init__(self, folder: Path, device: str, precision: Precision = "auto") -> None:
        self._embedder = Embedder(str(folder), EmbedSettings(device=device, precision=precision))
        self._runner: Any = self._embedder.load()._runner  # type: ignore[attr-defined]
        packed = "packed" if self._runner.is_packed else "padded"
        self.name = f"kure-rag {precision} ({self._runner.precision}, {packed})"

    def passages(self, texts: Sequence[str]) -> Any:
        return self._embedder.embed_passages(texts)

    def query(self, texts: Sequence[str]) -> Any:
        return self._embedder.embed_queries(texts)

    def tokenising(self, texts: Texts) -> float:
        tokenizer: Any = self._embedder.load()._tokenizer  # type: ignore[attr-defined]
        return texts.tokens / min(seconds(lambda: tokenizer.encode(texts.texts)) for _ in range(3))

    def waste(self, texts: Texts) -> float:
        if self._runner.is_packed:
            return 1.0
        return padding_waste(texts.lengths, list(batches(texts.lengths, self._runner.batch_tokens)))


def all_engines(folder: Path, device: str) -> list[Any]:
    """The default in fp32 first, then the default in fp16, and ours last: as it comes, and in bf16."""
    import torch
    from sentence_transformers import SentenceTransformer

    exact, half = (
        SentenceTransformer(str(folder), device=device, model_kwargs={"dtype": dtype})
        for dtype in (torch.float32, torch.float16)
    )
    return [
        Stock(exact, "fp32", BATCHES[0]),
        *(Stock(half, "fp16", batch) for batch in BATCHES),
        Ours(folder, device),
        Ours(folder, device, "bf16"),
    ]


def matmul_ceiling(device: str, size: int) -> float:
    """Operations a second of a product of large bf16 matrices: the best of several runs."""
    import torch

    a = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    b = torch.randn(size, size, device=device, dtype=torch.bfloat16)

    def products() -> None:
        for _ in range(8):
            torch.mm(a, b)
        finish(device)

    products()
    return 8 * 2 * size**3 / min(seconds(products) for _ in range(8))


def finish(device: str) -> None:
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize()


def measured_texts(name: str, texts: list[str], tokenizer: Any) -> Texts:
    return Texts(name=name, texts=texts, lengths=[len(ids) for ids in tokenizer(texts, truncation=True)["input_ids"]])


def long_chunks(passages: Sequence[str], tokenizer: Any, count: int) -> list[str]:
    """Texts that fill the limit of 512 tokens: passages in a row, cut by the tokenizer."""
    out: list[str] = []
    gathered, tokens = [], 0
    for passage in passages * 50:
        if len(out) == count:
            break
        gathered.append(passage)
        tokens += len(tokenizer(passage)["input_ids"]) - 2
        if tokens >= CHUNK - 2:
            ids = tokenizer("\n".join(gathered), truncation=True, max_length=CHUNK, add_special_tokens=False)[
                "input_ids"
            ]
            out.append(tokenizer.decode(ids[: CHUNK - 4]))  # decoded, it may come out a token or two longer
            gathered, tokens = [], 0
    return out


def measured(
    engines: Sequence[Any], texts: Texts, asked: Sequence[str], shape: models.Shape, ceiling: float, options: Any
) -> list[Row]:
    few = texts.texts[: options.stock_chunks]
    exact = unit(engines[0].passages(few))
    work = [few if engine is engines[0] else texts.texts for engine in engines]
    took: list[list[float]] = [[] for _ in engines]
    for engine in engines:
        engine.passages(texts.texts[:256])  # kernels are chosen and memory is taken
        for question in asked[:5]:
            engine.query([question])
    for _ in range(options.repeats):
        for i, engine in enumerate(engines):
            took[i].append(seconds(lambda engine=engine, i=i: engine.passages(work[i])))
    rows = []
    for i, engine in enumerate(engines):
        count, second = len(work[i]), statistics.median(took[i])
        lengths = texts.lengths[:count]
        cosines = (unit(engine.passages(few)) * exact).sum(axis=1)
        queries = [seconds(lambda engine=engine, q=q: engine.query([q])) for q in asked]
        rows.append(
            Row(
                texts=texts.name,
                engine=engine.name,
                tokens_per_second=sum(lengths) / second,
                chunks_per_second=count / second,
                share=sum(n * shape.flops(n) for n in lengths) / second / ceiling,
                waste=engine.waste(texts),
                cosine=(float(cosines.mean()), float(cosines.min())),
                query=statistics.median(queries),
            )
        )
    return rows


def lists(width: int) -> float:
    """Vectors a second that become lists of floats; embed_border.py has the other stages about the model."""
    vectors = np.random.default_rng(0).standard_normal((4096, width), dtype=np.float32)
    return len(vectors) / min(seconds(vectors.tolist) for _ in range(3))


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def unit(vectors: Any) -> Any:
    vectors = np.asarray(vectors, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def device_name(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "CPU"


def as_markdown(rows: Sequence[Row], sets: Sequence[Texts], shape: models.Shape, ceiling: float, device: str) -> str:
    import torch

    lines = [
        f"# Embedding on {device}, {date.today():%Y-%m-%d}",
        "",
        f"torch {torch.__version__}, {shape.name}; bf16 products of matrices: {ceiling / 1e12:.1f} TFLOP/s.",
        *(f"{t.name}: {len(t.texts):,} texts of {t.tokens / len(t.texts):.0f} tokens." for t in sets),
        "",
        f"| texts | engine | {' | '.join(FIGURES)} |",
        "|---|---|" + "---:|" * len(FIGURES),
    ]
    for row in rows:
        fp32, *fp16 = [r.tokens_per_second for r in rows if r.texts == row.texts][: 1 + len(BATCHES)]
        times = " | ".join(f"{row.tokens_per_second / base:.2f}" for base in (fp32, fp16[0], max(fp16)))
        lines.append(
            f"| {row.texts} | {row.engine} | {row.tokens_per_second:,.0f} | {row.chunks_per_second:,.0f} | {times} "
            f"| {row.share:.1%} | {row.waste:.3f} | {row.cosine[0]:.5f} | {row.cosine[1]:.5f} "
            f"| {1000 * row.query:.1f} ms |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
