"""Markdown files as chunks: headings above them, code whole, tables apart."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.read.text_file import read_text
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Chunk, Document, Domain

GUIDE = """# 온실 안내

온실은 아침에 연다.

## 1. 설치

### 1. 준비

1. 전원을 끈다.
2. 덮개를 연다.

### 2. 실행

다음 명령을 실행한다.

```sh
# 1. 온실을 켠다
greenhouse start

greenhouse status
```

## 요금

| 구분 | 금액 |
|---|---:|
| 유리 온실 | 10,000 |

매월 말일에 낸다.
"""


def cut(text: str, domain: Domain = "general", settings: ChunkSettings | None = None) -> list[Chunk]:
    document = read_text(text.encode(), "안내.md", domain=domain)
    return [item.chunk for item in chunk_document(document, WhitespaceTokenizer(), settings or ChunkSettings())]


@pytest.mark.parametrize("domain", ["general", "finance", "medical"])
def test_headings_nest_by_their_marks(domain: Domain) -> None:
    assert [(chunk.kind, chunk.breadcrumb) for chunk in cut(GUIDE, domain)] == [
        ("text", ("온실 안내",)),
        ("text", ("온실 안내", "1. 설치", "1. 준비")),
        ("text", ("온실 안내", "1. 설치", "2. 실행")),
        ("table", ("온실 안내", "요금")),
        ("text", ("온실 안내", "요금")),
    ]


def test_code_stays_with_what_it_is_for() -> None:
    settings = ChunkSettings(target=60, longest=200)
    [run] = [chunk for chunk in cut(GUIDE, settings=settings) if "greenhouse" in chunk.text]
    assert "다음 명령을 실행한다.\n\n```sh\n# 1. 온실을 켠다" in run.text
    assert run.text.endswith("greenhouse status\n```")


def test_code_over_the_limit_is_cut_between_its_lines() -> None:
    lines = [f"온실 물주기 {n}번 칸을 연다" for n in range(60)]
    code = "\n".join(["```", *lines, "```"])
    settings = ChunkSettings(target=100, longest=200)
    chunks = cut(f"# 온실\n\n## 물\n\n온실에 물을 준다.\n\n{code}\n\n## 흙\n\n흙을 고른다.\n", settings=settings)
    parts = [chunk for chunk in chunks if "번 칸" in chunk.text]
    assert len(parts) > 5
    for chunk in parts:
        assert len(chunk.text) <= 200
        assert all(line in (*lines, "```", "물", "온실에 물을 준다.", "") for line in chunk.text.split("\n"))


def test_a_table_says_its_rows_as_those_of_a_pdf_do() -> None:
    [table] = [chunk for chunk in cut(GUIDE) if chunk.kind == "table"]
    assert table.lead == "유리 온실 | 금액 = 10,000"
    assert table.metadata["header"] == ["구분", "금액"]


def test_articles_under_marked_headings() -> None:
    text = "# 온실규정\n\n## 제1장 총칙\n\n### 제1조(목적)\n\n온실을 정한다.\n\n### 제2조(시간)\n\n아침에 연다.\n"
    chunks = [chunk for chunk in cut(text, "legal") if chunk.kind == "article"]
    assert [(chunk.metadata["article"], chunk.metadata["chapter"]) for chunk in chunks] == [
        ("제1조", "제1장 총칙"),
        ("제2조", "제1장 총칙"),
    ]


def test_questions_marked_as_headings_stay_with_their_answers() -> None:
    asked = "### Q1. 언제 여나요?\n\n아침에 엽니다.\n\n### Q2. 언제 닫나요?\n\n저녁에 닫습니다.\n"
    text = f"# 온실\n\n## 자주 묻는 질문\n\n{asked}"
    pairs = [chunk for chunk in cut(text) if chunk.kind == "qa"]
    assert [chunk.text.rpartition("\n")[2] for chunk in pairs] == ["아침에 엽니다.", "저녁에 닫습니다."]
    assert {chunk.breadcrumb[-1] for chunk in pairs} == {"자주 묻는 질문"}


def test_a_file_with_nothing_but_its_title_marked_is_read_as_a_text_file() -> None:
    said = "온실의 문은 아침마다 열고 저녁마다 닫으며 비가 오는 날에는 열지 않는다.\n" * 3
    text = f"# 온실 안내\n\n1. 여는 시각\n{said}2. 닫는 시각\n{said}3. 요금\n{said}"
    assert [chunk.breadcrumb[-1] for chunk in cut(text)] == ["1. 여는 시각", "2. 닫는 시각", "3. 요금"]


@pytest.mark.parametrize("stored", [7, [[0]], [[0, 5], [3, 8]], [[0, 999]], [["a", "b"]], [[True, 4]], [[4, 4]]])
def test_metadata_of_that_name_may_be_something_else(stored: object) -> None:
    document = Document("d", "a", "온실", "general", "온실은 아침에 연다.\n", metadata={"code": stored})
    [item] = chunk_document(document, WhitespaceTokenizer(), ChunkSettings())
    assert item.chunk.text == "온실은 아침에 연다."


PARTS = ["# 온실", "## 1. 물", "### 제1조(목적)", "물을 준다.", "```", "다음과 같다:", "| 가 | 나 |", "|---|---|", ""]
PARTS += [
    "| 1 | 2 |",
    "* 흙",
    "1. 빛",
    "Q1. 언제?",
    "A1. 아침",
    "제품명: 가람정",
    "효능ㆍ효과",
    "용법ㆍ용량",
    "[별표 1]",
    "----",
]


@example(["효능ㆍ효과", "```", "효능ㆍ효과", "제품명: 가람정"], "medical")  # code names no product
@given(st.lists(st.sampled_from(PARTS), max_size=30), st.sampled_from(["general", "finance", "legal", "medical"]))
def test_every_visible_character_of_a_file_is_in_one_chunk(lines: list[str], domain: Domain) -> None:
    text = "\n".join([*lines, "끝."])
    document = read_text(text.encode(), "안내.md", domain=domain)
    settings = ChunkSettings(target=20, longest=40)
    chunks = [item.chunk for item in chunk_document(document, WhitespaceTokenizer(), settings)]
    at = 0
    for chunk in chunks:
        assert document.text[chunk.start : chunk.end] == chunk.text
        assert not document.text[at : chunk.start].strip()
        at = chunk.end
    assert not document.text[at:].strip()
