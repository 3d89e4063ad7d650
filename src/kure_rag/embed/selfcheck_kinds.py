"""The self-check of sparse models, late interaction and rerankers: :mod:`kure_rag.embed.selfcheck` for the other kinds.

Nobody published vectors or scores of these to compare with. So what is checked is what must hold for any of them: the
card's numbers, prefixes, equal results in any batch, and that a question's own passage stands above the others'.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from kure_rag.embed.base import Role
from kure_rag.embed.late import LateInteractionEmbedder, maxsim
from kure_rag.embed.library_engine import Row
from kure_rag.embed.library_model import LibraryModel
from kure_rag.embed.library_precision import LEAST_COSINE, least_cosine
from kure_rag.embed.rerank import KureReranker
from kure_rag.embed.selfcheck import Check, SelfCheck, prefix_checks, quiet
from kure_rag.embed.sparse import SparseEmbedder, sparse_vectors
from kure_rag.embed.two_roles import TwoRoles
from kure_rag.errors import EmbeddingError

QUESTIONS: Final = (
    ("퇴직금은 언제까지 지급해야 하나요?", "퇴직금은 퇴직한 날부터 14일 안에 지급해야 한다."),
    (
        "이 약을 먹으면 어떤 부작용이 있나요?",
        "약을 복용한 뒤 어지럼증이나 발진 같은 부작용이 나타나면 의사에게 알린다.",
    ),
    ("대출 이자는 매달 며칠에 빠져나가나요?", "대출 이자는 매달 25일에 지정한 계좌에서 자동으로 빠져나간다."),
)
"""Questions, each with its own passage; the passages of the others are irrelevant to it."""

_TEXT: Final = "연차휴가"  # short, so that a prefix is a good part of it
_SAME: Final = 0.9995  # cosine of one computation done twice; a prefix moves a short text further than that
_BATCH: Final = 0.999  # in half precision the shape of a batch changes the rounding
_SCORE: Final = 0.01  # of a reranker's 0 to 1, likewise


def check_library_model(model: LibraryModel) -> SelfCheck:
    """Loads a model and checks it.

    Args:
        model: With the settings it is to be used with. Its warning of texts that are prefixed already counts as said
            afterwards.

    Raises:
        ModelNotAvailableError: The weights cannot be reached.
        EmbeddingError: They cannot be loaded.
    """
    model.load()
    checks: list[Check] = []
    with quiet():
        try:
            checks.extend(_checks(model))
        except EmbeddingError as error:  # such as a number that is not finite: what was found before is told, too
            checks.append(Check(name="error", expected="none", got=str(error), passed=False))
    return SelfCheck(model=model.name, checks=tuple(checks))


def _checks(model: LibraryModel) -> Iterator[Check]:
    yield from _limits(model)
    yield _precision(model)
    if isinstance(model, KureReranker):
        yield from _scores(model)
        yield from _relevance(np.stack([_scored(model, query) for query, _ in QUESTIONS]))
    elif isinstance(model, TwoRoles):
        yield from _shapes(model)
        yield _batch(model)
        yield from _prefix(model, "query")
        yield from _prefix(model, "passage")
        yield _roles(model)
        yield from _stored(model)
        yield from _relevance(_similarities(model))


def _limits(model: LibraryModel) -> Iterator[Check]:
    stated = [n for n in (model.card.max_tokens, model.settings.max_tokens) if n is not None]
    facts = model.load().facts
    limits = {"query": facts.query_tokens, "passage": facts.passage_tokens}
    if isinstance(model, KureReranker):
        limits = {"pair": facts.query_tokens}
    for what, got in limits.items():
        # A model may cut queries shorter than its card's limit, which is that of passages.
        passed = None if not stated or got is None else got <= min(stated) if what == "query" else got == min(stated)
        yield Check(
            name=f"max tokens of a {what}",
            expected=f"{'at most ' if what == 'query' else ''}{min(stated):,}" if stated else "not stated",
            got=f"{got:,}" if got else "no limit known",
            passed=passed,
        )


def _precision(model: LibraryModel) -> Check:
    facts = model.load().facts
    if facts.cosine is None:
        return Check(name="precision", expected=model.settings.precision, got=facts.precision, passed=None)
    kept = facts.precision != "float32"
    return Check(
        name="precision",
        expected=f"half where its cosine to fp32 >= {LEAST_COSINE}",
        got=f"{facts.precision}; half precision has {facts.cosine:.5f}",
        passed=kept == (facts.cosine >= LEAST_COSINE),
    )


# Sparse and late interaction


def _passages() -> list[str]:
    return [passage for _, passage in QUESTIONS]


def _shapes(model: TwoRoles) -> Iterator[Check]:
    prefix = model.prefixes[1]
    rows = model.compute([prefix + passage for passage in _passages()], "passage", "text")
    widths = {model.load().facts.dimension} if model.kind == "sparse" else {row[0].shape[1] for row in rows}
    expected = model.card.dimension
    yield Check(
        name="dimension",
        expected=f"{expected:,}" if expected else "not stated",
        got=", ".join(f"{width:,}" for width in sorted(filter(None, widths))),
        passed=None if expected is None else widths == {expected},
    )
    if isinstance(model, SparseEmbedder):
        yield from _weights(model, rows)
    elif isinstance(model, LateInteractionEmbedder):
        yield from _token_vectors(model)


def _weights(model: SparseEmbedder, rows: Sequence[Row]) -> Iterator[Check]:
    counts = [len(values) for _, values in rows]
    dimension = model.load().facts.dimension or 0
    yield Check(
        name="words of a passage",
        expected="some, and not all of the vocabulary",
        got=f"{min(counts):,} to {max(counts):,} of {dimension:,}",
        passed=min(counts) > 0 and max(counts) < dimension,
    )
    least = min((float(values.min()) for _, values in rows if len(values)), default=0.0)
    yield Check(name="weights", expected="above 0", got=f"from {least:.4f}", passed=least > 0)


def _token_vectors(model: LateInteractionEmbedder) -> Iterator[Check]:
    passages = model.embed_passages(_passages())
    counts, limit = [len(vectors) for vectors in passages], model.load().facts.passage_tokens
    yield Check(
        name="vectors of a passage",
        expected="one for each token that counts",
        got=f"{min(counts)} to {max(counts)}",
        passed=min(counts) > 1 and (limit is None or max(counts) <= limit),
    )
    lengths = np.linalg.norm(np.concatenate([*passages, *model.embed_queries([QUESTIONS[0][0]])]), axis=1)
    unit = bool(np.allclose(lengths, 1, atol=1e-3))
    yield Check(
        name="length of vectors",
        expected="1 (scaled)" if model.card.normalize else "any",
        got=f"{lengths.min():.4f} to {lengths.max():.4f}",
        passed=unit if model.card.normalize else None,
    )


def _batch(model: TwoRoles) -> Check:
    texts = [*_passages(), _TEXT]
    together = _arrays(model, texts, "passage")
    alone = [array for text in texts for array in _arrays(model, [text], "passage")]
    same = [a.shape for a in together] == [b.shape for b in alone]
    worst = least_cosine(together, alone) if same else 0.0
    return Check(
        name="texts together and alone",
        expected=f"the same vectors: cosine >= {_BATCH}",
        got=f"{worst:.5f}",
        passed=worst >= _BATCH,
    )


def _prefix(model: TwoRoles, role: Role) -> Iterator[Check]:
    prefix = model.prefixes[0 if role == "query" else 1]
    [found] = _arrays(model, [_TEXT], role)
    return prefix_checks(
        role,
        prefix,
        as_it_is=lambda start: _likeness(found, _as_it_is(model, role, start + _TEXT)),
        embedded=lambda start: _likeness(found, _arrays(model, [start + _TEXT], role)[0]),
    )


def _roles(model: TwoRoles) -> Check:
    query, passage = model.prefixes
    alike = _likeness(_arrays(model, [_TEXT], "query")[0], _arrays(model, [_TEXT], "passage")[0])
    return Check(
        name="a text as query and passage",
        expected="two different vectors" if query != passage else "as the model has it: one way for both, or two",
        got=f"cosine {alike:.5f}",
        passed=alike < _SAME if query != passage else None,
    )


def _stored(model: TwoRoles) -> Iterator[Check]:
    """The card's prefixes beside those that the weights bring along."""
    for role, put, found in zip(("query", "passage"), model.prefixes, model.stored_prefixes, strict=True):
        yield Check(
            name=f"{role} prompt in the weights",
            expected=repr(put) if put else "none",
            got=repr(found) if found else "none stored",
            passed=found == put if found or not put else None,
        )


def _similarities(model: TwoRoles) -> npt.NDArray[np.float32]:
    queries = [query for query, _ in QUESTIONS]
    if isinstance(model, SparseEmbedder):
        return model.embed_queries(queries).dot(model.embed_passages(_passages()))
    if isinstance(model, LateInteractionEmbedder):
        return maxsim(model.embed_queries(queries), model.embed_passages(_passages()))
    raise TypeError(f"{type(model).__name__} has no score")


def _arrays(model: TwoRoles, texts: Sequence[str], role: Role) -> list[npt.NDArray[np.float32]]:
    """What the model's own methods make of texts, an array for each."""
    if isinstance(model, SparseEmbedder):
        return list((model.embed_queries if role == "query" else model.embed_passages)(texts).dense())
    if isinstance(model, LateInteractionEmbedder):
        return (model.embed_queries if role == "query" else model.embed_passages)(texts)
    raise TypeError(f"{type(model).__name__} makes no vectors")


def _as_it_is(model: TwoRoles, role: Role, text: str) -> npt.NDArray[np.float32]:
    """The vectors of a text with nothing put before it: straight from the engine."""
    rows = model.compute([text], role, "text")
    if model.kind == "sparse":
        found: npt.NDArray[np.float32] = sparse_vectors(rows, model.load().facts.dimension or 0).dense()[0]
        return found
    vectors = rows[0][0]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if model.card.normalize else vectors


def _likeness(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    """Cosine of two texts' vectors; of two texts with different numbers of tokens none can be told, and it is 0."""
    return least_cosine([a], [b]) if a.shape == b.shape else 0.0


# Rerankers


def _scored(model: KureReranker, query: str) -> npt.NDArray[np.float32]:
    return model.scores([(query, passage) for passage in _passages()])


def _scores(model: KureReranker) -> Iterator[Check]:
    pairs = list(itertools.product([query for query, _ in QUESTIONS], _passages()))
    together = model.scores(pairs)
    yield Check(
        name="scores",
        expected="one for each pair",
        got=f"{len(together)} for {len(pairs)}, from {together.min():.4f} to {together.max():.4f}",
        passed=together.shape == (len(pairs),) and len(set(together.tolist())) > 1,
    )
    alone = np.concatenate([model.scores([pair]) for pair in pairs])
    most = float(np.abs(together - alone).max())
    wide = max(1.0, float(np.ptp(together)))  # where scores are not between 0 and 1
    yield Check(
        name="pairs together and alone",
        expected=f"the same scores: within {_SCORE * wide:g}",
        got=f"{most:.5f} apart at most",
        passed=most <= _SCORE * wide,
    )
    ranked = [item.position for item in model.rank(QUESTIONS[0][0], _passages())]
    best_first = np.argsort(-_scored(model, QUESTIONS[0][0]), kind="stable").tolist()
    yield Check(
        name="order",
        expected="by score, best first",
        got=", ".join(str(position) for position in ranked),
        passed=ranked == best_first,
    )


def _relevance(scores: npt.NDArray[np.float32]) -> Iterator[Check]:
    """Whether each question's own passage has the highest score, which stands on the diagonal."""
    for i, row in enumerate(scores):
        own, other = float(row[i]), float(np.delete(row, i).max())
        yield Check(
            name=f"own passage of question {i + 1}",
            expected="above the irrelevant ones",
            got=f"{own:.4f} against {other:.4f}",
            passed=own > other,
        )
