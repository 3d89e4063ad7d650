import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_models
import torch

from kure_rag.embed import CARDS, Embedder, EmbedSettings, machine
from kure_rag.embed.backends.children import first_message
from kure_rag.embed.backends.precision import choose
from kure_rag.embed.cards import DEFAULT_MODEL
from kure_rag.errors import EmbeddingError


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


# Devices that settings name


@pytest.mark.parametrize(
    ("device", "found"),
    [(None, ()), ("cuda:1", ("cuda:1",)), ("cuda:0, cuda:1", ("cuda:0", "cuda:1")), ("cpu,", ("cpu",))],
)
def test_devices_of_the_settings(device: str | None, found: tuple[str, ...]) -> None:
    assert machine.named_devices(device) == found


@pytest.mark.parametrize("device", [None, "cpu", "cpu,cpu", "cpu:0"])
def test_the_processor_is_here(device: str | None) -> None:
    machine.check_device(device)


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "", ",", "meta", "nonsense:1"])
def test_a_device_that_is_not_here_is_told_with_those_that_are(device: str) -> None:
    with pytest.raises(EmbeddingError, match=rf"device='{device}': PyTorch finds no such device; here are cpu \("):
        machine.check_device(device)


# Machines as they are described: the last three were never at hand
LAPTOP, ONE_GPU = {"cpu": 1, "mps": 0, "cuda": 0}, {"cpu": 1, "mps": 0, "cuda": 1}
APPLE, FOUR_GPUS = {"cpu": 1, "mps": 1, "cuda": 0}, {"cpu": 1, "mps": 0, "cuda": 4}


@pytest.mark.parametrize(
    ("names", "here", "missing"),
    [
        (("cpu", "cpu"), LAPTOP, ()),
        (("mps",), LAPTOP, ("mps",)),
        (("mps",), APPLE, ()),
        (("mps:1", "cuda"), APPLE, ("mps:1", "cuda")),
        (("cuda", "cuda:0"), ONE_GPU, ()),
        (("cuda:0", "cuda:1"), ONE_GPU, ("cuda:1",)),
        (("cuda:0", "cuda:1", "cuda:2", "cuda:3"), FOUR_GPUS, ()),
        (("cuda:4", "cpu", "cuda:4", "cuda:3"), FOUR_GPUS, ("cuda:4",)),
        (("gpu", "cuda:x", "xpu"), FOUR_GPUS, ("gpu", "cuda:x", "xpu")),
    ],
)
def test_of_a_described_machine_the_missing_devices(
    names: tuple[str, ...], here: dict[str, int], missing: tuple[str, ...]
) -> None:
    assert machine.missing_devices(names, here) == missing


def test_each_device_of_several_has_a_process_told_of_it_alone() -> None:
    settings = EmbedSettings(device="cuda:0, cuda:1,cpu", cache="vectors")
    names = machine.named_devices(settings.device)
    firsts = [first_message(None, CARDS[DEFAULT_MODEL], settings, name, len(names)) for name in names]
    assert [first["settings"]["device"] for first in firsts] == ["cuda:0", "cuda:1", "cpu"]
    assert [first["threads"] is None for first in firsts] == [True, True, False]  # a GPU's process takes no cores
    assert {first["settings"]["cache"] for first in firsts} == {None}  # which is the parent's
    json.dumps(firsts)


@pytest.mark.parametrize(
    ("device", "is_packable", "expected"),
    [("mps", True, torch.float16), ("mps", False, torch.float32), ("cuda", True, torch.float16)],
)
def test_what_a_device_that_is_not_here_would_compute_in(device: str, is_packable: bool, expected: torch.dtype) -> None:
    assert choose("auto", torch.device(device), parameters=1, is_packable=is_packable) == expected
    assert choose("fp32", torch.device(device), parameters=1, is_packable=is_packable) == torch.float32


def test_of_several_devices_those_that_are_not_here_are_told_in_one_error() -> None:
    with pytest.raises(EmbeddingError, match=r"finds no cuda:98 and no cuda:99; here are cpu \("):
        machine.check_device("cuda:98,cpu, cuda:99,cuda:98")


def test_of_apples_device_and_the_first_gpu_the_machine_is_asked() -> None:
    for device, here in (("mps", torch.backends.mps.is_available()), ("cuda", torch.cuda.is_available())):
        if here:
            machine.check_device(device)
        else:
            with pytest.raises(EmbeddingError, match=f"device='{device}': PyTorch finds no such device"):
                machine.check_device(device)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device": "cuda:99"}, "device='cuda:99': PyTorch finds no such device; here are cpu"),
        ({"device": "cuda:98,cuda:99"}, "PyTorch finds no cuda:98 and no cuda:99; here are cpu"),
        ({"device": "cpu,gpu"}, "PyTorch finds no gpu; here are cpu"),
        ({"device": "cuda:0,cuda:1", "backend": "onnx"}, "runs on the processor, and device='cuda:0' was asked for"),
        ({"device": "mps", "backend": "openvino"}, "runs on the processor, and device='mps' was asked for"),
    ],
)
def test_a_device_is_looked_for_before_the_model_is(settings: dict[str, Any], message: str) -> None:
    if backend := settings.get("backend"):
        pytest.importorskip("onnxruntime" if backend == "onnx" else backend, reason="the extra is not installed")
    # Neither on the hub nor here: looking for it would be another error.
    embedder = Embedder("누구의/모델", EmbedSettings(query_prefix="", passage_prefix="", **settings))
    with pytest.raises(EmbeddingError, match=message) as caught:
        embedder.embed_queries(["연차휴가는 며칠인가요?"])
    assert type(caught.value) is EmbeddingError


def test_white_space_about_a_device_is_no_part_of_its_name(tmp_path: Path) -> None:
    folder = small_models.transformer(tmp_path / "model", small_models.bert)
    found = Embedder(str(folder), EmbedSettings(device=" cpu,")).embed_queries(["휴가"])
    np.testing.assert_array_equal(found, Embedder(str(folder), EmbedSettings(device="cpu")).embed_queries(["휴가"]))


def test_a_model_that_computes_nothing_needs_no_device() -> None:
    assert Embedder("static-ko", EmbedSettings(device="cuda:99")).embed_queries(["휴가"]).shape == (1, 368)
