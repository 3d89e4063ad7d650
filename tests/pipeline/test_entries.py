"""Entries: passages that an application keeps by ids of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import DIMENSION, HashEmbedder

from kure_rag import Entry, KureIndex
from kure_rag.errors import EntryError, FilterError, FingerprintMismatchError, MetadataError
from kure_rag.pipeline import entry_of
from kure_rag.pipeline.entries import ALL_ENTRIES
from kure_rag.read import Record

LEAVE = "연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다."
SICK = "병가는 의사의 진단서를 낸 직원에게 연간 60일까지 허가할 수 있다."
PAY = "급여는 매월 25일에 지급하고, 그날이 휴일이면 전날에 지급한다."


class CountingEmbedder(HashEmbedder):
    """Remembers which passages it was asked to embed."""

    def __init__(self) -> None:
        super().__init__()
        self.embedded: list[str] = []

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        self.embedded += texts
        return self.embed_queries(texts)


@pytest.fixture(scope="module")
def embedder() -> CountingEmbedder:
    return CountingEmbedder()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, embedder: CountingEmbedder) -> Iterator[KureIndex]:
    with KureIndex.open(tmp_path_factory.mktemp("entries") / "ix", embeddings=embedder) as index:
        yield index


@pytest.fixture
def index(shared: KureIndex, embedder: CountingEmbedder) -> KureIndex:
    """The module's index without entries."""
    shared.delete_entries(where=ALL_ENTRIES)
    embedder.embedded.clear()
    return shared


def _ids(index: KureIndex, query: str, **given: Any) -> list[str]:
    return [hit.chunk.id for hit in index.search(query, **given)]


# What is given comes back


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_id_text_metadata_and_group_come_back_as_they_were_given(index: KureIndex, form: str) -> None:
    def spelled(text: str) -> str:
        return unicodedata.normalize(form, text)

    entry = Entry(
        id=spelled("조문/1 가#나"),
        text=spelled(f"  {LEAVE}\r\n\x00끝 "),
        metadata={
            spelled("조"): spelled("제15조"),
            "수": [1, 1.0, True, None, 2**70, -0.5],
            "겹": {"안": [{"깊이": []}], "": ""},
            "id": "다른 id",
            "chunk_id": 3,
        },
        group=spelled("규정집"),
    )
    assert index.put([entry]) == [entry.id]
    [found] = index.entries([entry.id])
    assert found == entry
    assert json.dumps(found.metadata) == json.dumps(entry.metadata), "1, 1.0 and True are equal, and not the same"
    [hit] = index.search("연차휴가")
    assert entry_of(hit) == Entry(id=entry.id, text=entry.text, metadata=entry.metadata)


def test_entries_come_in_the_order_asked_without_those_that_are_not_there(index: KureIndex) -> None:
    index.put([Entry(id=id_, text=f"{LEAVE} {id_}") for id_ in "가나다"])
    assert [entry.id for entry in index.entries(["다", "없음", "가", "다"])] == ["다", "가", "다"]
    assert index.entries([]) == []
    assert index.entry_ids() == ["가", "나", "다"]


def test_two_ids_may_have_one_text(index: KureIndex, embedder: CountingEmbedder) -> None:
    assert index.put([Entry(id="가", text=LEAVE), Entry(id="나", text=LEAVE, metadata={"판": 2})]) == ["가", "나"]
    assert sorted(_ids(index, "연차휴가")) == ["가", "나"]
    assert embedder.embedded == [LEAVE]


def test_of_one_id_in_a_batch_the_last_counts(index: KureIndex) -> None:
    given = [Entry(id="가", text=LEAVE), Entry(id="나", text=PAY), Entry(id="가", text=SICK)]
    assert index.put(given) == ["가", "나", "가"]
    assert [entry.text for entry in index.entries(["가", "나"])] == [SICK, PAY]
    assert index.info()["documents"] == 2


def test_more_texts_than_are_analysed_here_are_found_like_few(
    index: KureIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kure_rag.pipeline.entries._HERE", 2)
    seen: list[tuple[int, int | None, str]] = []
    index.put(
        [Entry(id=str(i), text=text) for i, text in enumerate([LEAVE, SICK, PAY])],
        progress=lambda *given: seen.append(given),
    )
    assert seen == [(3, 3, "2")]
    assert _ids(index, "진단서", mode="lexical") == ["1"]


# What changes


def test_an_equal_entry_is_left_alone(index: KureIndex, embedder: CountingEmbedder) -> None:
    entry = Entry(id="가", text=LEAVE, metadata={"쪽": 1, "갈래": "규정"}, group="규정집")
    index.put([entry])
    generation = index.info()["generation"]
    embedder.embedded.clear()
    assert index.put([Entry(id="가", text=LEAVE, metadata={"갈래": "규정", "쪽": 1}, group="규정집")]) == ["가"]
    assert (index.info()["generation"], embedder.embedded) == (generation, [])


@pytest.mark.parametrize(
    "other",
    [
        Entry(id="가", text=LEAVE, metadata={"쪽": 2}, group="규정집"),
        Entry(id="가", text=LEAVE, metadata={"쪽": True}, group="규정집"),
        Entry(id="가", text=LEAVE, group="규정집"),
        Entry(id="가", text=LEAVE, metadata={"쪽": 1}, group="다른 규정집"),
    ],
)
def test_other_metadata_or_another_group_do_not_embed_again(
    index: KureIndex, embedder: CountingEmbedder, other: Entry
) -> None:
    index.put([Entry(id="가", text=LEAVE, metadata={"쪽": 1}, group="규정집")])
    [before] = index.entries(["가"], vectors=True)
    index.put([other])
    assert embedder.embedded == [LEAVE], "once, at first"
    [after] = index.entries(["가"], vectors=True)
    assert after == other
    assert json.dumps(after.metadata) == json.dumps(other.metadata)
    assert np.array_equal(after.vector, before.vector)
    assert _ids(index, "연차휴가", mode="lexical") == ["가"]


def test_what_is_said_of_its_document_leaves_an_entry_its_group(index: KureIndex) -> None:
    index.put([Entry(id="가", text=LEAVE, metadata={"쪽": 1}, group="규정집")])
    [hit] = index.search("연차휴가")
    index.set_metadata(hit.chunk.document_id, {"검토": "끝"}, replace=True)
    assert index.entries(["가"]) == [Entry(id="가", text=LEAVE, metadata={"쪽": 1}, group="규정집")]
    assert index.entry_ids(where={"$and": [{"entry_group": "규정집"}, {"검토": "끝"}]}) == ["가"]
    for word in ("다른 규정집", None):
        with pytest.raises(MetadataError, match="entry_group"):
            index.set_metadata(hit.chunk.document_id, {"entry_group": word})
    index.put([Entry(id="가", text=SICK, group="새 규정집")])
    assert index.entry_ids(where={"$and": [{"entry_group": "새 규정집"}, {"검토": "끝"}]}) == ["가"]
    index.set_metadata(hit.chunk.document_id, {"검토": None})
    assert index.entry_ids(where={"검토": {"$exists": True}}) == []


def test_another_text_takes_the_place_of_the_one_before(index: KureIndex, embedder: CountingEmbedder) -> None:
    index.put([Entry(id="가", text=LEAVE, metadata={"쪽": 1})])
    index.put([Entry(id="가", text=SICK)])
    assert embedder.embedded == [LEAVE, SICK]
    assert index.entries(["가"]) == [Entry(id="가", text=SICK)]
    assert _ids(index, "연차휴가", mode="lexical") == []
    assert _ids(index, "진단서", mode="lexical") == ["가"]
    assert _ids(index, "진단서", where={"쪽": 1}) == []
    assert index.info()["chunks"] == 1


def test_deleting_takes_entries_away_and_says_how_many(index: KureIndex) -> None:
    index.put([Entry(id=id_, text=f"{LEAVE} {id_}", group="짝" if id_ in "가다" else "") for id_ in "가나다라"])
    assert index.delete_entries(["나", "없음", "나"]) == 1
    assert index.delete_entries(["가", "라"], where={"entry_group": "짝"}) == 1
    assert index.entry_ids() == ["다", "라"]
    assert index.delete_entries(where={"entry_group": "짝"}) == 1
    assert index.delete_entries([]) == 0
    assert _ids(index, "연차휴가") == ["라"]
    with pytest.raises(ValueError, match="ALL_ENTRIES"):
        index.delete_entries()
    with pytest.raises(ValueError, match="ALL_ENTRIES"):
        index.delete_entries(where={})
    assert index.delete_entries(where=ALL_ENTRIES) == 1


# Vectors


def test_a_given_vector_is_kept_as_it_is(index: KureIndex, embedder: CountingEmbedder) -> None:
    vector = np.linspace(-3, 5, DIMENSION, dtype=np.float32)
    index.put([Entry(id="가", text=LEAVE, vector=vector), Entry(id="나", text=SICK)])
    assert embedder.embedded == [SICK]
    [first, second] = index.entries(["가", "나"], vectors=True)
    assert np.array_equal(first.vector, vector)
    assert np.array_equal(second.vector, embedder.embed_queries([SICK])[0])
    generation = index.info()["generation"]
    index.put([Entry(id="가", text=LEAVE, vector=vector.copy()), Entry(id="나", text=SICK)])
    assert index.info()["generation"] == generation
    index.put([Entry(id="가", text=LEAVE, vector=-vector)])
    assert np.array_equal(index.entries(["가"], vectors=True)[0].vector, -vector)
    assert index.entries(["가"])[0].vector is None


def test_entries_of_one_text_keep_each_its_own_vector_when_their_metadata_change(
    index: KureIndex, embedder: CountingEmbedder
) -> None:
    vectors = np.eye(DIMENSION, dtype=np.float32)[:2]
    index.put([Entry(id=id_, text=LEAVE, vector=vector) for id_, vector in zip("가나", vectors, strict=True)])
    index.put([Entry(id=id_, text=LEAVE, metadata={"판": 2}) for id_ in "나가다"])
    assert embedder.embedded == [LEAVE], "for the new one, whose vector nobody gave"
    found = [entry.vector for entry in index.entries(["가", "나", "다"], vectors=True)]
    assert np.array_equal(found, [*vectors, embedder.embed_queries([LEAVE])[0]])
    assert sorted(_ids(index, "연차휴가", mode="lexical")) == ["가", "나", "다"]
    index.put([Entry(id="가", text=SICK), Entry(id="나", text=LEAVE, metadata={"판": 3})])
    found = [entry.vector for entry in index.entries(["가", "나"], vectors=True)]
    assert np.array_equal(found, [embedder.embed_queries([SICK])[0], vectors[1]])


@pytest.mark.parametrize(
    ("vector", "what"),
    [
        (np.ones(DIMENSION - 1), "47 dimensions"),
        (np.ones((1, DIMENSION)), "shape"),
        (np.full(DIMENSION, np.nan), "NaN"),
        (["가"], "no number"),
        ([], "shape"),
    ],
)
def test_a_wrong_vector_is_refused_with_its_entry(index: KureIndex, vector: Any, what: str) -> None:
    index.put([Entry(id="나", text=SICK)])
    with pytest.raises(EntryError, match=what) as told:
        index.put([Entry(id="먼저", text=LEAVE), Entry(id="가", text=LEAVE, vector=vector)])
    assert told.value.entry_id == "가"
    assert index.entry_ids() == ["나"]


def test_the_first_vectors_of_an_index_agree_with_each_other(tmp_path: Path) -> None:
    given = [Entry(id=str(n), text=LEAVE, vector=np.ones(n, np.float32)) for n in (DIMENSION, 3)]
    with KureIndex.open(tmp_path / "ix", embeddings=HashEmbedder()) as index:
        with pytest.raises(EntryError, match="3 dimensions"):
            index.put(given)
        index.put(given[:1])
        assert index.info()["dimension"] == DIMENSION


def test_the_first_vectors_of_an_index_are_as_long_as_the_model_s(tmp_path: Path, tiny_model: Path) -> None:
    with KureIndex.open(tmp_path / "ix", embeddings=str(tiny_model)) as index:
        with pytest.raises(EntryError, match="3 dimensions, and those of the index have 32"):
            index.put([Entry(id="가", text=LEAVE, vector=np.ones(3, np.float32))])
        index.put([Entry(id="가", text=LEAVE, vector=np.ones(32, np.float32))])


# What cannot be stored


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        (Entry(id="가", text=""), "its text is empty"),
        (Entry(id="가", text=" \n\t"), "its text is empty"),
        (Entry(id="가", text="반 글자 \ud83d"), "half a character"),
        (Entry(id="가", text=LEAVE, group="\ud83d"), "half a character"),
        (Entry(id="가", text=LEAVE, metadata={"값": float("nan")}), r"metadata\['값'\] is nan"),
        (
            Entry(id="가", text=LEAVE, metadata={"값": {"안": object()}}),
            r"metadata\['값'\]\['안'\] is a Python object, which JSON has not",
        ),
        (Entry(id="가", text=LEAVE, metadata={1: "하나"}), "has a name that is int"),  # type: ignore[dict-item]
        (Entry(id="가", text=3), "its text is int"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_stored_is_named_and_nothing_of_its_batch_is(index: KureIndex, entry: Entry, what: str) -> None:
    with pytest.raises(EntryError, match=what) as told:
        index.put([Entry(id="먼저", text=LEAVE), entry])
    assert "'가'" in str(told.value)
    assert isinstance(told.value, ValueError)
    assert index.entry_ids() == []


def test_no_metadata_pass_for_the_group_of_an_entry(index: KureIndex) -> None:
    """Who deletes a group would take entries of others with it."""
    index.put([Entry(id="가", text=LEAVE, group="규정집", metadata={"안": {"entry_group": "안"}})])
    for word in ("규정집", None):
        with pytest.raises(MetadataError, match="entry_group of entry '나'") as told:
            index.put([Entry(id="다", text=PAY), Entry(id="나", text=SICK, metadata={"entry_group": word})])
        assert told.value.field == "entry_group"
    assert index.entry_ids() == ["가"]
    assert index.delete_entries(where={"entry_group": "규정집"}) == 1


@pytest.mark.parametrize("id_", ["", None, 7, "\udc00"])
def test_an_id_is_a_text(index: KureIndex, id_: Any) -> None:
    with pytest.raises(EntryError):
        index.put([Entry(id=id_, text=LEAVE)])


def test_another_model_is_refused_before_anything_is_stored(tmp_path: Path) -> None:
    with KureIndex.open(tmp_path / "ix", embeddings=HashEmbedder()) as first:
        first.put([Entry(id="가", text=LEAVE)])
        with pytest.raises(FingerprintMismatchError):
            KureIndex.open(tmp_path / "ix", embeddings=HashEmbedder("2"))
        assert first.entry_ids() == ["가"]


# Beside files, and filters


def test_passages_of_files_stay_and_can_be_read_by_their_ids(tmp_path: Path) -> None:
    with KureIndex.open(tmp_path / "ix", embeddings=HashEmbedder()) as index:
        index.add_records([Record("leave", "취업규정", LEAVE, {"article": "제15조"})], workers=1)
        [hit] = index.search("연차휴가")
        index.put([Entry(id="가", text=SICK)])
        [passage] = index.entries([hit.chunk.id])
        assert (passage.id, passage.text, passage.group) == (hit.chunk.id, LEAVE, hit.chunk.document_id)
        assert (passage.metadata["source"], passage.metadata["article"]) == ("leave", "제15조")
        assert entry_of(hit).metadata == passage.metadata
        with pytest.raises(EntryError, match="a passage of 'leave'"):
            index.put([Entry(id=hit.chunk.id, text=SICK)])
        assert index.delete_entries([hit.chunk.id]) == 0
        assert index.entry_ids() == ["가"]
        assert index.delete_entries(where=ALL_ENTRIES) == 1
        assert index.entries([hit.chunk.id]) == [passage]
        assert index.verify().ok


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"source": "규정.pdf"}, ["가"]),
        ({"source": {"$ne": "규정.pdf"}}, ["나"]),
        ({"page": 3}, ["가"]),
        ({"page": {"$gte": 4}}, ["나"]),
        ({"kind": "조문"}, ["가"]),
        ({"document_id": "문서-1"}, ["가"]),
        ({"document_id": {"$ne": "문서-1"}}, ["나"]),
        ({"title": "취업규정"}, ["가"]),
        ({"domain": "legal"}, ["가"]),
        ({"갈래.안": 1}, []),
        ({"갈래": {"$exists": True}}, ["가"]),
        ({"태그": "휴가"}, ["나"]),
        ({"chunk_id": "나"}, ["나"]),
        ({"entry_group": "모음"}, ["나"]),
        (None, ["가", "나"]),
    ],
)
def test_metadata_are_filtered_by_under_their_own_names(
    index: KureIndex, where: dict[str, Any] | None, found: list[str]
) -> None:
    about = {"source": "규정.pdf", "page": 3, "kind": "조문", "document_id": "문서-1", "title": "취업규정"}
    index.put(
        [
            Entry(id="가", text=LEAVE, metadata={**about, "domain": "legal", "갈래": {"안": 1}}),
            Entry(id="나", text=LEAVE, metadata={"pages": [4, 5], "태그": ["휴가", "병가"]}, group="모음"),
        ]
    )
    assert sorted(_ids(index, "연차휴가", where=where)) == found
    assert index.entry_ids(where=where) == found


def test_a_hit_shows_where_an_entry_says_it_is_from(index: KureIndex) -> None:
    index.put([Entry(id="가", text=LEAVE, metadata={"source": "규정.pdf", "pages": [3, 4]}), Entry(id="나", text=SICK)])
    assert [hit.citation() for hit in index.search("연차휴가 병가", where={"chunk_id": "가"})] == ["규정.pdf p.3-4"]
    assert [hit.citation() for hit in index.search("진단서", mode="lexical")] == ["나"]


def test_a_broken_filter_is_named(index: KureIndex) -> None:
    with pytest.raises(FilterError):
        index.entry_ids(where={"$huh": 1})
    with pytest.raises(FilterError):
        index.delete_entries(where={"$huh": 1})


# Others at the same index


def test_threads_wait_for_each_other(index: KureIndex) -> None:
    failed: list[BaseException] = []

    def put(number: int) -> None:
        try:
            index.put([Entry(id=f"{number}-{i}", text=f"{LEAVE} {number} {i}") for i in range(3)])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(index.entry_ids()) == 18


def test_another_process_sees_what_was_put_and_what_it_puts_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "ix"
    program = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from support import HashEmbedder\n"
        "from kure_rag import Entry, KureIndex\n"
        "with KureIndex.open(sys.argv[1], embeddings=HashEmbedder()) as index:\n"
        "    [held] = index.entries(['가'])\n"
        "    index.put([Entry(id='나', text=held.text, metadata=held.metadata), Entry(id='가', text='바뀐 글')])\n"
    )
    with KureIndex.open(path, embeddings=HashEmbedder()) as index:
        index.put([Entry(id="가", text=LEAVE, metadata={"쪽": 1})])
        subprocess.run([sys.executable, "-c", program, str(path), str(Path(__file__).parents[1])], check=True)
        assert index.entries(["가", "나"]) == [
            Entry(id="가", text="바뀐 글"),
            Entry(id="나", text=LEAVE, metadata={"쪽": 1}),
        ]
        assert _ids(index, "연차휴가", mode="lexical") == ["나"]
        assert index.verify().ok


def test_an_index_is_made_anew_and_restored_with_entries_that_were_put_again(tmp_path: Path) -> None:
    with KureIndex.open(tmp_path / "ix", embeddings=HashEmbedder()) as index:
        for text in (LEAVE, SICK, PAY):
            index.put([Entry(id="가", text=text, metadata={"글": text})])
        for view in ("lexical", "dense", "matrix"):
            index.rebuild(view)
        index.compact()
        index.backup(tmp_path / "backup")
        assert index.verify().ok
    with KureIndex.restore(tmp_path / "backup", tmp_path / "copy", embeddings=HashEmbedder()) as copy:
        assert copy.entries(["가"]) == [Entry(id="가", text=PAY, metadata={"글": PAY})]
        assert [hit.chunk.id for hit in copy.search("급여", dense="chroma")] == ["가"]
        assert copy.verify().ok


def test_a_search_sees_all_of_a_batch_or_nothing_of_it(
    index: KureIndex, monkeypatch: pytest.MonkeyPatch, embedder: CountingEmbedder
) -> None:
    seen: list[list[str]] = []
    index.put([Entry(id=str(i), text=f"{LEAVE} {i}") for i in range(3)])
    with KureIndex.open(index.path, embeddings=embedder) as reader:

        def look(name: str) -> None:
            if name.endswith(("-marked", "-purged")):
                seen.append(sorted(hit.chunk.text for hit in reader.search("직원", mode="lexical")))

        monkeypatch.setattr("kure_rag.index.store.STEP", 1)
        monkeypatch.setattr("kure_rag.index.store.failpoint", look)
        index.put([Entry(id=str(i), text=f"{SICK} {i}") for i in range(3)])
    before, after = [f"{LEAVE} {i}" for i in range(3)], [f"{SICK} {i}" for i in range(3)]
    assert seen[0] == before
    assert seen[-1] == after
    assert all(texts in (before, after) for texts in seen)


@pytest.mark.parametrize("place", ["dense-marked", "purge-announced"])
def test_what_was_put_outlives_a_crash_while_the_views_follow(tmp_path: Path, place: str) -> None:
    path = tmp_path / "ix"
    program = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from support import HashEmbedder\n"
        "from kure_rag import Entry, KureIndex\n"
        "with KureIndex.open(sys.argv[1], embeddings=HashEmbedder()) as index:\n"
        f"    index.put([Entry(id='가', text={SICK!r}), Entry(id='나', text={PAY!r})])\n"
    )
    with KureIndex.open(path, embeddings=HashEmbedder()) as index:
        index.put([Entry(id="가", text=LEAVE)])
    died = subprocess.run(
        [sys.executable, "-c", program, str(path), str(Path(__file__).parents[1])],
        env={**os.environ, "KURE_RAG_FAILPOINT": place},
        check=False,
    )
    assert died.returncode == 137
    with KureIndex.open(path, embeddings=HashEmbedder()) as index:
        assert index.entries(["가", "나"]) == [Entry(id="가", text=SICK), Entry(id="나", text=PAY)]
        assert _ids(index, "연차휴가", mode="lexical") == []
        assert sorted(_ids(index, "진단서 급여", mode="lexical")) == ["가", "나"]
        assert index.verify().ok


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_words_of_a_question_are_marked_where_they_stand_in_the_text_as_given(index: KureIndex, form: str) -> None:
    text = unicodedata.normalize(form, f"① café {LEAVE} 연차휴가")
    index.put([Entry(id="가", text=text)])
    [hit] = index.search("연차휴가", highlight=True)
    assert [text[start:end] for start, end in hit.highlights or ()] == [unicodedata.normalize(form, "연차휴가")] * 2
