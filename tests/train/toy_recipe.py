"""A recipe of made-up sentences that trains in seconds, to test the loop with."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kure_rag.train.development_sets import RetrievalDev
from kure_rag.train.recipe import Plan, Recipe, Say, Sources, Stage
from kure_rag.train.settings import TrainSettings

_WORDS: Final = [
    "예금",
    "보험",
    "주택",
    "의약품",
    "세금",
    "연금",
    "계약",
    "임대",
    "은행",
    "병원",
    "학교",
    "법원",
    "근로자",
    "휴가",
    "급여",
    "퇴직",
    "상여",
    "환자",
    "약국",
    "처방",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToySettings(TrainSettings):
    """Small.

    Attributes:
        classifier: Train a layer of the loss's own as well, in a stage before.
        spoil: Step at which the loss becomes no number.
        alike: All passages are one, and no text may be twice in a batch.
    """

    epochs: float = 2
    batch_size: int = 16
    learning_rate: float = 1e-3
    checkpoints: int = 5
    classifier: bool = False
    spoil: int | None = None
    alike: bool = False


class ToyRecipe(Recipe[ToySettings]):
    """Pairs of words, asked for in one order and told in the other."""

    name = "toy"
    summary = "pairs of words"
    source = "made up"
    base = "scratch:bert-1x32"
    query_prefix = "질문: "
    passage_prefix = "문서: "
    data = "anything"
    dev = "nothing"

    @property
    def settings(self) -> ToySettings:
        return ToySettings()

    def smallest(self, settings: ToySettings) -> ToySettings:
        return settings

    def plan(self, sources: Sources, settings: ToySettings, say: Say) -> Plan:
        from datasets import Dataset

        rows, held = made_up(192, 1), made_up(40, 2)
        told = ["모두 같은 글"] * len(rows) if settings.alike else [b for _, b in rows]
        pairs = Dataset.from_dict({"query": [a for a, _ in rows], "positive": told})
        graded = pairs.add_column("label", [i % 2 for i in range(len(rows))])
        stages = [
            Stage(
                name="pairs",
                datasets={"pairs": pairs},
                losses=lambda model: {"pairs": _contrast(model, settings.spoil)},
                settings=settings,
                prompts={"query": sources.query_prefix, "positive": sources.passage_prefix},
                no_duplicates=settings.alike,
            )
        ]
        if settings.classifier:
            stages.insert(0, Stage(name="classes", datasets={"g": graded}, losses=_classes, settings=settings))
        development = RetrievalDev(
            "toy-dev",
            {str(i): query for i, (query, _) in enumerate(held)},
            {str(i): passage for i, (_, passage) in enumerate(held)},
            {str(i): {str(i): 1.0} for i in range(len(held))},
            sources.query_prefix,
            sources.passage_prefix,
        )
        return Plan(
            stages=stages,
            development=[development],
            texts=lambda: (text for row in rows for text in row),
            rows={"pairs": len(rows)},
        )


def made_up(count: int, seed: int) -> list[tuple[str, str]]:
    """Questions and what answers them."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        first, second = chance.sample(_WORDS, 2)
        found.append((f"{first} {second} 알려줘", f"{second}와 {first}에 관한 규정은 제{chance.randint(1, 99)}조이다"))
    return found


def _contrast(model: Any, spoil: int | None) -> Any:
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    if spoil is None:
        return MultipleNegativesRankingLoss(model)

    class Spoilt(MultipleNegativesRankingLoss):  # type: ignore[misc]
        steps = 0

        def forward(self, *arguments: Any, **named: Any) -> Any:
            self.steps += 1
            loss = super().forward(*arguments, **named)
            return loss * float("nan") if self.steps >= spoil else loss

    return Spoilt(model)


def _classes(model: Any) -> dict[str, Any]:
    from sentence_transformers.sentence_transformer.losses import SoftmaxLoss

    return {"g": SoftmaxLoss(model, model.get_embedding_dimension(), num_labels=2)}


if __name__ == "__main__":
    import json

    import torch

    from kure_rag.train.run import train

    torch.set_num_threads(1)
    out, given = sys.argv[1:3]
    say: Callable[[str], None] = lambda line: print("say", line, flush=True)  # noqa: E731
    train(
        ToyRecipe(),
        [Path(__file__)],
        out=Path(out),
        settings=ToySettings(**json.loads(given)),
        say=say,
        progress=lambda done, total, words: print(words.split(":")[0], done, total, flush=True),
    )
