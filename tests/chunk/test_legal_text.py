"""What stands in a legal document outside its articles: bills that amend a statute, and notes below tables."""

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Chunk, Document, Table

SETTINGS = ChunkSettings(target=120, longest=240)
ITEM = "온실을 짓거나 고치려는 사람이 속한 단체로서 대통령령으로 정하는 단체"


def cut(text: str, tables: tuple[Table, ...] = ()) -> list[Chunk]:
    document = Document("d", "a.pdf", "온실관리법", "legal", text, tables=tables)
    return [item.chunk for item in chunk_document(document, WhitespaceTokenizer(), SETTINGS)]


def test_items_that_a_bill_adds_have_the_provision_that_they_are_added_to() -> None:
    items = "".join(f"{n}. {ITEM}\n" for n in range(1, 7))
    text = (
        "온실관리법 일부를 다음과 같이 개정한다.\n"
        f"제15조제5항에 각 호를 다음과 같이 신설한다.\n{items}"
        f"제22조제3항에 각 호를 다음과 같이 신설한다.\n{items}"
        "부칙\n제1조(시행일) 이 법은 공포한 날부터 시행한다.\n제2조(적용례) 새로 짓는 온실부터 적용한다.\n"
    )
    chunks = [chunk for chunk in cut(text) if chunk.kind == "text"]
    second = text.index("제22조제3항")
    below = [chunk for chunk in chunks if chunk.lead]
    assert len(below) >= 4
    for chunk in below:
        assert chunk.lead.startswith("제15조제5항에" if chunk.start < second else "제22조제3항에")


def with_table(below: str) -> list[Chunk]:
    rules = "제1조(목적) 수수료를 정한다.\n제2조(수수료) 수수료는 별표 1과 같다.\n[별표 1]\n"
    grid = "수수료\n| 구분 | 금액 |\n| --- | --- |\n| 유리 온실 | 만 원 |"
    text = f"{rules}\n{grid}\n\n{below}"
    table = Table(
        1,
        start := text.index("수수료\n|"),
        start + len(grid),
        caption="수수료",
        header=("구분", "금액"),
        rows=(("유리 온실", "만 원"),),
    )
    return cut(text, (table,))


def test_the_heading_of_an_annex_stays_with_its_table() -> None:
    last = with_table("")[-1]
    assert (last.kind, last.text.partition("\n")[0]) == ("table", "[별표 1]")
    assert last.metadata["part_name"] == "별표 1 수수료"


def test_notes_below_a_table_stay_with_it() -> None:
    for note in ("※ 비닐 온실은 따로 정한다.", "(2025. 3. 4. 개정)", "(주) 한 해에 한 번만 낸다."):
        last = with_table(f"{note}\n")[-1]
        assert last.kind == "table"
        assert last.text.endswith(note)


def test_text_below_a_table_is_text() -> None:
    for said in ("비닐 온실의 수수료는 따로 정한다.", "(주) 다음과 같다:", "(주) 한 번만 낸다.\n그 밖에는 두 번 낸다."):
        assert [chunk.kind for chunk in with_table(f"{said}\n")][-2:] == ["table", "appendix"]
