"""The catalog: what is put in comes out, at each generation as it was then."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kure_rag.errors import IndexNotFoundError, KureIndexError, MetadataError
from kure_rag.index.catalog import Catalog, NewDocument
from kure_rag.index.rows import Standing
from kure_rag.index.schema import VIEWS
from kure_rag.index.where import parse_where
from kure_rag.types import Chunk, Document, Page, Table

CLAUSES = (
    "연차휴가는 1년 동안 80퍼센트 이상 출근한 직원에게 15일을 준다.",
    "병가는 진단서를 낸 직원에게 연 60일까지 허가할 수 있다.",
    "재택근무를 하려는 직원은 사흘 전까지 부서장의 승인을 받는다.",
)


def document(id_: str, *texts: str, key: str = "", root: str = "", **metadata: Any) -> NewDocument:
    """A document of which each text is a chunk."""
    whole = "\n".join(texts)
    ids = [None, *(f"{id_}#{i}" for i in range(len(texts))), None]
    chunks, at = [], 0
    for i, text in enumerate(texts):
        chunks.append(
            Chunk(f"{id_}#{i}", id_, text, at, at + len(text), (i + 1,), ("취업규정",), "text", i, ids[i], ids[i + 2])
        )
        at += len(text) + 1
    made = Document(id_, f"{id_}.pdf", "취업규정", "legal", whole, metadata=metadata)
    vectors = np.arange(4 * len(texts), dtype=np.float32).reshape(len(texts), 4)
    return NewDocument(made, chunks, [text.split() for text in texts], vectors, key, root)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path, create=True)


def catch_up(catalog: Catalog) -> None:
    for view in VIEWS:
        if owed := catalog.pending(view, 2**31):
            catalog.mark_applied(view, owed[-1].seq)


def ids_at(catalog: Catalog, generation: int) -> set[str]:
    return {row.id for row in catalog.documents(generation)}


def test_every_part_of_a_document_comes_back(catalog: Catalog) -> None:
    text = "제1조(목적) 이 규정은 ㈜새울의 예산을 다룬다.\n과목 | 금액\n여비 | 2,500만원"
    table = Table(1, 28, 47, "표 1", "단위: 원", ("과목", "금액"), (("여비", "2,500만원"),), ((28, 47, 0, 1),))
    whole = Document(
        "문서 하나",
        "예산 규정.pdf",
        "예산 규정 🗂️",
        "finance",
        text,
        (Page(1, 0, 20, 595.0, 842.0, True, ("no text layer",)), Page(2, 20, len(text))),
        (table,),
        {"nested": {"목록": [1, 2.5, None, True]}, "빈칸": ""},
    )
    chunk = Chunk(
        "조각 하나",
        whole.id,
        text[:20],
        0,
        20,
        (1, 2),
        ("예산 규정", "제1장 총칙"),
        "article",
        0,
        None,
        None,
        "다음 각 호의 예산",
        {"article": "제1조", "amended": ["2024-01-05"]},
    )
    vector = np.array([[0.1, -0.0, 3e38, 1e-45]], np.float32)
    generation = catalog.add(whole, [chunk], [["목적", "규정", "㈜새울"]], vector)
    assert catalog.document(whole.id) == whole
    stored = catalog.fetch([1], generation)[1]
    assert (stored.chunk, stored.source, stored.title, stored.domain) == (chunk, whole.source, whole.title, "finance")
    assert catalog.keywords([1])[1].terms == "목적 규정 ㈜새울"
    assert catalog.keywords([1])[1].text == chunk.contextualized()
    rows, vectors = catalog.vectors([1, 2])
    assert rows == [1]
    assert vectors.tobytes() == vector.tobytes()
    assert catalog.integrity() == []


def test_each_document_gets_a_generation_of_its_own(catalog: Catalog) -> None:
    assert catalog.add_many([document("a", *CLAUSES), document("b", CLAUSES[0])]) == 2
    assert [ids_at(catalog, generation) for generation in range(3)] == [set(), {"a"}, {"a", "b"}]
    assert catalog.add_many([]) == 2


def test_an_update_is_one_generation_old_before_it_new_from_it_on(catalog: Catalog) -> None:
    before = catalog.add_many([document("first", *CLAUSES, key="규정/취업.pdf", year=2024)])
    after = catalog.add_many([document("second", CLAUSES[2], key="규정/취업.pdf", year=2025)])
    assert after == before + 1
    assert (ids_at(catalog, before), ids_at(catalog, after)) == ({"first"}, {"second"})
    assert (set(catalog.fetch(range(1, 5), before)), set(catalog.fetch(range(1, 5), after))) == ({1, 2, 3}, {4})
    assert (set(catalog.ids(range(1, 5), before)), set(catalog.ids(range(1, 5)))) == ({1, 2, 3}, {4})
    assert catalog.rows_of(["first#0", "second#0"], before) == {"first#0": 1}
    assert catalog.rows_of(["first#0", "second#0"]) == {"second#0": 4}
    assert [row for row, _ in catalog.all_rows(before)] == [1, 2, 3]
    assert [row for row, _ in catalog.all_rows()] == [4]
    for year, rows in ((2024, ([1, 2, 3], [])), (2025, ([], [4]))):
        where = parse_where({"year": year})
        assert (catalog.matching(where, before).tolist(), catalog.matching(where, after).tolist()) == rows
    assert catalog.has_document("first", before)
    assert not catalog.has_document("first")
    assert catalog.document("first") is None
    assert catalog.document("first", before) is not None
    assert (len(catalog.chunks_of("first", before)), len(catalog.chunks_of("first"))) == (3, 0)
    assert catalog.find_documents("first.pdf") == []
    assert catalog.find_documents("first.pdf", before) == ["first"]
    assert (catalog.by_key("규정/취업.pdf"), catalog.keys()) == (["second"], {"규정/취업.pdf": "second"})
    assert catalog.counts() == (1, 1)
    assert catalog.deleted(before) == []
    assert catalog.deleted(after) == [1, 2, 3]


def test_without_a_key_nothing_is_replaced(catalog: Catalog) -> None:
    generation = catalog.add_many([document("a", CLAUSES[0]), document("b", CLAUSES[1])])
    assert ids_at(catalog, generation) == {"a", "b"}
    assert catalog.by_key("") == []


def test_a_document_goes_and_comes_back_again_and_again(catalog: Catalog) -> None:
    """A file that is changed and changed back has the id that it had: both of its lives are told apart."""
    for _ in range(2):
        catalog.add_many([document("옛", *CLAUSES[:2], key="k"), document("새", CLAUSES[2], key="k")])
    assert [ids_at(catalog, generation) for generation in range(6)] == [set(), {"옛"}, {"새"}, {"옛"}, {"새"}, {"새"}]
    assert [sorted(catalog.rows_of(["옛#0", "새#0"], g).values()) for g in range(1, 5)] == [[1], [3], [4], [6]]
    assert len(catalog.chunks_of("옛", 3)) == 2
    catch_up(catalog)
    assert catalog.purge(4) == 5
    assert catalog.all_rows() == [(6, "새#0")]
    assert catalog.matching(parse_where({"domain": "legal"}), 4).tolist() == [6]
    assert catalog.integrity() == []


def test_the_same_id_again_is_an_update(catalog: Catalog) -> None:
    """Cut in another way, for example."""
    catalog.add_many([document("a", CLAUSES[0] + CLAUSES[1])])
    generation = catalog.add_many([document("a", *CLAUSES[:2])])
    assert catalog.counts() == (1, 2)
    assert [item.chunk.text for item in catalog.chunks_of("a")] == list(CLAUSES[:2])
    assert len(catalog.chunks_of("a", generation - 1)) == 1


def test_deleting_leaves_the_rows_to_older_generations_until_the_views_are_past_it(catalog: Catalog) -> None:
    catalog.add_many([document("a", *CLAUSES), document("b", CLAUSES[0])])
    catch_up(catalog)
    generation = catalog.delete(["a", "없음", "a"])
    assert catalog.counts() == (1, 1)
    assert {p.row for p in catalog.pending("dense", 9) if p.op == "delete"} == {1, 2, 3}
    assert catalog.purge(generation) == 0  # the views still hold them
    assert set(catalog.fetch([1, 2, 3], generation - 1)) == {1, 2, 3}
    catch_up(catalog)
    assert catalog.purge(generation - 1) == 0
    assert catalog.purge(generation) == 3
    assert catalog.fetch([1, 2, 3], generation - 1) == {}
    assert catalog.vectors([1, 2, 3, 4])[0] == [4]
    assert catalog.deleted(generation) == []
    assert catalog.integrity() == []


def test_row_numbers_are_never_used_again(catalog: Catalog, tmp_path: Path) -> None:
    catalog.add_many([document("a", *CLAUSES)])
    catalog.delete(["a"])
    catch_up(catalog)
    catalog.purge(catalog.state().generation)
    catalog.vacuum()
    catalog.close()
    again = Catalog(tmp_path, create=False)
    again.add_many([document("a", CLAUSES[0])])
    assert again.all_rows() == [(4, "a#0")]


def test_what_is_said_of_a_document_changes_without_any_work_for_the_views(catalog: Catalog) -> None:
    generation = catalog.add_many([document("a", *CLAUSES, key="k", root="r", year=2024, draft=True)])
    catch_up(catalog)
    changed = catalog.set_metadata("a", title="복무규정", domain="general", metadata={"year": 2026, "draft": None})
    assert changed == generation + 1
    assert catalog.state().visible == changed
    assert not any(catalog.pending_count(view) for view in VIEWS)
    found = catalog.document("a")
    assert found is not None
    assert (found.title, found.domain, found.metadata) == ("복무규정", "general", {"year": 2026})
    assert catalog.fetch([2], changed)[2].title == "복무규정"
    for where, rows in (({"year": 2026}, 3), ({"year": 2024}, 0), ({"draft": {"$exists": True}}, 0)):
        assert len(catalog.matching(parse_where(where), changed)) == rows
    assert catalog.keys("r") == {"k": "a"}
    catalog.set_metadata("a", metadata={"owner": "인사팀"}, replace=True)
    assert catalog.document("a") == replace(found, metadata={"owner": "인사팀"})
    assert catalog.integrity() == []


def test_a_change_waits_for_views_that_are_behind(catalog: Catalog) -> None:
    generation = catalog.add_many([document("a", *CLAUSES)])
    catalog.set_metadata("a", title="복무규정")
    assert catalog.state().visible == generation - 1
    catch_up(catalog)
    assert catalog.state().visible == generation + 1


def test_a_document_without_chunks_is_seen(catalog: Catalog) -> None:
    generation = catalog.add_many([document("빈 문서")])
    assert catalog.state().visible == generation
    assert catalog.counts() == (1, 0)


def test_what_is_not_json_is_refused_and_nothing_is_changed(catalog: Catalog) -> None:
    catalog.add_many([document("a", CLAUSES[0])])
    before = catalog.state()
    with pytest.raises(MetadataError, match="when"):
        catalog.set_metadata("a", metadata={"when": object()})
    with pytest.raises(TypeError):
        catalog.add_many([document("b", CLAUSES[0]), document("c", CLAUSES[0], when=object())])
    with pytest.raises(ValueError, match="zip"):
        catalog.add(document("d", CLAUSES[0]).document, document("d", CLAUSES[0]).chunks, [], np.ones((1, 4)))
    assert catalog.state() == before
    assert catalog.counts() == (1, 1)


def test_places(catalog: Catalog) -> None:
    catalog.add_many([document("a", CLAUSES[0]), document("b", CLAUSES[1], key="나", root="집")])
    assert (catalog.has_place("a"), catalog.has_place("b")) == (False, True)
    before = catalog.state()
    assert catalog.settle_places([Standing("가", "집", "a", "a.pdf")]) == {}
    assert catalog.state() == before  # a search does not see it
    assert catalog.keys("집") == {"가": "a", "나": "b"}
    assert (catalog.keys("다른 집"), catalog.keys()) == ({}, {"가": "a", "나": "b"})
    catalog.settle_places([Standing("가", "집", "a", "새 이름.pdf")])
    assert catalog.state().generation == before.generation + 1
    assert catalog.find_documents("새 이름.pdf") == ["a"]
    assert catalog.matching(parse_where({"source": "새 이름.pdf"}), 9).tolist() == [1]
    assert catalog.matching(parse_where({"source": "a.pdf"}), 9).tolist() == []
    assert catalog.documents_of([1, 2, 7]) == {"a", "b"}
    assert catalog.integrity() == []
    with pytest.raises(KeyError):
        catalog.settle_places([Standing("가", "", "없음", "a.pdf")])
    with pytest.raises(KeyError):
        catalog.set_metadata("없음", title="제목")
    assert catalog.keys() == {"가": "a", "나": "b"}


# A part of a text


@settings(deadline=None, max_examples=60)
@given(text=st.text(st.sampled_from("가나각\u11a8🗂️a\x00\n㈜")), start=st.integers(0, 30), size=st.integers(-2, 30))
def test_a_part_of_a_text_is_the_slice_of_it(
    tmp_path_factory: pytest.TempPathFactory, text: str, start: int, size: int
) -> None:
    catalog = Catalog(tmp_path_factory.mktemp("text"), create=True)
    catalog.add(Document("a", "a.txt", "", "general", text), [], [], np.zeros((0, 4), np.float32))
    end = max(start + size, 0)
    assert catalog.text("a", start, end) == text[start:end]
    catalog.close()


def test_a_part_of_a_text_is_read_at_a_generation(catalog: Catalog) -> None:
    before = catalog.add_many([document("a", *CLAUSES)])
    catalog.delete(["a"])
    assert catalog.text("a", 2, 9, before) == CLAUSES[0][2:9]
    with pytest.raises(KeyError):
        catalog.text("a", 2, 9)
    with pytest.raises(ValueError, match="-1"):
        catalog.text("a", -1, 9, before)


def test_a_snapshot_sees_one_moment(catalog: Catalog, tmp_path: Path) -> None:
    catalog.add_many([document("a", *CLAUSES)])
    catch_up(catalog)
    writer = Catalog(tmp_path, create=False)
    with catalog.snapshot():
        state = catalog.state()
        writer.delete(["a"])
        catch_up(writer)
        writer.purge(writer.state().generation)
        with catalog.snapshot():
            assert set(catalog.fetch([1, 2, 3], state.visible)) == {1, 2, 3}
        assert catalog.state() == state
        assert catalog.matching(parse_where({"domain": "legal"}), state.visible).tolist() == [1, 2, 3]
    assert catalog.counts() == (0, 0)
    assert catalog.fetch([1, 2, 3], state.visible) == {}


def test_a_write_within_a_snapshot_is_seen_by_it(catalog: Catalog) -> None:
    with catalog.snapshot():
        catalog.add_many([document("a", *CLAUSES)])
        assert catalog.counts() == (1, 3)
        with pytest.raises(ZeroDivisionError), catalog._transaction() as db:
            catalog._set(db, {"generation": 1 // 0})
        assert catalog.counts() == (1, 3)
    catalog.delete(["a"])


def test_a_snapshot_is_its_threads_own(catalog: Catalog) -> None:
    catalog.add_many([document("a", *CLAUSES)])
    counts: list[tuple[int, int]] = []
    with catalog.snapshot():
        writer = threading.Thread(target=lambda: (catalog.delete(["a"]), counts.append(catalog.counts())))
        writer.start()
        writer.join()
        assert (counts, catalog.counts()) == ([(0, 0)], (1, 3))
    assert catalog.counts() == (0, 0)


def test_large_requests_go_in_parts(catalog: Catalog) -> None:
    catalog.add_many([document(f"d{i}", *CLAUSES) for i in range(700)])
    rows = list(range(1, 2101))
    assert set(catalog.fetch(rows, 2**60)) == set(catalog.ids(rows)) == set(catalog.keywords(rows)) == set(rows)
    assert catalog.vectors(np.array(rows))[1].shape == (2100, 4)
    assert len(catalog.rows_of([id_ for _, id_ in catalog.all_rows()])) == 2100
    assert catalog.documents_of(np.array([1, 2100])) == {"d0", "d699"}
    assert catalog.fetch([], 1) == catalog.ids([]) == catalog.rows_of([]) == {}
    assert catalog.vectors([])[1].shape == (0, 0)


def test_opening_a_catalog_twice_leaves_the_first_ones_locks(catalog: Catalog, tmp_path: Path) -> None:
    """Without them another process takes itself for the last one, and removes the files under the first."""
    catalog.counts()
    Catalog(tmp_path, create=False).close()
    script = "import sys; from pathlib import Path; from kure_rag.index.catalog import Catalog\n"
    script += "Catalog(Path(sys.argv[1]), create=False).close()"
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    assert (tmp_path / "catalog.sqlite3-shm").exists()
    catalog.add_many([document("a", *CLAUSES)])
    assert catalog.counts() == (1, 3)


def test_a_stale_view_is_told_of_until_it_is_made(catalog: Catalog) -> None:
    catalog.add_many([document("a", *CLAUSES)])
    catalog.mark_stale("matrix")
    assert catalog.state().stale == {"matrix"}
    assert not catalog.pending_count("matrix")
    epoch = catalog.state().epoch
    catalog.mark_rebuilt("matrix", **{"folder.matrix": 1})
    assert (catalog.state().stale, catalog.state().epoch) == (frozenset(), epoch + 1)
    assert catalog.get("folder.matrix") == 1


def test_a_closed_catalog_says_so(catalog: Catalog, tmp_path: Path) -> None:
    catalog.close()
    for ask in (catalog.state, catalog.integrity, catalog.vacuum, lambda: catalog.add_many([document("a")])):
        with pytest.raises(KureIndexError, match="closed"):
            ask()
    with pytest.raises(IndexNotFoundError):
        Catalog(tmp_path / "none", create=False)


class AnyOrder(RuleBasedStateMachine):
    """The catalog beside a dictionary of what each generation holds, whatever is done in whichever order."""

    folder: Path
    number = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).number += 1
        self.place = self.folder / str(self.number)
        self.catalog = Catalog(self.place, create=True)
        self.now: dict[str, tuple[str, int, int]] = {}  # id → (key when it was added, chunks, year)
        self.at: dict[str, str] = {}  # key → id
        self.said: dict[str, int] = {}  # id → the year that the user said
        self.held: dict[int, dict[str, tuple[str, int, int]]] = {0: {}}
        self.purged = 0

    def turn(self, generation: int) -> None:
        assert generation == max(self.held) + 1
        self.held[generation] = dict(self.now)

    @rule(
        id_=st.sampled_from("abcd"),
        key=st.sampled_from(["", "가", "나"]),
        size=st.integers(0, 3),
        year=st.integers(1, 3),
    )
    def add(self, id_: str, key: str, size: int, year: int) -> None:
        generation = self.catalog.add_many([document(id_, *CLAUSES[:size], key=key, year=year)])
        if id_ in self.now and bool(key) != (id_ in self.at.values()):
            self.at[f"document:{id_}"] = id_
        said = self.said.get(id_)
        if key:
            older = self.at.get(key, id_)
            self.at[key] = id_
            if older not in self.at.values():
                said = self.said.get(older) if said is None else said
                self.drop([older])
        if said is not None:
            self.said[id_] = said
        self.now[id_] = (key, size, year if said is None else said)
        self.turn(generation)

    def drop(self, ids: list[str]) -> None:
        for id_ in ids:
            self.now.pop(id_, None)
            self.said.pop(id_, None)
        self.at = {key: id_ for key, id_ in self.at.items() if id_ not in ids}

    @rule(ids=st.lists(st.sampled_from("abcd"), max_size=3))
    def delete(self, ids: list[str]) -> None:
        self.drop(ids)
        self.turn(self.catalog.delete(ids))

    @rule(
        stand=st.lists(st.tuples(st.sampled_from(["", "가", "나", "다"]), st.sampled_from("abcd")), max_size=3),
        leave=st.sets(st.sampled_from(["가", "나", "다"]), max_size=2),
    )
    def settle(self, stand: list[tuple[str, str]], leave: set[str]) -> None:
        places = [Standing(key, "", id_, f"{id_}.pdf") for key, id_ in stand if id_ in self.now]
        placed = set(self.at.values())
        for place in places:
            if bool(place.key) != (place.document_id in placed):
                self.at[f"document:{place.document_id}"] = place.document_id
                placed.add(place.document_id)
        named = [(place.key, place.document_id) for place in places if place.key]
        stood = {*self.at.items(), *named}
        self.at |= dict(named)
        gone = [Standing(key, "", self.at[key], "") for key in leave if key in self.at]
        self.at = {key: id_ for key, id_ in self.at.items() if key not in leave}
        went = {id_ for _, id_ in stood} - set(self.at.values())
        for old in sorted(went & self.said.keys()):
            for heir in {self.at[key] for key, id_ in stood if id_ == old and key in self.at} - self.said.keys():
                self.said[heir] = self.said[old]
                self.now[heir] = (*self.now[heir][:2], self.said[old])
        self.drop(sorted(went))
        assert set(self.catalog.settle_places(places, gone=gone)) == went
        if went:
            self.turn(self.catalog.state().generation)

    @precondition(lambda self: self.now)
    @rule(data=st.data(), year=st.integers(1, 3))
    def say(self, data: st.DataObject, year: int) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.now)))
        self.turn(self.catalog.set_metadata(id_, metadata={"year": year}))
        self.now[id_] = (*self.now[id_][:2], year)
        self.said[id_] = year
        self.held[max(self.held)] = dict(self.now)

    @rule(view=st.sampled_from(VIEWS), most=st.integers(1, 4))
    def apply(self, view: str, most: int) -> None:
        if owed := self.catalog.pending(view, most):
            self.catalog.mark_applied(view, owed[-1].seq)

    @rule(view=st.sampled_from(VIEWS))
    def rebuild(self, view: str) -> None:
        self.catalog.mark_rebuilt(view)

    @rule(back=st.integers(0, 3))
    def purge(self, back: int) -> None:
        generation = max(0, max(self.held) - back)
        self.catalog.purge(generation)
        self.purged = max(self.purged, min(generation, self.catalog.state().visible))

    @rule()
    def open_again(self) -> None:
        self.catalog.close()
        self.catalog = Catalog(self.place, create=False)

    @invariant()
    def each_generation_is_as_it_was(self) -> None:
        assert self.catalog.state().generation == max(self.held)
        assert self.catalog.counts() == (len(self.now), sum(size for _, size, _ in self.now.values()))
        for generation in range(self.purged, max(self.held) + 1):
            held = self.held[generation]
            assert ids_at(self.catalog, generation) == set(held)
            rows = [row for row, _ in self.catalog.all_rows(generation)]
            found = self.catalog.fetch(rows, generation)
            assert sorted(item.chunk.id for item in found.values()) == sorted(
                f"{id_}#{i}" for id_, (_, size, _) in held.items() for i in range(size)
            )
            assert self.catalog.matching(parse_where({"domain": "legal"}), generation).tolist() == rows
        for year in (1, 2, 3):
            rows = self.catalog.matching(parse_where({"year": year}), max(self.held))
            assert self.catalog.documents_of(rows) == {k for k, v in self.now.items() if v[2] == year and v[1]}
        assert self.catalog.keys() == self.at

    def teardown(self) -> None:
        assert self.catalog.integrity() == []
        self.catalog.close()


def test_any_order_of_changes(tmp_path: Path) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    AnyOrder.folder = tmp_path
    run_state_machine_as_test(AnyOrder, settings=settings(deadline=None, max_examples=25, stateful_step_count=25))
