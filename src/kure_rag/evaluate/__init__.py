"""How good is the retrieval? Sets of judged queries, scores, and runs that other tools can score again.

::

    retrieval_set = read_set(Path("my-set"))             # corpus.jsonl, queries.jsonl, qrels.tsv
    evaluation = evaluate(index, retrieval_set, mode="hybrid")
    print(evaluation.scores.to_dict())                    # {"ndcg@10": …, "mrr@10": …, "recall@1": …, …}
    write_run(Path("hybrid.run.tsv"), evaluation.run)

Nothing here needs more than the standard library, so that scoring a run does not load a model.
"""

from kure_rag.evaluate.evaluate import Evaluation, Searcher, evaluate
from kure_rag.evaluate.metrics import Scores, mrr, ndcg, recall, score_run
from kure_rag.evaluate.runs import read_run, write_run
from kure_rag.evaluate.sets import RetrievalSet, check_qrels, read_set

__all__ = [
    "Evaluation",
    "RetrievalSet",
    "Scores",
    "Searcher",
    "check_qrels",
    "evaluate",
    "mrr",
    "ndcg",
    "read_run",
    "read_set",
    "recall",
    "score_run",
    "write_run",
]
