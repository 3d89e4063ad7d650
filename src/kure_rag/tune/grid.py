"""What is tried: a setting, and the alternatives of each stage."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, get_args

from kure_rag.chunk import ChunkSettings
from kure_rag.config import search_to_dict
from kure_rag.search import Bm25Settings, ConvexFusion, Fusion, RerankSettings, RrfFusion, SearchOptions

Stage = Literal["chunking", "lexical", "fusion", "reranker"]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """What each stage tries beside the present settings.

    Attributes:
        stages: Which are searched, in the order of :data:`STAGES`.
        targets: Characters that passages are filled up to.
        profiles: Chunk profiles.
        k1: Of BM25, with ``rank-bm25``.
        b: Likewise.
        most_passages: In larger indexes ``rank-bm25`` is not tried: it is made anew in memory by every process.
        weights: Of the dense leg, in both ways to fuse.
        rerankers: Names or folders of cross-encoders; each is read from the disk, and reads a few passages a question.
        candidates: Passages that a reranker reads.
    """

    stages: tuple[Stage, ...] = STAGES
    targets: tuple[int, ...] = (300, 400, 600, 800)
    profiles: tuple[str, ...] = ("auto", "general")
    k1: tuple[float, ...] = (0.6, 0.9, 1.2, 1.6)
    b: tuple[float, ...] = (0.3, 0.5, 0.75, 1.0)
    most_passages: int = 20_000
    weights: tuple[float, ...] = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    rerankers: tuple[str, ...] = ()
    candidates: tuple[int, ...] = (10, 20, 50)

    def __post_init__(self) -> None:
        if unknown := [stage for stage in self.stages if stage not in STAGES]:
            raise ValueError(f"no stage named {unknown[0]!r}; choose from {', '.join(STAGES)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One way to cut and to search.

    Attributes:
        chunks: How documents are cut; ``None`` where the index holds ready passages.
        options: How it is searched; the fusion is always said.
    """

    chunks: ChunkSettings | None
    options: SearchOptions

    def __post_init__(self) -> None:
        if self.options.fusion is None:
            raise ValueError("say which fusion: what an index does by itself hangs on its model")

    @property
    def fusion(self) -> Fusion:
        """The fusion of a hybrid search."""
        return self.options.fusion or ConvexFusion(weight=0.0)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"chunk": None if self.chunks is None else asdict(self.chunks), "search": search_to_dict(self.options)}

    @property
    def key(self) -> str:
        """The same for equal settings."""
        return json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False)

    def differs(self, other: Setting) -> str:
        """In words, what of this is not as in another one; ``as it is`` where nothing is."""
        told = []
        if self.chunks is not None and self.chunks != other.chunks:
            told.append(f"{self.chunks.profile} {self.chunks.target}/{self.chunks.longest}")
        mine, theirs = self.options, other.options
        if (mine.lexical, mine.bm25) != (theirs.lexical, theirs.bm25):
            told.append(_engine(mine))
        if mine.mode != theirs.mode:
            told.append(f"{mine.mode} alone" if mine.mode != "hybrid" else describe_fusion(self.fusion))
        elif mine.mode == "hybrid" and mine.fusion != theirs.fusion and not _follows(self, other):
            told.append(describe_fusion(self.fusion))
        if mine.rerank != theirs.rerank:
            told.append("no reranker" if mine.rerank is None else f"{mine.rerank.model} reads {mine.rerank.candidates}")
        return ", ".join(told) or "as it is"


def _engine(options: SearchOptions) -> str:
    if options.lexical == "tantivy":
        return "tantivy"
    settings = options.bm25 or Bm25Settings()
    return f"rank-bm25 k1 {settings.k1:g} b {settings.b:g}"


def _follows(one: Setting, other: Setting) -> bool:
    """Whether fusions differ by the scale alone, which follows the keyword engine."""
    mine, theirs = one.fusion, other.fusion
    return (
        one.options.lexical != other.options.lexical
        and isinstance(mine, ConvexFusion)
        and isinstance(theirs, ConvexFusion)
        and replace(mine, scale=theirs.scale) == theirs
    )


def describe_fusion(fusion: Fusion) -> str:
    """In a few words."""
    if isinstance(fusion, ConvexFusion):
        return f"convex {fusion.weight:g}" + ("" if fusion.normaliser == "spread" else f" {fusion.normaliser}")
    if isinstance(fusion, RrfFusion):
        return f"rrf {fusion.weight:g} (k {fusion.k})"
    return type(fusion).__name__


def chunkings(present: Setting, grid: Grid) -> Iterator[Setting]:
    """Other lengths with the present profile, and other profiles with the present length."""
    own = present.chunks
    if own is None:
        return
    seen = {own}
    for target in grid.targets:
        longest = own.longest if target == own.target else 2 * target
        yield from _new(present, replace(own, target=target, longest=longest), seen)
    for profile in grid.profiles:
        yield from _new(present, replace(own, profile=profile), seen)


def _new(present: Setting, chunks: ChunkSettings, seen: set[ChunkSettings]) -> Iterator[Setting]:
    if chunks not in seen:
        seen.add(chunks)
        yield replace(present, chunks=chunks)


def engines(present: Setting, grid: Grid) -> Iterator[Setting]:
    """The other keyword engine, with each k1 and b. The scale of the fusion is the caller's to set right."""
    given = present.options
    if given.lexical != "tantivy":
        yield replace(present, options=replace(given, lexical="tantivy", bm25=None))
    for k1 in grid.k1:
        for b in grid.b:
            settings = Bm25Settings(k1=k1, b=b)
            if (given.lexical, given.bm25 or Bm25Settings()) != ("rank-bm25", settings):
                yield replace(present, options=replace(given, lexical="rank-bm25", bm25=settings))


def fusions(present: Setting, grid: Grid) -> Iterator[Setting]:
    """Other weights and ways to fuse, and each leg alone."""
    given = present.options
    own = given.fusion
    scale = own.scale if isinstance(own, ConvexFusion) else ConvexFusion(weight=0.5).scale
    tried: Sequence[Fusion] = [
        *(ConvexFusion(weight=weight, normaliser="spread", scale=scale) for weight in grid.weights),
        *(ConvexFusion(weight=weight, normaliser="minmax") for weight in grid.weights),
        *(RrfFusion(weight=weight, k=k) for k in (10, 60) for weight in grid.weights),
    ]
    for fusion in tried:
        if given.mode != "hybrid" or fusion != own:
            yield replace(present, options=replace(given, mode="hybrid", fusion=fusion))
    for mode in ("lexical", "dense"):
        if given.mode != mode:
            yield replace(present, options=replace(given, mode=mode))


def rerankers(present: Setting, grid: Grid) -> Iterator[Setting]:
    """Each reranker, reading fewer or more passages; and none, where there is one."""
    given = present.options
    if given.rerank is not None:
        yield replace(present, options=replace(given, rerank=None))
    for model in grid.rerankers:
        for count in grid.candidates:
            settings = RerankSettings(model=model, candidates=count)
            if given.rerank is None or (given.rerank.model, given.rerank.candidates) != (model, count):
                yield replace(present, options=replace(given, rerank=settings))
