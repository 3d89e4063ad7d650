"""The tables of ``kure-rag eval``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from kure_rag.cli import common

if TYPE_CHECKING:
    from rich.table import Table

_NAMES: Final = {"ndcg": "nDCG", "recall": "recall", "precision": "precision", "f1": "F1", "mrr": "MRR", "map": "MAP"}
_BESIDE: Final = ("ndcg@10", "mrr@10", "recall@1", "recall@5", "recall@10")
_MEGABYTE: Final = 1e6

Result = Mapping[str, Any]


def print_results(results: Sequence[Result]) -> None:
    """Prints the scores of one evaluation in full, or those of several beside each other."""
    first = results[0]
    models = dict.fromkeys(result["model"] for result in results if result["mode"] != "lexical")
    name = next(iter(models), first["model"])
    shown = common.console()
    shown.print(f"{first['set']}, {name}, {first['queries']} questions", markup=False)
    shown.print(_full(first) if len(results) == 1 else _beside(results))
    if any(result["domains"] for result in results):
        shown.print()
        shown.print(_domains(results))
    shown.print()
    for result in results:
        shown.print(f"{result['pipeline']}: {_cost(result['measured'])}", markup=False)
    for result in results:
        if "saved" in result:
            when = "was finished before, in" if result["finished_before"] else "saved in"
            shown.print(f"{result['pipeline']}: {when} {result['saved']}", markup=False)


def _full(result: Result) -> Table:
    """A row a measure, a column a cut."""
    metrics = result["metrics"]
    cuts = sorted({int(name.partition("@")[2]) for name in metrics})
    table = _table(result["pipeline"], *(f"@{cut}" for cut in cuts))
    for measure, shown in _NAMES.items():
        table.add_row(shown, *(_interval(metrics[f"{measure}@{cut}"]) for cut in cuts))
    return table


def _beside(results: Sequence[Result]) -> Table:
    """A row an evaluation."""
    names = [name for name in _BESIDE if name in results[0]["metrics"]] or list(results[0]["metrics"])[:4]
    table = _table("mode", *map(_shown, names))
    for result in results:
        table.add_row(result["pipeline"], *(_interval(result["metrics"][name]) for name in names))
    return table


def _domains(results: Sequence[Result]) -> Table:
    metrics = results[0]["metrics"]
    name = "ndcg@10" if "ndcg@10" in metrics else [name for name in metrics if name.startswith("ndcg")][-1]
    table = _table("domain", "questions", *(f"{result['pipeline']} {_shown(name)}" for result in results))
    for domain, group in results[0]["domains"].items():
        of = (result["domains"][domain]["metrics"][name] for result in results)
        table.add_row(domain, str(group["queries"]), *map(_interval, of))
    return table


def _cost(measured: Mapping[str, Any]) -> str:
    parts = []
    if measured.get("index_bytes") is not None:
        seconds = measured.get("index_seconds")
        took = "" if seconds is None else f"{seconds:.1f} s, "
        parts.append(f"index {took}{measured['index_bytes'] / _MEGABYTE:.1f} MB")
    if measured.get("queries_per_second"):
        parts.append(f"{measured['queries_per_second']:.0f} questions/s")
    if latency := measured.get("latency_ms"):
        times = ", ".join(f"{name} {latency[name]:.1f}" for name in ("p50", "p90", "p99"))
        parts.append(f"one question {times} ms")
    if measured.get("peak_memory_bytes"):
        parts.append(f"peak memory {measured['peak_memory_bytes'] / _MEGABYTE:.0f} MB")
    return "; ".join(parts)


def _table(first: str, *others: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for other in others:
        table.add_column(other, justify="right", no_wrap=True)
    return table


def _interval(value: Mapping[str, float]) -> str:
    # Without the space of "[.89, .91]", since five of them stand beside each other.
    return f"{value['mean']:.4f} {_short(value['low'])}-{_short(value['high'])}"


def _short(value: float) -> str:
    return f"{value:.3f}"


def _shown(name: str) -> str:
    measure, _, cut = name.partition("@")
    return f"{_NAMES.get(measure, measure)}@{cut}"
