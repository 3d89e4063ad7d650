"""What is evaluated: how an index is asked, apart from the model it was made with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from kure_rag.errors import SearchError
from kure_rag.types import MODES, Mode

if TYPE_CHECKING:
    from kure_rag.search import Fusion, Reranker, SearchKeywords

FusionMethod = Literal["convex", "rrf"]
LexicalEngine = Literal["tantivy", "rank-bm25"]
DenseEngine = Literal["auto", "chroma", "exact", "quantized"]
FUSIONS: Final = get_args(FusionMethod)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSettings:
    """How each query of a set is asked.

    Attributes:
        k: Documents asked for. Measures at more than ``k`` ranks are not reported.
        mode: ``hybrid``, ``lexical`` or ``dense``.
        fusion: How ``hybrid`` combines the legs: ``convex`` scores or reciprocal ranks (``rrf``).
        weight: Of the dense leg in ``hybrid``, from 0 to 1; by default the model card's.
        candidates: Of each leg, at the least.
        reranker: The name or folder of a cross-encoder that reads the first candidates again.
        rerank_candidates: How many it reads.
        lexical: The keyword engine.
        dense: What finds vectors.
    """

    k: int = 10
    mode: Mode = "hybrid"
    fusion: FusionMethod = "convex"
    weight: float | None = None
    candidates: int = 100
    reranker: str | None = None
    rerank_candidates: int = 20
    lexical: LexicalEngine = "tantivy"
    dense: DenseEngine = "auto"

    def __post_init__(self) -> None:
        for name, least, value in (("k", 1, self.k), ("candidates", 1, self.candidates)):
            if value < least:
                raise SearchError(f"{name} is {value}; it must be {least} or more")
        for what, given, known in (("mode", self.mode, MODES), ("fusion", self.fusion, FUSIONS)):
            if given not in known:
                raise SearchError(f"{what} is {given!r}; choose one of {', '.join(known)}")
        if self.weight is not None and not 0 <= self.weight <= 1:
            raise SearchError(f"weight is {self.weight}; it must be between 0 and 1")
        if self.reranker is not None and self.rerank_candidates < self.k:
            raise SearchError(
                f"the reranker reads {self.rerank_candidates} candidates, fewer than the {self.k} that are asked for; "
                "let it read more, or lower k"
            )

    @property
    def pipeline(self) -> str:
        """What a table calls it: ``lexical``, ``dense``, ``hybrid``, ``hybrid+rerank`` and so on."""
        return f"{self.mode}+rerank" if self.reranker else self.mode

    def to_dict(self, dense_weight: float) -> dict[str, Any]:
        """For JSON: only what has a say in this mode.

        Args:
            dense_weight: What the model card says, for where ``weight`` does not.
        """
        values = asdict(self)
        values["weight"] = dense_weight if self.weight is None else self.weight
        drop = {"hybrid": set(), "lexical": {"fusion", "weight", "dense"}, "dense": {"fusion", "weight", "lexical"}}
        unused = drop[self.mode] | (set() if self.reranker else {"rerank_candidates"})
        return {name: value for name, value in values.items() if name not in unused}

    def keywords(self, dense_weight: float, reranker: Reranker | None = None) -> SearchKeywords:
        """The same as keywords of a search.

        Args:
            dense_weight: As for :meth:`to_dict`.
            reranker: The one that is named here, where it is loaded already.
        """
        from kure_rag.search import RerankSettings

        given: SearchKeywords = {
            "k": self.k,
            "mode": self.mode,
            "candidates": self.candidates,
            "lexical": self.lexical,
            "dense": self.dense,
        }
        if self.mode == "hybrid":
            given["fusion"] = self._fusion(dense_weight)
        if self.reranker is not None:
            # A reranker that fails must end the evaluation: its queries would be scored as if it were not there.
            given["rerank"] = RerankSettings(
                model=reranker or self.reranker, candidates=self.rerank_candidates, fall_back=False
            )
        return given

    def _fusion(self, dense_weight: float) -> Fusion:
        from kure_rag.search import RrfFusion, convex

        weight = dense_weight if self.weight is None else self.weight
        return RrfFusion(weight=weight) if self.fusion == "rrf" else convex(weight)
