"""``kure-rag models``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kure_rag.cli import common, model_snippets, model_table
from kure_rag.errors import UnknownModelError

if TYPE_CHECKING:
    from kure_rag.embed.folders import FolderFacts
    from kure_rag.embed.model_card import ModelCard, Reference


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
            common.print_json({"default": DEFAULT_MODEL, "models": [_as_json(card) for card in CARDS.values()]})
        else:
            _show_table()
        return 0
    card, folder = find_card(options.name), folder_of(options.name)
    if card is None and folder is not None:
        _show_folder(options.name, folder, as_json=options.json)
        return 0
    if card is None:
        check_name(options.name)  # says which name may be meant
        raise UnknownModelError(
            f"no card for {options.name!r}. If it is on the model hub it works all the same, with the prompts and the "
            "pooling that it stores itself: `kure-rag doctor --model` shows both. `kure-rag models` lists the cards."
        )
    if folder is not None and card.kind == "dense":
        from kure_rag.embed import Embedder

        card = Embedder(options.name).card  # a copy without modules is pooled as they would
    settings = model_snippets.needed(folder, remote_code=card.needs_remote_code)
    used_as = options.name if folder is not None else card.name
    code = model_snippets.snippet(used_as, card.kind, settings)
    if options.json:
        common.print_json({**_as_json(card), "snippet": code})
        return 0
    _show_card(card)
    print(f"\n{code}")
    print(model_snippets.commands(used_as, card.kind, settings))
    return 0


def _show_table() -> None:
    console = common.console()
    console.print(model_table.model_table(console.width))
    print(f"\n{model_table.legend(console.width)}")


def _as_json(card: ModelCard) -> dict[str, Any]:
    from kure_rag.embed.cards import USED_BY

    return {**asdict(card), "used_by": USED_BY[card.kind]}


def _show_card(card: ModelCard) -> None:
    for name, value in _facts(card):
        print(f"{name + ':':16}{value}")
    for benchmark, metric, score in card.published:
        print(f"{'published:':16}{metric} {score:.4f}, {benchmark}")
    if card.reference is not None:
        print(f"{'reference:':16}{_similarities(card.reference)}")
    if unknown := ", ".join(_unknown(card)):
        print(f"{'not known:':16}{unknown}")


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
        pooling = model_table.pooling_of(card)
        own = " (as its own modules do)" if card.pooling == "stored" and card.plain_pooling else ""
        yield "pooling", f"{pooling}{own}" if pooling != "stored" else "what its own modules say"
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
        measured = "" if card.name == STATIC_KO else " (for models of its kind; not measured with it)"
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


def _similarities(reference: Reference) -> str:
    values = ", ".join(f"{value:.4f}" for *_, value in reference.similarities)
    return f"similarities {values} of published sentences ({reference.source})"


def _show_folder(name: str, folder: Path, *, as_json: bool) -> None:
    from kure_rag.embed.cards import USED_BY
    from kure_rag.embed.folders import read_folder
    from kure_rag.embed.kinds import kind_of

    facts, kind = read_folder(folder), kind_of(folder)
    settings = model_snippets.needed(folder)
    code = model_snippets.snippet(name, kind, settings)
    if as_json:
        told = {"name": folder.resolve().name, "card": None, "kind": kind, **asdict(facts)}
        common.print_json({**told, "used_by": USED_BY[kind], "snippet": code})
        return
    print(f"{name} has no card here: it is used as its files say.\n")
    print(f"{'kind:':16}{kind}")
    for label, value in _folder_facts(facts):
        print(f"{label + ':':16}{value}")
    for what in facts.assumed:
        print(f"{'assumed:':16}{what}")
    print(f"\n{code}")
    print(model_snippets.commands(name, kind, settings))
    if kind == "dense":
        print('# If it is a copy of a known model, say which: card="KoE5". To differ: query_prefix=..., pooling=...')


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
