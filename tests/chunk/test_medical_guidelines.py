"""What a guideline recommends keeps its number and its grade."""

import pytest

from kure_rag.chunk import chunk_document
from kure_rag.chunk.medical_grades import grades, recommendation_of
from kure_rag.tokenize import KiwiTokenizer
from kure_rag.types import Chunk, Document

WHY = "이 권고는 여러 무작위 대조 연구에 근거하며, 심혈관 사건이 일관되게 줄어드는 것이 관찰되었다. " * 20


@pytest.fixture(scope="module")
def chunks() -> list[Chunk]:
    text = f"""1. 혈당조절 목표
[권고 1] 성인의 혈당조절 목표는 당화혈색소 6.5% 미만으로 한다. [무작위대조연구, 일반적권고]
{WHY}
권고 2. 심한 저혈당을 겪은 환자의 목표는 따로 정한다.
(권고등급: B, 근거수준: 2)
권고 1에 따라 정한 목표는 해마다 다시 살핀다.
2. 교육
모든 환자를 교육한다.
"""
    document = Document(id="d", source="a.pdf", title="당뇨병 진료지침", domain="medical", text=text)
    return [item.chunk for item in chunk_document(document, KiwiTokenizer(), terms=False)]


def test_each_recommendation_has_its_grade(chunks: list[Chunk]) -> None:
    first, second = (next(c for c in chunks if word in c.text) for word in ("6.5% 미만", "따로 정한다"))
    assert (first.metadata["grade"], first.metadata["evidence"]) == ("일반적권고", "무작위대조연구")
    assert (second.metadata["grade"], second.metadata["evidence"]) == ("B", "2")
    assert second.metadata["recommendation"] == "권고 2"
    assert "6.5%" not in second.text
    assert second.text.endswith("다시 살핀다.")
    assert {first.kind, second.kind} == {"text"}


def test_what_explains_a_recommendation_says_which(chunks: list[Chunk]) -> None:
    why = [chunk for chunk in chunks if chunk.text.startswith("이 권고는")]
    assert why
    assert all(chunk.lead.startswith("[권고 1] 성인의 혈당조절 목표는") for chunk in why)
    assert {chunk.metadata["recommendation"] for chunk in why} == {"권고 1"}
    assert not any("grade" in chunk.metadata for chunk in why)


def test_the_section_after_it_is_no_recommendation(chunks: list[Chunk]) -> None:
    assert dict(chunks[-1].metadata) == {"section": "2. 교육"}


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("(권고등급 A, 근거수준 Ⅰ)", {"grade": "A", "evidence": "Ⅰ"}),
        ("권고강도: 강함 / 근거의 질: 높음", {"grade": "강함", "evidence": "높음"}),
        ("(Class IIa, Level B)", {"grade": "IIa", "evidence": "B"}),
        ("권고등급 A. 그리고 권고등급 B.", {"grade": ["A", "B"]}),
        ("NYHA Class III 환자", {}),
        ("근거수준은 문헌마다 다르다.", {}),
    ],
)
def test_grades_as_printed(printed: str, said: dict[str, object]) -> None:
    assert grades(printed) == said


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("권고 1. 혈압을 잰다.", "권고 1"),
        ("[권고 3-2] 혈압을 잰다.", "권고 3-2"),
        ("핵심 권고사항 4) 혈압을 잰다.", "권고 4"),
        ("권고 1에 따라 혈압을 잰다.", ""),
        ("권고 1등급 환자", ""),
        ("권고한다.", ""),
    ],
)
def test_lines_that_begin_a_recommendation(line: str, number: str) -> None:
    assert recommendation_of(line) == number
