"""What a training changed, as a table, and a line where it did not help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kure_rag.cli import common

if TYPE_CHECKING:
    from kure_rag.train.report import TrainReport


def print_changes(report: TrainReport) -> None:
    """Prints the table, and which scores got worse."""
    if report.changes:
        common.console().print(_table(report))
    for line in worse(report):
        print(line)


def worse(report: TrainReport) -> list[str]:
    """A line for each main measure that fell, which a table of many rows would hide."""
    from kure_rag.evaluate.statistics import ALPHA
    from kure_rag.train.report import shown

    # What static is before its tuning is no model that anybody has.
    instead = "" if report.recipe == "static" else f"; until then {report.base} is the better model for such questions"
    lines = []
    for one in report.changes:
        if one.difference < 0:
            before, after = (shown(mean, one.measure) for mean in (one.before.mean, one.after.mean))
            sure = "more than chance explains" if one.p_value < ALPHA else "maybe by chance"
            lines.append(
                f"Got worse: {one.name}, {one.measure} {before} to {after} ({sure}, "
                f"p {one.p_value:.3g}). A lower learning rate, fewer epochs or more data may help{instead}"
            )
    return lines


def _table(report: TrainReport) -> Any:
    from rich import box
    from rich.table import Table

    from kure_rag.train.report import shown

    table = Table(box=box.SIMPLE_HEAD)
    for name in ("not trained on", "measure", "before", "after", "difference", "95 %", "p"):
        table.add_column(name, justify="left" if name in ("not trained on", "measure") else "right", no_wrap=True)
    for one in report.changes:
        table.add_row(
            f"{one.name} ({one.count:,}" + (f" in {one.groups:,})" if one.groups != one.count else ")"),
            one.measure,
            shown(one.before.mean, one.measure),
            shown(one.after.mean, one.measure),
            f"{'+' if one.difference >= 0 else ''}{shown(one.difference, one.measure)}",
            f"{shown(one.low, one.measure)} to {shown(one.high, one.measure)}",
            f"{one.p_value:.3g}",
        )
        for measure, (before, after) in one.others.items():
            table.add_row("", measure, shown(before, measure), shown(after, measure), "", "", "")
    return table
