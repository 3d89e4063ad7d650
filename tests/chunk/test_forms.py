"""Forms whose first rows say what the rest is about."""

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.chunk.forms import form_head
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Document, Table

ROWS = (
    ("요구사항 고유번호", "요구사항 고유번호", "SFR-003"),
    ("요구사항 명칭", "요구사항 명칭", "온실 관리 프로그램"),
    ("요구사항 설명", "정의", "온실을 관리하는 프로그램"),
    ("요구사항 설명", "세부 내용", "○ 물 주는 시각을 정한다."),
)


def form(header: tuple[str, ...] = ("", "", ""), rows: tuple[tuple[str, ...], ...] = ROWS) -> Table:
    return Table(1, 0, 1, header=header, rows=rows)


def test_number_and_name_of_a_form_are_its_head() -> None:
    assert form_head(form(), 3) == "요구사항 고유번호: SFR-003\n요구사항 명칭: 온실 관리 프로그램"


def test_rows_that_a_passage_holds_itself_are_not_said_again() -> None:
    assert form_head(form(), 1) == "요구사항 고유번호: SFR-003"
    assert form_head(form(), 0) == ""


def test_a_table_with_column_names_is_no_form() -> None:
    assert form_head(form(header=("구분", "", "값")), 3) == ""


def test_rows_that_name_nothing_are_no_head() -> None:
    rows = (("설명", "길다"), ("증명", "필요"), ("사업 기간", "13개월"), ("번호", "1", "2"), ("명칭", "온실" * 60))
    assert form_head(form(("", ""), rows), 5) == ""


def test_each_further_passage_of_a_form_says_its_requirement() -> None:
    first = "|  |  |  |\n| --- | --- | --- |\n" + "\n".join(f"| {' | '.join(row)} |" for row in ROWS[:3])
    second = "요구사항 설명 | 세부 내용\n○ 물 주는 시각을 정한다.\n○ 창을 여는 온도를 정한다."
    text = f"1. 온실 사업\n온실을 짓는다.\n\n{first}\n\n{second}\n"
    start, after = text.index("|  |"), text.index(second)
    pieces = ((start, start + len(first), 0, 3), (after, after + len(second), 3, 4))
    table = Table(1, start, after + len(second), header=("", "", ""), rows=ROWS, pieces=pieces)
    document = Document("d", "a.pdf", "온실 사업", "general", text, tables=(table,))
    chunks = [item.chunk for item in chunk_document(document, WhitespaceTokenizer(), ChunkSettings())]
    leads = [chunk.lead for chunk in chunks if chunk.kind == "table"]
    assert leads == ["", "요구사항 고유번호: SFR-003\n요구사항 명칭: 온실 관리 프로그램"]
