"""What kind of model a folder holds, read from its small files.

The library makes a model of one kind out of another's by adding layers of random weights, and says so in its log alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kure_rag.embed.files import MODULES, PROMPTS, parts_of, read_json
from kure_rag.embed.model_card import USED_BY, Kind
from kure_rag.errors import EmbeddingError

# As sentence-transformers names them in `config_sentence_transformers.json`.
_KINDS: Final[Mapping[str, Kind]] = {
    "SentenceTransformer": "dense",
    "SparseEncoder": "sparse",
    "MultiVectorEncoder": "late-interaction",
    "ColBERT": "late-interaction",  # as PyLate does
    "CrossEncoder": "reranker",
}
_ENDS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "sparse": ("ForMaskedLM",),
    "late-interaction": ("HF_ColBERT", "ForRetrieval"),
}
_NO_HEAD: Final = ("Model", "ForMaskedLM", "ForPreTraining")  # what ends in no score


def require_kind(folder: Path, kind: Kind) -> None:
    """Raises for a model of another kind, which would be loaded with random weights on top, or without its own.

    Args:
        folder: A local copy.
        kind: What is to be made of it. A dense model can be made of any plain checkpoint that is not plainly another's.

    Raises:
        EmbeddingError: Says what it is and which class uses it, or that one of its files is broken.
    """
    stored = (folder / MODULES).is_file()
    if stored or kind == "dense":
        found = _stored_kind(folder) if stored else kind_of(folder)
        if found is not None and found != kind:
            says = MODULES if stored else "config.json"
            raise EmbeddingError(
                f"{folder} holds a {found} model, as its {says} says: use {USED_BY[found]}, not {USED_BY[kind]}"
            )
        return
    named = _settings(folder / "config.json").get("architectures")
    if not isinstance(named, list) or not named:  # told when it is loaded
        return
    if kind == "reranker":
        fits = not any(str(name).endswith(_NO_HEAD) for name in named)
    else:
        fits = any(str(name).endswith(_ENDS[kind]) for name in named)
    if not fits:
        raise EmbeddingError(
            f"{folder} holds {named[0]} and nothing that makes a {kind} model of it; train it as one, or use "
            f"{USED_BY['dense']}"
        )


def kind_of(folder: Path) -> Kind:
    """What a folder holds, as far as its files say: ``dense`` for all that is not plainly something else.

    Raises:
        EmbeddingError: One of its files is broken.
    """
    if (folder / MODULES).is_file():
        return _stored_kind(folder) or "dense"
    named = _settings(folder / "config.json").get("architectures")
    names = [str(name) for name in named] if isinstance(named, list) else []
    if any(name.endswith("ForSequenceClassification") for name in names):
        return "reranker"
    return "late-interaction" if any(name.endswith("HF_ColBERT") for name in names) else "dense"


def _stored_kind(folder: Path) -> Kind | None:
    """``None`` for what cannot be told."""
    kinds = {part.kind for part in parts_of(folder / MODULES)}
    found = _KINDS.get(str(_settings(folder / PROMPTS).get("model_type") or "SentenceTransformer"))
    # PyLate once stored late-interaction models as dense ones: a projection of each token, and nothing pools them.
    if found == "dense" and {"Transformer", "Dense"} <= kinds <= {"Transformer", "Dense", "Normalize"}:
        return "late-interaction"
    return found


def _settings(path: Path) -> dict[str, Any]:
    found = read_json(path) if path.is_file() else {}
    return found if isinstance(found, dict) else {}
