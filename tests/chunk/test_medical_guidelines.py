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
        ("(Class of Recommendation IIa, Level ofEvidence B-R)", {"grade": "IIa", "evidence": "B-R"}),
        ("Level of Evidence B-R", {"evidence": "B-R"}),
        ("약을 쓸 수 있다. [IIa, B]", {"grade": "IIa", "evidence": "B"}),
        ("약을 쓴다. (I, B-NR)", {"grade": "I", "evidence": "B-NR"}),
        ("[IIa, B] 약을 쓴다. [III; C]", {"grade": ["IIa", "III"], "evidence": ["B", "C"]}),
        ("인자 (I, C) 모두", {}),
        ("[제I, B형] [II, Ab]", {}),
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
        ("[권고안] 혈압을 잰다.", "권고안"),
        ("【핵심 권고】 혈압을 잰다.", "핵심 권고"),
        ("권고: 혈압을 잰다.", "권고"),
        ("권고사항 모든 환자의 혈압을 잰다.", "권고사항"),
        ("[권고안]", "권고안"),
        ("권고사항 및 근거를 정리한다.", ""),
        ("권고안 개발 과정", ""),
        ("권고사항은 다음과 같다.", ""),
        ("(권고등급 A, 근거수준 Ⅰ)", ""),
    ],
)
def test_lines_that_begin_a_recommendation(line: str, number: str) -> None:
    assert recommendation_of(line) == number


def recommended(text: str) -> list[Chunk]:
    """The chunks that hold grades."""
    document = Document(id="d", source="a.pdf", title="고혈압 진료지침", domain="medical", text=text)
    chunks = [item.chunk for item in chunk_document(document, KiwiTokenizer(), terms=False)]
    return [chunk for chunk in chunks if "grade" in chunk.metadata]


DO = "고혈압 환자에게는 이뇨제를 먼저 쓸 것을 권고한다."
DO_NOT = "임신부에게는 이뇨제를 쓰지 않을 것을 권고한다."


@pytest.mark.parametrize(
    "text",
    [
        f"[권고안] {DO} (근거수준 A, 권고등급 I)\n[권고안] {DO_NOT} (근거수준 B, 권고등급 III)",
        f"권고: {DO}\n근거수준 A, 권고등급 I\n권고: {DO_NOT}\n근거수준 B, 권고등급 III",
        f"권고사항 {DO} (근거수준 A, 권고등급 I)\n이뇨제는 값이 싸다.\n권고사항 {DO_NOT} (근거수준 B, 권고등급 III)",
        f"[권고안]\n{DO} (근거수준 A, 권고등급 I)\n[권고안]\n{DO_NOT} (근거수준 B, 권고등급 III)",
        f"다음과 같이 권고한다.\n1) {DO} (근거수준 A, 권고등급 I)\n2) {DO_NOT} (근거수준 B, 권고등급 III)",
        f"{DO} (근거수준 A, 권고등급 I) {DO_NOT} (근거수준 B, 권고등급 III)",
        f"{DO}\n(근거수준 A, 권고등급 I)\n{DO_NOT}\n(근거수준 B, 권고등급 III)",
    ],
)
def test_opposite_recommendations_never_share_a_chunk_or_grades(text: str) -> None:
    do, do_not = recommended(f"제2장 약물치료\n{text}\n")
    assert (DO in do.text, DO_NOT in do.text) == (True, False)
    assert (DO in do_not.text, DO_NOT in do_not.text) == (False, True)
    assert (do.metadata["grade"], do.metadata["evidence"]) == ("I", "A")
    assert (do_not.metadata["grade"], do_not.metadata["evidence"]) == ("III", "B")


def test_a_grade_in_brackets_alone_ends_its_statement() -> None:
    text = "1. 약물치료\n80세 이상에서는 약을 쓸 수 있다. [IIa, B]\n임신부에게는 약을 쓰지 않는다. [III, C]\n"
    found = [(c.text, c.metadata.get("grade"), c.metadata.get("evidence")) for c in recommended(text)]
    assert [(grade, evidence) for _, grade, evidence in found] == [("IIa", "B"), ("III", "C")]
    assert "임신부" in found[1][0]


def test_what_announces_graded_statements_goes_along_with_each() -> None:
    text = f"다음과 같이 권고한다.\n1) {DO} (권고등급 I)\n2) {DO_NOT} (권고등급 III)\n끝으로 환자를 교육한다."
    chunks = recommended(text)
    assert [chunk.lead for chunk in chunks] == ["다음과 같이 권고한다."] * 2
    assert "교육한다" not in chunks[-1].text


@pytest.mark.parametrize(
    ("said", "evidence"),
    [
        ("[근거수준 무작위대조연구, 권고등급 A]", "무작위대조연구"),
        ("(근거수준: 전문가 의견, 권고등급: A)", "전문가 의견"),
        ("[권고등급 A / 근거수준 체계적 문헌고찰]", "체계적 문헌고찰"),
    ],
)
def test_evidence_that_is_named_by_its_study(said: str, evidence: str) -> None:
    assert grades(f"초기 치료로 운동을 권한다. {said}") == {"grade": "A", "evidence": evidence}


def test_a_sentence_about_evidence_is_no_grade_of_it() -> None:
    assert grades("근거수준은 여러 무작위대조연구에서 높게 나타났다.") == {}
