"""How one search is done. Each stage's settings stand beside the stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, Final, Literal, TypedDict, TypeVar, get_args

from kure_rag.errors import SearchError
from kure_rag.index.rank_bm25 import Bm25Settings
from kure_rag.search.duplicates import FoldSettings
from kure_rag.search.fusion import Fusion
from kure_rag.search.group import GroupSettings
from kure_rag.search.helpers import Hyde, MultiQuery
from kure_rag.search.mmr import MmrSettings
from kure_rag.search.neighbours import ExpandSettings
from kure_rag.search.rerank import Reranker, RerankSettings
from kure_rag.types import MODES, Mode

DenseEngine = Literal["auto", "chroma", "exact", "quantized"]
LexicalEngine = Literal["tantivy", "rank-bm25"]
Device = Literal["cpu", "cuda"]
ENGINES: Final = get_args(DenseEngine)
LEXICAL_ENGINES: Final = get_args(LexicalEngine)
DEVICES: Final = get_args(Device)
_MOST: Final = 1_000_000  # of each leg: the keyword view sets memory aside for as many as it is asked for


class SearchKeywords(TypedDict, total=False):
    """What a search takes as keywords; see :class:`SearchOptions`, which also takes each stage's settings."""

    k: int
    mode: Mode
    where: Mapping[str, Any] | None
    fusion: Fusion | None
    lexical: LexicalEngine
    bm25: Bm25Settings | None
    dense: DenseEngine
    device: Device
    candidates: int
    fold: FoldSettings | bool | None
    rerank: RerankSettings | Reranker | str | None
    relevance: bool
    score_threshold: float | None
    mmr: MmrSettings | float | None
    group_by: GroupSettings | Literal["document"] | None
    per_group: int
    expand: ExpandSettings | int | Literal["section"] | None
    highlight: bool
    multi_query: MultiQuery | None
    hyde: Hyde | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """What a search is asked to do, in the order in which it is done.

    Attributes:
        k: Hits for each query, at most.
        mode: ``hybrid``, ``lexical`` or ``dense``; a leg that is not asked for is not computed.
        where: Only chunks for which this holds, see :mod:`kure_rag.index.where`.
        multi_query: Query → other ways to ask it; their rankings are fused by reciprocal ranks.
        hyde: Query → a passage that might answer it, whose vector stands beside the query's.
        lexical: ``tantivy`` asks the keyword view on disk; ``rank-bm25`` plain BM25 without letter pairs, made in
            memory anew whenever the index has changed: one or two seconds and 160 MB for 10,000 passages.
        bm25: k1 and b of ``rank-bm25``, whose own are 1.2 and .75; the other engine's are fixed.
        dense: ``chroma`` asks Chroma's graph for candidates, ``quantized`` all one-bit codes, ``exact`` all vectors;
            ``auto`` is ``exact`` up to eight million numbers (31,000 vectors of 256 dimensions), ``quantized`` beyond.
            Codes are kept from 20,000 vectors on; fewer are scored one and all.
            Scores are exact with each. Rows that a filter leaves are always scored by the matrix.
        device: ``cuda`` for ``exact`` on a graphics card.
        candidates: Of each leg, at the least: a chunk that one leg ranks low may win by the other.
        fusion: For ``hybrid``; by default a convex combination with the model card's weight.
        fold: Near-duplicates become one hit; ``True`` for the default settings.
        rerank: A cross-encoder for the first candidates, or its name.
        relevance: Whether hits say how relevant they are on a scale from 0 to 1.
        score_threshold: Only hits of at least this relevance: the first ``k`` of the candidates that have it.
        mmr: Less of the same: 1 ranks by relevance alone, 0 by difference alone.
        group_by: ``document`` keeps a document's hits together, a few of each.
        expand: The text around each hit: so many chunks on each side, or the ``section`` of the same headings.
        highlight: Whether hits say where words of the query stand in them.
    """

    k: int = 10
    mode: Mode = "hybrid"
    where: Mapping[str, Any] | None = None
    multi_query: MultiQuery | None = None
    hyde: Hyde | None = None
    lexical: LexicalEngine = "tantivy"
    bm25: Bm25Settings | None = None
    dense: DenseEngine = "auto"
    device: Device = "cpu"
    candidates: int = 100
    fusion: Fusion | None = None
    fold: FoldSettings | None = None
    rerank: RerankSettings | None = None
    relevance: bool = False
    score_threshold: float | None = None
    mmr: MmrSettings | None = None
    group_by: GroupSettings | None = None
    expand: ExpandSettings | None = None
    highlight: bool = False

    def __post_init__(self) -> None:
        for name, value, known in (
            ("mode", self.mode, MODES),
            ("lexical engine", self.lexical, LEXICAL_ENGINES),
            ("dense engine", self.dense, ENGINES),
            ("device", self.device, DEVICES),
        ):
            if value not in known:
                raise SearchError(f"no {name} named {value!r}; choose one of {', '.join(known)}")
        check_count("k", self.k)
        check_count("candidates", self.candidates)
        if self.score_threshold is not None and not _is_share(self.score_threshold):
            raise SearchError(
                f"score_threshold={self.score_threshold!r}: a relevance is a number between 0 and 1, "
                "see kure_rag.search.relevance"
            )
        if self.bm25 is not None and self.lexical != "rank-bm25":
            raise SearchError('bm25 sets k1 and b of lexical="rank-bm25"; those of tantivy are fixed')
        if self.device == "cuda" and self.dense != "exact":
            raise SearchError('device="cuda" scores all vectors; ask for dense="exact" with it')

    @property
    def pool(self) -> int:
        """How many hits the stages after the fusion choose from."""
        wants = [self.k]
        if self.fold is not None:
            wants.append(self.fold.pool(self.k))
        if self.rerank is not None:
            wants.append(self.rerank.candidates)
        if self.mmr is not None:
            wants.append(max(self.mmr.candidates, self.k))
        if self.group_by is not None or self.score_threshold is not None:
            wants.append(self.candidates)
        return max(wants)

    @property
    def depth(self) -> int:
        """How many candidates are asked of each leg."""
        return min(max(self.candidates, 2 * self.pool), _MOST)


def options_of(base: SearchOptions | None, given: Mapping[str, Any]) -> SearchOptions:
    """Options with some keywords in the place of their own; short forms are spelled out.

    Raises:
        SearchError: A value makes no sense.
        TypeError: No option has that name.
    """
    if not given:
        return base or SearchOptions()
    values = dict(given)
    if unknown := sorted(values.keys() - set(SearchOptions.__slots__) - {"per_group"}):
        raise TypeError(
            f"a search takes no keyword {', '.join(unknown)}; it takes {', '.join(SearchOptions.__slots__)}"
        )
    if "per_group" in values:
        per_group = values.pop("per_group")
        if values.get("group_by") != "document":
            raise SearchError('per_group says how many hits of each group stay; ask for group_by="document" with it')
        values["group_by"] = _spelled("per_group", lambda limit: GroupSettings(limit=limit), per_group)
    if values.get("lexical", "rank-bm25") != "rank-bm25":
        values.setdefault("bm25", None)  # those of the other engine
    for name, spell in _SPELL.items():
        if name in values:
            values[name] = _spelled(name, spell, values[name])
    return replace(base or SearchOptions(), **values)


def check_count(name: str, value: object) -> None:
    """Refuses what is no number of things.

    Raises:
        SearchError: It is no whole number, or below 1.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise SearchError(f"{name}={value!r}: give a whole number of at least 1")


def _is_share(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) <= 1


def _spelled(name: str, spell: Callable[[Any], Any], value: Any) -> Any:
    try:
        return spell(value)
    except ValueError as error:  # of the settings themselves
        raise SearchError(str(error)) from None
    except TypeError as error:  # which they compare with a number
        raise SearchError(f"{name}={value!r}: {error}") from None


def _fold(value: Any) -> FoldSettings | None:
    if isinstance(value, bool) or value is None:
        return FoldSettings() if value else None
    return _settings("fold", value, FoldSettings)


def _rerank(value: Any) -> RerankSettings | None:
    if value is None or isinstance(value, RerankSettings):
        return value
    if isinstance(value, str) or hasattr(value, "scores"):
        return RerankSettings(model=value)
    raise SearchError(f"rerank={value!r}: give a reranker, its name, or RerankSettings")


def _mmr(value: Any) -> MmrSettings | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return MmrSettings(relevance_weight=float(value))
    return _settings("mmr", value, MmrSettings)


def _group(value: Any) -> GroupSettings | None:
    return GroupSettings() if value == "document" else _settings("group_by", value, GroupSettings)


def _expand(value: Any) -> ExpandSettings | None:
    if value == "section":
        return ExpandSettings(by="section")
    if isinstance(value, int) and not isinstance(value, bool):
        return ExpandSettings(by=value) if value else None
    return _settings("expand", value, ExpandSettings)


def _bm25(value: Any) -> Bm25Settings | None:
    return _settings("bm25", value, Bm25Settings)


_T = TypeVar("_T")


def _settings(name: str, value: Any, kind: type[_T]) -> _T | None:
    if value is None or isinstance(value, kind):
        return value
    raise SearchError(f"{name}={value!r}: give {kind.__name__}, or one of the short forms that SearchOptions names")


_SPELL: Final = {"bm25": _bm25, "fold": _fold, "rerank": _rerank, "mmr": _mmr, "group_by": _group, "expand": _expand}
