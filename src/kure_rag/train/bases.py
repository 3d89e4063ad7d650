"""The model that training starts from: found and checked before anything long is begun, then loaded to be trained."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.embed.cards import ModelCard, check_name, find_card, folder_of
from kure_rag.embed.files import bundled_path, check_folder, local_revision
from kure_rag.embed.folder_use import FolderUse, folder_use, hub_use
from kure_rag.embed.hub import model_folder
from kure_rag.embed.identity import ModelIdentity
from kure_rag.embed.loading import load_model, weight_options
from kure_rag.embed.settings import EmbedSettings
from kure_rag.errors import ConfigError, EmbeddingError
from kure_rag.train.place import require_apart
from kure_rag.train.scratch import PREFIX, Scratch, make_encoder

if TYPE_CHECKING:
    from kure_rag.train.recipe import Recipe
    from kure_rag.train.settings import TrainSettings

_LICENCE: Final = re.compile(r"^license:[ \t]*['\"]?([\w.+-]+)", re.MULTILINE)  # of the hub's cards
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
        on_hub: Its name on the model hub; ``None`` for one of a folder, of the package, or from scratch.
        licence: As its card says; ``None`` where that is not known.
        assumed: What to say of how it is used that neither its files nor the recipe tell; ``None`` for nothing.
    """

    name: str
    folder: Path | None
    revision: str
    query_prefix: str = ""
    passage_prefix: str = ""
    on_hub: str | None = None
    licence: str | None = None
    assumed: str | None = None


def require_base_apart(name: str, out: Path, work: Path) -> None:
    """Raises for a base in whose place its own successor would come, or in whose folder.

    What it is, and so whether an interrupted training may go on, would change under the training.

    Args:
        name: As :func:`find_base` takes it.
        out: The model's folder, resolved.
        work: Of the unfinished training.

    Raises:
        ConfigError: Says what to do.
    """
    if name.startswith(PREFIX) or not name.strip():
        return
    try:
        place = Path(name).expanduser().resolve()
    except (OSError, RuntimeError, ValueError):  # no path could be so named
        return
    require_apart(out, work, [place], "--base")
    if place in out.parents and folder_of(name) is not None:
        raise ConfigError(f"--base {name}: {out} lies in its folder, which is to stay as it is; give another --out")


def find_base(name: str, recipe: Recipe[Any], settings: TrainSettings | None = None) -> Base:
    """Finds a base, downloaded first where it must be, and checks that the recipe can train it.

    Args:
        name: A card's name, a folder, ``owner/name`` on the model hub, or ``scratch:…`` (:mod:`.scratch`).
        recipe: What it is for.
        settings: Whose prefixes take the place of the recipe's and the base's.

    Raises:
        UnknownModelError: There is no such model.
        ModelNotAvailableError: Its files cannot be reached.
        EmbeddingError: They cannot be used, or not for this recipe.
        ConfigError: Prefixes for a recipe that puts none before texts.
    """
    query, passage = recipe.query_prefix, recipe.passage_prefix
    if settings is not None:
        none = recipe.kind == "reranker" or (query, passage) == ("", "")
        if none and (settings.query_prefix or settings.passage_prefix):
            raise ConfigError(
                f"recipe {recipe.name} reads texts as they are; leave out --query-prefix and --passage-prefix"
            )
        query = query if settings.query_prefix is None else settings.query_prefix
        passage = passage if settings.passage_prefix is None else settings.passage_prefix
    if name.startswith(PREFIX):
        Scratch.named(name)
        return Base(name=name, folder=None, revision=name, query_prefix=query or "", passage_prefix=passage or "")
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
        return Base(
            name=name,
            folder=folder,
            revision=local_revision(folder),
            on_hub=_on_hub(name),
            licence=_licence(name, folder),
        )
    # An empty prefix is told, too; the recipe's pooling is left to load_base.
    identity = ModelIdentity(name, EmbedSettings(query_prefix=query, passage_prefix=passage), None)
    if identity.export is not None:
        raise EmbeddingError(f"{name}: an exported model cannot be trained; give the one it was made from")
    folder = identity.folder or model_folder(identity.card.name, identity.revision, EmbedSettings())
    used = identity.prefixes
    return Base(
        name=name,
        folder=folder,
        revision=local_revision(folder),
        query_prefix=used[0],
        passage_prefix=used[1],
        on_hub=_on_hub(name),
        licence=_licence(name, folder),
        assumed=_assumed(name, folder, used, asked=(query, passage), pooling=recipe.pooling),
    )


def _on_hub(name: str) -> str | None:
    """What a name is called on the model hub; ``None`` for one that means a folder here or in the package."""
    if folder_of(name) is not None:
        return None
    card = find_card(name)
    known = card.name if card else name
    return known if bundled_path(known) is None and known.count("/") == 1 else None


def _licence(name: str, folder: Path) -> str | None:
    """The licence on a model's card: the package's, or the one that lies in its folder."""
    if (card := find_card(name)) is not None and card.licence is not None:
        return card.licence
    try:
        text = (folder / "README.md").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    front = text.split("---", 2)[1] if text.startswith("---") and text.count("---") > 1 else ""
    found = _LICENCE.search(front)
    return found[1] if found else None


def _assumed(
    name: str,
    folder: Path,
    used: tuple[str, str],
    *,
    asked: tuple[str | None, str | None],
    pooling: str | None,
) -> str | None:
    """What to say of prefixes and pooling that neither the recipe, nor the user, nor the files tell."""
    if find_card(name) is not None:
        return None
    unknown = ModelCard(name=name, query_prefix=None, passage_prefix=None)
    use: FolderUse = hub_use(folder, unknown) if folder_of(name) is None else folder_use(folder, unknown, known=False)
    put = f"{used[0]!r} is put before queries and {used[1]!r} before passages"
    if use.made_from is not None and None in asked:
        return (
            f"{name} has no modules.json, and was made from {use.made_from}, as its config.json says: {put}, as that "
            "model has it. If that is wrong, say so with --query-prefix and --passage-prefix"
        )
    if use.unprompted is not None and None in asked:
        card = find_card(use.unprompted)
        theirs = ("", "") if card is None else (card.query_prefix, card.passage_prefix)
        return (
            f"{name} stores no prompts: {put}; it was made from {use.unprompted}, as its config.json says, which has "
            f"{theirs[0]!r} and {theirs[1]!r}. If it needs them, say so with --query-prefix and --passage-prefix"
        )
    if use.guessed and pooling is None:
        return f"{name} stores no pooling; the first token's vector is taken, as of bge-m3 and the models made from it"
    return None


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
