"""``kure-rag sync`` and ``delete``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from kure_rag.cli import common, embedding, rows
from kure_rag.cli.search import parse_where
from kure_rag.errors import ConfigError

FILE_TYPES: Final = ("pdf", "txt", "md")  # as read/file_types.py has them; importing that is for later


def add(commands: common.Commands) -> None:
    """Adds both commands."""
    _add_sync(commands)
    _add_delete(commands)


def _add_sync(commands: common.Commands) -> None:
    parser = common.command(
        commands,
        "sync",
        "make an index hold what a folder holds: add, update, and remove what left the folder",
        """\
  kure-rag sync ./documents --index my-index
  kure-rag sync ./documents --index my-index --dry-run
  kure-rag sync ./documents --index my-index --types pdf,md
  kure-rag sync ./documents --index my-index --user-dictionary 용어.txt
  kure-rag sync /mnt/share/규정 --index my-index --name 규정집     the same folder, wherever it is mounted

Documents of other folders stay. A changed file that cannot be read keeps its older version; while a part of the folder
cannot be listed, nothing is removed; an empty folder is refused without --allow-empty.""",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="searched to the bottom")
    common.add_index(parser)
    parser.add_argument(
        "--name", metavar="TEXT", help="what the folder is known by in place of its path, when that may change"
    )
    parser.add_argument(
        "--types", default="pdf", metavar="LIST", help=f"of {','.join(FILE_TYPES)}, with commas (default: pdf)"
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument(
        "--allow-empty", action="store_true", help="remove all documents of a folder that holds no files any more"
    )
    common.add_reading(parser)
    common.add_user_dictionary(parser)
    embedding.add_embedding(
        parser, "for a new index nlpai-lab/KURE-v1, then the index's own", engine="torch, then the index's own"
    )
    common.add_json(parser)
    parser.set_defaults(
        run=run_sync, interrupted="interrupted; what was done until then is in the index, and the same command goes on"
    )


def _add_delete(commands: common.Commands) -> None:
    parser = common.command(
        commands,
        "delete",
        "remove documents from an index, by file name, id or filter",
        """\
  kure-rag delete 취업규정.pdf --index my-index
  kure-rag delete --index my-index --where '{"domain": "medical"}' --dry-run
  kure-rag delete 3f9ac1… --index my-index            a whole id, as `kure-rag info --documents --json` shows it""",
    )
    parser.add_argument("documents", nargs="*", metavar="DOCUMENT", help="file names or document ids")
    common.add_index(parser)
    parser.add_argument("--where", metavar="JSON", help="documents with a passage for which this filter holds")
    parser.add_argument("--dry-run", action="store_true", help="only list what would be removed")
    common.add_json(parser)
    parser.set_defaults(run=run_delete)


def run_sync(options: argparse.Namespace) -> int:
    """Syncs; 1 when every file was rejected."""
    types = tuple(part.strip() for part in options.types.split(",") if part.strip())
    if not types or any(part not in FILE_TYPES for part in types):
        raise ConfigError(f"--types {options.types}: name some of {', '.join(FILE_TYPES)}, with commas between them")
    common.log_to_stderr()
    show = rows.printer(lambda row: not options.json and row.status != "unchanged")
    with (
        common.progress("reading") as advance,
        embedding.open_index(
            options,
            options.index,
            user_dictionary=options.user_dictionary,
            create=not options.dry_run,
            progress=common.steps(advance),
        ) as index,
    ):
        report = index.sync(
            options.folder,
            name=options.name,
            file_types=types,
            domain=common.chosen_domain(options),
            read=common.chosen_reading(options),
            workers=options.workers,
            allow_empty=options.allow_empty,
            dry_run=options.dry_run,
            progress=advance,
            on_row=show,
        )
    if options.json:
        common.print_json({"index": str(options.index), "dry_run": options.dry_run, **report.to_dict()})
    elif options.dry_run:
        for row in report.rows:
            show(row)
        counts = report.counts()
        print("would be: " + ", ".join(f"{count} {status}" for status, count in counts.items()))
    else:
        print(f"{rows.summary(report)} -> {options.index}")
    return 0 if report.ok or not report.rows else 1


def run_delete(options: argparse.Namespace) -> int:
    """Deletes; 1 when nothing of that kind is there."""
    from dataclasses import asdict

    from kure_rag.pipeline import KureIndex

    where = parse_where(options.where)
    if not options.documents and not where:
        raise ConfigError("say what to delete: file names, document ids, or --where")
    common.log_to_stderr()
    with common.mending() as steps, KureIndex.maintain(options.index, progress=steps) as index:
        found = {row.id: row for name in (options.documents or [None]) for row in index.find(name, where=where)}
        missing = [name for name in options.documents if not index.find(name)]
        if not options.dry_run:
            index.delete_all(list(found))
    done = "would be removed" if options.dry_run else "removed"
    if options.json:
        removed = [asdict(row) for row in found.values()]
        common.print_json(
            {"index": str(options.index), "dry_run": options.dry_run, "removed": removed, "missing": missing}
        )
    else:
        for row in found.values():
            print(f"{row.source}: {row.pages} pages, {row.chunks} chunks, {row.id[:12]}")
        for name in missing:
            print(f"not in the index: {name}")
        print(f"{len(found)} documents {done}")
    return 0 if found and not missing else 1
