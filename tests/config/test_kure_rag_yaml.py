"""``kure-rag.yaml``: written and read, named where it is wrong, and what an index makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from commands import call
from hypothesis import given, settings
from hypothesis import strategies as st
from tuning_support import KnowingEmbedder, marks

from kure_rag import ConvexFusion, KureIndex, RrfFusion
from kure_rag.autorag import read_recipe
from kure_rag.chunk import ChunkSettings
from kure_rag.config import Config, config_text, read_config, search_of, search_to_dict
from kure_rag.errors import ConfigError, FingerprintMismatchError
from kure_rag.read import Record
from kure_rag.search import Bm25Settings, RerankSettings, SearchOptions

QUESTION = f"연차휴가 {marks(5)}"  # the words of one record, the marks of another

shares = st.floats(0, 1).map(lambda number: round(number, 4))
fusions = st.none() | st.one_of(
    st.builds(
        ConvexFusion,
        weight=shares,
        scale=st.floats(0.1, 500).map(lambda number: round(number, 3)),
        normaliser=st.sampled_from(["cosine", "spread", "minmax"]),
    ),
    st.builds(RrfFusion, weight=shares, k=st.integers(0, 200)),
)
engines = st.just(("tantivy", None)) | st.tuples(
    st.just("rank-bm25"),
    st.none() | st.builds(Bm25Settings, k1=st.floats(0.1, 3).map(lambda number: round(number, 2)), b=shares),
)
rerankers = st.none() | st.builds(
    RerankSettings, model=st.sampled_from(["owner/모델", "./models/ours"]), candidates=st.integers(1, 99)
)
chunkings = st.none() | st.integers(1, 5_000).flatmap(
    lambda target: st.builds(
        ChunkSettings,
        target=st.just(target),
        longest=st.integers(target, 9_000),
        profile=st.sampled_from(["auto", "general", "legal"]),
    )
)


@st.composite
def options(draw: Any) -> SearchOptions:
    lexical, bm25 = draw(engines)
    return SearchOptions(
        mode=draw(st.sampled_from(["hybrid", "lexical", "dense"])),
        lexical=lexical,
        bm25=bm25,
        dense=draw(st.sampled_from(["auto", "exact"])),
        fusion=draw(fusions),
        candidates=draw(st.integers(1, 500)),
        rerank=draw(rerankers),
        k=draw(st.integers(1, 50)),
    )


@settings(deadline=None, max_examples=60)
@given(chunkings, options())
def test_what_is_written_is_read_again(
    tmp_path_factory: Any, chunks: ChunkSettings | None, search: SearchOptions
) -> None:
    config = Config(chunks=chunks, search=search)
    file = tmp_path_factory.getbasetemp() / "kure-rag.yaml"
    file.write_text(config_text(config, ["설정", "둘째 줄"]), encoding="utf-8")
    assert read_config(file) == config
    assert search_of(search_to_dict(search)) == search


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty; write chunk: or search:"),
        ("serach: {k: 3}", "line 1: serach is no key of this file; did you mean search?"),
        ("search:\n  mode: both", "line 2: search.mode is 'both'; choose hybrid, lexical or dense"),
        ("search:\n  k: 0", "line 2: search.k is 0; write a whole number from 1 up"),
        ("search:\n  bm25: {k1: 1}", "line 2: search makes no sense: bm25 sets k1 and b"),
        ("search:\n  lexical: rank-bm25\n  bm25: {b: 2}", "line 3: search.bm25.b is 2; write a number from 0 to 1"),
        ("search:\n  fusion: {weight: 0.3}", "line 2: search.fusion has no method; add one"),
        ("search:\n  fusion: {method: rrf, weight: 0.3, scale: 4}", "scale is no key of search.fusion"),
        ("search:\n  fusion: {method: convex}", "search.fusion has no weight; add one"),
        ("search:\n  rerank: {candidates: 3}", "search.rerank has no model; add one"),
        ("chunk:\n  target: 900\n  longest: 300", "line 2: chunk.target is 900, more than longest (300)"),
        ("chunk:\n  profile: leagl", "line 2: chunk.profile is 'leagl'; choose auto, general"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "kure-rag.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        read_config(file)
    assert said in str(raised.value)
    with pytest.raises(ConfigError):
        KureIndex.open(tmp_path / "ix", config=file)
    assert not (tmp_path / "ix").exists()


def test_what_a_file_cannot_hold_is_refused() -> None:
    class Own:
        def fuse(self, legs: Any) -> dict[int, float]:
            return {}

    with pytest.raises(ValueError, match="Own is a fusion of your own"):
        search_to_dict(SearchOptions(fusion=Own()))
    with pytest.raises(ValueError, match="a reranker that is an object"):
        search_to_dict(SearchOptions(rerank=RerankSettings(model=Own())))  # type: ignore[arg-type]


def test_ingesting_takes_the_chunking_of_the_same_file(tmp_path: Path) -> None:
    file = tmp_path / "kure-rag.yaml"
    file.write_text("chunk: {profile: legal, target: 300}\nsearch: {k: 3}\n", encoding="utf-8")
    assert (
        read_recipe(file).chunks == read_config(file).chunks == ChunkSettings(profile="legal", target=300, longest=600)
    )


# What an index makes of it


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("config") / "ix"
    records = [
        Record("말", "", f"연차휴가는 신청하면 쓴다. 남은 연차휴가에는 수당을 준다. {marks(1)}"),
        Record("뜻", "", f"쉬는 날이 며칠인지 알려 준다. {marks(5)}"),
        Record("딴", "", f"주차장은 지하에 있다. {marks(2)}"),
    ]
    with KureIndex.open(folder, embeddings=KnowingEmbedder()) as index:
        index.add_records(records, workers=1)
    return folder


def ranked(folder: Path, config: Config | None, **given: Any) -> list[str]:
    with KureIndex.open(folder, embeddings=KnowingEmbedder(), config=config) as index:
        return [hit.source for hit in index.search(QUESTION, **given)]


def test_an_index_searches_as_its_config_says_where_a_search_does_not(folder: Path) -> None:
    lexical = Config(search=SearchOptions(mode="lexical", lexical="rank-bm25", bm25=Bm25Settings(k1=2.0, b=0.0)))
    dense = Config(search=SearchOptions(fusion=ConvexFusion(weight=1.0)))
    first = Config(search=SearchOptions(k=1))
    plain = ranked(folder, None)
    assert ranked(folder, lexical) == ["말"]
    assert ranked(folder, dense)[0] == "뜻"
    assert ranked(folder, first) == plain[:1] == ["말"]
    assert ranked(folder, dense) == ranked(folder, None, options=dense.search)
    # What a search says itself counts for more, and a whole set of options for everything.
    assert ranked(folder, first, k=2) == plain[:2]
    assert ranked(folder, lexical, lexical="tantivy", mode="hybrid") == plain
    assert ranked(folder, lexical, options=SearchOptions()) == plain


async def test_every_way_to_search_takes_the_config(folder: Path) -> None:
    config = Config(search=SearchOptions(mode="dense", k=1))
    with KureIndex.open(folder, embeddings=KnowingEmbedder(), config=config) as index:
        question = QUESTION
        (hit,) = index.search(question)
        assert set(hit.legs) == {"dense"}
        assert index.search_batch([question]) == [[hit]]
        assert await index.asearch(question) == [hit]
        assert await index.asearch_batch([question]) == [[hit]]


def test_another_chunking_than_the_index_has_is_an_error_that_says_what_to_do(folder: Path, tmp_path: Path) -> None:
    config = Config(chunks=ChunkSettings(target=600, longest=1_200))
    with pytest.raises(
        FingerprintMismatchError, match=r"ingest the documents into a new folder with it.*remove `chunk:`"
    ):
        KureIndex.open(folder, embeddings=KnowingEmbedder(), config=config)
    with KureIndex.open(folder, embeddings=KnowingEmbedder(), config=config, chunks=ChunkSettings()) as index:
        assert index.chunk_settings == ChunkSettings()  # what is given counts for more
    with KureIndex.open(tmp_path / "new", embeddings=KnowingEmbedder(), config=config) as new:
        assert new.chunk_settings == config.chunks


def test_the_command_line_searches_as_a_config_says(tmp_path: Path, tiny_model: Path) -> None:
    index, file = tmp_path / "ix", tmp_path / "kure-rag.yaml"
    with KureIndex.open(index, embeddings=str(tiny_model)) as made:
        made.add_records([Record("예금", "", "예금 이자"), Record("보험", "", "보험 계약")], workers=1)
    file.write_text("search: {mode: lexical, k: 1, lexical: rank-bm25, bm25: {k1: 0.5}}\n", encoding="utf-8")
    common = ("search", "예금 보험 계약", "--index", index, "--model", tiny_model, "--json")
    told = call(*common, "--config", file).json()
    assert told["mode"] == "lexical"
    assert [hit["source"] for hit in told["hits"]] == ["보험"]
    told = call(*common, "--config", file, "--mode", "hybrid", "-k", "2", "--lexical", "tantivy").json()
    assert told["mode"] == "hybrid"
    assert len(told["hits"]) == 2
    assert call(*common).json()["mode"] == "hybrid"
    file.write_text("search: {mood: lexical}", encoding="utf-8")
    said = call(*common, "--config", file)
    assert said.status == 1
    assert "did you mean mode?" in said.err
