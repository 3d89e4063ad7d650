"""``kure-rag models``."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from kure_rag.cli import common
from kure_rag.errors import UnknownModelError


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "models",
        "list the embedding models whose prefixes and pooling are known, or show one",
        "  kure-rag models\n  kure-rag models KoE5",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a model's name or alias")
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints a table, or one card with the code that uses it."""
    from kure_rag.embed import CARDS, find_card
    from kure_rag.embed.cards import DEFAULT_MODEL

    if options.name is None:
        if options.json:
            common.print_json({"default": DEFAULT_MODEL, "models": [asdict(card) for card in CARDS.values()]})
        else:
            _table()
        return 0
    card = find_card(options.name)
    if card is None:
        raise UnknownModelError(
            f"no card for {options.name!r}; a model without one works too, with the prompts it stores itself. "
            "`kure-rag models` lists the cards."
        )
    if options.json:
        common.print_json(asdict(card))
    else:
        for key, value in asdict(card).items():
            print(f"{key + ':':16}{value!r}" if "prefix" in key else f"{key + ':':16}{value}")
        print(f'\nfrom kure_rag import KureEmbeddings\nembeddings = KureEmbeddings("{card.name}")')
    return 0


def _table() -> None:
    from rich.table import Table

    from kure_rag.embed import CARDS

    table = Table(box=None, pad_edge=False)
    for column in (
        "model",
        "dims",
        "max tokens",
        "query prefix",
        "passage prefix",
        "pooling",
        "licence",
        "dense weight",
    ):
        table.add_column(column, no_wrap=True)
    for card in CARDS.values():
        table.add_row(
            card.name,
            str(card.dimension or ""),
            str(card.max_tokens or ""),
            repr(card.query_prefix) if card.query_prefix else "",
            repr(card.passage_prefix) if card.passage_prefix else "",
            card.pooling,
            card.licence or "",
            str(card.dense_weight),
        )
    common.console().print(table)
    print("\nThe default is nlpai-lab/KURE-v1; static-ko comes with kure-rag and works offline.")
