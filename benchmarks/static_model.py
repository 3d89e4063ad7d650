"""Score the bundled model, or any other that sentence-transformers loads, on the sets its card reports.

    python benchmarks/static_model.py --data DATA [--model PATH]

Exact cosine search over whole passages without their titles; nothing is tuned on what is printed here except that the
development sets chose the training's settings. Prints Markdown.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from sentence_transformers import SentenceTransformer

from kure_rag.evaluate.metrics import Scores
from kure_rag.train.static_score import dense_scores, korsts_scores

BUNDLED = Path(__file__).resolve().parent.parent / "src" / "kure_rag" / "embed" / "static_ko"
RETRIEVAL = ("korquad_dev", "ko_strategyqa_facts_dev", "law_title_knownitem")
KORSTS = Path("sts", "kornlu", "KorSTS")


def main() -> None:
    parser = argparse.ArgumentParser(description="Score a sentence-transformers model on Korean retrieval and STS.")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds sets and sts")
    parser.add_argument("--model", type=Path, default=BUNDLED, help="folder of the model (default: the bundled one)")
    arguments = parser.parse_args()
    began = time.perf_counter()
    model = SentenceTransformer(str(arguments.model), device="cpu")
    loaded = time.perf_counter() - began

    print("| set | queries | nDCG@10 | MRR@10 | recall@1 | recall@5 | recall@10 |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name in RETRIEVAL:
        for group, scores in dense_scores(model, arguments.data / "sets" / name).items():
            print(row(name if group == "all" else f"{name}: {group}", scores))

    print("\n| pairs | Pearson x 100 | Spearman x 100 |")
    print("|---|---:|---:|")
    for part in ("dev", "test"):
        pearson, spearman = korsts_scores(model, arguments.data / KORSTS / f"sts-{part}.tsv")
        print(f"| KorSTS {part} | {pearson:.2f} | {spearman:.2f} |")

    print(f"\nLoaded in {loaded:.2f} s; {speed(model):,.0f} passages of 500 characters a second.")


def row(name: str, scores: Scores) -> str:
    values = (scores.ndcg_at_10, scores.mrr_at_10, scores.recall_at_1, scores.recall_at_5, scores.recall_at_10)
    return f"| {name} | {scores.queries:,} | " + " | ".join(f"{value:.3f}" for value in values) + " |"


def speed(model: SentenceTransformer) -> float:
    sentence = "근로자가 퇴직한 경우에는 그 지급 사유가 발생한 때부터 14일 이내에 임금을 지급하여야 한다. "
    passages = [(sentence * 20)[i : i + 500] for i in range(200)] * 10
    began = time.perf_counter()
    model.encode(passages, batch_size=64)
    return len(passages) / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
