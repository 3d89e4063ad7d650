"""``kure-rag eval``."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kure_rag.cli import common, embedding
from kure_rag.errors import IndexPathError, ReadError

if TYPE_CHECKING:
    from kure_rag.evaluate import Evaluation
    from kure_rag.types import Mode


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "eval",
        "score retrieval on a BEIR-style folder (corpus.jsonl, queries.jsonl, qrels.tsv)",
        """\
  kure-rag eval sets/korquad_dev --model static-ko
  kure-rag eval sets/korquad_dev --model static-ko --mode all
  kure-rag eval sets/korquad_dev --model static-ko --mode lexical --run run.tsv --json
  kure-rag eval sets/korquad_dev --model KoE5 --backend openvino --precision int8 --embed-cache vectors""",
    )
    parser.add_argument("set_dir", type=Path, metavar="SET_DIR")
    common.add_mode(parser, "all")
    parser.add_argument("--index", type=Path, metavar="DIR", help="keep the index here; by default it is thrown away")
    parser.add_argument("--run", dest="run_file", type=Path, metavar="FILE", help="write query, document, rank, score")
    common.add_json(parser)
    embedding.add_embedding(parser, "nlpai-lab/KURE-v1", engine="torch")
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Ingests the corpus, asks all queries, prints the scores."""
    from kure_rag.evaluate import check_qrels, evaluate, read_set, write_run
    from kure_rag.types import MODES

    if options.mode == "all" and options.run_file:
        options.parser.error("--run writes one ranking: give one --mode with it")
    if options.run_file and (options.run_file.is_dir() or not options.run_file.parent.is_dir()):  # told before the work
        raise IndexPathError(f"{options.run_file}: cannot be written; give --run a file in a folder that is there")
    common.log_to_stderr()
    retrieval_set = read_set(options.set_dir)
    modes: tuple[Mode, ...] = MODES if options.mode == "all" else (options.mode,)
    with tempfile.TemporaryDirectory(prefix="kure-rag-eval-") as scratch:
        folder = options.index or Path(scratch, "index")
        with embedding.open_index(options, folder) as index:
            with common.progress("indexing") as advance:
                report = index.add_corpus(retrieval_set.corpus_path, progress=advance)
            if lost := [row for row in report.rows if row.status == "rejected"]:
                raise ReadError(
                    lost[0].source,
                    f"{lost[0].reason} ({len(lost)} records could not be indexed: no score would be right)",
                )
            check_qrels(retrieval_set, {row.source for row in report.rows})
            results = []
            for mode in modes:
                with common.progress(f"asking ({mode})") as advance:
                    done = evaluate(index, retrieval_set, mode=mode, progress=_counted(advance))
                results.append(_as_dict(done, retrieval_set.name, index.embedder.name))
            if options.run_file:
                write_run(options.run_file, done.run)
    if options.json:
        common.print_json(results[0] if options.mode != "all" else {"results": results})
    else:
        _print(results)
    return 0


def _counted(advance: common.Advance) -> Callable[[int, int], None]:
    return lambda done, total: advance(done, total, "")


def _as_dict(done: Evaluation, name: str, model: str) -> dict[str, Any]:
    return {
        "set": name,
        "model": model,
        "mode": done.mode,
        **done.scores.to_dict(),
        "queries_per_second": round(done.queries_per_second, 1),
        "seconds": round(done.seconds, 2),
    }


def _print(results: list[dict[str, Any]]) -> None:
    columns = ("mode", "ndcg@10", "mrr@10", "recall@1", "recall@5", "recall@10", "queries", "queries_per_second")
    print(f"{results[0]['set']}, {results[0]['model']}")
    print("  ".join(f"{column:>9}" for column in columns))
    for row in results:
        cells = (f"{row[c]:.4f}" if "@" in c else str(row[c]) for c in columns)
        print("  ".join(f"{cell:>{max(9, len(c))}}" for cell, c in zip(cells, columns, strict=True)))
