"""Any history of putting and deleting entries leaves what a dictionary would hold, also in an index opened anew."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import HashEmbedder

from kure_rag import Entry, KureIndex
from kure_rag.errors import EntryError
from kure_rag.pipeline.entries import ALL_ENTRIES

IDS = st.sampled_from(["가", "가", "\u1100\u1161", "나 다", "#1", "a\x00b"])
WORDS = st.sampled_from(
    ["연차휴가는 15일이다.", "병가는 60일까지다.", "급여는 25일에 준다.", "급여는\u00a025일", " \n"]
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2), st.floats(allow_nan=False, allow_infinity=False), WORDS
)
VALUES = st.recursive(LEAVES, lambda v: st.one_of(st.lists(v, max_size=2), st.dictionaries(WORDS, v, max_size=2)))
METADATA = st.dictionaries(st.sampled_from(["source", "pages", "kind", "chunk_id", "조", ""]), VALUES, max_size=2)
ENTRIES = st.builds(
    lambda id_, text, metadata, group: Entry(id=id_, text=text, metadata=metadata, group=group),
    IDS,
    WORDS,
    METADATA,
    st.sampled_from(["", "규정집"]),
)
STEPS = st.one_of(
    st.tuples(st.just("put"), st.lists(ENTRIES, max_size=4)),
    st.tuples(st.just("delete"), st.lists(IDS, max_size=2)),
    st.tuples(st.just("group"), st.just([])),
    st.tuples(st.just("open"), st.just([])),
)
Step = tuple[Literal["put", "delete", "group", "open"], list[Any]]


class History:
    """An index, and the dictionary that it should be like."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.index = self._opened()
        self.wanted: dict[str, Entry] = {}

    def _opened(self) -> KureIndex:
        return KureIndex.open(self._path, embeddings=HashEmbedder())

    def take(self, step: Step) -> None:
        what, given = step
        if what == "put":
            self._put(given)
        elif what == "delete":
            there = {id_ for id_ in given if self.wanted.pop(id_, None)}
            assert self.index.delete_entries(given) == len(there)
        elif what == "group":
            there = {id_ for id_, entry in self.wanted.items() if entry.group == "규정집"}
            assert self.index.delete_entries(where={"entry_group": "규정집"}) == len(there)
            self.wanted = {id_: entry for id_, entry in self.wanted.items() if id_ not in there}
        else:
            self.index.close()
            self.index = self._opened()

    def _put(self, given: list[Entry]) -> None:
        if any(not entry.text.strip() for entry in given):
            with pytest.raises(EntryError):
                self.index.put(given)
            return
        assert self.index.put(given) == [entry.id for entry in given]
        self.wanted |= {entry.id: entry for entry in given}

    def compare(self) -> None:
        held = self.index.entries(sorted(self.wanted))
        assert [_shown(entry) for entry in held] == [_shown(self.wanted[id_]) for id_ in sorted(self.wanted)]
        assert sorted(self.index.entry_ids()) == sorted(self.wanted)
        found = {hit.chunk.id for hit in self.index.search("연차휴가", mode="lexical")}
        assert found == {id_ for id_, entry in self.wanted.items() if "연차휴가" in entry.text}


def _shown(entry: Entry) -> tuple[str, ...]:
    return entry.id, entry.text, json.dumps(entry.metadata, sort_keys=True), entry.group


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=1, max_size=5))
def test_any_history_leaves_what_a_dictionary_would_hold(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    folder = tmp_path_factory.mktemp("history")
    history = History(folder / "ix")
    try:
        for step in steps:
            history.take(step)
            history.compare()
        assert history.index.verify().ok
        history.index.delete_entries(where=ALL_ENTRIES)
        assert history.index.info()["documents"] == 0
    finally:
        history.index.close()
        shutil.rmtree(folder)
