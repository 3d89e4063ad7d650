"""A dose never stands without its drug, nor a criterion without its act."""

import pytest

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.tokenize import KiwiTokenizer, WhitespaceTokenizer
from kure_rag.types import Chunk, Document, Table

DRUG = "새솔정500밀리그램(아세트아미노펜)"
LABEL = f"""【제품명】 {DRUG}
【원료약품 및 그 분량】 1정 중 아세트아미노펜 500밀리그램
【효능·효과】
1. 감기로 인한 발열 및 동통
2. 급성 기관지염
3. 만성 기관지염
【용법·용량】
만 12세 이상: 1회 1~2정씩 1일 3~4회 복용한다.
1일 최대 8정을 넘지 않는다.
【사용상의주의사항】
1. 경고
매일 세 잔 넘게 술을 마시는 사람은 의사와 상의한다.
2. 다음 환자에는 투여하지 말 것.
1) 이 약에 과민증이 있는 환자
2) 심한 간장애 환자
3. 이상반응
1) 드물게 쇽 증상이 나타날 수 있다.
4. 임부 및 수유부에 대한 투여
임부에 대한 안전성은 확립되어 있지 않다.
【저장방법】 기밀용기, 실온보관
"""
ROW_HEADER = ("항 목", "제 목", "세부인정사항")


def cut(text: str, tables: tuple[Table, ...] = (), title: str = "첨부문서", **sizes: int) -> list[Chunk]:
    document = Document(id="d", source="a.pdf", title=title, domain="medical", text=text, tables=tables)
    return [item.chunk for item in chunk_document(document, WhitespaceTokenizer(), ChunkSettings(**sizes))]


def test_product_and_section_are_in_every_chunk_of_a_label() -> None:
    chunks = cut(LABEL)
    assert {chunk.metadata["product"] for chunk in chunks} == {DRUG}
    assert all(chunk.breadcrumb[1] == DRUG for chunk in chunks)
    assert [chunk.metadata["section"] for chunk in chunks] == [
        "제품명",
        "원료약품 및 분량",
        "효능·효과",
        "용법·용량",
        "경고",
        "금기",
        "이상반응",
        "임부 및 수유부",
        "저장방법",
    ]


def test_a_dose_is_found_with_its_drug() -> None:
    (dose,) = [chunk for chunk in cut(LABEL) if "1~2정" in chunk.text]
    assert dose.breadcrumb == ("첨부문서", DRUG, "【용법·용량】")
    assert dose.contextualized().startswith(f"첨부문서 > {DRUG} > 【용법·용량】\n")


def test_items_of_a_label_are_no_headings() -> None:
    (effects,) = [chunk for chunk in cut(LABEL) if "기관지염" in chunk.text]
    assert effects.breadcrumb[-1] == "【효능·효과】"
    assert effects.text.endswith("1. 감기로 인한 발열 및 동통\n2. 급성 기관지염\n3. 만성 기관지염")


def test_precautions_have_breadcrumbs_of_their_own() -> None:
    found = [chunk.breadcrumb[2:] for chunk in cut(LABEL) if "【사용상의주의사항】" in chunk.breadcrumb]
    assert [crumb[1] for crumb in found] == [
        "1. 경고",
        "2. 다음 환자에는 투여하지 말 것.",
        "3. 이상반응",
        "4. 임부 및 수유부에 대한 투여",
    ]


@pytest.mark.parametrize(
    ("printed", "name"),
    [
        ("1. 다음과 같은 환자(경우)에는 투여하지 마십시오.", "금기"),
        ("2. 다음 환자에게는 이 약을 투여하지 말 것", "금기"),
        ("2) 다음과 같은 사람은 이 약을 복용하지 말 것", "금기"),
        ("3. 다음 환자에는 신중히 투여하십시오.", "신중 투여"),
        ("다음과 같은 사람은 이 약을 복용하기 전에 의사, 약사와 상의할 것.", "신중 투여"),
        ("다음과 같은 검사를 한다.", "사용상의주의사항"),
    ],
)
def test_who_must_not_take_it_however_worded(printed: str, name: str) -> None:
    text = f"【효능·효과】 두통\n【사용상의주의사항】\n{printed}\n과민증이 있는 환자와 소화성궤양이 있는 환자"
    assert cut(text)[-1].metadata["section"] == name


def test_each_product_of_a_booklet_has_its_own_chunks() -> None:
    text = "".join(
        f"제품명: {drug}\n효능·효과: 두통\n용법·용량: 1회 {n}정\n" for n, drug in ((1, "가람정"), (2, "나래정"))
    )
    doses = {chunk.text: chunk.metadata["product"] for chunk in cut(text) if "용법" in chunk.text}
    assert doses == {"용법·용량: 1회 1정": "가람정", "용법·용량: 1회 2정": "나래정"}


def test_without_a_product_line_the_first_line_or_the_title_names_it() -> None:
    body = "효능·효과\n두통\n용법·용량\n1회 1정"
    assert (
        cut(f"일반의약품\n두레캡슐 20mg(에스오메프라졸)\n{body}")[-1].metadata["product"]
        == "두레캡슐 20mg(에스오메프라졸)"
    )
    assert cut(body, title="두레정 설명서")[-1].metadata["product"] == "두레정"


def test_numbered_sections_of_a_label_with_numbered_precautions() -> None:
    text = "제품명: 가람정\n1. 효능·효과\n두통에 쓴다.\n2. 용법·용량\n1회 1정 복용한다.\n3. 사용상의 주의사항\n"
    text += "1. 경고\n술과 함께 먹지 않는다.\n2. 이상반응\n졸릴 수 있다.\n3. 상호작용\n다른 약과 함께 먹지 않는다.\n"
    text += "4. 과량투여시의 처치\n위를 씻는다.\n4. 저장방법\n실온에 둔다.\n"
    found = {chunk.metadata["section"]: chunk.breadcrumb[2:] for chunk in cut(text) if "section" in chunk.metadata}
    assert found["상호작용"] == ("3. 사용상의 주의사항", "3. 상호작용")
    assert found["과량투여"] == ("3. 사용상의 주의사항", "4. 과량투여시의 처치")
    assert found["저장방법"] == ("4. 저장방법",)


def criteria(rows: list[tuple[str, ...]], header: tuple[str, ...]) -> tuple[str, tuple[Table, ...]]:
    """Rows of text as the reader prints them: short cells on one line, then the lines of the long one."""
    text = "다음과 같이 개정한다.\n"
    start = len(text)
    pieces = []
    for i, row in enumerate(rows):
        piece = " | ".join(row[:-1]) + "\n" + row[-1]
        pieces.append((len(text), len(text) + len(piece), i, i + 1))
        text += piece + "\n"
    return text, (Table(1, start, len(text) - 1, "", "", header, tuple(rows), tuple(pieces)),)


LONG = "\n".join(
    f"{i}. 좌심방이 폐색술은 {i}년 안에 한 번만 요양급여로 인정하고 진료기록부를 낸다." for i in range(1, 40)
)


def test_every_part_of_a_criterion_knows_its_act() -> None:
    rows = [("자651-2 경피적 좌심방이 폐색술", "자651-2 경피적 좌심방이 폐색술의 급여기준", LONG)]
    rows.append(("누584 일반면역검사", "누584마 폐렴 마이코플라즈마 항원검사의 급여기준", "연 2회 인정함."))
    text, tables = criteria(rows, ROW_HEADER)
    chunks = cut(text, tables, title="고시")
    parts = [chunk for chunk in chunks if chunk.metadata.get("code") == "자651-2"]
    assert len(parts) > 3
    for part in parts:
        assert part.breadcrumb == (
            "고시",
            "자651-2 경피적 좌심방이 폐색술",
            "자651-2 경피적 좌심방이 폐색술의 급여기준",
        )
        assert part.metadata["item"] == "자651-2 경피적 좌심방이 폐색술"
        assert part.kind == "table"
    assert chunks[-1].metadata["code"] == "누584마"
    assert chunks[-1].metadata["title"] == "누584마 폐렴 마이코플라즈마 항원검사의 급여기준"


def test_a_question_stays_with_its_answer_in_a_table() -> None:
    rows = [(str(i), f"{i}번째 질의는 어떻게 되나요?", f"○ {i}번째 답변임.\n- 덧붙임이 있음.") for i in (1, 2, 3)]
    text, tables = criteria(rows, ("연번", "질 의", "답 변"))
    chunks = [chunk for chunk in cut(text, tables) if chunk.kind == "qa"]
    assert [chunk.metadata["question"] for chunk in chunks] == [row[1] for row in rows]
    assert all(row[1] in chunk.text and row[2] in chunk.text for row, chunk in zip(rows, chunks, strict=True))


@pytest.mark.parametrize(
    ("question", "answer"), [("Q1. ", "A1. "), ("질의 1) ", "답변 1) "), ("문: ", "답: "), ("Q: ", "A: ")]
)
def test_a_question_stays_with_its_answer_in_the_text(question: str, answer: str) -> None:
    pairs = [
        f"{question}급여 횟수는 몇 번인가요?\n{answer}연 {i}회 인정합니다. 더 실시하면 본인이 부담합니다."
        for i in (1, 2)
    ]
    chunks = cut("\n".join(["자주 묻는 질문", *pairs]), target=40)
    assert [chunk.text for chunk in chunks if chunk.kind == "qa"] == pairs


def test_a_long_answer_keeps_its_question() -> None:
    chunks = [chunk for chunk in cut(f"Q. 인정 기준은 무엇인가요?\nA. 다음과 같다.\n{LONG}") if chunk.kind == "qa"]
    assert len(chunks) > 2
    assert all("Q. 인정 기준은 무엇인가요?" in chunk.lead for chunk in chunks[1:])


def test_the_grade_of_a_recommendation_stays_with_its_sentence() -> None:
    advice = "제2형 당뇨병 환자에게는 진단 때부터 생활습관 교육을 하도록 권고한다."
    text = "\n".join(f"{advice} (권고등급 A, 근거수준 {i})" for i in "ⅠⅡⅢ")
    text += f"\n{advice}\n[권고등급: B, 근거수준: 2]"
    document = Document(id="d", source="a.pdf", title="진료지침", domain="medical", text=text)
    settings = ChunkSettings(target=len(advice) + 5, longest=400)
    chunks = [item.chunk for item in chunk_document(document, KiwiTokenizer(), settings)]
    assert len(chunks) == 4
    assert all(chunk.text.startswith(advice) and "권고등급" in chunk.text for chunk in chunks)
