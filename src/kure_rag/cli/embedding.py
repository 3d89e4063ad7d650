"""Which model embeds, and how it is run: the options that commands share."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.cli import common
from kure_rag.errors import ConfigError

if TYPE_CHECKING:
    from kure_rag.chunk import ChunkSettings
    from kure_rag.embed import Embedder
    from kure_rag.pipeline import KureIndex

# As embed/settings.py has them; importing that brings numpy, which help should not wait for.
BACKENDS: Final = ("torch", "onnx", "openvino", "remote")
PRECISIONS: Final = ("auto", "fp32", "bf16", "fp16", "int8")

POOLINGS: Final = ("cls", "mean", "max", "lasttoken", "weightedmean", "mean_sqrt_len_tokens")

_OPTIONS: Final = (
    "card",
    "revision",
    "query_prefix",
    "passage_prefix",
    "pooling",
    "backend",
    "precision",
    "device",
    "endpoint",
)
_OFF: Final = "off"


def add_embedding(parser: argparse.ArgumentParser, model: str, *, engine: str, cache: bool = True) -> None:
    """``--model`` and the options that say how it is run.

    Args:
        parser: The command's.
        model: What ``--model`` is by default, for its help.
        engine: What ``--backend`` and ``--precision`` are by default, likewise.
        cache: Whether ``--embed-cache`` is among them.
    """
    group = parser.add_argument_group("embedding", "The same as the keywords of KureEmbeddings.")
    common.add_model(group, model)
    group.add_argument("--card", metavar="NAME", help="the known model that --model is a copy of, or is used like")
    group.add_argument("--revision", metavar="COMMIT", help="of a model on the hub (the card's, or the newest)")
    group.add_argument("--query-prefix", metavar="TEXT", help="put before each query (the card's, or as stored)")
    group.add_argument("--passage-prefix", metavar="TEXT", help="put before each passage (likewise)")
    group.add_argument("--pooling", choices=POOLINGS, help="how a text's token vectors become one (likewise)")
    group.add_argument("--backend", choices=BACKENDS, help=f"what computes the vectors ({engine})")
    group.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="of the numbers it computes in; auto is the fastest that keeps the vectors within rounding (auto)",
    )
    group.add_argument("--device", metavar="D", help="cpu, cuda, cuda:0,cuda:1 or mps (the best there is)")
    group.add_argument(
        "--endpoint",
        metavar="URL",
        help="the server for --backend remote: TEI or OpenAI's protocol; its key is read from KURE_EMBEDDINGS_API_KEY",
    )
    if cache:
        group.add_argument(
            "--embed-cache",
            metavar="DIR",
            default=_OFF,
            help="keep vectors in this folder, and take those that are there: for texts that are embedded again, as in "
            "a new index of the same documents; 'off' for none (off)",
        )
    group.add_argument(
        "--trust-remote-code", action="store_true", help="run code that the model brings along; read it before"
    )


def chosen(options: argparse.Namespace) -> dict[str, Any]:
    """What was given of :func:`add_embedding`, by the names of ``KureEmbeddings``, the model aside."""
    given = {name: value for name in _OPTIONS if (value := getattr(options, name)) is not None}
    if getattr(options, "embed_cache", _OFF) != _OFF:
        given["cache"] = str(Path(options.embed_cache))
    if options.trust_remote_code:
        given["trust_remote_code"] = True
    return given


def open_index(
    options: argparse.Namespace,
    path: Path,
    *,
    chunks: ChunkSettings | None = None,
    user_dictionary: Path | None = None,
    synonyms: Path | None = None,
    config: Path | None = None,
    create: bool = True,
    progress: common.Steps | None = None,
) -> KureIndex:
    """The index with the model and engine that were asked for, or its own.

    Raises:
        ConfigError: Options that do not go together.
    """
    from kure_rag.pipeline import KureIndex

    if options.card is not None and options.model is None:
        raise ConfigError("--card says what --model is a copy of; give both")
    try:
        return KureIndex.open(
            path,
            embeddings=options.model,
            embed_settings=chosen(options),
            chunks=chunks,
            user_dictionary=user_dictionary,
            synonyms=synonyms,
            config=config,
            create=create,
            progress=progress,
        )
    except ValueError as error:  # such as --backend remote without --endpoint
        raise ConfigError(_as_options(str(error))) from error


def embedder(options: argparse.Namespace) -> Embedder:
    """The model alone, with the engine that was asked for.

    Raises:
        ConfigError: Options that do not go together.
    """
    from kure_rag.embed import Embedder, EmbedSettings

    given = chosen(options)
    card = given.pop("card", None)
    try:
        return Embedder(options.model, EmbedSettings(**given), card=card)
    except ValueError as error:
        raise ConfigError(_as_options(str(error))) from error


def default_model() -> str:
    """What ``KureIndex.open`` makes a new index with where no model is named."""
    from kure_rag.embed.cards import DEFAULT_MODEL

    return DEFAULT_MODEL


def fingerprint(embedder: Embedder) -> dict[str, Any]:
    """What a new index of ready passages would be made with, as ``KureIndex.info()`` says of one that is there."""
    from kure_rag.chunk import ChunkSettings
    from kure_rag.pipeline.parts import fingerprint_of
    from kure_rag.tokenize import KiwiTokenizer

    return fingerprint_of(embedder.fingerprint, ChunkSettings(), KiwiTokenizer())


def _as_options(message: str) -> str:
    """A complaint about settings, which speaks of keywords, in the words of the command line."""
    message = message.replace("endpoint='http://…'", "--endpoint http://…")
    return re.sub(r"\b(backend|precision)='(\w+)'", r"--\1 \2", message)


def is_asked(options: argparse.Namespace) -> bool:
    """Whether anything of :func:`add_embedding` was given, the model aside."""
    return bool(chosen(options))
