"""The commands whose results benchmarks/training.md holds: name → words after `kure-rag`; `{data}` is the data folder."""

from __future__ import annotations

from typing import Final

RUNS: Final[dict[str, list[str]]] = {}
