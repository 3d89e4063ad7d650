"""What each known model needs to be used as it was trained.

Sources: each model's own card on huggingface.co, read in November 2026. A model that is not here works too: its stored
prompts and pooling are used.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from kure_rag.errors import UnknownModelError

Pooling = Literal["stored", "cls", "mean"]

DEFAULT_MODEL: Final = "nlpai-lab/KURE-v1"
STATIC_KO: Final = "kure-rag/static-ko"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """How to use one model.

    Attributes:
        name: On the model hub, ``owner/name``.
        aliases: Short names that mean it.
        revision: Commit that is loaded when the caller names none; ``None`` for the newest.
        query_prefix: Put before each query; ``None`` for what the model itself stores, if anything.
        passage_prefix: Put before each passage; likewise.
        pooling: ``stored`` for checkpoints that carry their own modules, otherwise how to pool a plain checkpoint.
        dimension: Numbers in a vector; ``None`` where the card leaves it to the model.
        max_tokens: What is cut off beyond; ``None`` for no limit.
        normalize: Whether vectors are scaled to unit length.
        licence: SPDX identifier, ``None`` where the card names none.
        dense_weight: Default weight of its scores beside keyword scores, see :mod:`kure_rag.search.fusion`.
        note: One line for people.
    """

    name: str
    aliases: tuple[str, ...] = ()
    revision: str | None = None
    query_prefix: str | None = ""
    passage_prefix: str | None = ""
    pooling: Pooling = "stored"
    dimension: int | None = None
    max_tokens: int | None = None
    normalize: bool = True
    licence: str | None = None
    dense_weight: float = 0.5
    note: str = ""


def _e5(size: str, dimension: int) -> ModelCard:
    return ModelCard(
        name=f"intfloat/multilingual-e5-{size}",
        aliases=(f"multilingual-e5-{size}",),
        query_prefix="query: ",
        passage_prefix="passage: ",
        dimension=dimension,
        max_tokens=512,
        licence="MIT",
    )


def _ko_sentence(name: str) -> ModelCard:
    return ModelCard(
        name=f"jhgan/{name}",
        aliases=(name,),
        dimension=768,
        max_tokens=128,
        note="Cuts texts at 128 tokens; made for sentences.",
    )


def _plain_cls(name: str) -> ModelCard:
    return ModelCard(
        name=f"BM-K/{name}",
        aliases=(name,),
        pooling="cls",
        dimension=768,
        max_tokens=512,
        note="A plain checkpoint: the first token of the last layer, without the pooler.",
    )


_ALL: Final = (
    ModelCard(
        name=DEFAULT_MODEL,
        aliases=("KURE-v1", "kure"),
        revision="d14c8a9423946e268a0c9952fecf3a7aabd73bd9",
        dimension=1024,
        max_tokens=8192,
        licence="MIT",
        note="The default. No prefixes.",
    ),
    ModelCard(
        name="nlpai-lab/KoE5",
        aliases=("KoE5",),
        revision="bc6d284c60fe5a973e74c1751b92594c9f581213",
        query_prefix="query: ",
        passage_prefix="passage: ",
        dimension=1024,
        max_tokens=512,
        licence="MIT",
    ),
    ModelCard(
        name="nlpai-lab/KURE-v3",
        aliases=("KURE-v3",),
        query_prefix="query: ",
        passage_prefix="passage: ",
        dimension=2048,
        max_tokens=8192,
        licence="Apache-2.0",
    ),
    ModelCard(
        name=STATIC_KO,
        aliases=("static-ko",),
        dimension=256,
        licence="CC-BY-SA-4.0",
        dense_weight=0.12,
        note="Bundled: works offline, weak on paraphrase.",
    ),
    _e5("small", 384),
    _e5("base", 768),
    _e5("large", 1024),
    ModelCard(name="BAAI/bge-m3", aliases=("bge-m3",), dimension=1024, max_tokens=8192, licence="MIT"),
    ModelCard(name="dragonkue/BGE-m3-ko", aliases=("BGE-m3-ko",), dimension=1024, max_tokens=8192),
    ModelCard(name="upskyy/bge-m3-korean", aliases=("bge-m3-korean",), dimension=1024, max_tokens=8192),
    ModelCard(
        name="Snowflake/snowflake-arctic-embed-l-v2.0",
        aliases=("snowflake-arctic-embed-l-v2.0",),
        query_prefix="query: ",
        dimension=1024,
        max_tokens=8192,
        licence="Apache-2.0",
    ),
    ModelCard(
        name="dragonkue/snowflake-arctic-embed-l-v2.0-ko",
        aliases=("snowflake-arctic-embed-l-v2.0-ko",),
        query_prefix="query: ",
        dimension=1024,
        max_tokens=8192,
    ),
    ModelCard(
        name="nomic-ai/nomic-embed-text-v2-moe",
        aliases=("nomic-embed-text-v2-moe",),
        query_prefix="search_query: ",
        passage_prefix="search_document: ",
        note="Needs trust_remote_code=True.",
    ),
    *(_ko_sentence(f"{base}-{task}") for base in ("ko-sroberta", "ko-sbert") for task in ("multitask", "nli", "sts")),
    *(
        _plain_cls(name)
        for name in (
            "KoSimCSE-roberta",
            "KoSimCSE-roberta-multitask",
            "KoSimCSE-bert",
            "KoSimCSE-bert-multitask",
            "KoDiffCSE-RoBERTa",
        )
    ),
)

CARDS: Final[dict[str, ModelCard]] = {card.name: card for card in _ALL}
_BY_NAME: Final = {name.lower(): card for card in _ALL for name in (card.name, *card.aliases)}


def find_card(name: str) -> ModelCard | None:
    """The card of a model by its name, an alias, or the folder of a local copy; ``None`` for a model without one.

    A copy in a folder named ``KoE5``, or in a hub cache's ``models--nlpai-lab--KoE5``, is KoE5 and needs its prefixes.
    """
    if card := _BY_NAME.get(name.lower()):
        return card
    for part in reversed(Path(name).parts if _looks_like_path(name) else ()):
        if part.startswith("models--"):
            return _BY_NAME.get(part.removeprefix("models--").replace("--", "/", 1).lower())
    last = Path(name).name.lower()
    return _BY_NAME.get(last) if _looks_like_path(name) else None


def check_name(name: str) -> None:
    """Raises for a name that can be neither a card, a folder here, nor ``owner/name`` on a model hub.

    Raises:
        UnknownModelError: Names the nearest known models.
    """
    # An empty path would be the folder we are in.
    if name.lower() in _BY_NAME or (name.strip() and Path(name).expanduser().is_dir()):
        return
    if name.count("/") == 1 and not _looks_like_path(name) and all(name.split("/")):
        return
    near = difflib.get_close_matches(name.lower(), list(_BY_NAME), n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(_BY_NAME[n].name for n in near)}?" if near else ""
    raise UnknownModelError(
        f"No model named {name!r}: it is no known name, no folder here, and not of the form owner/name.{hint} "
        "`kure-rag models` lists the known ones."
    )


def _looks_like_path(name: str) -> bool:
    return name.startswith((".", "/", "~")) or "\\" in name or name.count("/") > 1 or Path(name).is_dir()
