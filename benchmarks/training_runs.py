"""The commands behind benchmarks/training.md: name → words after `kure-rag`.

`{data}` is the folder of the data, `{base}` what benchmarks/training_base.py writes.
"""

from __future__ import annotations

from typing import Final

_NLI: Final = "{data}/sts/kornlu/KorNLI"
_STS: Final = "{data}/sts/kornlu/KorSTS"
_KLUE: Final = "{data}/sts/klue"
_BITEXT: Final = "{data}/bitext"
_STATUTES: Final = "{data}/statutes/articles.jsonl.gz"

# Recipes that take the first token's vector, or read two texts together, learn nothing from random weights.
_READER: Final = "--base {base}/small-bert --max-length 32 --batch-size 64 --learning-rate 1e-3 --checkpoints 5"
_PREMISES: Final = f"{_NLI}/xnli.test.ko.tsv {_KLUE}/klue-nli-v1.1_dev.json"
_SIMILAR: Final = f"--dev {_STS}/sts-test.tsv {_KLUE}/klue-sts-v1.1_dev.json"
_TRIPLETS: Final = "--data {base}/statutes-train.jsonl --dev {base}/statutes-test.jsonl --checkpoints 2"
_STATIC_PAIRS: Final = (
    "--base scratch:static-256 --batch-size 64 --learning-rate 0.1 --epochs 5 --max-length 128 --temperature 0.1 "
    "--checkpoints 5"
)

RUNS: Final[dict[str, list[str]]] = {
    name: line.split()
    for name, line in {
        "kosbert": f"train kosbert --data {_NLI}/xnli.dev.ko.tsv {_NLI}/xnli.test.ko.tsv {_STS}/sts-train.tsv "
        f"--dev {_STS}/sts-test.tsv {_KLUE}/klue-sts-v1.1_dev.json --base scratch:bert --learning-rate 5e-4 "
        "--max-length 32 --sts-epochs 3 --max-steps 450 --checkpoints 5",
        "ko-sbert": f"train ko-sbert --data {_NLI}/xnli.dev.ko.tsv {_NLI}/xnli.test.ko.tsv {_STS}/sts-train.tsv "
        f"--dev {_STS}/sts-test.tsv {_KLUE}/klue-sts-v1.1_dev.json --base scratch:bert --learning-rate 5e-4 "
        "--max-length 32 --batch-size 32 --sts-batch-size 32 --sts-epochs 2 --checkpoints 5",
        "kosimcse-multitask": f"train kosimcse --task multitask --data {_PREMISES} {_STS}/sts-train.tsv {_SIMILAR} "
        f"{_READER} --epochs 3 --sts-passes 2",
        "kosimcse-supervised": f"train kosimcse --data {_PREMISES} {_SIMILAR} {_READER} --epochs 3",
        "kosimcse-unsupervised": f"train kosimcse --task unsupervised --data {_PREMISES} {_STS}/sts-train.tsv "
        f"{_SIMILAR} {_READER} --max-steps 300",
        "kodiffcse": f"train kodiffcse --generator {{base}}/small-bert --data {_PREMISES} {_STS}/sts-train.tsv "
        f"{_SIMILAR} {_READER} --max-steps 300",
        "kosentence-t5": f"train kosentence-t5 --data {_NLI}/xnli.test.ko.tsv {_KLUE}/klue-nli-v1.1_dev.json "
        f"--dev {_NLI}/xnli.dev.ko.tsv {_KLUE}/klue-sts-v1.1_dev.json {_STS}/sts-test.tsv --base scratch:t5 "
        "--learning-rate 1e-3 --max-length 32 --batch-size 32 --epochs 2 --checkpoints 5",
        "koe5": f"train koe5 {_TRIPLETS} --base scratch:bert --learning-rate 1e-3 --batch-size 64 --max-length 64",
        "kure": f"train kure {_TRIPLETS} --base {{base}}/small-bert --guide static-ko --temperature 0.05 --negatives 1 "
        "--learning-rate 1e-3 --batch-size 64 --mini-batch-size 64 --max-length 32 --epochs 3",
        "reranker": f"train reranker --loss listwise {_TRIPLETS} --base {{base}}/small-bert --negatives 3 "
        "--learning-rate 5e-4 --batch-size 16 --mini-batch-size 64 --max-length 64",
        "clir-questions": "train clir --data {base}/passages-train.jsonl --dev {base}/passages-test.jsonl "
        + _STATIC_PAIRS,
        "clir": f"train clir --data {{base}}/passages-train.jsonl {_BITEXT}/ntrex128_ko_en.tsv "
        f"{_BITEXT}/park_news_dev.tsv "
        f"{_BITEXT}/tatoeba_ko_en.tsv {_BITEXT}/jhe_dev.tsv {_BITEXT}/jhe_eval.tsv --dev {_BITEXT}/park_news_test.tsv "
        "{base}/passages-test.jsonl " + _STATIC_PAIRS,
        "domain": f"train domain --data {_STATUTES} --dev {_STS}/sts-dev.tsv --base static-ko --negatives 1 --depth 30 "
        "--most 8000 --batch-size 256 --epochs 2 --static-learning-rate 0.002 --way 0.7 --checkpoints 4",
        "domain-unread": f"train domain --data {_STATUTES} --base scratch:static-256 --negatives 0 --most 20000 "
        "--batch-size 256 --epochs 2 --static-learning-rate 0.01 --checkpoints 4",
    }.items()
}
