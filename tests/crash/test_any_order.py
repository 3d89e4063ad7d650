"""Adding, updating, deleting, reopening and crashing in any order: the index always holds what it was given.

A crash is a copy of the folder taken while the index is open, as a power cut would leave it.
"""

import shutil
import tempfile
from pathlib import Path

import pytest
from crash.changes import Change, SeededEmbedder, make, text_of
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from kure_rag import KureIndex

KEYS = st.sampled_from([f"d{i}" for i in range(12)])


class AnyOrder(RuleBasedStateMachine):
    """``held`` is what the index must hold: version by key."""

    @initialize()
    def start(self) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="any-order-"))
        self.held: dict[str, int] = {}
        self.versions: dict[str, int] = {}
        self.notes: dict[str, int] = {}
        self.copies = 0
        self.index = KureIndex.open(self.scratch / "index", embeddings=SeededEmbedder())

    @rule(keys=st.lists(KEYS, min_size=1, max_size=5, unique=True))
    def put(self, keys: list[str]) -> None:
        for key in keys:
            self.versions[key] = self.versions.get(key, 0) + 1
            self.held[key] = self.versions[key]
            self.notes.pop(key, None)
        make(self.index, Change(puts=tuple((key, self.held[key]) for key in keys)))

    @rule(key=KEYS)
    def put_the_first_version_again(self, key: str) -> None:
        if self.held.get(key) == 1 or key not in self.versions:
            return
        self.held[key] = 1
        self.notes.pop(key, None)
        make(self.index, Change(puts=((key, 1),)))

    @rule(keys=st.lists(KEYS, min_size=1, max_size=4, unique=True))
    def delete(self, keys: list[str]) -> None:
        for key in keys:
            self.held.pop(key, None)
            self.notes.pop(key, None)
        make(self.index, Change(deletes=tuple(keys)))

    @rule(key=KEYS, note=st.integers(0, 3))
    def note(self, key: str, note: int) -> None:
        if key in self.held:
            [row] = self.index.find(key)
            self.index.set_metadata(row.id, {"note": note})
            self.notes[key] = note

    @rule()
    def reopen(self) -> None:
        path = self.index.path
        self.index.close()
        self.index = KureIndex.open(path, embeddings=SeededEmbedder())

    @rule()
    def compact(self) -> None:
        self.index.compact()

    @rule()
    def crash(self) -> None:
        self.copies += 1
        copy = self.scratch / f"copy{self.copies}"
        shutil.copytree(self.index.path, copy)
        self.index.close()
        self.index = KureIndex.open(copy, embeddings=SeededEmbedder())

    @rule(view=st.sampled_from(["lexical", "dense", "matrix"]))
    def rebuild(self, view: str) -> None:
        self.index.rebuild(view)

    @rule(note=st.integers(0, 3))
    def filter(self, note: int) -> None:
        for mode in ("lexical", "dense", "hybrid"):
            hits = self.index.search("규정 문서", k=20, mode=mode, where={"note": note})
            assert {hit.source for hit in hits} == {key for key, value in self.notes.items() if value == note}

    @invariant()
    def holds_what_it_was_given(self) -> None:
        wanted = {key: text_of(key, version) for key, version in self.held.items()}
        rows = self.index.documents()
        assert sorted(row.source for row in rows) == sorted(wanted)
        hits = self.index.search("규정 문서", k=20)
        assert {hit.source: hit.chunk.text for hit in hits} == wanted

    @invariant()
    def every_text_finds_itself(self) -> None:
        for key, version in list(self.held.items())[:2]:
            [best] = self.index.search(text_of(key, version), k=1, mode="dense")
            assert (best.source, best.chunk.text) == (key, text_of(key, version))

    def teardown(self) -> None:
        found = self.index.verify()
        self.index.close()
        shutil.rmtree(self.scratch)
        assert found.ok, found.problems


def run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_changes_in_any_order() -> None:
    run(examples=8, steps=10)


@pytest.mark.crash
def test_changes_in_any_order_at_length() -> None:
    run(examples=150, steps=30)
