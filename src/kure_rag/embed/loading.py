"""Getting a model into memory: safetensors only, from one commit or folder, pooled as it was trained."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.embed.files import (
    KOBERT_TOKENIZER,
    MODULES,
    PROMPTS,
    Part,
    bundled_path,
    check_folder,
    local_revision,
    prompts_in,
    read_json,
)
from kure_rag.embed.folder_use import assumed_pooling
from kure_rag.embed.hub import commit_of, file_of, first_line, model_folder, no_telemetry
from kure_rag.embed.kinds import require_kind
from kure_rag.embed.machine import check_device
from kure_rag.embed.model_card import ModelCard
from kure_rag.embed.settings import EmbedSettings
from kure_rag.errors import EmbeddingError, KureError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = [
    "bundled_path",
    "check_device",
    "checked_folder",
    "commit_of",
    "load_model",
    "local_revision",
    "require_all_weights",
    "stored_prompts",
    "weight_options",
]

_log = logging.getLogger(__name__)

# Not used by any pooling, and left out of checkpoints that were trained without it.
_MAY_BE_MISSING: Final = ("pooler.",)


def stored_prompts(where: Path | str, revision: str | None, settings: EmbedSettings) -> tuple[str, str]:
    """The prompts a model stores for queries and passages, each empty where it stores none.

    Args:
        where: A folder, or a name on the hub.
        revision: Commit, branch or tag of a name; ``None`` for the newest.
        settings: Where the cache is, and whether the network may be used.

    Raises:
        ModelNotAvailableError: It cannot be known, as the hub and the cache are silent.
        EmbeddingError: The file that holds them is broken.
    """
    path = file_of(where, PROMPTS, revision, settings) if isinstance(where, str) else where / PROMPTS
    return ("", "") if path is None else prompts_in(path)


def checked_folder(folder: Path | None, card: ModelCard, settings: EmbedSettings) -> tuple[Path, tuple[Part, ...]]:
    """Where a model's files are, downloaded first if they must be, and its modules, all of which can be loaded safely.

    Args:
        folder: A local copy, or ``None`` for the name on the card.
        card: Its name and revision count.
        settings: Cache, network and whether the model's own code may run.

    Raises:
        ModelNotAvailableError: The files cannot be reached.
        EmbeddingError: Something is missing, pickled, or needs ``trust_remote_code=True``; or it is a sparse or
            late-interaction model or a reranker, whatever its card says.
    """
    no_telemetry()
    if folder is None:
        folder = model_folder(card.name, card.revision, settings)
    parts = check_folder(folder, code=settings.trust_remote_code)
    require_kind(folder, "dense")
    return folder, parts


def load_model(folder: Path | None, card: ModelCard, settings: EmbedSettings) -> SentenceTransformer:
    """Loads the model of a card, from a folder or from the model hub.

    Weights are in float32, whatever they are stored in; the engine makes them shorter where that is wanted.

    Args:
        folder: A local copy, or ``None`` for the name on the card.
        card: How the model is used.
        settings: See :class:`~kure_rag.embed.settings.EmbedSettings`.

    Raises:
        ModelNotAvailableError: The weights cannot be reached.
        EmbeddingError: They are there and cannot be used.
        MissingExtraError: The model's tokenizer needs a package that is not installed.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    check_device(settings.device)
    where, parts = checked_folder(folder, card, settings)
    try:
        model = _loaded(where, parts, card, settings)
    except KureError:
        raise
    except Exception as error:  # tokenizers and safetensors raise it bare for broken files
        raise EmbeddingError(f"{where}: the model could not be loaded ({_reason(error)})") from error
    require_all_weights(where, model)
    _cap_length(model, card)
    return model.eval()


def _reason(error: Exception) -> str:
    if "trust_remote_code" in str(error):
        return "it needs code that it brings along; read it, and if you trust it, pass trust_remote_code=True"
    return first_line(error)


def _loaded(where: Path, parts: Sequence[Part], card: ModelCard, settings: EmbedSettings) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    own_tokenizer = _needs_kobert(where / parts[0].path, card)
    if (where / MODULES).is_file() and not own_tokenizer:
        model = SentenceTransformer(
            str(where),
            device=settings.device,
            model_kwargs=weight_options(),
            trust_remote_code=settings.trust_remote_code,
            # Code of one model may lie beside another one on the hub.
            local_files_only=settings.local_files_only or not settings.trust_remote_code,
        )
        return _repooled(where, model, card)
    first = _kobert(where, parts[0]) if own_tokenizer else _transformer(where, settings)
    modules = [first, *(_module(where, part) for part in parts[1:])]
    if len(modules) == 1:
        modules.append(_pooling(where, first, card))
    return _repooled(where, SentenceTransformer(modules=modules, device=settings.device), card)


def weight_options() -> dict[str, Any]:
    """How weights are read: safetensors only, in float32 whatever they are stored in."""
    import torch

    return {"use_safetensors": True, "dtype": torch.float32}


def _transformer(where: Path, settings: EmbedSettings) -> Any:
    from sentence_transformers.sentence_transformer.modules import Transformer

    common = {
        "trust_remote_code": settings.trust_remote_code,
        "local_files_only": settings.local_files_only or not settings.trust_remote_code,
    }
    return Transformer(
        str(where),
        model_kwargs={**common, **weight_options()},
        processor_kwargs=dict(common),
        config_kwargs=dict(common),
    )


def _needs_kobert(folder: Path, card: ModelCard) -> bool:
    return card.tokenizer == "kobert" or (
        (folder / KOBERT_TOKENIZER).is_file() and not (folder / "tokenizer.json").is_file()
    )


def _kobert(where: Path, part: Part) -> Any:
    from kure_rag.embed.kobert import kobert_module

    here = where / part.path
    settings = here / "sentence_bert_config.json"
    stored = read_json(settings) if settings.is_file() else {}
    return kobert_module(here, weight_options(), max_tokens=stored.get("max_seq_length"))


def _module(where: Path, part: Part) -> Any:
    """A module of the library; :func:`~kure_rag.embed.files.check_folder` lets no other in without consent."""
    package, _, name = part.type.rpartition(".")
    if package == "sentence_transformers.models":  # its name before version 5
        package = "sentence_transformers.sentence_transformer.modules"
    return getattr(importlib.import_module(package), name).load(str(where), subfolder=part.path, local_files_only=True)


def _pooling(where: Path, transformer: Any, card: ModelCard) -> Any:
    """The pooling of a plain checkpoint: its card's, or the usual one for its architecture, and that is said."""
    from sentence_transformers.sentence_transformer.modules import Pooling

    mode: str = card.pooling
    if mode == "stored":
        mode = assumed_pooling(transformer.config.to_dict())
        bare = not (card.query_prefix or card.passage_prefix or any(prompts_in(where / PROMPTS)))
        _log.warning(
            "%s stores no pooling; %s pooling is assumed%s. If it was trained with another, say so: pooling='cls' for "
            "the first token, or card=... for a known model that is used alike",
            where if card.name in ("", str(where)) else card.name,
            mode,
            ", and nothing is put before queries and passages" if bare else "",
        )
    return Pooling(transformer.get_embedding_dimension(), pooling_mode=mode)


def _repooled(where: Path, model: SentenceTransformer, card: ModelCard) -> SentenceTransformer:
    """A model with stored modules, with the pooling that the card or the settings name in place of the stored one."""
    from sentence_transformers.sentence_transformer.modules import Pooling

    poolings = [i for i, module in enumerate(model) if isinstance(module, Pooling)]
    for i in poolings:
        _require_whole_texts(where, model[i], card)
    if card.pooling == "stored":
        return model
    if len(poolings) != 1:
        raise EmbeddingError(f"{where}: has no pooling that could be {card.pooling!r}; leave pooling out")
    stored = model[poolings[0]]
    if stored.pooling_mode != card.pooling:
        replaced = Pooling(stored.embedding_dimension, pooling_mode=card.pooling)
        if replaced.pooling_output_dimension != stored.pooling_output_dimension:
            raise EmbeddingError(
                f"{where}: was trained with {stored.pooling_mode} pooling, which makes longer vectors than "
                f"{card.pooling!r}; leave pooling out"
            )
        model[poolings[0]] = replaced
    return model


def _require_whole_texts(where: Path, pooling: Any, card: ModelCard) -> None:
    prefixes = (card.query_prefix, card.passage_prefix)
    if not pooling.include_prompt and (any(prefixes) or (None in prefixes and any(prompts_in(where / PROMPTS)))):
        raise EmbeddingError(
            f"{where}: its pooling leaves the prompt's tokens out, which is not supported; "
            "set query_prefix='' and passage_prefix='' to use it without prompts"
        )


def require_all_weights(where: Path, model: Any) -> None:
    """Raises where a checkpoint lacks weights: transformers makes up random ones and only logs it.

    Args:
        where: For the message.
        model: Of sentence-transformers, of any kind.

    Raises:
        EmbeddingError: Says how many are missing.
    """
    for module in (model, *model.children()):
        inner = getattr(module, "model", None)
        if inner is None or not hasattr(inner, "named_parameters"):
            continue
        # Transformers marks what came out of the file; where it marks nothing, nothing is known.
        marks = {name: getattr(weight, "_is_hf_initialized", False) for name, weight in inner.named_parameters()}
        missing = [n for n, mark in marks.items() if not mark and not any(part in n for part in _MAY_BE_MISSING)]
        if any(marks.values()) and missing:
            raise EmbeddingError(
                f"{where}: the weights lack {len(missing)} of {len(marks)} tensors ({missing[0]}, for one), which "
                "would be random; copy or download the model again"
            )


def _cap_length(model: SentenceTransformer, card: ModelCard) -> None:
    longest = model.max_seq_length  # infinite, and not to be set, for static vectors
    if not isinstance(longest, int):
        return
    most = min((limit for limit in (card.max_tokens, *_positions(model)) if limit is not None), default=longest)
    if most < longest:
        model.max_seq_length = most


def _positions(model: SentenceTransformer) -> Iterator[int]:
    """How many tokens a model has places for: RoBERTa's 514 positions, say, begin at 2 and are good for 512."""
    inner = getattr(model[0], "model", None)
    for module in inner.modules() if inner is not None else ():
        offset, table = getattr(module, "padding_idx", None), getattr(module, "position_embeddings", None)
        if isinstance(offset, int) and table is not None and hasattr(table, "num_embeddings"):
            yield table.num_embeddings - offset - 1
