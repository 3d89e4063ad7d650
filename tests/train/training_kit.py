"""What every recipe has to hold, to be inherited by a test class that gives it data.

::

    class TestKoSimCse(RecipeContract):
        recipe = "kosimcse"

        def data(self, folder): ...   # writes made-up files, gives (train paths, development paths)

Each class trains four times at the recipe's smallest setting: once whole in this process, and in a child process that
is killed with SIGKILL, then again in one that goes on. The whole run's model is shared by the tests of a class.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from kure_rag.train.recipes import find_recipe
from kure_rag.train.report import TrainReport
from kure_rag.train.run import train

pytestmark = pytest.mark.train

_CHILD = """\
import json, sys
from dataclasses import replace
from pathlib import Path
import torch
torch.set_num_threads(1)
from kure_rag.train.recipes import find_recipe
from kure_rag.train.run import train
said = json.loads(sys.stdin.read())
recipe = find_recipe(said["recipe"])
changes = {k: tuple(v) if isinstance(v, list) else v for k, v in said["settings"].items()}
settings = replace(recipe.smallest(recipe.settings), **changes)
def progress(done, total, words):
    print(words.split(":")[0], done, total, flush=True)
train(recipe, [Path(p) for p in said["data"]], out=Path(said["out"]), base=said["base"],
      dev=[Path(p) for p in said["dev"]], settings=settings, progress=progress)
"""


class RecipeContract:
    """See the module."""

    recipe: ClassVar[str]
    base: ClassVar[str] = "scratch:bert-2x64"
    settings: ClassVar[dict[str, Any]] = {}
    """What differs from the recipe's smallest."""
    killed_in: ClassVar[str | None] = None
    """The stage in which the child is killed; the last by default."""

    def data(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Writes files to train on, and files to score on."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    def files(self, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[Path]]:
        return self.data(tmp_path_factory.mktemp(f"{self.recipe}-data"))

    @pytest.fixture(scope="class")
    def trained(self, files: tuple[list[Path], list[Path]], tmp_path_factory: pytest.TempPathFactory) -> TrainReport:
        import torch

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            recipe = find_recipe(self.recipe)
            settings = replace(recipe.smallest(recipe.settings), **self.settings)
            out = tmp_path_factory.mktemp(f"{self.recipe}-out") / "model"
            return train(recipe, files[0], out=out, base=self.base, dev=files[1], settings=settings)
        finally:
            torch.set_num_threads(threads)

    def test_what_it_optimises_rises_on_data_it_did_not_see(self, trained: TrainReport) -> None:
        assert trained.changes, "scored on nothing"
        assert trained.changes[0].rose, [change.to_dict() for change in trained.changes]

    def test_the_folder_has_a_card_and_the_curve(self, trained: TrainReport) -> None:
        card = (trained.out / "README.md").read_text(encoding="utf-8")
        assert f"`{self.recipe}`" in card
        assert trained.changes[0].name in card
        with (trained.out / "loss.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        losses = [float(row["loss"]) for row in rows if row["loss"]]
        assert losses[-1] == pytest.approx(trained.loss)
        assert [row["stage"] for row in rows][-1] == list(trained.steps)[-1]
        assert (trained.out / "loss.png").read_bytes().startswith(b"\x89PNG")
        stored = json.loads((trained.out / "training.json").read_text(encoding="utf-8"))
        assert stored["steps"] == dict(trained.steps)
        assert not trained.out.with_name(f"{trained.out.name}.training").exists()
        assert not [file for file in trained.out.rglob("*") if file.suffix in (".bin", ".pt", ".pth", ".pkl")]

    def test_a_killed_training_goes_on_to_the_same_loss(
        self, trained: TrainReport, files: tuple[list[Path], list[Path]], tmp_path: Path
    ) -> None:
        out = tmp_path / "model"
        said = json.dumps(
            {
                "recipe": self.recipe,
                "settings": self.settings,
                "data": [str(path) for path in files[0]],
                "dev": [str(path) for path in files[1]],
                "base": self.base,
                "out": str(out),
            }
        )
        stage = self.killed_in or list(trained.steps)[-1]
        self._killed(said, stage, trained.steps[stage])
        assert not out.exists()
        assert list((out.with_name("model.training")).glob(f"*-{stage}/checkpoint-*/complete")), "no whole checkpoint"
        subprocess.run(
            [sys.executable, "-c", _CHILD], input=said, text=True, check=True, capture_output=True, env=_alone()
        )
        assert (out / "loss.csv").read_text() == (trained.out / "loss.csv").read_text()
        resumed = json.loads((out / "training.json").read_text(encoding="utf-8"))
        assert resumed["resumed"]
        assert resumed["loss"] == trained.loss

    def test_it_loads_in_both_frameworks(self, trained: TrainReport) -> None:
        """Also with the prefixes that it was trained with, and pooled as it was."""
        recipe = find_recipe(self.recipe)
        if recipe.kind == "reranker":
            _reranks_in_both(trained.out)
            return
        from kure_rag.embed import Embedder
        from kure_rag.langchain import KureEmbeddings as LangChain
        from kure_rag.llama_index import KureEmbedding as LlamaIndex

        text = "휴가는 15일로 한다"
        ours = Embedder(str(trained.out))
        if recipe.query_prefix is not None:
            assert ours.prefixes == (recipe.query_prefix, recipe.passage_prefix)
        first = LangChain(model=str(trained.out))
        second = LlamaIndex(model_name=str(trained.out))
        for query, ask, tell in (
            (True, first.embed_query, second.get_query_embedding),
            (False, lambda one: first.embed_documents([one])[0], second.get_text_embedding),
        ):
            expected = _by_hand(trained.out, recipe, text, query=query)
            np.testing.assert_allclose(ask(text), expected, atol=2e-4)
            np.testing.assert_allclose(tell(text), expected, atol=2e-4)

    def _killed(self, said: str, stage: str, steps: int) -> None:
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_alone(),
        )
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(said)
        child.stdin.close()
        ready = False
        for line in child.stdout:
            name, done, _ = line.rsplit(" ", 2)
            if name == stage and int(done) > steps // 2:
                ready = True
                break
        if not ready:
            assert child.stderr is not None
            pytest.fail(f"it ended before it could be killed: {child.stderr.read()[-2000:]}")
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        time.sleep(0.1)


def _reranks_in_both(folder: Path) -> None:
    """The scores that both adapters put on passages, and the order they put them in, are the cross-encoder's own."""
    from langchain_core.documents import Document
    from llama_index.core.schema import NodeWithScore, TextNode
    from sentence_transformers import CrossEncoder

    from kure_rag import KureReranker
    from kure_rag.langchain import KureReranker as LangChain
    from kure_rag.llama_index import KureRerank as LlamaIndex

    query, passages = "휴가는 며칠인가", ["급여는 25일에 준다", "휴가는 15일로 한다", "비가 온다"]
    pairs = [(query, passage) for passage in passages]
    expected = CrossEncoder(str(folder), device="cpu", local_files_only=True).predict(pairs, show_progress_bar=False)
    np.testing.assert_allclose(KureReranker(str(folder)).scores(pairs), expected, atol=1e-5)
    order = np.argsort(-expected, kind="stable")[:2]
    documents = [Document(page_content=passage) for passage in passages]
    nodes = [NodeWithScore(node=TextNode(text=passage), score=0.0) for passage in passages]
    first = LangChain(model=str(folder), top_n=2).compress_documents(documents, query)
    second = LlamaIndex(model=str(folder), top_n=2).postprocess_nodes(nodes, query_str=query)
    wanted = [(passages[i], pytest.approx(float(expected[i]), abs=1e-5)) for i in order]
    assert [(one.page_content, one.metadata["relevance_score"]) for one in first] == wanted
    assert [(one.node.get_content(), one.score) for one in second] == wanted


def _by_hand(folder: Path, recipe: Any, text: str, *, query: bool) -> Any:
    """The vector as sentence-transformers makes it of the stored prompts and modules."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    prefix = (recipe.query_prefix if query else recipe.passage_prefix) or ""
    poolings = [module for module in model if type(module).__name__ == "Pooling"]
    if poolings and recipe.pooling is not None:
        assert poolings[0].pooling_mode == recipe.pooling
    return model.encode([prefix + text], prompt="", normalize_embeddings=True)[0]


def _alone() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONIOENCODING": "utf-8"}
