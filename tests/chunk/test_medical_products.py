"""A dose is cited under its own drug, or under none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.chunk import chunk_document
from kure_rag.chunk.medical_names import brand, product_name
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Chunk, Document


def cut(text: str, title: str = "의약품 허가사항 모음") -> list[Chunk]:
    document = Document(id="d", source="a.pdf", title=title, domain="medical", text=text)
    return [item.chunk for item in chunk_document(document, WhitespaceTokenizer(), terms=False)]


def label(name: str, dose: str) -> str:
    return f"""{name}
[효능·효과]
본태성 고혈압의 치료에 쓴다.
[용법·용량]
{dose}
[사용상의주의사항]
1. 경고
의사의 처방에 따라 쓴다.
2. 다음 환자에는 투여하지 말 것
이 약의 성분에 과민한 환자
"""


def products(chunks: list[Chunk], word: str) -> list[object]:
    return [chunk.metadata.get("product") for chunk in chunks if word in chunk.text]


def test_labels_one_after_the_other_keep_their_own_doses() -> None:
    names = [
        "가람정5밀리그램(가람베실산염)",
        "나래정400밀리그램",
        "다솜정5/50밀리그램",
        "라온정",
        "마루캡슐 1mg(마루리무스)",
    ]
    chunks = cut("".join(label(name, f"1회 {i}정을 복용한다.") for i, name in enumerate(names, 1)))
    assert [products(chunks, f"1회 {i}정") for i in range(1, 6)] == [[name] for name in names]
    assert all(chunk.metadata["product"] in chunk.breadcrumb and chunk.metadata["section"] for chunk in chunks)


def test_the_next_drugs_name_is_no_part_of_what_the_last_one_forbids() -> None:
    chunks = cut(label("가람정5밀리그램", "1회 1정") + label("나래정400밀리그램", "1회 2정"))
    forbidden = [chunk for chunk in chunks if chunk.metadata["section"] == "금기"]
    assert [chunk.text.endswith("과민한 환자") for chunk in forbidden] == [True, True]
    assert [chunk.metadata["product"] for chunk in forbidden] == ["가람정5밀리그램", "나래정400밀리그램"]


def test_a_name_that_a_reader_joined_to_the_sentence_above_begins_the_next_label() -> None:
    body = "효능·효과\n두통\n용법·용량\n1회 1정을 복용한다."
    chunks = cut(f"가람정10밀리그램\n{body} 나래정20밀리그램(나래펜)\n효능·효과\n치통\n용법·용량\n1회 4정\n")
    assert products(chunks, "1회 4정") == ["나래정20밀리그램(나래펜)"]
    assert [chunk.text for chunk in chunks if "1회 1정" in chunk.text] == ["용법·용량\n1회 1정을 복용한다."]


@pytest.mark.parametrize("number", ["{}. ", "{}) ", "({}) "])
def test_numbered_drugs_are_products(number: str) -> None:
    text = ""
    for i, name in enumerate(("가람정5밀리그램(가람염산염)", "나래시럽", "다솜주사액"), 1):
        text += f"{number.format(i)}{name}\n가. 효능·효과\n두통에 쓴다.\n나. 용법·용량\n1회 {i} mL\n"
    chunks = cut(text, "허가사항")
    doses = [chunk for chunk in chunks if "1회" in chunk.text]
    assert [chunk.metadata["product"] for chunk in doses] == ["가람정5밀리그램(가람염산염)", "나래시럽", "다솜주사액"]
    assert doses[1].breadcrumb == ("허가사항", "나래시럽", "나. 용법·용량")


def test_where_the_sections_begin_again_under_no_known_name_there_is_no_product() -> None:
    again = "효능·효과\n불면증에 쓴다.\n용법·용량\n1회 9방울\n"
    for between in ("", "하나로\n", "일부 개정\n"):
        chunks = cut(
            label("가람정5밀리그램", "1회 1정").replace("과민한 환자", "과민하면 쓰지 않는다.") + between + again
        )
        assert products(chunks, "1회 1정") == ["가람정5밀리그램"]
        assert products(chunks, "9방울") == [None]
        assert not [chunk for chunk in chunks if chunk.metadata.get("product") and between and between in chunk.text]


@pytest.mark.parametrize(
    "title", ["20240101_scan", "허가사항", "고시 개정 안내", "의약품 규정", "가람정과 나래정 비교"]
)
def test_a_title_that_names_no_drug_is_no_product(title: str) -> None:
    chunks = cut("효능·효과\n고혈압\n용법·용량\n1일 1회 5mg\n", title)
    assert [chunk.metadata.get("product") for chunk in chunks] == [None, None]
    assert [chunk.metadata["section"] for chunk in chunks] == ["효능·효과", "용법·용량"]


def test_several_strengths_of_one_label_are_all_named() -> None:
    chunks = cut(label("전문의약품\n가람정5밀리그램\n가람정10밀리그램", "1일 1회") + label("나래정", "1일 2회"))
    assert products(chunks, "1일 1회") == ["가람정5밀리그램, 가람정10밀리그램"]
    assert products(chunks, "1일 2회") == ["나래정"]


def test_a_drug_named_in_the_text_of_a_label_is_not_its_product() -> None:
    text = "가람정5밀리그램\n효능·효과\n고혈압\n용법·용량\n1회 1정\n사용상의주의사항\n1. 상호작용\n함께 먹지 않는다.\n"
    text += "1) 나래정\n2) 다솜캡슐\n저장방법\n실온에 둔다.\n"
    assert {chunk.metadata["product"] for chunk in cut(text)} == {"가람정5밀리그램"}


def test_section_names_of_a_table_of_contents_begin_no_label() -> None:
    text = (
        "가람정5밀리그램\n효능·효과\n용법·용량\n저장방법\n효능·효과\n두통에 쓴다.\n용법·용량\n1회 1정\n저장방법\n실온\n"
    )
    assert products(cut(text), "1회 1정") == ["가람정5밀리그램"]


@pytest.mark.parametrize(
    "line",
    [
        "가람정5밀리그램(가람베실산염)",
        "가람프리필드시린지주40밀리그램/0.4밀리리터(가람리무맙,유전자재조합)",
        "나래플렉스펜주 100단위/밀리리터(인슐린나래)",
        "나래정",
        "다솜크림",
        "마루건조시럽",
        "가람정5밀리그램, 가람정10밀리그램",
    ],
)
def test_names_of_drugs(line: str) -> None:
    assert brand(line)


@pytest.mark.parametrize(
    "line",
    ["일부개정", "1회 1정", "격주", "정맥주사", "구연산", "만성 질환", "복용 금액", "효능·효과", "두통에 쓴다.", ""],
)
def test_words_that_are_no_names_of_drugs(line: str) -> None:
    assert not brand(line)


@given(st.lists(st.sampled_from(["가람정", "나래시럽", "다솜주", "하나로", "일반의약품", "1. 마루정5mg"]), max_size=6))
def test_nothing_of_a_booklet_is_lost_and_no_dose_moves(names: list[str]) -> None:
    text = "".join(f"{name}\n효능·효과\n두통\n용법·용량\n1회 {i}mL\n" for i, name in enumerate(names))
    chunks = cut(text)
    assert "".join("".join(chunk.text for chunk in chunks).split()) == "".join(text.split())
    for i, name in enumerate(names):
        (product,) = products(chunks, f"1회 {i}mL")
        known = name.removeprefix("1. ")
        # Its own, or none; what two labels in a row share is said once.
        assert product in (known if brand(known) else None, None)


def test_a_title_that_is_a_product_does_not_stand_above_another_product() -> None:
    chunks = cut(
        label("가람정 5밀리그램", "1일 1회 1정") + label("나래정 10밀리그램", "1일 2회 1정"), "가람정 5밀리그램"
    )
    crumbs = {chunk.metadata["product"]: chunk.breadcrumb[0] for chunk in chunks}
    assert crumbs == {"가람정 5밀리그램": "가람정 5밀리그램", "나래정 10밀리그램": "나래정 10밀리그램"}
    assert all("가람정 5밀리그램" not in c.breadcrumb for c in chunks if c.metadata["product"] == "나래정 10밀리그램")


def test_a_title_that_is_no_product_stands_above_all() -> None:
    chunks = cut(label("가람정 5밀리그램", "1일 1회 1정") + label("나래정 10밀리그램", "1일 2회 1정"))
    assert {chunk.breadcrumb[0] for chunk in chunks} == {"의약품 허가사항 모음"}


def test_a_title_without_the_strength_stands_above_its_product() -> None:
    chunks = cut(label("가람정 5밀리그램", "1일 1회 1정"), "가람정 설명서")
    assert {chunk.breadcrumb[:2] for chunk in chunks} == {("가람정 설명서", "가람정 5밀리그램")}


DROPS = "{}\n효능·효과\n두통에 쓴다.\n용법·용량\n1회 {}방울 쓴다.\n"


def crumb_of(chunks: list[Chunk], word: str) -> tuple[str, ...]:
    (crumb,) = (chunk.breadcrumb for chunk in chunks if word in chunk.text)
    return crumb


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("가람®정 5mg", "가람®정 5mg"),
        ("가람정™ 5mg", "가람정™ 5mg"),
        ("가람® 정 5mg", "가람® 정 5mg"),
        ("가람(R)정", "가람(R)정"),
        ("나래®캡슐", "나래®캡슐"),
        ("[전문의약품] 가람정 5밀리그램(가람염산염)", "가람정 5밀리그램(가람염산염)"),
        ("(일반의약품) 나래시럽", "나래시럽"),
        ("일반의약품: 나래시럽", "나래시럽"),
        ("[전문의약품] 가람에프", "가람에프"),
        ("[나래시럽]", "나래시럽"),
        ("【가람®정】", "가람®정"),
        ("[일반의약품 나래시럽]", "나래시럽"),
        ("가람정 5mg 사용설명서", "가람정 5mg"),
        ("<나래®캡슐> 사용설명서", "나래®캡슐"),
    ],
)
def test_a_product_is_called_as_printed_without_its_class_and_paper(line: str, name: str) -> None:
    assert product_name(line) == name
    other = "다솜정 10mg"
    for text, order in ((label(line, "1회 1정"), (name, other)), (label(other, "1회 1정"), (other, name))):
        second = line if order[1] == name else other
        title = line if order[0] == name else other
        chunks = cut(text + label(second, "1회 2정"), title)
        for dose, product in zip(("1회 1정", "1회 2정"), order, strict=True):
            assert products(chunks, dose) == [product]
            assert crumb_of(chunks, dose) == (product, "[용법·용량]")


@pytest.mark.parametrize(
    "line",
    [
        "[전문의약품]",
        "[일반의약품] 허가 현황",
        "[일반의약품] 다음과 같이 쓴다",
        "[전문의약품] 1회 1정",
        "[연질캡슐]",
        "서방정",
        "[주사액]",
        "(나래시럽)",
        "[가람정]과 [나래정]",
        "[급여 기준 일부개정]",
        "사용설명서",
    ],
)
def test_brackets_and_classes_make_no_name(line: str) -> None:
    assert product_name(line) == ""


def test_the_class_above_the_next_name_is_no_part_of_the_label_before() -> None:
    text = "[전문의약품] 가람정 5mg\n【효능·효과】\n고혈압\n【저장방법】 기밀용기, 실온보관\n"
    text += "[일반의약품] 나래시럽(나래펜)\n【효능·효과】\n감기\n【용법·용량】\n1회 7 mL\n"
    chunks = cut(text, "[전문의약품] 가람정 5mg")
    assert products(chunks, "실온보관") == ["가람정 5mg"]
    assert not [chunk for chunk in chunks if "실온보관" in chunk.text and "나래" in chunk.text]
    assert crumb_of(chunks, "1회 7 mL") == ("나래시럽(나래펜)", "【용법·용량】")


@pytest.mark.parametrize("title", ["하나에프", "20240101_scan"])
def test_a_line_that_may_name_the_drug_stands_above_its_dose_and_the_title_above_no_other(title: str) -> None:
    chunks = cut(DROPS.format("하나에프", 1) + DROPS.format("두리에스", 2), title)
    assert crumb_of(chunks, "1회 1방울") == ("하나에프", "용법·용량")
    assert crumb_of(chunks, "1회 2방울") == ("두리에스", "용법·용량")
    assert products(chunks, "방울") == [None, None]


@pytest.mark.parametrize("between", ["", "부록\n", "일부 개정\n", "다음과 같이 쓴다\n", "www.example.com\n", "제2장\n"])
def test_a_dose_under_no_name_has_no_title_of_another_drug(between: str) -> None:
    for title, first in (("가람정 5mg", "가람정 5mg"), ("하나에프", "하나에프")):
        chunks = cut(DROPS.format(first, 1) + between + DROPS.format("", 2).lstrip(), title)
        assert crumb_of(chunks, "1회 1방울") == (title, "용법·용량")
        assert crumb_of(chunks, "1회 2방울") == ("용법·용량",)


def test_a_line_that_may_name_the_drug_of_a_single_label_stands_above_it() -> None:
    for title in ("의약품 정보", "20240101_scan"):
        assert crumb_of(cut(DROPS.format("하나에프", 1), title), "1방울") == (title, "하나에프", "용법·용량")
    assert crumb_of(cut(DROPS.format("하나에프", 1), "하나에프"), "1방울") == ("하나에프", "용법·용량")
    address = "서울시 하나로 12\n전화 02-000-0000\n"
    assert crumb_of(cut(DROPS.format(address.strip(), 1), "scan"), "1방울") == ("scan", "용법·용량")


@pytest.mark.parametrize("title", ["의약품 허가사항 모음", "한빛병원 약제부"])
def test_a_title_above_all_labels_stands_above_each(title: str) -> None:
    chunks = cut(f"{title}\n" + DROPS.format("가람정", 1) + DROPS.format("나래정", 2), title)
    assert crumb_of(chunks, "1회 1방울") == (title, "가람정", "용법·용량")
    assert crumb_of(chunks, "1회 2방울") == (title, "나래정", "용법·용량")


def test_a_title_printed_above_no_label_stands_only_above_drugs_that_are_known() -> None:
    chunks = cut(DROPS.format("가람정", 1) + DROPS.format("나래정", 2) + DROPS.format("", 3).lstrip(), "약제부 문서")
    assert crumb_of(chunks, "1회 1방울") == ("약제부 문서", "가람정", "용법·용량")
    assert crumb_of(chunks, "1회 2방울") == ("약제부 문서", "나래정", "용법·용량")
    assert crumb_of(chunks, "1회 3방울") == ("용법·용량",)
    chunks = cut(DROPS.format("가람정", 1).replace("에 쓴다", "") + DROPS.format("나래정", 2), "두통.")
    assert crumb_of(chunks, "1회 2방울") == ("나래정", "용법·용량")
    chunks = cut(DROPS.format("하나에프", 1) + DROPS.format("나래정", 2), "하나에프 문서")
    assert crumb_of(chunks, "1회 2방울") == ("나래정", "용법·용량")


def test_names_listed_above_the_first_label_are_not_its_products() -> None:
    chunks = cut("차례\n가람정 5mg\n나래정\n" + DROPS.format("가람정 5mg", 1) + DROPS.format("나래정", 2), "가람정 5mg")
    assert products(chunks, "1회 1방울") == ["가람정 5mg"]
    assert products(chunks, "1회 2방울") == ["나래정"]


def test_a_name_after_its_key_that_a_reader_joined_to_the_sentence_above_begins_the_next_label() -> None:
    text = DROPS.format("제품명: 가람정 5mg", 1).rstrip() + " 제품명: 나래시럽\n" + DROPS.format("", 2).lstrip()
    chunks = cut(text, "제품명: 가람정 5mg")
    assert crumb_of(chunks, "1회 1방울") == ("가람정 5mg", "용법·용량")
    assert crumb_of(chunks, "1회 2방울") == ("나래시럽", "용법·용량")


def test_what_stands_above_a_label_without_a_name_has_no_title_of_another_drug() -> None:
    front = "서울시 하나로 12\n전화 02-000-0000\n"
    chunks = cut(front + DROPS.format("", 1).lstrip() + label("가람정 5mg", "1회 1정"), "가람정 5mg")
    assert crumb_of(chunks, "하나로") == ()
    assert crumb_of(chunks, "1회 1방울") == ("용법·용량",)
    assert crumb_of(chunks, "1회 1정") == ("가람정 5mg", "[용법·용량]")
