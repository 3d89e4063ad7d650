"""What this machine computes with. Importing this imports no torch; asking does."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_CPU_INFO: Final = Path("/proc/cpuinfo")


def devices() -> tuple[str, ...]:
    """Devices as settings name them, the best last, with their names: ``cpu``, ``cuda:0 (NVIDIA H200, 141 GB)``."""
    import torch

    found = [f"cpu ({torch.get_num_threads()} threads)"]
    if torch.backends.mps.is_available():
        found.append("mps")
    for i in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(i)
        found.append(f"cuda:{i} ({gpu.name}, {gpu.total_memory / 1e9:.0f} GB)")
    return tuple(found)


def bf16_instructions() -> tuple[str, ...] | None:
    """The processor's instructions for bfloat16, such as ``avx512_bf16``; ``None`` where it cannot be asked.

    Without them bfloat16 is computed in float32 and gains nothing.
    """
    import torch

    if (ask := getattr(torch.cpu, "get_capabilities", None)) is not None:  # newer than the oldest torch supported
        return tuple(sorted(name for name, has in ask().items() if "bf16" in name and has))
    try:
        words = set(_CPU_INFO.read_text(encoding="ascii", errors="replace").split())
    except OSError:
        return None
    return tuple(sorted(word for word in words if "bf16" in word))
