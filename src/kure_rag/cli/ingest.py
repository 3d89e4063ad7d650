"""``kure-rag ingest``."""

from __future__ import annotations

import argparse
from pathlib import Path

from kure_rag.cli import common
from kure_rag.errors import ReadError


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "ingest",
        "add PDF files, folders of them, or a corpus of passages to an index",
        """\
  kure-rag ingest ./documents --index my-index
  kure-rag ingest 약관.pdf 규정.pdf --index my-index --model static-ko --domain legal
  kure-rag ingest --corpus corpus.jsonl.gz --index my-index""",
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="PDF files and folders")
    parser.add_argument(
        "--corpus", type=Path, metavar="FILE", help="BEIR-style JSON lines (_id, title, text) instead, also .gz"
    )
    common.add_index(parser)
    common.add_model(parser, "for a new index nlpai-lab/KURE-v1, then the index's own")
    common.add_reading(parser)
    common.add_json(parser)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Ingests; 1 when every file was rejected."""
    from kure_rag.ingest import IngestReport, IngestRow
    from kure_rag.pipeline import KureIndex

    if bool(options.paths) == bool(options.corpus):
        options.parser.error("give files or folders, or --corpus FILE, and not both")
    common.log_to_stderr()
    show = not options.json
    closed = False

    def row_line(row: IngestRow) -> None:
        nonlocal closed
        if show and not closed and (options.paths or row.status == "rejected"):
            try:
                print(_line(row), flush=True)
            except BrokenPipeError:  # `| head` has seen enough; the files after it are still ingested
                closed = True

    with KureIndex.open(options.index, embeddings=options.model) as index, common.progress("reading") as advance:
        if options.corpus:
            report: IngestReport = index.add_corpus(
                options.corpus, workers=options.workers, progress=advance, on_row=row_line
            )
        else:
            report = index.add_paths(
                options.paths,
                domain=common.chosen_domain(options),
                read=common.chosen_reading(options),
                workers=options.workers,
                progress=advance,
                on_row=row_line,
            )
    if not report.rows:
        raise ReadError(str(options.corpus), "holds no records; give a file with one JSON object a line")
    counts = report.counts()
    if options.json:
        result = {"index": str(options.index), **report.to_dict()}
        if options.corpus:  # one row a record would be as long as the corpus
            result["rows"] = [row for row in result["rows"] if row["status"] == "rejected"]
        common.print_json(result)
    else:
        pages, chunks = sum(row.pages for row in report.rows), sum(row.chunks for row in report.rows)
        said = ", ".join(f"{count} {status}" for status, count in counts.items())
        print(f"{said}; {pages} pages, {chunks} chunks in {report.seconds:.1f} s -> {options.index}")
        if report.ok:
            print(f'Next: kure-rag search "..." --index {options.index}')
    return 0 if report.ok else 1


def _line(row: object) -> str:
    from kure_rag.ingest import IngestRow

    assert isinstance(row, IngestRow)  # noqa: S101 - narrows the lazily imported type
    if row.status == "rejected":
        return f"rejected   {row.source}: {row.reason}"
    if row.status == "unchanged":
        return f"unchanged  {row.source}"
    warned = f"  ({len(row.warnings)} page warnings, first {row.warnings[0]})" if row.warnings else ""
    return f"added      {row.source}: {row.pages} pages, {row.chunks} chunks{warned}"
