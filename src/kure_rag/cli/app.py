"""``kure-rag app``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kure_rag.cli import common

if TYPE_CHECKING:
    from kure_rag.pipeline import KureIndex

_PORT, _HOST, _MEGABYTES = 8501, "127.0.0.1", 200  # as app/settings.py has them, which the help need not import


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "app",
        "open a small web app on an index: upload, ask, see passages marked on their pages",
        """\
  kure-rag app --index my-index
  kure-rag app --index my-index --files ./documents
  kure-rag app --index new-index --embeddings static-ko --port 9000
  KURE_LLM_API_KEY=... kure-rag app --index my-index --llm http://localhost:8000/v1 --model qwen3

The index keeps no PDF files. What is uploaded is kept in app-files in the index folder; --files says where the files of
documents lie that were ingested otherwise, so that their pages can be shown. The app has no login: with --host 0.0.0.0
everybody who reaches the machine reads the documents and may add some.""",
    )
    common.add_index(parser)
    parser.add_argument(
        "--files", type=Path, action="append", default=[], metavar="DIR", help="where documents' files lie (repeatable)"
    )
    parser.add_argument(
        "--embeddings", metavar="NAME", help="make a new index with this embedding model where there is none"
    )
    parser.add_argument("--llm", metavar="URL", help="an OpenAI-compatible server, for the chat")
    parser.add_argument(
        "--model", metavar="NAME", help="the chat model's name there (the only one that the server lists)"
    )
    parser.add_argument("--api-key-env", metavar="VAR", help="the environment variable that holds the API key")
    parser.add_argument("--host", default=_HOST, metavar="ADDRESS", help=f"listen on this address ({_HOST})")
    parser.add_argument("--port", type=int, default=_PORT, metavar="N", help=f"and this port ({_PORT})")
    parser.add_argument(
        "--upload-limit", type=int, default=_MEGABYTES, metavar="MB", help=f"megabytes of one upload ({_MEGABYTES})"
    )
    parser.add_argument("--lang", choices=("ko", "en"), default="ko", help="of the page (ko)")
    parser.set_defaults(run=run, parser=parser, interrupted="stopped")


def run(options: argparse.Namespace) -> int:
    """Serves until Ctrl-C."""
    for name in ("model", "api_key_env"):
        if getattr(options, name) is not None and options.llm is None:
            options.parser.error(f"--{name.replace('_', '-')} belongs to --llm URL")
    for folder in options.files:
        if not folder.is_dir():
            options.parser.error(f"--files {folder}: no such folder")
    if not 1 <= options.port <= 65535:
        options.parser.error(f"--port {options.port}: choose one from 1 to 65535")
    if options.upload_limit < 1:
        options.parser.error(f"--upload-limit {options.upload_limit}: at least 1 megabyte")
    from kure_rag.app.server import address, check, serve
    from kure_rag.app.settings import AppSettings

    settings = AppSettings(
        host=options.host,
        port=options.port,
        files=tuple(options.files),
        upload_megabytes=options.upload_limit,
        language=options.lang,
        llm=options.llm,
        model=options.model,
        api_key_env=options.api_key_env,
    )
    check(settings)
    common.log_to_stderr()
    with common.mending() as steps, _opened(options, steps) as ix:
        print(f"{options.index} is open at {address(settings)} (Ctrl-C stops it)", flush=True)
        if settings.host not in (_HOST, "localhost", "::1"):
            print("It has no login: everybody who reaches this address can read and add.", file=sys.stderr)
        serve(ix, settings)
    return 0


def _opened(options: argparse.Namespace, steps: common.Steps) -> KureIndex:
    """The index. A new one is made only with a model that was named: a mistyped folder is none."""
    from kure_rag.errors import IndexNotFoundError
    from kure_rag.pipeline import KureIndex

    try:
        return KureIndex.open(options.index, embeddings=options.embeddings, create=False, progress=steps)
    except IndexNotFoundError as error:
        if options.embeddings is None:
            raise IndexNotFoundError(
                f"{error}, or name the embedding model of a new one, which is filled by uploads: --embeddings NAME "
                "(nlpai-lab/KURE-v1, or static-ko, which is small and comes with kure-rag)"
            ) from None
        index = KureIndex.open(options.index, embeddings=options.embeddings, progress=steps)
        print(f"{options.index}: a new index, with the embedding model {options.embeddings}", file=sys.stderr)
        return index
