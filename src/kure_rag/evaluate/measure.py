"""What an evaluation costs, and where it was run: time of single queries, memory, versions and hardware."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from kure_rag._version import __version__

# Whose other version may rank otherwise.
_PACKAGES: Final = ("torch", "transformers", "sentence-transformers", "kiwipiepy", "tantivy", "numpy")
_WARM_UP: Final = 3
_CPU_INFO: Final = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencySettings:
    """How the time of single queries is measured, apart from the batches that are scored.

    Attributes:
        sample: Queries, spread evenly over the set. 0 measures nothing.
        seconds: Stop after so long, where queries are slow.
    """

    sample: int = 100
    seconds: float = 20.0


def latency(
    ask: Callable[[str], object], queries: Sequence[str], settings: LatencySettings | None = None
) -> dict[str, float] | None:
    """Milliseconds of single queries, one after the other, as somebody who asks waits for them.

    Args:
        ask: Searches for one query.
        queries: To choose from.
        settings: How many.

    Returns:
        ``p50``, ``p90`` and ``p99``, and how many ``queries`` they come from; ``None`` where none was asked.
    """
    import numpy as np

    settings = settings or LatencySettings()
    count = min(settings.sample, len(queries))
    if count < 1:
        return None
    chosen = [queries[i * len(queries) // count] for i in range(count)]
    for query in chosen[:_WARM_UP]:
        ask(query)
    took: list[float] = []
    began = time.perf_counter()
    for query in chosen:
        started = time.perf_counter()
        ask(query)
        ended = time.perf_counter()
        took.append((ended - started) * 1000)
        if ended - began > settings.seconds:
            break
    p50, p90, p99 = (round(float(value), 3) for value in np.percentile(took, (50, 90, 99)))
    return {"p50": p50, "p90": p90, "p99": p99, "queries": len(took)}


def peak_memory() -> int | None:
    """The most memory this process has held so far, in bytes; ``None`` where the system does not say.

    Processes that it started, such as those that analyse text, are not in it.
    """
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def versions() -> dict[str, str]:
    """Of this package, of Python, and of the packages that ranks depend on."""
    found = {"kure_rag": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, Any]:
    """The processor's name, how many cores this process may use, and the first graphics card."""
    from kure_rag.embed.machine import devices

    cards = [name for name in devices() if name.startswith(("cuda", "mps"))]
    return {"cpu": _cpu(), "cores": _cores(), "gpu": cards[0] if cards else None}


def differing(old: Mapping[str, Any], new: Mapping[str, Any], *, within: str = "") -> dict[str, tuple[Any, Any]]:
    """Setting → (what it was, what it is), of those that differ, nested ones with dots in their names."""
    found: dict[str, tuple[Any, Any]] = {}
    for key in {**old, **new}:
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found.update(differing(before, after, within=f"{within}{key}."))
        elif before != after:
            found[f"{within}{key}"] = (before, after)
    return found


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        return os.cpu_count() or 1


def _cpu() -> str:
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
