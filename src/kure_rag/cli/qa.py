"""``kure-rag qa``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kure_rag.cli import common


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "qa",
        "make questions about an index's own passages, to evaluate with",
        """\
  kure-rag qa --index my-index --llm http://localhost:8000/v1 --out qa --limit 200
  kure-rag qa --index my-index --llm https://api.openai.com/v1 --model gpt-5-mini --api-key-env OPENAI_API_KEY --out qa
  kure-rag qa --index my-index --no-llm --out qa
  kure-rag eval qa --model static-ko

files in DIR:
  qa.parquet                               for AutoRAG, beside the corpus.parquet of `kure-rag export`
  corpus.jsonl, queries.jsonl, qrels.tsv   the same questions for `kure-rag eval`
  qa.progress.jsonl                        what was answered; the same command goes on where it stopped""",
    )
    common.add_index(parser)
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--llm", metavar="URL", help="an OpenAI-compatible API, such as http://localhost:8000/v1")
    how.add_argument("--no-llm", action="store_true", help="make questions from headings, without a language model")
    parser.add_argument("--model", metavar="NAME", help="the language model (default: the only one the API lists)")
    parser.add_argument(
        "--api-key-env", metavar="VAR", help="what holds the API key (default: KURE_LLM_API_KEY, where set)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write into")
    parser.add_argument("--limit", type=_count, metavar="N", help="passages to ask about, from all over the index")
    parser.add_argument("--per-chunk", type=_count, default=1, metavar="K", help="questions a passage (default: 1)")
    parser.add_argument(
        "--concurrency", type=_count, default=4, metavar="N", help="passages asked about at once (default: 4)"
    )
    common.add_json(parser)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Makes questions and says how many."""
    from kure_rag.autorag import ChatSettings, make_questions
    from kure_rag.pipeline import KureIndex

    if options.no_llm and (options.model or options.api_key_env):
        options.parser.error("--model and --api-key-env belong to --llm")
    common.log_to_stderr()
    chat = None
    if options.llm:
        chat = ChatSettings(url=options.llm, model=options.model, api_key_env=options.api_key_env)
    try:
        with (
            common.mending() as steps,
            KureIndex.open(options.index, create=False, progress=steps) as index,
            common.progress("asking") as advance,
        ):
            report = make_questions(
                index,
                options.out,
                chat=chat,
                limit=options.limit,
                per_chunk=options.per_chunk,
                concurrency=options.concurrency,
                progress=advance,
            )
    except KeyboardInterrupt:
        return _interrupted(options)
    if options.json:
        common.print_json(report.to_dict())
        return 0
    kept = f", {report.kept} of them before" if report.kept else ""
    print(f"{report.questions} questions from {report.passages} passages{kept} -> {report.folder}")
    if report.dropped:
        print(f"{report.dropped} questions were dropped: too many passages answer them")
    if report.failed:
        print(f"{report.failed} passages failed, the first: {report.reason}. The same command asks them again")
    print(f"Next: kure-rag eval {report.folder}")
    return 0


def _interrupted(options: argparse.Namespace) -> int:
    message = f"interrupted; {options.out} holds what was answered, and the same command goes on from there"
    if options.json:
        common.print_json({"error": {"type": "Interrupted", "message": message}})
    print(f"kure-rag qa: {message}", file=sys.stderr)
    return 130


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 up")
    return number
