"""Whether a model on this machine does what its card says: for real weights, which no test machine may have.

Each check has a name, what was expected and what came. The strongest are similarities that a model's authors published:
they hold only with the right weights, prefixes, pooling and tokenizer together.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np

from kure_rag.embed import notices
from kure_rag.embed.base import Role, Vectors
from kure_rag.embed.loading import stored_prompts
from kure_rag.embed.model import Embedder
from kure_rag.embed.texts import DOUBLED
from kure_rag.errors import EmbeddingError

TOLERANCE: Final = 0.005
"""How far a similarity may be from the published one: these have four digits, and half precision moves the third."""

_SAME: Final = 0.9995  # cosine of one computation done twice; a prefix moves a short text further than that
_BATCH: Final = 0.999  # in half precision the shape of a batch changes the rounding
_BATCH_INT8: Final = 0.99  # activations are scaled by the largest in the batch
_TEXT: Final = "연차휴가"  # short, so that a prefix is a good part of it
_LONG: Final = (
    "하루에 두 번, 식사 후 30분에 물과 함께 복용한다. 신장 기능이 낮은 환자는 용량을 줄이고, 이상 반응이 나타나면 "
    "복용을 멈춘 다음 의사와 상의하여야 한다. 어린이의 손이 닿지 않는 서늘하고 건조한 곳에 보관한다."
)
_TEXTS: Final = (
    "환불은 언제까지 되나요?",
    "병가",
    "임대차 계약이 끝난 뒤에도 보증금을 돌려받지 못한 세입자는 법원에 임차권 등기 명령을 신청할 수 있다.",
    _LONG,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check.

    Attributes:
        name: What was looked at.
        expected: What should have come.
        got: What came.
        passed: ``None`` where there is nothing to compare with.
    """

    name: str
    expected: str
    got: str
    passed: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfCheck:
    """All checks of one model.

    Attributes:
        model: Its name.
        checks: In the order they were made.
    """

    model: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return all(check.passed is not False for check in self.checks)


def check_model(embedder: Embedder, *, tolerance: float = TOLERANCE) -> SelfCheck:
    """Loads a model and checks it against its card.

    Args:
        embedder: With the settings it is to be used with, such as backend and precision. Its warning of texts that are
            prefixed already counts as said afterwards.
        tolerance: How far a similarity may be from the published one.

    Raises:
        ModelNotAvailableError: The weights cannot be reached.
        EmbeddingError: They cannot be loaded.
    """
    embedder.load()
    checks: list[Check] = []
    with quiet():
        try:
            checks.extend(_checks(embedder, tolerance))
        except EmbeddingError as error:  # such as a vector that is not finite: what was found before is told, too
            checks.append(Check(name="error", expected="none", got=str(error), passed=False))
    return SelfCheck(model=embedder.name, checks=tuple(checks))


def _checks(embedder: Embedder, tolerance: float) -> Iterator[Check]:
    yield from _vectors(embedder)
    yield _limit(embedder)
    yield _batch(embedder)
    yield from _prefix(embedder, "query")
    yield from _prefix(embedder, "passage")
    yield _roles(embedder)
    yield from _stored(embedder)
    yield from _uncarded(embedder)
    yield from _published(embedder, tolerance)


def _vectors(embedder: Embedder) -> Iterator[Check]:
    vectors = embedder.embed_passages(_TEXTS)
    expected = embedder.settings.dimension or embedder.card.dimension
    yield Check(
        name="dimension",
        expected=str(expected or "not stated"),
        got=str(vectors.shape[1]),
        passed=None if expected is None else vectors.shape[1] == expected,
    )
    finite = bool(np.isfinite(vectors).all())
    yield Check(name="finite numbers", expected="all", got="all" if finite else "not all", passed=finite)
    lengths = np.linalg.norm(vectors, axis=1)
    unit = bool(np.allclose(lengths, 1, atol=1e-3))
    yield Check(
        name="length of vectors",
        expected="1 (scaled)" if embedder.card.normalize else "any",
        got=f"{lengths.min():.4f} to {lengths.max():.4f}",
        passed=unit if embedder.card.normalize else None,
    )


def _limit(embedder: Embedder) -> Check:
    stated = [n for n in (embedder.card.max_tokens, embedder.settings.max_tokens) if n is not None]
    got = embedder.load().max_tokens
    return Check(
        name="max tokens",
        expected=f"{min(stated):,}" if stated else "not stated",
        got=f"{got:,}" if got else "no limit known",
        passed=got == min(stated) if stated and got else None,
    )


def _batch(embedder: Embedder) -> Check:
    least = _BATCH_INT8 if embedder.engine["precision"] == "int8" else _BATCH
    together = embedder.embed_passages(_TEXTS)
    alone = np.concatenate([embedder.embed_passages([text]) for text in _TEXTS])
    worst = min(_cosine(a, b) for a, b in zip(together, alone, strict=True))
    return Check(
        name="texts together and alone",
        expected=f"the same vectors: cosine >= {least}",
        got=f"{worst:.5f}",
        passed=worst >= least,
    )


def _prefix(embedder: Embedder, role: Role) -> Iterator[Check]:
    prefix = embedder.prefixes[0 if role == "query" else 1]
    vector = _embedded(embedder, role, _TEXT)
    return prefix_checks(
        role,
        prefix,
        as_it_is=lambda start: _cosine(vector, _as_it_is(embedder, role, start + _TEXT)),
        embedded=lambda start: _cosine(vector, _embedded(embedder, role, start + _TEXT)),
    )


def prefix_checks(
    role: Role, prefix: str, *, as_it_is: Callable[[str], float], embedded: Callable[[str], float]
) -> Iterator[Check]:
    """That a role's prefix is put before a text, and once.

    Args:
        role: Whose.
        prefix: It; may be empty.
        as_it_is: What stands before the text → how alike the model's own vector for both is to the embedder's for the
            bare text.
        embedded: The same for the embedder's vector, which puts its prefix.
    """
    bare = as_it_is("")
    if not prefix:
        yield Check(
            name=f"{role} prefix",
            expected="none, so the bare text's vector",
            got=f"cosine {bare:.5f}",
            passed=bare >= _SAME,
        )
        return
    once = as_it_is(prefix)
    yield Check(
        name=f"{role} prefix",
        expected=f"{prefix!r}: the prefixed text's vector, not the bare one's",
        got=f"cosines {once:.5f} and {bare:.5f}",
        passed=once >= _SAME > bare,
    )
    twice = embedded(prefix)
    yield Check(
        name=f"{role} prefix, not twice",
        expected="a prefixed text's vector is the same",
        got=f"cosine {twice:.5f}",
        passed=twice >= _SAME,
    )


def _roles(embedder: Embedder) -> Check:
    query, passage = embedder.prefixes
    alike = _cosine(_embedded(embedder, "query", _TEXT), _embedded(embedder, "passage", _TEXT))
    one = query == passage
    return Check(
        name="a text as query and passage",
        expected="the same vector" if one else "two different vectors",
        got=f"cosine {alike:.5f}",
        passed=(alike >= _SAME) == one,
    )


def _stored(embedder: Embedder) -> Iterator[Check]:
    """The card's prefixes beside those that the weights bring along, where they bring any."""
    if None in (embedder.card.query_prefix, embedder.card.passage_prefix) or embedder.settings.backend == "remote":
        return
    where = embedder.folder or embedder.card.name
    stored = stored_prompts(where, embedder.revision, embedder.settings)
    for role, put, found in zip(("query", "passage"), embedder.prefixes, stored, strict=True):
        yield Check(
            name=f"{role} prompt in the weights",
            expected=repr(put) if put else "none",
            got=repr(found) if found else "none stored",
            passed=found == put if found or not put else None,
        )


def _uncarded(embedder: Embedder) -> Iterator[Check]:
    """How a model without a card is used: nothing says whether that is right, but people may know."""
    facts = embedder.facts
    if facts is None:
        return
    by = "as the settings say" if embedder.settings.pooling else "not known without a card"
    yield Check(name="pooling", expected=by, got=facts.pooling, passed=None)
    for what in facts.assumed:
        yield Check(name="assumed", expected="not known without a card", got=what, passed=None)


def _published(embedder: Embedder, tolerance: float) -> Iterator[Check]:
    reference = embedder.card.reference
    if reference is None:
        yield Check(name="similarities", expected="no published reference", got="not compared", passed=None)
        return
    rows = np.concatenate([embedder.embed_queries([reference.query]), embedder.embed_passages(reference.passages)])
    names = ("query", *(f"passage {i}" for i in range(1, len(rows))))
    for one, other, value in reference.similarities:
        got = _cosine(rows[one], rows[other])
        yield Check(
            name=f"similarity of {names[one]} and {names[other]}",
            expected=f"{value:.4f} ± {tolerance:g}",
            got=f"{got:.4f}",
            passed=abs(got - value) <= tolerance,
        )


def _embedded(embedder: Embedder, role: Role, text: str) -> Vectors:
    embed = embedder.embed_queries if role == "query" else embedder.embed_passages
    row: Vectors = embed([text])[0]
    return row


def _as_it_is(embedder: Embedder, role: Role, text: str) -> Vectors:
    """The vector of a text with nothing put before it: straight from the engine."""
    row: Vectors = embedder.load().encode([text], role=role)[0]
    return row[: embedder.settings.dimension]


def _cosine(a: Vectors, b: Vectors) -> float:
    lengths = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    return float(a.astype(np.float64) @ b.astype(np.float64)) / lengths if lengths else 0.0


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warning of prefixed texts, which are ours."""
    logger = logging.getLogger(notices.__name__)

    def drop(record: logging.LogRecord) -> bool:
        return record.msg != DOUBLED

    logger.addFilter(drop)
    try:
        yield
    finally:
        logger.removeFilter(drop)


def summary(checks: Sequence[Check]) -> str:
    """One line: how many passed, failed, and could not be compared."""
    passed, failed, open_ = (sum(check.passed is state for check in checks) for state in (True, False, None))
    return f"{passed} passed, {failed} failed, {open_} with nothing to compare"
