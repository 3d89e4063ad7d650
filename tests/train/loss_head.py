"""Trains KoSBERT's first stage for some steps and writes down what its classifier, which no model folder holds, became.

Run by ``test_loss_weights.py``, alone or in several processes: ``loss_head.py BASE NLI STS OUT SETTINGS``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kure_rag.train.recipe import Plan, Say, Sources
from kure_rag.train.recipes.kosbert import KoSbertRecipe, KoSbertSettings


class FirstStage(KoSbertRecipe):
    """Without the second, and it keeps the loss."""

    made: Any = None

    def plan(self, sources: Sources, settings: KoSbertSettings, say: Say) -> Plan:
        plan = super().plan(sources, settings, say)
        first = plan.stages[0]

        def losses(model: Any) -> Mapping[str, Any]:
            found = first.losses(model)
            self.made = found["nli"]
            return found

        return replace(plan, stages=[replace(first, losses=losses)])


if __name__ == "__main__":
    import torch
    from safetensors.torch import save_file

    from kure_rag.train.run import train
    from kure_rag.train.workdir import place_among

    torch.set_num_threads(1)
    base, nli, sts, out, settings = sys.argv[1:6]
    recipe = FirstStage()
    train(
        recipe,
        [Path(nli), Path(sts)],
        out=Path(out),
        base=base,
        settings=KoSbertSettings(**json.loads(settings)),
    )
    head = recipe.made.classifier
    kept = {"weight": head.weight.detach().clone(), "bias": head.bias.detach().clone()}
    save_file(kept, Path(f"{out}-head-{place_among()[0]}.safetensors"))
