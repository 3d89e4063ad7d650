"""The averages of KURE's published results, beside the figures of KURE's own README.

python benchmarks/leaderboard_averages.py
"""

from __future__ import annotations

from kure_rag.leaderboard.entry import AVERAGE
from kure_rag.leaderboard.published import published_entries

# KURE-v1 at rank 1 over eight tasks, as the README of github.com/nlpai-lab/KURE prints it.
MODEL = "nlpai-lab/KURE-v1"
PUBLISHED = {"recall": 0.52640, "precision": 0.60551, "ndcg": 0.60551, "f1": 0.55784}


def main() -> None:
    entries = {entry.label: entry for entry in published_entries()}
    print(f"{len(entries)} models, {MODEL} at rank 1")
    for metric, wanted in PUBLISHED.items():
        found = entries[MODEL].value(AVERAGE, metric, 1)
        if found is None:
            raise SystemExit(f"{metric}: the file holds no value for one of the tasks")
        print(f"{metric:>10}  {found:.5f}  published {wanted:.5f}  difference {abs(found - wanted):.1e}")


if __name__ == "__main__":
    main()
