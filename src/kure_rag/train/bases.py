"""The model that training starts from: found and checked before anything long is begun, then loaded to be trained."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.embed.cards import check_name, find_card, folder_of
from kure_rag.embed.files import bundled_path, check_folder, local_revision
from kure_rag.embed.hub import model_folder
from kure_rag.embed.identity import ModelIdentity
from kure_rag.embed.loading import load_model, weight_options
from kure_rag.embed.settings import EmbedSettings
from kure_rag.errors import EmbeddingError
from kure_rag.train.scratch import PREFIX, Scratch, make_encoder

if TYPE_CHECKING:
    from kure_rag.train.recipe import Recipe

_LABELS: Final = 1  # a reranker's score


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A base model that is there and can be trained.

    Attributes:
        name: As it was given.
        folder: Where it lies; ``None`` for one that is made from the training texts.
        revision: Of its files; changes with each byte of the weights.
        query_prefix: What it puts before queries.
        passage_prefix: What it puts before passages.
    """

    name: str
    folder: Path | None
    revision: str
    query_prefix: str = ""
    passage_prefix: str = ""


def find_base(name: str, recipe: Recipe[Any]) -> Base:
    """Finds a base, downloaded first where it must be, and checks that the recipe can train it.

    Args:
        name: A card's name, a folder, ``owner/name`` on the model hub, or ``scratch:…`` (:mod:`.scratch`).
        recipe: What it is for.

    Raises:
        UnknownModelError: There is no such model.
        ModelNotAvailableError: Its files cannot be reached.
        EmbeddingError: They cannot be used, or not for this recipe.
    """
    if name.startswith(PREFIX):
        Scratch.named(name)
        return Base(
            name=name,
            folder=None,
            revision=name,
            query_prefix=recipe.query_prefix or "",
            passage_prefix=recipe.passage_prefix or "",
        )
    if recipe.kind == "reranker":
        check_name(name)
        card = find_card(name)
        revision = card.revision if card else None
        known = card.name if card else name
        folder = folder_of(name) or bundled_path(known) or model_folder(known, revision, EmbedSettings())
        parts = check_folder(folder, code=False)
        if any(part.kind == "StaticEmbedding" for part in parts):
            raise EmbeddingError(
                f"{name}: a table of vectors, which cannot read two texts together; give an encoder, such as "
                f"{recipe.base}"
            )
        return Base(name=name, folder=folder, revision=local_revision(folder))
    identity = ModelIdentity(name, EmbedSettings(), None)
    if identity.export is not None:
        raise EmbeddingError(f"{name}: an exported model cannot be trained; give the one it was made from")
    folder = identity.folder or model_folder(identity.card.name, identity.revision, EmbedSettings())
    query, passage = identity.prefixes
    return Base(
        name=name,
        folder=folder,
        revision=local_revision(folder),
        query_prefix=query if recipe.query_prefix is None else recipe.query_prefix,
        passage_prefix=passage if recipe.passage_prefix is None else recipe.passage_prefix,
    )


def load_base(
    base: Base,
    recipe: Recipe[Any],
    *,
    texts: Callable[[], Iterable[str]],
    work: Path,
    max_length: int | None,
    seed: int,
) -> Any:
    """The model, ready to be trained, with the recipe's pooling and the base's prefixes stored in it.

    Args:
        base: From :func:`find_base`.
        recipe: Whose pooling it gets.
        texts: What the vocabulary of a base from scratch is made of.
        work: Where such a base is kept, so that an interrupted training goes on with the same.
        max_length: Tokens after which it cuts texts; never above its own limit.
        seed: Of the weights of a base from scratch, and of a new score of a cross-encoder.

    Returns:
        A ``SentenceTransformer``, or a ``CrossEncoder`` for a reranker; in float32.
    """
    folder = base.folder
    if folder is None:
        folder = work / "base"
        if not folder.is_dir():
            work.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=work) as beside:
                made = Path(beside, "base")
                made.mkdir()
                labels = _LABELS if recipe.kind == "reranker" else None
                # The prefixes' own words stand in no text.
                known = chain((base.query_prefix, base.passage_prefix), texts())
                make_encoder(Scratch.named(base.name), known, made, seed=seed, labels=labels)
                made.rename(folder)
    if recipe.kind == "reranker":
        return _cross_encoder(folder, max_length, seed)
    identity = ModelIdentity(str(folder), EmbedSettings(), find_card(base.name))
    parts = check_folder(folder, code=False)
    pooled = any(part.kind == "Transformer" for part in parts) and recipe.pooling is not None
    card = replace(identity.card, pooling=recipe.pooling) if pooled and recipe.pooling else identity.card
    model = load_model(folder, card, EmbedSettings())
    # Whatever card told of it, the model says itself from now on.
    model.prompts = {"query": base.query_prefix, "document": base.passage_prefix}
    model.default_prompt_name = None
    longest = model.max_seq_length
    if max_length is not None and isinstance(longest, int):
        model.max_seq_length = min(max_length, longest)
    return model


def _cross_encoder(folder: Path, max_length: int | None, seed: int) -> Any:
    import torch
    from sentence_transformers import CrossEncoder

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # of the layer that scores, where the base has none yet
        model = CrossEncoder(str(folder), num_labels=_LABELS, model_kwargs=weight_options(), local_files_only=True)
    longest = model.max_seq_length
    if max_length is not None:
        model.max_seq_length = min(max_length, longest) if isinstance(longest, int) else max_length
    return model
