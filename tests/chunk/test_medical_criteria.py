"""A criterion is cited under its own entry."""

import pytest

from kure_rag.chunk import chunk_document
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Chunk, Document, Page, Table

HEADER = ("항 목", "제 목", "세부인정사항")
COMPARED = (
    "현 행 > 항목",
    "현 행 > 제목",
    "현 행 > 세부인정사항",
    "개 정 > 항목",
    "개 정 > 제목",
    "개 정 > 세부인정사항",
)
ENTRIES = """제2장 약제별 세부인정기준 및 방법
[일반원칙] 간장용제
1. 인정 범위 안에서 아래와 같이 요양급여를 인정함.
가. 투여대상
간염 환자로서 AST가 60 U/L 이상인 경우에 인정함.
나. 병용요법
두 가지까지 인정함.
[217] 가람피닐 경구제 (품명: 가람오정 20mg)
허가사항 범위 안에서 아래와 같이 요양급여를 인정함.
가. 투여대상: 폐동맥고혈압 환자
나. 투여용량: 1회 20mg, 1일 3회
"""


def cut(text: str, tables: tuple[Table, ...] = (), title: str = "고시", pages: tuple[Page, ...] = ()) -> list[Chunk]:
    document = Document(id="d", source="a.pdf", title=title, domain="medical", text=text, tables=tables, pages=pages)
    return [item.chunk for item in chunk_document(document, WhitespaceTokenizer(), terms=False)]


def table(
    at: int, rows: list[tuple[str, ...]], header: tuple[str, ...] = HEADER, caption: str = ""
) -> tuple[str, Table]:
    """Rows as the reader prints them: short cells on one line, then the long one; the text begins at ``at``."""
    text = f"{caption}\n" if caption else ""
    pieces = []
    for i, row in enumerate(rows):
        piece = " | ".join(cell for cell in row[:-1] if cell) + "\n" + row[-1]
        pieces.append((at + len(text) if i else at, at + len(text) + len(piece), i, i + 1))
        text += piece + "\n"
    return text, Table(1, at, at + len(text) - 1, caption, "", header, tuple(rows), tuple(pieces))


def test_an_entry_in_brackets_ends_the_one_above() -> None:
    chunks = cut(ENTRIES)
    (dose,) = [chunk for chunk in chunks if "1회 20mg" in chunk.text]
    assert dose.metadata["section"] == "[217] 가람피닐 경구제 (품명: 가람오정 20mg)"
    assert dose.metadata["product"] == "가람오정 20mg"
    assert dose.breadcrumb[:3] == (
        "고시",
        "제2장 약제별 세부인정기준 및 방법",
        "[217] 가람피닐 경구제 (품명: 가람오정 20mg)",
    )
    others = [chunk for chunk in chunks if chunk is not dose]
    assert {chunk.metadata["section"] for chunk in others} == {"[일반원칙] 간장용제"}
    assert not any("product" in chunk.metadata for chunk in others)
    (both,) = [chunk for chunk in chunks if "두 가지" in chunk.text]
    assert both.breadcrumb[2:] == ("[일반원칙] 간장용제", "나. 병용요법")


@pytest.mark.parametrize("marks", [("(가) ", "(나) "), ("가. ", "나. "), ("1. ", "2. "), ("", "")])
def test_a_drug_named_over_its_criteria_is_their_product(marks: tuple[str, str]) -> None:
    text = (
        f"{marks[0]}가람무맙 주사제 (품명: 가람이라주 등)\n○ 투여대상: 류마티스관절염 환자\n○ 투여용법: 2주마다 40mg\n"
    )
    text += (
        f"{marks[1]}나래주맙 주사제 (품명: 나래템라주)\n○ 투여대상: 류마티스관절염 환자\n○ 투여용법: 4주마다 8mg/kg\n"
    )
    doses = {word: chunk for chunk in cut(text) for word in ("40mg", "8mg/kg") if word in chunk.text}
    assert doses["40mg"].metadata["product"] == "가람이라주 등"
    assert doses["8mg/kg"].metadata["product"] == "나래템라주"
    assert "나래" not in doses["40mg"].text


def test_drugs_in_a_list_are_not_the_product_of_what_follows() -> None:
    text = "[218] 다솜로쿠맙 주사제\n가. 병용약제\n1) 라온티미브 (품명: 라온정)\n2) 마루스타틴 (품명: 마루정)\n"
    text += "나. 투여량\n2주 1회 140mg을 투여함.\n"
    assert not any("product" in chunk.metadata for chunk in cut(text))


def test_a_title_above_criteria_is_their_section_and_a_former_notice_is_told_apart() -> None:
    text = "약물방출스텐트의 급여기준\n1. 다음의 경우에 요양급여를 인정함.\n가. 급여대상\n시술 후 재협착이 생긴 경우\n"
    text += "전 고시내용\n1. 다음의 경우에 요양급여를 인정함.\n가. 급여대상\n모든 협착의 경우에 인정하였음.\n"
    now, before = (next(c for c in cut(text) if word in c.text) for word in ("재협착", "모든 협착"))
    assert now.metadata["section"] == "약물방출스텐트의 급여기준"
    assert before.metadata["section"] == "전 고시내용"


def test_a_table_stands_under_the_chapter_that_is_amended() -> None:
    opening = "고시 일부를 다음과 같이 개정한다.\nⅠ. 행위 제2장 검사료 중 누588 면역형광법란을 다음과 같이 신설한다.\n"
    text, one = table(len(opening), [("누588 면역형광법", "누588 면역형광법의 급여기준", "1회 인정함.")])
    (row,) = [chunk for chunk in cut(opening + text, (one,)) if chunk.kind == "table"]
    assert row.breadcrumb == ("고시", "Ⅰ. 행위 제2장 검사료", "누588 면역형광법", "누588 면역형광법의 급여기준")
    assert row.metadata["section"] == "누588 면역형광법의 급여기준"
    assert "다음과 같이 신설한다" in row.text


def test_a_criterion_that_slipped_into_the_title_is_no_title() -> None:
    first = ("", "마루색전술의 급여기준", "1. 다음의 경우에 인정함\n가. 급여대상\n1) 직경 10mm 이상인 경우")
    torn = "라) 목동맥에 생긴, 이어진 여러 동맥류로서 직경의 합이 10mm 이상인 경우 나. 급여개수: 1개"
    text, one = table(0, [first])
    more, two = table(len(text), [("", torn, torn)])
    *_, last = cut(text + more, (one, two))
    assert last.breadcrumb == ("고시", "마루색전술의 급여기준")
    assert last.metadata["title"] == last.metadata["section"] == "마루색전술의 급여기준"


def test_the_lines_of_one_title_that_were_taken_for_rows_are_one_title() -> None:
    rows = [
        ("가람 DEVICE LEAD", "가람 전극선 제거에 쓰는 재료로 심장 내"),
        ("제거용 SHEATH의 급여기준", "남은 전극선에도 인정함."),
    ]
    text, one = table(0, rows, ("제 목", "세부인정사항"))
    assert {chunk.metadata["section"] for chunk in cut(text, (one,))} == {"가람 DEVICE LEAD 제거용 SHEATH의 급여기준"}


def test_two_whole_titles_stay_two() -> None:
    text, one = table(0, [("가람술", "1회 인정함."), ("나래술의 급여기준", "2회 인정함.")], ("제 목", "세부인정사항"))
    assert [chunk.metadata["section"] for chunk in cut(text, (one,))] == ["가람술", "나래술의 급여기준"]


def test_what_is_compared_after_the_addenda_is_no_part_of_them() -> None:
    opening = "1. 개정 사항\n다음과 같이 개정한다.\n부 칙\n제1조(시행일) 이 고시는 2024년 6월 1일부터 시행한다.\n"
    head = "요양급여의 적용기준\n"
    chapter = ("Ⅰ. 행위 제2장 검사료",) * 6
    added = ("<신설>", "<신설>", "<신설>", "나676 광각검사", "나676 광각검사의 급여기준", "연 4회 인정함.")
    text, one = table(len(opening + head), [chapter, added], COMPARED, "신구조문 대비표")
    pages = (Page(1, 0, len(opening)), Page(2, len(opening), len(opening + head + text)))
    chunks = cut(opening + head + text, (one,), pages=pages)
    (addenda,) = [chunk for chunk in chunks if "시행한다" in chunk.text]
    assert addenda.metadata["section"] == "부 칙"
    assert addenda.breadcrumb[1] == "부 칙"
    chapter_row, row = chunks[-2:]
    assert chapter_row.text.startswith("요양급여의 적용기준\n")
    assert chapter_row.metadata["section"] == "Ⅰ. 행위 제2장 검사료"
    assert "title" not in chapter_row.metadata
    assert row.breadcrumb[1:] == (
        "신구조문 대비표",
        "Ⅰ. 행위 제2장 검사료",
        "나676 광각검사",
        "나676 광각검사의 급여기준",
    )


def test_columns_named_in_a_row_are_known() -> None:
    rows = [
        ("Ⅲ. 치료재료", "Ⅲ. 치료재료", "Ⅲ. 치료재료", "Ⅲ. 치료재료"),
        ("제2장 검사료", "제2장 검사료", "제2장 검사료", "제2장 검사료"),
        ("제 목", "세 부 인 정 사 항", "제 목", "세 부 인 정 사 항"),
        ("<신설>", "<신설>", "가람 SENSOR의 급여기준", "수술 환자에게 1회 인정함."),
    ]
    text, one = table(0, rows, ("현 행", "현 행", "개 정", "개 정"))
    last = cut(text, (one,))[-1]
    assert last.breadcrumb == ("고시", "Ⅲ. 치료재료 제2장 검사료", "가람 SENSOR의 급여기준")


def test_an_item_without_a_title_is_the_section_and_names_its_product() -> None:
    rows = [("[218] 다솜로쿠맙 주사제 (품명: 다솜타주)", "2주 1회 인정함."), ("[219] 라온제", "3주 1회 인정함.")]
    text, one = table(0, rows, ("구 분", "세부인정기준 및 방법"))
    first, second = cut(text, (one,))
    assert first.metadata["section"] == "[218] 다솜로쿠맙 주사제 (품명: 다솜타주)"
    assert first.metadata["product"] == "다솜타주"
    assert second.metadata["section"] == "[219] 라온제"
    assert "product" not in second.metadata


def test_a_table_in_a_label_keeps_the_labels_section() -> None:
    opening = "제품명: 가람정\n용법·용량\n"
    rows = [("신장 기능", "신장 기능", "신장 기능"), ("정상", "10 mg", "1일 1회")]
    text, one = table(len(opening), rows, ("구분", "용량", "횟수"))
    chunks = [chunk for chunk in cut(f"{opening}{text}효능·효과\n두통\n", (one,)) if chunk.kind == "table"]
    assert {(chunk.metadata["product"], chunk.metadata["section"]) for chunk in chunks} == {("가람정", "용법·용량")}


def test_several_acts_of_one_row_have_all_their_codes() -> None:
    row = ("자655 가람확장술, 자656 나래삽입술", "중재적 시술 시 수가산정방법", "혈관별로 산정함.")
    text, one = table(0, [row])
    assert cut(text, (one,))[-1].metadata["code"] == ["자655", "자656"]


def test_questions_are_about_what_the_title_says() -> None:
    text, one = table(0, [("1", "몇 번 인정되나요?", "○ 연 2회 인정함.")], ("연번", "질 의", "답 변"))
    (pair,) = cut(text, (one,), title="자651-2 가람폐색술 급여기준 관련 질의·응답")
    assert pair.metadata["section"] == "자651-2 가람폐색술 급여기준"
    assert pair.kind == "qa"


def test_a_part_of_a_long_comparison_says_whether_it_is_still_in_force() -> None:
    old, new = (
        f"1. {word} 다음의 경우에 요양급여를 인정하며 진료기록부를 낸다.\n" * 24 for word in ("종전에는", "이제는")
    )
    row = ("가람술의 급여기준", old, "가람술의 급여기준", new)
    text = f"가람술의 급여기준\n현 행 > 세부인정사항\n{old}개 정 > 세부인정사항\n{new}".rstrip()
    header = ("현 행 > 제목", "현 행 > 세부인정사항", "개 정 > 제목", "개 정 > 세부인정사항")
    one = Table(1, 0, len(text), "", "", header, (row,), ((0, len(text), 0, 1),))
    parts = cut(text, (one,))
    for word, side in (("종전에는", "현 행"), ("이제는", "개 정")):
        only = [p for p in parts if word in p.text and not ("종전에는" in p.text and "이제는" in p.text)]
        assert len(only) > 1
        assert all(side in p.contextualized().partition("\n1.")[0] for p in only)
