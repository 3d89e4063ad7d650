"""A heading that stands alone is found only by a filter that names its kind."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import write_pdf

from kure_rag import KureIndex

RULES = [
    "장학금 지급 규정",
    "제1장 장학금",
    "제1조(목적) 이 규정은 성적이 뛰어난 학생에게 주는 장학금의 지급에 관한 사항을 정한다.",
    "제2조(신청) 장학금을 받으려는 학생은 학기가 시작되기 전에 신청서를 낸다.",
    "제2장 보칙",
    "제3조(시행세칙) 이 규정의 시행에 필요한 사항은 총장이 따로 정한다.",
]


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> KureIndex:
    folder = tmp_path_factory.mktemp("rules")
    write_pdf(folder / "장학금.pdf", [RULES])
    index = KureIndex.open(folder / "ix", embeddings=str(tiny_model))
    index.add_paths(folder / "장학금.pdf", domain="legal", workers=1)
    return index


@pytest.mark.parametrize("mode", ["lexical", "dense", "hybrid"])
def test_a_bare_heading_is_no_answer(rules: KureIndex, mode: str) -> None:
    hits = rules.search("제1장 장학금", k=10, mode=mode)  # type: ignore[arg-type]
    assert hits
    assert all(hit.chunk.kind != "heading" for hit in hits)
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))


def test_a_filter_that_names_the_kind_finds_it(rules: KureIndex) -> None:
    hits = rules.search("제1장 장학금", where={"$and": [{"kind": {"$in": ["heading", "article"]}}]})
    assert hits[0].chunk.text == "제1장 장학금"
    assert {hit.chunk.kind for hit in rules.search("보칙", where={"kind": "heading"})} == {"heading"}
