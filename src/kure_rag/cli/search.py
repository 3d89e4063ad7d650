"""``kure-rag search``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kure_rag.cli import common, embedding
from kure_rag.errors import FilterError

if TYPE_CHECKING:
    from kure_rag.types import Hit


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "search",
        "ask an index a question and see the passages that answer it",
        """\
  kure-rag search "연차휴가는 며칠인가요?" --index my-index
  kure-rag search "배당금" --index my-index -k 3 --mode lexical
  kure-rag search "투여량" --index my-index --where '{"domain": "medical", "page": {"$lte": 3}}' --json
  kure-rag search "배당금" --index my-index --device cpu --backend torch
  kure-rag search "배당금" --index my-index --model ./models/our-own-model""",
    )
    parser.add_argument("query", metavar="QUERY")
    common.add_index(parser)
    parser.add_argument("-k", type=int, default=10, metavar="N", help="passages to show (default: 10)")
    common.add_mode(parser)
    parser.add_argument("--where", metavar="JSON", help="only passages for which this filter holds")
    common.add_json(parser)
    embedding.add_embedding(parser, "the index's own", engine="the index's own")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Searches and prints."""
    from kure_rag.citation import hit_metadata

    common.log_to_stderr()
    where = parse_where(options.where)
    with embedding.open_index(options, options.index, create=False) as index:
        hits = index.search(options.query, k=options.k, mode=options.mode, where=where)
    if options.json:
        rows = [{**hit_metadata(hit), "text": hit.chunk.text} for hit in hits]
        common.print_json({"query": options.query, "mode": options.mode, "hits": rows})
    elif not hits:
        print("Nothing found. Try other words, --mode dense, or a wider --where.")
    else:
        print("\n\n".join(shown(hit) for hit in hits))
    return 0


def parse_where(text: str | None) -> Mapping[str, Any] | None:
    """The filter given on the command line.

    Raises:
        FilterError: It is no JSON object.
    """
    if text is None:
        return None
    try:
        where = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FilterError(f'--where is not JSON ({error}); write for example \'{{"domain": "legal"}}\'') from None
    if not isinstance(where, dict):
        raise FilterError('--where takes a JSON object, for example \'{"domain": "legal"}\'')
    return where


def shown(hit: Hit, longest: int = 300) -> str:
    """A hit as text: rank, score, legs, citation, and the passage, shortened."""
    text = " ".join(hit.chunk.text.split())
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    return f"[{hit.rank}] {hit.citation()}\n    score {hit.score:.3f} ({said_by(hit)})\n    {text}"


def said_by(hit: Hit) -> str:
    """Which leg found a hit, and at which rank."""
    parts = [
        f"{name} #{leg.rank} {leg.score:.2f}" if leg.rank is not None else f"{name} {leg.score:.2f}"
        for name, leg in hit.legs.items()
    ]
    return ", ".join(parts)
