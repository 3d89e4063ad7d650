"""BM25 on one qa.parquet and corpus.parquet: AutoRAG's own evaluate beside ours, with the same tokens.

    python3 -m venv autorag-env && autorag-env/bin/pip install torch==2.13.0
    autorag-env/bin/pip install AutoRAG==0.3.27
    python benchmarks/tune_autorag.py --autorag autorag-env/bin/autorag SET_DIR [--questions 490] [--tokenizer space]

SET_DIR is a folder in BEIR's layout; it is written as the two parquet files that AutoRAG reads. AutoRAG evaluates its
BM25 node on them (nDCG of the first ten). We rank the same corpus by ``rank-bm25`` with k1 and b as AutoRAG has them,
over the tokens that AutoRAG's own tokenizer makes, and score with ``kure_rag.evaluate``. Then the same with this
package's analyser and default engine. AutoRAG is 3 GB: it has an environment of its own, and nothing of ours needs it.

``--tokenizer ko_kiwi`` makes a new Kiwi for every question inside AutoRAG: two seconds each.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from rank_bm25 import BM25Okapi

from kure_rag.evaluate import RetrievalSet, read_set, score_queries
from kure_rag.index.catalog import Keywords
from kure_rag.index.lexical import Question
from kure_rag.index.rank_bm25 import Bm25Settings, RankBm25View
from kure_rag.tokenize import KiwiTokenizer

CONFIG = """\
node_lines:
  - node_line_name: retrieve
    nodes:
      - node_type: lexical_retrieval
        strategy:
          metrics: [retrieval_recall, retrieval_ndcg, retrieval_mrr]
        top_k: 10
        modules:
          - module_type: bm25
            bm25_tokenizer: [{tokenizer}]
"""
# Runs in AutoRAG's environment: the tokens that its BM25 counts, all texts in one call.
TOKENS = """
import json, sys
from autorag.nodes.lexicalretrieval.bm25 import BM25_TOKENIZER
texts = json.load(open(sys.argv[2], encoding="utf-8"))
json.dump(BM25_TOKENIZER[sys.argv[1]](texts), open(sys.argv[3], "w", encoding="utf-8"), ensure_ascii=False)
"""
THEIRS = Bm25Settings(k1=1.5, b=0.75)  # what rank_bm25 has by itself, which AutoRAG does not change


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--autorag", type=Path, required=True, metavar="PROGRAM", help="autorag of its own environment")
    parser.add_argument("--questions", type=int, default=10_000, metavar="N")
    parser.add_argument("--tokenizer", choices=("space", "ko_kiwi"), default="space")
    parser.add_argument("set_dir", type=Path)
    options = parser.parse_args()
    program = Path(os.path.abspath(options.autorag))  # noqa: PTH100 - resolve() would leave its environment
    retrieval_set = read_set(options.set_dir)
    asked = list(retrieval_set.queries)[: options.questions]
    corpus = {record.id: f"{record.title}\n{record.text}".strip() for record in retrieval_set.records()}
    with tempfile.TemporaryDirectory(prefix="kure-rag-autorag-") as folder:
        work = Path(folder)
        write_parquet(work, retrieval_set, asked, corpus)
        theirs = evaluate_autorag(program, work, options.tokenizer)
        texts = [*corpus.values(), *(retrieval_set.queries[query] for query in asked)]
        tokens = tokens_of(program, work, options.tokenizer, texts)
    kiwi = KiwiTokenizer()
    own = [[*terms] for terms in kiwi.terms_batch(texts)]
    default = Bm25Settings()
    plain = {
        f"rank_bm25 called as AutoRAG does, {options.tokenizer}": as_autorag(corpus, asked, tokens),
        "  … question words that repeat count once": as_autorag(corpus, asked, tokens, once=True),
        "  … and equal scores stay in the corpus's order": as_autorag(corpus, asked, tokens, once=True, first=True),
        f"kure-rag, the same tokens, {settings_name(THEIRS)}": ranked(corpus, asked, tokens, THEIRS),
        f"kure-rag, the same tokens, {settings_name(default)}": ranked(corpus, asked, tokens, default),
        f"kure-rag's content morphemes, {settings_name(default)}": ranked(corpus, asked, own, default),
    }
    scores = {name: scored(retrieval_set, run) for name, run in plain.items()}
    print(f"{retrieval_set.name}: {len(corpus)} passages, {len(asked)} questions, nDCG of the first ten\n")
    for name, value in {f"AutoRAG 0.3.27 evaluate, {options.tokenizer}": theirs, **scores}.items():
        print(f"{name:<52} {value:.4f}")
    difference = scores[f"kure-rag, the same tokens, {settings_name(THEIRS)}"] - theirs
    print(f"\ndifference with the same tokens, k1 and b: {difference:+.4f}")
    return int(abs(difference) > 0.005)


def settings_name(settings: Bm25Settings) -> str:
    return f"k1 {settings.k1:g} b {settings.b:g}"


def write_parquet(work: Path, retrieval_set: RetrievalSet, asked: Iterable[str], corpus: Mapping[str, str]) -> None:
    passages = [
        {
            "doc_id": id_,
            "contents": text,
            "path": retrieval_set.name,
            "start_end_idx": [0, len(text) - 1],
            "metadata": {"page": -1, "last_modified_datetime": "2026-11-22", "path": retrieval_set.name},
        }
        for id_, text in corpus.items()
    ]
    questions = [
        {
            "qid": query,
            "query": retrieval_set.queries[query],
            "retrieval_gt": [[document] for document in retrieval_set.qrels[query]],
            "generation_gt": [""],
        }
        for query in asked
    ]
    pa.parquet.write_table(pa.Table.from_pylist(passages), work / "corpus.parquet")
    pa.parquet.write_table(pa.Table.from_pylist(questions), work / "qa.parquet")


def evaluate_autorag(program: Path, work: Path, tokenizer: str) -> float:
    (work / "bm25.yaml").write_text(CONFIG.format(tokenizer=tokenizer))
    arguments = ("--config", "bm25.yaml", "--qa_data_path", "qa.parquet", "--corpus_data_path", "corpus.parquet")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [program, "evaluate", *arguments, "--project_dir", "project"],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    summaries = sorted(work.glob("project/*/retrieve/lexical_retrieval/summary.csv"))
    if done.returncode or not summaries:
        raise SystemExit(f"autorag evaluate failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    with summaries[-1].open(encoding="utf-8", newline="") as file:
        return float(next(csv.DictReader(file))["retrieval_ndcg"])


def tokens_of(program: Path, work: Path, tokenizer: str, texts: Sequence[str]) -> list[list[str]]:
    (work / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    python = program.with_name("python")
    subprocess.run(
        [python, "-c", TOKENS, tokenizer, "texts.json", "tokens.json"], cwd=work, check=True, capture_output=True
    )
    found: list[list[str]] = json.loads((work / "tokens.json").read_text(encoding="utf-8"))
    return [["_".join(token.split()) or "_" for token in tokens] for tokens in found]


def ranked(
    corpus: Mapping[str, str],
    asked: Sequence[str],
    tokens: Sequence[Sequence[str]],
    settings: Bm25Settings | None = None,
) -> dict[str, list[str]]:
    ids = list(corpus)
    view = RankBm25View({row: Keywords(" ".join(tokens[row]), "") for row in range(len(ids))}, settings)
    return {
        query: [ids[row] for row, _ in view.search(Question(list(tokens[len(ids) + place])), 10)]
        for place, query in enumerate(asked)
    }


def as_autorag(
    corpus: Mapping[str, str],
    asked: Sequence[str],
    tokens: Sequence[Sequence[str]],
    *,
    once: bool = False,
    first: bool = False,
) -> dict[str, list[str]]:
    """By rank_bm25 itself: every word of a question counts as often as it is there, and of equal scores the last."""
    ids = list(corpus)
    bm25 = BM25Okapi([list(some) for some in tokens[: len(ids)]])
    run = {}
    for query, words in zip(asked, tokens[len(ids) :], strict=True):
        scores = np.asarray(bm25.get_scores(list(dict.fromkeys(words)) if once else list(words)))
        order = np.argsort(-scores, kind="stable") if first else np.argsort(scores)[::-1]
        run[query] = [ids[row] for row in order[:10]]
    return run


def scored(retrieval_set: RetrievalSet, run: Mapping[str, Sequence[str]]) -> float:
    values = score_queries(run, {query: retrieval_set.qrels[query] for query in run}, ks=(10,))["ndcg@10"]
    return sum(values.values()) / len(values)


if __name__ == "__main__":
    raise SystemExit(main())
