"""``kure-rag chunks``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from kure_rag.cli import common
from kure_rag.errors import IndexPathError, ReadError

if TYPE_CHECKING:
    from kure_rag.ingest.messages import Prepared
    from kure_rag.read import Found


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "chunks",
        "cut PDF and text files into chunks and write them as JSON lines, without an index",
        """\
  kure-rag chunks ./documents --out chunks.jsonl
  kure-rag chunks 규정.pdf --domain legal --out - | head -n 1
  kure-rag chunks 회의록.pdf --profile my_profiles:MINUTES --out -     # my_profiles.py in this folder
  kure-rag chunks ./documents --user-dictionary 용어.txt --out chunks.jsonl

a file for --user-dictionary: a term a line; a tag and a score may follow, each after a tab; # begins a comment
  중도해지이율
  온누리적금
Sentences end where the analyser says so: chunks are those of an index only with the index's own dictionary.

Each line written is a JSON object: id, document_id, source, text, start, end, pages, breadcrumb, kind, lead, metadata.
How many files were cut, which were rejected and which pages may be incomplete is told on standard error.""",
    )
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="PDF, .txt and .md files, and folders of PDF files"
    )
    common.add_reading(parser)
    parser.add_argument(
        "--profile",
        default="auto",
        metavar="NAME",
        help="how to cut: auto (by each document's domain), general, finance, legal, medical, or package.module:NAME",
    )
    parser.add_argument("--target", type=int, default=400, metavar="N", help="characters of a chunk (default: 400)")
    parser.add_argument(
        "--longest", type=int, metavar="N", help="characters over which a sentence is cut (default: twice the target)"
    )
    parser.add_argument(
        "--user-dictionary", type=Path, metavar="FILE", help="terms for the analyser to keep whole, one a line"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="where to write; - for standard output")
    parser.set_defaults(
        run=run, parser=parser, interrupted="interrupted; a --out FILE is written only when it is whole"
    )


def run(options: argparse.Namespace) -> int:
    """Writes one chunk a line; rejected files and incomplete pages are named on standard error."""
    from kure_rag.chunk import ChunkSettings, find_profile
    from kure_rag.ingest import WorkerPool
    from kure_rag.ingest.files import page_warnings
    from kure_rag.read import find_files
    from kure_rag.tokenize.user_dictionary import read_dictionary

    words = read_dictionary(options.user_dictionary or ())
    try:
        settings = ChunkSettings(
            target=options.target,
            longest=options.longest or 2 * options.target,
            profile=options.profile,
        )
        find_profile(settings.profile, "general")
    except ValueError as error:
        options.parser.error(str(error))
    found = list(find_files(options.paths))
    files = chunks = rejected = incomplete = 0
    with (
        _output(options.out) as out,
        common.progress("reading") as advance,
        WorkerPool(
            workers=options.workers, chunks=settings, read=common.chosen_reading(options), user_words=words
        ) as pool,
    ):
        for name, answer in _answers(pool, found, options):
            if isinstance(answer, ReadError):
                rejected += 1
                print(f"rejected   {name}: {answer.reason}", file=sys.stderr)
            else:
                files += 1
                chunks += len(answer.chunks)
                _write(out, answer)
                warned = page_warnings(answer.document)
                incomplete += bool(warned)
                for warning in warned:
                    print(f"incomplete {name}: {warning}", file=sys.stderr)
            advance(files + rejected, len(found), name)
    with_gaps = f" ({incomplete} with pages that may be incomplete)" if incomplete else ""
    print(f"{files} files{with_gaps}, {chunks} chunks, {rejected} rejected -> {options.out}", file=sys.stderr)
    return 0 if files else 1


def _answers(
    pool: object, found: Sequence[Found], options: argparse.Namespace
) -> Iterator[tuple[str, Prepared | ReadError]]:
    from kure_rag.ingest import WorkerPool
    from kure_rag.ingest.places import file_name
    from kure_rag.ingest.pool import PdfJob

    assert isinstance(pool, WorkerPool)  # noqa: S101 - narrows the lazily imported type
    for item in found:
        if item.error is not None:
            yield file_name(item.path), item.error
    domain = common.chosen_domain(options)
    jobs = (PdfJob(item.path, file_name(item.path), domain, terms=False) for item in found if item.error is None)
    for job, answer in pool.prepare(jobs):
        yield job.name, answer


def _write(out: IO[str], prepared: Prepared) -> None:
    for item in prepared.chunks:
        chunk = item.chunk
        line = {
            "id": chunk.id,
            "document_id": chunk.document_id,
            "source": prepared.document.source,
            "text": chunk.text,
            "start": chunk.start,
            "end": chunk.end,
            "pages": chunk.pages,
            "breadcrumb": chunk.breadcrumb,
            "kind": chunk.kind,
            "lead": chunk.lead,
            "metadata": dict(chunk.metadata),
        }
        out.write(json.dumps(line, ensure_ascii=False) + "\n")


@contextmanager
def _output(where: str) -> Iterator[IO[str]]:
    """Standard output, or a file that appears under its name only when it is whole."""
    if where == "-":
        yield sys.stdout
        return
    path = Path(where)
    plain = path.is_file() or not path.exists()  # a device or a named pipe must be written to, not replaced
    unfinished = path.with_name(f"{path.name}.part") if plain else path
    try:
        file = unfinished.open("w", encoding="utf-8")
    except OSError as error:
        raise IndexPathError(f"{where}: cannot be written ({error.strerror or error}); choose another --out") from error
    try:
        with file:
            yield file
        if plain:
            os.replace(unfinished, path)  # noqa: PTH105 - Path.replace does the same; this one says "atomic" to readers
    finally:
        if plain:
            unfinished.unlink(missing_ok=True)
