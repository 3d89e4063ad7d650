"""``kure-rag export``."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path

from kure_rag.cli import common


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "export",
        "write an index as the files that AutoRAG evaluates",
        """\
  kure-rag export --format autorag --index my-index --out autorag-data
  kure-rag export --index my-index --out autorag-data --modified 2026-11-20

files in DIR:
  parsed.parquet   a row a page: texts, path, page, last_modified_datetime
  corpus.parquet   a row a passage: doc_id, contents, path, start_end_idx, metadata
  Passages from `kure-rag ingest --from-autorag` keep their doc_id and links; their pages, which the index does not
  hold, are put together from them.
  `kure-rag qa` makes the qa.parquet that belongs to them; the ids in it are the doc_id here.""",
    )
    common.add_index(parser)
    parser.add_argument("--format", choices=("autorag",), default="autorag", help="the layout (default: autorag)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write into")
    parser.add_argument(
        "--modified",
        type=_date,
        metavar="DATE",
        help="YYYY-MM-DD, for documents whose time of modification is not known (default: now)",
    )
    common.add_json(parser)
    parser.set_defaults(
        run=run, interrupted="interrupted; nothing was written, and files of an earlier export are as they were"
    )


def run(options: argparse.Namespace) -> int:
    """Exports and says what was written."""
    from kure_rag.autorag import export_index
    from kure_rag.pipeline import KureIndex

    common.log_to_stderr()
    with (
        common.mending() as steps,
        KureIndex.open(options.index, create=False, progress=steps) as index,
        common.progress("exporting") as advance,
    ):
        report = export_index(index, options.out, modified=options.modified, progress=advance)
    if options.json:
        common.print_json(report.to_dict())
        return 0
    print(f"{report.documents} documents, {report.pages} pages -> {report.parsed}")
    print(f"{report.passages} passages -> {report.corpus}")
    if report.replaced:
        print(
            f"{report.replaced} characters that AutoRAG would rewrite are written as look-alikes; ingest restores them"
        )
    if report.rebuilt:
        print(
            f"{report.rebuilt} pages are put together from imported passages, and start_end_idx counts within those; "
            "the doc_id of such passages is that of their corpus.parquet"
        )
    if report.renamed:
        print(
            f"{report.renamed} imported passages have a new doc_id, since another has the same one: a qa.parquet that "
            "names them no longer fits; import each corpus into an index of its own to keep them"
        )
    if report.undated:
        print(f"{report.undated} documents of unknown age are dated with the day of the export; see --modified")
    return 0


def _date(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date; write YYYY-MM-DD") from None
