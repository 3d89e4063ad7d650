"""What names a table, and what is only a line above it."""

from __future__ import annotations

import pytest

from kure_rag.read.tables.captions import is_caption
from kure_rag.read.tables.cells import Cell, Table
from kure_rag.read.tables.headers import header_depth
from kure_rag.read.tables.notes import date_in, unit_in


@pytest.mark.parametrize(
    ("line", "unit", "rest"),
    [
        ("(단위: 백만원)", "단위: 백만원", ""),
        ("표 3. 지점별 수신 현황 (단위 : 억원, %)", "단위 : 억원, %", "표 3. 지점별 수신 현황"),
        ("[단위: 명]", "단위: 명", ""),
        ("단위: 천 달러", "단위: 천 달러", ""),
        ("(천명)", "천명", ""),
        ("(전년동월대비, %)", "전년동월대비, %", ""),
        ("(금액단위: 천원)", "금액단위: 천원", ""),
        ("(화폐 단위 : 원)", "화폐 단위 : 원", ""),
        ("(2022년 6월 말 기준, 단위: 억원)", "2022년 6월 말 기준, 단위: 억원", ""),
        ("(기준일: 2022. 6. 30., 단위: 주, %)", "기준일: 2022. 6. 30., 단위: 주, %", ""),
        ("(2022년 말 기준, 억원)", "2022년 말 기준, 억원", ""),
        ("(Unit: USD thousand)", "Unit: USD thousand", ""),
        ("[단위 : 원]", "단위 : 원", ""),
        ("※ 단위: 천원", "단위: 천원", ""),
        ("(기준일 : 2022년 6월 30일) (단위 : 주)", "기준일 : 2022년 6월 30일, 단위 : 주", ""),
    ],
)
def test_unit_notes_are_read_without_their_brackets(line: str, unit: str, rest: str) -> None:
    assert unit_in(line) == (unit, rest)


@pytest.mark.parametrize(
    "line", ["(예시 1)", "주요 지표", "가입자가 늘었다(12명)", "(신설)", "(단위사업 포함)", "(사업단위: 서울지점)"]
)
def test_other_brackets_are_no_units(line: str) -> None:
    assert unit_in(line) is None


@pytest.mark.parametrize(
    ("line", "date"),
    [
        ("(2022.6.30. 현재)", "2022.6.30. 현재"),
        ("(’22년 6월말 기준)", "’22년 6월말 기준"),
        ("[제12기 반기말 현재]", "제12기 반기말 현재"),
        ("(기준일 : 2022년 6월 30일 )", "기준일 : 2022년 6월 30일"),
        ("기준일: 2022-06-30", "기준일: 2022-06-30"),
        ("나. 지점 현황 (2022.6.30. 현재)", ""),
        ("(2022년 최저임금 기준)", ""),
        ("2022년 말 현재", ""),
        ("(기준일)", ""),
    ],
)
def test_dates_that_stand_alone_on_a_line(line: str, date: str) -> None:
    assert date_in(line) == date


@pytest.mark.parametrize(
    "line",
    [
        "□ 지점 현황",
        "표 2 | 업종별 연체율",
        "< 추진 일정 >",
        "가. 노출 기준",
        "[별표 1]",
        "주요 계정 과목",
        "①급여 기준",
        "• 제안서 목차 및 작성 방법",
        "(예시) 두 혈관에 실시한 경우",
        "(가온 인증에 관한 고시 별표 7)",
    ],
)
def test_lines_that_name_a_table(line: str) -> None:
    assert is_caption(line)


@pytest.mark.parametrize(
    "line",
    [
        "지난해보다 크게 늘어난 것으로 나타났다.",
        "다음 각 호의 사항을 확인하여야 하며,",
        "전년 동월보다 소폭 낮아졌으나 하락 폭은 줄어듦에 따라 수요가 회복되고",
        "* 변동성 지수가 오전 중 65를 넘어 가장 높은 수준으로 상승",
        "ㅇ 주택 허가와 착공 모두 감소",
        "• 점검 방식은 신청 기업이 스스로 하는 점검 또는 평가 기관의 직접 점검 가운데 선택 가능",
        "(가온부 고시 제2030-12호 관련, ‘30.11.30. 시행)",
        "※ 관련 근거 : 가온부 고시 제2030-12호, (2030.5.1. 적용)",
        "",
    ],
)
def test_lines_of_text_name_none(line: str) -> None:
    assert not is_caption(line)


def cells(*rows: tuple[str, ...]) -> Table:
    table = [[Cell(r, c) for c in range(len(row))] for r, row in enumerate(rows)]
    for printed, row in zip(rows, table, strict=True):
        for value, cell in zip(printed, row, strict=True):
            cell.texts = [value] if value else []
    return table


@pytest.mark.parametrize(
    "rows",
    [
        (("보상하는 질병", "질병번호"), ("급성 충수염", "K35"), ("담낭 결석", "K80.2")),
        (("나이", "1회 복용량", "1일 횟수"), ("12세 이상", "2정", "3회"), ("6세 이상", "1/2정", "2회")),
        (
            ("권고내용", "등급", "수준"),
            ("혈압이 높으면 먼저 생활 습관을 고치도록 한다.", "강함", "높음"),
            ("고령 환자는 낮은 용량으로 시작한다.", "조건부", "낮음"),
        ),
        (("계통", "흔하게(1~10%)", "드물게(0.1% 미만)"), ("소화기", "구역, 구토", "장폐색"), ("피부", "발진", "탈모")),
        (("기관계", "매우 흔하게", "흔하게"), ("신경계", "두통", "어지러움, 졸음"), ("피부", "발진", "탈모")),
        (
            ("병용약물", "영향", "조치"),
            ("심바스타틴", "혈중농도 증가", "1일 20 mg 이하"),
            ("리팜피신", "혈중농도 감소", "병용 금기"),
        ),
        (
            ("약물", "작용", "주의점"),
            ("와파린", "출혈 위험이 커진다", "혈액 응고 시간을 잰다"),
            ("디곡신", "배설이 느려진다", "용량을 절반으로 줄인다"),
        ),
    ],
)
def test_a_first_row_of_names_above_words_is_a_header(rows: tuple[tuple[str, ...], ...]) -> None:
    assert header_depth(cells(*rows)) == 1


@pytest.mark.parametrize(
    "rows",
    [
        (("과제명", "문서 검색"), ("정부출연금", "3억원"), ("기업부담금", "1억원")),
        (("모델", "A12"), ("부품", "B13"), ("시험기", "C14")),
        (("성명", "김하늘", "소속"), ("학력", "한빛대학교", "전공"), ("경력", "두리전자", "직급")),
        (("지원 대상", "소상공인"), ("지원 내용", "점포를 고치는 데 드는 돈의 절반"), ("신청 방법", "누리집")),
        (("서울", "부산", "대구"), ("광주", "대전", "울산"), ("수원", "청주", "전주")),
        (
            ("제조원", "가온제약", "안산"),
            ("판매원", "나온제약 주식회사", "서울특별시 강남구"),
            ("수입원", "다온상사 주식회사", "부산광역시 중구"),
        ),
        (
            ("지원 대상", "소상공인", "전국"),
            ("지원 방법", "점포 수리비의 절반", "계좌로 보낸다"),
            ("신청 기간", "봄부터 가을까지", "하루 안에 답한다"),
        ),
        (("12세 이상", "2정", "3회"), ("6세 이상", "1정", "2회"), ("3세 이상", "1/2정", "2회")),
    ],
)
def test_a_form_and_a_table_that_begins_with_values_have_no_header(rows: tuple[tuple[str, ...], ...]) -> None:
    assert header_depth(cells(*rows)) == 0
