"""``kure-rag models``."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kure_rag.cli import common
from kure_rag.errors import UnknownModelError

if TYPE_CHECKING:
    from kure_rag.embed.folders import FolderFacts
    from kure_rag.embed.model_card import Kind, ModelCard, Reference

_HEADINGS: Final[dict[Kind, str]] = {
    "dense": "dense: a vector for each text",
    "sparse": "sparse: weighted terms",
    "late-interaction": "late interaction: a vector for each token",
    "reranker": "rerankers: score a question with a passage",
}
_COLUMNS: Final = ("model", "dims", "tokens", "query prefix", "passage prefix", "pooling")
# What "search_query: " and "search_document: " need, so that a line has 100 columns; `models NAME` shows longer ones.
_QUERY_WIDTH: Final = 16
_PASSAGE_WIDTH: Final = 19


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "models",
        "list the models whose prefixes and pooling are known, or show how one is used",
        "  kure-rag models\n  kure-rag models KoE5\n  kure-rag models ./models/our-own-model",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a model's name or alias, or its folder")
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints a table, one card with the code that uses it, or what a folder says of its model."""
    from kure_rag.embed.cards import CARDS, DEFAULT_MODEL, check_name, find_card, folder_of

    if options.name is None:
        if options.json:
            common.print_json({"default": DEFAULT_MODEL, "models": [asdict(card) for card in CARDS.values()]})
        else:
            _table()
        return 0
    card, folder = find_card(options.name), folder_of(options.name)
    if card is None and folder is not None:
        _show_folder(options.name, folder, as_json=options.json)
        return 0
    if card is None:
        check_name(options.name)  # says which name may be meant
        raise UnknownModelError(
            f"no card for {options.name!r}. If it is on the model hub it works all the same, with the prompts and the "
            "pooling that it stores itself: `kure-rag doctor --model` shows them. `kure-rag models` lists the cards."
        )
    if folder is not None and card.kind == "dense":
        from kure_rag.embed import Embedder

        card = Embedder(options.name).card  # a copy without modules is pooled as they would
    if options.json:
        common.print_json(asdict(card))
    else:
        _show_card(card, options.name if folder is not None else card.name)
    return 0


def _table() -> None:
    from rich.table import Table

    from kure_rag.embed.cards import CARDS

    table = Table(box=None, pad_edge=False, collapse_padding=True)
    for column in _COLUMNS:
        table.add_column(column, no_wrap=True, justify="right" if column in ("dims", "tokens") else "left")
    for kind, heading in _HEADINGS.items():
        table.add_row()
        table.add_row(f"[bold]{heading}[/]")
        for card in CARDS.values():
            if card.kind == kind:
                table.add_row(*_row(card))
    common.console().print(table)
    print(
        "\ndims and tokens are empty where they are not known; tokens are what a text is cut at."
        "\n'stored' prefixes and pooling come with the weights. * needs trust_remote_code=True."
        "\nThe default is nlpai-lab/KURE-v1; static-ko comes with kure-rag and works offline."
        "\n`kure-rag models NAME` shows all that is known of one. Others work too, with the prompts they store."
    )


def _row(card: ModelCard) -> tuple[str, ...]:
    from rich.markup import escape

    return (
        card.name + ("*" if card.needs_remote_code else ""),
        str(card.dimension or ""),
        str(card.max_tokens or ""),
        escape(_short(card.query_prefix, _QUERY_WIDTH)),
        escape(_short(card.passage_prefix, _PASSAGE_WIDTH)),
        "" if card.kind == "reranker" else _pooling(card),
    )


def _pooling(card: ModelCard) -> str:
    return card.plain_pooling or card.pooling if card.pooling == "stored" else card.pooling


def _short(prefix: str | None, width: int) -> str:
    if prefix is None:
        return "stored"
    quoted = repr(prefix) if prefix else ""
    return quoted if len(quoted) <= width else quoted[: width - 1] + "…"


def _show_card(card: ModelCard, used_as: str) -> None:
    for name, value in _facts(card):
        print(f"{name + ':':16}{value}")
    for benchmark, metric, score in card.published:
        print(f"{'published:':16}{metric} {score:.4f}, {benchmark}")
    if card.reference is not None:
        print(f"{'reference:':16}{_similarities(card.reference)}")
    if unknown := ", ".join(_unknown(card)):
        print(f"{'not known:':16}{unknown}")
    print(f"\n{_snippet(card, used_as)}")
    if card.kind == "dense":
        print(f"# or: kure-rag ingest ./documents --index my-index --model {shlex.quote(used_as)}{_code_option(card)}")
        print(f"# to check it on this machine: kure-rag doctor --model {shlex.quote(used_as)}{_code_option(card)}")


def _facts(card: ModelCard) -> Iterator[tuple[str, str]]:
    from kure_rag.embed.cards import STATIC_KO

    yield "name", card.name
    yield "aliases", ", ".join(card.aliases)
    yield "kind", card.kind
    if card.revision:
        yield "revision", card.revision
    if card.kind != "reranker":
        for name, prefix in (("query_prefix", card.query_prefix), ("passage_prefix", card.passage_prefix)):
            yield name, "what the model stores" if prefix is None else repr(prefix) if prefix else "none"
        own = " (as its own modules do)" if card.pooling == "stored" and card.plain_pooling else ""
        yield "pooling", f"{_pooling(card)}{own}" if _pooling(card) != "stored" else "what its own modules say"
        yield "normalize", "yes" if card.normalize else "no"
    if card.tokenizer != "stored":
        yield "tokenizer", card.tokenizer
    if card.dimension:
        yield "dimension", f"{card.dimension:,}"
    if card.dimensions:
        yield "can be cut to", ", ".join(map(str, card.dimensions[1:])) + " (dimension=...)"
    if card.max_tokens:
        yield "max_tokens", f"{card.max_tokens:,}"
    if card.licence:
        yield "licence", card.licence
    if card.kind == "dense":
        measured = "" if card.name == STATIC_KO else ", a starting value that nobody measured"
        yield "dense_weight", f"{card.dense_weight:g} beside keyword scores{measured}"
    if card.needs_remote_code:
        yield "remote code", "brings code of its own: read it before you pass trust_remote_code=True"
    if card.note:
        yield "note", card.note


def _unknown(card: ModelCard) -> Iterator[str]:
    from kure_rag.embed.cards import STATIC_KO

    if card.revision is None and card.name != STATIC_KO:
        yield "revision (the newest is loaded)"
    if card.dimension is None and card.kind != "reranker":
        yield "dimension"
    if card.max_tokens is None and card.name != STATIC_KO:
        yield "max_tokens"
    if card.licence is None:
        yield "licence"
    if not card.published:
        yield "published scores"
    if card.reference is None and card.kind == "dense":
        yield "reference similarities"


def _code_option(card: ModelCard) -> str:
    return " --trust-remote-code" if card.needs_remote_code else ""


def _similarities(reference: Reference) -> str:
    values = ", ".join(f"{value:.4f}" for *_, value in reference.similarities)
    return f"similarities {values} of published sentences ({reference.source})"


def _snippet(card: ModelCard, used_as: str) -> str:
    from kure_rag.embed.cards import USED_BY

    used_by, quoted = USED_BY[card.kind], f'"{used_as}"'
    if card.kind == "dense":
        more = ", trust_remote_code=True" if card.needs_remote_code else ""
        return f"from kure_rag import {used_by}\nembeddings = {used_by}({quoted}{more})"
    variable = "reranker" if card.kind == "reranker" else "embedder"
    if card.needs_remote_code:
        return (
            f"from kure_rag.embed import {used_by}, EmbedSettings\n"
            f"{variable} = {used_by}({quoted}, EmbedSettings(trust_remote_code=True))"
        )
    return f"from kure_rag.embed import {used_by}\n{variable} = {used_by}({quoted})"


def _show_folder(name: str, folder: Path, *, as_json: bool) -> None:
    from kure_rag.embed.folders import read_folder

    facts = read_folder(folder)
    if as_json:
        common.print_json({"name": folder.resolve().name, "card": None, **asdict(facts)})
        return
    print(f"{name} has no card here: it is used as its files say.\n")
    for label, value in _folder_facts(facts):
        print(f"{label + ':':16}{value}")
    for what in facts.assumed:
        print(f"{'assumed:':16}{what}")
    print(
        f'\nfrom kure_rag import KureEmbeddings\nembeddings = KureEmbeddings("{name}")'
        '\n# If it is a copy of a known model, say which: card="KoE5". To differ: query_prefix=..., pooling=...'
    )


def _folder_facts(facts: FolderFacts) -> Iterator[tuple[str, str]]:
    yield "architecture", facts.architecture or "not stated"
    if facts.made_from:
        yield "made from", facts.made_from
    yield "modules", ", ".join(facts.modules) or "none stored"
    for name, prefix in (("query_prefix", facts.query_prefix), ("passage_prefix", facts.passage_prefix)):
        yield name, repr(prefix) if prefix else "none"
    yield "pooling", facts.pooling
    yield "dimension", f"{facts.dimension:,}" if facts.dimension else "not stated"
    yield "max_tokens", f"{facts.max_tokens:,}" if facts.max_tokens else "not stated"
