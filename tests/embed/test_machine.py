from pathlib import Path

import pytest
import torch

from kure_rag.embed import machine


def test_the_cpu_is_always_a_device() -> None:
    first, *others = machine.devices()
    assert first == f"cpu ({torch.get_num_threads()} threads)"
    assert len(others) >= torch.cuda.device_count()


@pytest.mark.skipif(not Path("/proc/cpuinfo").is_file(), reason="only Linux lists what its processor can")
def test_torch_and_the_system_agree_on_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    by_torch = machine.bf16_instructions()
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)  # as in the oldest torch that is supported
    by_system = machine.bf16_instructions()
    assert by_torch is not None
    assert by_system is not None
    assert bool(by_torch) == bool(by_system)


def test_a_processor_that_cannot_be_asked_is_not_said_to_lack_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(machine, "_CPU_INFO", tmp_path / "cpuinfo")
    assert machine.bf16_instructions() is None
    (tmp_path / "cpuinfo").write_text("flags\t\t: fpu avx512f avx512_bf16 amx_bf16 amx_int8\n" * 2, encoding="ascii")
    assert machine.bf16_instructions() == ("amx_bf16", "avx512_bf16")
    (tmp_path / "cpuinfo").write_text("flags\t\t: fpu avx2\n", encoding="ascii")
    assert machine.bf16_instructions() == ()
