"""Where documents stand, and what a user says of them: both outlast a change of the file."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index.test_catalog import CLAUSES, catch_up, document, ids_at

from kure_rag.errors import MetadataError
from kure_rag.index.catalog import Catalog
from kure_rag.index.rows import NewDocument, Standing
from kure_rag.index.where import parse_where


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path, create=True)


def test_a_document_lives_as_long_as_a_place_names_it(catalog: Catalog) -> None:
    catalog.add_many([document("a", *CLAUSES, key="집/가", root="집")])
    catalog.settle_places([Standing("밖/가", "밖", "a", "사본.pdf")])
    generation = catalog.state().generation
    assert catalog.settle_places(gone=catalog.places("집")) == {}
    assert [(place.key, place.root) for place in catalog.places_of("a")] == [("밖/가", "밖")]
    assert catalog.state().generation == generation + 1
    assert catalog.find_documents("사본.pdf") == ["a"]  # the name of a file that is there
    assert catalog.settle_places(gone=catalog.places("밖")) == {"a": "사본.pdf"}
    assert (ids_at(catalog, generation + 1), ids_at(catalog, generation + 2)) == ({"a"}, set())
    assert catalog.places() == []
    assert catalog.integrity() == []


def test_an_update_at_one_of_two_places_leaves_the_document_at_the_other(catalog: Catalog) -> None:
    catalog.add_many([document("a", *CLAUSES, key="집/가", root="집")])
    catalog.settle_places([Standing("밖/가", "밖", "a", "a.pdf")])
    one = catalog.add_many([document("b", CLAUSES[0], key="집/가", root="집")])
    assert ids_at(catalog, one) == {"a", "b"}
    two = catalog.add_many([document("c", CLAUSES[1], key="밖/가", root="밖")])
    assert ids_at(catalog, two) == {"b", "c"}
    assert catalog.keys() == {"집/가": "b", "밖/가": "c"}
    assert catalog.integrity() == []


def test_what_becomes_of_a_file_becomes_of_all_ways_to_it(catalog: Catalog) -> None:
    """Found through two folders, by its own name, and through a folder that is known by a name."""
    ways = [("길", "큰 폴더"), ("길", "작은 폴더"), ("길", ""), ("이름/가", "이름")]

    def stand(id_: str, key: str, root: str) -> Standing:
        return Standing(key, root, id_, f"{id_}.pdf", "길")

    catalog.add_many([replace(document("a", *CLAUSES, key="길", root="큰 폴더"), path="길")])
    catalog.settle_places([stand("a", *way) for way in ways])
    assert len(catalog.places_of("a")) == 4
    catalog.add_many([replace(document("b", CLAUSES[0], key="이름/가", root="이름"), path="길")])
    assert [row.id for row in catalog.documents()] == ["b"]
    assert {(place.key, place.root) for place in catalog.places_of("b")} == set(ways)
    assert catalog.by_key("다른 이름", "길") == ["b"]
    catalog.settle_places(left=[stand("b", *ways[1])])
    assert len(catalog.places_of("b")) == 3
    assert catalog.settle_places(gone=[stand("b", *ways[0])]) == {"b": "b.pdf"}
    assert catalog.places() == []


def test_a_document_is_given_another_key(catalog: Catalog) -> None:
    catalog.add_many([document("a", CLAUSES[0], key="/집/규정.pdf"), document("b", CLAUSES[1], key="나")])
    before = catalog.state()
    catalog.set_place("a", key="가")
    assert (catalog.keys(), catalog.state()) == ({"가": "a", "나": "b"}, before)
    catalog.set_place("a", key="나")  # what stood there stands nowhere now
    assert [row.id for row in catalog.documents()] == ["a"]
    with pytest.raises(KeyError):
        catalog.set_place("없음", key="다")
    assert catalog.keys() == {"나": "a"}
    assert catalog.integrity() == []


def test_files_that_are_exchanged_keep_their_documents(catalog: Catalog) -> None:
    catalog.add_many([document("a", CLAUSES[0], key="가"), document("b", CLAUSES[1], key="나")])
    catalog.settle_places([Standing("나", "", "a", "a.pdf"), Standing("가", "", "b", "b.pdf")])
    assert catalog.keys() == {"나": "a", "가": "b"}
    assert catalog.settle_places([Standing("나", "", "b", "b.pdf")]) == {"a": "a.pdf"}


def test_what_the_user_said_stays_when_the_file_changes(catalog: Catalog) -> None:
    catalog.add_many([document("a", *CLAUSES, key="k", year=2024, 작성="총무팀", 쪽=3)])
    catalog.set_metadata("a", title="복무규정", metadata={"부서": "인사팀", "year": 2030, "쪽": None})
    catalog.set_metadata("a", domain="general", metadata={"보존": "5년"})
    generation = catalog.add_many([document("b", CLAUSES[0], key="k", year=2025, 작성="감사팀", 쪽=4)])
    found = catalog.document("b")
    assert found is not None
    assert (found.title, found.domain) == ("복무규정", "general")
    assert found.metadata == {"year": 2030, "작성": "감사팀", "부서": "인사팀", "보존": "5년"}
    assert catalog.matching(parse_where({"부서": "인사팀", "year": 2030}), generation).tolist() == [4]
    assert catalog.matching(parse_where({"쪽": {"$exists": True}}), generation).tolist() == []
    said = catalog.said("b")
    assert said is not None
    assert said.metadata == {"부서": "인사팀", "year": 2030, "쪽": None, "보존": "5년"}
    assert catalog.said("a") is None
    catalog.set_metadata("b", metadata={"하나": 1}, replace=True)
    assert catalog.add_many([document("c", CLAUSES[1], key="k", year=2026)]) == generation + 2
    changed = catalog.document("c")
    assert changed is not None
    assert changed.metadata == {"하나": 1}
    catalog.delete(["c"])
    catalog.add_many([document("c", CLAUSES[1], key="k", year=2026)])
    assert catalog.document("c") == replace(document("c", CLAUSES[1]).document, metadata={"year": 2026})
    assert catalog.integrity() == []


def words(catalog: Catalog, id_: str) -> dict[str, Any]:
    found = catalog.document(id_)
    assert found is not None
    return dict(found.metadata)


def test_what_the_user_said_goes_to_the_document_that_takes_the_place(catalog: Catalog) -> None:
    """The file takes bytes that the index holds already: nothing is read, and its words are not lost."""
    catalog.add_many([document("a", CLAUSES[0], key="가", year=2024), document("b", CLAUSES[1], key="나", year=2025)])
    catalog.set_metadata("a", title="복무규정", metadata={"부서": "인사팀", "year": 2030})
    generation = catalog.state().generation
    assert catalog.settle_places([Standing("가", "", "b", "a.pdf")]) == {"a": "a.pdf"}
    assert words(catalog, "b") == {"year": 2030, "부서": "인사팀"}
    assert catalog.document("b").title == "복무규정"  # type: ignore[union-attr]
    assert catalog.state().generation == generation + 1
    assert catalog.matching(parse_where({"부서": "인사팀"}), generation + 1).tolist() == [2]
    assert catalog.integrity() == []


def test_words_of_its_own_are_kept_by_what_takes_a_place(catalog: Catalog) -> None:
    catalog.add_many([document(id_, CLAUSES[0], key=key) for id_, key in zip("abc", "가나다", strict=True)])
    catalog.set_metadata("a", metadata={"부서": "인사팀"})
    catalog.set_metadata("b", metadata={"부서": "총무팀"})
    catalog.settle_places([Standing("가", "", "b", "a.pdf")])
    assert words(catalog, "b") == {"부서": "총무팀"}
    catalog.settle_places([Standing("나", "", "c", "b.pdf")])  # b stands at the other place still
    assert (words(catalog, "b"), words(catalog, "c")) == ({"부서": "총무팀"}, {})
    catalog.settle_places(gone=catalog.places_of("b"))
    assert words(catalog, "c") == {}
    assert catalog.integrity() == []


def test_words_stay_with_a_document_that_lives_on_elsewhere(catalog: Catalog) -> None:
    catalog.add_many([document("a", CLAUSES[0], key="규정")])
    catalog.set_metadata("a", title="규정 2024년판", metadata={"부서": "인사팀"})
    catalog.settle_places([Standing("규정 2024", "", "a", "규정 2024.pdf")])
    catalog.add_many([document("b", CLAUSES[1], key="규정")])
    assert (words(catalog, "a"), words(catalog, "b")) == ({"부서": "인사팀"}, {})
    assert catalog.said("b") is None
    assert catalog.said_at("규정 2024") == catalog.said("a")
    assert catalog.said_at("규정 2024", but="a") is None
    catalog.add_many([document("c", CLAUSES[2], key="규정 2024")])
    assert words(catalog, "c") == {"부서": "인사팀"}
    assert catalog.integrity() == []


def test_a_document_that_was_added_without_a_place_lives_beside_its_places(catalog: Catalog) -> None:
    catalog.add_many([document("a", CLAUSES[0]), document("b", CLAUSES[1], key="나")])
    catalog.settle_places([Standing("가", "", "a", "a.pdf"), Standing("", "", "b", "b.pdf")])
    catalog.add_many([document("c", CLAUSES[2], key="가")])
    catalog.add_many([document("d", CLAUSES[0], key="나")])
    assert [row.id for row in catalog.documents()] == ["a", "b", "c", "d"]
    catalog.delete(["a", "b"])
    assert catalog.keys() == {"가": "c", "나": "d"}
    assert catalog.integrity() == []


def test_a_file_of_an_index_without_places_follows_its_file(catalog: Catalog) -> None:
    catalog.add_many([document("a", CLAUSES[0])])
    catalog.settle_places([Standing("길", "", "a", "a.pdf", "길")])
    catalog.add_many([replace(document("b", CLAUSES[1], key="길"), path="길")])
    assert [row.id for row in catalog.documents()] == ["b"]


def test_a_title_from_a_file_name_follows_the_file(catalog: Catalog) -> None:
    def titled(id_: str, title: str, text: str) -> NewDocument:
        new = document(id_, text, key=f"{id_} 길")
        return replace(new, document=replace(new.document, source="여비.txt", title=title), path=f"{id_} 길")

    catalog.add_many([titled("a", "여비", "출장비는 실비로 준다."), titled("b", "여비", "여비\n출장비는 실비로 준다.")])
    catalog.add_many([titled("c", "출장 안내", "출장비는 실비로 준다.")])
    for id_ in "abc":
        catalog.settle_places([Standing(f"{id_} 길", "", id_, "출장비.txt", f"{id_} 길")])
    assert [(row.source, row.title) for row in catalog.documents()] == [
        ("출장비.txt", "출장비"),
        ("출장비.txt", "여비"),  # its first line
        ("출장비.txt", "출장 안내"),
    ]
    catalog.set_metadata("a", title="여비 규정")
    catalog.settle_places([Standing("a 길", "", "a", "실비.txt", "a 길")])
    found = catalog.document("a")
    assert found is not None
    assert (found.source, found.title, catalog._as_read(found).title) == ("실비.txt", "여비 규정", "실비")
    assert catalog.integrity() == []


def test_the_same_document_cut_anew_keeps_what_was_said_of_it(catalog: Catalog) -> None:
    catalog.add_many([document("a", CLAUSES[0] + CLAUSES[1], year=2024)])
    catalog.set_metadata("a", metadata={"부서": "인사팀"})
    catalog.add_many([document("a", *CLAUSES[:2], year=2024)])
    assert catalog.document("a").metadata == {"year": 2024, "부서": "인사팀"}  # type: ignore[union-attr]


circle: dict[str, Any] = {}
circle["자기"] = circle


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"metadata": {"금리": float("nan")}}, "metadata['금리']"),
        ({"metadata": {"금리": [1.5, float("inf")]}}, "metadata['금리'][1]"),
        ({"metadata": {"조건": {"한도": float("-inf")}}}, "metadata['조건']['한도']"),
        ({"metadata": {"시행일": date(2025, 1, 2)}}, "metadata['시행일']"),
        ({"metadata": {"연도": np.int64(2025)}}, "metadata['연도']"),
        ({"metadata": {"모음": {1, 2}}}, "metadata['모음']"),
        ({"metadata": {2025: "시행"}}, "metadata"),
        ({"metadata": {"글": "가\ud800나"}}, "metadata['글']"),
        ({"metadata": {"\ud800": "글"}}, "a name in metadata"),
        ({"metadata": {"큰 수": 10**5000}}, "metadata['큰 수']"),
        ({"metadata": ["부서"]}, "metadata"),
        ({"title": 3}, "title"),
        ({"title": "\udfff"}, "title"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_its_name(catalog: Catalog, said: dict[str, Any], field: str) -> None:
    catalog.add_many([document("a", CLAUSES[0])])
    before = catalog.state(), catalog.document("a")
    with pytest.raises(MetadataError) as caught:
        catalog.set_metadata("a", **said)
    assert caught.value.field == field
    assert isinstance(caught.value, ValueError)
    assert str(caught.value).startswith(f"{field} ")
    assert (catalog.state(), catalog.document("a")) == before


def test_metadata_that_holds_itself_is_refused(catalog: Catalog) -> None:
    catalog.add_many([document("a", CLAUSES[0])])
    with pytest.raises(MetadataError, match="holds itself"):
        catalog.set_metadata("a", metadata=circle)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=60)
@given(first=st.dictionaries(st.text(), JSON, max_size=3), second=st.dictionaries(st.text(), JSON, max_size=3))
def test_whatever_was_said_is_laid_over_every_version(
    tmp_path_factory: pytest.TempPathFactory, first: dict[str, Any], second: dict[str, Any]
) -> None:
    catalog = Catalog(tmp_path_factory.mktemp("said"), create=True)
    catalog.add_many([document("a", CLAUSES[0], key="k", year=2024)])
    catalog.set_metadata("a", metadata=first)
    catalog.set_metadata("a", metadata=second)
    catalog.add_many([document("b", CLAUSES[1], key="k", year=2025)])
    wanted = {name: value for name, value in {"year": 2025, **first, **second}.items() if value is not None}
    assert catalog.document("b").metadata == wanted  # type: ignore[union-attr]
    assert catalog.integrity() == []
    catalog.close()


def test_what_is_said_reaches_a_collection_that_holds_texts(catalog: Catalog) -> None:
    catalog.add_many([document("a", *CLAUSES, key="k"), document("b", CLAUSES[0])])
    catch_up(catalog)
    catalog.set(dense={"chroma_text": True})
    catalog.set_metadata("a", title="복무규정")
    assert [(p.op, p.row) for p in catalog.pending("dense", 9)] == [("add", 1), ("add", 2), ("add", 3)]
    assert not catalog.pending("lexical", 9)
    catch_up(catalog)
    catalog.settle_places([Standing("k", "", "a", "새 이름.pdf")])
    assert len(catalog.pending("dense", 9)) == 3
    assert catalog.integrity() == []
