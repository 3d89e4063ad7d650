"""What each leg and their fusion find, by the domain of the question.

    python benchmarks/legs_by_domain.py SETS/law_title_knownitem ... [--queries 3000] [--keep FOLDER]

Prints nDCG@10 of keywords, vectors and both for all questions of a set and for those of each domain, where the lines of
its ``queries.jsonl`` name one; the last column is what the fusion adds to the keywords. Prints too how many questions
stand behind a line, and the standard error of that last column, from the questions' own differences.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from set_index import set_index

from kure_rag import KureIndex
from kure_rag.evaluate import ndcg, read_set
from kure_rag.types import Mode

LEGS: tuple[Mode, ...] = ("lexical", "dense", "hybrid")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--model", default="static-ko")
    parser.add_argument("--queries", type=int, default=3000, help="of each set, by chance")
    parser.add_argument("--keep", type=Path, help="keep the indexes here, and use those that are there")
    options = parser.parse_args()
    print("| set, domain | questions | keywords | vectors | both | both - keywords |")
    print("|---|--:|--:|--:|--:|--:|")
    for folder in options.sets:
        with set_index(folder, options.model, options.keep) as index:
            table(index, folder, options.queries)


def table(index: KureIndex, folder: Path, most: int) -> None:
    whole = read_set(folder)
    ids = sorted(whole.qrels)
    random.Random(1).shuffle(ids)
    ids = sorted(ids[:most])
    scores = {mode: each(index, mode, {id_: whole.queries[id_] for id_ in ids}, whole.qrels) for mode in LEGS}
    domains: dict[str, list[str]] = {"all": ids}
    for id_, domain in domains_of(folder / "queries.jsonl").items():
        if id_ in scores["lexical"]:
            domains.setdefault(domain, []).append(id_)
    for domain, some in domains.items():
        means = [statistics.fmean(scores[mode][id_] for id_ in some) for mode in LEGS]
        gains = [scores["hybrid"][id_] - scores["lexical"][id_] for id_ in some]
        error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
        cells = " | ".join(f"{mean:.4f}" for mean in means)
        print(
            f"| {folder.name}, {domain} | {len(some)} | {cells} | {means[2] - means[0]:+.4f} ± {error:.4f} |",
            flush=True,
        )


def each(
    index: KureIndex, mode: Mode, queries: Mapping[str, str], qrels: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """nDCG@10 of each question."""
    out = {}
    ids: Sequence[str] = list(queries)
    for at in range(0, len(ids), 256):
        some = ids[at : at + 256]
        for id_, hits in zip(some, index.search_batch([queries[i] for i in some], k=10, mode=mode), strict=True):
            out[id_] = ndcg({id_: list(dict.fromkeys(hit.source for hit in hits))}, {id_: qrels[id_]}, k=10)
    return out


def domains_of(file: Path) -> dict[str, str]:
    with file.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {row["_id"]: row["domain"] for row in rows if "domain" in row}


if __name__ == "__main__":
    main()
