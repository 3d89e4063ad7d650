import io
import json
import os
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter
from pypdf.generic import NameObject, TextStringObject
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from kure_rag.read.layout import Line, page_lines
from kure_rag.read.noise import MARK
from kure_rag.read.outline import find_title, outline_of, without_password
from kure_rag.read.pdfium import PdfFile

DATA = Path(os.environ.get("KURE_RAG_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
FONT = "HYSMyeongJo-Medium"
Printed = tuple[float, float, str]  # size, height above the page's bottom, text

BODY: list[Printed] = [
    (
        10,
        560 - 16 * i,
        "직원은 정해진 시각에 출근하고 그 기록을 전자 근태 시스템에 남겨야 하며 기록은 다섯 해 동안 보관한다.",
    )
    for i in range(16)
]


def written(lines: list[Printed], title: str = "") -> bytes:
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    canvas.setTitle(title)
    for size, y, text in lines:
        canvas.setFont(FONT, size)
        canvas.drawString(60, y, text)
    canvas.showPage()
    canvas.save()
    return out.getvalue()


def title_of(lines: list[Printed], *, stored: str = "", outline: list[tuple[int, str, int]] | None = None) -> str:
    with PdfFile(written(lines), "파일 이름.pdf") as pdf:
        content = pdf.page(1)
        printed = page_lines(content) or []
    return find_title(printed, height=content.height, stored=stored, outline=outline or [], source="파일 이름.pdf")


@pytest.mark.parametrize(
    ("lines", "title"),
    [
        ([(26, 740, "직원복무규정"), (10, 700, "시행일: 2030. 1. 1.")], "직원복무규정"),
        (
            [(18, 740, "물가 안정 목표제의 성과와"), (18, 715, "앞으로의 과제"), (11, 660, "2030. 8.")],
            "물가 안정 목표제의 성과와 앞으로의 과제",
        ),
        (
            [(28, 620, "최근의 지역경제 상황과 평가"), (20, 460, "2030. 8"), (28, 230, "한 빛 은 행")],
            "최근의 지역경제 상황과 평가",
        ),
        ([(10, 800, "2030. 9. 3(금)"), (18, 740, "지역 고용지표와 시장의 반응")], "지역 고용지표와 시장의 반응"),
        ([(14, 700, "<참고 2>"), (16, 660, "제2장 휴가와 휴직")], "파일 이름"),
        ([(24, 680, "【보통약관】")], "보통약관"),
        ([(18, 740, "2030년 9월 한빛자산운용 보고서"), (16, 660, "운용 경과")], "2030년 9월 한빛자산운용 보고서"),
    ],
)
def test_the_largest_type_near_the_top_is_the_title(lines: list[Printed], title: str) -> None:
    assert title_of([*lines, *BODY]) == title


def test_a_cover_is_read_in_its_own_sizes() -> None:
    assert (
        title_of([(48, 620, "개인정보 보호"), (48, 570, "업무 안내서"), (8, 40, "한빛연구원")])
        == "개인정보 보호 업무 안내서"
    )


def test_a_statute_is_called_by_the_name_above_its_date_of_effect() -> None:
    head = [
        (10, 810, "지역화폐 이용 촉진에 관한 법률 시행규칙"),
        (12.5, 757, "지역화폐 이용 촉진에 관한 법률 시행"),
        (12.5, 737, "규칙"),
        (10, 715, "[시행 2030. 1. 1.] [총리령 제1031호, 2029. 12. 29., 일부개정]"),
    ]
    assert title_of([*head, *BODY], stored="보고서 초안") == "지역화폐 이용 촉진에 관한 법률 시행규칙"
    assert title_of([*head[1:], *BODY]) == "지역화폐 이용 촉진에 관한 법률 시행규칙"


def test_a_ruling_is_called_by_court_date_and_number() -> None:
    head = [
        (9, 910 - 100, "4/3/30, 4:11 PM 판례 > 본문"),
        (11, 770, "대법원 2030. 2. 27. 선고 2029다35616 판결"),
        (9, 740, "[임대차보증금반환]"),
    ]
    assert title_of([*head, *BODY]) == "대법원 2030. 2. 27. 선고 2029다35616 판결"


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("[대법원 2030. 2. 27. 선고 2029다35616 판결]", "대법원 2030. 2. 27. 선고 2029다35616 판결"),
        ("[대법원 2030. 2. 27., 선고, 2029다35616, 판결]", "대법원 2030. 2. 27. 선고 2029다35616 판결"),
        ("[헌법재판소 2030. 5. 30. 선고 2028헌마77 결정]", "헌법재판소 2030. 5. 30. 선고 2028헌마77 결정"),
        ("【헌법재판소 2030. 5. 30. 2028헌마77 전원재판부】", "헌법재판소 2030. 5. 30. 2028헌마77 전원재판부"),
        (
            "[헌법재판소 2030. 5. 30. 2028헌마77 전원재판부 결정]",
            "헌법재판소 2030. 5. 30. 2028헌마77 전원재판부 결정",
        ),
    ],
)
def test_a_ruling_is_called_without_its_brackets_and_commas(line: str, title: str) -> None:
    assert title_of([(11, 770, "손해배상(기)"), (10, 745, line), *BODY]) == title


@pytest.mark.parametrize("name", ["합의서", "각서", "위임장", "차용증", "회칙"])
def test_a_short_name_in_large_type_is_the_title(name: str) -> None:
    signed = [(10, 280, "갑: 주식회사 한빛 대표이사 김하나 (인)"), (10, 262, "을: 두리상사 대표 이두리 (인)")]
    assert title_of([(16, 760, name), *BODY, *signed]) == name
    assert title_of([(16, 760, name), (10, 700, "갑과 을은 서로 돕는다."), *signed]) == name


@pytest.mark.parametrize("name", ["순서", "서문", "본문", "벌칙", "제1장"])
def test_the_name_of_a_part_is_no_title(name: str) -> None:
    assert title_of([(16, 760, name), *BODY]) == "파일 이름"


@pytest.mark.parametrize(
    "section", ["효능·효과", "【효능·효과】", "2. 용법·용량", "사용상의 주의사항", "저장방법 및 사용기간"]
)
def test_a_section_of_a_drugs_label_is_no_title_however_large(section: str) -> None:
    name = (10, 770, "[나래시럽]")
    assert title_of([name, (16, 740, section), *BODY]) == "파일 이름"
    assert title_of([name, (16, 740, section), *BODY], stored="나래시럽 설명서") == "나래시럽 설명서"
    assert title_of([name, *BODY], stored=section) == "파일 이름"
    assert title_of([(16, 770, "가람정 5밀리그램"), (16, 745, section), *BODY]) == "가람정 5밀리그램"
    assert (
        title_of([name, (10, 740, section), (10, 720, "본태고혈압"), (10, 700, "어른은 하루 한 번 먹는다.")])
        == "파일 이름"
    )
    assert title_of([(16, 770, f"{section}에 관한 연구 보고서"), *BODY]) != "파일 이름" or section.startswith("2.")


@pytest.mark.parametrize(
    "line",
    ["갑: 주식회사 한빛 대표이사 김하나 (인)", "임차인: 김하나", "대표이사 김하나 (서명 또는 날인)", "대표 이두리 ㊞"],
)
def test_a_line_that_is_signed_is_no_title(line: str) -> None:
    assert title_of([(10, 700, "갑과 을은 서로 돕는다."), (16, 600, line)]) == "파일 이름"


def test_a_notice_has_its_number_in_its_title() -> None:
    head = [
        (10, 780, "보건복지부 고시 제2030-12호"),
        (10, 740, "「국민건강보험법」 제41조제3항에 따라 다음과 같이 개정합니다."),
        (10, 650, "「치과 처치의 급여 기준에 관한 사항」 일부개정"),
    ]
    title = title_of([*head, *BODY], stored="지난해 서식의 제목")
    assert title == "「치과 처치의 급여 기준에 관한 사항」 일부개정 (보건복지부 고시 제2030-12호)"


@pytest.mark.parametrize(
    ("lines", "title"),
    [
        (
            [(32, 720, "제 안 요 청 서"), (16, 600, "사 업 명   도서관 목록 시스템 구축")],
            "제안요청서: 도서관 목록 시스템 구축",
        ),
        (
            [(20, 776, "물 질 안 전 보 건 자 료"), (10, 680, "가. 제품명 : 세척액 CL-7")],
            "물질안전보건자료: 세척액 CL-7",
        ),
    ],
)
def test_a_form_is_called_by_what_it_is_about(lines: list[Printed], title: str) -> None:
    assert title_of([*lines, *BODY]) == title


def test_a_line_set_off_from_the_text_is_the_title_where_all_type_is_equal() -> None:
    assert title_of([(10, 700, "도서관 이용 시간 조정에 관한 안내"), *BODY]) == "도서관 이용 시간 조정에 관한 안내"
    assert title_of(BODY) == "파일 이름"


def test_the_file_is_asked_where_the_page_shows_no_title() -> None:
    assert title_of(BODY, stored="연차휴가 운영 지침.hwp") == "연차휴가 운영 지침"
    assert title_of(BODY, outline=[(0, "연차휴가 운영 지침", 1), (1, "제1장", 1)]) == "연차휴가 운영 지침"
    assert (
        title_of([], stored="<" + "연차휴가 운영 지침.ai".encode("cp949").hex().upper() + ">") == "연차휴가 운영 지침"
    )


def test_a_recognised_page_speaks_after_the_file() -> None:
    lines = [Line("연차휴기 윤영 지침", 60, 700, 400, 730, 30)]
    for stored, title in (("연차휴가 운영 지침", "연차휴가 운영 지침"), ("", "연차휴기 윤영 지침")):
        assert find_title(lines, height=842, stored=stored, outline=[], source="a.pdf", recognised=True) == title


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "무제",
        "PowerPoint 프레젠테이션",
        "Microsoft Word - 규정",
        "insurance_biz",
        "보건복지부 고시 제2030",
        "판례 > 본문",
        "<FFFE00>",
    ],
)
def test_what_a_program_wrote_is_no_title(stored: str) -> None:
    assert title_of(BODY, stored=stored) == "파일 이름"


@given(st.lists(st.tuples(st.text(max_size=60), st.floats(1, 60), st.floats(0, 842)), max_size=8), st.text(max_size=40))
def test_any_lines_have_a_title(drawn: list[tuple[str, float, float]], stored: str) -> None:
    lines = [Line(text, 60, top - size, 400, top, size) for text, size, top in drawn]
    title = find_title(lines, height=842, stored=stored, outline=[], source="원본.pdf")
    assert title
    assert "\n" not in title
    assert len(title) <= 120


def bookmarked(*titles: str) -> PdfWriter:
    writer = PdfWriter()
    writer.append(PdfReader(io.BytesIO(written(BODY))))
    parent = None
    for title in titles:
        parent = writer.add_outline_item(title=title, page_number=0, parent=parent)
    return writer


def saved(writer: PdfWriter) -> bytes:
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_bookmarks_have_level_title_and_page() -> None:
    with PdfFile(saved(bookmarked("직원복무규정", "제1장  총칙\n", "제1조(목적)")), "규정.pdf") as pdf:
        assert pdf.outline() == [(0, "직원복무규정", 1), (1, "제1장 총칙", 1), (2, "제1조(목적)", 1)]


def test_bookmarks_are_those_that_pypdfium2_finds() -> None:
    writer = bookmarked("제1편", "", "제1장", "제1절", "가" * 300)
    writer.add_outline_item(title="별표", page_number=None)
    writer.add_outline_item(title="제2편 😀", page_number=0)
    data = saved(writer)
    with PdfFile(data, "규정.pdf") as pdf:
        assert pdf.outline() == outline_of(pypdfium2.PdfDocument(data).get_toc())
        assert [title for _, title, _ in pdf.outline()][-2:] == ["별표", "제2편 😀"]


def test_circular_bookmarks_end() -> None:
    writer = bookmarked("하나", "둘")
    for entry in [o.get_object() for o in writer._objects if isinstance(o, dict) and "/Title" in o]:
        entry[NameObject("/Next")] = entry.indirect_reference
        entry[NameObject("/First")] = entry.indirect_reference
        entry[NameObject("/Title")] = TextStringObject("끝없는 목차")
    with PdfFile(saved(writer), "목차.pdf") as pdf:
        assert len(pdf.outline()) <= 4


@dataclass
class Endless:
    level: int = 0

    def get_title(self) -> str:
        return "목차"

    def get_dest(self) -> Any:
        return None


def test_bookmarks_are_bounded() -> None:
    assert outline_of(repeat(Endless())) == [(0, "목차", 0)] * 2_000
    assert max(level for level, _, _ in outline_of(Endless(i % 50) for i in range(5_000))) == 9


def test_a_broken_bookmark_ends_the_list() -> None:
    class Broken(Endless):
        def get_title(self) -> str:
            raise RuntimeError

    assert outline_of([Endless(), Broken(), Endless()]) == [(0, "목차", 0)]


def test_bookmarks_of_damaged_bytes_are_left_out() -> None:
    class Mojibake(Endless):
        def get_title(self) -> str:
            return "ï¿½ï¿½ï¿½˝ 1Ç¥"

    assert outline_of([Mojibake()]) == []


@pytest.mark.parametrize(
    "title", [f"직원{MARK}규정", "직원\uf53a복무규정과 그 시행에 관한 세칙", "직원복무\ufffd규정 개정안 전문"]
)
def test_a_name_with_a_hole_is_no_title_and_no_bookmark(title: str) -> None:
    class Holed(Endless):
        def get_title(self) -> str:
            return title

    assert outline_of([Holed(), Endless()]) == [(0, "목차", 0)]
    line, below = Line(title, 60, 700, 400, 730, 30), Line("시행에 관한 지침", 60, 665, 400, 695, 30)
    body = [Line(text, 60, y - size, 500, y, size) for size, y, text in BODY]
    for lines in ([line, *body], [line, below, *body]):
        assert (
            find_title(lines, height=842, stored=title, outline=[(0, title, 1), (1, "제1장", 1)], source="a.pdf") == "a"
        )
    assert find_title([below, *body], height=842, stored=title, outline=[], source="a.pdf") == "시행에 관한 지침"


@pytest.mark.parametrize(("user", "owner"), [("", "관리자"), ("", None)])
def test_a_file_that_only_its_owner_may_change_is_read(user: str, owner: str | None) -> None:
    writer = bookmarked("직원복무규정")
    writer.encrypt(user, owner, algorithm="RC4-128")
    data = saved(writer)
    with PdfFile(data, "규정.pdf") as pdf:
        assert "출근하고" in pdf.page(1).text
    plain = without_password(data)
    assert plain is not None
    assert not PdfReader(io.BytesIO(plain)).is_encrypted


def test_a_file_with_a_users_password_stays_closed() -> None:
    writer = bookmarked("직원복무규정")
    writer.encrypt("비밀번호", algorithm="RC4-128")
    assert without_password(saved(writer)) is None


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7\n%%EOF", written(BODY)])
def test_what_is_not_encrypted_needs_no_unlocking(data: bytes) -> None:
    assert without_password(data) is None


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "law_pdf").is_dir(), reason="no PDFs to read; set KURE_RAG_DATA")
def test_every_real_statute_is_called_by_its_name() -> None:
    for entry in json.loads((DATA / "law_pdf" / "index.json").read_text(encoding="utf-8")):
        with PdfFile((DATA / "law_pdf" / entry["pdf"]).read_bytes(), entry["pdf"]) as pdf:
            content = pdf.page(1)
            lines = page_lines(content) or []
            found = find_title(lines, height=content.height, stored="", outline=pdf.outline(), source=entry["pdf"])
        assert found == entry["title"], entry["pdf"]
