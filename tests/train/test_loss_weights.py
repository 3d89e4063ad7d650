"""Several processes: weights that belong to a loss alone learn from the rows of all of them, as the model's do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_up_sentences import inferences, pairs, write_nli, write_sts

pytest.importorskip("torch")
pytest.importorskip("datasets")

pytestmark = pytest.mark.train

_CHILD = Path(__file__).with_name("loss_head.py")
_ROWS = 24  # all of them in each step, since batches of two sizes are drawn in two orders
_SETTINGS = {"epochs": 6, "learning_rate": 1e-2, "checkpoints": 0, "max_length": 32, "warmup": 0.0}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without dropout, which falls elsewhere in each process."""
    from kure_rag.train.scratch import Scratch, make_encoder

    folder = tmp_path_factory.mktemp("base")
    texts = [text for row in inferences() for text in row[:2]]
    make_encoder(Scratch.named("scratch:bert-1x32"), texts, folder, seed=1)
    config = folder / "config.json"
    told = json.loads(config.read_text(encoding="utf-8"))
    told |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config.write_text(json.dumps(told), encoding="utf-8")
    return folder


def heads(folder: Path, base: Path, *, processes: int, **settings: int) -> list[dict[str, np.ndarray]]:
    """The classifier at the end, in each process."""
    from safetensors.numpy import load_file

    folder.mkdir()
    nli = write_nli(folder / "nli-train.tsv", list(inferences())[:_ROWS])
    sts = write_sts(folder / "sts-train.tsv", list(pairs(_ROWS)))
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, *(launcher if processes > 1 else []), str(_CHILD)]
    given_to_it = [str(base), str(nli), str(sts), str(folder / "model"), json.dumps({**_SETTINGS, **settings})]
    environment = {**os.environ, "PYTHONPATH": str(_CHILD.parent), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run([*command, *given_to_it], capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return [load_file(folder / f"model-head-{number}.safetensors") for number in range(processes)]


def test_a_losss_own_weights_learn_from_the_rows_of_all_processes(tmp_path: Path, base: Path) -> None:
    """The mean of two halves' cross-entropies is that of the whole: two processes are one with a batch twice as large.

    Otherwise each process would train a classifier of its own, and the first one's would be kept.
    """
    first, second = heads(tmp_path / "two", base, processes=2, batch_size=_ROWS // 2)
    (alone,) = heads(tmp_path / "one", base, processes=1, batch_size=_ROWS)
    (begun,) = heads(tmp_path / "begun", base, processes=1, batch_size=_ROWS, max_steps=1)
    for name in ("weight", "bias"):
        assert np.abs(alone[name] - begun[name]).max() > 1e-3, "nothing was learnt in five steps"
        np.testing.assert_array_equal(first[name], second[name])
        np.testing.assert_allclose(first[name], alone[name], atol=1e-5, rtol=0)
