from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import unicodedata
import zlib
from pathlib import Path
from types import ModuleType

import pypdf
import pypdfium2
import pytest
import reportlab

from kure_rag.samples import DEMO_QUESTIONS, DemoQuestion, sample_paths

SCRIPT = Path(__file__).parent.parent / "examples" / "make_samples.py"

REPORT, REGULATION, LABEL = "한빛정밀_분기보고서.pdf", "새여울재단_취업규정.pdf", "모아렌정_설명서.pdf"

# What each page has to say, by file and page; spelt as printed.
HEADINGS = {
    REPORT: [
        ["분 기 보 고 서", "목 차", "I. 회사의 개요"],
        ["II. 사업의 내용", "표 1. 사업부문별 매출 현황", "(단위: 백만원, %)", "III. 재무에 관한 사항"],
        ["표 3. 요약 재무상태표", "△3,415", "표 4. 손익계산서", "(51,634)", "주1) 대손충당금을"],
        ["제12기 3분기 (당기)", "법인세비용차감전순이익", "주석 1. 매출채권과", "4. 배당에 관한 사항"],
        ["표 7. 주요 배당지표", "IV. 위험 요인", "가. 환위험", "가상이며"],
    ],
    REGULATION: [
        ["제1장 총칙", "제1조(목적)", "가. 일반직", "제2장 채용과 인사"],
        ["제3장 근무", "제11조(재택근무) ①", "<개정 2025.1.2>", "제4장 휴일과 휴가"],
        ["제15조의2(연차휴가의 저축)", "제5장 출장과 여비", "제21조 삭제 <2024.3.4>", "제6장 정보보안"],
        ["제7장 포상과 징계", "부칙 <제42호, 2025.1.2>", "제1조(시행일)", "제2조(경과조치)"],
        ["[별표 1] 국내 여비 지급기준", "(단위: 원)", "비고", "실재하지 않는 가상의"],
    ],
    LABEL: [
        ["제품명", "원료약품 및 그 분량", "성상", "효능·효과", "용법·용량", "의학적 조언이 아닙니다"],
        ["표 2. 신장 기능에 따른", "사용상의주의사항", "1. 경고", "2. 다음 환자에는", "4. 이상반응"],
        ["표 3. 빈도별 이상반응", "5. 상호작용", "6. 임부 및 수유부", "7. 소아", "8. 고령자", "9. 과량투여"],
        ["10. 저장상의 주의사항", "저장방법", "포장단위", "가상의 이름"],
    ],
}

# What drew the committed files. Another font version, reportlab or zlib may give other bytes for the same pages.
MADE_WITH = {
    "reportlab": "5.1.0",
    "zlib": "1.2.13",
    "fonts": "288bcac634c3ad8ad57efae04047430c5133dcb9d78cbd957d45708c89a7787e",
}


def pages(path: Path) -> list[str]:
    with pypdfium2.PdfDocument(path) as document:
        return [page.get_textpage().get_text_range() for page in document]


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def by_name(name: str) -> Path:
    return next(path for path in sample_paths() if path.name == name)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_samples", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_samples"] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def fonts(script: ModuleType) -> Path:
    try:
        return script.find_fonts()
    except script.FontsMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def drawn(fonts: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of two runs, each in a process of its own with another hash seed."""
    folders = []
    for seed in ("1", "2"):
        out = tmp_path_factory.mktemp("samples")
        command = [sys.executable, str(SCRIPT), "--font-dir", str(fonts), "--out", str(out)]
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        subprocess.run(command, check=True, env=environment, capture_output=True)
        folders.append(out)
    return folders


def test_paths_are_the_three_samples_with_nfc_names() -> None:
    names = [path.name for path in sample_paths()]
    assert names == sorted(HEADINGS)
    assert all(unicodedata.is_normalized("NFC", name) for name in names)


def test_samples_stay_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in sample_paths()) < 600_000


@pytest.mark.parametrize("name", HEADINGS)
def test_every_page_says_what_it_should(name: str) -> None:
    texts = pages(by_name(name))
    assert 3 <= len(texts) <= 5
    for number, (text, expected) in enumerate(zip(texts, HEADINGS[name], strict=True), start=1):
        missing = [heading for heading in expected if heading not in text.replace("\r\n", "\n")]
        assert not missing, f"page {number}"


@pytest.mark.parametrize("name", HEADINGS)
def test_text_is_clean_nfc_with_its_spaces(name: str) -> None:
    text = "".join(pages(by_name(name)))
    assert unicodedata.is_normalized("NFC", text)
    odd = {char for char in text if char == "\ufffd" or unicodedata.category(char) in {"Cc", "Co", "Cn", "Cs"}}
    assert odd <= {"\r", "\n"}
    hangul = sum("가" <= char <= "힣" for char in text)
    assert hangul > 1000
    # Running Korean has a space about every three or four syllables; a reader that loses them reports next to none.
    assert text.count(" ") > hangul / 5


def test_pages_are_numbered() -> None:
    for name, form in ((REPORT, "- {} -"), (REGULATION, "{} / 5"), (LABEL, "{}/4쪽")):
        for number, text in enumerate(pages(by_name(name)), start=1):
            assert form.format(number) in text


@pytest.mark.parametrize(("name", "broken"), [(REPORT, True), (LABEL, True), (REGULATION, False)])
def test_lines_break_inside_words_where_the_typesetting_says_so(name: str, broken: bool) -> None:
    # A line that ends in a syllable and continues with a particle or an ending was broken inside a word.
    text = "".join(pages(by_name(name))).replace("\r\n", "\n")
    assert bool(re.search(r"[가-힣]\n(?:은 것입|로, 정해진|사부품|량과 )", text)) is broken


@pytest.mark.parametrize("name", HEADINGS)
def test_korean_fonts_are_embedded_as_subsets(name: str) -> None:
    used: dict[str, bool] = {}
    for page in pypdf.PdfReader(by_name(name)).pages:
        for font in page["/Resources"]["/Font"].values():
            font = font.get_object()
            if descriptor := font.get("/FontDescriptor"):
                used[str(font["/BaseFont"])] = "/FontFile2" in descriptor.get_object()
            else:
                used[str(font["/BaseFont"])] = str(font["/BaseFont"]) == "/Helvetica"  # declared by reportlab, unused
    embedded = {base for base in used if "Nanum" in base}
    assert len(embedded) >= 2, "regular and bold"
    assert all(used.values())
    assert all(re.match(r"/[A-Z]{6}\+", base) for base in embedded), "the name of a subset begins with six capitals"


def test_two_questions_a_document() -> None:
    assert sorted(question.source for question in DEMO_QUESTIONS) == sorted([*HEADINGS, *HEADINGS])


@pytest.mark.parametrize("question", DEMO_QUESTIONS, ids=lambda question: question.answer)
def test_answer_stands_on_its_page_and_on_no_other(question: DemoQuestion) -> None:
    answer = squeezed(question.answer)
    found = [
        (path.name, number)
        for path in sample_paths()
        for number, text in enumerate(pages(path), start=1)
        if answer in squeezed(text)
    ]
    assert found == [(question.source, question.page)]


@pytest.mark.parametrize("question", DEMO_QUESTIONS, ids=lambda question: question.answer)
def test_question_does_not_give_its_answer_away(question: DemoQuestion) -> None:
    assert squeezed(question.answer) not in squeezed(question.question)


def test_two_runs_draw_the_same_bytes(drawn: list[Path]) -> None:
    first, second = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in drawn)
    assert first.keys() == HEADINGS.keys()
    assert first == second


def test_shipped_files_are_what_the_script_draws(drawn: list[Path], fonts: Path, script: ModuleType) -> None:
    digest = hashlib.sha256(b"".join((fonts / name).read_bytes() for name in script.FONT_FILES)).hexdigest()
    here = {"reportlab": reportlab.__version__, "zlib": zlib.ZLIB_RUNTIME_VERSION, "fonts": digest}
    if here["fonts"] != MADE_WITH["fonts"]:
        pytest.skip("other versions of the fonts, which may break lines elsewhere")
    for path in sample_paths():
        assert pages(path) == pages(drawn[0] / path.name)
    if here != MADE_WITH:
        pytest.skip("the same pages; the bytes depend on reportlab and zlib, and one of them is another version")
    for path in sample_paths():
        assert path.read_bytes() == (drawn[0] / path.name).read_bytes(), f"{path.name}: run examples/make_samples.py"


def test_missing_fonts_are_named_with_the_remedy(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--font-dir", str(tmp_path), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "apt-get install fonts-nanum" in done.stderr
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
