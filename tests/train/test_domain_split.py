"""What of a domain must not be on both sides: statutes with their decrees, copies, sentences that are asked for."""

from __future__ import annotations

from typing import Any

from kure_rag.train.domain_data import DomainData, DomainPassage, DomainQuestion
from kure_rag.train.domain_family import families
from kure_rag.train.domain_mine import without_asked
from kure_rag.train.domain_split import developments, split_domain
from kure_rag.train.recipes.triplet_dev import Known, digest


def test_a_sentence_is_taken_out_of_passages_that_it_was_not_chosen_of() -> None:
    sentence = "이 일은 모두 맡은 사람이 정하여야 한다."
    texts = {"a": f"가\n{sentence} 둘째.", "b": f"나\n{sentence} 셋째."}
    data = DomainData(passages={id_: DomainPassage(id=id_, document=id_, text=text) for id_, text in texts.items()})
    asked = DomainQuestion(text=sentence, passages=("a",), kind="sentence")
    assert {id_: text.split() for id_, text in without_asked(data, [asked]).items()} == {
        "a": ["가", "둘째."],
        "b": ["나", "셋째."],
    }


def test_a_statute_and_its_decrees_are_one() -> None:
    names = {
        "a": "도로교통법",
        "b": "도로교통법 시행령",
        "c": "도로교통법시행규칙(행정안전부령)(제501호).pdf",
        "d": "도로법",
        "e": "주차장법 시행령",
        "f": "휴가에 관한 규칙",
    }
    data = DomainData(passages={id_: DomainPassage(id=id_, document=name, text=id_) for id_, name in names.items()})
    found = families(data)
    assert found["a"] == found["b"] == found["c"]
    assert len(set(found.values())) == 4
    assert found["d"] == "도로법"


def decreed(count: int = 12) -> DomainData:
    """Statutes and their decrees, with two questions about each."""
    data = DomainData()
    for i in range(count):
        for name in (f"제{i}의법", f"제{i}의법 시행령"):
            data.passages[name] = DomainPassage(id=name, document=name, text=f"{name}의 본문")
            data.questions += [
                DomainQuestion(text=f"{name} {asked}", passages=(name,), kind="heading") for asked in ("하나", "둘")
            ]
    return data


def test_a_statute_is_not_held_back_without_its_decree() -> None:
    data = decreed()
    split = split_domain(data, by="document", share=0.3)
    assert split.held
    assert {id_.split(" ")[0] for id_ in split.held}.isdisjoint(
        id_.split(" ")[0] for question in split.training for id_ in question.passages
    )
    development: Any = developments(data, split, "", "")[0]
    assert len(set(development._groups.values())) == len(split.held) / 2


def test_a_copy_of_what_is_scored_on_is_not_trained_on() -> None:
    data = decreed()
    held = min(split_domain(data, by="document", share=0.3).held)
    data.passages["copy"] = DomainPassage(id="copy", document="다른 것", text=f" {data.passages[held].text}\n")
    data.questions.append(DomainQuestion(text="본문을 베낀 것", passages=("copy",), kind="keywords"))
    known = Known(positives=frozenset({digest("제0의법의 본문")}), queries=frozenset({digest("제1의법 하나")}))
    split = split_domain(data, by="document", share=0.3, known=known)
    assert held in split.held
    assert {"copy", "제0의법"} <= split.barred
    assert not {id_ for question in split.training for id_ in question.passages} & split.barred
    assert "제1의법 하나" not in {question.text for question in split.training}
    assert split.copies >= 1
    assert any("in what is scored on" in note for note in split.notes(data))
