"""How good is the retrieval? Sets of judged queries, scores, and runs that other tools can score again.

::

    retrieval_set = read_set(Path("my-set"))             # corpus.jsonl, queries.jsonl, qrels.tsv
    evaluation = evaluate(index, retrieval_set, mode="hybrid")
    print(evaluation.scores.to_dict())                    # {"ndcg@10": …, "mrr@10": …, "recall@1": …, …}
    write_run(Path("hybrid.run.tsv"), evaluation.run)

Scoring needs the extra ``eval``: ``pip install "kure-rag[eval]"``. Nothing here loads a model.
"""

from kure_rag.evaluate.evaluate import Evaluation, Searcher, evaluate
from kure_rag.evaluate.metrics import Scores, mean_scores, mrr, ndcg, recall, score_queries, score_run
from kure_rag.evaluate.runs import read_run, write_run
from kure_rag.evaluate.saved import SavedRun, list_saved_runs, read_saved_run
from kure_rag.evaluate.sets import RetrievalSet, check_corpus, check_qrels, read_set
from kure_rag.evaluate.settings import EvaluationSettings
from kure_rag.evaluate.statistics import Interval, PairedTest, bootstrap_interval, bootstrap_intervals, paired_test
from kure_rag.evaluate.summary import Summary, summarise

__all__ = [
    "Evaluation",
    "EvaluationSettings",
    "Interval",
    "PairedTest",
    "RetrievalSet",
    "SavedRun",
    "Scores",
    "Searcher",
    "Summary",
    "bootstrap_interval",
    "bootstrap_intervals",
    "check_corpus",
    "check_qrels",
    "evaluate",
    "list_saved_runs",
    "mean_scores",
    "mrr",
    "ndcg",
    "paired_test",
    "read_run",
    "read_saved_run",
    "read_set",
    "recall",
    "score_queries",
    "score_run",
    "summarise",
    "write_run",
]
