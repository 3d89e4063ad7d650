"""``kure-rag backup``, ``restore`` and ``compact``."""

from __future__ import annotations

import argparse
from pathlib import Path

from kure_rag.cli import common


def add(commands: common.Commands) -> None:
    """Adds the three commands."""
    backup = common.command(
        commands,
        "backup",
        "copy an index into one file, also while it is searched or written to",
        "  kure-rag backup my-index.kure --index my-index",
    )
    backup.add_argument("file", type=Path, metavar="FILE", help="where to; must not exist")
    backup.add_argument("--overwrite", action="store_true", help="replace the file that is there")
    restore = common.command(
        commands,
        "restore",
        "make an index from a backup; nothing is read, analysed or embedded again",
        "  kure-rag restore my-index.kure --index my-index",
    )
    restore.add_argument("file", type=Path, metavar="FILE", help="made by `kure-rag backup`")
    restore.add_argument(
        "--terms", action="store_true", help="analyse its texts again, for a backup of another version of the analyser"
    )
    compact = common.command(
        commands,
        "compact",
        "give back the space of what was removed, and merge what many small additions left",
        "  kure-rag compact --index my-index",
    )
    for parser, run in ((backup, run_backup), (restore, run_restore), (compact, run_compact)):
        common.add_index(parser)
        common.add_json(parser)
        parser.set_defaults(run=run)


def run_backup(options: argparse.Namespace) -> int:
    """Copies an index into one file."""
    from kure_rag.pipeline import KureIndex

    common.log_to_stderr()
    with common.mending() as steps, KureIndex.maintain(options.index, progress=steps) as index:
        index.backup(options.file, overwrite=options.overwrite)
        documents, chunks = (index.info()[key] for key in ("documents", "chunks"))
    size = options.file.stat().st_size
    if options.json:
        common.print_json({"file": str(options.file), "documents": documents, "chunks": chunks, "bytes": size})
    else:
        print(f"{options.file}: {documents} documents, {chunks} chunks, {size:,} bytes")
    return 0


def run_restore(options: argparse.Namespace) -> int:
    """Makes an index from a backup."""
    from kure_rag.pipeline import KureIndex

    common.log_to_stderr()
    with common.progress("restoring") as advance:
        index = KureIndex.restore(
            options.file,
            options.index,
            progress=common.steps(advance),
            reanalyse=options.terms,
        )
    with index:
        documents, chunks = (index.info()[key] for key in ("documents", "chunks"))
    if options.json:
        common.print_json({"index": str(options.index), "documents": documents, "chunks": chunks})
    else:
        print(f"{options.index}: {documents} documents, {chunks} chunks")
    return 0


def run_compact(options: argparse.Namespace) -> int:
    """Gives back space."""
    from kure_rag.pipeline import KureIndex

    common.log_to_stderr()
    with (
        common.progress("compacting") as advance,
        KureIndex.maintain(options.index, progress=common.steps(advance)) as index,
    ):
        before = sum(index.info()["bytes"].values())
        index.compact(progress=common.steps(advance))
        after = sum(index.info()["bytes"].values())
    if options.json:
        common.print_json({"index": str(options.index), "bytes_before": before, "bytes_after": after})
    else:
        print(f"{options.index}: {before:,} -> {after:,} bytes")
    return 0
