"""``kure-rag verify``, ``rebuild`` and ``info``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from kure_rag.cli import common
from kure_rag.errors import ConfigError


def add(commands: common.Commands) -> None:
    """Adds the three commands."""
    verify = common.command(
        commands, "verify", "compare an index's catalog with its three views", "  kure-rag verify --index my-index"
    )
    rebuild = common.command(
        commands,
        "rebuild",
        "make an index's views anew from its catalog, without embedding again",
        """\
  kure-rag rebuild --index my-index
  kure-rag rebuild --index my-index --view dense
  kure-rag rebuild --terms --index my-index            after an update of kure-rag or of Kiwi
  kure-rag rebuild --terms --user-dictionary 용어.txt --index my-index""",
    )
    what = rebuild.add_mutually_exclusive_group()
    what.add_argument("--view", choices=("lexical", "dense", "matrix"), help="only this one")
    what.add_argument(
        "--terms",
        action="store_true",
        help="analyse all texts again, for another version of the analyser or another user dictionary; an index of an "
        "older version can be searched again afterwards, and no longer by that version",
    )
    rebuild.add_argument(
        "--user-dictionary",
        type=Path,
        metavar="FILE",
        help="with --terms: terms for the analyser to keep whole, in place of the index's own",
    )
    info = common.command(
        commands,
        "info",
        "show what an index holds and what it was made with",
        "  kure-rag info --index my-index\n  kure-rag info --index my-index --documents",
    )
    info.add_argument("--documents", action="store_true", help="list the documents too")
    for parser, run in ((verify, run_verify), (rebuild, run_rebuild), (info, run_info)):
        common.add_index(parser)
        common.add_json(parser)
        parser.set_defaults(run=run)


def run_verify(options: argparse.Namespace) -> int:
    """Verifies; 1 when something is wrong."""
    from kure_rag.pipeline import KureIndex

    common.log_to_stderr()
    with common.mending() as steps, KureIndex.maintain(options.index, progress=steps) as index:
        found = index.verify()
    if options.json:
        common.print_json(
            {"ok": found.ok, "documents": found.documents, "chunks": found.chunks, "problems": found.problems}
        )
    else:
        for problem in found.problems:
            print(problem)
        clean = "clean" if found.ok else f"{len(found.problems)} problems; {_advice(options.index, found.problems)}"
        print(f"{options.index}: {found.documents} documents, {found.chunks} chunks, {clean}")
    return 0 if found.ok else 1


def _advice(index: Path, problems: Sequence[str]) -> str:
    """What mends an index: views are made anew from the catalog, and the catalog from a backup or the files."""
    if any(problem.startswith("catalog: ") for problem in problems):
        return (
            "the catalog is damaged, which a rebuild cannot mend: restore a backup with "
            "`kure-rag restore FILE --index NEW_DIR`, or ingest the files into a new folder"
        )
    return f"try `kure-rag rebuild --index {index}`"


def run_rebuild(options: argparse.Namespace) -> int:
    """Rebuilds one view or all."""
    from kure_rag.pipeline import KureIndex

    if options.user_dictionary is not None and not options.terms:
        raise ConfigError("--user-dictionary goes with --terms: the terms are made anew with it")
    common.log_to_stderr()
    if options.terms:
        return _make_terms_anew(options)
    with (
        common.progress("rebuilding") as advance,
        KureIndex.maintain(options.index, progress=common.steps(advance)) as index,
    ):
        index.rebuild(options.view, progress=common.steps(advance))
    views = [options.view] if options.view else ["lexical", "dense", "matrix"]
    if options.json:
        common.print_json({"index": str(options.index), "rebuilt": views})
    else:
        print(f"{options.index}: rebuilt {', '.join(views)}")
    return 0


def _make_terms_anew(options: argparse.Namespace) -> int:
    from kure_rag.pipeline import KureIndex

    with common.progress("analysing") as advance:
        changed = KureIndex.reanalyse(
            options.index,
            user_dictionary=options.user_dictionary,
            progress=common.steps(advance),
        )
    with KureIndex.maintain(options.index) as index:
        info = index.info()
    if options.json:
        rebuilt = ["terms", "lexical"] if changed and info["chunks"] else []
        common.print_json({"index": str(options.index), "rebuilt": rebuilt})
    elif info["chunks"]:
        print(f"{options.index}: " + ("made all terms anew" if changed else "has these terms already"))
    else:
        print(
            f"{options.index}: holds no documents, so there was nothing to analyse; its user dictionary for the first "
            f"ones has {info['user_words']} words"
        )
    return 0


def run_info(options: argparse.Namespace) -> int:
    """Prints numbers and settings."""
    from dataclasses import asdict

    from kure_rag.pipeline import KureIndex

    with common.mending() as steps, KureIndex.maintain(options.index, progress=steps) as index:
        info = index.info()
        documents = index.documents() if options.documents or options.json else []
    if options.json:
        common.print_json({**info, "documents_list": [asdict(row) for row in documents]})
        return 0
    for key, value in info.items():
        if isinstance(value, dict):
            print(f"{key}:")
            for name, detail in value.items():
                print(f"  {name}: {detail:,}" if key == "bytes" else f"  {name}: {detail}")
        else:
            print(f"{key}: {value}")
    for row in documents:
        print(f"  {row.source}: {row.pages} pages, {row.chunks} chunks, {row.domain}, {row.id[:12]}")
    return 0
