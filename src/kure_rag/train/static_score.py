"""What a model is worth on the evaluation sets: exact dense retrieval, and how well cosines follow human judgement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag.errors import SourceNotFoundError
from kure_rag.evaluate.metrics import Scores, score_run
from kure_rag.evaluate.sets import check_qrels, read_set
from kure_rag.read.corpus import fail, read_corpus, read_lines

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DEPTH: Final = 10
_ROWS: Final = 512  # queries at a time, so that the similarities of a large corpus fit into memory


def dense_scores(model: Any, folder: Path) -> dict[str, Scores]:
    """Scores of exact cosine search on one set, under ``all`` and under each domain that its queries are marked with.

    Args:
        model: A ``SentenceTransformer``.
        folder: A set in BEIR's layout. Passages are embedded without their titles.
    """
    judged = read_set(folder)
    records = list(read_corpus(judged.corpus_path))
    check_qrels(judged, (record.id for record in records))
    ids = [record.id for record in records]
    names = list(judged.queries)
    run = _nearest(_embed(model, judged.queries.values()), _embed(model, (r.text for r in records)), names, ids)
    scores = {"all": score_run(run, judged.qrels)}
    domain_of = {record.id: str(record.metadata.get("domain", "")) for record in records}
    groups: dict[str, dict[str, Mapping[str, float]]] = {}
    for query, relevant in judged.qrels.items():
        groups.setdefault(domain_of[next(iter(relevant))], {})[query] = relevant
    if len(groups) > 1:
        scores.update({domain: score_run(run, groups[domain]) for domain in sorted(groups) if domain})
    return scores


def korsts_scores(model: Any, path: Path) -> tuple[float, float]:
    """Pearson's and Spearman's correlation of cosines with KorSTS's scores, each times 100."""
    from scipy.stats import pearsonr, spearmanr

    if not path.is_file():
        raise SourceNotFoundError(path.name, "no such file; KorSTS is a table with seven columns")
    first: list[str] = []
    second: list[str] = []
    scores: list[float] = []
    lines = read_lines(path)
    next(lines, None)
    for number, line in lines:
        row = line.split("\t")
        try:
            scores.append(float(row[4]))
            first.append(row[5])
            second.append(row[6])
        except (IndexError, ValueError) as error:
            fail(path.name, number, "not a row of KorSTS: seven columns, the fifth a number", error)
    cosines = (_embed(model, first) * _embed(model, second)).sum(axis=1)
    return 100 * float(pearsonr(cosines, scores)[0]), 100 * float(spearmanr(cosines, scores)[0])


def _embed(model: Any, texts: Any) -> NDArray[np.float32]:
    return np.asarray(model.encode(list(texts), batch_size=256, normalize_embeddings=True), dtype=np.float32)


def _nearest(
    queries: NDArray[np.float32], passages: NDArray[np.float32], names: Sequence[str], ids: Sequence[str]
) -> dict[str, list[str]]:
    run: dict[str, list[str]] = {}
    for start in range(0, len(names), _ROWS):
        cosines = queries[start : start + _ROWS] @ passages.T
        # Stable, so that equal cosines keep the corpus's order on every machine.
        best = np.argsort(-cosines, axis=1, kind="stable")[:, :_DEPTH]
        for name, row in zip(names[start : start + _ROWS], best, strict=True):
            run[name] = [ids[i] for i in row]
    return run
