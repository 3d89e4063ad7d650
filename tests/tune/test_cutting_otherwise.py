"""Documents cut otherwise: nothing is read again, known texts are not embedded, and answers stay answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from support import HashEmbedder
from tuning_support import write_questions

from kure_rag import KureIndex
from kure_rag.autorag import export_index
from kure_rag.chunk import ChunkSettings
from kure_rag.errors import CorpusFormatError
from kure_rag.pipeline.recut import holds_uncut, recut
from kure_rag.tune import Grid, Span, TuneSettings, read_gold, tune

SUBJECTS = ("예금", "보험", "주택", "의약품", "세금", "연금", "계약", "임대", "여권", "도서", "급식", "주차")
ACTS = ("신청", "해지", "환급")
TINY, USUAL = (
    ChunkSettings(target=30, longest=60, profile="general"),
    ChunkSettings(target=110, longest=220, profile="general"),
)


class CountingEmbedder(HashEmbedder):
    """Remembers which passages it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.passages: list[str] = []

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:  # type: ignore[override]
        self.passages += texts
        return self.embed_queries(texts)


def paragraph(subject: str, act: str) -> str:
    return (
        f"{subject} {act} 절차는 다음과 같다. 담당자는 서류를 받은 날에 접수 번호를 적는다. "
        f"그 뒤 {subject} 담당 부서가 내용을 살펴보고 사흘 안에 답한다. "
        f"{act} 결과에 이의가 있으면 한 달 안에 다시 심사해 달라고 할 수 있다."
    )


@pytest.fixture(scope="module")
def text() -> str:
    return "\n\n".join(paragraph(subject, act) for subject in SUBJECTS for act in ACTS) + "\n"


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory, text: str) -> Iterator[KureIndex]:
    folder = tmp_path_factory.mktemp("recut")
    (folder / "안내.txt").write_text(text, encoding="utf-8")
    with KureIndex.open(folder / "ix", embeddings=CountingEmbedder(), chunks=USUAL) as index:
        index.add_paths(folder / "안내.txt", domain="general", workers=1)
        yield index


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, usual: KureIndex) -> Iterator[KureIndex]:
    with recut(usual, tmp_path_factory.mktemp("recut") / "tiny", TINY) as index:
        yield index


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, usual: KureIndex) -> Path:
    """The usual passages as AutoRAG's files, with a question for each."""
    folder = tmp_path_factory.mktemp("exported")
    export_index(usual, folder)
    chunks = [chunk for row in usual.documents() for chunk in usual.chunks(row.id)]
    rows = [(f"q{i}", f"{chunk.text[:12]} 어떻게 하나요?", [[chunk.id]]) for i, chunk in enumerate(chunks)]
    write_questions(folder / "qa.parquet", rows)
    return folder


def spans(index: KureIndex) -> set[Span]:
    return {Span(c.document_id, c.start, c.end) for row in index.documents() for c in index.chunks(row.id)}


def test_cut_again_an_index_is_as_if_the_file_had_been_ingested_so(usual: KureIndex, tiny: KureIndex) -> None:
    file = usual.path.parent / "안내.txt"
    with KureIndex.open(tiny.path.parent / "anew", embeddings=HashEmbedder(), chunks=TINY) as anew:
        anew.add_paths(file, domain="general", workers=1)
        for row in anew.documents():
            assert tiny.chunks(row.id) == anew.chunks(row.id)
            assert tiny.document(row.id) == anew.document(row.id)
        for mode in ("lexical", "dense", "hybrid"):
            found = [
                [hit.chunk.id for hit in index.search("여권 환급 결과", mode=mode, k=5)]  # type: ignore[arg-type]
                for index in (tiny, anew)
            ]
            assert found[0] == found[1]
    assert tiny.verify().problems == ()


def test_texts_that_the_index_has_are_not_embedded_again(tmp_path: Path, usual: KureIndex) -> None:
    assert isinstance(usual.embedder, CountingEmbedder)
    usual.embedder.passages.clear()
    with recut(usual, tmp_path / "same", USUAL) as same:
        assert same.info()["chunks"] == usual.info()["chunks"]
        assert not usual.embedder.passages
        question = "주택 해지"
        assert [h.chunk.id for h in same.search(question)] == [h.chunk.id for h in usual.search(question)]
    with recut(usual, tmp_path / "same", USUAL) as again:  # begun before: nothing is left to do
        assert again.info()["generation"] == same_generation(tmp_path / "same")
    with recut(usual, tmp_path / "keywords", TINY, embeds=False) as keywords:
        assert keywords.search("주택 해지", mode="lexical")
        assert not usual.embedder.passages


def same_generation(folder: Path) -> int:
    with KureIndex.maintain(folder) as index:
        return int(index.info()["generation"])


def test_ready_passages_stay_as_they_are(tmp_path: Path, index: KureIndex) -> None:
    assert not holds_uncut(index)
    with recut(index, tmp_path / "other", TINY) as other:
        assert spans(other) == spans(index)
        assert [hit.source for hit in other.search("예금 및 보험")] == [
            hit.source for hit in index.search("예금 및 보험")
        ]


def test_answers_of_another_chunking_are_found_by_what_the_export_noted(
    tiny: KureIndex, usual: KureIndex, exported: Path
) -> None:
    with pytest.raises(CorpusFormatError, match=r"give the corpus\.parquet that they are from with --corpus"):
        read_gold(tiny, exported / "qa.parquet")
    gold = read_gold(tiny, exported / "qa.parquet", exported / "corpus.parquet")
    assert {span for one in gold for group in one.groups for span in group} == spans(usual)


def test_answers_of_another_makers_corpus_are_found_by_their_words(
    tmp_path: Path, tiny: KureIndex, usual: KureIndex, exported: Path
) -> None:
    rows = pa.parquet.read_table(exported / "corpus.parquet", columns=["doc_id", "contents", "path"]).to_pylist()
    for row in rows:
        row["contents"] = row["contents"].replace(". ", ".\n")  # spaced as another reader has it
    pa.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "corpus.parquet")
    gold = read_gold(tiny, exported / "qa.parquet", tmp_path / "corpus.parquet")
    assert {span for one in gold for group in one.groups for span in group} == spans(usual)
    rows[3]["contents"] = "이 글은 어느 문서에도 없다."
    pa.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "corpus.parquet")
    with pytest.raises(CorpusFormatError, match=r"1 passages that 1 of \d+ questions need are not in"):
        read_gold(tiny, exported / "qa.parquet", tmp_path / "corpus.parquet")


def test_a_chunking_that_is_better_is_preferred_and_says_that_it_needs_a_new_index(
    tmp_path: Path, tiny: KureIndex, exported: Path
) -> None:
    settings = TuneSettings(grid=Grid(stages=("chunking",), targets=(110,), profiles=("general",)))
    work = tmp_path / "kure-rag.tune"
    report = tune(tiny, exported / "qa.parquet", corpus=exported / "corpus.parquet", settings=settings, work=work)
    (outcome,) = report.outcomes
    assert outcome.is_preferred
    assert report.needs_new_index
    assert report.config.chunks == USUAL
    assert not work.exists()
    trial = report.trials[0]
    assert trial.label == "general 110/220"
    assert trial.characters is not None
    assert 500 < trial.characters < 2_200  # ten passages of up to 220
