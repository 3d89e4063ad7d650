import pytest

from kure_rag.read.domain import detect_domain

FINANCE = (
    "당분기 누적 매출액은 196,305백만원으로 전년 같은 분기보다 9.9% 늘었습니다. (단위: 백만원) 영업이익은 18,204"
    "백만원, 당기순이익은 13,377백만원입니다. 환율이 오르면 재무제표의 외화차입금이 늘어납니다."
)
LEGAL = (
    "제3장 휴가 제15조(연차휴가) 1년간 80퍼센트 이상 출근한 직원에게 15일의 유급휴가를 준다. 제15조의2(저축) "
    "제15조제1항에 따른 휴가를 저축할 수 있다. 부칙 이 규정은 공포한 날부터 시행한다."
)
MEDICAL = (
    "이 약의 효능은 알레르기 비염 증상의 완화이다. 성인 1회 10 mg을 1일 1회 복용한다. 신장 질환 환자에게 투여할 때에는 "
    "용량을 줄이고, 이상반응이 나타나면 투여를 멈춘다."
)
GENERAL = "봄이면 강가에 벚꽃이 피고 아이들은 자전거를 타며 논다. 시장에는 햇나물이 나오고 저녁이면 등불이 켜진다."


@pytest.mark.parametrize(
    ("text", "domain"), [(FINANCE, "finance"), (LEGAL, "legal"), (MEDICAL, "medical"), (GENERAL, "general")]
)
def test_domain_by_words(text: str, domain: str) -> None:
    found, evidence = detect_domain(text)
    assert found == domain
    assert set(evidence) == {"legal", "finance", "medical"}
    if domain != "general":
        assert evidence[domain] == max(evidence.values()) >= 4


def test_no_text_is_general() -> None:
    assert detect_domain("") == ("general", {})


def test_a_few_telling_words_in_a_long_text_do_not_tell() -> None:
    assert detect_domain(GENERAL * 20 + LEGAL)[0] == "general"


def test_only_the_beginning_is_looked_at() -> None:
    assert detect_domain(GENERAL * 400 + LEGAL * 400)[0] == "general"
