"""Results of one's own, as `kure-rag eval` and mteb leave them on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kure_rag.leaderboard import KS, METRICS, TASKS

COMPANY = "우리회사 규정"
EVIL = '</script><img src="https://example.com/x.png" onerror="document.title=1"> & =1+1'


def save_run(
    folder: Path,
    name: str,
    *,
    task: str,
    value: float,
    model: str = "static-ko",
    pipeline: str = "hybrid",
    latency: float | None = 4.0,
    step: float = 0.0,
    **changed: Any,
) -> Path:
    """A saved run whose score is ``value``, within .02, and less by a step for each further metric and k."""
    run = folder / name
    run.mkdir(parents=True)
    cuts = [f"{metric}@{k}" for metric in METRICS for k in KS]
    scores = {cut: value - step * number for number, cut in enumerate(cuts)}
    written = {
        "format": 1,
        "kind": "retrieval",
        "task": task,
        "task_sha256": "0" * 64,
        "model": model,
        "pipeline": pipeline,
        "settings": {"k": 10, "mode": pipeline},
        "fingerprint": {},
        "versions": {"kure_rag": "0.1.0"},
        "hardware": {"cpu": "Ryzen", "cores": 8, "gpu": None},
        "queries": 120,
        "metrics": {
            cut: {"mean": one, "low": max(one - 0.02, 0.0), "high": min(one + 0.02, 1.0)} for cut, one in scores.items()
        },
        **changed,
    }
    (run / "run.json").write_text(json.dumps(written), encoding="utf-8")
    if latency is not None:
        measured = {"latency_ms": {"p50": latency, "p90": 9.0, "p99": 9.9}, "queries_per_second": 1000 / latency}
        (run / "measured.json").write_text(json.dumps(measured), encoding="utf-8")
    return run


def save_all_tasks(folder: Path, value: float, **run: Any) -> None:
    """Runs on all eight tasks."""
    for task in TASKS:
        save_run(folder, f"{task}-{run.get('pipeline', 'hybrid')}", task=task, value=value, **run)


def save_mteb(folder: Path, model: str, task: str, value: float) -> Path:
    """A result as mteb's cache has it."""
    place = folder / "results" / model.replace("/", "__") / "abc123"
    place.mkdir(parents=True, exist_ok=True)
    (place / "model_meta.json").write_text(json.dumps({"name": model, "revision": "abc123"}), encoding="utf-8")
    scores = {f"{metric}_at_{k}": value for metric in ("ndcg", "recall", "precision", "mrr", "map") for k in KS}
    one = {**scores, "main_score": value, "hf_subset": "default", "languages": ["kor-Hang"]}
    file = place / f"{task}.json"
    file.write_text(json.dumps({"task_name": task, "scores": {"test": [one]}}), encoding="utf-8")
    return file
