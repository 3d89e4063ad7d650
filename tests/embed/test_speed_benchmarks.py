"""The speed benchmarks run, on a tiny model: what they print of real ones is for people to read."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def run(*arguments):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=BENCHMARKS.parent, capture_output=True, text=True, check=False
    )


def rows(printed):
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.fixture(scope="module")
def models_at(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


def test_the_gpu_benchmark_on_a_tiny_model_and_its_kept_table(models_at, tmp_path):
    done = run(
        BENCHMARKS / "embed_gpu.py",
        *("--device", "cpu", "--small", "--folder", models_at, "--out", tmp_path / "results"),
        *("--chunks", 24, "--stock-chunks", 12, "--queries", 4, "--repeats", 1),
    )
    assert done.returncode == 0, done.stderr
    head, _, *found = rows(done.stdout)
    assert len(found) == 2 * 6
    column = {name: i for i, name in enumerate(head)}
    for row in found:
        assert float(row[column["cosine mean"]]) > 0.999
        assert float(row[column["tokens/s"]].replace(",", "")) > 0
    for stock in (row for row in found if "fp16" in row[1]):
        assert float(stock[column["x best fp16"]]) <= float(stock[column["x fp16"]])
    assert all("kure-rag bf16 (bfloat16, packed)" in bf16[1] for bf16 in found[5::6])
    for ours in (*found[4::6], *found[5::6]):
        assert "packed" in ours[1]
        assert float(ours[column["padding"]]) == 1
    (kept,) = (tmp_path / "results").iterdir()
    assert kept.read_text(encoding="utf-8").strip() == done.stdout.strip()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_the_gpu_benchmark_without_a_gpu_says_so_and_fails():
    done = run(BENCHMARKS / "embed_gpu.py")
    assert done.returncode == 2
    assert "no CUDA device" in done.stderr
    assert "--device cpu --small" in done.stderr


def test_what_stands_about_the_model_is_timed_stage_by_stage(models_at, tmp_path):
    kept = tmp_path / "border.md"
    done = run(
        BENCHMARKS / "embed_border.py",
        *("--folder", models_at, "--chunks", 20, "--repeats", 1, "--clock", "cpu", "--out", kept),
    )
    assert done.returncode == 0, done.stderr
    head, _, *found = rows(done.stdout)
    assert [row[0].partition(" ")[0] for row in found[:6]] == [
        "tokenising",
        "copies",
        "checks",
        "lists",
        "all:",
        "all:",
    ]
    assert all(float(row[head.index("chunks/s")].replace(",", "")) > 0 for row in found)
    assert "20 chunks of 5" in done.stdout
    assert kept.read_text(encoding="utf-8").strip() == done.stdout.strip()


def test_the_cpu_benchmark_on_a_tiny_model(models_at):
    done = run(
        BENCHMARKS / "embed_cpu.py",
        *("--small", "--folder", models_at, "--engines", "torch"),
        *("--chunks", 8, "--queries", 2, "--repeats", 1),
    )
    assert done.returncode == 0, done.stderr
    head, _, stock, ours = rows(done.stdout)
    assert float(stock[head.index("padding")]) >= float(ours[head.index("padding")]) == 1
    assert float(ours[head.index("min")]) > 0.9999
    assert "static-ko:" in done.stdout
