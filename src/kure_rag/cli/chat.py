"""``kure-rag chat``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from kure_rag.cli import common
from kure_rag.cli.search import parse_where
from kure_rag.types import DOMAINS

if TYPE_CHECKING:
    from kure_rag.chat import Chatbot, ChatClient


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "chat",
        "ask an index questions in a conversation, with a language model or without",
        """\
  kure-rag chat --index my-index                                       # shows the passages
  kure-rag chat --index my-index --llm http://localhost:8000/v1        # a local server, the model that it has
  kure-rag chat --index my-index --llm http://localhost:11434/v1 --model exaone3.5
  OPENAI_API_KEY=… kure-rag chat --index my-index --llm https://api.openai.com/v1 --model gpt-5-mini
  kure-rag chat --index my-index --llm http://localhost:8000/v1 --question "연차휴가는 며칠인가요?"
  kure-rag chat --index my-index --llm http://localhost:8000/v1 --json < questions.txt

in the conversation: /help, /sources (the passages behind the last answer), /new, /quit; Ctrl-C stops an answer, and at
the prompt it ends the conversation, as Ctrl-D does. Lines from a pipe are questions of one conversation.

the API key: from KURE_LLM_API_KEY, for openai.com also from OPENAI_API_KEY, or from the variable of --api-key-env. It
is never shown or stored.""",
    )
    common.add_index(parser)
    parser.add_argument("-k", "--k", type=int, default=5, metavar="N", help="passages for an answer (default: 5)")
    common.add_mode(parser)
    parser.add_argument("--where", metavar="JSON", help="only passages for which this filter holds")
    parser.add_argument("--domain", choices=DOMAINS, help="only documents of this domain")
    parser.add_argument(
        "--embedding-model",
        metavar="NAME",
        help="the folder or name of the index's embedding model, where that is one of your own (the index's own)",
    )
    parser.add_argument("--question", metavar="TEXT", help="ask this one question, and end")
    common.add_json(parser)
    group = parser.add_argument_group("language model")
    group.add_argument("--llm", metavar="URL", help="an OpenAI-compatible API, such as http://localhost:8000/v1")
    group.add_argument("--model", metavar="NAME", help="its name (default: the only one the API lists)")
    group.add_argument("--api-key-env", metavar="VAR", help="the environment variable that holds the API key")
    group.add_argument("--max-tokens", type=int, metavar="N", help="the longest answer (default: the server's)")
    group.add_argument(
        "--temperature", type=float, metavar="X", help="0 for the likeliest words (default: the server's)"
    )
    group.add_argument("--timeout", type=float, metavar="S", help="seconds to wait for the next words (default: 120)")
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Answers questions until there are no more."""
    from kure_rag.chat import Chatbot, ChatOptions
    from kure_rag.cli.chat_talk import Talk
    from kure_rag.pipeline import KureIndex

    talking = options.question is None and sys.stdin is not None and sys.stdin.isatty()
    _check(options, talking=talking)
    common.log_to_stderr()
    where = _where(options)
    with ExitStack() as stack:
        steps = stack.enter_context(common.mending())
        index = stack.enter_context(
            KureIndex.open(options.index, embeddings=options.embedding_model, create=False, progress=steps)
        )
        client = _client(options, stack, at_once=talking)
        bot = Chatbot(index, client, options=ChatOptions(k=options.k))
        talk = Talk(bot, as_json=options.json, search={"mode": options.mode, "where": where})
        if not talking:
            return talk.answer_each(_questions(options.question), echo=options.question is None)
        print(_welcome(bot, options, len(index.documents())))
        return talk.converse()


def _check(options: argparse.Namespace, *, talking: bool) -> None:
    if options.k < 1:
        options.parser.error("-k is the number of passages and must be at least 1")
    if talking and options.json:
        options.parser.error("--json needs --question, or questions from a pipe")
    if options.llm is None:
        for name in ("model", "api_key_env", "max_tokens", "temperature", "timeout"):
            if getattr(options, name) is not None:
                options.parser.error(f"--{name.replace('_', '-')} belongs to --llm")


def _client(options: argparse.Namespace, stack: ExitStack, *, at_once: bool) -> ChatClient | None:
    """The client; in a conversation the server is asked something before the user types a question for nothing."""
    if options.llm is None:
        return None
    from kure_rag.chat import ChatClient, ChatModel

    more = {name: getattr(options, name) for name in ("max_tokens", "temperature", "timeout")}
    given: dict[str, Any] = {name: value for name, value in more.items() if value is not None}
    try:
        model = ChatModel(url=options.llm, model=options.model, api_key_env=options.api_key_env, **given)
    except ValueError as error:
        options.parser.error(str(error))
    client = stack.enter_context(ChatClient(model))
    if at_once and options.model is not None:
        client.models()
    return client


def _where(options: argparse.Namespace) -> Mapping[str, Any] | None:
    where = parse_where(options.where)
    if options.domain is None:
        return where
    domain = {"domain": options.domain}
    return domain if where is None else {"$and": [where, domain]}


def _questions(question: str | None) -> Iterator[str]:
    """The one of the command line, or the lines of standard input that are not empty."""
    if question is not None:
        yield question
        return
    if sys.stdin is None:  # closed with <&-
        return
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="replace")
    for line in sys.stdin:
        if line.strip():
            yield line.strip()


def _welcome(bot: Chatbot, options: argparse.Namespace, documents: int) -> str:
    told = f"{documents} document{'' if documents == 1 else 's'} in {options.index}. "
    told += (
        f"Answers by {bot.model}."
        if bot.model
        else "No language model is connected (--llm URL): answers show the passages."
    )
    return f"{told} /help lists what you can type; Ctrl-D ends."
