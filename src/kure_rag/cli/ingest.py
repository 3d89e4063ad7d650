"""``kure-rag ingest``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kure_rag.cli import common, embedding, rows
from kure_rag.errors import ConfigError, ReadError

if TYPE_CHECKING:
    from kure_rag.autorag import Recipe
    from kure_rag.ingest import IngestReport, IngestRow
    from kure_rag.pipeline import KureIndex

_CONFIG = """\

an ingest.yaml, whose every key may be left out but module_type; options given beside it win:
  paths: [documents, 약관.pdf]      # relative to the YAML file
  domain: auto                      # auto, general, finance, legal, medical
  workers: 2
  user_dictionary: 용어.txt         # as --user-dictionary, relative to the YAML file
  parse:
    modules:                        # one for a file type; folders give PDF files, and the types named here
      - module_type: pdf
        file_type: pdf
        tables: true
        fallback: true              # a second parser for unreadable text layers
        ocr: auto                   # auto, never, always
        limits: {max_pages: 2000}   # max_bytes, max_chars, max_page_chars, max_seconds, max_page_seconds, max_memory
      - module_type: text
        file_type: md               # txt, md, a list of them, or all_files: those that no other module is for
        limits: {max_chars: 300000} # max_bytes, max_chars
  chunk:
    modules:                        # the closest decides: file_type and domain, file_type, domain, none
      - module_type: auto           # auto, general, finance, legal, medical, or package.module:NAME
        target: 400                 # characters
        longest: 800
      - module_type: finance        # for documents of one domain
        domain: finance
        target: 600
      - module_type: general        # for files of one type: pdf, txt, md
        file_type: md
"""

_UNCHANGED = """
a file for --user-dictionary: a term a line; a tag and a score may follow, each after a tab; # begins a comment
  중도해지이율
  온누리적금
The index keeps the terms, and searching it, or adding to it, uses them again.

A file whose bytes are in the index is not read again: it stays as it was read, whatever --domain, --ocr, --no-tables or
the YAML file now say. To read it anew, ingest it into a new --index. A file that was changed takes the place of its
older version. A file that was deleted stays in the index: `kure-rag sync` removes those, and `kure-rag delete` any.

The index remembers model, prefixes, backend, precision and endpoint: searching it, or adding to it, needs none of them
again. It remembers no device, no folder and no key. Another model is an error. Another engine of the same model is not:
where its vectors differ by more than rounding (8-bit weights, servers), that is said.
"""


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "ingest",
        "add PDF and text files, folders of them, or a corpus of passages to an index",
        """\
  kure-rag ingest ./documents --index my-index
  kure-rag ingest 약관.pdf 규정.txt --index my-index --model static-ko --domain legal
  kure-rag ingest --corpus corpus.jsonl.gz --index my-index
  kure-rag ingest --from-autorag corpus.parquet --index my-index
  kure-rag ingest --config ingest.yaml --index my-index
  kure-rag ingest ./documents --index my-index --user-dictionary 용어.txt

  kure-rag ingest ./documents --index my-index --model KoE5 --backend openvino --precision int8
  kure-rag ingest ./documents --index my-index --model KoE5 --backend remote --endpoint http://localhost:8080
  kure-rag ingest ./documents --index my-index --device cuda --embed-cache ~/.cache/kure-rag/vectors
  kure-rag ingest ./documents --index my-index --model ./models/copy --card KoE5
"""
        + _CONFIG
        + _UNCHANGED,
    )
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="PDF, .txt and .md files, and folders: their PDF files, and the types that --config has a module for",
    )
    parser.add_argument(
        "--corpus", type=Path, metavar="FILE", help="BEIR-style JSON lines (_id, title, text) instead, also .gz"
    )
    parser.add_argument(
        "--from-autorag",
        type=Path,
        metavar="FILE",
        help="AutoRAG's corpus.parquet instead, also from `kure-rag export`",
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="a YAML file that says how to read and cut, and which files"
    )
    common.add_index(parser)
    common.add_reading(parser)
    common.add_user_dictionary(parser)
    embedding.add_embedding(
        parser, "for a new index nlpai-lab/KURE-v1, then the index's own", engine="torch, then the index's own"
    )
    common.add_json(parser)
    parser.set_defaults(
        run=run,
        parser=parser,
        interrupted="interrupted; what was added until then is in the index, and the same command adds the rest",
    )


def run(options: argparse.Namespace) -> int:
    """Ingests; 1 when every file was rejected."""
    sources = (options.paths or options.config, options.corpus, options.from_autorag)
    if sum(map(bool, sources)) != 1:
        options.parser.error(
            "give files or folders (or a --config that names them), --corpus FILE or --from-autorag FILE, one of these"
        )
    recipe = _recipe(options)
    common.log_to_stderr()
    row_line = rows.printer(lambda row: not options.json and bool(recipe.paths or row.status == "rejected"))
    words = options.user_dictionary or recipe.user_dictionary
    with (
        common.progress("reading") as advance,
        embedding.open_index(
            options, options.index, chunks=recipe.chunks, user_dictionary=words, progress=common.steps(advance)
        ) as index,
    ):
        report = _ingest(index, options, recipe, advance, row_line)
    if not report.rows:
        if options.corpus:
            raise ReadError(str(options.corpus), "holds no records; give a file with one JSON object a line")
        raise ReadError(str(options.from_autorag), "holds no rows; give the corpus.parquet that AutoRAG reads")
    counts = report.counts()
    note = _kept_as_read(recipe, counts["unchanged"])
    if options.json:
        result = {"index": str(options.index), **report.to_dict(), **({"note": note} if note else {})}
        if not recipe.paths:  # one row a record would be as long as the corpus
            result["rows"] = [row for row in result["rows"] if row["status"] == "rejected"]
        common.print_json(result)
    else:
        print(f"{rows.summary(report)} -> {options.index}")
        if note:
            print(note)
        if report.ok:
            print(f'Next: kure-rag search "..." --index {options.index}')
    return 0 if report.ok else 1


def _recipe(options: argparse.Namespace) -> Recipe:
    """What the configuration file says, and over it what the command line says."""
    from dataclasses import replace

    from kure_rag.autorag import Recipe, read_recipe

    recipe = read_recipe(options.config) if options.config else Recipe()
    read = recipe.read
    if options.no_tables:
        read = replace(read, tables=False)
    if options.ocr != "auto":
        read = replace(read, ocr=options.ocr)
    paths = tuple(options.paths) or recipe.paths
    if options.config and not paths:
        raise ConfigError(
            f"{options.config.name}: names no paths; add paths: [folder], or give them on the command line"
        )
    return replace(
        recipe,
        paths=paths,
        read=read,
        domain=common.chosen_domain(options) or recipe.domain,
        workers=options.workers if options.workers is not None else recipe.workers,
    )


def _kept_as_read(recipe: Recipe, unchanged: int) -> str:
    """What to say where options ask for a reading that files in the index did not get by this run."""
    from kure_rag.read import ReadSettings

    if not (unchanged and recipe.paths) or (recipe.domain is None and recipe.read == ReadSettings()):
        return ""
    return (
        f"{unchanged} files were in the index before and stay as they were read then; the domain, tables and OCR asked "
        "for now are not theirs. To read them anew, ingest them into a new --index"
    )


def _ingest(
    index: KureIndex,
    options: argparse.Namespace,
    recipe: Recipe,
    advance: common.Advance,
    on_row: Callable[[IngestRow], None],
) -> IngestReport:
    if options.corpus:
        return index.add_corpus(options.corpus, workers=recipe.workers, progress=advance, on_row=on_row)
    if options.from_autorag:
        from kure_rag.autorag import add_autorag

        return add_autorag(index, options.from_autorag, workers=recipe.workers, progress=advance, on_row=on_row)
    return index.add_paths(
        recipe.paths,
        file_types=recipe.file_types,
        domain=recipe.domain,
        read=recipe.read,
        limits=recipe.limits,
        workers=recipe.workers,
        progress=advance,
        on_row=on_row,
    )
