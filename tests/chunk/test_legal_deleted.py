"""Deleted articles: what is left of one is a passage of its own, whichever bracket says so."""

from typing import Any

import pytest

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Chunk, Document

WORDS = WhitespaceTokenizer()


def cut(text: str) -> list[Chunk]:
    document = Document(id="d" * 64, source="규정.pdf", title="운영 규정", domain="legal", text=text)
    return [item.chunk for item in chunk_document(document, WORDS, ChunkSettings(target=400, longest=800))]


def around(line: str) -> dict[str, Chunk]:
    above = "제1조(목적) 운영을 정한다.\n제2조(정의) 뜻은 다음과 같다."
    text = f"{above}\n{line}\n제4조(해지) 서면으로 한다.\n제5조(관할) 서울로 한다."
    return {chunk.metadata["article"]: chunk for chunk in cut(text)}


@pytest.mark.parametrize(
    ("line", "dates"),
    [
        ("제3조(삭제)", []),
        ("제 3 조 (삭 제)", []),
        ("제3조. (삭제)", []),
        ("제3조 [삭제]", []),
        ("제3조 <삭제>", []),
        ("제3조【삭제】", []),
        ("제3조 〔삭제〕.", []),
        ("제3조 (삭제 2019.3.1.)", ["2019.3.1"]),
        ("제3조 <삭제 2019. 3. 1>", ["2019.3.1"]),
        ("제3조 〈삭제 2019년 3월 1일〉", ["2019.3.1"]),
        ("제3조 [삭제, 2019-03-01]", ["2019.3.1"]),
        ("제3조 (2019.3.1. 삭제)", ["2019.3.1"]),
        ("제3조 (삭제: '19.3.1.)", ["2019.3.1"]),
        ("제3조 (삭제 98. 12. 31.)", ["1998.12.31"]),
        ("제3조 (본조삭제 20190301)", ["2019.3.1"]),
        ("제3조 (삭제 <2019.3.1.>)", ["2019.3.1"]),
        ("제3조 (삭제) <2019.3.1.>", ["2019.3.1"]),
        ("제3조 (삭제) [2019.3.1 삭제]", ["2019.3.1"]),
        ("제3조 (삭제 2019.3.1, 2020.1.1)", ["2019.3.1", "2020.1.1"]),
        ("제3조 삭제 <2019년 3월 1일>", ["2019.3.1"]),
    ],
)
def test_a_bracket_with_only_deleted_and_a_date_is_an_article_of_its_own(line: str, dates: list[str]) -> None:
    found = around(line)
    expected: dict[str, Any] = {"part": "본칙", "article": "제3조", "deleted": True}
    assert found["제3조"].text == line
    assert found["제3조"].metadata == (expected | {"amended": dates} if dates else expected)
    assert found["제3조"].breadcrumb[-1] == "제3조"
    assert found["제2조"].text == "제2조(정의) 뜻은 다음과 같다."
    assert not {"references", "amended"} & found["제2조"].metadata.keys()


def test_a_branch_is_deleted_too() -> None:
    assert around("제3조의2(삭제)")["제3조의2"].metadata["deleted"] is True


@pytest.mark.parametrize(
    "line",
    [
        "제3조(삭제된 조항)에 따른 권리는 남는다.",
        "제3조(삭제)에 따른 권리는 남는다.",
        "제3조(삭제) 및 제4조에 따른 권리는 남는다.",
        "제3조(삭제)\n에 따른 권리는 남는다.",
        "제3조 <삭제 2019.3.1.>의 규정은 남는다.",
    ],
)
def test_a_reference_to_a_deleted_article_begins_none(line: str) -> None:
    found = around(line)
    assert "제3조" not in found
    assert line in found["제2조"].text


def test_titles_that_begin_with_deletion_are_titles() -> None:
    found = around("제3조(삭제의 요청) 삭제를 요청할 수 있다.")
    assert found["제3조"].metadata["title"] == "삭제의 요청"
    assert "deleted" not in found["제3조"].metadata


def test_several_in_a_row_are_each_their_own_and_a_range_is_one() -> None:
    gone = "제2조(삭제)\n제3조 [삭제]\n제4조 <삭제 2019.3.1.>\n제5조부터 제7조까지 삭제 <2020.1.1>"
    chunks = cut(f"제1조(목적) 정한다.\n{gone}\n제8조(관할) 서울이다.")
    assert [chunk.metadata["article"] for chunk in chunks] == ["제1조", "제2조", "제3조", "제4조", "제5조", "제8조"]
    assert [chunk.metadata.get("deleted") for chunk in chunks] == [None, True, True, True, True, None]
    assert chunks[4].metadata["through"] == "제7조"


def test_a_table_of_contents_with_deleted_articles_heads_nothing() -> None:
    titles = ["제1조(목적)", "제2조(정의)", "제3조(삭제)", "제4조(해지)", "제5조(관할)"]
    body = [title if "삭제" in title else f"{title} 여기서 정한다." for title in titles]
    chunks = cut("\n".join([*titles, *body]))
    articles = [chunk for chunk in chunks if "article" in chunk.metadata]
    assert [chunk.text for chunk in articles] == body


def test_deleted_articles_that_begin_a_text_stay_its_own() -> None:
    chunks = cut("제1조(삭제)\n제2조(삭제)\n제3조(삭제)\n제4조(해지) 서면으로 한다.\n제5조(관할) 서울로 한다.")
    assert [chunk.metadata["article"] for chunk in chunks] == ["제1조", "제2조", "제3조", "제4조", "제5조"]


def test_many_deleted_articles_do_not_make_references_headings() -> None:
    gone = "\n".join(f"제{number}조(삭제)" for number in range(3, 12))
    last = "제12조(벌칙) 다음 사람은 벌한다.\n제13조 위반행위를 한 사람\n제20조(관할) 서울이다."
    chunks = cut(f"제1조(목적) 운영을 정한다.\n제2조(정의) 뜻을 정한다.\n{gone}\n{last}")
    articles = [chunk.metadata["article"] for chunk in chunks]
    assert articles == [*(f"제{number}조" for number in range(1, 13)), "제20조"]
