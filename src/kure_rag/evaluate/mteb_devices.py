"""Several graphics cards: one process each, and which tasks it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from kure_rag.embed.machine import counted_devices, named_devices

if TYPE_CHECKING:
    from mteb.abstasks import AbsTaskRetrieval


@dataclass(frozen=True, slots=True)
class Share:
    """What one process does.

    Attributes:
        device: As settings name it; several where there are more devices than tasks.
        tasks: Names, the largest first.
    """

    device: str
    tasks: tuple[str, ...]


def split_tasks(sizes: Mapping[str, int | None], devices: Sequence[str]) -> list[Share]:
    """Which device takes which tasks: each next largest goes where least is to be done.

    Args:
        sizes: Task → documents and queries; ``None`` where that is not known, which counts as the median of the others.
        devices: At least one.

    Returns:
        One share for each process, none without a task. Every task is in one, every device in one.
    """
    if not devices:
        raise ValueError("tasks need at least one device")
    known = [size for size in sizes.values() if size is not None]
    usual = median(known) if known else 1
    weights = {task: usual if size is None else size for task, size in sizes.items()}
    count = min(len(devices), len(sizes))
    loads, lists = [0.0] * count, [list[str]() for _ in range(count)]
    for task in sorted(weights, key=lambda task: (-weights[task], task)):
        least = min(range(count), key=lambda i: (loads[i], len(lists[i])))  # of tasks without a size one each, too
        loads[least] += weights[task]
        lists[least].append(task)
    return [Share(",".join(devices[i::count]), tuple(tasks)) for i, tasks in enumerate(lists)]


def chosen_devices(device: str | None) -> tuple[str, ...]:
    """The devices that tasks are split over: those that are named, otherwise all graphics cards.

    Returns:
        None where there is at most one, and nothing to split.
    """
    if device is not None:
        named = named_devices(device)
        return named if len(named) > 1 else ()
    cards = counted_devices(["cuda"])["cuda"]
    return tuple(f"cuda:{i}" for i in range(cards)) if cards > 1 else ()


def sizes_of(tasks: Iterable[AbsTaskRetrieval]) -> dict[str, int | None]:
    """Task → documents and queries of the subsets that are run, from the statistics that mteb ships."""
    return {task.metadata.name: _size(task) for task in tasks}


def _size(task: AbsTaskRetrieval) -> int | None:
    stats: Mapping[str, Any] | None = task.metadata.descriptive_stats
    if not stats:
        return None
    total = 0
    for split in task.eval_splits:
        whole = stats.get(split) or {}
        parts = whole.get("hf_subset_descriptive_stats") or {}
        some = [parts[subset] for subset in task.hf_subsets if subset in parts] or [whole]
        total += sum(int(part.get("num_samples") or 0) for part in some)
    return total or None
