"""별표, 별지: which lines head an annex, and which only speak of one."""

import pytest

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Chunk, Document

RULES = """온실관리법 시행령
제1조(목적) 이 영은 온실관리법에서 위임된 사항을 정한다.
제2조(수수료) 법 제7조에 따른 수수료는 별표 1과 같다.
부칙 <제30001호, 2025. 3. 4.>
이 영은 2025년 4월 1일부터 시행한다.
"""


def cut(text: str) -> list[Chunk]:
    document = Document("d", "온실.pdf", "온실관리법 시행령", "legal", text)
    return [item.chunk for item in chunk_document(document, WhitespaceTokenizer(), ChunkSettings())]


HEADINGS = {
    "■ 온실관리법 시행령 [별표 1] <개정 2025. 3. 4.>": "별표 1",
    "■ 온실관리법 시행령 [별표 1의2] 〈신설 2025. 3. 4.〉": "별표 1의2",
    "■ 온실관리법 시행령 〈별표 2〉 ‹개정 2025. 3. 4.›": "별표 2",
    "■ 온실관리법 시행규칙 [별지 제3호서식] <개정 2025. 3. 4.>": "별지 제3호서식",
    "■ 온실관리법 시행규칙 [별지 제3호의2서식] <개정 2025. 3. 4.>(앞쪽)": "별지 제3호의2서식",
    "■ 온실관리법 시행령 [별표 1] <개정 2025. 3. 4.> 수수료(제2조 관련)": "별표 1 수수료(제2조 관련)",
    "[별표] <신설 2025. 3. 4.> 수수료": "별표 수수료",
    "‹별표 3›": "별표 3",
    "별표 1 <개정 2025. 3. 4.>": "별표 1",
    "별표 1<개정 2025. 3. 4.>": "별표 1",
    "별표 <개정 2025. 3. 4.>": "별표",
    "별표 1 수수료 산정 기준": "별표 1 수수료 산정 기준",
    "별표 2 면적에 따른 온실의 구분": "별표 2 면적에 따른 온실의 구분",
    "별표1 (제2조 관련)": "별표 1 (제2조 관련)",
    "별표(제2조 관련)": "별표 (제2조 관련)",
    "별지 제1호서식 온실 사용 신청": "별지 제1호서식 온실 사용 신청",
    "별표 제2호": "별표 2",
    "별표 3. 온실의 구분": "별표 3 온실의 구분",
    "별표 3: 온실의 구분": "별표 3 온실의 구분",
    "[별표 3-2] 온실의 구분": "별표 3-2 온실의 구분",
    "《별표 4》": "별표 4",
}


@pytest.mark.parametrize("heading", HEADINGS, ids=HEADINGS.values())
def test_the_heading_of_an_annex_ends_the_addenda(heading: str) -> None:
    chunks = cut(f"{RULES}{heading}\n유리 온실은 한 동에 만 원으로 한다.\n")
    addenda, annex = chunks[-2:]
    assert addenda.text == "부칙 <제30001호, 2025. 3. 4.>\n이 영은 2025년 4월 1일부터 시행한다."
    assert annex.text == f"{heading}\n유리 온실은 한 동에 만 원으로 한다."
    assert (annex.kind, annex.metadata["part"]) == ("appendix", "별표")
    assert annex.metadata["part_name"] == HEADINGS[heading]


def test_annexes_that_follow_each_other_are_apart() -> None:
    headings = ["별표 1 여비", "별표2 (제2조 관련)", "■ 온실관리법 시행령 [별지 제1호서식] <개정 2025. 3. 4.>"]
    chunks = cut(RULES + "".join(f"{heading}\n{i}만 원으로 한다.\n" for i, heading in enumerate(headings)))
    found = [chunk.metadata["part_name"] for chunk in chunks if chunk.kind == "appendix"]
    assert found == ["별표 1 여비", "별표 2 (제2조 관련)", "별지 제1호서식"]


def test_the_note_and_the_article_in_an_annexes_heading_are_of_the_annex() -> None:
    annex = cut(f"{RULES}■ 온실관리법 시행령 [별표 1] <개정 2025. 3. 4.> 수수료(제2조 관련)\n만 원으로 한다.\n")[-1]
    assert annex.metadata["amended"] == ["2025.3.4"]
    assert annex.metadata["references"] == ["제2조"]


@pytest.mark.parametrize(
    "line",
    [
        "별표 1에 따른다.",
        "별표 1의 기준을 넘는 온실은 따로 정한다",
        "별표 1의 기준",
        "별표 1 및 별표 2의 금액",
        "별표 1 내지 별표 3",
        "별표 1 기준에 따라 산정한 금액",
        "별표 1 금액을 넘는 온실",
        "별표 1 중 유리 온실란",
        "별표 1 개정규정",
        "별표 1.",
        "별표 1 비고 제2호",
        "별표 1 제2호가목",
        "별표 1(제2조 관련)에 따른 금액",
        "별지 제1호서식에 따른 신청서",
        "■ 온실의 수수료는 [별표 1]에 따라 계산한다",
        "■ 수수료의 자세한 내용은 [별표 1] 참조",
        "■ 수수료는 [별표 1]과 같다.",
    ],
)
def test_what_speaks_of_an_annex_heads_none(line: str) -> None:
    chunks = cut(f"{RULES}{line}\n유리 온실은 한 동에 만 원으로 한다.\n")
    assert "appendix" not in {chunk.kind for chunk in chunks}
    assert line in chunks[-1].text
    assert chunks[-1].metadata["part"] == "부칙"


@pytest.mark.parametrize("above", ["온실을 빌리려는 사람이 내는 수수료는", "아래와 같이 정한 금액에 대한", "온실과,"])
def test_a_line_that_goes_on_has_no_annex_below_it(above: str) -> None:
    chunks = cut(f"{RULES}{above}\n별표 1 수수료 산정 기준\n유리 온실은 한 동에 만 원으로 한다.\n")
    assert "appendix" not in {chunk.kind for chunk in chunks}


TITLES = {
    "[별표 1]\n과태료의 부과기준(제12조 관련)\n1. 일반기준": "별표 1 과태료의 부과기준(제12조 관련)",
    "[별표 1] <개정 2025. 3. 4.>\n과태료의 부과기준(제12조제1항 및\n제13조 관련)\n1. 일반기준": (
        "별표 1 과태료의 부과기준(제12조제1항 및 제13조 관련)"
    ),
    "[별표 1] 사용정지의 기준(제12조\n및 제13조 관련)\n1. 일반기준": "별표 1 사용정지의 기준(제12조 및 제13조 관련)",
    "■ 온실관리법 시행령 [별표 1]\n<개정 2025. 3. 4.>\n수수료\n1. 유리 온실: 만 원": "별표 1 수수료",
    "별표 1\n수수료(제2조 관련) <개정 2025. 3. 4.>\n만 원으로 한다.": "별표 1 수수료(제2조 관련)",
    "[별표 2]\n여 비 지 급 표\n유리 온실 만 원": "별표 2 여비지급표",
    "[별표 2]\n온실 종류별 설치 면적\n(단위: ㎡)\n| 구분 | 면적 |": "별표 2 온실 종류별 설치 면적",
    "[별지 제1호서식]\n(앞쪽)\n온실 사용 신청서\n접수번호 접수일": "별지 제1호서식 온실 사용 신청서",
    "[별첨 1]\n개인정보 처리 기준\n1. 목적": "별첨 1 개인정보 처리 기준",
}


@pytest.mark.parametrize("annex", TITLES, ids=TITLES.values())
def test_a_title_below_the_heading_of_an_annex_is_part_of_its_name(annex: str) -> None:
    chunk = cut(f"{RULES}{annex}\n")[-1]
    assert chunk.metadata["part_name"] == TITLES[annex]
    assert chunk.breadcrumb[-1] == TITLES[annex]
    assert chunk.text == annex
    assert chunk.kind == "appendix"


@pytest.mark.parametrize(
    "below",
    [
        "유리 온실은 한 동에 만 원으로 한다.",
        "접수번호 접수일 처리기간 3일\n신청인 성명",
        "1. 유리 온실의 수수료 산정 기준",
        "※ 유리 온실의 기준",
        "(단위: 원)",
        "| 구분 | 기준 |",
        "온실을 빌리려는 사람이 지켜야 하는\n1. 청소",
        "성명: 생년월일:\n1. 주소",
        "비고\n1. 유리 온실은 면적으로 한다.",
        "온실을 짓는 곳에서\n1. 지켜야 할 것",
    ],
)
def test_a_line_below_the_heading_of_an_annex_that_is_no_title(below: str) -> None:
    assert cut(f"{RULES}[별표 1]\n{below}\n")[-1].metadata["part_name"] == "별표 1"


def test_a_title_that_is_there_already_takes_no_line_from_the_text() -> None:
    chunk = cut(f"{RULES}[별표 1] 수수료\n면적에 따른 기준(제2조 관련)\n만 원으로 한다.\n")[-1]
    assert chunk.metadata["part_name"] == "별표 1 수수료"


def test_the_long_text_of_an_annex_has_its_title_above_every_chunk_and_in_no_lead() -> None:
    items = "".join(f"{n}. 온실의 {n}번째 칸은 유리의 두께와 난방의 방법에 따라 따로 계산한다.\n" for n in range(1, 40))
    chunks = [c for c in cut(f"{RULES}[별표 1]\n수수료(제2조 관련)\n{items}") if c.metadata.get("part") == "별표"]
    assert len(chunks) > 2
    assert {chunk.breadcrumb[-1] for chunk in chunks} == {"별표 1 수수료(제2조 관련)"}
    assert not any("수수료" in chunk.lead for chunk in chunks)
