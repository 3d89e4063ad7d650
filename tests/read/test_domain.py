import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.errors import ReadError
from kure_rag.read import ReadSettings, read_pdf
from kure_rag.read.domain import detect_domain
from kure_rag.types import DOMAINS

DATA = Path(os.environ.get("KURE_RAG_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
# Labelled by hand where the folder does not tell, by the beginning of the name.
BY_FOLDER = {"finance": "finance", "legal": "legal", "medical": "medical", "hard": "legal"}
BY_NAME = {
    "2. 제안요청서": "general",
    "제안요청서": "general",
    "덕신_": "general",  # a safety data sheet of welding rods: nothing for a patient
    "세보엠이씨_": "general",
    "국회회의록": "general",
    "특허_": "general",
    "skipped_": "general",
    "cid-font": "general",
    "KISA_": "general",
    "kbo_only_table": "general",  # a table of changes to a league's rules
    "2125318_": "legal",  # a bill and the report on it
    "normal_4pages": "medical",  # infection and insurance terms
    "example.pdf": "finance",
}

FINANCE = (
    "당분기 누적 매출액은 196,305백만원으로 전년 같은 분기보다 9.9% 늘었습니다. (단위: 백만원) 영업이익은 18,204"
    "백만원, 당기순이익은 13,377백만원입니다. 환율이 오르면 재무제표의 외화차입금이 늘어납니다.\n"
)
LEGAL = (
    "제3장 휴가\n제15조(연차휴가) 1년간 80퍼센트 이상 출근한 직원에게 15일의 유급휴가를 준다.\n제15조의2(저축) "
    "제15조제1항에 따른 휴가를 저축할 수 있다.\n부칙\n이 규정은 공포한 날부터 시행한다.\n"
)
MEDICAL = (
    "이 약의 효능은 알레르기 비염 증상의 완화이다. 성인 1회 10 mg을 1일 1회 "
    "복용한다. 신장 질환 환자에게 투여할 때에는 "
    "용량을 줄이고, 이상반응이 나타나면 투여를 멈춘다.\n"
)
GENERAL = "봄이면 강가에 벚꽃이 피고 아이들은 자전거를 타며 논다. 시장에는 햇나물이 나오고 저녁이면 등불이 켜진다.\n"

BANKING_ACT = (
    "제1조(목적) 이 법은 은행의 건전한 운영을 도모하고 자금중개기능의 효율성을 높이며 예금자를 보호한다.\n"
    "제2조(정의) 이 법에서 예금이란 은행이 받은 자금을, 대출이란 금리를 정하여 빌려준 자금을 말한다.\n"
    "제3조(자본금) 은행의 자본금은 1천억원 이상이어야 하고, 자본총계는 주식과 증권의 평가액을 뺀다.\n"
)
MEDICAL_ACT = (
    "제17조(진단서) 의사는 환자를 진찰한 뒤 진단서와 처방전을 내준다.\n"
    "제18조(처방전) 의사는 환자에게 의약품을 투여할 필요가 있으면 용법과 용량을 적은 처방전을 준다.\n"
    "제19조(비밀) 의료인은 환자의 질환과 치료를 다른 사람에게 알리지 못한다.\n"
)
RULING = (
    "대법원 2021. 5. 6. 선고 2020다12345 판결\n【판시사항】\n임대인이 "
    "보증금을 돌려주지 않은 경우의 지연손해금\n【주 문】\n"
    "상고를 기각한다.\n【이 유】\n원고는 주택을 인도하였고, 피고는 은행의 대출 금리가 올랐다는 사정을 들었다.\n"
)
INSURANCE_TERMS = (
    "【보통약관】\n제1조(목적) 이 보험계약은 상해의 위험을 보장합니다.\n제2조(보험금의 "
    "지급사유) 회사는 환자가 수술을 받은 때에 "
    "보험금을 지급합니다.\n제3조(보험료의 납입) 계약자는 보험료를 매월 냅니다.\n"
)
REIMBURSEMENT = (
    "「국민건강보험법」 제41조제3항 및 같은 법 시행령 제19조제1항에 따라 요양급여의 "
    "적용기준을 다음과 같이 개정한다.\n"
    "경피적 시술은 급여기준에 맞는 환자에게 인정하며, 관상동맥 스텐트는 병변마다 1개를 "
    "넘으면 요양급여로 보지 아니한다.\n"
    "부칙 <제2030-1호>\n이 고시는 발령한 날부터 시행한다.\n"
)
BRIEF = (
    "기준금리가 오르자 채권 금리도 올랐다. 소비자물가는 전년 대비 3.1% 올랐고 "
    "수출은 5개월째 늘었다. 환율은 1,310원이다.\n"
)
TENDER = (
    "사업 기간은 계약일부터 6개월이다. 제안사는 화면 설계와 시험 계획을 낸다. 서버는 기관의 전산실에 둔다. "
    "교육은 두 차례 하고 설명서를 낸다. 하자 보수는 1년으로 한다. 진행 상황은 매주 알린다.\n"
)
MINUTES = (
    "○위원장 김한결 의사일정 제1항 환경교육법 일부개정법률안을 상정합니다.\n"
    "○박새봄 위원 제안이유를 말씀드리겠습니다. 현행법 제3조는 조례로 정하도록 하고 있습니다.\n"
    "○장관 이도윤 개정안의 취지에 동의합니다. 시행령으로 정하겠습니다.\n"
)


@pytest.mark.parametrize(
    ("text", "domain"), [(FINANCE, "finance"), (LEGAL, "legal"), (MEDICAL, "medical"), (GENERAL, "general")]
)
def test_domain_by_words_with_its_evidence(text: str, domain: str) -> None:
    found, evidence = detect_domain(text)
    assert found == domain
    rates = evidence["rates"]
    assert set(rates) == {"legal", "finance", "medical"}
    if domain != "general":
        assert rates[domain] >= 4
        assert evidence["terms"][domain]
    assert bool(evidence["forms"]) is (domain == "legal")


@pytest.mark.parametrize("text", [BANKING_ACT, MEDICAL_ACT, RULING, INSURANCE_TERMS])
def test_a_legal_form_goes_over_the_subject(text: str) -> None:
    assert detect_domain(text * 3)[0] == "legal"


@pytest.mark.parametrize(
    ("text", "domain"),
    [(REIMBURSEMENT, "medical"), (BRIEF, "finance"), (TENDER, "general"), (MINUTES * 4, "general")],
)
def test_papers_that_cite_statutes_are_what_they_are_about(text: str, domain: str) -> None:
    assert detect_domain(text)[0] == domain


def test_a_contract_at_the_end_of_a_tender_does_not_make_it_legal() -> None:
    assert detect_domain(TENDER * 300 + INSURANCE_TERMS * 3)[0] == "general"


def test_a_long_preface_does_not_hide_a_statute() -> None:
    assert detect_domain(GENERAL * 100 + BANKING_ACT * 300)[0] == "legal"


def test_no_text_is_general() -> None:
    assert detect_domain("") == ("general", {})
    assert detect_domain(" \n ") == ("general", {})


def test_a_few_telling_words_in_a_long_text_do_not_tell() -> None:
    assert detect_domain(GENERAL * 200 + LEGAL)[0] == "general"


@given(st.text(max_size=300))
def test_any_text_has_a_domain(text: str) -> None:
    assert detect_domain(text)[0] in DOMAINS


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "pdf").is_dir(), reason="no PDFs to read; set KURE_RAG_DATA")
def test_real_files_have_the_domain_they_were_labelled_with() -> None:
    confusion: Counter[tuple[str, str]] = Counter()
    wrong = []
    settings = ReadSettings(tables=False, fallback=False, ocr="never")
    for path in [*sorted((DATA / "pdf").rglob("*.pdf")), *sorted((DATA / "law_pdf").glob("*.pdf"))[::8]]:
        try:
            found = read_pdf(path.read_bytes(), path.name, settings=settings).domain
        except ReadError:
            continue
        folder = BY_FOLDER.get(path.parent.name, "legal")
        label = next((label for start, label in BY_NAME.items() if path.name.startswith(start)), folder)
        confusion[label, found] += 1
        if found != label:
            wrong.append((path.name, label, found))
    print(confusion)
    assert len(wrong) <= 0.05 * confusion.total(), wrong
    assert not [name for name, _, _ in wrong if name.startswith("law_")]


@pytest.mark.parametrize(
    ("domain", "terms"),
    [
        (
            "legal",
            "제3조 시행령 상고 판결 대법원 위헌 조례 법률안 개정안 입법 원고는 피고인 채권자 임대차 과세 비과세 납세",
        ),
        (
            "finance",
            "단위:원 당기순이익 매출 자산총계 3분기 4조원 FOMC CBDC OECD 연준 펀드 물가 환매 배당 예금 국채 시장금리",
        ),
        (
            "medical",
            "효능 용법 투여 환자 금기 처방 5mg 급여기준 요양기관 시술 증후군 진단 약제 수가 검사료 혈관 항체 부작용",
        ),
    ],
)
def test_every_word_of_a_domain_counts(domain: str, terms: str) -> None:
    for term in terms.split():
        _, evidence = detect_domain(f"- {term} -")
        assert evidence["rates"][domain] > 0, term


def test_forms_count_once_a_line_and_what_reaches_on_hides_the_next_line() -> None:
    lines = (
        "제1조",
        "제2조(목적) 이 규정은",
        "부칙",
        "  시행일: 2024",
        "○ 위원장 개회를 선언한다.",
        "주 문",
        "제4조 삭제 2012. 개정)",
    )
    forms = detect_domain("\n".join(lines))[1]["forms"]
    length = len("".join("".join(lines).split()))
    share = round(1000 / length, 2)
    assert forms == {"조": round(2000 / length, 2), "판결": share, "부칙": share, "시행": share, "개정": share}
