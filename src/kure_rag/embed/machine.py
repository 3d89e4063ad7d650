"""What this machine computes with. Importing this imports no torch; asking does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from kure_rag.errors import EmbeddingError

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


def named_devices(device: str | None) -> tuple[str, ...]:
    """The devices that a setting names, none for the best there is: ``cuda:0, cuda:1`` → two."""
    return tuple(name for part in (device or "").split(",") if (name := part.strip()))


def check_device(device: str | None) -> None:
    """Raises for a device that is not here, before anything is downloaded or read for it.

    Args:
        device: As settings have it, one or several; ``None`` for the best there is.

    Raises:
        EmbeddingError: Names those that are missing, and the devices that are here.
    """
    names = named_devices(device)
    if device is None or set(names) == {"cpu"}:
        return
    missing = missing_devices(names, counted_devices(names))
    if missing or not names:
        what = "such device" if missing == (device,) or not names else f"{' and no '.join(missing)}"
        raise EmbeddingError(
            f"device={device!r}: PyTorch finds no {what}; here are {', '.join(devices())}. Leave device out for the "
            "best of them; for a GPU, install the build of PyTorch that is made for it"
        )


def missing_devices(names: Sequence[str], here: Mapping[str, int]) -> tuple[str, ...]:
    """Those of some devices that a machine has not, each once.

    Args:
        names: As torch names them: ``cpu``, ``mps``, ``cuda``, ``cuda:1``.
        here: How many devices of each type the machine has, see :func:`counted_devices`.
    """
    return tuple(dict.fromkeys(name for name in names if not _is_among(name, here)))


def _is_among(name: str, here: Mapping[str, int]) -> bool:
    import torch

    try:
        device = torch.device(name)
    except (RuntimeError, ValueError):
        return False
    return device.type == "cpu" or (device.index or 0) < here.get(device.type, 0)


def counted_devices(names: Sequence[str]) -> dict[str, int]:
    """How many devices this machine has of the types that some names ask for: ``cuda:3`` → ``{"cuda": 2}``."""
    import torch

    counts = {"cpu": 1}
    for kind in {name.partition(":")[0] for name in names} - {"cpu"}:
        if kind == "mps":
            counts[kind] = int(torch.backends.mps.is_available())
            continue
        # `torch.cuda`, `torch.xpu` and those that makers' packages add; `meta`, which computes nothing, has none.
        module = getattr(torch, kind, None)
        has, count = getattr(module, "is_available", None), getattr(module, "device_count", None)
        counts[kind] = count() if has and count and has() else 0
    return counts


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
