"""``kure-rag similar``."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from kure_rag.cli import common, embedding
from kure_rag.cli.texts import read_texts
from kure_rag.errors import ConfigError


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "similar",
        "find the sentences of a text file that are nearest to a question, without an index",
        """\
  kure-rag similar sentences.txt "휴가는 며칠인가요?" --model static-ko
  kure-rag similar sentences.txt "환불 기한" --model KURE-v1 -k 3 --json

The file is UTF-8 with one text a line. All of it is embedded at each call: for many questions or thousands of texts
make an index with `kure-rag ingest`, or keep vectors with --embed-cache.""",
    )
    parser.add_argument("texts", type=Path, metavar="TEXTS", help="a file with one text a line")
    parser.add_argument("question", metavar="QUESTION")
    parser.add_argument("-k", type=int, default=5, metavar="N", help="texts to show (default: 5)")
    common.add_json(parser)
    embedding.add_embedding(parser, "nlpai-lab/KURE-v1", engine="torch")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Embeds the texts and the question, and prints the nearest."""
    from kure_rag.evaluate.pairs import similar_texts

    if options.card is not None and options.model is None:
        raise ConfigError("--card says what --model is a copy of; give both")
    if not options.question.strip():
        raise ConfigError("the question is empty; write what is looked for")
    common.log_to_stderr()
    lines = read_texts(options.texts)
    options.model = options.model or embedding.default_model()
    embedder = embedding.embedder(options)
    texts = [text for _, text in lines]
    with common.progress("embedding") as advance:
        found = similar_texts(
            embedder, options.question, texts, k=options.k, progress=lambda done: advance(done, len(texts), "")
        )
    if options.json:
        hits = [{"line": lines[one.position][0], **asdict(one)} for one in found]
        common.print_json({"question": options.question, "model": embedder.name, "texts": len(texts), "hits": hits})
        return 0
    shown = common.console()
    for rank, one in enumerate(found, start=1):
        shown.print(f"{rank:>3}  {one.score:.4f}  line {lines[one.position][0]}: {one.text}", markup=False)
    return 0
