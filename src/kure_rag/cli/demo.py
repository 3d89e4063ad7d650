"""``kure-rag demo``."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kure_rag.cli import common

if TYPE_CHECKING:
    from kure_rag.pipeline import KureIndex

_NEXT = """
The three sample PDFs lie in {samples}

Ask them yourself, in a conversation or in a browser, where passages are marked on their pages:
{keep}  {command} chat --index {index}
  {command} app --index {index} --files {files}
{app}Without --llm URL (an OpenAI-compatible server) both show the passages themselves.

Your own folder, with the same small model (works offline):
  {command} ingest ./my-documents --index my-index --model static-ko
  {command} search "질문을 적으세요" --index my-index

With the full-size Korean model (downloads 2.3 GB once, then ranks by meaning too):
  {command} ingest ./my-documents --index my-index-kure
"""
_KEPT = "demo-index"  # where the hints keep an index that was thrown away


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "demo",
        "ingest three sample PDFs and answer six questions, offline",
        "  kure-rag demo\n  kure-rag demo --index demo-index   # keep the index",
    )
    parser.add_argument("--index", type=Path, metavar="DIR", help="keep the index here; by default it is thrown away")
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ingests the samples and asks the questions."""
    from kure_rag.pipeline import KureIndex
    from kure_rag.samples import DEMO_QUESTIONS, sample_paths

    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="kure-rag-demo-") as scratch,
        KureIndex.open(options.index or Path(scratch, "index"), embeddings="static-ko") as index,
        common.progress("reading") as advance,
    ):
        report = index.add_paths(sample_paths(), progress=advance)
        answers = [_ask(index, question) for question in DEMO_QUESTIONS]
    seconds = time.monotonic() - began
    if options.json:
        common.print_json({"ingest": report.to_dict(), "answers": answers, "seconds": round(seconds, 2)})
    else:
        for row in report.rows:
            print(f"{row.status:10} {row.source}: {row.pages} pages, {row.chunks} chunks")
        for answer in answers:
            print(f"\nQ. {answer['question']}")
            for hit in answer["shown"]:
                print(hit)
        print(f"\n{sum(a['found'] for a in answers)} of {len(answers)} passages found first, {seconds:.1f} s in all")
        print(_next(options.index), end="")
    return 0 if report.ok else 1


def _next(index: Path | None) -> str:
    """What to type next: the index that was kept, or how to keep one."""
    from kure_rag.samples import sample_paths

    command, samples = _command(), _from_here(sample_paths()[0].parent)
    there = find_spec("streamlit") is not None
    return _NEXT.format(
        command=command,
        samples=samples,
        files=shlex.quote(samples),
        index=shlex.quote(str(index or _KEPT)),
        keep="" if index else f"  {command} demo --index {_KEPT}\n",
        app="" if there else 'The app needs: pip install "kure-rag[app]"\n',
    )


def _command() -> str:
    """How this shell reaches the command: after `make demo` it lies in .venv, which is not on the path."""
    beside = Path(sys.executable).with_name("kure-rag")
    if shutil.which("kure-rag") or not beside.is_file():
        return "kure-rag"
    return _from_here(beside)


def _from_here(path: Path) -> str:
    """A path as short as it can be typed in this folder."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _ask(index: KureIndex, question: Any) -> dict[str, Any]:
    from kure_rag.citation import hit_metadata
    from kure_rag.cli.search import shown

    hits = index.search(question.question, k=2)
    wanted = "".join(question.answer.split())
    found = bool(hits) and hits[0].source == question.source and wanted in "".join(hits[0].chunk.text.split())
    return {
        "question": question.question,
        "found": found,
        "hits": [{**hit_metadata(hit), "text": hit.chunk.text} for hit in hits],
        "shown": [shown(hit, 200) for hit in hits],
    }
