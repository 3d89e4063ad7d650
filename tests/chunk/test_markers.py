import pytest

from kure_rag.chunk.markers import find_marker


@pytest.mark.parametrize(
    ("line", "style", "number"),
    [
        ("Ⅱ. 보안인증 대상", "roman", 2),
        ("Ⅱ보안인증 대상", "roman", 2),
        ("IV. 위험 요인", "roman", 4),
        ("1. 회사의 개요", "number", 1),
        ("12.사업의 내용", "number", 12),
        ("1의2. 준비금", "number", 1),
        ("2.1 시장위험", "sub1", 1),
        ("2-1. 재무상태표", "sub1", 1),
        ("2.1.3 환위험", "sub2", 3),
        ("나. 급여횟수", "letter", 2),
        ("(3) 교역재", "pnumber", 3),
        ("3) 교역재", "numberp", 3),
        ("(다) 교역재", "pletter", 3),
        ("다) 교역재", "letterp", 3),
        ("③ 주택시장", "circled①", 3),
        ("㉑ 기타", "circled①", 21),
        ("㉮ 기타", "circled㉮", 1),
        ("□ 추진배경", "□", 0),
        ("ㅇ 고용사정", "ㅇ", 0),
        ("- 비내구재", "-", 0),
        ("※ 기준일", "note", 0),
        ("* 전월대비", "note", 0),
        ("주: 1) 월말 기준", "note", 0),
        ("자료 : 한국은행", "note", 0),
        ("01 / 전자송달서류의 철회", "bar", 1),
        ("주석 3. 매출채권", "statement", 3),
        ("주석 12 - 차입금 (연결)", "statement", 12),
        ("[주석 2] 재고자산", "statement", 2),
        ("제2호 의안: 이사 선임의 건", "agenda1", 2),
        ("제1-2호 의안 : 사내이사 선임의 건", "agenda2", 2),
        ("의안 제3호. 정관 변경의 건", "agenda1", 3),
    ],
)
def test_marks(line: str, style: str, number: int) -> None:
    marker = find_marker(line)
    assert marker is not None
    assert (marker.style, marker.number) == (style, number)
    assert not line[marker.length :].startswith((" ", marker.style))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "가나다라",
        "주요 실물경제 지표",
        "자료를 낸다",
        "10 mg",
        "2024. 6. 1. 시행",
        "-2.85 0.57",
        "3.5%",
        "V.",
        "1.5",
        "주석 3에 있습니다",
        "(주석 3 참조)",
        "제1호 의안은 원안대로 가결하다.",
        "제1호 서식",
        "안건을 심의하다.",
    ],
)
def test_no_marks(line: str) -> None:
    assert find_marker(line) is None
