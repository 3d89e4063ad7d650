"""The tables of ``kure-rag clir score``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from kure_rag.cli import common

if TYPE_CHECKING:
    from rich.table import Table

    from kure_rag.evaluate.statistics import PairedTest
    from kure_rag.train.cross_lingual_score import Ranked

Result: TypeAlias = "tuple[Ranked, Ranked | None, dict[str, PairedTest]]"


def print_table(after: Ranked, before: Ranked | None, tests: dict[str, PairedTest]) -> None:
    """Prints one set's measures."""
    shown = common.console()
    shown.print(f"{after.name}: {len(after.ranks):,} questions, {after.passages:,} passages", markup=False)
    shown.print(_table(after, before, tests))


def _table(after: Ranked, before: Ranked | None, tests: dict[str, PairedTest]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("measure", no_wrap=True)
    ranked = [after] if before is None else [before, after]
    for one in ranked:
        table.add_column(one.model, justify="right", no_wrap=True)
    if before is not None:
        table.add_column("difference", justify="right", no_wrap=True)
        table.add_column("p", justify="right", no_wrap=True)
    intervals = [one.intervals() for one in ranked]
    for name in after.measures():
        cells = [f"{of[name].mean:.4f} [{of[name].low:.4f}, {of[name].high:.4f}]" for of in intervals]
        if before is not None:
            test = tests[name]
            cells += [f"{test.difference:+.4f} [{test.low:+.4f}, {test.high:+.4f}]", f"{test.p_value:.2g}"]
        table.add_row(name.replace("mrr", "MRR"), *cells)
    return table


def as_dict(after: Ranked, before: Ranked | None, tests: dict[str, PairedTest]) -> dict[str, Any]:
    """One set's measures, for JSON."""

    def scores(one: Ranked) -> dict[str, Any]:
        return {
            "model": one.model,
            "metrics": {name: interval.to_dict() for name, interval in one.intervals().items()},
        }

    found: dict[str, Any] = {"set": after.name, "questions": len(after.ranks), "passages": after.passages}
    found |= scores(after)
    if before is not None:
        found |= {"before": scores(before), "tests": {name: test.to_dict() for name, test in tests.items()}}
    return found


def write_csv(path: Path, results: Sequence[Result]) -> None:
    """Writes all sets' measures, a row each. The byte order mark lets spreadsheets read Korean."""
    import csv

    from kure_rag.autorag.files import whole_files

    with whole_files(path) as (part,), part.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("set", "model", "questions", "passages", "measure", "k", "value", "low", "high"))
        for after, before, _ in results:
            for one in (after, before) if before else (after,):
                for name, interval in one.intervals().items():
                    measure, _, k = name.partition("@")
                    values = (f"{value:.6f}" for value in (interval.mean, interval.low, interval.high))
                    writer.writerow((one.name, one.model, len(one.ranks), one.passages, measure, k, *values))
