"""The finished folder of the bundled model: what a ``SentenceTransformer`` loads, and what tells of its training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag.train.bases import Base
from kure_rag.train.card import make_card, write_card
from kure_rag.train.curves import PNG
from kure_rag.train.place import WRITTEN as REPORT
from kure_rag.train.report import TrainReport
from kure_rag.train.static_vectors import quantise
from kure_rag.train.workdir import write_json

if TYPE_CHECKING:
    from kure_rag.train.static_vectors import Matrix

START: Final = "co-occurrences"
"""What the model is called before tuning: vectors that were made of which pieces stand together."""


class About:
    """What the card says of the recipe."""

    name = "static"
    summary = "a table of vectors: factorised co-occurrences, tuned by contrast and on scored pairs"
    source = "the bundled model's own; scored pairs: CoSENT, Su 2022; way: arXiv 2109.01903"
    kind = "dense"
    limits = ()


NOTES: Final = (
    "`before` in the table of scores is the model before its tuning, with the same vocabulary: it has no base",
    "the sentence sets that are trained on are under CC BY-SA 4.0, and so is the model where it is passed on",
)


def as_model(tokenizer: Any, vectors: Matrix, *, levels: int) -> Any:
    """The model as it will be loaded, with the vectors that whole numbers can stand for."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

    whole, scale = quantise(vectors, levels=levels)
    static = StaticEmbedding(tokenizer, embedding_weights=whole.astype(np.float32) * scale[:, None])
    return SentenceTransformer(modules=[static, Normalize()], device="cpu", similarity_fn_name="cosine")


def write_model(folder: Path, tokenizer: Any, vectors: Matrix, *, levels: int) -> None:
    """The folder as ``SentenceTransformer.save`` lays it out, with the vectors in whole numbers."""
    from safetensors.numpy import save_file

    as_model(tokenizer, vectors, levels=levels).save(str(folder), create_model_card=False)
    whole, scale = quantise(vectors, levels=levels)
    # StaticEmbedding.load multiplies `embeddings` by `weights`; its own save would write four bytes a number.
    save_file({"embeddings": whole, "weights": scale}, folder / "model.safetensors", metadata={"format": "np"})
    # safetensors makes files that only their owner can read, which a wheel would carry to every machine.
    (folder / "model.safetensors").chmod(0o644)
    # One line instead of one line a piece, and without the versions of this machine in it.
    compact = json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(compact + "\n", encoding="utf-8")


def write_story(made: Path, before: Path, report: TrainReport, settings: Any, identity: Mapping[str, Any]) -> None:
    """The card and ``training.json``. A card that somebody has written stays, and the new one lies beside it.

    Args:
        made: The finished folder.
        before: The folder whose place it will take, if there is one.
        report: What was trained.
        settings: How; with ``to_dict()``.
        identity: With the hashes of ``data`` and ``dev``.
    """
    about: Any = About()
    card = make_card(
        about,
        name=before.name,
        base=Base(name=START, folder=None, revision="made of the data"),
        settings=settings,
        data=identity["data"],
        dev=identity["dev"],
        rows=report.rows,
        changes=report.changes,
        notes=[*report.notes, *NOTES],
        plotted=(made / PNG).is_file(),
    )
    write_card(made, before, card)
    files = sorted({REPORT, *(path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file())})
    told = {**report.to_dict(), "out": before.name, "settings": settings.to_dict(), "files": files}
    write_json(made / REPORT, told)


def rows_of(text: Any) -> dict[str, int]:
    """Counts of what is trained on, for the card."""
    parts: Mapping[str, Sequence[Any]] = {
        "articles": text.articles,
        "sentences": text.general(),
        "paraphrases": text.paraphrases,
        "scored pairs": text.scored,
    }
    return {name: len(part) for name, part in parts.items()}
