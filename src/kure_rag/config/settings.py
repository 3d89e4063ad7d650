"""``kure-rag.yaml``: how an index's documents are cut, and how it is searched where a search does not say otherwise.

::

    chunk:
      profile: auto
      target: 400
      longest: 800
    search:
      mode: hybrid
      lexical: rank-bm25
      bm25: {k1: 0.9, b: 0.5}
      fusion: {method: convex, weight: 0.3, normaliser: spread, scale: 40}
      candidates: 100
      rerank: {model: dragonkue/bge-reranker-v2-m3-ko, candidates: 20}
      k: 10

Every key may be left out. An unknown one is an error, not a silent default.

``k`` is how many hits ``KureIndex.search`` and ``kure-rag search`` return. The adapters for frameworks and the chat ask
for a number of their own, each in its own settings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kure_rag.chunk import ChunkSettings
from kure_rag.config.chunks import read_chunks
from kure_rag.config.yaml_file import Value, read_yaml
from kure_rag.errors import MissingExtraError, SearchError
from kure_rag.index.rank_bm25 import Bm25Settings
from kure_rag.search import ConvexFusion, Fusion, RerankSettings, RrfFusion, SearchOptions
from kure_rag.search.fusion import NORMALISERS
from kure_rag.search.options import ENGINES, LEXICAL_ENGINES
from kure_rag.types import MODES

_METHODS: Final = ("convex", "rrf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a ``kure-rag.yaml`` says.

    Attributes:
        chunks: How documents are cut; as the index was made, when ``None``.
        search: How it is searched; by the defaults, when ``None``.
    """

    chunks: ChunkSettings | None = None
    search: SearchOptions | None = None


def read_config(path: str | Path) -> Config:
    """Reads a ``kure-rag.yaml``.

    Raises:
        MissingExtraError: The extra ``autorag`` is not installed.
        ConfigError: The file cannot be read, is no YAML, or has a key or a value that makes no sense; the message
            names the line, the key and the choices.
    """
    top = read_yaml(Path(path).expanduser(), hint="write chunk: or search:, or have `kure-rag tune` write it").mapping(
        "chunk", "search"
    )
    section = top.get("search")
    return Config(chunks=read_chunks(top.get("chunk")), search=None if section is None else _search(section))


def search_of(data: dict[str, Any]) -> SearchOptions:
    """Options from what :func:`search_to_dict` made of them."""
    given = dict(data)
    if "bm25" in given:
        given["bm25"] = Bm25Settings(**given["bm25"])
    if "fusion" in given:
        fusion = dict(given["fusion"])
        given["fusion"] = (ConvexFusion if fusion.pop("method") == "convex" else RrfFusion)(**fusion)
    if "rerank" in given:
        given["rerank"] = RerankSettings(**given["rerank"])
    return SearchOptions(**given)


def search_to_dict(options: SearchOptions) -> dict[str, Any]:
    """What of some options stands in a file, as plain values.

    Raises:
        ValueError: A fusion or a reranker that is an object of the caller's own, which no file can hold.
    """
    out: dict[str, Any] = {"mode": options.mode, "lexical": options.lexical}
    if options.bm25 is not None:
        out["bm25"] = {"k1": options.bm25.k1, "b": options.bm25.b}
    out["dense"] = options.dense
    if options.fusion is not None:
        out["fusion"] = _fusion_to_dict(options.fusion)
    out["candidates"] = options.candidates
    if options.rerank is not None:
        if not isinstance(options.rerank.model, str):
            raise ValueError("a reranker that is an object cannot stand in a file; give its name or its folder")
        out["rerank"] = {"model": options.rerank.model, "candidates": options.rerank.candidates}
    return {**out, "k": options.k}


def config_text(config: Config, comments: Sequence[str] = ()) -> str:
    """The YAML that :func:`read_config` reads the same settings from.

    Args:
        config: What to write.
        comments: Lines put on top.

    Raises:
        MissingExtraError: The extra ``autorag`` is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError("writing a YAML file", "autorag") from error
    data: dict[str, Any] = {}
    if config.chunks is not None:
        data["chunk"] = {
            "profile": config.chunks.profile,
            "target": config.chunks.target,
            "longest": config.chunks.longest,
        }
    if config.search is not None:
        data["search"] = search_to_dict(config.search)
    head = "".join(f"# {line}".rstrip() + "\n" for line in comments)
    return head + str(yaml.safe_dump(data, allow_unicode=True, sort_keys=False))


def _fusion_to_dict(fusion: Fusion) -> dict[str, Any]:
    if isinstance(fusion, ConvexFusion):
        return {
            "method": "convex",
            "weight": fusion.weight,
            "normaliser": fusion.normaliser,
            "scale": fusion.scale,
        }
    if isinstance(fusion, RrfFusion):
        return {"method": "rrf", "weight": fusion.weight, "k": fusion.k}
    raise ValueError(f"{type(fusion).__name__} is a fusion of your own and cannot stand in a file")


def _search(section: Value) -> SearchOptions:
    keys = section.mapping("mode", "lexical", "bm25", "dense", "fusion", "candidates", "rerank", "k")
    readers: dict[str, Callable[[Value], Any]] = {
        "mode": lambda value: value.choice(MODES),
        "lexical": lambda value: value.choice(LEXICAL_ENGINES),
        "bm25": _bm25,
        "dense": lambda value: value.choice(ENGINES),
        "fusion": _fusion,
        "candidates": lambda value: value.whole_number(1),
        "rerank": _rerank,
        "k": lambda value: value.whole_number(1),
    }
    try:
        return SearchOptions(**{name: readers[name](value) for name, value in keys.items()})
    except SearchError as error:  # settings that do not go together
        raise section.error(f"makes no sense: {error}") from error


def _bm25(section: Value) -> Bm25Settings:
    keys = section.mapping("k1", "b")
    default = Bm25Settings()
    return Bm25Settings(
        k1=keys["k1"].number() if "k1" in keys else default.k1, b=keys["b"].share() if "b" in keys else default.b
    )


def _fusion(section: Value) -> Fusion:
    method = section.part("method")
    name = "" if method is None else method.choice(_METHODS)
    keys = section.mapping("method", "weight", *(("k",) if name == "rrf" else ("normaliser", "scale")))
    section.need(keys, "method")
    given: dict[str, Any] = {"weight": section.need(keys, "weight").share()}
    if name == "rrf":
        return RrfFusion(**given, **({"k": keys["k"].whole_number(0)} if "k" in keys else {}))
    given["normaliser"] = keys["normaliser"].choice(NORMALISERS) if "normaliser" in keys else "spread"
    if "scale" in keys:
        given["scale"] = keys["scale"].number()
    return ConvexFusion(**given)


def _rerank(section: Value) -> RerankSettings:
    keys = section.mapping("model", "candidates")
    given: dict[str, Any] = {"model": section.need(keys, "model").text()}
    if "candidates" in keys:
        given["candidates"] = keys["candidates"].whole_number(1)
    return RerankSettings(**given)
