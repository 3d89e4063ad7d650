"""``kure-rag search``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from kure_rag.cli import common, embedding
from kure_rag.cli.hits import json_row, print_hits, shown
from kure_rag.errors import FilterError

if TYPE_CHECKING:
    from kure_rag.search import SearchKeywords

__all__ = ["add", "parse_where", "run", "shown"]

# As search/options.py has them; importing that brings numpy, which help should not wait for.
LEXICAL: Final = ("tantivy", "rank-bm25")
DENSE: Final = ("auto", "chroma", "exact", "quantized")


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
  kure-rag search "중도해지 수수료" --index my-index --highlight --expand section
  kure-rag search "환불 기한" --index my-index --threshold 0.3 --fold
  kure-rag search "연차 이월" --index my-index --rerank dragonkue/bge-reranker-v2-m3-ko -k 3
  kure-rag search "휴가" --index my-index --group --mmr 0.7
  kure-rag search "실비보험" --index my-index --synonyms 동의어.txt
  kure-rag search "배당금" --index my-index --dense exact --device cpu --backend torch
  kure-rag search "배당금" --index my-index --model ./models/our-own-model
  kure-rag search "연차 이월" --index my-index --config kure-rag.yaml

a file for --synonyms: one group a line, with commas or tabs between its words; # begins a comment
  연차휴가, 연차유급휴가, 연가
  실손보험, 실손의료보험, 실비보험""",
    )
    parser.add_argument("query", metavar="QUERY")
    common.add_index(parser)
    parser.add_argument("-k", type=int, metavar="N", help="passages to show (default: 10)")
    common.add_mode(parser)
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="how to search where no option says it: what `kure-rag tune` wrote",
    )
    parser.add_argument("--where", metavar="JSON", help="only passages for which this filter holds")
    _add_ranking(parser)
    _add_showing(parser)
    common.add_json(parser)
    embedding.add_embedding(parser, "the index's own", engine="the index's own")
    parser.set_defaults(run=run, mode=None)


def _add_ranking(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("ranking")
    group.add_argument("--lexical", choices=LEXICAL, help="the keyword engine; rank-bm25 in memory (tantivy)")
    group.add_argument(
        "--dense",
        choices=DENSE,
        help="what finds vectors: Chroma's graph, all of them, or their one-bit codes "
        "(auto: all of them in a small index, their codes in a large one)",
    )
    group.add_argument("--synonyms", type=Path, metavar="FILE", help="what else words of the question may mean")
    group.add_argument("--rerank", metavar="MODEL", help="a cross-encoder that reads the first passages again")
    group.add_argument(
        "--threshold", type=float, metavar="X", help="only passages of at least this relevance, from 0 to 1"
    )
    group.add_argument("--mmr", type=float, metavar="X", help="less of the same: 1 by relevance alone, 0 by difference")


def _add_showing(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("showing")
    group.add_argument("--group", action="store_true", help="keep passages of a document together, three at most")
    group.add_argument("--fold", action="store_true", help="show passages that say the same once, with all citations")
    group.add_argument(
        "--expand",
        type=_reach,
        metavar="N|section",
        help="show so many passages on each side too, or the section of the same headings",
    )
    group.add_argument("--highlight", action="store_true", help="show words of the question in bold, on a terminal")


def _reach(text: str) -> int | Literal["section"]:
    if text == "section":
        return "section"
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of passages nor the word section") from None


def run(options: argparse.Namespace) -> int:
    """Searches and prints."""
    common.log_to_stderr()
    given = _keywords(options)
    with (
        common.mending() as steps,
        embedding.open_index(
            options,
            options.index,
            synonyms=options.synonyms,
            config=options.config,
            create=False,
            progress=steps,
        ) as index,
    ):
        mode = options.mode or index.search_options.mode
        hits = index.search(options.query, **given)
    if options.json:
        common.print_json({"query": options.query, "mode": mode, "hits": [json_row(hit) for hit in hits]})
    elif not hits:
        print(f"Nothing found. Try other words, --mode dense, {_wider(options)}.")
    else:
        print_hits(hits, by_document=options.group)
    return 0


def _keywords(options: argparse.Namespace) -> SearchKeywords:
    given: SearchKeywords = {
        "where": parse_where(options.where),
        "relevance": options.threshold is not None,
        "score_threshold": options.threshold,
        "mmr": options.mmr,
        "group_by": "document" if options.group else None,
        "fold": options.fold,
        "expand": options.expand,
        "highlight": options.highlight,
    }
    # What is not given is as --config says, or by the defaults.
    if options.k is not None:
        given["k"] = options.k
    if options.mode is not None:
        given["mode"] = options.mode
    if options.lexical is not None:
        given["lexical"] = options.lexical
    if options.dense is not None:
        given["dense"] = options.dense
    if options.rerank is not None:
        given["rerank"] = options.rerank
    return given


def _wider(options: argparse.Namespace) -> str:
    return "or a wider --where" if options.threshold is None else "a wider --where, or a lower --threshold"


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
