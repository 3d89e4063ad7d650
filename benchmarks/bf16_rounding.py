"""What computing in bf16 costs, in cosine to fp32: the packed path, and the plain one, over the same passages.

Random models, since no hub can be reached: XLM-RoBERTa-large's shape with both kinds of weights of ``models.py``, and
narrow ones of 24 layers whose weights let each layer magnify what those before it have rounded, from several seeds.

    python benchmarks/bf16_rounding.py --data ../shared/data --folder /tmp/models
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from pathlib import Path

import models
import numpy as np

from kure_rag.embed.backends.padding import padded
from kure_rag.embed.backends.torch_runner import TorchRunner


def loaded(folder: Path):
    """The model, in fp32 on the processor."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu").eval()


def plain(folder: Path, batches: list[list[list[int]]], *, weights_only: bool) -> np.ndarray:
    """Vectors of sentence-transformers' own way: all in bf16, or in fp32 with weights rounded to bf16."""
    import torch

    model = loaded(folder).bfloat16()
    if weights_only:
        model = model.float()
    found = []
    with torch.inference_mode():
        for batch in batches:
            ids, mask = (torch.from_numpy(rows) for rows in padded(batch, 1))
            found.append(model({"input_ids": ids, "attention_mask": mask})["sentence_embedding"].float().numpy())
    vectors = np.concatenate(found)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def row(name: str, way: str, cosines: np.ndarray) -> str:
    marks = [np.mean(cosines), np.median(cosines), np.quantile(cosines, 0.05), cosines.min()]
    below = (cosines < 0.9995).mean()
    return f"| {name} | {way} | {' | '.join(f'{mark:.5f}' for mark in marks)} | {below:.0%} |"


def compare(name: str, folders: list[Path], batches: list[list[list[int]]]) -> None:
    """Prints a row for each way of computing, over the models of some folders."""
    ways: dict[str, list[np.ndarray]] = {}
    for folder in folders:
        exact = run(folder, "fp32", batches)
        found = {
            "weights rounded to bf16, arithmetic in fp32": plain(folder, batches, weights_only=True),
            "plain: all of it in bf16": plain(folder, batches, weights_only=False),
            "packed (KureEmbeddings): products in bf16, sums and norms in fp32": run(folder, "bf16", batches),
        }
        for way, vectors in found.items():
            ways.setdefault(way, []).append((vectors * exact).sum(axis=1))
    for way, cosines in ways.items():
        print(row(name, way, np.concatenate(cosines)), flush=True)


def run(folder: Path, precision: str, batches: list[list[list[int]]]) -> np.ndarray:
    """Vectors of the packed path."""
    runner = TorchRunner(loaded(folder), 2, precision=precision)
    return np.concatenate([runner.start(batch)() for batch in batches])


def reseeded(folder: Path, shape: models.Shape, data: Path | None, seeds: int) -> list[Path]:
    """Narrow models of several seeds."""
    import torch
    from sentence_transformers import SentenceTransformer

    made = []
    for seed in range(seeds):
        target = folder / f"{shape.name}-seed{seed}"
        if not (target / "modules.json").is_file():
            model = SentenceTransformer(str(models.build(shape, data, folder)), device="cpu")
            torch.manual_seed(seed)
            with torch.no_grad():
                for _name, weight in model[0].model.named_parameters():
                    if weight.ndim == 2:
                        weight.normal_(0, 2 * weight.shape[1] ** -0.5)
            model.save_pretrained(str(target))
        made.append(target)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder that holds statutes/articles.jsonl.gz")
    parser.add_argument("--folder", type=Path, default=models.DEFAULT_FOLDER, help="where models are kept")
    parser.add_argument("--passages", type=int, default=16, help="of the large models; the narrow ones take 64")
    parser.add_argument("--seeds", type=int, default=6, help="narrow models")
    given = parser.parse_args()
    from transformers import AutoTokenizer

    passages = models.statute_passages(given.data)
    print("| model | computed in | mean | median | worst 5 % | worst | below .9995 |\n|---|---|---|---|---|---|---|")

    def batches(folder: Path, count: int) -> list[list[list[int]]]:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        ids = tokenizer(passages[:count], truncation=True, max_length=512)["input_ids"]
        ids.sort(key=len)
        return [ids[at : at + 4] for at in range(0, len(ids), 4)]

    narrow = dataclasses.replace(models.SMALL, layers=24, hidden=32, inner=64, weights="plain", pooling="mean")
    with tempfile.TemporaryDirectory() as own:
        folders = reseeded(Path(own), narrow, given.data, given.seeds)
        compare(f"24 layers of 32, {given.seeds} seeds", folders, batches(folders[0], 64))
    for weights in ("plain", "spread"):
        large = models.build(dataclasses.replace(models.LARGE, weights=weights), given.data, given.folder)
        compare(f"24 layers of 1024, {weights}", [large], batches(large, given.passages))


if __name__ == "__main__":
    main()
