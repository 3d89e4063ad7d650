"""``kure-rag eval``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kure_rag.cli import common, embedding, eval_words
from kure_rag.cli.search import DENSE, LEXICAL
from kure_rag.errors import IndexPathError, MissingExtraError, SourceNotFoundError

if TYPE_CHECKING:
    from kure_rag.evaluate import EvaluationSettings, RetrievalSet

# As evaluate/settings.py has them; importing that brings the searching modules, which help should not wait for.
FUSIONS: Final = ("convex", "rrf")
_OFFLINE: Final = "static-ko"
_INTERRUPTED: Final = "interrupted; with --save the same command goes on where it stopped"


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "eval",
        "score retrieval on judged questions, with confidence intervals",
        f"""\
  kure-rag eval sets/korquad_dev --model static-ko
  kure-rag eval sets/korquad_dev --model static-ko --mode all
  kure-rag eval sets/korquad_dev --model static-ko --mode all --save runs     # kept; goes on after an interruption
  kure-rag eval sets/korquad_dev --model static-ko --fusion rrf --weight 0.3 --json
  kure-rag eval sets/korquad_dev --mode lexical --rerank dragonkue/bge-reranker-v2-m3-ko
  kure-rag eval sets/korquad_dev --model KoE5 --backend openvino --precision int8 --embed-cache vectors
  kure-rag eval qa.parquet --corpus corpus.parquet --model static-ko
  kure-rag eval Ko-StrategyQA --model KURE-v1

{eval_words.listed()}""",
    )
    parser.add_argument(
        "set",
        type=Path,
        metavar="SET",
        help="a folder with corpus.jsonl, queries.jsonl and qrels.tsv (BEIR's layout), AutoRAG's qa.parquet, or the "
        "name of an mteb task. Where records of the corpus say a domain, each is scored by itself, too",
    )
    parser.add_argument("--corpus", type=Path, metavar="FILE", help="of a qa.parquet (corpus.parquet beside it)")
    _add_asking(parser)
    parser.add_argument(
        "--index",
        type=Path,
        metavar="DIR",
        help="keep the set's index here (thrown away); one that holds other documents is refused",
    )
    parser.add_argument("--run", dest="run_file", type=Path, metavar="FILE", help="write query, document, rank, score")
    parser.add_argument("--save", type=Path, metavar="DIR", help="keep the run in a folder here")
    parser.add_argument("--name", metavar="NAME", help="of that folder (made of set, model and mode)")
    parser.add_argument(
        "--latency", type=int, default=100, metavar="N", help="time so many single questions; 0 for none (100)"
    )
    common.add_json(parser)
    embedding.add_embedding(
        parser, f"nlpai-lab/KURE-v1; {_OFFLINE} with --mode lexical, which scores no vectors", engine="torch"
    )
    parser.set_defaults(run=run, parser=parser, interrupted=_INTERRUPTED)
    eval_words.take_words(parser)


def _add_asking(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("asking")
    common.add_mode(group, "all")
    group.add_argument("-k", type=int, default=10, metavar="N", help="documents to ask for (10)")
    group.add_argument("--fusion", choices=FUSIONS, default="convex", help="of the two legs in hybrid (convex)")
    group.add_argument("--weight", type=float, metavar="X", help="of the dense leg, from 0 to 1 (the model card's)")
    group.add_argument("--candidates", type=int, default=100, metavar="N", help="of each leg, at the least (100)")
    group.add_argument(
        "--rerank", "--reranker", metavar="MODEL", help="a cross-encoder that reads the first candidates again"
    )
    group.add_argument("--rerank-candidates", type=int, default=20, metavar="N", help="how many it reads (20)")
    group.add_argument("--batch", type=int, default=256, metavar="N", help="questions asked at once (256)")
    group.add_argument("--lexical", choices=LEXICAL, default="tantivy", help="the keyword engine (tantivy)")
    group.add_argument("--dense", choices=DENSE, default="auto", help="what finds vectors (auto)")


def run(options: argparse.Namespace) -> int:
    """Ingests the corpus, asks all questions, prints the scores."""
    from kure_rag.cli.eval_table import print_results
    from kure_rag.cli.eval_work import Work
    from kure_rag.evaluate import check_corpus
    from kure_rag.evaluate.metrics import load_trec_eval

    _check(options)
    load_trec_eval()
    asked = _settings(options)
    common.log_to_stderr()
    retrieval_set = _read(options)
    with common.progress("reading the corpus") as advance:
        domains = check_corpus(retrieval_set, lambda done: advance(done, None, ""))
    work = Work(options, retrieval_set, domains)
    results = work.kept(asked) if options.save else work.passing(asked)
    if options.json:
        common.print_json(results[0] if options.mode != "all" else {"results": results})
    else:
        print_results(results)
    return 0


def _check(options: argparse.Namespace) -> None:
    """What can be told before the work."""
    refuse = options.parser.error
    if options.mode == "all" and options.run_file:
        refuse("--run writes one ranking: give one --mode with it")
    if options.name is not None and not options.save:
        refuse("--name names a saved run: give --save DIR with it")
    if options.name is not None and Path(options.name).name != options.name:
        refuse("--name is the name of one folder, without others before it")
    if options.corpus is not None and options.set.suffix != ".parquet" and not options.set.is_dir():
        refuse("--corpus belongs to a qa.parquet; a folder brings its own corpus")
    if options.latency < 0:
        refuse("--latency counts questions; 0 times none")
    if options.batch < 1:
        refuse("--batch counts questions; give 1 or more")
    if options.run_file and (options.run_file.is_dir() or not options.run_file.parent.is_dir()):
        raise IndexPathError(f"{options.run_file}: cannot be written; give --run a file in a folder that is there")
    if options.model is None and options.index is None and options.mode == "lexical":
        options.model = _OFFLINE


def _settings(options: argparse.Namespace) -> list[EvaluationSettings]:
    from kure_rag.evaluate import EvaluationSettings
    from kure_rag.types import MODES

    return [
        EvaluationSettings(
            k=options.k,
            mode=mode,
            fusion=options.fusion,
            weight=options.weight,
            candidates=options.candidates,
            reranker=options.rerank,
            rerank_candidates=options.rerank_candidates,
            lexical=options.lexical,
            dense=options.dense,
        )
        for mode in (MODES if options.mode == "all" else (options.mode,))
    ]


def _read(options: argparse.Namespace) -> RetrievalSet:
    """The set, whatever form it has."""
    from kure_rag.evaluate import read_set

    path: Path = options.set
    if path.is_dir():
        if (path / "qa.parquet").is_file() and not any(path.glob("corpus.jsonl*")):
            path = path / "qa.parquet"
        elif options.corpus is not None:
            options.parser.error("--corpus belongs to a qa.parquet; a folder brings its own corpus")
    if path.suffix == ".parquet":
        from kure_rag.autorag import read_judged

        return read_judged(path, options.corpus)
    if path.exists() or len(path.parts) != 1 or str(options.set).startswith("."):
        return read_set(path)
    return _mteb_task(str(path))


def _mteb_task(name: str) -> RetrievalSet:
    try:
        from kure_rag.evaluate.mteb_tasks import read_mteb_task

        return read_mteb_task(name)
    except MissingExtraError as error:
        raise SourceNotFoundError(
            name, 'no such folder here; if it is the name of an mteb task: pip install "kure-rag[mteb]"'
        ) from error
