"""The commands behind benchmarks/training.md: name → words after `kure-rag`; `{data}` and `{models}` are folders."""

from __future__ import annotations

from typing import Final

_NLI: Final = "{data}/sts/kornlu/KorNLI"
_STS: Final = "{data}/sts/kornlu/KorSTS"
_KLUE: Final = "{data}/sts/klue"
_BITEXT: Final = "{data}/bitext"
_STATUTES: Final = "{data}/statutes/articles.jsonl.gz"

RUNS: Final[dict[str, list[str]]] = {
    name: line.split()
    for name, line in {
        "kosbert": f"train kosbert --data {_NLI}/xnli.dev.ko.tsv {_NLI}/xnli.test.ko.tsv {_STS}/sts-train.tsv "
        f"--dev {_STS}/sts-test.tsv {_KLUE}/klue-sts-v1.1_dev.json --base scratch:bert --learning-rate 5e-4 "
        "--max-length 32 --sts-epochs 3 --max-steps 450 --checkpoints 5",
        "ko-sbert": f"train ko-sbert --data {_NLI}/xnli.dev.ko.tsv {_NLI}/xnli.test.ko.tsv {_STS}/sts-train.tsv "
        f"--dev {_STS}/sts-test.tsv {_KLUE}/klue-sts-v1.1_dev.json --base scratch:bert --learning-rate 5e-4 "
        "--max-length 32 --batch-size 32 --sts-epochs 2 --checkpoints 5",
        "kosimcse": f"train kosimcse --task multitask --data {_NLI}/xnli.test.ko.tsv {_KLUE}/klue-nli-v1.1_dev.json "
        f"{_STS}/sts-train.tsv --dev {_KLUE}/klue-sts-v1.1_dev.json {_STS}/sts-test.tsv {_NLI}/xnli.dev.ko.tsv "
        "--base scratch:roberta --learning-rate 1e-3 --max-length 32 --batch-size 32 --epochs 2 --sts-passes 2 "
        "--checkpoints 5",
        "kosentence-t5": f"train kosentence-t5 --data {_NLI}/xnli.test.ko.tsv {_KLUE}/klue-nli-v1.1_dev.json "
        f"--dev {_NLI}/xnli.dev.ko.tsv {_KLUE}/klue-sts-v1.1_dev.json {_STS}/sts-test.tsv --base scratch:t5 "
        "--learning-rate 1e-3 --max-length 32 --batch-size 32 --epochs 2 --checkpoints 5",
        "clir": f"train clir --data {_BITEXT}/ntrex128_ko_en.tsv {_BITEXT}/park_news_dev.tsv "
        f"{_BITEXT}/tatoeba_ko_en.tsv {_BITEXT}/jhe_dev.tsv {_BITEXT}/jhe_eval.tsv --dev {_BITEXT}/park_news_test.tsv "
        "--base scratch:static-256 --batch-size 64 --learning-rate 0.1 --epochs 5 --max-length 128 --temperature 0.1 "
        "--checkpoints 5",
        "domain": f"train domain --data {_STATUTES} --dev {_STS}/sts-dev.tsv --base static-ko --negatives 1 --depth 30 "
        "--most 8000 --batch-size 256 --epochs 2 --static-learning-rate 0.002 --way 0.7 --checkpoints 4",
        "domain-unread": f"train domain --data {_STATUTES} --base scratch:static-256 --negatives 0 --most 20000 "
        "--batch-size 256 --epochs 2 --static-learning-rate 0.01 --checkpoints 4",
    }.items()
}
